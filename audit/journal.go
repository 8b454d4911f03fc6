package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"licgate/audit/ledger"
)

// Journal appends records durably. Safe for concurrent use; writers that wait together share one sync.
//
// Two goroutines work for it: one numbers, hashes and frames what callers hand in (pipeline.go, forge), while the other
// puts the group before on disk (writer.go).
type Journal struct {
	node   string
	opened time.Time
	now    func() time.Time
	mono   func() time.Duration
	locked *os.File
	wake   chan struct{} // holds one token when there is something to gather
	asks   chan struct{} // holds one token when the one who writes wants a group
	groups chan *group   // from the one who forges to the one who writes
	bases  chan place    // and back: where the next group begins
	spent  chan *group   // groups to use again
	done   chan struct{} // closed when the writer has ended
	sealed chan struct{} // holds one token when a segment was sealed
	keeper *keeper
	notary *notary // nil: there is no ledger

	waiting atomic.Int64 // records handed in and not yet on disk

	mu        sync.Mutex
	gathering *batch // what callers hand in now
	idle      bool   // both wait for the next record
	owing     []*batch
	owed      int // records whose callers did not wait, and which are not on disk
	lost      uint64
	lenient   int // the most lenient that was noted; as in Repair.MayLack
	closing   bool
	confirmed place
	advanced  chan struct{} // closed when confirmed advances; nil: nobody waits
	ended     bool          // confirmed does not advance any more
	stats     Stats
	health    error
	closed    error // of the writer; read once done is closed
}

// Options of a journal.
type Options struct {
	Node        string // in every record and segment
	SegmentSize int64  // bytes after which a new segment starts; 0: 64 MiB

	// KeepPlain leaves sealed segments as they are, neither compressed nor indexed. Reindex makes indexes too.
	KeepPlain bool
	// Ledger makes the journal keep a Merkle tree and sign checkpoints; nil: none.
	Ledger *LedgerOptions
	// Retention is after how long sealed segments are deleted, at least MinRetention and with a Ledger; 0: never.
	Retention time.Duration
	// Now is the wall clock; nil: time.Now. Monotonic is a clock that nobody can set; nil: the system's.
	Now       func() time.Time
	Monotonic func() time.Duration
}

// ErrUnavailable says that a record could not be made durable; the answer must not leave.
var ErrUnavailable = errors.New("audit: journal unavailable")

// groupBytes bounds what one write takes; the rest waits for the next.
const groupBytes = 8 << 20

func start(w *writer, notary *notary, o Options, locked *os.File) *Journal {
	j := &Journal{
		node: w.node, opened: time.Now(), now: o.Now, mono: o.Monotonic, locked: locked,
		wake: make(chan struct{}, 1), asks: make(chan struct{}, 1), groups: make(chan *group), bases: make(chan place), spent: make(chan *group, 2), done: make(chan struct{}),
		sealed: w.sealed, notary: notary,
		gathering: newBatch(), confirmed: w.place, lenient: w.lenient,
	}
	j.spent <- new(group)
	j.spent <- new(group)
	go j.forge(w.place)
	go j.write(w)
	j.startKeeper(w.system, w.dir, o)
	return j
}

// Append gives r its sequence and node, and returns when it is on disk (strict). After a failed write or sync the
// journal closes the segment, re-reads it, and recovers by itself on a later call.
//
// Any error means that the record is not confirmed and the answer must not leave: ErrUnavailable, ErrRecord for a
// record that no journal could keep, or the context's error when it ended first; then the record may be written yet.
// r is not used after Append returned.
func (j *Journal) Append(ctx context.Context, r *Record) error {
	_, err := j.Keep(ctx, r, Strict)
	return err
}

// Receipt says which record was kept. Once a checkpoint covers it, ExportProofs makes the proof.
type Receipt = ledger.Receipt

// Keep is Append with a durability. Its receipt is zero when it did not wait for the disk.
func (j *Journal) Keep(ctx context.Context, r *Record, d Durability) (Receipt, error) {
	b, i, err := j.hand(r, d)
	if err != nil || i < 0 {
		return Receipt{}, err
	}
	if err := b.wait(ctx); err != nil {
		return Receipt{}, err
	}
	r.Sequence = b.first + uint64(i)
	return Receipt{Sequence: r.Sequence, Leaf: b.leaves[i]}, nil
}

// hand encodes r and hands it in. It returns the batch to wait for and the place in it; -1: need not wait.
func (j *Journal) hand(r *Record, d Durability) (*batch, int, error) {
	own := *r
	if d.lenient() {
		own.Durability = d.String()
	}
	if own.Monotonic == 0 && own.Time != own.Time.Round(0) {
		own.Monotonic = int64(own.Time.Sub(j.opened))
	}
	e, err := encodeRecord(&own, j.node)
	if err != nil {
		return nil, 0, err
	}
	b, i := j.enqueue(e, d)
	if b == nil {
		return nil, 0, errClosed
	}
	r.Node = j.node
	return b, i, nil
}

var errClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)

// Probe returns nil when a record could be written now. After a failure it makes the journal try to recover, so that a
// gateway that gets no requests because it is not ready can become ready again.
func (j *Journal) Probe(ctx context.Context) error {
	b, _ := j.enqueue(nil, Strict)
	if b == nil {
		return errClosed
	}
	return b.wait(ctx)
}

// enqueue hands in e, or a probe when it is nil. It returns the batch to wait for and the place in it; -1: need not
// wait; no batch: the journal is closed.
func (j *Journal) enqueue(e *encoded, d Durability) (*batch, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closing {
		return nil, 0
	}
	b := j.gathering
	if e == nil {
		b.probes++
		j.signal()
		return b, 0
	}
	if d.lenient() {
		switch j.owe(b, d) {
		case dropped:
			e.free()
			return b, -1
		case owed:
			e.lenient = true
		}
	}
	if b.records == nil {
		b.records = make([]*encoded, 0, gatherAt)
	}
	b.records = append(b.records, e)
	j.waiting.Add(1)
	if j.idle || len(b.records)%gatherAt == 0 {
		j.signal()
	}
	if e.lenient {
		return b, -1
	}
	return b, len(b.records) - 1
}

// signal wakes the one who forges. A token that is already there stands for all that waits.
func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// wait returns when b is on disk, or refused.
func (b *batch) wait(ctx context.Context) error {
	if ctx.Done() == nil {
		<-b.done
		return b.err
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
	}
	select {
	case <-b.done: // both at once: what happened counts
		return b.err
	default:
		return fmt.Errorf("audit: waiting for the journal: %w", ctx.Err())
	}
}

// Healthy returns nil, or why the last Append failed.
func (j *Journal) Healthy() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.health
}

// Last returns the sequence and the chain value of the last confirmed record; 0 and zeros before the first.
func (j *Journal) Last() (sequence uint64, chain ledger.Chain) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.confirmed.sequence, j.confirmed.chain
}

// Close writes what waits, notes the head and releases the lock. Later calls of Append are ErrUnavailable, of Close
// nil.
func (j *Journal) Close() error {
	j.keeper.close()
	j.mu.Lock()
	already := j.closing
	j.closing = true
	j.signal()
	j.mu.Unlock()
	<-j.done
	if already {
		return nil
	}
	err := j.closed
	if j.notary != nil {
		err = errors.Join(err, j.notary.finish())
	}
	if err := errors.Join(err, unlock(j.locked)); err != nil {
		return fmt.Errorf("audit: closing the journal: %w", err)
	}
	return nil
}
