// Package sink passes records on to other systems: syslog over TLS, JSON lines, HTTP. Every record arrives at least once;
// a cursor on disk says how far a sink came. It knows a journal only by what it follows.
package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Source is what a Forwarder follows: the journal's Follow. It visits records behind after in order, as they come; record
// is valid until visit returns.
type Source func(ctx context.Context, after uint64, visit func(sequence uint64, record []byte) error) error

// Sink takes records. Send returns nil only when the other side has all of them; after an error they are sent again, so
// some may arrive twice: the pair of node and sequence in a record tells. Calls come one after another.
type Sink interface {
	Send(ctx context.Context, records [][]byte) error
	Close() error
}

// Limits of a batch, and of waiting between attempts.
const (
	batchRecords = 500
	batchBytes   = 1 << 20
	firstWait    = 100 * time.Millisecond
	longestWait  = time.Minute
)

// Forwarder brings the records of a source to a sink, in order, for as long as Run runs. A sink that is down delays
// nothing but itself.
type Forwarder struct {
	Name   string // in errors
	Source Source
	Sink   Sink
	// Cursor is the file that says which record the sink has; it is made when missing. Without it a new start sends all
	// records again.
	Cursor string
	// Wait waits between attempts; nil: it sleeps. Tests do not.
	Wait func(ctx context.Context, d time.Duration) error

	mu     sync.Mutex
	status Status
}

// Status is how a forwarder is doing.
type Status struct {
	Sent     uint64    // sequence of the last record that the sink has
	Records  uint64    // since the start
	Failing  error     // of the last attempt; nil: it is well
	FailedAt time.Time // of the first of the failures in a row
}

// Status returns how it is doing.
func (f *Forwarder) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Run forwards until ctx ends or the source does, and returns why.
func (f *Forwarder) Run(ctx context.Context) error {
	after, err := readCursor(f.Cursor)
	if err != nil {
		return fmt.Errorf("sink: %s: %w", f.Name, err)
	}
	f.mu.Lock()
	f.status.Sent = after
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan item, batchRecords)
	ended := make(chan error, 1)
	go func() {
		defer close(queue)
		ended <- f.Source(ctx, after, func(sequence uint64, record []byte) error {
			select {
			case queue <- item{sequence: sequence, record: append([]byte(nil), record...)}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	err = f.forward(ctx, queue)
	cancel()
	for range queue { // the source may be waiting with one
	}
	return fmt.Errorf("sink: %s: %w", f.Name, errors.Join(err, <-ended))
}

type item struct {
	sequence uint64
	record   []byte
}

// forward sends what comes, in batches of what has come meanwhile.
func (f *Forwarder) forward(ctx context.Context, queue <-chan item) error {
	for first := range queue {
		batch, last, size := [][]byte{first.record}, first.sequence, len(first.record)
	gather:
		for len(batch) < batchRecords && size < batchBytes {
			select {
			case next, ok := <-queue:
				if !ok {
					break gather
				}
				batch, last, size = append(batch, next.record), next.sequence, size+len(next.record)
			default:
				break gather
			}
		}
		if err := f.deliver(ctx, batch, last); err != nil {
			return err
		}
	}
	return nil
}

// deliver sends a batch until the sink has it, and notes that.
func (f *Forwarder) deliver(ctx context.Context, batch [][]byte, last uint64) error {
	wait := f.Wait
	if wait == nil {
		wait = sleep
	}
	for d := firstWait; ; d = min(2*d, longestWait) {
		err := f.Sink.Send(ctx, batch)
		if err == nil {
			err = writeCursor(f.Cursor, last)
		}
		f.note(batch, last, err)
		if err == nil {
			return nil
		}
		if err := wait(ctx, d); err != nil {
			return err
		}
	}
}

func (f *Forwarder) note(batch [][]byte, last uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.status = Status{Sent: last, Records: f.status.Records + uint64(len(batch))}
		return
	}
	if f.status.Failing == nil {
		f.status.FailedAt = time.Now()
	}
	f.status.Failing = err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cursor is the file's content, version 1.
type cursor struct {
	Version  int    `json:"version"`
	Sequence uint64 `json:"sequence"`
}

// ErrCursor says that a cursor file is not one.
var ErrCursor = errors.New("sink: not a cursor file")

func readCursor(path string) (uint64, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var c cursor
	if json.Unmarshal(content, &c) != nil || c.Version != 1 {
		return 0, fmt.Errorf("%w: %s", ErrCursor, path)
	}
	return c.Sequence, nil
}

// writeCursor replaces the cursor: write aside, sync, rename. The folder is not synced: an older cursor sends again.
func writeCursor(path string, sequence uint64) error {
	content, err := json.Marshal(cursor{Version: 1, Sequence: sequence})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(content, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return os.Rename(path+".new", path)
}
