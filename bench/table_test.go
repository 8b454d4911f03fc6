//go:build linux

package bench

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// figures is what one operation at one concurrency gave, all rounds of all repetitions together.
type figures struct {
	operation      string
	bytes          int
	connections    int
	gateway, bare  []slice // one of each a round
	gatewayLatency []time.Duration
}

// each maps the rounds.
func each(rounds []slice, f func(slice) float64) []float64 {
	out := make([]float64, len(rounds))
	for i, s := range rounds {
		out[i] = f(s)
	}
	return out
}

// ratios divides round by round: what the neighbours on the machine did meanwhile, they did to both.
func (f *figures) ratios(of func(slice) float64) []float64 {
	out := make([]float64, len(f.gateway))
	for i := range out {
		out[i] = of(f.gateway[i]) / of(f.bare[i])
	}
	return out
}

func median[T ~int64 | ~float64](values []T) T { return quantile(values, 0.5) }

func quantile[T ~int64 | ~float64](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// report collects what the table says in the end.
type report struct {
	mu    sync.Mutex
	rows  []*figures
	notes []string
	// starts are times until ready, memory MiB.
	starts, bareStarts []time.Duration
	fresh, bareFresh   []float64
	hash, sync         []time.Duration
}

var results report

// of finds or opens the row of an operation.
func (r *report) of(o *operation, connections int) *figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.rows {
		if f.operation == o.name && f.connections == connections {
			return f
		}
	}
	f := &figures{operation: o.name, bytes: o.size, connections: connections}
	r.rows = append(r.rows, f)
	return f
}

// print writes the table in Markdown.
func (r *report) print(out io.Writer) {
	if len(r.rows) > 0 {
		fmt.Fprintf(out, "\n| interface | body, bytes | connections | req/s | bare req/s | req/s ÷ bare | p50 ms | p99 ms | CPU-µs/req | bare CPU-µs/req | CPU ÷ bare |\n")
		fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	}
	for _, f := range r.rows {
		fmt.Fprintf(out, "| %s | %d | %d | %.0f | %.0f | %.3f | %.2f | %.2f | %.0f | %.0f | **%.1f** |\n", f.operation, f.bytes, f.connections,
			median(each(f.gateway, slice.perSecond)), median(each(f.bare, slice.perSecond)), median(f.ratios(slice.perSecond)),
			millis(median(f.gatewayLatency)), millis(quantile(f.gatewayLatency, 0.99)),
			median(each(f.gateway, slice.cpuEach)), median(each(f.bare, slice.cpuEach)), median(f.ratios(slice.cpuEach)))
	}
	var lines []string
	if len(r.starts) > 0 {
		lines = append(lines,
			fmt.Sprintf("start-up on an empty store until `/healthz` is 200: %.0f ms (bare Caddy until it answers: %.0f ms)", millis(median(r.starts)), millis(median(r.bareStarts))),
			fmt.Sprintf("resident memory after start-up: %.0f MiB (bare Caddy: %.0f MiB)", median(r.fresh), median(r.bareFresh)))
	}
	lines = append(lines, r.notes...)
	if len(r.hash) > 0 {
		lines = append(lines, fmt.Sprintf("one password hash (part of every login): %.1f ms CPU", millis(median(r.hash))))
	}
	if len(r.sync) > 0 {
		lines = append(lines, fmt.Sprintf("fdatasync of 512 bytes on the same disk: p50 %.2f ms, p99 %.2f ms", millis(median(r.sync)), millis(quantile(r.sync, 0.99))))
	}
	if len(lines) > 0 {
		fmt.Fprintf(out, "\n- %s\n- %d processors, %s, %s/%s\n", strings.Join(lines, "\n- "), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	}
}
