package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const fullGrant = "needs: [issue, abolish, function_call, archive, web_view, mobile_search, sensitive]"

// TestRehearse: what a change would take and give, on paper and over what was done, without doing it.
func TestRehearse(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	c.made("R-1")
	c.made("R-2")
	seer := g.login("hydj", "seer")
	if _, a := seer.authCode(object{"show_sensitive_data": "true"}); !a.ok() {
		t.Fatalf("clear: %s", a.raw)
	}
	file := filepath.Join(g.dir, "next.yaml")
	write(t, file, edited(fullGrant, "needs: [abolish, function_call, archive, web_view, mobile_search]", "roles: [issuer]}", "roles: [issuer, archivist]}"))
	var plan struct {
		Changes []object
		Classes []string
		Shifts  []struct {
			Gained                                  bool
			Department, App, Item, Interface, Field string
			Accounts                                []string
		}
		Replay struct {
			Decisions int
			Different []struct {
				Interface, Field string
				Allow            bool
				Count            int
				ResponseID       string `json:"response_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(g.must("policy", "plan", "-f", file, "--json")), &plan); err != nil {
		t.Fatal(err)
	}
	lost, gained := map[string]bool{}, map[string]bool{}
	for _, s := range plan.Shifts {
		key := s.App + " " + s.Interface + s.Field + " " + strings.Join(s.Accounts, ",")
		if s.Gained {
			gained[key] = true
		} else {
			lost[key] = true
		}
	}
	for _, want := range []string{"hydj create maker,zhangbin", "hydj sign zhangbin", "hydj CYRSFZJHM seer"} {
		if !lost[want] {
			t.Errorf("not lost: %s\n%v", want, lost)
		}
	}
	if !gained["hydj archive maker"] {
		t.Errorf("not gained: archive of maker\n%v", gained)
	}
	replayed := map[string]int{}
	for _, d := range plan.Replay.Different {
		replayed[d.Interface+" "+d.Field] += d.Count
		if d.ResponseID == "" || d.Allow {
			t.Errorf("replayed: %+v", d)
		}
	}
	if replayed["create "] != 2 || replayed["auth CYRSFZJHM"] != 1 {
		t.Errorf("replayed: %v", replayed)
	}
	if len(plan.Classes) != 1 || plan.Classes[0] != "rights" {
		t.Errorf("classes: %v", plan.Classes)
	}
	out := g.must("policy", "plan", "-f", file)
	for _, want := range []string{"失去", "得到", "重放", "预演，未生效"} {
		if !strings.Contains(out, want) {
			t.Errorf("for people, without %q:\n%s", want, out)
		}
	}
	c.made("R-3") // nothing has changed
	g.must("apply", "-f", file)
	if out := g.must("policy", "diff", "1"); !strings.Contains(out, "失去") || !strings.Contains(out, "版本 1 → 版本 2") {
		t.Errorf("difference of versions: %s", out)
	}
	if out := g.must("policy", "diff", "2", "2"); !strings.Contains(out, "没有增减") {
		t.Errorf("difference to itself: %s", out)
	}
}

// TestNamedDecisions: a version that breaks one is not accepted; the file is read as it is at that time.
func TestNamedDecisions(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	decisions := g.decisions(`# 上线前必须成立
婚姻登记可制证: allow app=hydj account=zhangbin interface=create item=305018201 service_item=110103MZ001
外局不可废止: deny app=readonly account=stranger interface=abolish item=305018201
可见者可见: clear app=hydj account=seer item=305018201 field=CYRSFZJHM
`)
	if out := g.must("policy", "test"); !strings.Contains(out, "3 条中 3 条通过") {
		t.Errorf("in force: %s", out)
	}
	file := filepath.Join(g.dir, "next.yaml")
	write(t, file, edited(fullGrant, "needs: [function_call]"))
	g.refused("婚姻登记可制证", "apply", "-f", file)
	if out := g.must("policy", "plan", "-f", file); !strings.Contains(out, "命名判定不通过") || !strings.Contains(out, "可见者可见") {
		t.Errorf("rehearsed: %s", out)
	}
	if out := g.must("policy", "history"); strings.Contains(out, "版本 2") {
		t.Errorf("a broken version was accepted: %s", out)
	}
	// Who is refused because nobody has that name proves nothing, and the text does not contradict itself.
	write(t, decisions, "无人: deny app=readonly account=nosuch interface=abolish item=305018201\n无此系统: deny app=nosuch account=seer interface=abolish item=305018201\n"+
		"反了: clear app=readonly account=seer item=305018201 field=CYRSFZJHM\n")
	out, _, code := g.command("policy", "test")
	if code != 1 || !strings.Contains(out, "无人：所指的账户 nosuch 不存在，这条判定没有意义") || !strings.Contains(out, "无此系统：所指的应用 nosuch 不存在，这条判定没有意义") ||
		strings.Contains(out, "deny") || !strings.Contains(out, "反了：应为明文，实为脱敏（app_no_grant，") {
		t.Errorf("decisions about nobody: exit %d %s", code, out)
	}
	write(t, decisions, "外局不可废止: deny app=readonly\n")
	g.refused("第 1 行", "apply", "-f", file)
	write(t, decisions, "")
	g.must("apply", "-f", file)
	other := filepath.Join(g.dir, "other.txt")
	write(t, other, "仍可制证: allow app=hydj account=zhangbin interface=create item=305018201\n")
	g.refused("1 条命名判定未通过", "policy", "test", "-f", other)
	if out := g.must("policy", "test", "-f", other, "--version", "1"); !strings.Contains(out, "1 条通过") {
		t.Errorf("at an earlier version: %s", out)
	}
}

// TestNamedDecisionsThatWereBroken: a line that did not hold before a change refuses nothing, but is told; what takes away alone, or is forced,
// is warned of what it breaks; and what a change breaks of somebody whom it registers refuses it.
func TestNamedDecisionsThatWereBroken(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec := g.as("sec")
	decisions := g.decisions("外部应用不得: deny app=oldapp account=zhangbin interface=abolish item=305018201 department=11110000000021135M\n" +
		"可制证: allow app=hydj account=zhangbin interface=create item=305018201 service_item=110103MZ001\n" +
		"新人不得: deny app=hydj account=newcomer interface=create item=305018201 service_item=110103MZ001\n")
	const stale = "命名判定不通过，变更之前已如此，不因此拒绝：第 1 行 外部应用不得：所指的应用 oldapp 不存在"
	warned := func(want string, args ...string) {
		t.Helper()
		out, errs, code := sec.command(args...)
		if code != 0 || !strings.Contains(out, "已生效") || !strings.Contains(errs, "警告："+want) {
			t.Errorf("licgate %s: exit %d, want a warning %q\n%s%s", strings.Join(args, " "), code, want, out, errs)
		}
	}
	file := filepath.Join(g.dir, "next.yaml")
	next := func(pairs ...string) []string {
		write(t, file, edited(pairs...))
		return []string{"apply", "-f", file}
	}
	warned(stale, "account", "disable", "seer")
	warned(stale, next("name: 只查不发", "name: 只查")...)
	// Of a change it is said beforehand what would refuse it and what would not.
	breaking := next(fullGrant, "needs: [function_call]", "name: 只查不发", "name: 只查")
	if out := sec.must("policy", "plan", "-f", file); !strings.Contains(out, stale) || !strings.Contains(out, "命名判定不通过，将被拒绝：第 2 行 可制证：应为允许") {
		t.Errorf("rehearsed: %s", out)
	}
	out, errs, code := sec.command(breaking...)
	if code != 1 || !strings.Contains(errs, "可制证：应为允许，将为拒绝") || !strings.Contains(errs, "--force") || strings.Contains(errs, "oldapp") {
		t.Errorf("a change that breaks one: exit %d %s%s", code, out, errs)
	}
	const line = "  - {account: newcomer, name: 冯某, identity_num: \"110101199003070054\", department: 11110000000021135M, roles: [issuer]}\n"
	sec.refused("新人不得：应为拒绝，将为允许", next("name: 只查不发", "name: 只查", "\naccounts:\n", "\naccounts:\n"+line)...)
	// Whom a decision names can be removed, and who must go at once is not kept by a file that can't be read.
	warned("命名判定不通过，不因此拒绝：第 2 行 可制证：所指的账户 zhangbin 不存在", next("name: 只查不发", "name: 只查", accountLine("zhangbin"), "")...)
	write(t, decisions, "可制证: allow app=hydj\n")
	sec.refused("命名判定文件有误", next(accountLine("zhangbin"), "")...)
	warned("命名判定未能检查，不因此拒绝：命名判定文件有误", "app", "disable", "readonly")
	// Forced is on record.
	write(t, decisions, "制证人可制证: allow app=hydj account=maker interface=create item=305018201 service_item=110103MZ001\n")
	breaking = next(fullGrant, "needs: [function_call]", accountLine("zhangbin"), "")
	sec.refused("制证人可制证", breaking...)
	warned("命名判定不通过，不因此拒绝：第 1 行 制证人可制证", append(breaking, "--force")...)
	if out := g.as("aud").must("audit", "export", "--account", "sec"); !strings.Contains(out, "强制；变更") {
		t.Error("that a change was forced past the named decisions is not on record")
	}
}

// decisions writes the named test decisions of a gateway and returns their file.
func (g *gateway) decisions(text string) string {
	g.t.Helper()
	file := filepath.Join(g.dir, "data", "policy", "decisions.txt")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		g.t.Fatal(err)
	}
	write(g.t, file, text)
	return file
}

// accountLine is an account of the platform as it stands there.
func accountLine(name string) string {
	for line := range strings.Lines(platform) {
		if strings.Contains(line, "account: "+name+",") {
			return line
		}
	}
	panic("the platform has no account " + name)
}

// TestNamedDecisionsAndAdministrators: what concerns administrators alone is held to none, and who approves it learns none of them.
func TestNamedDecisionsAndAdministrators(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec, sys := g.as("sec"), g.as("sys")
	sec.proposed("admin", "reset-password", "aud")
	// The second proposal speaks of rights too, which are not other than those in force yet.
	file := filepath.Join(g.dir, "both.yaml")
	write(t, file, platform+strings.Replace(powers, "name: 郑安全", "name: 郑安", 1))
	sec.proposed("apply", "-f", file)
	decisions := g.decisions("外部应用不得: deny app=oldapp account=zhangbin interface=abolish item=305018201\n")
	quiet := func(one *gateway, want int, args ...string) {
		t.Helper()
		out, errs, code := one.command(args...)
		if text := out + errs; code != want || strings.Contains(text, "命名判定") || strings.Contains(text, "不得") {
			t.Errorf("licgate %s: exit %d, want %d and no word of named decisions\n%s", strings.Join(args, " "), code, want, text)
		}
	}
	quiet(sys, 0, "policy", "pending", "1")
	quiet(sys, 0, "policy", "approve", "1")
	quiet(sec, 0, "admin", "disable", "sec2")
	write(t, file, edited(fullGrant, "needs: [function_call]"))
	sec.must("apply", "-f", file)
	for _, text := range []string{"张斌不得: deny app=hydj account=zhangbin interface=create item=305018201 service_item=110103MZ001\n", "不得: deny\n"} {
		write(t, decisions, text)
		quiet(sys, 0, "policy", "pending", "2")
		quiet(sys, 1, "policy", "approve", "2")
	}
}

// TestExplainRefusals: the nearest miss, fields, and the way from a caller's response_id to the reason.
func TestExplainRefusals(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(edited("app_key: readonly\n    name: 只查不发\n    department: 11110000000021135M\n    rate: {per_second: 100000}\n    grants:\n      - {items: [\"305018201\"], needs: [function_call, web_view]}",
		"app_key: readonly\n    name: 只查不发\n    department: 11110000000021135M\n    rate: {per_second: 100000}\n    grants:\n      - {items: [\"305018201\"], needs: [archive], service_items: [110103MZ001]}"))
	ask := func(args ...string) string {
		return g.must(append([]string{"policy", "explain", "--item", marriage}, args...)...)
	}
	if out := ask("--app", "readonly", "--account", "zhangbin", "--interface", "archive", "--service-item", "x"); !strings.Contains(out, "差一点：若事项为 "+service) {
		t.Errorf("another service item: %s", out)
	}
	if out := ask("--app", "hydj", "--account", "maker", "--interface", "sign", "--service-item", service); !strings.Contains(out, "role:approver") {
		t.Errorf("a role that is missing: %s", out)
	}
	if out := ask("--app", "hydj", "--account", "seer", "--field", "CYRSFZJHM"); !strings.Contains(out, "明文显示") || !strings.Contains(out, "sensitive") {
		t.Errorf("a field in clear: %s", out)
	}
	if out := ask("--app", "hydj", "--account", "zhangbin", "--field", "CYRSFZJHM"); !strings.Contains(out, "脱敏") || !strings.Contains(out, "role:sensitive_reader") {
		t.Errorf("a masked field: %s", out)
	}
	refused := g.login("hydj", "nobody").post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields("E-1")}))
	id, _ := refused.body["response_id"].(string)
	inner, _ := refused.body["errors"].([]any)[0].(object)["inner_code"].(string)
	if inner != "account_no_role" {
		t.Errorf("no reason code: %s", refused.raw)
	}
	if out := g.must("policy", "explain", "--response-id", id); !strings.Contains(out, "account_no_role") || !strings.Contains(out, "差一点") {
		t.Errorf("by response_id: %s", out)
	}
	g.refused("没有应答标识", "policy", "explain", "--response-id", "00000000-0000-0000-0000-000000000000")
}

// TestWho: who may, by which line, since when, by whom, and how often it was used.
func TestWho(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	g.apply(edited("roles: [issuer]}", "roles: [issuer, user]}"))
	c := g.login("hydj", "seer")
	g.login("hydj", "zhangbin").made("W-1")
	for range 3 {
		if _, a := c.authCode(object{"show_sensitive_data": "true"}); !a.ok() {
			t.Fatalf("auth: %s", a.raw)
		}
	}
	type row struct {
		App, Account, Interface, Field string
		Lines                          []string
		Since                          int64
		By                             string
		Uses                           int
	}
	list := func(args ...string) map[string]row {
		t.Helper()
		var rows []row
		if err := json.Unmarshal([]byte(g.must(append([]string{"policy", "who", "--item", marriage, "--json"}, args...)...)), &rows); err != nil {
			t.Fatal(err)
		}
		by := map[string]row{}
		for _, r := range rows {
			by[r.App+" "+r.Account+" "+r.Interface+r.Field] = r
		}
		return by
	}
	field := list("--field", "CYRSFZJHM")
	if r := field["hydj seer CYRSFZJHM"]; len(field) != 1 || r.Uses != 3 || r.Since != 1 || r.By == "" || len(r.Lines) < 2 {
		t.Errorf("who sees the number: %+v", field)
	}
	calls := list("--interface", "auth")
	if r, ok := calls["hydj maker auth"]; !ok || r.Since != 2 || r.Uses != 0 {
		t.Errorf("who may call auth: %+v", calls)
	}
	if r := calls["hydj seer auth"]; r.Since != 1 || r.Uses != 3 {
		t.Errorf("who may call auth: %+v", calls)
	}
	if _, ok := calls["hydj nobody auth"]; ok {
		t.Error("an account without a role may call auth")
	}
	if out := g.must("policy", "who", "--item", marriage, "--field", "CYRSFZJHM"); !strings.Contains(out, "seer") || !strings.Contains(out, "明文") {
		t.Errorf("for people: %s", out)
	}
	g.refused("没有敏感数据项", "policy", "who", "--item", marriage, "--field", "JHZZH")
}
