package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Follow visits the records behind the sequence after as they are confirmed, in order and for ever: until ctx ends, visit
// returns an error, which is returned, or the journal is closed: then ErrUnavailable follows the last record. record is to the byte what was hashed, and valid until visit returns. What cannot be
// read, or was deleted past retention, is passed over. It sees nothing that was not confirmed.
func (j *Journal) Follow(ctx context.Context, after uint64, visit func(sequence uint64, record []byte) error) error {
	w := &walker{system: j.keeper.system, dir: j.keeper.dir, next: after + 1}
	err := j.follow(ctx, w, visit)
	return errors.Join(err, w.close())
}

// Newest visits the last count records that are confirmed now, as Follow does, and returns.
func (j *Journal) Newest(ctx context.Context, count uint64, visit func(sequence uint64, record []byte) error) error {
	last, _ := j.Last()
	w := &walker{system: j.keeper.system, dir: j.keeper.dir, next: last - min(last, count) + 1}
	return errors.Join(w.upTo(ctx, last, visit), w.close())
}

// upTo visits the records up to a sequence.
func (w *walker) upTo(ctx context.Context, last uint64, visit func(sequence uint64, record []byte) error) error {
	for {
		f, err := w.read(ctx, last)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("audit: following the journal: %w", err)
		}
		if err := visit(f.sequence(), f.payload); err != nil {
			return err
		}
	}
}

func (j *Journal) follow(ctx context.Context, w *walker, visit func(sequence uint64, record []byte) error) error {
	for {
		confirmed, advanced := j.watch(w.next)
		if err := w.upTo(ctx, confirmed, visit); err != nil {
			return err
		}
		w.next = max(w.next, confirmed+1)
		if advanced == nil {
			return errClosed
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return fmt.Errorf("audit: following the journal: %w", ctx.Err())
		}
	}
}

// watch returns up to where records are confirmed, and a channel that is closed when next is; nil: it never will be.
func (j *Journal) watch(next uint64) (confirmed uint64, advanced <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.confirmed.sequence >= next {
		ready := make(chan struct{})
		close(ready)
		return j.confirmed.sequence, ready
	}
	if j.ended {
		return j.confirmed.sequence, nil
	}
	if j.advanced == nil {
		j.advanced = make(chan struct{})
	}
	return j.confirmed.sequence, j.advanced
}

// tailInterval is how often Tail looks for more.
const tailInterval = 500 * time.Millisecond

// Tail is Follow on the journal under dir beside the process that writes it, by looking again and again. It may see a
// record just before it is confirmed, also one that then is refused.
func Tail(ctx context.Context, dir string, after uint64, visit func(sequence uint64, record []byte) error) error {
	w := &walker{system: disk{}, dir: dir, next: after + 1}
	err := tail(ctx, w, visit)
	return errors.Join(err, w.close())
}

func tail(ctx context.Context, w *walker, visit func(sequence uint64, record []byte) error) error {
	ticker := time.NewTicker(tailInterval)
	defer ticker.Stop()
	for {
		f, err := w.read(ctx, math.MaxUint64-1)
		switch {
		case err == nil:
			if err := visit(f.sequence(), f.payload); err != nil {
				return err
			}
			continue
		case err != io.EOF:
			return fmt.Errorf("audit: following the journal: %w", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("audit: following the journal: %w", ctx.Err())
		}
	}
}
