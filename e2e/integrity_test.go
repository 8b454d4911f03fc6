package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAlteredLicenceIsRefused: a row altered in the database is refused, alarms, and the doctor names it; no other row suffers.
func TestAlteredLicenceIsRefused(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	altered, good := c.made("I-1"), c.made("I-2")
	if out := g.must("doctor", "--integrity"); strings.Contains(out, "异常") || !strings.Contains(out, "0 行不符") {
		t.Errorf("unaltered: %s", out)
	}
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE licences SET biz_num = 'x' WHERE code = ?`, altered); err != nil {
		t.Fatal(err)
	}
	abolish := func(code string) answer {
		return c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": code, "abolish_reason": "x"}))
	}
	if a := abolish(altered); a.code() != "90001" {
		t.Errorf("the altered one: %s", a.raw)
	}
	if a := abolish(good); !a.ok() {
		t.Errorf("the other: %s", a.raw)
	}
	out, stderr, code := g.command("doctor", "--integrity")
	if code != 1 || !strings.Contains(out, "licence "+altered) || strings.Contains(out, good) || !strings.Contains(stderr, "核对校验码 100%") {
		t.Errorf("the doctor: exit %d %s%s", code, out, stderr)
	}
	if !strings.Contains(g.log.String(), "a stored row is not what was kept") {
		t.Error("no alarm in the log")
	}
	if m := g.admin("GET", "/metrics"); !strings.Contains(m, "licgate_integrity_faults_total 1") {
		t.Error("no alarm in the metrics")
	}
}

// TestOldDatabaseGetsItsCodesOnce: rows of before get their codes at the first start, and never a second time.
func TestOldDatabaseGetsItsCodesOnce(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	code := g.login("hydj", "zhangbin").made("I-1")
	g.stop()
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// As a licgate of before leaves it.
	old := func() {
		t.Helper()
		if _, err := db.Exec(`UPDATE licences SET mac = NULL; UPDATE registry_objects SET mac = NULL; UPDATE policy_versions SET mac = NULL, objects = NULL;
			UPDATE licence_codes SET mac = NULL; UPDATE pending_changes SET mac = NULL;
			DELETE FROM key_checks WHERE name = 'codes'`); err != nil {
			t.Fatal(err)
		}
	}
	old()
	mark := filepath.Join(g.dir, "data", "keys", "rows.codes")
	g.log = nil
	if log := g.failsToStart(); !strings.Contains(log, "标记不见了") {
		t.Errorf("codes taken away by who has the database alone: %s", log)
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE licences SET biz_num = 'x'`); err != nil {
		t.Fatal(err)
	}
	g.log = nil
	g.run()
	if _, err := os.Stat(mark); err != nil || !strings.Contains(g.log.String(), "what stands in the database now is trusted") {
		t.Errorf("upgraded: %v\n%s", err, g.log.String())
	}
	// What the sealed part does not bear out gets no code even then.
	if out, _, exit := g.command("doctor", "--integrity"); exit != 1 || !strings.Contains(out, "licence "+code) {
		t.Errorf("an altered licence was taken over: exit %d %s", exit, out)
	}
	g.login("hydj", "zhangbin").made("I-2")
}

// TestRolledBackDatabase: an older policy version than the one that was in force does not come back, neither while the gateway runs nor at
// its start, unless an operator says so.
func TestRolledBackDatabase(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, withConfig(strings.Replace(string(shipped), "		credential {", "		policy {\n			hold 4s\n		}\n		credential {", 1)))
	g.apply(platform)
	g.stop()
	file := g.dir + "/data/licgate.db"
	older, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g.run()
	g.apply(strings.Replace(platform, "needs: [issue,", "needs: [", 1)) // a right is withdrawn
	c := g.login("hydj", "zhangbin")
	if a := c.get("/license_item/list"); !a.ok() {
		t.Fatalf("before: %s", a.raw)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`DELETE FROM policy_versions WHERE number = 2`); err != nil {
		t.Fatal(err)
	}
	await(t, "decisions to be refused", func() bool { return c.get("/license_item/list").code() == "90002" })
	if log := g.log.String(); !strings.Contains(log, "the store was rolled back") {
		t.Errorf("no alarm in the log")
	}
	// Requests that nobody judged, and no orderly stop: the version still stands further back in the audit.
	for range 1100 {
		(&caller{g: g}).get("/nosuch")
	}
	g.kill()
	if err := os.WriteFile(file, older, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, side := range []string{"-wal", "-shm"} {
		_ = os.Remove(file + side)
	}
	g.log = nil
	if log := g.failsToStart(); !strings.Contains(log, "低于本节点审计记录中最后执行的版本 2") {
		t.Errorf("an older database: %s", log)
	}
	statement := filepath.Join(g.dir, "data", "policy.restored")
	for _, one := range []struct{ text, want string }{{"2", "不是数据库中的策略版本"}, {"1\n", ""}} {
		if err := os.WriteFile(statement, []byte(one.text), 0o600); err != nil {
			t.Fatal(err)
		}
		g.log = nil
		if one.want == "" {
			g.run()
		} else if log := g.failsToStart(); !strings.Contains(log, one.want) {
			t.Errorf("a statement of %q: %s", one.text, log)
		}
	}
	if _, err := os.Stat(statement); !os.IsNotExist(err) {
		t.Errorf("the statement is left: %v", err)
	}
	g.stop()
	g.run() // nobody has to say it twice
	if out := g.must("audit", "export"); !strings.Contains(out, "数据库恢复到策略版本 1（此前为 2）") {
		t.Error("the restoring is not on record")
	}
}
