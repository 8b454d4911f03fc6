package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/audit/ledger"
)

const day = 24 * time.Hour

// oldJournal has a segment a day for ten days, two records each, then one 185 days after the last.
func oldJournal(t *testing.T) (dir string, c *clock, o Options, keys []ledger.Verifier) {
	t.Helper()
	dir, c = t.TempDir(), newClock()
	ledgerOptions, keys := ledgerTest(t)
	o = c.options()
	o.Ledger = ledgerOptions
	j, _ := openTest(t, dir, o)
	for d := range 11 {
		for i := range 2 {
			r := record(fmt.Sprintf("d%d-%d", d, i))
			r.Time = c.now()
			if err := j.Append(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if d == 9 {
			c.pass(MinRetention - 4*day)
		}
		if d == 4 || d == 9 {
			if err := j.notary.step(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		c.pass(day)
	}
	closeTest(t, j)
	o.Retention = MinRetention
	return dir, c, o, keys
}

func TestRetire(t *testing.T) {
	t.Parallel()
	dir, c, o, keys := oldJournal(t)
	before := checkpointTest(t, dir, keys)
	old := payloads(t, dir)
	j, _ := openTest(t, dir, o)
	j.keeper.close()
	j.keeper.ctx = t.Context()
	j.keeper.nextDue = time.Time{}
	if err := j.keeper.retireHourly(t.Context(), MinRetention); err != nil {
		t.Fatal(err)
	}
	closeTest(t, j)
	names, err := segments(disk{}, dir)
	if err != nil || len(names) == 0 || segmentFirst(names[0]) != 15 {
		t.Fatalf("%v, %v", names, err)
	}
	var due retirement
	if details := events(t, dir, EventRetire); len(details) == 0 || json.Unmarshal([]byte(details[len(details)-1]), &due) != nil || due.Last != 14 {
		t.Errorf("announced: %q", details)
	}
	report := verifyTest(t, dir)
	if report.Fault != nil || report.Retired != 14 || report.Covered == 0 {
		t.Errorf("%+v, %+v", report, report.Fault)
	}
	// Proofs still hold: of what was deleted, and from the checkpoint before.
	after := checkpointTest(t, dir, keys)
	tiles := ledger.OpenTiles(treeFiles{system: disk{}, dir: filepath.Join(dir, treeDir)}, after.Size)
	path, err := tiles.Inclusion(3, after.Size)
	if err != nil || ledger.VerifyInclusion(ledger.Leaf(old[3]), 3, after.Size, path, after.Root) != nil {
		t.Errorf("a deleted record has no proof any more: %v", err)
	}
	path, err = tiles.Consistency(before.Size, after.Size)
	if err != nil || ledger.VerifyConsistency(before.Size, after.Size, path, before.Root, after.Root) != nil {
		t.Errorf("the log forked: %v", err)
	}
	// It goes on, and deletes again when it is time.
	j, repair := openTest(t, dir, o)
	if repair != (Repair{}) {
		t.Errorf("%+v", repair)
	}
	j.keeper.close()
	j.keeper.ctx = t.Context()
	j.keeper.nextDue = time.Time{}
	c.pass(10 * day)
	if err := j.keeper.retireHourly(t.Context(), MinRetention); err != nil {
		t.Fatal(err)
	}
	closeTest(t, j)
	if report := verifyTest(t, dir); report.Fault != nil || report.Retired != 20 {
		t.Errorf("%+v, %+v", report, report.Fault)
	}
	// A tree that is lost is made again, also over what was deleted.
	if err := os.Remove(filepath.Join(dir, treeDir, checkpointName)); err != nil {
		t.Fatal(err)
	}
	j, _ = openTest(t, dir, o)
	closeTest(t, j)
	if report := verifyTest(t, dir); report.Fault != nil {
		t.Errorf("%+v", report.Fault)
	}
}

// TestRetireFailures lets each call fail. Nothing but what is due is ever missing, and opening completes it.
func TestRetireFailures(t *testing.T) {
	t.Parallel()
	made, _, o, _ := oldJournal(t)
	o.Retention = 0 // not by itself
	for call := 1; ; call++ {
		for _, how := range []string{"failed", "persisted"} {
			dir, system := t.TempDir(), newFaulty()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			j, _, err := openJournal(system, dir, o)
			if err != nil {
				t.Fatal(err)
			}
			j.keeper.close()
			j.keeper.ctx = t.Context()
			system.mu.Lock()
			base := len(system.calls)
			system.failAt[base+call] = how
			system.mu.Unlock()
			err = j.keeper.retireHourly(t.Context(), MinRetention)
			calls := len(system.calls) - base
			if err := j.Close(); err != nil && !errors.Is(err, errInjected) {
				t.Fatal(err)
			}
			if calls < call {
				if call < 10 {
					t.Errorf("only %d calls", calls)
				}
				return
			}
			j, repair, openErr := openJournal(newFaulty(), dir, o)
			if openErr != nil || repair.Damage != nil {
				t.Fatalf("call %d %s: %+v, %v (was %v)", call, how, repair.Damage, openErr, err)
			}
			closeTest(t, j)
			if report := verifyTest(t, dir); report.Fault != nil || report.Retired != 0 && report.Retired != 14 {
				t.Fatalf("call %d %s: %+v, %+v (was %v)", call, how, report, report.Fault, err)
			}
		}
	}
}

// TestUnannouncedDeletion: who deletes segments and says that they were retired is found.
func TestUnannouncedDeletion(t *testing.T) {
	t.Parallel()
	made, c, o, _ := oldJournal(t)
	o.Retention = 0
	fake := func(t *testing.T, dir string, last uint64) {
		end, err := lastOf(t.Context(), disk{}, dir, segmentName(last-1))
		if err != nil || end.Last != last {
			t.Fatalf("%+v, %v", end, err)
		}
		if err := writeRetired(disk{}, dir, retired{Version: 1, Last: last, Chain: end.Chain}); err != nil {
			t.Fatal(err)
		}
		if err := removeRetired(disk{}, dir, last); err != nil {
			t.Fatal(err)
		}
	}
	announce := func(t *testing.T, dir string, last uint64, until time.Time) {
		end, err := lastOf(t.Context(), disk{}, dir, segmentName(last-1))
		if err != nil {
			t.Fatal(err)
		}
		detail, err := json.Marshal(retirement{Last: last, Chain: end.Chain, Until: until})
		if err != nil {
			t.Fatal(err)
		}
		j, _ := openTest(t, dir, o)
		r := Record{Time: c.now(), Event: EventRetire, Outcome: "SUCCESS", Detail: string(detail)}
		if err := j.Append(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		closeTest(t, j)
	}
	for name, test := range map[string]struct {
		tamper func(t *testing.T, dir string)
		cause  string
	}{
		"removed": {func(t *testing.T, dir string) {
			if err := removeRetired(disk{}, dir, 6); err != nil {
				t.Fatal(err)
			}
		}, causeMissing(1, 6)},
		"not announced":    {func(t *testing.T, dir string) { fake(t, dir, 6) }, causeRetired},
		"announced less":   {func(t *testing.T, dir string) { announce(t, dir, 4, c.now().Add(-MinRetention)); fake(t, dir, 6) }, causeRetired},
		"too early":        {func(t *testing.T, dir string) { announce(t, dir, 20, c.now().Add(-MinRetention+day)); fake(t, dir, 20) }, causeTooEarly},
		"with a false age": {func(t *testing.T, dir string) { announce(t, dir, 22, c.now().Add(-MinRetention)); fake(t, dir, 22) }, causeTooEarly},
		"of another chain": {func(t *testing.T, dir string) {
			fake(t, dir, 6)
			if err := writeRetired(disk{}, dir, retired{Version: 1, Last: 6}); err != nil {
				t.Fatal(err)
			}
		}, causePrevious},
		"a broken file": {func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, retiredName), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, causeRetired},
		"a changed hash": {func(t *testing.T, dir string) {
			announce(t, dir, 14, c.now().Add(-MinRetention))
			fake(t, dir, 14)
			change(t, filepath.Join(dir, treeDir, "hashes-0"), flip(100))
		}, "与检查点不符"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			test.tamper(t, dir)
			if report := verifyTest(t, dir); report.Fault == nil || !strings.Contains(report.Fault.Cause, test.cause) {
				t.Errorf("got %+v", report.Fault)
			}
		})
	}
}

func TestRetentionIsRefused(t *testing.T) {
	t.Parallel()
	ledgerOptions, _ := ledgerTest(t)
	for _, o := range []Options{{Retention: MinRetention}, {Retention: MinRetention - 1, Ledger: ledgerOptions}, {Retention: -1, Ledger: ledgerOptions}} {
		if _, _, err := OpenJournal(t.TempDir(), o); !errors.Is(err, ErrRetention) {
			t.Errorf("%v: %v", o.Retention, err)
		}
	}
}

// TestDamageIsNotRetired: a segment with damage is evidence, and stays.
func TestDamageIsNotRetired(t *testing.T) {
	t.Parallel()
	dir, _, o, _ := oldJournal(t)
	change(t, filepath.Join(dir, segmentName(5)), flip(200))
	o.Retention = 0
	j, _ := openTest(t, dir, o)
	j.keeper.close()
	j.keeper.ctx = t.Context()
	if err := j.keeper.retireHourly(t.Context(), MinRetention); err != nil {
		t.Fatal(err)
	}
	closeTest(t, j)
	names, err := segments(disk{}, dir)
	if err != nil || !slices.Contains(names, segmentName(5)) || segmentFirst(names[0]) != 5 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestRetireNow: an administrator sees what is due, and deletes it at once; never what the law keeps.
func TestRetireNow(t *testing.T) {
	t.Parallel()
	dir, _, o, _ := oldJournal(t)
	o.Retention = 0
	j, _ := openTest(t, dir, o)
	for _, look := range []bool{true, false} {
		got, err := j.Retire(t.Context(), MinRetention, look)
		if err != nil || got.Last != 14 || got.Until.IsZero() {
			t.Fatalf("%v: %+v, %v", look, got, err)
		}
		if names, err := segments(disk{}, dir); err != nil || (segmentFirst(names[0]) == 1) != look {
			t.Errorf("%v: %v, %v", look, names, err)
		}
	}
	if got, err := j.Retire(t.Context(), MinRetention, false); err != nil || got.Last != 0 {
		t.Errorf("again: %+v, %v", got, err)
	}
	if _, err := j.Retire(t.Context(), MinRetention-1, true); !errors.Is(err, ErrRetention) {
		t.Errorf("too early: %v", err)
	}
	closeTest(t, j)
	if report := verifyTest(t, dir); report.Fault != nil || report.Retired != 14 {
		t.Errorf("%+v, %+v", report, report.Fault)
	}
}

// TestRetireWaitsForTheClock: a wall clock that ran ahead deletes nothing, whether it did so while the journal was open, just before the
// look, or while it was closed; nor after a restart. That is said, and on record. Once it has kept still for a day, its time counts.
func TestRetireWaitsForTheClock(t *testing.T) {
	t.Parallel()
	ahead := func(c *clock) { c.wall.Add(int64(400 * day)) }
	for name, test := range map[string]struct {
		closed, open func(c *clock)
		jumps        int
	}{
		"open":               {open: ahead, jumps: 1},
		"closed":             {closed: ahead, jumps: 1},
		"ahead and back":     {open: func(c *clock) { ahead(c); c.pass(time.Hour); c.wall.Add(int64(-30 * day)) }, jumps: 1},
		"set back, closed":   {closed: func(c *clock) { c.wall.Add(int64(-time.Hour)) }, jumps: 1},
		"closed a long time": {closed: func(c *clock) { c.pass(30 * day) }, jumps: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, c, o, _ := oldJournal(t)
			o.Retention = 0
			if test.closed != nil {
				test.closed(c)
			}
			j, _ := openTest(t, dir, o)
			refused := func() {
				t.Helper()
				for _, look := range []bool{true, false} {
					if _, err := j.Retire(t.Context(), MinRetention, look); !errors.Is(err, ErrClock) {
						t.Errorf("look %v: %v", look, err)
					}
				}
				if names, err := segments(disk{}, dir); err != nil || segmentFirst(names[0]) != 1 {
					t.Fatalf("deleted: %v, %v", names, err)
				}
			}
			if test.open != nil {
				test.open(c)
			}
			refused()
			c.pass(12 * time.Hour)
			refused()
			closeTest(t, j)
			j, _ = openTest(t, dir, o) // a restart forgets nothing
			refused()
			if got := events(t, dir, EventTimeJump); len(got) != test.jumps {
				t.Errorf("on record: %q", got)
			}
			if got := events(t, dir, EventRetire); len(got) != 3 || !strings.Contains(got[0], "wall clock moved by ") {
				t.Errorf("on record: %q", got)
			}
			c.pass(13 * time.Hour)
			if got, err := j.Retire(t.Context(), MinRetention, false); err != nil || got.Last < 14 {
				t.Errorf("%+v, %v", got, err)
			}
			closeTest(t, j)
			if report := verifyTest(t, dir); report.Fault != nil || report.Retired < 14 {
				t.Errorf("%+v, %+v", report, report.Fault)
			}
		})
	}
}

// TestSmallStepsDoNotHoldRetiring: a clock that a time server puts right every day is one to be trusted.
func TestSmallStepsDoNotHoldRetiring(t *testing.T) {
	t.Parallel()
	dir, c, o, _ := oldJournal(t)
	o.Retention = 0
	j, _ := openTest(t, dir, o)
	c.wall.Add(int64(20 * time.Second))
	if got, err := j.Retire(t.Context(), MinRetention, false); err != nil || got.Last < 14 {
		t.Errorf("%+v, %v", got, err)
	}
	if got := events(t, dir, EventTimeJump); len(got) != 1 {
		t.Errorf("on record: %q", got)
	}
}
