package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// refusedStart starts a gateway that must not start, in an environment that is another one's but for what more says, and returns its log.
func (g *gateway) refusedStart(more ...string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "run", "--config", g.config)
	cmd.Env, cmd.Dir = append(g.env[:len(g.env):len(g.env)], more...), g.dir
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Run(); err == nil || ctx.Err() != nil {
		g.t.Fatalf("it started: %v\n%s", err, log.String())
	}
	return log.String()
}

// cause is what the log gives as the cause that nothing started: on a line of its own.
func cause(t *testing.T, log string) string {
	t.Helper()
	for line := range strings.Lines(log) {
		var entry struct{ Msg, Error string }
		if json.Unmarshal([]byte(line), &entry) == nil && strings.Contains(entry.Msg, "does not start with this configuration") {
			return entry.Error
		}
	}
	t.Errorf("no cause in the log:\n%s", log)
	return ""
}

// TestTakenPortIsRefused: a second gateway, with a data folder of its own, does not share the first one's port, neither at its start nor
// by a reload; the first one reloads as it pleases.
func TestTakenPortIsRefused(t *testing.T) {
	t.Parallel()
	g := start(t)
	other := prepare(t)
	if said := cause(t, other.refusedStart("LICGATE_PORT="+g.port)); !strings.Contains(said, ":"+g.port) || !strings.Contains(said, "另一个进程在监听") {
		t.Errorf("the second one: %s", said)
	}
	other.run()
	moved := filepath.Join(other.dir, "Caddyfile.moved")
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	// As :PORT is, 127.0.0.1:PORT is taken too.
	write(t, moved, strings.ReplaceAll(string(text), "tls internal", "bind 127.0.0.1\n\ttls internal"))
	reload := exec.Command(os.Args[0], "reload", "--config", moved)
	reload.Env, reload.Dir = append(other.env[:len(other.env):len(other.env)], "LICGATE_PORT="+g.port), other.dir
	if out, err := reload.CombinedOutput(); err == nil || !strings.Contains(string(out), "另一个进程在监听") {
		t.Errorf("a reload to a taken port: %v %s", err, out)
	}
	other.must("reload", "--config", other.config, "--force")
	other.must("reload", "--config", moved) // its own port, by an address that overlaps
	other.must("reload", "--config", other.config)
	for _, one := range []*gateway{g, other} {
		resp, err := one.client.Get(one.url("/healthz"))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("after all: %v", err)
		}
		resp.Body.Close()
	}
}

// TestTakenAddressIsRefused: of two gateways on one port of two addresses, neither reloads to the other one's address.
func TestTakenAddressIsRefused(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	at := func(g *gateway, address string) string {
		path := filepath.Join(g.dir, "Caddyfile."+address)
		write(t, path, strings.ReplaceAll(string(text), "tls internal", "bind "+address+"\n\ttls internal"))
		return path
	}
	first, second := prepare(t), prepare(t)
	first.config, second.config = at(first, "127.0.0.1"), at(second, "127.0.0.2")
	second.env = append(second.env, "LICGATE_PORT="+first.port)
	first.run()
	second.launch() // it is not ready at localhost: what run waits for is the first one's
	process := second.cmd
	go func() { _ = process.Wait() }()
	listens := func(address string) bool {
		conn, err := net.Dial("tcp", net.JoinHostPort(address, first.port))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}
	await(t, "the second one", func() bool { return listens("127.0.0.2") })
	if _, said, code := second.command("reload", "--config", at(second, "127.0.0.1")); code == 0 || !strings.Contains(said, "127.0.0.1:"+first.port+" 已有另一个进程在监听") {
		t.Errorf("a reload to the first one's address: exit %d %s", code, said)
	}
	second.must("reload", "--config", at(second, "127.0.0.3"))
	if !listens("127.0.0.3") {
		t.Error("a reload to a free address")
	}
}

