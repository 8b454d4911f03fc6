package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// handClock stands still until it is moved.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

func tallyTest(t *testing.T, system *faulty, callers int) (*Tally, *handClock, string) {
	t.Helper()
	dir := t.TempDir()
	j, _, err := openJournal(system, dir, Options{Node: "gw-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // a test may leave its disk broken
	clock := &handClock{at: testTime}
	return &Tally{Journal: j, Now: clock.now, Callers: callers}, clock, dir
}

func stranger(n int) Caller {
	return Caller{Address: fmt.Sprintf("192.0.2.%d", n), ErrorCode: "50001", Status: 429}
}

// refused is the record of a refusal by the clock.
func refused(r *Refusal, at time.Time, name string) *Record {
	return &Record{ResponseID: r.ResponseID(), Time: at, Event: EventRequest, Interface: name, Outcome: "FAILURE", ErrorCode: "50001", Status: 429, BytesOut: 100}
}

// refuse refuses a caller once, and returns the response id of the answer.
func refuse(t *testing.T, tally *Tally, c Caller, id, name string) string {
	t.Helper()
	r := tally.Refuse(c, id)
	if err := r.Keep(context.Background(), refused(r, tally.Now(), name)); err != nil {
		t.Fatal(err)
	}
	return r.ResponseID()
}

func sweepTest(t *testing.T, tally *Tally) {
	t.Helper()
	if err := tally.sweep(false); err != nil {
		t.Fatal(err)
	}
}

// conserved counts what is on record: refusals by themselves, sums, and how many refusals those hold.
func conserved(t *testing.T, dir string) (alone, sums int, summed int64) {
	t.Helper()
	for _, r := range exportTest(t, dir, Query{}) {
		switch r.Event {
		case EventRequest:
			alone++
		case EventRefusals:
			sums++
			summed += r.Refusals.Count
		}
	}
	return alone, sums, summed
}

// TestTallyOfOneCaller: the first refusal is recorded by itself, the further ones share its response id and become one record when the
// window ends, which a search by that id finds too. The next window begins anew.
func TestTallyOfOneCaller(t *testing.T) {
	t.Parallel()
	tally, clock, dir := tallyTest(t, newFaulty(), 4)
	c := Caller{App: "hydj", Department: "11110000000021135M", ErrorCode: "50001", Status: 429}
	for i := range 20 {
		name := fmt.Sprintf("interface-%d", i)
		if i == 1 {
			name = ""
		}
		if id := refuse(t, tally, c, fmt.Sprint("a", i), name); id != "a0" {
			t.Errorf("refusal %d answers by %s", i, id)
		}
		clock.move(100 * time.Millisecond)
	}
	refuse(t, tally, Caller{App: "hydj", Department: "another", ErrorCode: "50001", Status: 429}, "b0", "login")
	sweepTest(t, tally)
	if alone, sums, _ := conserved(t, dir); alone != 2 || sums != 0 {
		t.Errorf("within the window: %d records, %d sums", alone, sums)
	}
	clock.move(DefaultWindow)
	sweepTest(t, tally)
	found := exportTest(t, dir, Query{ResponseID: "a0"})
	if len(found) != 2 || found[0].Event != EventRequest || found[1].Event != EventRefusals {
		t.Fatalf("%+v", found)
	}
	got, want := found[1], Refusals{Count: 19, First: testTime.Add(100 * time.Millisecond), Last: testTime.Add(1900 * time.Millisecond)}
	if f := got.Refusals; f.Count != want.Count || !f.First.Equal(want.First) || !f.Last.Equal(want.Last) || f.Others ||
		len(f.Interfaces) != maxInterfaces || f.Interfaces[0] != "unknown" || f.Interfaces[15] != "interface-16" {
		t.Errorf("%+v", f)
	}
	if got.App != "hydj" || got.Department != c.Department || got.Allow || got.Outcome != "FAILURE" || got.ErrorCode != "50001" || got.Status != 429 || got.BytesOut != 1900 {
		t.Errorf("%+v", got)
	}
	if own := exportTest(t, dir, Query{Department: c.Department, Event: EventRefusals}); len(own) != 1 {
		t.Errorf("its department has %d sums", len(own))
	}
	if id := refuse(t, tally, c, "c0", "login"); id != "c0" {
		t.Errorf("the next window answers by %s", id)
	}
	if err := tally.Flush(); err != nil {
		t.Fatal(err)
	}
	if alone, sums, summed := conserved(t, dir); alone != 3 || sums != 1 || summed != 19 {
		t.Errorf("%d records, %d sums of %d", alone, sums, summed)
	}
}

// TestTallyIsBounded: strangers beyond the bound are counted together, those with an application are not crowded out, and neither records
// nor memory grow with the number of callers.
func TestTallyIsBounded(t *testing.T) {
	t.Parallel()
	const callers, rounds = 4, 3
	tally, clock, dir := tallyTest(t, newFaulty(), callers)
	total := 0
	for window := 1; window <= 3; window++ {
		for range rounds {
			for n := range 100 {
				refuse(t, tally, stranger(n), fmt.Sprintf("w%d-%d", window, n), "verify")
				total++
			}
		}
		if id := refuse(t, tally, stranger(99), "x", "verify"); id != fmt.Sprintf("w%d-%d", window, callers) {
			t.Errorf("one of the others answers by %s", id)
		}
		if id := refuse(t, tally, Caller{App: "hydj", ErrorCode: "50001", Status: 429}, "app", "list"); id != "app" {
			t.Errorf("an application is crowded out: %s", id)
		}
		total += 2
		if n := len(tally.open); n != callers+2 {
			t.Errorf("%d sums in memory", n)
		}
		clock.move(DefaultWindow)
		sweepTest(t, tally)
		if len(tally.open)+len(tally.ended) != 0 {
			t.Errorf("%d and %d sums stay in memory", len(tally.open), len(tally.ended))
		}
		alone, sums, summed := conserved(t, dir)
		if alone != window*(callers+2) || sums != window*(callers+1) || int64(alone)+summed != int64(total) {
			t.Errorf("window %d: %d records, %d sums of %d, of %d refusals", window, alone, sums, summed, total)
		}
	}
	others := exportTest(t, dir, Query{Event: EventRefusals})
	others = slices.DeleteFunc(others, func(r Record) bool { return !r.Refusals.Others })
	if len(others) != 3 || others[0].Address != "" || others[0].Refusals.Count != 96*rounds+1-1 {
		t.Errorf("%+v", others)
	}
}

// TestTallyWaitsForItsSums: as long as the sums of a window are not written, the next one goes on, so that memory stays bounded.
func TestTallyWaitsForItsSums(t *testing.T) {
	t.Parallel()
	tally, clock, dir := tallyTest(t, newFaulty(), 2)
	for window := range 10 {
		for n := range 20 {
			refuse(t, tally, stranger(window+n%10), fmt.Sprintf("w%d-%d", window, n), "verify")
		}
		clock.move(DefaultWindow)
	}
	if len(tally.open) != 3 || len(tally.ended) != 3 {
		t.Errorf("%d and %d sums in memory", len(tally.open), len(tally.ended))
	}
	for range 2 {
		sweepTest(t, tally)
	}
	if alone, sums, summed := conserved(t, dir); alone != 6 || sums != 6 || summed != 194 {
		t.Errorf("%d records, %d sums of %d", alone, sums, summed)
	}
}

// TestTallyConserves lets many refuse at once, with a clock that runs and sums that are written meanwhile: each refusal is a record of its own
// or in a sum, once, and every answer has a record.
func TestTallyConserves(t *testing.T) {
	t.Parallel()
	tally, clock, dir := tallyTest(t, newFaulty(), 4)
	var wg, background sync.WaitGroup
	var kept atomic.Int64
	var answers sync.Map
	stop := make(chan struct{})
	background.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			clock.move(DefaultWindow / 3)
			if err := tally.sweep(false); err != nil {
				t.Error(err)
			}
		}
	})
	for worker := range 16 {
		wg.Go(func() {
			for i := range 300 {
				r := tally.Refuse(stranger(i%7), fmt.Sprintf("%d-%d", worker, i))
				if i%11 == 0 { // it broke off
					r.Leave()
					r.Leave()
					continue
				}
				switch err := r.Keep(context.Background(), refused(r, clock.now(), "verify")); {
				case err == nil:
					kept.Add(1)
					answers.Store(r.ResponseID(), true)
				case !errors.Is(err, errAbandoned): // the first of them broke off
					t.Error(err)
				}
				r.Leave()
			}
		})
	}
	wg.Wait()
	close(stop)
	background.Wait()
	if err := tally.Flush(); err != nil {
		t.Fatal(err)
	}
	alone, _, summed := conserved(t, dir)
	if int64(alone)+summed != kept.Load() {
		t.Errorf("%d by themselves and %d in sums of %d refusals", alone, summed, kept.Load())
	}
	recorded := map[string]bool{}
	for _, r := range exportTest(t, dir, Query{Event: EventRequest}) {
		recorded[r.ResponseID] = true
	}
	answers.Range(func(id, _ any) bool {
		if !recorded[id.(string)] {
			t.Errorf("an answer by %v has no record", id)
		}
		return true
	})
}

