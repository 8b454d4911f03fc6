package policy

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// inlineName is the longest name that an entry holds itself, in bytes. It makes an entry half a cache line.
const inlineName = 23

// An entry is a name, its number and what is known of it.
type entry struct {
	id   uint32           // 0: empty
	info uint32           // of a subject its profile; of a department or object the set of names above
	size uint8            // of name; longName for one that lies elsewhere
	name [inlineName]byte // or offset and length in names.long, 4 bytes each
}

const longName = 255

// names numbers names from 1: an open hash table without pointers. It must be grown once before it is used.
type names struct {
	entries []entry
	count   uint32
	long    []byte
}

// nameSeed keeps callers from making up names that crowd one place of a table.
var nameSeed = maphash.MakeSeed()

// place maps a hash to one of n.
func place(hash uint64, n int) int {
	high, _ := bits.Mul64(hash, uint64(n))
	return int(high)
}

// A named thing is known by number and by its name's hash. The zero value is * in lines, and what no line mentions in requests.
type named struct {
	id   uint32
	hash uint64
}

func hashOf(name string) uint64 { return maphash.String(nameSeed, name) }

// at is where the search for a name begins.
func (n *names) at(hash uint64) *entry { return &n.entries[place(hash, len(n.entries))] }

// find returns a name's number; 0 for one that no line mentions.
func (n *names) find(name string) uint32 { return n.seek(hashOf(name), name).id }

// seek returns the entry that a name has, or would have. There is always an empty one.
func (n *names) seek(hash uint64, name string) *entry {
	for i := place(hash, len(n.entries)); ; {
		e := &n.entries[i]
		if e.id == 0 || n.is(e, name) {
			return e
		}
		if i++; i == len(n.entries) {
			i = 0
		}
	}
}

func (n *names) is(e *entry, name string) bool {
	if e.size == longName {
		return string(n.longAt(e)) == name
	}
	return int(e.size) == len(name) && string(e.name[:e.size]) == name
}

func (n *names) longAt(e *entry) []byte {
	from, size := binary.LittleEndian.Uint32(e.name[:]), binary.LittleEndian.Uint32(e.name[4:])
	return n.long[from : from+size]
}

func (n *names) nameOf(e *entry) []byte {
	if e.size == longName {
		return n.longAt(e)
	}
	return e.name[:e.size]
}

// add numbers a name; added is false if it had its number.
func (n *names) add(name string) (one named, added bool) {
	if 5*int(n.count) >= 3*len(n.entries) {
		n.grow()
	}
	hash := hashOf(name)
	e := n.seek(hash, name)
	if e.id != 0 {
		return named{e.id, hash}, false
	}
	n.count++
	e.id = n.count
	if len(name) <= inlineName {
		e.size = uint8(copy(e.name[:], name))
	} else {
		e.size = longName
		binary.LittleEndian.PutUint32(e.name[:], uint32(len(n.long)))
		binary.LittleEndian.PutUint32(e.name[4:], uint32(len(name)))
		n.long = append(n.long, name...)
	}
	return named{e.id, hash}, true
}

func (n *names) grow() {
	old := n.entries
	n.entries = make([]entry, max(16, len(old)*3/2))
	for i := range old {
		if e := &old[i]; e.id != 0 {
			name := string(n.nameOf(e))
			*n.seek(hashOf(name), name) = *e
		}
	}
}

// inform gives every name what is known of it.
func (n *names) inform(info func(id uint32) uint32) {
	for i := range n.entries {
		if e := &n.entries[i]; e.id != 0 {
			e.info = info(e.id)
		}
	}
}

// hashes are those of all names, by number.
func (n *names) hashes() []uint64 {
	all := make([]uint64, n.count+1)
	for i := range n.entries {
		if e := &n.entries[i]; e.id != 0 {
			all[e.id] = hashOf(string(n.nameOf(e)))
		}
	}
	return all
}
