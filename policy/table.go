package policy

import "math/bits"

// A key is a p line but for its place: the members by number, 0 for *.
type key struct {
	subject    uint32 // as subjectKey makes it
	department uint32 // with act and effect, as packed makes it
	object     uint32
	service    uint32
}

// departmentShift leaves room for 32 acts and two effects.
const departmentShift = 6

// packed joins a line's department, act and effect.
func packed(department, act uint32, deny bool) uint32 {
	p := department<<departmentShift | act<<1
	if deny {
		p |= 1
	}
	return p
}

// A bucket is a cache line of p lines. It fills from the front; lines that find it full go to the next.
type bucket struct {
	keys  [3]key
	lines [3]uint32 // places, from 1; 0 is free
	_     uint32
}

// rules finds p lines by all their members: an open hash table without pointers. One line one place. Where it is hangs on the names
// alone, not on their numbers, and the lines of one act or the other lie side by side: so a reader can set out for them before it knows
// the numbers.
type rules []bucket

// newRules makes room for n lines and leaves as many places free.
func newRules(n int) rules { return make(rules, n/3*2+4) }

// spot joins the hashes of a line's names. Adding them up lets each be exchanged for another.
func spot(subject, department, object, service uint64) uint64 {
	return subject + bits.RotateLeft64(department, 16) + bits.RotateLeft64(object, 32) + bits.RotateLeft64(service, 48)
}

// pair is where lines of a spot begin: a bucket for the acts of even numbers and one for those of odd.
func (r rules) pair(spot uint64) int { return 2 * place(spot, len(r)/2) }

func (r rules) start(spot uint64, k *key) int { return r.pair(spot) + int(k.department>>1&1) }

// find returns a line's place, from 1, or 0. Which of a bucket's keys it is, is chosen without a branch: it cannot be foretold, and
// a wrong guess would throw away the reads that are under way.
func (r rules) find(spot uint64, k *key) uint32 {
	for i := r.start(spot, k); ; {
		b := &r[i]
		line := b.lines[0]&b.keys[0].mask(k) | b.lines[1]&b.keys[1].mask(k) | b.lines[2]&b.keys[2].mask(k)
		if line != 0 || b.lines[len(b.lines)-1] == 0 {
			return line
		}
		if i++; i == len(r) {
			i = 0
		}
	}
}

// mask is all ones for the same key, else 0.
func (k *key) mask(other *key) uint32 {
	differ := uint64((k.subject ^ other.subject) | (k.department ^ other.department) | (k.object ^ other.object) | (k.service ^ other.service))
	return uint32((differ - 1) >> 32)
}

// add takes up a line. One that comes again changes nothing.
func (r rules) add(spot uint64, k key, line uint32) {
	for i := r.start(spot, &k); ; {
		b := &r[i]
		for j := range b.keys {
			if b.lines[j] == 0 {
				b.keys[j], b.lines[j] = k, line
				return
			}
			if b.keys[j] == k {
				return
			}
		}
		if i++; i == len(r) {
			i = 0
		}
	}
}
