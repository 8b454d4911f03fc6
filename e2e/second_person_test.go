package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proposed runs a command that must not act but wait for a second person.
func (g *gateway) proposed(args ...string) {
	g.t.Helper()
	out, stderr, code := g.command(args...)
	if code != 0 || !strings.Contains(out, "尚未生效，须由另一名管理员（系统、安全、审计均可）批准") || strings.Contains(out, "administrator_password") {
		g.t.Errorf("licgate %s: exit %d\n%s%s", strings.Join(args, " "), code, out, stderr)
	}
}

// declared writes powers with some text replaced, and returns the arguments that apply it.
func (g *gateway) declared(pairs ...string) []string {
	g.t.Helper()
	text := powers
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			g.t.Fatalf("no %q among the powers", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	dir, err := os.MkdirTemp(g.dir, "declared")
	if err != nil {
		g.t.Fatal(err)
	}
	file := filepath.Join(dir, "administrators.yaml")
	write(g.t, file, text)
	return []string{"apply", "-f", file}
}

// TestSecurityAloneOpensNoPower: with the shipped configuration, which names no class for approval, a security administrator alone comes
// by no other power, whichever way he tries, and force is none.
func TestSecurityAloneOpensNoPower(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec, aud := g.as("sec"), g.ownPassword("aud")
	const audit = "role: audit, identity_num: 110101199003070046"
	added := func(role string) []string {
		return g.declared(audit+"}", audit+"}\n  - {administrator: mine, name: 冯某, role: "+role+`, identity_num: "110101199003070054"}`)
	}
	for _, args := range [][]string{
		{"admin", "reset-password", "aud"},
		{"admin", "reset-password", "aud", "--force"},
		{"admin", "reset-password", "sys"},
		{"admin", "reset-password", "sec2"}, // in that name he could approve
		added("audit"), append(added("system"), "--force"), added("security"),
		g.declared("administrator: aud", "administrator: mine"),
		g.declared("administrator: sec2, name: 郑安全, role: security", "administrator: sec2, name: 郑安全, role: audit"),
		g.declared("role: audit, identity_num: 110101199003070046", `role: audit, identity_num: "110101199003070054"`),
		g.declared("role: audit", "role: audit, certificates: ["+strings.Repeat("a1", 32)+"]"),
		// One of each power must be left: else who is left would need nobody, or whoever reaches the endpoint would hold all of them.
		{"admin", "disable", "aud", "--force"},
		{"admin", "disable", "sys", "--force"},
	} {
		sec.proposed(args...)
	}
	sec.refused("口令不能由提交人写在文件中", g.declared("role: audit", "role: audit, password: Known-To-Sec-1")...)
	sec.refused("三员须齐备", "admin", "disable", "aud")

	// Whom he may disable he may not enable, nor bring back in another way.
	if out := sec.must("admin", "disable", "sec2"); !strings.Contains(out, "已生效") {
		t.Errorf("disabled: %s", out)
	}
	sec.proposed("admin", "enable", "sec2")
	sec.proposed("admin", "disable", "sec", "--force")
	sec.proposed(append(g.declared("administrator: sec, name: 吴安全, role: security", "administrator: sec, name: 吴安全, role: audit"), "--force")...)
	file := filepath.Join(g.dir, "none.yaml")
	write(t, file, "administrators: []\n")
	sec.proposed("apply", "-f", file, "--force")
	write(t, file, edited("name: 只查不发", "name: 只查不改")+strings.Replace(powers, "name: 郑安全", "name: 郑某", 1))
	sec.refused("请把管理员的变更单独提交", "apply", "-f", file)
	// Removed in one change and added in the next; and back to a version where things were otherwise.
	sec.must(g.declared("  - {administrator: sec2, name: 郑安全, role: security, identity_num: 110101199003070038}\n", "")...)
	sec.proposed(g.declared("administrator: sec2, name: 郑安全, role: security", "administrator: sec2, name: 郑安全, role: audit")...)
	sec.must("policy", "rollback", "1", "--force")
	if out := sec.must("admin", "list"); strings.Contains(out, "sec2") || strings.Count(out, "审计管理员") != 1 {
		t.Errorf("after the rollback: %s", out)
	}

	token := g.token("sec", g.ownPassword("sec"))
	for i := range 18 {
		if status, text := g.administer("POST", fmt.Sprintf("policy/pending/%d/approve", i+1), token, nil, object{}); status != http.StatusForbidden {
			t.Errorf("he approves his own proposal %d: %d %s", i+1, status, text)
		}
	}
	sec.refused("须由审计管理员执行", "audit", "search")
	if status := g.guess("aud", aud); status != http.StatusOK {
		t.Errorf("the audit administrator's own password: %d", status)
	}
}

// TestSecondPersonOpensAPower: any other administrator may approve a change of administrators. What it makes is shown to the approver
// alone, opens nothing until its owner has chosen another, and both names are on record.
func TestSecondPersonOpensAPower(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights"))
	g.apply(platform + powers)
	sec, sys, before := g.as("sec"), g.as("sys"), g.ownPassword("aud")
	sec.proposed("admin", "reset-password", "aud", "--why", "忘记口令")
	file := filepath.Join(g.dir, "p.yaml")
	write(t, file, edited("needs: [function_call, web_view]", "needs: [web_view]"))
	if out := sec.must("apply", "-f", file); !strings.Contains(out, "须由另一名安全管理员批准：licgate policy approve 2") {
		t.Errorf("rights: %s", out)
	}
	// Rights are none of the system administrator's business.
	if out := sys.must("policy", "pending"); !strings.Contains(out, "忘记口令") || strings.Contains(out, "\n2 ") {
		t.Errorf("what waits for the system administrator: %s", out)
	}
	for _, what := range []string{"pending", "approve", "reject"} {
		sys.refused("须由安全管理员办理", "policy", what, "2")
	}
	if out := sys.must("policy", "pending", "1"); !strings.Contains(out, "管理员 aud：password 已更换") {
		t.Errorf("the proposal: %s", out)
	}
	sec.refused("提交人不能批准自己的变更", "policy", "approve", "1")
	// A change of something else meanwhile does not stand in the way.
	sec.must("account", "disable", "zhangbin")

	out := sys.must("policy", "approve", "1", "--note", "本人到场", "--json")
	var done struct {
		Generated []struct{ Kind, Key, Value string }
		Pending   int64
	}
	if err := json.Unmarshal([]byte(out), &done); err != nil || done.Pending != 0 || len(done.Generated) != 1 || done.Generated[0].Key != "aud" {
		t.Fatalf("approved: %v %s", err, out)
	}
	if status := g.guess("aud", before); status != http.StatusUnauthorized {
		t.Errorf("the replaced password: %d", status)
	}
	if status := g.guess("aud", done.Generated[0].Value); status != http.StatusForbidden {
		t.Errorf("the password that the approver knows: %d", status)
	}
	sys.refused("已经被批准", "policy", "approve", "1")
	g.secrets["administrator_password/aud"], g.secrets["own/aud"] = done.Generated[0].Value, ""
	aud := g.as("aud")
	if out := aud.must("audit", "export", "--limit", "500"); !strings.Contains(out, "sec 提交，sys 批准；变更 1 项；忘记口令（批准：本人到场）") {
		t.Errorf("on record: %s", out)
	}
	if out := sec.must("policy", "history"); !strings.Contains(out, "sec，sys 批准") {
		t.Errorf("history: %s", out)
	}
	// The audit administrator helps the system administrator in turn, and may say no.
	sec.proposed("admin", "reset-password", "sys")
	aud.must("policy", "reject", "3", "--note", "未到场")
	sec.proposed("admin", "disable", "sys", "--force")
	if out := aud.must("policy", "approve", "4"); !strings.Contains(out, "已生效") {
		t.Errorf("by the audit administrator: %s", out)
	}
	sys.refused("登录已失效", "policy", "pending")
}

// TestLastAdministratorIsNotLockedOut: where nobody else could approve, a change of administrators goes through, says so and is on record.
func TestLastAdministratorIsNotLockedOut(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "administrators"))
	g.apply(platform)
	file := filepath.Join(g.dir, "one.yaml")
	write(t, file, `administrators: [{administrator: sec, name: 吴安全, role: security, identity_num: 11010119900307002X, password: First-Password-1}]`)
	g.must("apply", "-f", file, "--force")
	g.secrets["administrator_password/sec"] = "First-Password-1"
	sec := g.as("sec")
	secrets := filepath.Join(g.dir, "secrets.json")
	args := append(g.declared(), "--secrets-out", secrets)
	if _, stderr, code := sec.command(args...); code != 0 || !strings.Contains(stderr, "由 sec 一人生效") {
		t.Fatalf("by the only administrator: exit %d %s", code, stderr)
	}
	var made []struct{ Kind, Key, Value string }
	if err := json.Unmarshal([]byte(read(t, secrets)), &made); err != nil || len(made) != 3 {
		t.Fatalf("made: %v %v", err, made)
	}
	for _, one := range made {
		g.secrets[one.Kind+"/"+one.Key] = one.Value
	}
	if out := g.as("aud").must("audit", "export", "--limit", "500"); !strings.Contains(out, "无人可以批准，一人生效") {
		t.Errorf("on record: %s", out)
	}
	sec.proposed("admin", "reset-password", "aud") // from now on there is somebody
}

