package e2e

import (
	"database/sql"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"licgate/audit/ledger"
)

// logKeys are the verifier keys of a log of nobody.
func logKeys(t *testing.T, origin string) string {
	t.Helper()
	pair, err := ledger.OpenKeys(filepath.Join(t.TempDir(), "log.key"), origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	signers, err := pair.LogSigners()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, s := range signers {
		keys = append(keys, s.Key)
	}
	return strings.Join(keys, " ")
}

// TestFailedReloadTakesNothingOver: whom the store alarms and whose checkpoints are cosigned stays that of the configuration that serves,
// when one that was to replace it does not start.
func TestFailedReloadTakesNothingOver(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	witnessed := freePort(t)
	config := func(origin, more string) string {
		return auditGlobals(t, "\t\t\twitness other.example/witness {\n\t\t\t\tlog "+origin+" "+logKeys(t, origin)+"\n\t\t\t}") +
			site(g.port, "\tlicgate") + "http://127.0.0.1:" + witnessed + " {\n\tlicgate_witness\n}\n" + more
	}
	withConfig(config("old.example/audit", ""))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	altered := c.made("F-1")
	// One that asks in a log's name and has no signature is refused as a stranger when the log is witnessed, else as unknown.
	cosigns := func(origin string) bool {
		t.Helper()
		resp, err := http.Post("http://127.0.0.1:"+witnessed+"/witness/add-checkpoint", "text/plain", strings.NewReader("old 0\n\n"+origin+"\n1\n\n"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode == http.StatusForbidden
	}
	if !cosigns("old.example/audit") {
		t.Fatal("the log is not witnessed")
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	failed := filepath.Join(g.dir, "failed.log")
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	next := strings.Replace(config("new.example/audit", "http://127.0.0.1:"+port+" {\n}\n"), "output stderr", "output file "+failed, 1)
	file := filepath.Join(g.dir, "Caddyfile.new")
	write(t, file, next)
	for range 8 { // apps start in any order: in one of them the gateway has started before the other fails
		if _, stderr, code := g.command("reload", "--config", file, "--address", "unix/"+filepath.Join(g.dir, "data", "admin.sock")); code == 0 || !strings.Contains(stderr, "address already in use") {
			t.Fatalf("the reload: exit %d, %s", code, stderr)
		}
		if !cosigns("old.example/audit") || cosigns("new.example/audit") {
			t.Fatal("the witness cosigns for the logs of a configuration that failed")
		}
	}
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE licences SET biz_num = 'x' WHERE code = ?`, altered); err != nil {
		t.Fatal(err)
	}
	if a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": altered, "abolish_reason": "x"})); a.code() != "90001" {
		t.Errorf("the altered one: %s", a.raw)
	}
	if !strings.Contains(g.log.String(), "a stored row is not what was kept") {
		t.Error("the alarm went to the log of a configuration that failed")
	}
}
