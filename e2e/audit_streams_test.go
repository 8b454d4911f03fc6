package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sealed makes requests until there are so many sealed segments, packed and indexed, and returns their files in order.
func (g *gateway) sealed(count int) []string {
	g.t.Helper()
	for range 2000 {
		for range 5 {
			(&caller{g: g}).get("/license_item/list")
		}
		packed, err := filepath.Glob(filepath.Join(g.dir, "data", "audit", "*.seg.zst"))
		if err != nil {
			g.t.Fatal(err)
		}
		indexes, _ := filepath.Glob(filepath.Join(g.dir, "data", "audit", "*.idx"))
		if len(packed) >= count && len(indexes) >= count {
			slices.Sort(packed)
			return packed
		}
	}
	g.t.Fatal("no segment is packed")
	return nil
}

// TestStreamsBreakOff: what fails behind the first line of an export or search is no end: the trailer, the command and the record say so.
func TestStreamsBreakOff(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(auditGlobals(t, "\t\t\tsegment_size 8KiB") + site(g.port, "\tlicgate"))(g)
	g.run()
	g.apply(platform)
	segments := g.sealed(3)
	whole := g.must("audit", "export")
	until := time.Now()
	// A segment that can't be read, though it is there: a folder stands before it.
	if err := os.Mkdir(strings.TrimSuffix(segments[1], ".zst"), 0o700); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(g.dir, "out.jsonl")
	for _, args := range [][]string{
		{"audit", "export"},
		{"audit", "export", "-o", out},
		{"audit", "search", "--json"},
		{"audit", "search", "--event", "request"},
		{"audit", "export", "--proofs"},
	} {
		stdout, stderr, code := g.command(args...)
		if code != 1 || !strings.Contains(stderr, "输出不完整") || strings.Contains(stderr, "导出 ") {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
		if len(stdout) >= len(whole) {
			t.Errorf("%v wrote all of it", args)
		}
	}
	// A file appears whole or not at all; what can be read is had on standard output.
	if left, err := filepath.Glob(out + "*"); err != nil || len(left) > 0 {
		t.Errorf("files were left: %v, %v", left, err)
	}
	client := g.adminClient()
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://127.0.0.1/licgate/audit/records")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Trailer.Get("Licgate-Audit-Fault") != "broken" || resp.Trailer.Get("Licgate-Audit-Lines") != "" {
		t.Errorf("%v %d %v", err, resp.StatusCode, resp.Trailer)
	}
	if strings.Contains(string(body), `"error"`) {
		t.Errorf("an error stands among the records: %s", body)
	}
	if n := strings.Count(g.log.String(), "ended before its end"); n != 6 {
		t.Errorf("six streams broke off, the log has %d of them", n)
	}
	if strings.Count(g.must("audit", "search", "--json", "--since", until.Format(time.RFC3339Nano)), `"reason":"broken"`) != 6 {
		t.Error("the record does not say that they broke off")
	}
}

// tailing follows the records in the name of an administrator; ended says how it came to its end.
func (g *gateway) tailing() (out *logBuffer, ended <-chan int) {
	g.t.Helper()
	cmd := exec.Command(os.Args[0], "audit", "tail", "--json")
	cmd.Env, cmd.Dir = g.env, g.dir
	out = new(logBuffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = cmd.Process.Kill() })
	done := make(chan int, 1)
	go func() {
		_ = cmd.Wait()
		done <- cmd.ProcessState.ExitCode()
	}()
	await(g.t, "something to follow", func() bool {
		(&caller{g: g}).get("/license_item/list")
		return strings.Contains(out.String(), `"event":"request"`)
	})
	return out, done
}

// TestTailEndsWithLogin: who follows the records sees no more of them once the login ended, or the administrator is disabled.
func TestTailEndsWithLogin(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(auditGlobals(t, "\t\t\ttail_check 100ms") + site(g.port, "\tlicgate"))(g)
	g.run()
	g.apply(platform + powers)
	aud := g.as("aud")
	out, ended := aud.tailing()
	aud.must("admin", "logout")
	tailEnded(t, "logout", out, ended)
	aud = g.as("aud")
	out, ended = aud.tailing()
	g.as("sec").must("admin", "disable", "aud", "--force")
	g.as("sys").must("policy", "approve", "1")
	tailEnded(t, "disabled", out, ended)
}

func tailEnded(t *testing.T, what string, out *logBuffer, ended <-chan int) {
	t.Helper()
	select {
	case code := <-ended:
		if text := out.String(); code != 1 || !strings.Contains(text, `"event":"tail_end"`) || !strings.Contains(text, "登录已失效，或管理员已停用") {
			t.Errorf("%s: exit %d, %s", what, code, text)
		}
	case <-time.After(time.Minute):
		t.Errorf("%s: it goes on: %s", what, out.String())
	}
}

// onTerminal runs a command whose standard error is a terminal, and returns what was written there.
func (g *gateway) onTerminal(args ...string) (stdout, shown string) {
	g.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		g.t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		g.t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	seen := make(chan string)
	go func() {
		text, _ := io.ReadAll(master) // EIO at the end
		seen <- string(text)
	}()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env, cmd.Dir, cmd.Stderr = g.env, g.dir, terminal
	out, err := cmd.Output()
	if err != nil {
		g.t.Errorf("licgate %v: %v", args, err)
	}
	terminal.Close()
	return string(out), <-seen
}

// TestVerifyShowsProgress: on a terminal, of a running gateway and of a stopped one; never among JSON, nor where nobody watches.
func TestVerifyShowsProgress(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(auditGlobals(t, "") + site(g.port, "\tlicgate"))(g)
	g.run()
	(&caller{g: g}).get("/license_item/list")
	check := func(what string) {
		t.Helper()
		if out, shown := g.onTerminal("audit", "verify"); !strings.Contains(out, "审计记录完整") || !strings.Contains(shown, "校验审计记录 [##############################] 100%") {
			t.Errorf("%s: %q, shown %q", what, out, shown)
		}
		var report object
		if out, shown := g.onTerminal("audit", "verify", "--json"); json.Unmarshal([]byte(out), &report) != nil || shown != "" {
			t.Errorf("%s: %q, shown %q", what, out, shown)
		}
		if _, stderr, _ := g.command("audit", "verify"); stderr != "" {
			t.Errorf("%s: without a terminal: %q", what, stderr)
		}
	}
	check("running")
	g.stop()
	check("stopped")
}
