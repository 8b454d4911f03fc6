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
