package e2e

import (
	"strings"
	"testing"

	"licgate/store/storetest"
)

// TestLocks: each kind of lock acts on the next request of what is locked and of nothing else, and ends by itself or by hand.
func TestLocks(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c, stranger := g.login("hydj", "zhangbin"), g.login("other", "stranger")
	c.made("L-1")
	auth, _ := c.authCode(nil)
	token := c.get("/license/token", "auth_code", auth).data()["license_access_token"].(string)
	page := func() answer { return (&caller{g: g}).get("/license/view_license", "license_access_token", token) }
	if a := page(); a.status != 200 {
		t.Fatalf("the page: %d", a.status)
	}
	whoami := func(c *caller) answer { return c.get("/security/get_current_user") }

	if out := g.must("lock", "account", "zhangbin", "--reason", "口令疑似泄露"); !strings.Contains(out, "结束 1 个会话") {
		t.Errorf("lock: %s", out)
	}
	if a := whoami(c); a.code() != "20002" {
		t.Errorf("a session of a locked account: %s", a.raw)
	}
	if a := page(); a.status == 200 {
		t.Error("a page of a locked account is shown")
	}
	login := (&caller{g: g}).post("/security/login", object{"app_key": "hydj", "app_secret": g.secrets["app_secret/hydj"], "account": "zhangbin", "password": g.secrets["password/zhangbin"]})
	if login.code() != "20003" || strings.Contains(string(login.raw), "锁定") && strings.Contains(string(login.raw), "泄露") {
		t.Errorf("login of a locked account: %s", login.raw)
	}
	if a := whoami(stranger); !a.ok() {
		t.Errorf("somebody else's session: %s", a.raw)
	}
	if out := g.must("lock", "list"); !strings.Contains(out, "口令疑似泄露") || !strings.Contains(out, "直到解除") {
		t.Errorf("list: %s", out)
	}
	if out := g.must("account", "list"); !strings.Contains(out, "锁定") {
		t.Errorf("accounts: %s", out)
	}
	if out := g.must("unlock", "account", "zhangbin"); !strings.Contains(out, "已解除") {
		t.Errorf("unlock: %s", out)
	}
	c = g.login("hydj", "zhangbin")

	g.must("lock", "item", marriage, "--reason", "目录核查")
	if a := c.post("/license/auth", object{"service_item_code": service, "service_item_name": "婚姻登记", "identity_number": holderID, "operator": operator()}); a.code() != "30004" {
		t.Errorf("a locked item: %s", a.raw)
	}
	g.must("lock", "item", marriage, "--reason", "目录核查", "--for", "1s") // in place of the other
	await(t, "the lock's end", func() bool {
		a := c.post("/license/auth", object{"service_item_code": service, "service_item_name": "婚姻登记", "identity_number": holderID, "operator": operator()})
		return a.ok()
	})

	g.must("lock", "app", "other", "--reason", "x")
	if a := whoami(stranger); a.code() != "20002" {
		t.Errorf("a locked application: %s", a.raw)
	}
	g.must("unlock", "app", "other")
	g.must("lock", "department", mzj, "--reason", "x")
	if a := whoami(c); a.code() != "20002" {
		t.Errorf("a locked department: %s", a.raw)
	}
	if a := whoami(g.login("other", "stranger")); !a.ok() {
		t.Errorf("another department: %s", a.raw)
	}
	g.must("unlock", "department", mzj)

	g.must("lock", "address", "127.0.0.0/8", "--reason", "扫描")
	if a := (&caller{g: g}).post("/security/login", object{}); a.code() != "20007" || a.status != 403 {
		t.Errorf("a locked address: %d %s", a.status, a.raw)
	}
	g.must("unlock", "address", "127.0.0.0/8")

	for name, test := range map[string]struct {
		code int
		want string
		args []string
	}{
		"no reason":      {2, "--reason", []string{"lock", "app", "hydj"}},
		"unknown kind":   {2, "可用", []string{"lock", "planet", "hydj", "--reason", "x"}},
		"unknown object": {1, "nosuch", []string{"lock", "app", "nosuch", "--reason", "x"}},
		"everybody":      {1, "", []string{"lock", "address", "0.0.0.0/0", "--reason", "x"}},
		"bad span":       {1, "时长", []string{"lock", "app", "hydj", "--reason", "x", "--for", "soon"}},
	} {
		if _, stderr, code := g.command(test.args...); code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit %d %s", name, code, stderr)
		}
	}
}

// TestUnlockForgivesFailures: an account that failed logins locked can log in as soon as an administrator says so.
func TestUnlockForgivesFailures(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	wrong := object{"app_key": "hydj", "app_secret": g.secrets["app_secret/hydj"], "account": "zhangbin", "password": "Wrong-Password-1"}
	var last answer
	for range 6 {
		last = (&caller{g: g}).post("/security/login", wrong)
	}
	if last.code() != "20004" {
		t.Fatalf("after six failures: %s", last.raw)
	}
	// What an administrator locked and what failed logins locked are told apart.
	if out := g.must("unlock", "account", "zhangbin"); out != "账户 zhangbin：没有管理员设置的锁定；登录失败造成的锁定已解除\n" {
		t.Errorf("of an account that failed logins locked: %s", out)
	}
	if out := g.must("unlock", "address", "127.0.0.1") + g.must("unlock", "address", "::1"); strings.Count(out, "没有管理员设置的锁定；登录失败造成的锁定已解除") != 1 ||
		strings.Count(out, "没有管理员设置的锁定；没有登录失败造成的锁定") != 1 {
		t.Errorf("of addresses, one of which failed logins locked: %s", out)
	}
	g.login("hydj", "zhangbin")
	g.must("lock", "account", "zhangbin", "--reason", "x")
	if out := g.must("unlock", "account", "zhangbin"); out != "账户 zhangbin：管理员设置的锁定已解除；没有登录失败造成的锁定\n" {
		t.Errorf("of an account that an administrator locked: %s", out)
	}
}

