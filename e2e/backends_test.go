package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"licgate/store/storetest"
)

// redisServer is a real Redis of a test's own, on a free loopback port.
type redisServer struct {
	t         *testing.T
	port, dir string
	cmd       *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	r := &redisServer{t: t, port: freePort(t), dir: t.TempDir()}
	r.run()
	t.Cleanup(r.stop)
	return r
}

func (r *redisServer) run() {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", "--port", r.port, "--bind", "127.0.0.1", "--dir", r.dir, "--appendonly", "yes", "--maxmemory-policy", "noeviction")
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("redis-server: %v (make test installs it)", err)
	}
	await(r.t, "redis-server", func() bool {
		out, err := exec.Command("redis-cli", "-p", r.port, "ping").Output()
		return err == nil && strings.Contains(string(out), "PONG")
	})
}

func (r *redisServer) stop() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

func (r *redisServer) url() string { return "redis://127.0.0.1:" + r.port + "/0" }

// TestSharedNodes: two gateways on one PostgreSQL and one Redis are one platform.
func TestSharedNodes(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	shared := withEnv("LICGATE_STORE="+storetest.Postgres(t), "LICGATE_SESSIONS="+redis.url(), "LICGATE_LIMITS="+redis.url())
	first := start(t, shared)
	// Nodes of one platform hold the same keys.
	second := prepare(t, shared)
	copyKeys(t, first, second)
	second.run()

	first.apply(platform)
	second.secrets = first.secrets
	waitVersion(t, second, 1)
	c := first.login("hydj", "zhangbin")
	there := &caller{g: second, token: c.token}
	if a := there.get("/security/get_current_user"); !a.ok() {
		t.Fatalf("a session of the first node at the second: %s", a.raw)
	}
	code := c.made("S-1")
	auth, _ := c.authCode(nil)
	if a := there.get("/license/get_license", "auth_code", auth); a.data()["license_code"] != code {
		t.Errorf("a code of the first node at the second: %s", a.raw)
	}
	first.must("app", "disable", "hydj", "--why", "test")
	waitVersion(t, second, 2)
	if a := there.get("/security/get_current_user"); a.status != http.StatusUnauthorized {
		t.Errorf("a disabled application at the second node: %d %s", a.status, a.raw)
	}
	for _, g := range []*gateway{first, second} {
		g.must("audit", "verify")
	}
}

func copyKeys(t *testing.T, from, to *gateway) {
	t.Helper()
	target := filepath.Join(to.dir, "data", "keys")
	if err := os.MkdirAll(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(target, os.DirFS(filepath.Join(from.dir, "data", "keys"))); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(target, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// waitVersion waits until a node enforces a policy version that another accepted.
func waitVersion(t *testing.T, g *gateway, version int) {
	t.Helper()
	await(t, fmt.Sprintf("the node to catch up with version %d", version), func() bool {
		return strings.Contains(string((&caller{g: g}).get("/healthz").raw), fmt.Sprintf(`"policy_version":%d`, version))
	})
}

// TestLimiterDown: without Redis the unauthenticated are refused, known applications are counted here, and both are told.
func TestLimiterDown(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	g := start(t, withEnv("LICGATE_LIMITS="+redis.url()))
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	if a := c.get("/security/get_current_user"); !a.ok() || a.header.Get("RateLimit") == "" {
		t.Fatalf("with Redis: %d %s", a.status, a.raw)
	}
	redis.stop()
	if a := c.get("/security/get_current_user"); !a.ok() || a.header.Get("RateLimit") == "" {
		t.Errorf("a known application without Redis: %d %s", a.status, a.raw)
	}
	if a := (&caller{g: g}).get("/license_item/list"); a.status != http.StatusServiceUnavailable || a.code() != "90002" {
		t.Errorf("an unknown caller without Redis: %d %s", a.status, a.raw)
	}
	if a := (&caller{g: g}).get("/readyz"); a.body["limits"] != "fallback" {
		t.Errorf("readyz without Redis: %d %s", a.status, a.raw)
	}
	if m := g.admin(http.MethodGet, "/metrics"); !strings.Contains(m, "licgate_limits_fallback 1") {
		t.Error("the metrics do not tell of the fallback")
	}
	redis.run()
	if a := (&caller{g: g}).get("/license_item/list"); a.status != http.StatusUnauthorized {
		t.Errorf("an unknown caller with Redis again: %d %s", a.status, a.raw)
	}
	if a := (&caller{g: g}).get("/readyz"); a.body["limits"] != "ok" {
		t.Errorf("readyz with Redis again: %d %s", a.status, a.raw)
	}
}

// TestSessionStoreDown: when sessions can't be read, nobody is told that his token is wrong, and nobody gets in.
func TestSessionStoreDown(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	g := start(t, withEnv("LICGATE_SESSIONS="+redis.url()))
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	redis.stop()
	if a := c.get("/security/get_current_user"); a.status != http.StatusServiceUnavailable || a.code() != "90002" {
		t.Errorf("without Redis: %d %s", a.status, a.raw)
	}
	if a := (&caller{g: g}).get("/readyz"); a.status != http.StatusServiceUnavailable || a.body["sessions"] != "down" {
		t.Errorf("readyz without Redis: %d %s", a.status, a.raw)
	}
	redis.run()
	if a := c.get("/security/get_current_user"); !a.ok() {
		t.Errorf("with Redis again: %d %s", a.status, a.raw)
	}
}
