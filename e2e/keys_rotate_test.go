package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// keysState is what licgate keys status --json shows.
type keysState struct {
	Keys []struct {
		ID, Department, State string
		Generation            int
		Shredded              bool
	}
	Jobs []struct {
		Number          int
		State, Phase    string
		Progress        struct{ Seen, Total int }
		Resealed        int
		Refused, Buried int
		Kept, Destroyed int
		Error           string
	}
}

func (g *gateway) keys() (s keysState) {
	g.t.Helper()
	if err := json.Unmarshal([]byte(g.must("keys", "status", "--json")), &s); err != nil {
		g.t.Fatal(err)
	}
	return s
}

const civil, otherOffice = "11110000000021135M", "91350100M000100Y43"

// strangersLicence issues one in the other department.
func (g *gateway) strangersLicence() (c *caller, auth string) {
	g.t.Helper()
	c = g.login("other", "stranger")
	a := c.post("/license/100185101/issue", object{"data": object{
		"service_item_code": "110103GA001", "service_item_name": "另一事项", "operator": operator(),
		"data_fields": object{"NAME": "李大华", "IDNUM": holderID},
	}})
	auth, _ = a.data()["auth_code"].(string)
	if !a.ok() || auth == "" {
		g.t.Fatalf("issuing in the other department: %s", a.raw)
	}
	return c, auth
}

// TestRotationUnderLoad: keys are rotated on a gateway that serves, and that is killed in the middle, several times. No answer is a refusal,
// no licence is lost, the work goes on by itself, and old keys go only when nothing needs them.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withKeys(t, "grace 10s")(g)
	g.run()
	g.apply(platform + powers)
	sys := g.as("sys")
	c := g.login("hydj", "zhangbin")
	var rows []any
	for i := range 2000 {
		rows = append(rows, object{"data_fields": marriageFields(fmt.Sprintf("B-%d", i)), "service_item_code": service, "service_item_name": "婚姻登记"})
	}
	for len(rows) > 0 {
		if a := c.post("/license/"+marriage+"/batch_create", wrapped(object{"licenses": rows[:500]})); !a.ok() {
			t.Fatalf("batch_create: %s", a.raw)
		}
		rows = rows[500:]
	}
	issued := map[string]string{}
	var inTheMiddle int
	for round := range 4 {
		var (
			mu   sync.Mutex
			wg   sync.WaitGroup
			gone atomic.Bool
		)
		for worker := range 3 {
			wg.Go(func() {
				for i := 0; !gone.Load(); i++ {
					number := fmt.Sprintf("R-%d-%d-%d", round, worker, i)
					code, ok := c.tryIssue(number)
					if !ok {
						if !gone.Load() {
							t.Errorf("%s was refused while keys were rotated", number)
						}
						return
					}
					mu.Lock()
					issued[number] = code
					mu.Unlock()
				}
			})
		}
		sys.must("keys", "rotate", "--detach", "--why", "演练")
		for {
			j := sys.keys().Jobs[0]
			if j.State != "running" || j.Phase == "licences" && j.Progress.Seen > 0 {
				break
			}
		}
		if round == 3 { // this one may end
			await(t, "the last rotation to seal all anew", func() bool { return sys.keys().Jobs[0].State != "running" })
			gone.Store(true)
			wg.Wait()
			break
		}
		gone.Store(true) // before, so that nobody takes the kill for a refusal
		g.kill()
		wg.Wait()
		g.run()
		if sys.keys().Jobs[0].State == "running" {
			inTheMiddle++
		}
		await(t, "the rotation to go on after the kill", func() bool { return sys.keys().Jobs[0].State != "running" })
	}
	if inTheMiddle == 0 {
		t.Error("no kill met a rotation in the middle: the test looks at nothing")
	}
	await(t, "old keys to be destroyed", func() bool {
		for _, j := range sys.keys().Jobs {
			if j.State != "done" {
				return false
			}
		}
		return true
	})
	s := sys.keys()
	for _, j := range s.Jobs {
		if j.Refused != 0 || j.Error != "" {
			t.Errorf("job %+v", j)
		}
	}
	active := 0
	for _, k := range s.Keys {
		if k.Generation > 5 {
			t.Errorf("more keys than rotations: %+v", k)
		}
		switch k.State {
		case "active":
			active++
		case "retired":
			t.Errorf("an old key is left: %+v", k)
		}
	}
	if active != 2 { // the department's, and that of what is no department's
		t.Errorf("%d active keys, want 2", active)
	}
	for number, code := range issued {
		a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": code, "abolish_reason": "演练"}))
		if !a.ok() {
			t.Fatalf("%s is lost: %s", number, a.raw)
		}
	}
	if a := c.post("/license/"+marriage+"/batch_sign", wrapped(object{})); !a.ok() {
		t.Errorf("those of before: %.300s", a.raw)
	}
	// Identity numbers of people were sealed anew: a declaration that gives the same ones changes nothing.
	sec := g.as("sec")
	write(t, g.dir+"/same.yaml", platform+powers)
	if out := sec.must("apply", "-f", g.dir+"/same.yaml"); !strings.Contains(out, "没有变化") {
		t.Errorf("after rotation: %s", out)
	}
	if out := g.must("doctor"); strings.Contains(out, "异常") {
		t.Errorf("after rotation: %s", out)
	}
	if out := g.as("aud").must("audit", "export", "--account", "sys"); !strings.Contains(out, "POST keys/rotate") || !strings.Contains(out, "演练") {
		t.Errorf("the rotation is not on record: %s", out)
	}
}

