package audit

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// forge numbers, hashes and frames what callers hand in, and gives it to the writer when that asks. As long as the writer is busy with
// the group before, what comes in joins the group at hand; so hashing costs no time between two writes. It does so gatherAt records at a
// time: to wake for each would cost more than the hashing.
func (j *Journal) forge(at place) {
	defer close(j.groups)
	g := <-j.spent
	g.restart(at)
	for asked := false; ; {
		wake := j.wake
		if len(g.frames) >= groupBytes {
			wake = nil // full: the rest is for the next
		} else if j.gather(g, asked) {
			return
		}
		if asked && len(g.batches) > 0 {
			j.groups <- g
			asked, at = false, <-j.bases
			g = <-j.spent
			g.restart(at)
			continue
		}
		select {
		case <-j.asks:
			asked = true
		case <-wake:
		}
	}
}

// gatherAt is from how many records on they are worth gathering before the writer asks.
const gatherAt = 16

// gather moves what was handed in to g. It reports whether the journal is closing and nothing is left. When nothing is there and the
// writer has asked, the next record wakes it.
func (j *Journal) gather(g *group, asked bool) (ended bool) {
	j.mu.Lock()
	b := j.gathering
	if j.idle = b.empty() && asked && len(g.batches) == 0; b.empty() {
		ended = j.closing && len(g.batches) == 0
		j.mu.Unlock()
		return ended
	}
	j.gathering = newBatch()
	j.mu.Unlock()
	g.add(b)
	return false
}

// write puts groups on disk, one after another. What callers that do not wait handed in to a group that failed is
// written once another succeeds.
func (j *Journal) write(w *writer) {
	defer close(j.done)
	carried := new(group)
	for {
		j.asks <- struct{}{}
		g, more := <-j.groups
		if !more {
			break
		}
		if g.base != w.place { // it was put behind a group that was refused, or something came between
			g.reframe(w.place)
		}
		j.bases <- g.last
		err := j.commit(w, g, carried)
		answered := len(g.leaves)
		j.spent <- g
		if err == nil && len(carried.batches) > 0 {
			_ = j.flush(w, carried)
		}
		j.letThemCome(answered)
	}
	if len(carried.batches) > 0 {
		j.closed = j.flush(w, carried)
	}
	j.end()
	if j.closed = errors.Join(j.closed, w.seal()); j.closed == nil {
		j.closed = w.forgetLenient()
	}
	j.closed = errors.Join(j.closed, w.dropSpare())
}

// letThemCome gives way to callers that were just answered and come again at once, before the next group is taken: they all
// share one sync then, instead of every other one each. It ends as soon as nobody comes any more, so it costs a lone
// caller, and callers with something else to do, next to nothing.
func (j *Journal) letThemCome(answered int) {
	began := j.mono()
	most := j.waiting.Load() + int64(answered)
	for idle := 0; idle < 3; {
		before := j.waiting.Load()
		if before >= most || j.mono()-began > maxGiveWay {
			return
		}
		runtime.Gosched()
		if j.waiting.Load() == before {
			idle++
		} else {
			idle = 0
		}
	}
}

// maxGiveWay bounds how long the disk is left alone.
const maxGiveWay = 500 * time.Microsecond

// end tells followers that nothing more will come.
func (j *Journal) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	if j.advanced != nil {
		close(j.advanced)
		j.advanced = nil
	}
}

// flush writes what was carried.
func (j *Journal) flush(w *writer, carried *group) error {
	g := &group{batches: carried.batches}
	carried.batches = nil
	g.reframe(w.place)
	return j.commit(w, g, carried)
}

// commit writes g and tells everybody; what is to be tried again goes to carried.
func (j *Journal) commit(w *writer, g, carried *group) error {
	began := j.mono()
	err := w.commit(g)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	j.settle(g, carried, w.place, err, j.mono()-began)
	g.release()
	return err
}

// settle tells everybody what became of a group.
func (j *Journal) settle(g, carried *group, confirmed place, err error, took time.Duration) {
	j.mu.Lock()
	j.health = err
	j.confirmed = confirmed
	j.stats.count(g, err, took)
	if err == nil {
		j.pay(g.batches)
		if j.advanced != nil && len(g.leaves) > 0 {
			close(j.advanced)
			j.advanced = nil
		}
	} else {
		j.carry(g.batches, carried)
	}
	j.mu.Unlock()
	for _, b := range g.batches {
		b.err = err
		if err == nil {
			at := b.first - g.base.sequence - 1
			b.leaves = g.leaves[at:][:len(b.records)]
		}
		close(b.done)
	}
	if err == nil && j.notary != nil {
		j.notary.offer(g.base.sequence+1, g.leaves)
	}
}
