//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "licgate/caddymodule"
	"licgate/gm"
)

func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		caddycmd.Main()
		return
	}
	code := m.Run()
	if used {
		w, err := theWorld()
		if err == nil && len(results.rows) > 0 {
			err = results.noteMemory(w)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		w.stop()
	}
	results.print(os.Stdout)
	os.Exit(code)
}

// used says that somebody asked for the world.
var used bool

func use(tb testing.TB) *world {
	tb.Helper()
	used = true
	w, err := theWorld()
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// noteMemory says how large the processes have grown under load.
func (r *report) noteMemory(w *world) error {
	var mib []any
	for _, p := range []*process{w.gateway, w.bare} {
		for _, member := range []string{"VmRSS", "VmHWM"} {
			n, err := p.memory(member)
			if err != nil {
				return err
			}
			mib = append(mib, n)
		}
	}
	r.notes = append(r.notes, fmt.Sprintf("resident memory after the load: %.0f MiB, at most %.0f MiB (bare Caddy: %.0f and %.0f MiB)", mib...),
		fmt.Sprintf("licences in the store: %d before, %d after", storeSize, w.made))
	return nil
}

// TestOperations keeps the measurements honest: what they send succeeds, and bare Caddy answers it with as many bytes.
func TestOperations(t *testing.T) {
	w := use(t)
	for _, o := range w.operations {
		requests, err := o.requests(3)
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.gateway.run(requests, 2, o.check)
		if err != nil || s.cpu <= 0 {
			t.Errorf("%s at the gateway: %v CPU, %v", o.name, s.cpu, err)
		}
		if s, err = w.bare.run(requests, 2, o.ofSize); err != nil || s.cpu <= 0 {
			t.Errorf("%s at bare Caddy: %v CPU, %v", o.name, s.cpu, err)
		}
	}
}

// round is how long each of the two is under load before it is the other's turn.
const round = 150 * time.Millisecond

// storeSize is how many licences are in the store before anything is measured.
const storeSize = 5000

// BenchmarkInterface loads gateway and bare Caddy in turns: one iteration is a round of each.
func BenchmarkInterface(b *testing.B) {
	w := use(b)
	if missing := storeSize - w.made; missing > 0 {
		if _, err := w.batch(missing); err != nil {
			b.Fatal(err)
		}
	}
	for _, o := range w.operations {
		for _, connections := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/c=%d", strings.ReplaceAll(o.name, " ", "_"), connections), func(b *testing.B) {
				turns(b, w, o, connections)
			})
		}
	}
}

// turn loads one process with n requests, and says how many of them fill a round.
func turn(b *testing.B, p *process, o *operation, n, connections int, check func([]byte) error) (slice, int) {
	b.Helper()
	b.StopTimer() // making requests may take licences
	requests, err := o.requests(n)
	if err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
	s, err := p.run(requests, connections, check)
	if err != nil {
		b.Fatal(err)
	}
	return s, min(max(int(s.perSecond()*round.Seconds()), connections), 20_000)
}

func turns(b *testing.B, w *world, o *operation, connections int) {
	// bareOf answers signs of licences that do not exist: none need to be made for it.
	bareOf := *o
	if raw, err := o.requests(1); err != nil {
		b.Fatal(err)
	} else {
		bareOf.requests = always(raw[0])
	}
	// The first two of each are not counted: they find out how many requests fill a round, and fill pools and caches.
	n, bareN := connections, 4*connections
	for range 2 {
		_, n = turn(b, w.gateway, o, n, connections, o.check)
		_, bareN = turn(b, w.bare, &bareOf, bareN, connections, o.ofSize)
	}
	b.ResetTimer()
	f := results.of(o, connections)
	var here figures
	for b.Loop() {
		mine, next := turn(b, w.gateway, o, n, connections, o.check)
		bare, bareNext := turn(b, w.bare, &bareOf, bareN, connections, o.ofSize)
		n, bareN = next, bareNext
		here.gateway, here.bare = append(here.gateway, mine), append(here.bare, bare)
		here.gatewayLatency = append(here.gatewayLatency, mine.latencies...)
	}
	f.gateway, f.bare = append(f.gateway, here.gateway...), append(f.bare, here.bare...)
	f.gatewayLatency = append(f.gatewayLatency, here.gatewayLatency...)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(each(here.gateway, slice.perSecond)), "req/s")
	b.ReportMetric(median(each(here.gateway, slice.cpuEach)), "cpu-µs/req")
	b.ReportMetric(millis(median(here.gatewayLatency)), "p50-ms")
	b.ReportMetric(millis(quantile(here.gatewayLatency, 0.99)), "p99-ms")
	b.ReportMetric(median(here.ratios(slice.perSecond)), "req/bare")
	b.ReportMetric(median(here.ratios(slice.cpuEach)), "cpu/bare")
}

// BenchmarkStart takes the time from nothing to ready: an empty folder, new keys, a new database. Bare Caddy makes its certificates too.
func BenchmarkStart(b *testing.B) {
	config, err := gatewayConfig()
	if err != nil {
		b.Fatal(err)
	}
	begin := func(text func(string) string, root string) (time.Duration, float64) {
		p, err := prepare(text, root)
		if err != nil {
			b.Fatal(err)
		}
		defer p.stop()
		took, err := p.start("/healthz")
		if err != nil {
			b.Fatal(err)
		}
		resident, err := p.memory("VmRSS")
		if err != nil {
			b.Fatal(err)
		}
		return took, resident
	}
	for b.Loop() {
		took, resident := begin(config, "data/root.crt")
		bareTook, bareResident := begin(bareConfig(nil), bareRoot)
		results.starts, results.bareStarts = append(results.starts, took), append(results.bareStarts, bareTook)
		results.fresh, results.bareFresh = append(results.fresh, resident), append(results.bareFresh, bareResident)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(millis(median(results.starts)), "ms")
	b.ReportMetric(millis(median(results.bareStarts)), "bare-ms")
	b.ReportMetric(median(results.fresh), "MiB")
	b.ReportMetric(median(results.bareFresh), "bare-MiB")
}

// BenchmarkPasswordHash is the part of a login that is slow on purpose.
func BenchmarkPasswordHash(b *testing.B) {
	hasher := gm.PasswordHasher{}
	encoded := hasher.Dummy()
	for b.Loop() {
		before, err := cpu(os.Getpid())
		if err != nil {
			b.Fatal(err)
		}
		if hasher.Verify(encoded, "Xk3-not-the-password") {
			b.Fatal("the dummy has a password")
		}
		after, err := cpu(os.Getpid())
		if err != nil {
			b.Fatal(err)
		}
		results.hash = append(results.hash, after-before)
	}
	b.ReportMetric(millis(median(results.hash)), "cpu-ms/op")
}

// BenchmarkSync is the disk under the journal: no answer leaves before one such sync, of its record alone or of a group.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	record := make([]byte, 512)
	for at := int64(0); b.Loop(); at += int64(len(record)) {
		begin := time.Now()
		if _, err := f.WriteAt(record, at); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		results.sync = append(results.sync, time.Since(begin))
	}
}