// TestShredDepartment: what was shredded does not exist, to nobody, while all others do; only who confirms and may can shred.
func TestShredDepartment(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sys, sec := g.as("sys"), g.as("sec")
	c := g.login("hydj", "zhangbin")
	code := c.made("S-1")
	auth, _ := c.authCode(nil)
	token := c.get("/license/token", "auth_code", auth).data()["license_access_token"].(string)
	stranger, theirs := g.strangersLicence()

	sys.refused("须由安全管理员执行", "keys", "shred", "--department", civil, "--confirm", civil, "--why", "x")
	sec.refused("须由系统管理员执行", "keys", "rotate")
	sec.refused("无法撤销", "keys", "shred", "--department", civil, "--why", "x")
	sec.refused("无法撤销", "keys", "shred", "--department", civil, "--confirm", otherOffice, "--why", "x")
	sec.refused("没有代码为", "keys", "shred", "--department", "X", "--confirm", "X", "--why", "x")
	if a := c.get("/license/get_license", "auth_code", auth); a.data()["license_code"] != code {
		t.Fatalf("before: %s", a.raw)
	}
	if out := sec.must("keys", "shred", "--department", civil, "--confirm", civil, "--why", "撤并"); !strings.Contains(out, "清除证照 1 份") {
		t.Errorf("shredded: %s", out)
	}
	unknown := c.get("/license/get_license", "auth_code", "lga1_"+strings.Repeat("A", 32))
	if a := c.get("/license/get_license", "auth_code", auth); a.code() != unknown.code() || a.message() != unknown.message() {
		t.Errorf("a shredded licence answers %s, one that never was %s", a.raw, unknown.raw)
	}
	if a := (&caller{g: g}).get("/license/view_license", "license_access_token", token); a.status == 200 {
		t.Errorf("its page: %d", a.status)
	}
	a := c.post("/license/auth", object{"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator(), "identity_number": holderID})
	if codes, _ := a.body["auth_codes"].([]any); len(codes) != 0 {
		t.Errorf("found by its holder: %s", a.raw)
	}
	if a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": code, "abolish_reason": "x"})); a.code() != "40004" {
		t.Errorf("abolishing: %s", a.raw)
	}
	if a := stranger.get("/license/get_license", "auth_code", theirs); !a.ok() {
		t.Errorf("the other department's: %s", a.raw)
	}
	if a := c.get("/security/get_current_user"); !a.ok() {
		t.Errorf("its sessions: %s", a.raw)
	}
	// The department can begin again.
	sys.must("keys", "rotate", "--department", civil)
	c.made("S-1")
	found := false
	for _, k := range sys.keys().Keys {
		found = found || k.Department == civil && k.Shredded
	}
	if !found {
		t.Error("keys status does not tell of the shredding")
	}
}

// TestShredLicence: one licence goes, and with its department's old key every copy of it; its neighbours stay.
func TestShredLicence(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withKeys(t, "grace 10s")(g)
	g.run()
	g.apply(platform + powers)
	sec := g.as("sec")
	c := g.login("hydj", "zhangbin")
	gone, stays := c.made("S-1"), c.made("S-2")
	sec.refused("没有这个编码", "keys", "shred", "--licence", "110000202600000000", "--confirm", "110000202600000000", "--why", "x")
	sec.must("keys", "shred", "--licence", gone, "--confirm", gone, "--why", "本人申请")
	if a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": gone, "abolish_reason": "x"})); a.code() != "40004" {
		t.Errorf("the shredded one: %s", a.raw)
	}
	sys := g.as("sys")
	await(t, "the old key to be destroyed", func() bool { return sys.keys().Jobs[0].State == "done" })
	if j := sys.keys().Jobs[0]; j.Destroyed != 1 || j.Kept != 0 {
		t.Errorf("job %+v", j)
	}
	if a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": stays, "abolish_reason": "x"})); !a.ok() {
		t.Errorf("its neighbour: %s", a.raw)
	}
	if t.Failed() {
		return
	}

	// While a value that does not open keeps the old key, a licence is not shredded, and the job says so. A row that was altered can be shredded too.
	spoilt, last := c.made("S-3"), c.made("S-4")
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	alter := func(set string) {
		t.Helper()
		if _, err := db.Exec(`UPDATE licences SET `+set+` WHERE code = ?`, spoilt); err != nil {
			t.Fatal(err)
		}
	}
	shred := func(code string) []string {
		return []string{"keys", "shred", "--licence", code, "--confirm", code, "--why", "本人申请"}
	}
	over := func(state string) {
		t.Helper()
		await(t, "a job to be over", func() bool { j := sys.keys().Jobs[0]; return j.State == "done" || j.State == "failed" })
		if j := sys.keys().Jobs[0]; j.State != state {
			t.Errorf("job %+v, want %s", j, state)
		}
	}
	alter(`biz_num = 'x'`)
	sec.must(shred(last)...)
	over("failed")
	if out := sys.must("keys", "status"); !strings.Contains(out, "备份中的副本仍可解开") {
		t.Errorf("status: %s", out)
	}
	var sealed []byte
	if err := db.QueryRow(`SELECT sealed FROM licences WHERE code = ?`, spoilt).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	alter(`sealed = CAST(x'01' || substr(sealed, 2) AS BLOB)`)
	sec.refused("由根密钥加密", shred(spoilt)...)
	alter(`sealed = x'09'`)
	sec.refused("看不出由哪个密钥加密", shred(spoilt)...)
	if _, err := db.Exec(`UPDATE licences SET sealed = ? WHERE code = ?`, sealed, spoilt); err != nil {
		t.Fatal(err)
	}
	sec.must(shred(spoilt)...)
	over("done")
	if log := g.log.String(); strings.Contains(log, gone) || strings.Contains(log, last) {
		t.Error("the log names a shredded licence")
	}
	if out := g.as("aud").must("audit", "export", "--account", "sec"); strings.Contains(out, gone) || !strings.Contains(out, "本人申请") {
		t.Error("the record names the licence in clear, or not the reason")
	}
}

