package audit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var errInjected = errors.New("injected failure")

// faulty is the disk with failures at chosen calls. Every call that changes something counts. Nothing is truly synced:
// no power fails in a test.
type faulty struct {
	disk
	mu      sync.Mutex
	calls   []string
	failAt  map[int]string // call, from 1: "failed", "persisted" (fails, but was done), "partly" (a write: half of it)
	dead    bool           // after this failure all calls fail: the process died
	isDead  bool
	failing string // as long as set, calls of this kind fail

	syncing chan struct{}
	hold    chan struct{}
}

func newFaulty() *faulty { return &faulty{failAt: make(map[int]string)} }

// do counts a call and does it, or fails.
func (s *faulty) do(kind string, action, part func() error) error {
	s.mu.Lock()
	s.calls = append(s.calls, kind)
	how := s.failAt[len(s.calls)]
	if s.isDead || s.failing == kind {
		how = "failed"
	}
	if how != "" && s.dead {
		s.isDead = true
	}
	s.mu.Unlock()
	switch how {
	case "failed":
		return errInjected
	case "persisted":
		return errors.Join(errInjected, action())
	case "partly":
		if part == nil {
			return errInjected
		}
		return errors.Join(errInjected, part())
	}
	return action()
}

func (s *faulty) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, call := range s.calls {
		if call == kind {
			n++
		}
	}
	return n
}

func (s *faulty) fail(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = kind
}

// holdSync makes each sync of a segment's frames wait until release is called.
func (s *faulty) holdSync() (release func()) {
	s.syncing, s.hold = make(chan struct{}, 100), make(chan struct{})
	return func() { close(s.hold) }
}

// waitForSync returns when a write of frames waits for its sync.
func (s *faulty) waitForSync() { <-s.syncing }

func (s *faulty) create(name string) (writable, error) { return s.open("create", name, s.disk.create) }

func (s *faulty) openWrite(name string) (writable, error) {
	return s.open("open", name, s.disk.openWrite)
}

func (s *faulty) open(kind, name string, open func(string) (writable, error)) (f writable, err error) {
	err = s.do(kind, func() error {
		f, err = open(name)
		return err
	}, nil)
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		return nil, err
	}
	return &faultyFile{writable: f, system: s}, nil
}

func (s *faulty) rename(from, to string) error {
	return s.do("rename", func() error { return s.disk.rename(from, to) }, nil)
}

func (s *faulty) remove(name string) error {
	return s.do("remove", func() error { return s.disk.remove(name) }, nil)
}

func (s *faulty) syncDir(string) error {
	return s.do("syncdir", func() error { return nil }, nil)
}

type faultyFile struct {
	writable
	system *faulty
	frames bool // something was written behind the head of the file
}

func (f *faultyFile) WriteAt(b []byte, offset int64) (n int, err error) {
	f.frames = offset > 0
	err = f.system.do("write", func() error {
		n, err = f.writable.WriteAt(b, offset)
		return err
	}, func() error {
		n, err = f.writable.WriteAt(b[:len(b)/2], offset)
		return err
	})
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	return f.system.do("truncate", func() error { return f.writable.Truncate(size) }, nil)
}

func (f *faultyFile) Sync() error {
	if f.frames && f.system.hold != nil {
		f.system.syncing <- struct{}{}
		<-f.system.hold
	}
	return f.system.do("sync", func() error { return nil }, nil)
}

// Close always closes; a failure is reported behind it.
func (f *faultyFile) Close() error {
	err := f.writable.Close()
	return errors.Join(f.system.do("close", func() error { return nil }, nil), err)
}

// load appends records in several lives of a journal and returns the ids of those confirmed. Failures of opening and
// closing are taken as they come.
func load(t *testing.T, system *faulty, dir string) (confirmed, refused []string) {
	t.Helper()
	id := 0
	for range 3 {
		j, repair, err := openJournal(system, dir, Options{Node: "n", SegmentSize: 1200, KeepPlain: true})
		if err != nil {
			continue
		}
		if repair.Damage != nil {
			t.Errorf("damage that nobody did: %+v", *repair.Damage)
		}
		for range 5 {
			id++
			r := record(fmt.Sprint(id))
			switch err := j.Append(context.Background(), r); {
			case err == nil:
				confirmed = append(confirmed, r.ResponseID)
				if healthy := j.Healthy(); healthy != nil {
					t.Errorf("unhealthy after success: %v", healthy)
				}
			case errors.Is(err, ErrUnavailable) && errors.Is(err, errInjected):
				refused = append(refused, r.ResponseID)
				if j.Healthy() == nil {
					t.Error("healthy after a failure")
				}
			default:
				t.Errorf("another failure: %v", err)
			}
		}
		if err := j.Close(); err != nil && !errors.Is(err, errInjected) {
			t.Errorf("closing: %v", err)
		}
	}
	return confirmed, refused
}

