package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// powers are three administrators and a second security administrator, all invented.
const powers = `
administrators:
  - {administrator: sys, name: 周运维, role: system, identity_num: 110101199003070011}
  - {administrator: sec, name: 吴安全, role: security, identity_num: 11010119900307002X}
  - {administrator: sec2, name: 郑安全, role: security, identity_num: 110101199003070038}
  - {administrator: aud, name: 王审计, role: audit, identity_num: 110101199003070046}
`

// as runs a command in the name of an administrator; "" is somebody who reaches the socket and has not logged in.
func (g *gateway) as(name string) *gateway {
	g.t.Helper()
	other := *g
	home := filepath.Join(g.dir, "home-"+name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		g.t.Fatal(err)
	}
	other.env = append(append([]string{}, g.env...), "XDG_CONFIG_HOME="+home)
	if name != "" {
		other.logIn(name, other.ownPassword(name))
	}
	return &other
}

// ownPassword is the one that an administrator chose in place of the first one, which somebody else knows.
func (g *gateway) ownPassword(name string) string {
	g.t.Helper()
	given := "administrator_password/" + name
	if g.secrets["own/"+name] == "" {
		own := "Own-Password-of-" + name + "-1"
		if out, code := g.withInput(g.secrets[given]+"\n"+own+"\n", "admin", "password", name); code != 0 {
			g.t.Fatalf("the own password of %s: %s", name, out)
		}
		g.secrets["own/"+name] = own
	}
	return g.secrets["own/"+name]
}

func (g *gateway) logIn(name, password string) {
	g.t.Helper()
	if out, code := g.withInput(password+"\n", "admin", "login", name); code != 0 {
		g.t.Fatalf("login of %s: %s", name, out)
	}
}

