package policy_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"licgate/policy"
)

var sizes = []int{100, 10_000, 100_000, 1_000_000}

// eachSize runs f on a world of every size.
func eachSize(b *testing.B, f func(b *testing.B, w *world)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("lines=%d", n), func(b *testing.B) { f(b, worldOf(n)) })
	}
}

func compile(b *testing.B, version int64, lines []string) policy.Decider {
	b.Helper()
	d, err := policy.Compile(version, lines)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// BenchmarkIndex is a function call: application, account and service item. Requests come in random order from all over the policy, so
// what each needs of the policy is mostly out of the processor's cache; the requests themselves are in it, as what was just parsed is.
// An op is one decision; best and median are of runs of 64: on a shared machine they say more than the mean.
func BenchmarkIndex(b *testing.B) {
	eachSize(b, func(b *testing.B, w *world) {
		d := compile(b, 1, w.lines)
		runtime.GC()
		ask := func(name string, one func(*policy.Request) bool) {
			b.Run(name, func(b *testing.B) { decisions(b, w.requests, one) })
		}
		ask("judge", func(r *policy.Request) bool { return d.Judge(*r).Allow })
		ask("judge, refused", func(r *policy.Request) bool {
			stranger := *r
			stranger.Account = r.App
			return !d.Judge(stranger).Allow
		})
		ask("judge, the same again", func(*policy.Request) bool { return d.Judge(w.requests[0]).Allow })
		ask("decide", func(r *policy.Request) bool { return d.Decide(*r).Allow })
	})
}

func decisions(b *testing.B, requests []policy.Request, right func(*policy.Request) bool) {
	b.Helper()
	const run = 64
	var (
		spans         = make([]float64, 0, 1<<20)
		sum           time.Duration
		before, after runtime.MemStats
	)
	runtime.ReadMemStats(&before)
	for at := 0; b.Loop(); at = (at + run) % len(requests) {
		if len(requests) < at+run {
			at = 0
		}
		now := requests[at:min(at+run, len(requests))]
		read(now)
		start := time.Now()
		for i := range now {
			if !right(&now[i]) {
				b.Fatalf("%+v is answered wrongly", now[i])
			}
		}
		span := time.Since(start)
		sum += span
		spans = append(spans, float64(span)/float64(len(now)))
	}
	runtime.ReadMemStats(&after)
	slices.Sort(spans)
	asked := float64(len(spans) * min(run, len(requests)))
	b.ReportMetric(float64(sum)/asked, "ns/op")
	b.ReportMetric(math.Round(float64(after.Mallocs-before.Mallocs)/asked), "allocs-each")
	b.ReportMetric(spans[len(spans)/100], "best-ns")
	b.ReportMetric(spans[len(spans)/2], "median-ns")
}

// read brings requests into the processor's cache.
func read(requests []policy.Request) (sum int) {
	for _, r := range requests {
		for _, text := range []string{r.App, r.Account, r.Department, r.Item, r.Interface, r.ServiceItem} {
			for i := range len(text) {
				sum += int(text[i])
			}
		}
	}
	return sum
}

// BenchmarkCompile reports the memory that an index takes beside the lines' text.
func BenchmarkCompile(b *testing.B) {
	eachSize(b, func(b *testing.B, w *world) {
		before := heap()
		d := compile(b, 1, w.lines)
		after := heap()
		runtime.KeepAlive(d)
		for b.Loop() {
			compile(b, 1, w.lines)
		}
		b.ReportMetric(float64(after-before)/float64(len(w.lines)), "bytes/line")
	})
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkOneLine is the time from a change of one line to the first decision that follows it.
func BenchmarkOneLine(b *testing.B) {
	eachSize(b, func(b *testing.B, w *world) {
		r := w.requests[0]
		without := w.lines
		with := append(slices.Clone(without), fmt.Sprintf("p, app:%s, %s, %s, %s, *, deny", r.App, r.Department, r.Item, r.Interface))
		held, denied := compile(b, 1, without), false
		for b.Loop() {
			if denied = !denied; denied {
				held = compile(b, held.Version()+1, with)
			} else {
				held = compile(b, held.Version()+1, without)
			}
			if held.Judge(r).Allow == denied {
				b.Fatal("the change does not act")
			}
		}
	})
}
