//go:build linux

package audit

import (
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// slice is what one kind of load gave in one stretch of time.
type slice struct {
	ops       int
	took, cpu time.Duration
	latencies []time.Duration
}

// stretch is how long one kind runs before the next has its turn: what the neighbours on the machine do meanwhile falls on
// all of them.
const stretch = 250 * time.Millisecond

// drive lets clients keep records, one after another each, for a stretch, and waits until they are on disk.
func drive(b *testing.B, clients int, k kind) slice {
	b.Helper()
	lists := make([][]time.Duration, clients)
	var wg sync.WaitGroup
	began, cpu := time.Now(), processTime(b)
	for c := range clients {
		wg.Go(func() {
			last := time.Now()
			list := make([]time.Duration, 0, 4096)
			for last.Sub(began) < stretch {
				if err := k.keep(); err != nil {
					b.Error(err)
					return
				}
				now := time.Now()
				list = append(list, now.Sub(last))
				last = now
			}
			lists[c] = list
		})
	}
	wg.Wait()
	if k.settle != nil {
		k.settle()
	}
	s := slice{took: time.Since(began), cpu: processTime(b) - cpu, latencies: slices.Concat(lists...)}
	s.ops = len(s.latencies)
	return s
}

// processTime is the processor time of this process, user and system.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// figures are slices of one kind, put together: the median over the stretches of each figure.
type figures struct{ slices []slice }

func (f *figures) add(s slice) { f.slices = append(f.slices, s) }

func (f *figures) of(figure func(slice) float64) float64 {
	values := make([]float64, 0, len(f.slices))
	for _, s := range f.slices {
		values = append(values, figure(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (f *figures) rate() float64 {
	return f.of(func(s slice) float64 { return float64(s.ops) / s.took.Seconds() })
}

func (f *figures) cpu() float64 {
	return f.of(func(s slice) float64 { return float64(s.cpu.Nanoseconds()) / 1000 / float64(max(1, s.ops)) })
}

func (f *figures) latency(q float64) float64 {
	return f.of(func(s slice) float64 { return float64(quantile(s.latencies, q).Nanoseconds()) / 1e6 })
}
