package e2e

import (
	"database/sql"
	"encoding/json"
	"os"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// TestPolicyHistory: versions, a stale change, rollback, and the explanation of a refusal as it was decided.
func TestPolicyHistory(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	create := func(number string) answer {
		return c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields(number)}))
	}
	if a := create("P-1"); !a.ok() {
		t.Fatalf("with the grant: %s", a.raw)
	}
	g.apply(edited("needs: [issue, abolish, function_call, archive, web_view, mobile_search, sensitive]", "needs: [function_call]"))
	refused := create("P-2")
	if refused.code() != "30001" {
		t.Fatalf("the withdrawn grant still acts: %s", refused.raw)
	}

	_, stderr, code := g.command("app", "disable", "hydj", "--if-match", "1")
	if code != 1 || !strings.Contains(stderr, "版本 2") || !strings.Contains(stderr, "grants") {
		t.Errorf("a stale change: exit %d, %s", code, stderr)
	}
	var versions []struct {
		Number int64  `json:"number"`
		Parent string `json:"parent"`
		Hash   string `json:"hash"`
	}
	if err := json.Unmarshal([]byte(g.must("policy", "history", "--json")), &versions); err != nil || len(versions) != 2 ||
		versions[0].Number != 2 || versions[0].Parent != versions[1].Hash {
		t.Errorf("history: %v %+v", err, versions)
	}

	if out := g.must("policy", "rollback", "1", "--dry-run"); !strings.Contains(out, "预演") {
		t.Errorf("rehearsed rollback: %s", out)
	}
	g.must("policy", "rollback", "1", "--why", "误操作")
	if a := create("P-3"); !a.ok() {
		t.Errorf("after the rollback: %s", a.raw)
	}
	// The decision is explained as it was at its version, not as it would be now.
	var then struct {
		Allow   bool  `json:"allow"`
		Version int64 `json:"version"`
	}
	id := refused.body["response_id"].(string)
	if err := json.Unmarshal([]byte(g.must("policy", "explain", "--response-id", id, "--json")), &then); err != nil || then.Allow || then.Version != 2 {
		t.Errorf("the refusal explained: %v %+v", err, then)
	}
	question := []string{"policy", "explain", "--app", "hydj", "--account", "zhangbin", "--item", marriage, "--interface", "create", "--service-item", service, "--json"}
	if err := json.Unmarshal([]byte(g.must(question...)), &then); err != nil || !then.Allow || then.Version != 3 {
		t.Errorf("the same question now: %v %+v", err, then)
	}
	if _, stderr, code := g.command("policy", "rollback", "99"); code != 1 || !strings.Contains(stderr, "没有这个策略版本") {
		t.Errorf("rollback to nowhere: exit %d %s", code, stderr)
	}
	if _, _, code := g.command("policy", "rollback", "x"); code != 2 {
		t.Errorf("rollback to no number: exit %d", code)
	}
}