// TestShreddingIsGoneOnWith: a licence whose row can't be emptied now is emptied as soon as it can, not taken for one that was.
func TestShreddingIsGoneOnWith(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec, sys := g.as("sec"), g.as("sys")
	code := g.login("hydj", "zhangbin").made("S-1")
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`PRAGMA busy_timeout = 10000; CREATE TRIGGER held BEFORE UPDATE ON licences WHEN new.state = 'DELETED' BEGIN SELECT RAISE(ABORT, 'held'); END`); err != nil {
		t.Fatal(err)
	}
	if out, _, exit := sec.command("keys", "shred", "--licence", code, "--confirm", code, "--why", "本人申请"); exit != 1 {
		t.Errorf("while it can't: exit %d %s", exit, out)
	}
	await(t, "the worker to fail too", func() bool { return sys.keys().Jobs[0].Error != "" })
	if _, err := db.Exec(`DROP TRIGGER held`); err != nil {
		t.Fatal(err)
	}
	await(t, "the row to be emptied", func() bool {
		var sealed []byte
		return db.QueryRow(`SELECT sealed FROM licences WHERE code = ?`, code).Scan(&sealed) == nil && sealed == nil
	})
	await(t, "the job to go on", func() bool { j := sys.keys().Jobs[0]; return j.Phase != "shred" && j.Error == "" })
}

// TestShreddingNeedsASecond: where changes wait for a second security administrator, what can't be undone does too.
func TestShreddingNeedsASecond(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights"))
	g.apply(platform + powers)
	sec, sec2 := g.as("sec"), g.as("sec2")
	c := g.login("hydj", "zhangbin")
	code := c.made("S-1")
	propose := func() {
		t.Helper()
		if out := sec.must("keys", "shred", "--department", civil, "--confirm", civil, "--why", "撤并"); !strings.Contains(out, "须由另一名安全管理员批准") {
			t.Errorf("proposed: %s", out)
		}
	}
	propose()
	sec.refused("不能批准自己的变更", "keys", "approve", "1")
	if out := sec2.must("keys", "status"); !strings.Contains(out, "licgate keys approve 1") || !strings.Contains(out, "撤并") {
		t.Errorf("status: %s", out)
	}
	sec2.must("keys", "reject", "1")
	sec2.refused("已经被批准、驳回", "keys", "approve", "1")
	sec2.refused("没有这个编号", "keys", "approve", "9")
	if a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": code, "abolish_reason": "x"})); !a.ok() {
		t.Fatalf("before approval: %s", a.raw)
	}
	// Who has the database alone approves nothing.
	propose()
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE key_jobs SET state = 'running' WHERE number = 2`); err != nil {
		t.Fatal(err)
	}
	sec2.refused("已经被", "keys", "approve", "2")
	propose()
	if out := sec2.must("keys", "approve", "3"); !strings.Contains(out, "清除证照 1 份") {
		t.Errorf("approved: %s", out)
	}
	if a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": code, "abolish_reason": "x"})); a.code() != "40004" {
		t.Errorf("after approval: %s", a.raw)
	}
}
