package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"licgate/audit"
)

// flooded is what a flood was answered.
type flooded struct {
	mu      sync.Mutex
	status  map[int]int
	refused map[string]int // by response_id
}

// flood asks n times, from eight at a time, and takes down the answers of one status by their response_id.
func (g *gateway) flood(n, refusal int, path string) *flooded {
	g.t.Helper()
	got := &flooded{status: map[int]int{}, refused: map[string]int{}}
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				resp, err := g.client.Get(g.url(path))
				if err != nil {
					g.t.Error(err)
					return
				}
				resp.Body.Close()
				got.mu.Lock()
				got.status[resp.StatusCode]++
				if resp.StatusCode == refusal {
					got.refused[resp.Header.Get("Licgate-Response-Id")]++
				}
				got.mu.Unlock()
			}
		})
	}
	wg.Wait()
	return got
}

// journal is what a query selects of a gateway's records, running or stopped.
func (g *gateway) journal(query ...string) (records []audit.Record) {
	g.t.Helper()
	for line := range strings.Lines(g.must(append([]string{"audit", "export"}, query...)...)) {
		records = append(records, decodeRecord(g.t, line))
	}
	return records
}

// refusalsOf counts the refusals of a code that are on record: each by itself, sums, and how many those hold.
func refusalsOf(records []audit.Record, code string) (alone map[string]bool, sums int, summed int64) {
	alone = map[string]bool{}
	for _, r := range records {
		switch {
		case r.ErrorCode != code:
		case r.Event == audit.EventRequest:
			alone[r.ResponseID] = true
		case r.Event == audit.EventRefusals:
			sums++
			summed += r.Refusals.Count
		}
	}
	return alone, sums, summed
}

// windows is how many windows of sums a time has at most begun in.
func windows(since time.Time) int { return int(time.Since(since)/audit.DefaultWindow) + 2 }

// TestFlood: who goes on asking over the limit makes two records in a window, not one for each request. All that was refused is on record,
// by itself or in a sum, each answer's response_id finds it, also across a reload, and nobody else feels it.
func TestFlood(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(edited("app_key: other\n    name: 另一个系统\n    department: 91350100M000100Y43\n    rate: {per_second: 100000}",
		"app_key: other\n    name: 另一个系统\n    department: 91350100M000100Y43\n    rate: {per_minute: 20}"))
	c, busy := g.login("hydj", "zhangbin"), g.login("other", "stranger")
	before, began := len(g.journal()), time.Now()

	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(g.dir, "Caddyfile.new")
	write(t, changed, strings.Replace(string(text), "licgate {\n", "licgate {\n\t\tsession_idle 21m\n", 1))

	source := g.from(t, "127.0.4.1")
	one := source.flood(1500, http.StatusTooManyRequests, "/verify?c=x")
	g.must("reload", "--config", changed, "--address", "unix/"+filepath.Join(g.dir, "data", "admin.sock"))
	two := source.flood(1500, http.StatusTooManyRequests, "/verify?c=x")
	refused, admitted := one.status[429]+two.status[429], one.status[403]+two.status[403]
	if refused+admitted != 3000 || refused < 2500 {
		t.Fatalf("the flood was answered %v, %v", one.status, two.status)
	}
	if a := g.from(t, "127.0.4.2").browse("/verify"); a.status != http.StatusOK {
		t.Errorf("another address: %d", a.status)
	}
	if a := c.get("/security/get_current_user"); !a.ok() {
		t.Errorf("an application: %s", a.raw)
	}
	busyRefused, busyID := 0, ""
	for range 300 {
		if a := busy.get("/security/get_current_user"); a.status == http.StatusTooManyRequests {
			busyRefused, busyID = busyRefused+1, a.body["response_id"].(string)
		}
	}
	if out := g.must("audit", "search", "--response-id", busyID); !strings.Contains(out, "get_current_user") || !strings.Contains(out, "50001") {
		t.Errorf("the response_id of a later refusal finds\n%s", out)
	}
	// The figures begin anew with a configuration.
	if m := fmt.Sprintf("licgate_requests_total{code=\"50001\",interface=\"get_current_user\",outcome=\"FAILURE\"} %d\n", busyRefused); !strings.Contains(g.admin(http.MethodGet, "/metrics"), m) {
		t.Errorf("the metrics lack %s", m)
	}
	g.stop()

	records := g.journal()
	most := before + admitted + 2*windows(began) + // of the flood
		20 + 2*windows(began) + // of the application
		40 // of the rest: commands, the reload, the stop
	if len(records) > most {
		t.Errorf("%d records, at most %d", len(records), most)
	}
	alone, sums, summed := refusalsOf(records, "50001")
	if len(alone)+int(summed) != refused+busyRefused || sums == 0 {
		t.Errorf("%d refusals by themselves and %d in %d sums, of %d and %d that were answered", len(alone), summed, sums, refused, busyRefused)
	}
	for _, got := range []*flooded{one, two} {
		for id := range got.refused {
			if !alone[id] {
				t.Errorf("%d answers by %s have no record", got.refused[id], id)
			}
		}
	}
	for _, r := range records {
		switch f := r.Refusals; {
		case (r.Event == audit.EventRefusals) != (f != nil):
			t.Errorf("%+v", r)
		case f != nil && r.Address == "127.0.4.1" && (f.Others || len(f.Interfaces) != 1 || f.Interfaces[0] != "verify" || f.First.Before(began) || f.Last.Before(f.First)):
			t.Errorf("%+v", f)
		}
	}
	if _, sums, summed := refusalsOf(g.journal("--department", "91350100M000100Y43"), "50001"); sums == 0 || int(summed) > busyRefused-1 || int(summed) < busyRefused-windows(began) {
		t.Errorf("the department has %d of %d refusals of its application, in %d sums", summed, busyRefused, sums)
	}
	if out := g.must("audit", "search", "--event", "refusals"); !strings.Contains(out, "127.0.4.1 其后又被拒绝") || !strings.Contains(out, "refusals verify") {
		t.Errorf("sums for people:\n%s", out)
	}
	if out := g.must("audit", "search", "--response-id", busyID); !strings.Contains(out, "other 其后又被拒绝") {
		t.Errorf("the response_id of a later refusal finds\n%s", out)
	}
	g.must("audit", "verify")
}