// TestExplainUnjudged: a request that was refused before the policy was asked is explained by what its record holds, and a question about
// nobody by that.
func TestExplainUnjudged(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	a := c.post("/license/"+marriage+"/create", object{"data": object{
		"data_fields": marriageFields("X-1"), "operator": operator(), "service_item_code": "110103NOSUCH", "service_item_name": "婚姻登记", "biz_num": "1",
	}})
	id, _ := a.body["response_id"].(string)
	if a.code() != "30003" {
		t.Fatalf("with an unknown service item: %s", a.raw)
	}
	out := g.must("policy", "explain", "--response-id", id)
	for _, want := range []string{"拒绝：在策略判定之前，错误码 30003：事项编码未登记", "原因：事项未登记、不属于该部门，或不可使用这种证照（service_item）", "处理：使用本部门已登记"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	var told struct {
		Allow    bool
		Reason   string
		Recorded struct {
			ErrorCode string `json:"error_code"`
			Unjudged  bool
			Remedy    string
		}
	}
	if err := json.Unmarshal([]byte(g.must("policy", "explain", "--json", "--response-id", id)), &told); err != nil || told.Allow || told.Reason != "service_item" ||
		told.Recorded.ErrorCode != "30003" || !told.Recorded.Unjudged || told.Recorded.Remedy == "" {
		t.Errorf("as JSON: %v %+v", err, told)
	}
	// One that no token came with has no reason of its own.
	a = (&caller{g: g}).get("/license_item/list")
	id, _ = a.body["response_id"].(string)
	if out := g.must("policy", "explain", "--response-id", id); !strings.Contains(out, "错误码 20001") || !strings.Contains(out, "处理：调用登录接口") {
		t.Errorf("without a token: %s", out)
	}
	question := []string{"policy", "explain", "--item", marriage, "--interface", "create", "--app"}
	if out := g.must(append(question, "nosuch", "--account", "zhangbin")...); !strings.Contains(out, "拒绝：没有这个应用 nosuch，请核对（no_app）") {
		t.Errorf("of an unknown application: %s", out)
	}
	if out := g.must(append(question, "hydj", "--account", "nosuch")...); !strings.Contains(out, "拒绝：没有这个账户 nosuch，请核对（no_account）") {
		t.Errorf("of an unknown account: %s", out)
	}
}

// TestApply: what administrators see of a declaration, good and bad.
func TestApply(t *testing.T) {
	t.Parallel()
	g := start(t)
	file := g.dir + "/p.yaml"
	write(t, file, platform)
	if out := g.must("apply", "-f", file, "--dry-run"); !strings.Contains(out, "+ 应用 hydj") || !strings.Contains(out, "预演") {
		t.Errorf("dry run: %s", out)
	}
	if out := g.must("export"); strings.Contains(out, "hydj") {
		t.Errorf("a dry run acted: %s", out)
	}
	g.apply(platform)
	if out := g.apply(platform); !strings.Contains(out, "没有变化") {
		t.Errorf("again: %s", out)
	}
	exported := g.must("export")
	for _, secret := range append([]string{spouseID, "hmac-sm3", "pbkdf2"}, values(g.secrets)...) {
		if strings.Contains(exported, secret) {
			t.Errorf("the export holds a secret")
		}
	}
	write(t, file, exported)
	if out := g.must("apply", "-f", file); !strings.Contains(out, "没有变化") {
		t.Errorf("the export applied: %s", out)
	}
	for name, test := range map[string]struct{ text, want string }{
		"unknown key":   {strings.Replace(platform, "app_key: hydj", "app_kye: hydj", 1), "app_kye"},
		"unknown need":  {strings.Replace(platform, "sensitive]}", "sensitve]}", 1), "sensitve"},
		"policy line":   {platform + "policy: |\n  p, app:hydj, *, *, steal, *, allow\n", "policy 第"},
		"foreign item":  {strings.Replace(platform, `items: ["305018201"]}`, `items: ["999999999"]}`, 1), "999999999"},
		"weak password": {strings.Replace(platform, "account: maker,", "account: maker, password: short,", 1), "password"},
	} {
		write(t, file, test.text)
		_, stderr, code := g.command("apply", "-f", file)
		if code != 1 || !strings.Contains(stderr, test.want) || !strings.Contains(stderr, "第 ") {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
	}
	c := g.login("hydj", "zhangbin")
	c.made("U-1")
	without := strings.Replace(platform, "  - license_item_code: \"305018201\"", "  - license_item_code: \"305018299\"", 1)
	write(t, file, strings.ReplaceAll(without, `["305018201"]`, `["305018299"]`))
	if _, stderr, code := g.command("apply", "-f", file); code != 1 || !strings.Contains(stderr, "已有电子证照") {
		t.Errorf("removing an item in use: exit %d %s", code, stderr)
	}
}

func values(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// TestDoctor: a healthy gateway passes; an altered policy version and key files that others may read do not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	g.must("app", "disable", "other", "--why", "test")
	if out := g.must("doctor"); strings.Contains(out, "异常") || !strings.Contains(out, "2 个版本") {
		t.Errorf("healthy: %s", out)
	}
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE policy_versions SET decided_by = 'somebody else' WHERE number = 1`); err != nil {
		t.Fatal(err)
	}
	if out, _, code := g.command("doctor"); code != 1 || !strings.Contains(out, "版本 1 缺失或被改动") {
		t.Errorf("an altered version: exit %d %s", code, out)
	}
	if err := os.Chmod(g.dir+"/data/keys/local.key", 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _, code := g.command("doctor"); code != 1 || !strings.Contains(out, "chmod 600") {
		t.Errorf("an open key file: exit %d %s", code, out)
	}
}