// TestTallyWaitsForTheFirst: no further refusal leaves before the first is on disk, however many come at once.
func TestTallyWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	system := newFaulty()
	tally, clock, dir := tallyTest(t, system, 4)
	release := system.holdSync()
	first, second := tally.Refuse(stranger(1), "one"), tally.Refuse(stranger(1), "two")
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := first.Keep(context.Background(), refused(first, testTime, "verify")); err != nil {
			t.Error(err)
		}
	})
	system.waitForSync()
	left := make(chan struct{})
	wg.Go(func() {
		if err := second.Keep(context.Background(), refused(second, testTime, "verify")); err != nil {
			t.Error(err)
		}
		close(left)
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 50 {
		r := tally.Refuse(stranger(1), "three")
		if err := r.Keep(ctx, refused(r, testTime, "verify")); !errors.Is(err, context.Canceled) {
			t.Errorf("who does not wait: %v", err)
			break
		}
	}
	// A window that ends now leaves the caller out, whose refusals are still on their way.
	clock.move(DefaultWindow)
	sweepTest(t, tally)
	select {
	case <-left:
		t.Error("it left before the first was on disk")
	default:
	}
	release()
	wg.Wait()
	sweepTest(t, tally)
	if alone, sums, summed := conserved(t, dir); alone != 1 || sums != 1 || summed != 1 {
		t.Errorf("%d records, %d sums of %d", alone, sums, summed)
	}
}

// TestTallyOnAFullDisk: a first refusal that cannot be recorded fails, with all that wait for it, and the next one is a first again. Sums that
// cannot be written wait, with the window, and memory does not grow meanwhile.
func TestTallyOnAFullDisk(t *testing.T) {
	t.Parallel()
	system := newFaulty()
	tally, clock, dir := tallyTest(t, system, 2)
	for range 3 {
		refuse(t, tally, stranger(1), "one", "verify")
	}
	system.fail("write")
	a, b := tally.Refuse(stranger(2), "two"), tally.Refuse(stranger(2), "three")
	if !a.First() || b.First() || b.ResponseID() != "two" {
		t.Errorf("%v, %v by %s", a.First(), b.First(), b.ResponseID())
	}
	for _, r := range []*Refusal{a, b} {
		if err := r.Keep(context.Background(), refused(r, testTime, "verify")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("refused without a record: %v", err)
		}
	}
	if c := tally.Refuse(stranger(2), "four"); !c.First() || c.ResponseID() != "four" {
		t.Error("the next refusal goes by a record that there is not")
	} else {
		c.Leave()
	}
	clock.move(DefaultWindow)
	if err := tally.sweep(false); !errors.Is(err, ErrUnavailable) {
		t.Errorf("sums on a full disk: %v", err)
	}
	for n := range 50 {
		r := tally.Refuse(stranger(n+10), fmt.Sprint(n))
		_ = r.Keep(context.Background(), refused(r, testTime, "verify"))
		clock.move(DefaultWindow)
		_ = tally.sweep(false)
	}
	if len(tally.ended) != 1 || len(tally.open) != 0 {
		t.Errorf("%d and %d sums in memory", len(tally.ended), len(tally.open))
	}
	system.fail("")
	for range 5 { // the journal recovers when asked
		if tally.sweep(false) == nil {
			break
		}
	}
	refuse(t, tally, stranger(2), "five", "verify")
	if alone, sums, summed := conserved(t, dir); alone != 2 || sums != 1 || summed != 2 {
		t.Errorf("%d records, %d sums of %d", alone, sums, summed)
	}
}

// BenchmarkTally is a refusal behind the first.
func BenchmarkTally(b *testing.B) {
	j, _ := openTest(b, b.TempDir(), Options{})
	tally := &Tally{Journal: j, Now: time.Now, Window: time.Hour}
	first := tally.Refuse(stranger(1), "one")
	if err := first.Keep(context.Background(), refused(first, testTime, "verify")); err != nil {
		b.Fatal(err)
	}
	rec := refused(first, testTime, "verify")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := tally.Refuse(stranger(1), "two")
			_ = r.Keep(context.Background(), rec)
		}
	})
}