// TestUnknownNamesAreRefused: a typing error does not look like somebody who has no session, or no lock.
func TestUnknownNamesAreRefused(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	for want, args := range map[string][]string{
		`session end：没有账户 "nosuch"，请核对`:         {"session", "end", "--account", "nosuch"},
		`session end：没有应用 "nosuch"，请核对`:         {"session", "end", "--app", "nosuch"},
		`session end：没有单位 "nosuch"，请核对`:         {"session", "end", "--department", "nosuch"},
		`session list：没有账户 "nosuch"，请核对`:        {"session", "list", "--account", "nosuch"},
		`licgate lock：没有账户 "nosuch"，请核对`:        {"lock", "account", "nosuch", "--reason", "x"},
		`licgate unlock：没有账户 "nosuch"，请核对`:      {"unlock", "account", "nosuch"},
		`licgate unlock：没有应用 "nosuch"，请核对`:      {"unlock", "app", "nosuch"},
		`licgate unlock：没有单位 "nosuch"，请核对`:      {"unlock", "department", "nosuch"},
		`licgate unlock：没有证照目录 "305018299"，请核对`: {"unlock", "item", "305018299"},
		`licgate unlock：没有管理员 "nosuch"，请核对`:     {"unlock", "administrator", "nosuch"},
		`licgate unlock：应当是 IP 地址或网段`:           {"unlock", "address", "nosuch"},
	} {
		g.refused(want, args...)
	}
	// What is gone may still be locked.
	g.must("lock", "account", "maker", "--reason", "x")
	g.apply(edited("  - {account: maker, name: 制证人, department: 11110000000021135M, roles: [issuer]}\n", ""))
	if out := g.must("unlock", "account", "maker"); !strings.Contains(out, "管理员设置的锁定已解除") {
		t.Errorf("unlock of an account that is gone: %s", out)
	}
	g.refused(`没有账户 "maker"，请核对`, "unlock", "account", "maker")
}

// TestCompletion: the shell is offered what may be locked and unlocked.
func TestCompletion(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	for what, words := range map[string][]string{
		"lock":   {"list", "account", "address", "app", "department", "item"},
		"unlock": {"account", "address", "administrator", "app", "department", "item"},
	} {
		out := g.must("__complete", what, "")
		for _, word := range words {
			if !strings.Contains("\n"+out, "\n"+word+"\t") {
				t.Errorf("%s: no %s in %s", what, word, out)
			}
		}
	}
	if out := g.must("completion", "bash"); !strings.Contains(out, "licgate") {
		t.Errorf("the script: %.200s", out)
	}
}

// TestSecretRotation: two secrets are good until the old one's end; the last use of each is shown; a reset acts at once.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	old := g.secrets["app_secret/hydj"]
	c := g.login("hydj", "zhangbin")
	rotated := g.generated("app", "rotate-secret", "hydj", "--overlap", "1h")
	if rotated == old {
		t.Fatal("the secret is the same")
	}
	if a := c.get("/security/get_current_user"); !a.ok() {
		t.Errorf("a session across a rotation: %s", a.raw)
	}
	g.login("hydj", "zhangbin") // with the old one
	if out := g.must("app", "list"); strings.Count(out, "未使用") != 3 || !strings.Contains(out, "至 ") {
		t.Errorf("the new secret is not shown as unused: %s", out)
	}
	g.secrets["app_secret/hydj"] = rotated
	g.login("hydj", "zhangbin")
	try := func(secret string) answer {
		return (&caller{g: g}).post("/security/login", object{"app_key": "hydj", "app_secret": secret, "account": "zhangbin", "password": g.secrets["password/zhangbin"]})
	}
	again := g.generated("app", "rotate-secret", "hydj")
	if a := try(old); a.code() != "20003" {
		t.Errorf("the secret before the last: %s", a.raw)
	}
	if a := try(again); !a.ok() {
		t.Errorf("the newest secret: %s", a.raw)
	}
	if a := try(rotated); !a.ok() {
		t.Errorf("the new secret: %s", a.raw)
	}
	reset := g.generated("app", "reset-secret", "hydj")
	if a := try(rotated); a.code() != "20003" {
		t.Errorf("after a reset: %s", a.raw)
	}
	if a := try(reset); !a.ok() {
		t.Errorf("the reset secret: %s", a.raw)
	}
	if _, stderr, code := g.command("app", "rotate-secret", "hydj", "--overlap", "400d"); code != 1 {
		t.Errorf("an overlap of more than a year: exit %d %s", code, stderr)
	}
}

// TestLockReachesOtherNodes: a lock put at one node acts at the other within the second.
func TestLockReachesOtherNodes(t *testing.T) {
	t.Parallel()
	shared := withEnv("LICGATE_STORE=" + storetest.Postgres(t))
	first := start(t, shared)
	second := prepare(t, shared)
	copyKeys(t, first, second)
	second.run()
	first.apply(platform)
	second.secrets = first.secrets
	waitVersion(t, second, 1)
	c := second.login("hydj", "zhangbin")
	first.must("lock", "item", marriage, "--reason", "x")
	await(t, "the lock to reach the other node", func() bool {
		return c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields("N-1")})).code() == "30004"
	})
}