// TestAdminSocketComesBack: a second run on the same data folder fails and says why; the first gateway takes its admin socket back, with its
// mode, as often as that happens, and also when the file is deleted. A stop leaves neither name, a killed gateway no obstacle.
func TestAdminSocketComesBack(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	socket := filepath.Join(g.dir, "data", "admin.sock")
	locks := func() bool {
		_, _, code := g.command("lock", "account", "zhangbin", "--reason", "test")
		return code == 0
	}
	for range 2 {
		if said := cause(t, g.refusedStart()); !strings.Contains(said, "已有另一个网关进程在使用") || !strings.Contains(said, "journal is in use") {
			t.Errorf("the second one: %s", said)
		}
		await(t, "the admin socket", locks)
		g.must("doctor")
		if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("its mode: %v %v", info, err)
		}
	}
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	await(t, "the deleted admin socket", locks)
	if n := strings.Count(g.log.String(), "another process took the name of the admin socket"); n != 1 {
		t.Errorf("said %d times", n)
	}
	g.must("reload", "--config", g.config, "--force")
	g.refusedStart()
	await(t, "the admin socket after a reload", locks)

	g.kill()
	if _, stderr, code := g.command("export"); code != 1 || !strings.Contains(stderr, "没有在运行") || !strings.Contains(stderr, socket) {
		t.Errorf("a gateway that was killed: exit %d %s", code, stderr)
	}
	g.run()
	g.refusedStart()
	await(t, "the admin socket after a restart", locks)
	g.stop()
	if left := socketNames(t, g); len(left) != 0 {
		t.Errorf("after a stop: %s", left)
	}
	if _, stderr, code := g.command("export"); code != 1 || !strings.Contains(stderr, "没有这个文件") || !strings.Contains(stderr, socket) || strings.Contains(stderr, "|0600") {
		t.Errorf("a stopped gateway: exit %d %s", code, stderr)
	}
}

// socketNames are the names in a gateway's data folder that its admin socket has.
func socketNames(t *testing.T, g *gateway) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(g.dir, "data", "admin.sock*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestSharedAdminIsRefused: a gateway on another data folder does not start where one is administered already, which gets its socket back,
// second name and all. What a killed process, of this version or an older one, left beside it is cleared away. That both names are lost is said.
func TestSharedAdminIsRefused(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	socket := filepath.Join(g.dir, "data", "admin.sock")
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dead := range []string{socket + ".kept", socket + ".kept.1"} {
		left, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		left.SetUnlinkOnClose(false)
		left.Close()
	}
	write(t, socket+".kept.note", "no socket")
	g.run()
	g.apply(platform)
	want := []string{socket, socket + ".kept." + strconv.Itoa(g.cmd.Process.Pid), socket + ".kept.note"}
	if names := socketNames(t, g); !slices.Equal(names, want) {
		t.Errorf("after the start: %s", names)
	}
	other := prepare(t)
	for range 2 {
		if said := cause(t, other.refusedStart("LICGATE_ADMIN=unix/"+socket)); !strings.Contains(said, "属于另一个正在运行的网关") || !strings.Contains(said, socket) {
			t.Errorf("the other one: %s", said)
		}
		await(t, "the admin socket", func() bool {
			out, _, code := g.command("policy", "history")
			return code == 0 && strings.Contains(out, "版本 1")
		})
		if names := socketNames(t, g); !slices.Equal(names, want) {
			t.Errorf("after the other one: %s", names)
		}
	}
	other.run()
	g.must("reload", "--config", g.config, "--force")
	for _, name := range want[:2] {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the loss of both names to be said", func() bool { return strings.Contains(g.log.String(), "has lost its second name") })
}

// TestMovedAdminSocketStaysMoved: an endpoint that a reload moved elsewhere does not come back where it was.
func TestMovedAdminSocketStaysMoved(t *testing.T) {
	t.Parallel()
	g := start(t)
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	was, elsewhere := filepath.Join(g.dir, "data", "admin.sock"), "unix/"+filepath.Join(g.dir, "elsewhere.sock")
	moved := filepath.Join(g.dir, "Caddyfile.moved")
	write(t, moved, strings.Replace(string(text), "admin {$LICGATE_ADMIN}", "admin "+elsewhere+"|0600", 1))
	g.must("reload", "--config", moved, "--address", "unix/"+was)
	await(t, "both names to go", func() bool { return len(socketNames(t, g)) == 0 })
	g.must("doctor", "--address", elsewhere)
}

// TestOpenFilesAtStart: a database that others may read keeps the gateway from starting; a data folder that is open is said, and left as
// it is: what else lies in it, and for whom, only its owner knows. The doctor reports both.
func TestOpenFilesAtStart(t *testing.T) {
	t.Parallel()
	g := start(t)
	data := filepath.Join(g.dir, "data")
	database := filepath.Join(data, "licgate.db")
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(database, 0o644)
	chmod(data, 0o755)
	if out, _, code := g.command("doctor"); code != 1 || !strings.Contains(out, "chmod 600 "+database) || !strings.Contains(out, "chmod 700 "+data) {
		t.Errorf("the doctor: exit %d %s", code, out)
	}
	g.stop()
	if said := cause(t, g.refusedStart()); !strings.Contains(said, "chmod 600 "+database) {
		t.Errorf("an open database: %s", said)
	}
	chmod(database, 0o600)
	unchanged := func(when string) {
		t.Helper()
		if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("the folder after %s: %v %v", when, info.Mode(), err)
		}
	}
	unchanged("a start that failed")
	g.must("validate", "--config", g.config)
	unchanged("a validation")
	before := len(g.log.String())
	g.run()
	g.must("reload", "--config", g.config, "--force")
	unchanged("a start")
	if n := strings.Count(g.log.String()[before:], "the data folder is open to group or others; run chmod 700"); n != 1 {
		t.Errorf("an open folder is said %d times", n)
	}
	chmod(data, 0o700)
	g.must("doctor")
}

// TestStopFindsTheGateway: stop and reload go where the gateway is administered, without being told.
func TestStopFindsTheGateway(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.must("reload", "--config", g.config, "--force")
	pid := g.cmd.Process.Pid
	g.must("stop")
	await(t, "the end", func() bool { return syscall.Kill(pid, 0) != nil })

	empty := exec.Command(os.Args[0], "run")
	empty.Env, empty.Dir = g.env, t.TempDir()
	if out, err := empty.CombinedOutput(); empty.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "--config") {
		t.Errorf("run without a configuration: %v %s", err, out)
	}
}

