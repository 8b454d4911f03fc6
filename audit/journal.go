package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"licgate/audit/ledger"
)

// Journal appends records durably. Safe for concurrent use; writers that wait together share one sync.
type Journal struct {
	node   string
	locked *os.File
	wake   chan struct{} // holds one token when there is something to do
	done   chan struct{} // closed when the writer has ended

	mu       sync.Mutex
	waiting  []*request
	closing  bool
	health   error
	sequence uint64
	chain    ledger.Chain
	closed   error // of the writer; read once done is closed
}

// Options of a journal.
type Options struct {
	Node        string // in every record and segment
	SegmentSize int64  // bytes after which a new segment starts; 0: 64 MiB
}

// ErrUnavailable says that a record could not be made durable; the answer must not leave.
var ErrUnavailable = errors.New("audit: journal unavailable")

// groupBytes bounds what one write takes; the rest waits for the next.
const groupBytes = 8 << 20

// request is one caller that waits.
type request struct {
	record *encoded // nil: nothing to write, only to find out whether one could
	answer chan answer
}

type answer struct {
	sequence uint64
	err      error
}

func start(w *writer, locked *os.File) *Journal {
	j := &Journal{node: w.node, locked: locked, wake: make(chan struct{}, 1), done: make(chan struct{}), sequence: w.sequence, chain: w.chain}
	go j.run(w)
	return j
}

// Append gives r its sequence and node, and returns when it is on disk (strict). After a failed write or sync the
// journal closes the segment, re-reads it, and recovers by itself on a later call.
//
// Any error means that the record is not confirmed and the answer must not leave: ErrUnavailable, ErrRecord for a
// record that no journal could keep, or the context's error when it ended first; then the record may be written yet.
// r is not used after Append returned.
func (j *Journal) Append(ctx context.Context, r *Record) error {
	record, err := encodeRecord(*r, j.node)
	if err != nil {
		return err
	}
	sequence, err := j.submit(ctx, &record)
	if err != nil {
		return err
	}
	r.Node, r.Sequence = j.node, sequence
	return nil
}

// Probe returns nil when a record could be written now. After a failure it makes the journal try to recover, so that a
// gateway that gets no requests because it is not ready can become ready again.
func (j *Journal) Probe(ctx context.Context) error {
	_, err := j.submit(ctx, nil)
	return err
}

func (j *Journal) submit(ctx context.Context, record *encoded) (uint64, error) {
	r := &request{record: record, answer: make(chan answer, 1)}
	if !j.enqueue(r) {
		return 0, fmt.Errorf("%w: it is closed", ErrUnavailable)
	}
	select {
	case a := <-r.answer:
		return a.sequence, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-r.answer: // both at once: what happened counts
		return a.sequence, a.err
	default:
		return 0, fmt.Errorf("audit: waiting for the journal: %w", ctx.Err())
	}
}

func (j *Journal) enqueue(r *request) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closing {
		return false
	}
	j.waiting = append(j.waiting, r)
	j.signal()
	return true
}

// signal wakes the writer. A token that is already there stands for all that waits.
func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run is the one goroutine that writes. What gathers while a group is synced is the next group.
func (j *Journal) run(w *writer) {
	defer close(j.done)
	for range j.wake {
		for {
			group, closing := j.take()
			if len(group) > 0 {
				j.commit(w, group)
				continue
			}
			if closing {
				j.closed = w.seal()
				return
			}
			break
		}
	}
}

// take returns the next group.
func (j *Journal) take() ([]*request, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n, size := 0, 0
	for n < len(j.waiting) && size < groupBytes {
		if record := j.waiting[n].record; record != nil {
			size += len(record.before) + len(record.after)
		}
		n++
	}
	group := j.waiting[:n:n]
	j.waiting = j.waiting[n:]
	return group, j.closing
}

func (j *Journal) commit(w *writer, group []*request) {
	var records []encoded
	for _, r := range group {
		if r.record != nil {
			records = append(records, *r.record)
		}
	}
	sequence := w.sequence
	err := w.commit(records)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	j.mu.Lock()
	j.health, j.sequence, j.chain = err, w.sequence, w.chain
	j.mu.Unlock()
	for _, r := range group {
		a := answer{err: err}
		if r.record != nil && err == nil {
			sequence++
			a.sequence = sequence
		}
		r.answer <- a
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
	return j.sequence, j.chain
}

// Close writes what waits, notes the head and releases the lock. Later calls of Append are ErrUnavailable, of Close
// nil.
func (j *Journal) Close() error {
	j.mu.Lock()
	already := j.closing
	j.closing = true
	j.signal()
	j.mu.Unlock()
	<-j.done
	if already {
		return nil
	}
	if err := errors.Join(j.closed, j.locked.Close()); err != nil {
		return fmt.Errorf("audit: closing the journal: %w", err)
	}
	return nil
}
