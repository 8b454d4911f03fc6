package masking

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// A print is a member name as far as looking it up needs: its first eight bytes and the next eight, or of a longer name the last
// eight, and its length. Names of up to 16 bytes are alike only when their prints are.
type print struct {
	head, tail uint64
	length     int
}

func printOf(name []byte) print {
	n := len(name)
	if n > 16 {
		return print{binary.LittleEndian.Uint64(name), binary.LittleEndian.Uint64(name[n-8:]), n}
	}
	var room [16]byte
	copy(room[:], name)
	return print{binary.LittleEndian.Uint64(room[:]), binary.LittleEndian.Uint64(room[8:]), n}
}

// shortName reads an ASCII name without escapes of up to 15 bytes, and its quote, from the head of b. A length of 0 is none such, one of 16
// that the name is longer.
func shortName(b *[16]byte) (p print) {
	p.head = binary.LittleEndian.Uint64(b[:])
	if m := special(p.head); m != 0 {
		p.length = bits.TrailingZeros64(m) >> 3
		p.head &= 1<<(8*p.length) - 1
	} else {
		p.tail = binary.LittleEndian.Uint64(b[8:])
		n := bits.TrailingZeros64(special(p.tail)) >> 3
		p.tail &= 1<<(8*n) - 1
		p.length = 8 + n
	}
	if p.length < len(b) && b[p.length] != '"' {
		p.length = 0
	}
	return p
}

// seeds are chosen at each start, so that nobody can prepare names that look like duplicates.
var seeds = [2]uint64{rand.Uint64(), rand.Uint64()}

// hash is the same for the same name.
func (p print) hash(name []byte) uint64 {
	h := mix(p.head^seeds[0], p.tail^seeds[1]+uint64(p.length))
	for i := 8; i+8 < p.length; i += 8 {
		h = mix(h^seeds[0], binary.LittleEndian.Uint64(name[i:])^seeds[1])
	}
	return h
}

func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// folded is the same for ASCII names that differ in case alone.
func (p print) folded() print { return print{p.head | 0x20*ones, p.tail | 0x20*ones, p.length} }

// slot is where a name in any case of its ASCII letters stands in a table of that size, a power of two.
func (p print) slot(size int) int {
	f := p.folded()
	return int((f.head*0x9E3779B97F4A7C15^f.tail*0xC2B2AE3D27D4EB4F)>>32+uint64(f.length)) & (size - 1)
}

// few is up to how many names of an object are compared one by one, where its sieve lets them through.
const few = 64

// A sieve has a bit for each name of an object; a name whose bit is not set is new.
type sieve [8]uint64

// add sets the bit of a name and reports whether it was set before.
func (s *sieve) add(h uint64) bool {
	word, bit := &s[h>>61], uint64(1)<<(h>>55&63)
	was := *word&bit != 0
	*word |= bit
	return was
}

// nameSet finds a name that an object has twice (RFC 7493 §2.3). It keeps a hash of 64 bits for every name of the objects that are
// open, innermost last: a name that comes twice is always found; two names that are not the same are taken for one with a
// probability of 2^-64, and then the body is withheld. It takes no memory once it has grown to what a body needs.
type nameSet struct {
	hashes []uint64
	// table finds the names of objects with more than a few, by open addressing; order has its entries as they came. They go in the
	// reverse order, which leaves the table as if they had never been there.
	table, order []uint64
}

// A nameMark is how far a nameSet had come.
type nameMark struct{ hashes, order int }

func (s *nameSet) mark() nameMark { return nameMark{len(s.hashes), len(s.order)} }

// reset forgets what came after m.
func (s *nameSet) reset(m nameMark) {
	for i := len(s.order) - 1; i >= m.order; i-- {
		s.table[s.place(s.order[i])] = 0
	}
	s.hashes, s.order = s.hashes[:m.hashes], s.order[:m.order]
}

// add notes a name of the innermost object, whose names begin at from, and reports whether it was there before.
func (s *nameSet) add(from int, marks *sieve, h uint64) (twice bool) {
	if n := len(s.hashes) - from; n < few {
		if marks.add(h) && slices.Contains(s.hashes[from:], h) {
			return true
		}
	} else {
		if n == few {
			for _, other := range s.hashes[from:] {
				s.put(entry(from, other))
			}
		}
		if s.put(entry(from, h)) {
			return true
		}
	}
	s.hashes = append(s.hashes, h)
	return false
}

// close forgets the names of the innermost object.
func (s *nameSet) close(from int) {
	if n := len(s.hashes) - from; n > few {
		s.reset(nameMark{from, len(s.order) - n})
		return
	}
	s.hashes = s.hashes[:from]
}

// entry tells the same name of one open object from that of another, and is never 0.
func entry(from int, h uint64) uint64 { return mix(h^seeds[1], uint64(from)^seeds[0]) | 1 }

func (s *nameSet) put(e uint64) (twice bool) {
	if 2*len(s.order) >= len(s.table) {
		s.table = make([]uint64, max(64, 4*len(s.table)))
		for _, old := range s.order {
			s.table[s.place(old)] = old
		}
	}
	at := s.place(e)
	if s.table[at] == e {
		return true
	}
	s.table[at] = e
	s.order = append(s.order, e)
	return false
}

// place is where e stands, or where it would.
func (s *nameSet) place(e uint64) int {
	mask := len(s.table) - 1
	at := int(e>>7) & mask
	for s.table[at] != 0 && s.table[at] != e {
		at = (at + 1) & mask
	}
	return at
}
