package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"sync"
	"time"
)

// keeper does what the journal needs done beside writing: it packs sealed segments, begins a new segment when the day
// has changed, tries again after a failure when nobody asks, and records jumps of the clock and lost records.
type keeper struct {
	j       *Journal
	system  fileSystem
	dir     string
	plain   bool
	keep    time.Duration   // 0: for ever
	noIndex map[string]bool // segments that cannot have one
	tick    time.Duration

	retiring sync.Mutex
	nextDue  time.Time // when to look again for what is past retention

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	fault error // of the last attempt to pack or to delete, or nil

	clock  sync.Mutex
	wall   time.Time
	uptime time.Duration
}

// Intervals of the keeper.
const (
	keeperTick = time.Second
	daily      = 60 // ticks between looks at the day and at what is to be packed
	// jump is by how much the wall clock may move against the monotonic one in a tick.
	jump = time.Second
	// closedFor is how long a journal may have been closed, by the wall clock, until that is told: it may be the clock that moved.
	closedFor = 24 * time.Hour
	// setBack is by how much the wall clock may be behind the newest checkpoint when a journal is opened.
	setBack = time.Minute
	// packShare is the part of the time that packing takes while records come in: it gives way.
	packShare = 10
)

func (j *Journal) startKeeper(system fileSystem, dir string, o Options) {
	k := &keeper{j: j, system: system, dir: dir, plain: o.KeepPlain, keep: o.Retention, noIndex: make(map[string]bool), tick: keeperTick, wall: j.now(), uptime: j.mono()}
	k.ctx, k.stop = context.WithCancel(context.Background())
	j.keeper = k
	if j.notary != nil && j.notary.signed != nil {
		if last := j.notary.signed.Time; k.wall.Sub(last) > closedFor || last.Sub(k.wall) > setBack {
			k.wall = last
		}
	}
	_ = k.checkClock() // tried again every tick
	k.done.Go(k.run)
	k.done.Go(k.tidy)
	if j.notary != nil {
		j.notary.j = j
		k.done.Go(func() { j.notary.run(k.ctx) })
	}
}

func (k *keeper) close() {
	k.stop()
	k.done.Wait()
}

func (k *keeper) run() {
	ticker := time.NewTicker(k.tick)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-k.ctx.Done():
			return
		case <-ticker.C:
		}
		_ = k.checkClock()
		k.recordLost()
		if k.j.stuck() || n%daily == 0 {
			_ = k.j.Probe(k.ctx) // Healthy tells what came of it
		}
	}
}

// stuck reports whether the journal failed last: it recovers when asked.
func (j *Journal) stuck() bool { return j.Healthy() != nil }

// checkClock records a jump of the wall clock against the monotonic one, and fails as long as it cannot.
func (k *keeper) checkClock() error {
	k.clock.Lock()
	defer k.clock.Unlock()
	wall, uptime := k.j.now(), k.j.mono()
	by := wall.Round(0).Sub(k.wall.Round(0)) - (uptime - k.uptime)
	before := k.wall
	if time.Duration(math.Abs(float64(by))) < jump {
		k.wall, k.uptime = wall, uptime
		return nil
	}
	detail := fmt.Sprintf(jumpDetail+", from %s", by.Seconds(), before.Add(uptime-k.uptime).Format(time.RFC3339Nano))
	if err := k.record(EventTimeJump, "SUCCESS", detail); err != nil {
		return err
	}
	k.wall, k.uptime = wall, uptime
	return nil
}

// jumpDetail begins the detail of an EventTimeJump record.
const jumpDetail = "wall clock moved by %+.3f s"

// jumpOf reads by how much the wall clock moved; what it cannot read is for ever.
func jumpOf(detail string) time.Duration {
	var seconds float64
	if _, err := fmt.Sscanf(detail, "wall clock moved by %f s", &seconds); err != nil || math.Abs(seconds) > math.MaxInt64/1e9 {
		return math.MaxInt64
	}
	return time.Duration(seconds * float64(time.Second))
}

// recordLost records how many records were dropped.
func (k *keeper) recordLost() {
	k.j.mu.Lock()
	lost := k.j.lost
	k.j.mu.Unlock()
	if lost == 0 || k.record(EventLost, "SUCCESS", fmt.Sprintf("%d records of best_effort were dropped", lost)) != nil {
		return
	}
	k.j.mu.Lock()
	k.j.lost -= lost
	k.j.mu.Unlock()
}

// record appends one of the journal's own events.
func (k *keeper) record(event, outcome, detail string) error {
	return k.j.Append(k.ctx, &Record{Time: k.j.now(), Event: event, Outcome: outcome, Detail: detail})
}

// tidy packs what is sealed, and deletes what is past retention, whenever that may have changed.
func (k *keeper) tidy() {
	ticker := time.NewTicker(daily * k.tick)
	defer ticker.Stop()
	for {
		var err error
		if !k.plain {
			err = errors.Join(k.packAll(), reindex(k.ctx, k.system, k.dir, k.rest(), k.noIndex))
		}
		if k.keep > 0 {
			err = errors.Join(err, k.retireHourly(k.ctx, k.keep))
		}
		k.mu.Lock()
		k.fault = err
		k.mu.Unlock()
		select {
		case <-k.ctx.Done():
			return
		case <-ticker.C:
		case <-k.j.sealed:
		}
	}
}

// packAll packs all segments but the last, which is being written.
func (k *keeper) packAll() error {
	names, err := segments(k.system, k.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names[:max(0, len(names)-1)] {
		if plain, err := exists(k.system, k.dir, name); err != nil || !plain {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, pack(k.system, k.dir, name, k.rest()))
		if k.ctx.Err() != nil {
			return k.ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// exists reports whether a file is there.
func exists(system fileSystem, dir, name string) (bool, error) {
	f, err := system.openRead(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// rest returns what packing calls between blocks: it waits when records came in meanwhile.
func (k *keeper) rest() func() error {
	began, records := time.Now(), k.j.Stats().Records
	return func() error {
		wait := time.Duration(0)
		if now := k.j.Stats().Records; now != records {
			records, wait = now, (packShare-1)*time.Since(began)
		}
		select {
		case <-k.ctx.Done():
			return k.ctx.Err()
		case <-time.After(wait):
			began = time.Now()
			return nil
		}
	}
}
