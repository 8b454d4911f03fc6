package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"licgate/audit/ledger"
)

// MinRetention is how long records are kept at least (Cybersecurity Law, article 21; GB/T 22239).
const MinRetention = 180 * 24 * time.Hour

// ErrRetention says that a retention is too short, or that there is no ledger to keep the hashes of what is deleted.
var ErrRetention = errors.New("audit: records are kept 180 days at least, and deleted only where a ledger keeps their hashes")

// ErrClock says that the wall clock moved lately, so that nobody knows yet how old records are.
var ErrClock = errors.New("audit: the wall clock moved within the last day; nothing is deleted until it has kept still for one")

const (
	// stillFor is how long the wall clock must have kept step before records are deleted by it: somebody has that long to put a clock
	// right that ran ahead.
	stillFor = 24 * time.Hour
	// jumpMatters is by how much the clock may move in one step all the same: a leap second, or time that a server put right.
	jumpMatters = time.Minute
)

// retiredName is the file that notes what was deleted.
const retiredName = "retired"

// retired says up to where records were deleted. Their hashes stay in the tree, and the record that announced it
// (EventRetire) says the same: without it, a missing segment is a fault.
type retired struct {
	Version int          `json:"version"`
	Last    uint64       `json:"last"`
	Chain   ledger.Chain `json:"chain"` // behind the last
}

// retirement is the detail of an EventRetire record.
type retirement struct {
	Last  uint64       `json:"last"`
	Chain ledger.Chain `json:"chain"`
	Until time.Time    `json:"until"` // time of the last record
}

func readRetired(system fileSystem, dir string) (*retired, *Fault, error) {
	content, err := readWhole(system, filepath.Join(dir, retiredName))
	if err != nil || content == nil {
		return nil, nil, err
	}
	var r retired
	if err := json.Unmarshal(content, &r); err != nil || r.Version != 1 {
		return nil, &Fault{File: retiredName, Cause: causeRetired}, nil
	}
	return &r, nil, nil
}

// retire deletes the sealed segments whose last record is older than keep. What each crash leaves:
//
//   - After the record that announces it: the record, and nothing deleted. It is announced again.
//   - After the retired file: segments that are said to be gone. Opening removes them.
//   - While segments are removed: the same.
func (k *keeper) retire(ctx context.Context, keep time.Duration) (*retirement, error) {
	due, err := k.due(ctx, k.j.now().Add(-keep))
	if errors.Is(err, ErrClock) {
		err = errors.Join(err, k.record(EventRetire, "FAILURE", err.Error()))
	}
	if err != nil || due == nil {
		return nil, err
	}
	detail, err := json.Marshal(due)
	if err != nil {
		return nil, err
	}
	if err := k.record(EventRetire, "SUCCESS", string(detail)); err != nil {
		return nil, err
	}
	if err := writeRetired(k.system, k.dir, retired{Version: 1, Last: due.Last, Chain: due.Chain}); err != nil {
		return nil, err
	}
	return due, removeRetired(k.system, k.dir, due.Last)
}

// retireHourly is retire; to look means to read a segment.
func (k *keeper) retireHourly(ctx context.Context, keep time.Duration) error {
	k.retiring.Lock()
	defer k.retiring.Unlock()
	now := k.j.now()
	if now.Before(k.nextDue) {
		return nil
	}
	_, err := k.retire(ctx, keep)
	if err == nil || errors.Is(err, ErrClock) {
		k.nextDue = now.Add(time.Hour)
	}
	return err
}

// Retired says up to where records were, or would be, deleted.
type Retired struct {
	Last  uint64    `json:"last"`           // sequence of the last one; 0: none
	Until time.Time `json:"until,omitzero"` // its time
}