// TestVersionIsTold: the command, the doctor, the admin API and the record of the start name the same licgate.
func TestVersionIsTold(t *testing.T) {
	t.Parallel()
	g := start(t)
	// A test binary knows neither version; what it says must be the same everywhere.
	line := strings.TrimSpace(g.must("version"))
	version, caddy, found := strings.Cut(strings.TrimPrefix(line, "licgate "), ", Caddy")
	if !found || version == "" || !strings.HasPrefix(line, "licgate ") {
		t.Fatalf("version: %q", line)
	}
	out := g.must("doctor")
	if !strings.Contains(out, "licgate "+version+"，Caddy ") || !strings.Contains(out, "[正常] 站点证书 localhost：签发者 ") {
		t.Errorf("the doctor: %s", out)
	}
	if out := g.must("audit", "export"); !strings.Contains(out, "，程序 "+version) {
		t.Errorf("the record of the start: %s", out)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(g.dir, "data", "admin.sock"))
	}}}
	resp, err := client.Get("http://127.0.0.1/licgate/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var status object
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil || status["version"] != version || !strings.Contains(out, "Caddy "+status["caddy_version"].(string)+"\n") || caddy != "" && !strings.Contains(caddy, status["caddy_version"].(string)) {
		t.Errorf("status: %v %v", err, status)
	}
}

// TestOnDemandCertificate: a site that obtains its certificate in the first handshake is not called broken before it.
func TestOnDemandCertificate(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	g := prepare(t)
	g.config = filepath.Join(g.dir, "Caddyfile")
	write(t, g.config, strings.ReplaceAll(string(text), "tls internal", "tls internal {\n\t\ton_demand\n\t}"))
	g.launch()
	await(t, "the gateway", func() bool {
		_, _, code := g.command("policy", "history")
		return code == 0
	})
	if out := g.must("doctor"); !strings.Contains(out, "[未查] 站点证书 localhost：按需签发") {
		t.Errorf("before the first handshake: %s", out)
	}
	if err := g.waitReady(time.Minute); err != nil {
		t.Fatal(err)
	}
	if out := g.must("doctor"); !strings.Contains(out, "[正常] 站点证书 localhost：签发者 ") {
		t.Errorf("after it: %s", out)
	}
}