// withInput runs a command that reads its standard input.
func (g *gateway) withInput(input string, args ...string) (string, int) {
	g.t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env, cmd.Dir, cmd.Stdin = g.env, g.dir, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// refused runs a command that must fail and say why.
func (g *gateway) refused(want string, args ...string) {
	g.t.Helper()
	out, stderr, code := g.command(args...)
	if code != 1 || !strings.Contains(stderr, want) {
		g.t.Errorf("licgate %s: exit %d, want 1 and %q\n%s%s", strings.Join(args, " "), code, want, out, stderr)
	}
}

// TestThreePowers: once administrators are declared, each can do what is theirs and nobody else's, and nobody without a login.
func TestThreePowers(t *testing.T) {
	t.Parallel()
	g := start(t)
	if out := g.must("admin", "whoami"); !strings.Contains(out, "尚未启用三员分立") {
		t.Errorf("before: %s", out)
	}
	g.apply(platform + powers)

	nobody, sys, sec, aud := g.as(""), g.as("sys"), g.as("sec"), g.as("aud")
	nobody.refused("请先登录", "policy", "history")
	nobody.refused("尚未登录", "admin", "whoami")
	nobody.refused("尚未登录", "admin", "whoami", "--json")
	nobody.refused("请先登录", "export")
	nobody.refused("请先登录", "audit", "search")
	nobody.refused("请先登录", "app", "disable", "hydj")
	sys.refused("须由安全管理员执行", "policy", "history")
	sys.refused("须由安全管理员执行", "lock", "account", "zhangbin", "--reason", "x")
	sys.refused("须由审计管理员执行", "audit", "verify")
	aud.refused("须由安全管理员执行", "app", "disable", "hydj")
	sec.refused("须由审计管理员执行", "audit", "search")
	if out := sec.must("policy", "history"); !strings.Contains(out, "版本 1") {
		t.Errorf("the security administrator's own: %s", out)
	}
	if out := aud.must("audit", "verify"); !strings.Contains(out, "完整") {
		t.Errorf("the audit administrator's own: %s", out)
	}
	if out := sys.must("admin", "whoami"); !strings.Contains(out, "sys（系统管理员）") {
		t.Errorf("who am I: %s", out)
	}
	// Refused calls are on record, with who tried.
	if out := aud.must("audit", "export", "--account", "sys"); !strings.Contains(out, "no_power") {
		t.Errorf("a refused call is not on record: %s", out)
	}
	if out := g.must("doctor"); !strings.Contains(out, "[未查] 策略版本链：") || !strings.HasSuffix(out, "未查 1 项：策略版本链\n") {
		t.Errorf("the doctor of nobody: %s", out)
	}
	if out := g.must("doctor", "--json"); strings.Count(out, `"result": "skip"`) != 1 || strings.Contains(out, `"result": "fail"`) {
		t.Errorf("the doctor of nobody: %s", out)
	}

	// Nobody holds two powers, under whatever name.
	file := filepath.Join(g.dir, "two.yaml")
	write(t, file, strings.Replace(powers, "110101199003070046", "11010119900307002X", 1))
	sec.refused("aud", "apply", "-f", file)
	// The last security administrator can't be locked out by mistake, and not without a trace.
	sec.must("admin", "disable", "sec2")
	sec.refused("没有可用的安全管理员", "admin", "disable", "sec")
	sec.refused("三员须齐备", "admin", "disable", "aud")
	write(t, file, "applications: []\naccounts: []\n")
	sec.refused("收回全部应用或全部账户的权利", "apply", "-f", file)
	sec.must("apply", "-f", file, "--force", "--why", "演练")
	if out := aud.must("audit", "export", "--account", "sec"); !strings.Contains(out, "强制；变更") {
		t.Errorf("a forced change is not on record as forced: %s", out)
	}
	sec.must("policy", "rollback", "1")
	sec.must("admin", "disable", "sec", "--force")
	sys.must("policy", "approve", "1")
	nobody.must("policy", "history") // no security administrator: the powers are whole again
}

// TestAdministratorLogin: lockout, own password, logout, and the end of a login with the password it was opened by.
func TestAdministratorLogin(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec := g.as("sec")
	if out, code := sec.withInput("wrong\nNew-Password-123\n", "admin", "password", "sec"); code != 1 || !strings.Contains(out, "口令不正确") {
		t.Errorf("with a wrong password: exit %d %s", code, out)
	}
	if out, code := sec.withInput(g.secrets["administrator_password/sec2"]+"\n", "admin", "login", "sec2"); code != 1 || !strings.Contains(out, "初始口令") {
		t.Errorf("with the password that somebody else set: exit %d %s", code, out)
	}
	sec2 := g.as("sec2")
	old := g.ownPassword("sec2")
	if out, code := sec.withInput(old+"\nshort\n", "admin", "password", "sec2"); code != 1 || !strings.Contains(out, "口令") {
		t.Errorf("a weak new password: exit %d %s", code, out)
	}
	if out, code := sec.withInput(old+"\nAnother-Long-Pass1\n", "admin", "password", "sec2"); code != 0 {
		t.Errorf("own password: exit %d %s", code, out)
	}
	sec2.refused("登录已失效", "policy", "history")
	if out, code := sec2.withInput(old+"\n", "admin", "login", "sec2"); code != 1 || !strings.Contains(out, "口令不正确") {
		t.Errorf("the old password: exit %d %s", code, out)
	}
	sec2.logIn("sec2", "Another-Long-Pass1")
	sec2.must("policy", "history")
	sec2.must("admin", "logout")
	sec2.refused("请先登录", "policy", "history")
	sec.must("admin", "disable", "sec2")
	if _, code := sec2.withInput("Another-Long-Pass1\n", "admin", "login", "sec2"); code != 1 {
		t.Error("a disabled administrator logs in")
	}
	for range 6 {
		if out, code := sec2.withInput("Wrong-Password-1\n", "admin", "login", "aud"); code != 1 {
			t.Fatalf("a wrong password: %s", out)
		} else if strings.Contains(out, "失败次数过多") {
			return
		}
	}
	t.Error("an administrator's password can be guessed for ever")
}

// withApproval is the shipped Caddyfile with changes that a second person has to approve.
func withApproval(t *testing.T, classes string) option {
	t.Helper()
	shipped, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(shipped), "		credential {", "		policy {\n			approval "+classes+"\n		}\n		credential {", 1)
	if text == string(shipped) {
		t.Fatal("the shipped Caddyfile has no credential block")
	}
	return withConfig(text)
}