// Retire deletes the sealed segments whose last record is older than keep, as Options.Retention does by itself once an hour; look
// alone says which. ErrRetention when keep is too short, or there is no ledger; ErrClock when something is due by a clock that is not to be trusted.
func (j *Journal) Retire(ctx context.Context, keep time.Duration, look bool) (Retired, error) {
	if keep < MinRetention || j.notary == nil {
		return Retired{}, ErrRetention
	}
	k := j.keeper
	k.retiring.Lock()
	defer k.retiring.Unlock()
	act := k.retire
	if look {
		act = func(ctx context.Context, keep time.Duration) (*retirement, error) {
			return k.due(ctx, j.now().Add(-keep))
		}
	}
	due, err := act(ctx, keep)
	if err != nil {
		return Retired{}, fmt.Errorf("audit: retiring: %w", err)
	}
	if due == nil {
		return Retired{}, nil
	}
	return Retired{Last: due.Last, Until: due.Until}, nil
}

func writeRetired(system fileSystem, dir string, r retired) error {
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return placeWhole(system, dir, retiredName, append(content, '\n'))
}

// due returns up to where segments may be deleted: those all of whose records are from before, and under a checkpoint
// that is from before too. Nil: none. By the wall clock alone nothing is: ErrClock.
func (k *keeper) due(ctx context.Context, before time.Time) (*retirement, error) {
	covered := k.j.Checkpoint()
	names, err := segments(k.system, k.dir)
	if err != nil || covered == nil || len(names) < 2 {
		return nil, err
	}
	var due *retirement
	for _, name := range names[:len(names)-1] {
		end, err := lastOf(ctx, k.system, k.dir, name)
		if err != nil {
			return nil, err
		}
		if end == nil || !end.Until.Before(before) || end.Last > covered.Size {
			break
		}
		due = end
	}
	if due == nil {
		return nil, nil
	}
	return due, k.keptStill(ctx)
}

// keptStill looks for jumps of the wall clock in the journal's own time line. A clock that ran ahead makes every record look old: while
// the journal is open, the monotonic clock tells; what happened while it was closed, or before that, is on record.
func (k *keeper) keptStill(ctx context.Context) error {
	if err := k.checkClock(); err != nil {
		return err
	}
	var moved error
	err := search(ctx, k.system, k.dir, Query{Event: EventTimeJump, Since: k.j.now().Add(-stillFor)}, func(r *Record, _ []byte) error {
		if jumpOf(r.Detail).Abs() >= jumpMatters {
			moved = fmt.Errorf("%w: record %d: %s", ErrClock, r.Sequence, r.Detail)
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrDamaged) { // damage is told by others, and stays
		return err
	}
	return moved
}

// lastOf reads a segment to its end. Nil: it has damage, and is kept as evidence.
func lastOf(ctx context.Context, system fileSystem, dir, name string) (*retirement, error) {
	s, err := openSegment(system, dir, name)
	if err != nil {
		return nil, err
	}
	end, err := s.readLast(ctx)
	return end, errors.Join(err, s.close())
}

func (s *scanner) readLast(ctx context.Context) (*retirement, error) {
	end := retirement{Last: s.header.first - 1, Chain: s.header.previous}
	for s.broken == "" {
		f, damage, err := s.next(end.Last + 1)
		switch {
		case err == io.EOF:
			return &end, ctx.Err()
		case err != nil:
			return nil, err
		case damage != nil || f.sequence() != end.Last+1:
			return nil, nil
		}
		end.Last, end.Chain = f.sequence(), f.chain
		if at := f.time(); at.After(end.Until) {
			end.Until = at
		}
	}
	return nil, nil
}

// removeRetired removes segments all of whose records are up to last.
func removeRetired(system fileSystem, dir string, last uint64) error {
	names, err := segments(system, dir)
	if err != nil {
		return err
	}
	removed := false
	for i := range len(names) - 1 {
		if segmentFirst(names[i+1])-1 > last {
			break
		}
		for _, suffix := range []string{"", packedSuffix, indexSuffix} {
			switch there, err := exists(system, dir, names[i]+suffix); {
			case err != nil:
				return err
			case !there:
				continue
			}
			if err := system.remove(filepath.Join(dir, names[i]+suffix)); err != nil {
				return fmt.Errorf("removing %s: %w", names[i]+suffix, err)
			}
			removed = true
		}
	}
	if !removed {
		return nil
	}
	return system.syncDir(dir)
}
