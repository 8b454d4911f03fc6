package audit

import (
	"encoding/binary"
	"time"

	"licgate/audit/ledger"
)

// place is a point between two records: behind the one of sequence.
type place struct {
	sequence uint64
	chain    ledger.Chain
}

// batch is what callers handed in together. They wait for done, then read first and err.
type batch struct {
	records []*encoded
	probes  int // callers that only ask whether records could be written
	done    chan struct{}
	first   uint64 // sequence of the first record
	leaves  []ledger.Hash
	err     error

	// lenient is the most lenient durability that is to be noted with it; as in Repair.MayLack.
	lenient int

	owed  int           // records whose callers do not wait
	since time.Duration // when the first of them was handed in
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (b *batch) empty() bool { return len(b.records)+b.probes == 0 }

// group is what one write takes: batches, numbered, chained and framed behind a place.
type group struct {
	batches    []*batch
	base, last place
	frames     []byte
	leaves     []ledger.Hash
}

// restart empties g and puts it behind base. Leaves are handed out: they are new for each group.
func (g *group) restart(base place) {
	g.batches, g.leaves = g.batches[:0], make([]ledger.Hash, 0, len(g.leaves))
	g.reframe(base)
}

// reframe puts the frames of g behind base.
func (g *group) reframe(base place) {
	g.base, g.last = base, base
	g.frames, g.leaves = g.frames[:0], g.leaves[:0]
	for _, b := range g.batches {
		g.frame(b)
	}
}

func (g *group) add(b *batch) {
	g.batches = append(g.batches, b)
	g.frame(b)
}

func (g *group) frame(b *batch) {
	b.first = g.last.sequence + 1
	for _, e := range b.records {
		g.record(e)
	}
}

// record appends one frame. The byte before the payload holds the leaf's prefix until the chain value is known, so
// that the payload is copied once.
func (g *group) record(e *encoded) {
	start := len(g.frames)
	g.frames = append(g.frames, make([]byte, frameFixed)...)
	g.frames = e.append(g.frames, g.last.sequence+1)
	b := g.frames[start:]
	leaf := ledger.LeafBehind(b[frameFixed-1:])
	chain := g.last.chain.After(leaf)
	binary.BigEndian.PutUint32(b, uint32(len(b)-frameFixed))
	binary.BigEndian.PutUint32(b[8:], uint32(len(g.leaves)))
	copy(b[12:], chain[:])
	binary.BigEndian.PutUint32(b[4:], frameChecksum(b))
	g.leaves = append(g.leaves, leaf)
	g.last = place{sequence: g.last.sequence + 1, chain: chain}
}

// maxKeptGroup is how large a buffer is kept for the next group.
const maxKeptGroup = groupBytes + maxFrame

// release gives up what only this group needed.
func (g *group) release() {
	for i, b := range g.batches {
		g.batches[i] = nil
		if b.err == nil {
			for _, e := range b.records {
				e.free()
			}
			b.records = nil
		}
	}
	if cap(g.frames) > maxKeptGroup {
		g.frames = nil
	}
}
