package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Tally bounds what refused requests cost the journal. A limit refuses faster than a disk can take records, so that a record for each
// refusal would let anybody fill it. Of one caller's refusals in a window only the first is recorded by itself, before its answer leaves;
// the further ones answer with the response_id of that record, are counted in memory, and become one record (EventRefusals) when the
// window ends. So every refused answer has a record, and a crash loses at most the counts of windows whose sums are not yet written.
//
// Records of a window are at most four times Callers, and two for each pair of error code and status. Safe for concurrent use. It takes
// one lock, and only for requests that are refused.
type Tally struct {
	Journal *Journal
	// Now is the clock of windows; time.Now's readings cannot be set back.
	Now func() time.Time
	// Window is how long refusals are counted into one sum; 0: DefaultWindow.
	Window time.Duration
	// Callers is how many callers with an application, and how many without one, are told apart in a window; 0: DefaultCallers. Who comes
	// later is counted among the others. The two are bounded apart so that strangers do not crowd out those who are known.
	Callers int

	writing sync.Mutex // held while sums are written

	mu    sync.Mutex
	open  map[Caller]*sum
	size  map[bool]int // of open: callers with an application, and without
	ends  time.Time    // when open does
	ended []*sum       // of a window that ended, and not yet written
}

// Defaults of a Tally.
const (
	DefaultWindow  = 10 * time.Second
	DefaultCallers = 2048
)

// maxInterfaces bounds how many interfaces a sum names.
const maxInterfaces = 16

// sweepEvery is how often Run looks whether a window has ended.
const sweepEvery = time.Second

// Caller is whose refusals are summed up together.
type Caller struct {
	App, Department string // of one who is known
	Address         string // of one who is not: an address, or a range of them
	ErrorCode       string // of the answer
	Status          int    // HTTP, of the answer
	others          bool   // not one caller but all who came too late to be told apart
}

// sum is one caller's refusals in a window. The tally's lock guards it.
type sum struct {
	caller     Caller
	responseID string
	kept       chan struct{} // closed when the first is recorded, or is not: err
	err        error         // read once kept is closed
	pending    int           // refusals that are neither counted nor given up
	refusals   Refusals
	in, out    int64 // bytes of bodies
}

// Refusal is one refusal on its way to the journal. It is used by one goroutine.
type Refusal struct {
	tally *Tally
	sum   *sum
	first bool
	done  bool
}

var errAbandoned = fmt.Errorf("%w: the first refusal was not recorded", ErrUnavailable)

// Refuse finds which record stands for a refusal: one of its own under responseID, or that of the caller's first in this window. Keep or
// Leave has to follow.
func (t *Tally) Refuse(c Caller, responseID string) *Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(false)
	s := t.open[c]
	if s == nil && t.size[c.App != ""] >= orDefault(t.Callers, DefaultCallers) {
		c = Caller{ErrorCode: c.ErrorCode, Status: c.Status, others: true}
		s = t.open[c]
	}
	first := s == nil
	if first {
		s = t.add(c, responseID)
	}
	s.pending++
	return &Refusal{tally: t, sum: s, first: first}
}

// add begins a sum, and with it a window if there is none. The caller holds t.mu.
func (t *Tally) add(c Caller, responseID string) *sum {
	if len(t.open) == 0 { // the first since the window ended, or nothing of it could be kept
		t.open, t.size = make(map[Caller]*sum), make(map[bool]int)
		t.ends = t.Now().Add(orDefault(t.Window, DefaultWindow))
	}
	s := &sum{caller: c, responseID: responseID, kept: make(chan struct{}), refusals: Refusals{Others: c.others}}
	t.open[c] = s
	if !c.others {
		t.size[c.App != ""]++
	}
	return s
}

// turn ends the window when its time is up and the sums of the one before are written: as long as they can't be, it goes on, so that memory
// stays bounded. The caller holds t.mu.
func (t *Tally) turn(early bool) {
	if !early && (len(t.ended) > 0 || len(t.open) == 0 || t.Now().Before(t.ends)) {
		return
	}
	for _, s := range t.open {
		if s.pending > 0 || s.refusals.Count > 0 {
			t.ended = append(t.ended, s)
		}
	}
	t.open, t.size = nil, nil
}

func orDefault[T comparable](value, otherwise T) T {
	var none T
	if value == none {
		return otherwise
	}
	return value
}

// ResponseID is what the answer is told by: that of the record that stands for it.
func (r *Refusal) ResponseID() string { return r.sum.responseID }

// First says that the refusal has a record of its own.
func (r *Refusal) First() bool { return r.first }

