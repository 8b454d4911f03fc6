package e2e

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"licgate/store/storetest"
)

// A wire stands between the gateway and PostgreSQL and can be cut.
type wire struct {
	t      *testing.T
	target string
	mu     sync.Mutex
	cut    bool
	open   map[net.Conn]bool
}

// wired returns a wire and the URL of the database at its near end.
func wired(t *testing.T, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	port := q.Get("port")
	if port == "" {
		port = "5432"
	}
	dir, err := os.MkdirTemp("", "lgw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := ".s.PGSQL." + port
	w := &wire{t: t, target: filepath.Join(q.Get("host"), socket), open: map[net.Conn]bool{}}
	l, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go w.join(near)
		}
	}()
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	return w, u.String()
}

func (w *wire) join(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("unix", w.target)
	if err != nil {
		return
	}
	defer far.Close()
	w.mu.Lock()
	if w.cut {
		w.mu.Unlock()
		return
	}
	w.open[near], w.open[far] = true, true
	w.mu.Unlock()
	go func() { _, _ = io.Copy(far, near); far.Close() }()
	_, _ = io.Copy(near, far)
}

func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.open {
			c.Close()
		}
		w.open = map[net.Conn]bool{}
	}
}

// TestHeldPolicy: while the store is away decisions go on at the version in force for a set time, then are refused; readiness says so at
// once; all is well when the store is back.
func TestHeldPolicy(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	w, database := wired(t, storetest.Postgres(t))
	shipped, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, withConfig(strings.Replace(string(shipped), "		credential {", "		policy {\n			hold 4s\n		}\n		credential {", 1)),
		withEnv("LICGATE_STORE="+database, "LICGATE_SESSIONS="+redis.url()))
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	list := func() answer { return c.get("/license_item/list") }
	ready := func() int { return (&caller{g: g}).get("/readyz").status }
	if a := list(); !a.ok() || ready() != 200 {
		t.Fatalf("before: %s", a.raw)
	}
	w.set(true)
	if status := ready(); status != 503 {
		t.Errorf("readiness without the store: %d", status)
	}
	if a := list(); !a.ok() {
		t.Errorf("a decision right after the store went: %s", a.raw)
	}
	await(t, "decisions to be refused", func() bool { return list().code() == "90002" })
	if a := (&caller{g: g}).get("/readyz"); !strings.Contains(string(a.raw), `"policy":"stale"`) {
		t.Errorf("readiness does not say why: %s", a.raw)
	}
	w.set(false)
	await(t, "decisions after the store is back", func() bool { return list().ok() })
	await(t, "readiness after the store is back", func() bool { return ready() == 200 })
}

// await waits for something that has to come.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