// TestApproval: a change of a class that asks for it waits for another security administrator, acts then and not before, and what is
// approved is what was seen.
func TestApproval(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights administrators"))
	g.apply(platform + powers)
	sec, sec2 := g.as("sec"), g.as("sec2")
	c := g.login("hydj", "zhangbin")
	file := filepath.Join(g.dir, "p.yaml")
	declare := func(from, to string) string {
		t.Helper()
		write(t, file, edited(from, to))
		return sec.must("apply", "-f", file, "--why", "缩小授权")
	}
	const grant = "needs: [issue, abolish, function_call, archive, web_view, mobile_search, sensitive]"
	if out := declare(grant, "needs: [function_call]"); !strings.Contains(out, "licgate policy approve 1\n") || !strings.Contains(out, "（权限）") {
		t.Errorf("proposed: %s", out)
	}
	c.made("A-1") // nothing has changed yet
	if out := sec2.must("policy", "pending"); !strings.Contains(out, "缩小授权") || !strings.Contains(out, "待批") {
		t.Errorf("pending: %s", out)
	}
	if out := sec2.must("policy", "pending", "1"); !strings.Contains(out, "grants") {
		t.Errorf("its content: %s", out)
	}
	sec.refused("另一名安全管理员", "policy", "approve", "1")
	if out := sec2.must("policy", "approve", "1", "--note", "同意"); !strings.Contains(out, "已生效，策略版本 4") { // two own passwords came before
		t.Errorf("approved: %s", out)
	}
	if a := c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields("A-2")})); a.code() != "30001" {
		t.Errorf("after approval: %s", a.raw)
	}
	sec2.refused("已经被批准", "policy", "approve", "1")
	if out := sec.must("policy", "history"); !strings.Contains(out, "sec，sec2 批准") {
		t.Errorf("history: %s", out)
	}
	if out := g.must("doctor"); strings.Contains(out, "异常") {
		t.Errorf("an approved version in the chain: %s", out)
	}

	// Rejected, withdrawn, and overtaken by another change.
	declare("needs: [function_call, web_view]", "needs: [web_view]")
	sec2.must("policy", "reject", "2", "--note", "不妥")
	sec2.refused("已经被", "policy", "approve", "2")
	declare("needs: [function_call, web_view]", "needs: [web_view]")
	// An application that came meanwhile would be taken away by what was proposed before it.
	write(t, file, edited(grant, "needs: [function_call]", "accounts:", "  - {app_key: late, name: 后来的系统, department: 11110000000021135M}\naccounts:"))
	if out := sec.must("apply", "-f", file); !strings.Contains(out, "已生效") {
		t.Errorf("of no class that waits: %s", out)
	}
	sec2.refused("与提交时不同", "policy", "approve", "3")
	sec2.refused("没有这个编号", "policy", "approve", "99")
	// A secret in a proposed file is in force from approval on, and nowhere in clear before.
	write(t, file, edited("name: 只查不发", "name: 只查不发\n    secret: proposed-secret-value"))
	out := sec.must("apply", "-f", file)
	if strings.Contains(out, "proposed-secret-value") {
		t.Errorf("a secret is shown: %s", out)
	}
	db, err := os.ReadFile(filepath.Join(g.dir, "data", "licgate.db-wal"))
	if err != nil || strings.Contains(string(db), "proposed-secret-value") {
		t.Errorf("a proposed secret lies in the database: %v", err)
	}
}