// TestFloodThatNoLimitCounts: what is refused before a limit has let it through is bounded too: requests whose client is gone, a chain
// without a limit.
func TestFloodThatNoLimitCounts(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	bare := freePort(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate {\n\t\tlimit {\n\t\t\taddress 5 20\n\t\t}\n\t}") + site(bare, "\tlicgate_audit"))(g)
	g.run()
	began := time.Now()
	for n := range 400 { // streams that are reset, each at another moment
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%40)*50*time.Microsecond)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url("/license_item/list"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := g.client.Do(req); err == nil {
			resp.Body.Close()
		}
		cancel()
	}
	c := &caller{g: g}
	first := c.at(bare, http.MethodGet, "/license_item/list")
	for range 200 {
		if a := c.at(bare, http.MethodGet, "/license_item/list"); a.status != http.StatusNotFound || a.body["response_id"] != first.body["response_id"] {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	g.stop()
	records := g.journal()
	requests := 0
	for _, r := range records {
		if r.Event == audit.EventRequest {
			requests++
		}
	}
	admitted := 20 * (int(time.Since(began)/time.Minute) + 2)
	if most := admitted + 3*windows(began); requests > most { // of three kinds: over the limit, gone, no path
		t.Errorf("%d requests on record, at most %d", requests, most)
	}
	if alone, _, summed := refusalsOf(records, first.code()); len(alone)+int(summed) != 201 {
		t.Errorf("%d and %d refusals without a limit on record, of 201", len(alone), summed)
	}
	g.must("audit", "verify")
}

// TestFloodWithoutLimiter: while the shared limiter is down, strangers are refused without being counted. That fills neither journal nor log.
func TestFloodWithoutLimiter(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	g := start(t, withEnv("LICGATE_LIMITS="+redis.url()))
	redis.stop()
	began := time.Now()
	got := g.flood(80, http.StatusServiceUnavailable, "/license_item/list")
	if got.status[503] != 80 {
		t.Fatalf("%v", got.status)
	}
	g.stop()
	alone, _, summed := refusalsOf(g.journal(), "90002")
	if len(alone)+int(summed) != 80 || len(alone) > windows(began) {
		t.Errorf("%d refusals by themselves, %d in sums, of 80", len(alone), summed)
	}
	if n := strings.Count(g.log.String(), "the shared counter does not answer"); n != len(alone) {
		t.Errorf("%d lines of the log for %d records", n, len(alone))
	}
}

// TestFloodOnAFullDisk: a first refusal that can't be recorded is no refusal but 503, for everybody who would go by its record. Who has a
// record already is refused on. When the disk has room, all is as before.
func TestFloodOnAFullDisk(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate {\n\t\tlimit {\n\t\t\tverify 1000 1\n\t\t}\n\t}"))(g)
	g.run()
	known, late := g.from(t, "127.0.5.1"), g.from(t, "127.0.5.2")
	for _, one := range []*gateway{known, late} {
		if a := one.browse("/verify"); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	before := known.browse("/verify")
	pid := g.cmd.Process.Pid
	var room unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &room); err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		t.Helper()
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: room.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(1)
	if a := known.browse("/verify"); before.status != 429 || a.status != 429 || a.header.Get("Licgate-Response-Id") != before.header.Get("Licgate-Response-Id") {
		t.Errorf("with a record: %d, %d", before.status, a.status)
	}
	if got := late.flood(50, http.StatusServiceUnavailable, "/verify"); got.status[503] != 50 {
		t.Errorf("without a record: %v", got.status)
	}
	limit(room.Cur)
	var after answer
	for range 200 {
		if after = late.browse("/verify"); after.status == 429 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if after.status != 429 {
		t.Fatalf("it does not recover: %d", after.status)
	}
	if r := g.record(after); r.Address != "127.0.5.2" || r.ErrorCode != "50001" || r.Status != 429 {
		t.Errorf("%+v", r)
	}
	g.stop()
	if alone, _, summed := refusalsOf(g.journal(), "50001"); len(alone) != 2 || summed != 1 {
		t.Errorf("%d and %d refusals on record, of 3", len(alone), summed)
	}
	g.must("audit", "verify")
}
