package audit

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a wall clock and a monotonic one that a test sets.
type clock struct{ wall, uptime atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.wall.Store(testTime.UnixNano())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.wall.Load()).In(testTime.Location()) }

func (c *clock) options() Options {
	return Options{KeepPlain: true, Now: c.now, Monotonic: func() time.Duration { return time.Duration(c.uptime.Load()) }}
}

// pass lets both clocks go on.
func (c *clock) pass(d time.Duration) { c.wall.Add(int64(d)); c.uptime.Add(int64(d)) }

func events(t *testing.T, dir, event string) (details []string) {
	t.Helper()
	for _, r := range exportTest(t, dir, Query{}) {
		if r.Event == event {
			details = append(details, r.Detail)
		}
	}
	return details
}

func TestTimeJumpsAreRecorded(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	j, _ := openTest(t, dir, c.options())
	k := j.keeper
	k.close() // it looks once a second; here it looks when told
	k.ctx = context.Background()
	c.pass(time.Hour)
	c.wall.Add(int64(time.Second / 2)) // slewed
	k.checkClock()
	c.wall.Add(int64(-2 * time.Hour))
	k.checkClock()
	k.checkClock()
	c.pass(time.Minute)
	c.wall.Add(int64(90 * time.Second))
	k.checkClock()
	got := events(t, dir, EventTimeJump)
	want := []string{
		"wall clock moved by -7200.000 s, from 2020-05-22T11:30:00.623456789+08:00",
		"wall clock moved by +90.000 s, from 2020-05-22T09:31:00.623456789+08:00",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	mustBeWholeBesideWriter(t, dir)
}

func TestADayIsASegment(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	j, _ := openTest(t, dir, c.options())
	add := func(id string) {
		r := record(id)
		r.Time = c.now()
		if err := j.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	add("a")
	c.pass(time.Hour)
	add("b")
	c.pass(24 * time.Hour)
	if err := j.Probe(t.Context()); err != nil { // as the keeper does
		t.Fatal(err)
	}
	names, err := segments(disk{}, dir)
	if err != nil || !slices.Equal(names, []string{segmentName(1), segmentName(3)}) {
		t.Errorf("%v, %v", names, err)
	}
	c.pass(24 * time.Hour) // nothing came on that day: its segment is the next day's
	if err := j.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	add("c")
	add("d")
	closeTest(t, j)
	j, _ = openTest(t, dir, c.options()) // on the same day
	add("e")
	closeTest(t, j)
	c.pass(24 * time.Hour)
	j, _ = openTest(t, dir, c.options())
	add("f")
	closeTest(t, j)
	names, err = segments(disk{}, dir)
	if err != nil || !slices.Equal(names, []string{segmentName(1), segmentName(3), segmentName(6)}) {
		t.Errorf("%v, %v", names, err)
	}
	mustBeWhole(t, dir)
}

// TestRecoversAlone: after a failure the journal is well again without anybody asking.
func TestRecoversAlone(t *testing.T) {
	t.Parallel()
	dir, system := t.TempDir(), newFaulty()
	j, _, err := openJournal(system, dir, Options{Node: "n"})
	if err != nil {
		t.Fatal(err)
	}
	system.fail("sync")
	if err := j.Append(t.Context(), record("refused")); err == nil || j.Healthy() == nil {
		t.Fatal("it did not fail")
	}
	system.fail("")
	for j.Healthy() != nil {
		time.Sleep(10 * time.Millisecond)
	}
	appendTest(t, j, "after")
	closeTest(t, j)
	mustBeWhole(t, dir)
}

// TestZerosAhead: the file is larger than its records while it is written, and not afterwards.
func TestZerosAhead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{})
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, segmentName(1)))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	appendTest(t, j, "a")
	ahead := size()
	if ahead < minAhead {
		t.Fatalf("%d bytes", ahead)
	}
	appendTest(t, j, "b")
	if size() != ahead {
		t.Error("the file grew")
	}
	copied := t.TempDir() // as after a crash
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	again, repair := openTest(t, copied, Options{})
	if repair != (Repair{}) {
		t.Errorf("%+v", repair)
	}
	appendTest(t, again, "c")
	closeTest(t, again)
	if ids := mustBeWhole(t, copied); strings.Join(ids, "") != "abc" {
		t.Errorf("%v", ids)
	}
	closeTest(t, j)
	if size() >= minAhead {
		t.Errorf("%d bytes after closing", size())
	}
	mustBeWhole(t, dir)
}

// TestSpare: from the middle of a segment on the next one is made beside, and taken.
func TestSpare(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"", "failed", "persisted"} {
		for call := 1; call <= 12; call++ {
			dir := t.TempDir()
			system := newFaulty()
			j, _, err := openJournal(system, dir, Options{Node: "n", SegmentSize: minSpare, KeepPlain: true})
			if err != nil {
				t.Fatal(err)
			}
			large := strings.Repeat("x", minSpare*3/10)
			var kept []string
			refused := make(map[string]bool)
			for i := range 9 {
				if i == 2 { // the spare is made during the third, taken before the fifth
					system.mu.Lock()
					if how != "" {
						system.failAt[len(system.calls)+call] = how
					}
					system.mu.Unlock()
				}
				r := record(strings.Repeat("r", i+1))
				r.Detail = large
				if err := j.Append(t.Context(), r); err != nil {
					refused[r.ResponseID] = true
				} else {
					kept = append(kept, r.ResponseID)
				}
				if i == 2 && how == "" && call == 1 {
					for { // now it is there
						if _, err := os.Stat(filepath.Join(dir, spareName)); err == nil {
							break
						}
					}
				}
			}
			_ = j.Close() // may be what fails
			ids := slices.DeleteFunc(mustBeWhole(t, dir), func(id string) bool { return refused[id] })
			if !slices.Equal(ids, kept) || len(kept) < 6 {
				t.Errorf("call %d %s: kept %d, there are %d", call, how, len(kept), len(ids))
			}
			if how == "" {
				if names, _ := filepath.Glob(filepath.Join(dir, "*"+unplaced)); len(names) > 0 || len(kept) != 9 {
					t.Errorf("left: %v", names)
				}
				break
			}
		}
	}
}