// TestResetIsAboutThatPassword: a reset that was proposed a second time, and waits while its owner has chosen another password, can't be
// approved later.
func TestResetIsAboutThatPassword(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec, sys := g.as("sec"), g.as("sys")
	sec.proposed("admin", "reset-password", "aud")
	sec.proposed("admin", "reset-password", "aud")
	g.secrets["administrator_password/aud"] = sys.generated("policy", "approve", "1")
	aud := g.ownPassword("aud")
	if out, stderr, code := sys.command("policy", "approve", "2"); code != 1 || strings.Contains(out, "administrator_password") {
		t.Errorf("the spare one: exit %d\n%s%s", code, out, stderr)
	}
	if status := g.guess("aud", aud); status != http.StatusOK {
		t.Errorf("the owner's password: %d", status)
	}
}

// TestSlowCallOfSomebodyDisabled: who is disabled while the body of his call comes in does nothing any more.
func TestSlowCallOfSomebodyDisabled(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec, sec2 := g.token("sec", g.ownPassword("sec")), g.token("sec2", g.ownPassword("sec2"))
	read, write := io.Pipe()
	disabled := make(chan struct{})
	go func() {
		_, _ = io.WriteString(write, `{"kind":"account",`)
		<-disabled
		_, _ = io.WriteString(write, `"key":"zhangbin","reason":"x"}`)
		write.Close()
	}()
	answered := make(chan int)
	go func() {
		status, _ := g.administer("POST", "locks", sec2, nil, read)
		answered <- status
	}()
	if status, text := g.administer("POST", "administrators/sec2/disable", sec, nil, object{}); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	close(disabled)
	if status := <-answered; status != http.StatusUnauthorized {
		t.Errorf("the slow call: %d", status)
	}
}