// TestEveryFailure lets each call to the file system fail, in each way, with the process living on or dying there.
// Every confirmed record is kept once and in order; nothing else is but refused ones.
func TestEveryFailure(t *testing.T) {
	t.Parallel()
	counting := newFaulty()
	load(t, counting, t.TempDir())
	calls := len(counting.calls)
	for _, kind := range []string{"create", "open", "write", "sync", "rename", "syncdir", "close"} {
		if counting.count(kind) == 0 {
			t.Errorf("the load makes no call of %s", kind)
		}
	}
	for _, second := range []int{0, 1, 2, 3, 4, 6} { // a second failure so many calls later, in recovery
		for _, how := range []string{"failed", "persisted", "partly"} {
			for _, dead := range []bool{false, true} {
				if second > 0 && dead {
					continue
				}
				t.Run(fmt.Sprintf("%s,dead=%v,second=%d", how, dead, second), func(t *testing.T) {
					t.Parallel()
					for call := 1; call <= calls; call++ {
						if how == "partly" && counting.calls[call-1] != "write" {
							continue
						}
						failOnce(t, call, second, how, dead, counting.calls[call-1])
					}
				})
			}
		}
	}
}

func failOnce(t *testing.T, call, second int, how string, dead bool, kind string) {
	t.Helper()
	dir := t.TempDir()
	system := newFaulty()
	system.dead = dead
	system.failAt[call] = how
	if second > 0 {
		system.failAt[call+second] = strings.Replace(how, "partly", "failed", 1)
	}
	confirmed, refused := load(t, system, dir)
	if !dead && len(confirmed) == 0 {
		t.Fatalf("call %d (%s): nothing was confirmed: it never recovered", call, kind)
	}

	j, repair, err := openJournal(newFaulty(), dir, Options{Node: "n"})
	if err != nil {
		t.Fatalf("call %d (%s): opening: %v", call, kind, err)
	}
	if repair.Damage != nil {
		t.Errorf("call %d (%s): damage: %+v", call, kind, *repair.Damage)
	}
	appendTest(t, j, "last")
	closeTest(t, j)

	var kept []string
	ids := mustBeWhole(t, dir)
	for _, id := range ids[:len(ids)-1] {
		if slices.Contains(refused, id) {
			continue
		}
		kept = append(kept, id)
	}
	if !slices.Equal(kept, confirmed) || ids[len(ids)-1] != "last" {
		t.Fatalf("call %d (%s): confirmed %v, kept %v", call, kind, confirmed, ids)
	}
	if !dead && how == "failed" && second == 0 && len(ids)-1 != len(confirmed) {
		t.Errorf("call %d (%s): refused records are kept by a journal that lived on: %v", call, kind, ids)
	}
}

// TestDiskFull: refusing as long as it lasts, and by itself well again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"write", "sync", "create", "rename", "syncdir"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			system := newFaulty()
			j, _, err := openJournal(system, dir, Options{Node: "n", SegmentSize: 1, KeepPlain: true})
			if err != nil {
				t.Fatal(err)
			}
			appendTest(t, j, "before")
			system.fail(kind)
			for range 3 {
				if err := j.Append(context.Background(), record("refused")); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("got %v", err)
				}
				if err := j.Probe(context.Background()); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("the probe says %v", err)
				}
			}
			sequence, _ := j.Last()
			if sequence != 1 {
				t.Errorf("Last() = %d", sequence)
			}
			system.fail("")
			if err := j.Probe(context.Background()); err != nil || j.Healthy() != nil {
				t.Errorf("still not well: %v, %v", err, j.Healthy())
			}
			if r := appendTest(t, j, "after"); r.Sequence != 2 {
				t.Errorf("sequence %d", r.Sequence)
			}
			closeTest(t, j)
			if ids := mustBeWhole(t, dir); !slices.Equal(ids, []string{"before", "after"}) {
				t.Errorf("got %v", ids)
			}
		})
	}
}

// TestRecoveryDoesNotTrustTheDisk: after a failed sync confirmed records turn out to be gone. The journal refuses.
func TestRecoveryDoesNotTrustTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	system := newFaulty()
	j, _, err := openJournal(system, dir, Options{Node: "n"})
	if err != nil {
		t.Fatal(err)
	}
	appendTest(t, j, "one")
	appendTest(t, j, "two")
	system.fail("sync")
	if err := j.Append(context.Background(), record("three")); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	system.fail("")
	change(t, filepath.Join(dir, segmentName(1)), func(b []byte) []byte { b[200] ^= 1; return b })
	err = j.Append(context.Background(), record("four"))
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "lost confirmed records") {
		t.Errorf("got %v", err)
	}
	if err := j.Close(); err == nil {
		t.Error("closed as if nothing was")
	}
	if report := verifyTest(t, dir); report.Fault == nil {
		t.Error("no fault")
	}
}