func TestParseDurability(t *testing.T) {
	t.Parallel()
	for _, d := range []Durability{Strict, BestEffort, Bounded(1, time.Millisecond), Bounded(10_000, time.Minute)} {
		if got, err := ParseDurability(d.String()); err != nil || got != d {
			t.Errorf("%s: %v, %v", d, got, err)
		}
	}
	for _, text := range []string{"", "Strict", "bounded", "bounded 0 1s", "bounded 1 0s", "bounded 1 2m", "bounded 10001 1s", "bounded 1 1s x", "best effort"} {
		if _, err := ParseDurability(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// TestLenient: callers do not wait, and what they handed in is written, also after failures, once.
func TestLenient(t *testing.T) {
	t.Parallel()
	for _, d := range []Durability{Bounded(1000, time.Minute), BestEffort} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			dir, system := t.TempDir(), newFaulty()
			j, _, err := openJournal(system, dir, Options{Node: "n", SegmentSize: 2000, KeepPlain: true})
			if err != nil {
				t.Fatal(err)
			}
			keep := func(id string) {
				t.Helper()
				if receipt, err := j.Keep(t.Context(), record(id), d); err != nil || receipt != (Receipt{}) {
					t.Fatalf("%s: %v, %v", id, receipt, err)
				}
			}
			if r, err := j.Keep(t.Context(), record("a"), d); err != nil || r.Sequence != 1 { // the first waits until it is noted
				t.Fatalf("%+v, %v", r, err)
			}
			appendTest(t, j, "b")
			system.fail("sync")
			keep("c")
			keep("d")
			if err := j.Append(t.Context(), record("refused")); err == nil {
				t.Error("a strict record is confirmed on a broken disk")
			}
			keep("e")
			if s := j.Stats(); s.Owed != 3 {
				t.Errorf("%+v", s)
			}
			system.fail("")
			appendTest(t, j, "f")
			for j.Stats().Owed > 0 { // written behind f
				time.Sleep(time.Millisecond)
			}
			if s := j.Stats(); s.Owed != 0 || s.Waiting != 0 || s.Records != 6 || s.Refused != 1 || s.Failures == 0 {
				t.Errorf("%+v", s)
			}
			keep("g")
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			ids := mustBeWhole(t, dir)
			if slices.Sort(ids); strings.Join(ids, "") != "abcdefg" {
				t.Errorf("%v", ids)
			}
			for _, r := range exportTest(t, dir, Query{}) {
				if want := d.String(); (r.Durability == want) != strings.Contains("acdeg", r.ResponseID) {
					t.Errorf("%s has durability %q", r.ResponseID, r.Durability)
				}
			}
		})
	}
}

// TestBoundedWaits: past its bounds a record waits as a strict one.
func TestBoundedWaits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		d    Durability
		pass time.Duration
		free int
	}{
		"records": {Bounded(2, time.Minute), 0, 2},
		"time":    {Bounded(1000, time.Second), time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, system, c := t.TempDir(), newFaulty(), newClock()
			release := system.holdSync()
			o := c.options()
			o.Node = "n"
			j, _, err := openJournal(system, dir, o)
			if err != nil {
				t.Fatal(err)
			}
			j.lenient = -1 // noted before
			for range test.free {
				if r, err := j.Keep(t.Context(), record("free"), test.d); err != nil || r.Sequence != 0 {
					t.Fatalf("%+v, %v", r, err)
				}
			}
			system.waitForSync()
			c.uptime.Add(int64(test.pass))
			c.wall.Add(int64(test.pass))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := j.Keep(ctx, record("waits"), test.d); err == nil {
				t.Error("past its bounds it does not wait")
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				if r, err := j.Keep(t.Context(), record("waits"), test.d); err != nil || r.Sequence == 0 {
					t.Errorf("%+v, %v", r, err)
				}
			})
			for j.Stats().Waiting < test.free+2 {
				time.Sleep(time.Millisecond)
			}
			release()
			wg.Wait()
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLostRecordsAreCounted: what best effort drops while the disk does not keep up is recorded.
func TestLostRecordsAreCounted(t *testing.T) {
	t.Parallel()
	dir, system := t.TempDir(), newFaulty()
	j, _, err := openJournal(system, dir, Options{Node: "n", KeepPlain: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Keep(t.Context(), record("x"), BestEffort); err != nil {
		t.Fatal(err)
	}
	release := system.holdSync()
	for range maxOwed + 7 {
		if _, err := j.Keep(t.Context(), record("x"), BestEffort); err != nil {
			t.Fatal(err)
		}
	}
	if s := j.Stats(); s.Lost != 7 || s.Owed != maxOwed {
		t.Errorf("%+v", s)
	}
	release()
	for j.Stats().Records < maxOwed+2 {
		time.Sleep(10 * time.Millisecond)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if got := events(t, dir, EventLost); !slices.Equal(got, []string{"7 records of best_effort were dropped"}) {
		t.Errorf("%q", got)
	}
}