// Keep records the first refusal, strictly; it counts any other one, once the first is on disk. Errors are those of Journal.Append; then
// nothing was counted and the answer must not leave.
func (r *Refusal) Keep(ctx context.Context, rec *Record) error {
	if r.first {
		err := r.tally.Journal.Append(ctx, rec)
		r.settle(err)
		return err
	}
	select {
	case <-r.sum.kept:
	case <-ctx.Done():
		r.Leave()
		return fmt.Errorf("audit: waiting for the first refusal's record: %w", ctx.Err())
	}
	r.tally.mu.Lock()
	defer r.tally.mu.Unlock()
	if r.done {
		return errAbandoned
	}
	r.done = true
	r.sum.pending--
	if r.sum.err != nil {
		return r.sum.err
	}
	r.sum.count(rec)
	return nil
}

// Leave gives up a refusal that was not kept, because its answer broke off; after Keep it does nothing.
func (r *Refusal) Leave() {
	if r.first {
		r.settle(errAbandoned)
		return
	}
	r.tally.mu.Lock()
	defer r.tally.mu.Unlock()
	if !r.done {
		r.done = true
		r.sum.pending--
	}
}

// settle tells those who wait for the first refusal's record what came of it. When it is not kept, the caller's next one is a first again.
func (r *Refusal) settle(err error) {
	t, s := r.tally, r.sum
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.done {
		return
	}
	r.done = true
	s.pending--
	s.err = err
	close(s.kept)
	if err != nil && t.open[s.caller] == s {
		delete(t.open, s.caller)
		if !s.caller.others {
			t.size[s.caller.App != ""]--
		}
	}
}

// count adds a refusal. The caller holds the tally's lock.
func (s *sum) count(rec *Record) {
	f := &s.refusals
	if f.Count == 0 || rec.Time.Before(f.First) {
		f.First = rec.Time
	}
	if f.Count == 0 || rec.Time.After(f.Last) {
		f.Last = rec.Time
	}
	f.Count++
	s.in += rec.BytesIn
	s.out += rec.BytesOut
	name := orDefault(rec.Interface, "unknown")
	if len(f.Interfaces) < maxInterfaces && !slices.Contains(f.Interfaces, name) {
		f.Interfaces = append(f.Interfaces, name)
	}
}

// record is the sum for the journal.
func (s *sum) record(now time.Time) *Record {
	return &Record{
		ResponseID: s.responseID, Time: now, Event: EventRefusals,
		App: s.caller.App, Department: s.caller.Department, Address: s.caller.Address,
		Outcome: "FAILURE", ErrorCode: s.caller.ErrorCode, Status: s.caller.Status, BytesIn: s.in, BytesOut: s.out, Refusals: &s.refusals,
	}
}

// Run writes sums as their windows end, until ctx does; Flush writes the rest. What can't be written is tried again.
func (t *Tally) Run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = t.sweep(false) // Journal.Healthy tells, and nothing is lost
		}
	}
}

// Flush ends the window and writes its sums, but for callers who have a refusal on its way. It waits for the disk.
func (t *Tally) Flush() error { return t.sweep(true) }

// sweep writes the sums of a window that has ended, or is ended early. They share syncs.
func (t *Tally) sweep(early bool) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	t.turn(early)
	var ready []*sum
	t.ended = slices.DeleteFunc(t.ended, func(s *sum) bool { return s.pending == 0 && s.refusals.Count == 0 })
	for _, s := range t.ended {
		if s.pending == 0 { // nobody has a way to it any more
			ready = append(ready, s)
		}
	}
	now := t.Now()
	t.mu.Unlock()

	slices.SortFunc(ready, func(a, b *sum) int { return a.refusals.First.Compare(b.refusals.First) })
	batches := make([]*batch, len(ready))
	var errs []error
	for i, s := range ready {
		var err error
		if batches[i], _, err = t.Journal.hand(s.record(now), Strict); err != nil {
			errs = append(errs, err)
		}
	}
	written := make(map[*sum]bool, len(ready))
	for i, s := range ready {
		if batches[i] == nil {
			continue
		}
		if err := batches[i].wait(context.Background()); err != nil {
			errs = append(errs, err)
			continue
		}
		written[s] = true
	}
	t.mu.Lock()
	t.ended = slices.DeleteFunc(t.ended, func(s *sum) bool { return written[s] })
	t.mu.Unlock()
	if len(errs) > 0 {
		return fmt.Errorf("audit: writing sums of refusals: %w", errors.Join(errs[0], fmt.Errorf("%d of %d are not written", len(errs), len(ready))))
	}
	return nil
}
