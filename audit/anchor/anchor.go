// Package anchor brings signed checkpoints to where the log's administrators cannot reach them: a file on another system's
// disk, an HTTP service, the witness of another department. What was anchored cannot be rewritten unseen. It knows no
// journal but through Log.
package anchor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"licgate/audit/evidence"
	"licgate/audit/ledger"
)

// Log is the log whose checkpoints are anchored.
type Log interface {
	// WaitCheckpoint returns the newest checkpoint as soon as it covers more than size records.
	WaitCheckpoint(ctx context.Context, size uint64) (*ledger.Signed, error)
	// Consistency proves that the first to records go on from the first from, both under a checkpoint.
	Consistency(from, to uint64) ([]ledger.Hash, error)
}

// Anchor is one place. Keep returns when the place has the checkpoint for good, with what it answered; nothing, when it
// answers nothing. An error means that it does not have it, or that nobody knows: it is tried again, so a place may get a
// checkpoint twice. Calls come one after another.
type Anchor interface {
	Keep(ctx context.Context, log Log, c *ledger.Signed) (Kept, error)
}

// Kept is what a place answered.
type Kept struct {
	// Note is the checkpoint as it is to be kept, with cosignatures; nil: as the log signed it.
	Note []byte
	// Answer is what else the place said, such as a time-stamp, at most maxAnswer bytes.
	Answer []byte
}

const maxAnswer = 64 << 10

// Anchorage brings a log's checkpoints to one anchor, and keeps the receipts, for as long as Run runs. An anchor that is
// down delays nothing but its own receipts.
type Anchorage struct {
	Name   string // of its files: letters, digits, hyphens, underscores
	Log    Log
	Anchor Anchor
	Dir    string // of receipts; made when missing
	// Every is how often the anchor is asked at most; 0: each minute.
	Every time.Duration
	// Now and Wait are the clock; nil: the system's.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error

	size   int64     // of the hourly file
	hourly time.Time // of its last receipt

	mu     sync.Mutex
	status Status
}

// Status is how an anchor is doing.
type Status struct {
	Size     uint64    // of the last checkpoint that the anchor has
	Time     time.Time // when it got it
	Failing  error     // of the last attempt; nil: it is well. errors.Is ErrForked: call somebody now
	FailedAt time.Time // of the first of the failures in a row
}

// ErrForked says that an anchor has a checkpoint that the log does not go on from: the log was rewritten or rolled back, or
// another one uses its keys.
var ErrForked = errors.New("anchor: the log does not go on from what was anchored")

// ErrName says that an anchor's name is not fit for files.
var ErrName = errors.New("anchor: a name has letters, digits, hyphens and underscores only")

// waits between attempts.
const (
	firstWait   = time.Second
	longestWait = 5 * time.Minute
)

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Status returns how it is doing.
func (a *Anchorage) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// Run anchors until ctx ends, and returns why.
func (a *Anchorage) Run(ctx context.Context) error {
	if err := a.open(); err != nil {
		return fmt.Errorf("anchor: %s: %w", a.Name, err)
	}
	for {
		c, err := a.Log.WaitCheckpoint(ctx, a.Status().Size)
		if err == nil {
			err = a.keep(ctx, c)
		}
		if err == nil {
			err = a.Wait(ctx, a.Every)
		}
		if err != nil {
			return fmt.Errorf("anchor: %s: %w", a.Name, err)
		}
	}
}

func (a *Anchorage) open() error {
	if !validName.MatchString(a.Name) {
		return fmt.Errorf("%w: %q", ErrName, a.Name)
	}
	if a.Every <= 0 {
		a.Every = time.Minute
	}
	if a.Now == nil {
		a.Now = time.Now
	}
	if a.Wait == nil {
		a.Wait = sleep
	}
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return err
	}
	hourly, err := readFile(a.path(evidence.HourlySuffix))
	if err != nil {
		return err
	}
	list, size, _ := evidence.ParseAnchored(hourly) // verifying tells of damage
	if a.size = size; len(list) > 0 {
		a.hourly = list[len(list)-1].Time
	}
	newest, err := readFile(a.path(evidence.NewestSuffix))
	if err != nil {
		return err
	}
	if list, _, _ := evidence.ParseAnchored(newest); len(list) == 1 {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.status = Status{Size: list[0].Size, Time: list[0].Time}
	}
	return nil
}

func (a *Anchorage) path(suffix string) string { return filepath.Join(a.Dir, a.Name+suffix) }

// keep brings a checkpoint to the anchor, or a newer one, as often as it takes.
func (a *Anchorage) keep(ctx context.Context, c *ledger.Signed) error {
	for d := firstWait; ; d = min(2*d, longestWait) {
		kept, err := a.Anchor.Keep(ctx, a.Log, c)
		at := a.Now()
		if err == nil {
			err = a.store(c, kept, at)
		}
		a.note(c, at, err)
		if err == nil {
			return nil
		}
		if err := a.Wait(ctx, d); err != nil {
			return err
		}
		// What is new meanwhile is anchored instead.
		if newer, err := a.Log.WaitCheckpoint(ctx, c.Size-1); err == nil {
			c = newer
		}
	}
}

func (a *Anchorage) note(c *ledger.Signed, at time.Time, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.status = Status{Size: c.Size, Time: at}
		return
	}
	if a.status.Failing == nil {
		a.status.FailedAt = at
	}
	a.status.Failing = err
}

// store keeps the receipt: hourly ones for ever, and the newest.
func (a *Anchorage) store(c *ledger.Signed, kept Kept, at time.Time) error {
	if kept.Note == nil {
		kept.Note = c.Note
	}
	line, err := json.Marshal(evidence.Anchored{Version: 1, Time: at.UTC(), Size: c.Size, Note: string(kept.Note), Answer: kept.Answer})
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if at.Sub(a.hourly).Abs() >= time.Hour {
		if err := writeAt(a.path(evidence.HourlySuffix), line, a.size); err != nil {
			return err
		}
		a.size += int64(len(line))
		a.hourly = at
	}
	return replace(a.path(evidence.NewestSuffix), line)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
