package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"licgate/store/storetest"
)

// administer sends one call to the admin socket, with a body that the commands would not send.
func (g *gateway) administer(method, path, token string, header http.Header, body any) (int, string) {
	g.t.Helper()
	client := g.adminClient()
	defer client.CloseIdleConnections()
	var text io.Reader
	switch b := body.(type) {
	case io.Reader: // that comes as it likes
		text = b
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			g.t.Fatal(err)
		}
		text = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, "http://127.0.0.1/licgate/"+path, text)
	if err != nil {
		g.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		g.t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Error(err)
	}
	return resp.StatusCode, string(answer)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// token logs an administrator in.
func (g *gateway) token(name, password string) string {
	g.t.Helper()
	var s struct{ Token string }
	status, text := g.administer("POST", "administrators/login", "", nil, object{"administrator": name, "password": password})
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Token == "" {
		g.t.Fatalf("login of %s: %d %s", name, status, text)
	}
	return s.Token
}

// guess tries an administrator's password.
func (g *gateway) guess(name, password string) int {
	g.t.Helper()
	status, _ := g.administer("POST", "administrators/login", "", nil, object{"administrator": name, "password": password})
	return status
}

// TestResetIsShownToTheApprover: who proposes a new password for another administrator never learns it, and the approver's knowledge
// ends when its owner logs in.
func TestResetIsShownToTheApprover(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights"))
	g.apply(platform + powers)
	sec, sec2 := g.as("sec"), g.as("sec2")
	before := g.ownPassword("aud")
	secrets := filepath.Join(g.dir, "reset.json")
	if out := sec.must("admin", "reset-password", "aud", "--secrets-out", secrets); !strings.Contains(out, "licgate policy approve 1 --secrets-out FILE") || strings.Contains(out, "administrator_password") {
		t.Errorf("proposed: %s", out)
	}
	if left, _ := filepath.Glob(secrets + "*"); len(left) > 0 {
		t.Errorf("without a secret there are files: %v", left)
	}
	if status := g.guess("aud", before); status != http.StatusOK {
		t.Errorf("the password before approval: %d", status)
	}
	sec2.must("policy", "approve", "1", "--secrets-out", secrets)
	var made []struct{ Kind, Key, Value string }
	if err := json.Unmarshal([]byte(read(t, secrets)), &made); err != nil || len(made) != 1 || made[0].Key != "aud" {
		t.Fatalf("made: %v %v", err, made)
	}
	if status := g.guess("aud", before); status != http.StatusUnauthorized {
		t.Errorf("the replaced password: %d", status)
	}
	// It opens nothing: only its owner's own choice does.
	if status := g.guess("aud", made[0].Value); status != http.StatusForbidden {
		t.Errorf("the password that the approver knows: %d", status)
	}
	g.secrets["administrator_password/aud"], g.secrets["own/aud"] = made[0].Value, ""
	g.as("aud").must("audit", "verify")
}

// TestGuessingAdministrators: neither the public port nor guesses at other names lock an administrator out, and guesses side by side
// are counted like those one after another.
func TestGuessingAdministrators(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec := g.ownPassword("sec")
	for range 6 {
		(&caller{g: g}).post("/security/login", object{"app_key": "admin:console", "app_secret": "xxxxxxxxxx", "account": "admin:sec", "password": "Wrong-pass-1"})
	}
	for i := range 6 {
		g.guess(fmt.Sprint("nobody", i), "Wrong-pass-1")
	}
	if status := g.guess("sec", sec); status != http.StatusOK {
		t.Errorf("the right password after others' failures: %d", status)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	count := map[int]int{}
	for i := range 40 {
		all.Go(func() {
			status := g.guess("sec2", fmt.Sprint("Wrong-", i))
			mu.Lock()
			defer mu.Unlock()
			count[status]++
		})
	}
	all.Wait()
	// Five, and at most one more a core that was being looked at when the fifth failed.
	if count[http.StatusUnauthorized] > 5+16 || count[http.StatusTooManyRequests] < 10 || count[http.StatusUnauthorized]+count[http.StatusTooManyRequests] != 40 {
		t.Errorf("of 40 guesses at once: %v", count)
	}
	g.as("sec").must("unlock", "administrator", "sec2")
	g.as("sec2").must("policy", "history")
}

// TestApproverSeesWhatIsAdded: what a new application may do stands in the proposal, as does what it would give to whom.
func TestApproverSeesWhatIsAdded(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights credentials administrators"))
	g.apply(platform + powers)
	sec, sec2 := g.as("sec"), g.as("sec2")
	file := filepath.Join(g.dir, "more.yaml")
	const quiet = "  - app_key: quiet\n    name: 报表\n    department: 11110000000021135M\n    grants:\n      - {items: [\"*\"], needs: [archive, mobile_search, sensitive]}\n  - app_key: other\n"
	pin := strings.Repeat("a1", 32)
	write(t, file, strings.Replace(platform, "  - app_key: other\n", quiet, 1)+powers+
		"  - {administrator: newone, name: 某, role: security, identity_num: \"110101199003070054\", certificates: [\""+pin+"\"]}\n")
	sec.must("apply", "-f", file)
	out := sec2.must("policy", "pending", "1")
	for _, want := range []string{
		"department 11110000000021135M", "needs archive、mobile_search、sensitive", "secret (已设置)", // of the application
		"role security", pin, // of the administrator
		"得到", "应用 quiet", // of its rights
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the approver does not see %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "某") || strings.Contains(out, "110101199003070054") {
		t.Errorf("a person's name or number is shown: %s", out)
	}
}

// TestReaddedApplicationIsACredential: removing an application and adding it again with a secret of one's choice is no way around the
// approval of credentials.
func TestReaddedApplicationIsACredential(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "credentials"))
	g.apply(platform + powers)
	sec := g.as("sec")
	file := filepath.Join(g.dir, "p.yaml")
	write(t, file, platform[:strings.Index(platform, "  - app_key: hydj")]+platform[strings.Index(platform, "  - app_key: other"):])
	if out := sec.must("apply", "-f", file); !strings.Contains(out, "已生效") {
		t.Errorf("removed: %s", out)
	}
	write(t, file, strings.Replace(platform, "    ip_allow: [\"127.0.0.0/8\", \"::1\"]\n", "    secret: known-secret-123\n", 1))
	if out := sec.must("apply", "-f", file); !strings.Contains(out, "licgate policy approve 1") || !strings.Contains(out, "密钥与口令") {
		t.Errorf("added again: %s", out)
	}
}

// TestForcedProposalsSaySo: an approver is told that a change was proposed with force.
func TestForcedProposalsSaySo(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights"))
	g.apply(platform + powers)
	file := filepath.Join(g.dir, "none.yaml")
	write(t, file, "applications: []\naccounts: []\n")
	g.as("sec").must("apply", "-f", file, "--force")
	if out := g.as("sec2").must("policy", "pending", "1"); !strings.Contains(out, "强制") || !strings.Contains(out, "失去") {
		t.Errorf("pending: %s", out)
	}
}

// TestProposerLosesThePower: what was proposed by somebody who may not propose any more is not approved.
func TestProposerLosesThePower(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights"))
	g.apply(platform + powers + "  - {administrator: sec3, name: 冯安全, role: security, identity_num: \"110101199003070054\"}\n")
	file := filepath.Join(g.dir, "p.yaml")
	write(t, file, edited("needs: [function_call, web_view]", "needs: [web_view]"))
	sec, sec2 := g.as("sec"), g.as("sec2")
	sec.must("apply", "-f", file)
	g.as("sec3").must("admin", "disable", "sec") // waits too: administrators are approved wherever anything is
	sec2.must("policy", "approve", "2")
	sec2.refused("提交人现在不是", "policy", "approve", "1")
	// The declaration of what was decided is gone: its hashes are of no more use to anybody.
	sec2.must("policy", "reject", "1", "--note", "提交人已停用")
	sec2.refused("已经被", "policy", "approve", "1")
}

// TestSameDifferenceOtherRights: a proposal whose difference is still the same, but would give other rights over what was accepted
// since, is not approved.
func TestSameDifferenceOtherRights(t *testing.T) {
	t.Parallel()
	g := start(t, withApproval(t, "rights"))
	g.apply(platform + powers)
	sec, sec2 := g.as("sec"), g.as("sec2")
	applications, accounts, _ := strings.Cut(platform[strings.Index(platform, "applications:"):], "accounts:\n")
	declare := func(text string) {
		t.Helper()
		file := filepath.Join(g.dir, "p.yaml")
		write(t, file, text)
		sec.must("apply", "-f", file)
	}
	declare(strings.Replace(applications, "needs: [function_call, web_view]", "needs: [function_call, web_view, archive]", 1))
	declare("accounts:\n  - {account: extra, name: 某, department: " + mzj + ", roles: [user, archivist]}\n" + accounts)
	sec2.must("policy", "approve", "2")
	sec2.refused("与提交时不同", "policy", "approve", "1")
}

// TestChangesWaitForNoPasswords: a lock acts while another administrator's file with many passwords is being read.
func TestChangesWaitForNoPasswords(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	var more strings.Builder
	for i := range 60 {
		fmt.Fprintf(&more, "  - {account: bulk%d, name: 某, department: 11110000000021135M, password: \"Abcdefg-%d-xyz\"}\n", i, i)
	}
	file := strings.Replace(platform, "\naccounts:\n", "\naccounts:\n"+more.String(), 1)
	applied := make(chan int, 1)
	go func() {
		status, _ := g.administer("POST", "registry/apply", "", nil, object{"file": file})
		applied <- status
	}()
	await(t, "the call on record", func() bool {
		return strings.Contains(g.must("audit", "export", "--interface", "registry/apply"), "ATTEMPT")
	})
	if status, text := g.administer("POST", "locks", "", nil, object{"kind": "account", "key": "zhangbin", "reason": "x"}); status != http.StatusOK {
		t.Errorf("lock: %d %s", status, text)
	}
	if a := c.get("/security/get_current_user"); a.code() != "20002" {
		t.Errorf("a locked account's call: %s", a.raw)
	}
	select {
	case status := <-applied:
		t.Fatalf("the passwords were hashed before the lock acted (%d): this proves nothing", status)
	default:
	}
	if status := <-applied; status != http.StatusOK {
		t.Errorf("apply: %d", status)
	}
	if a := c.get("/security/get_current_user"); a.code() != "20002" {
		t.Errorf("the lock is lost with the new version: %s", a.raw)
	}
}

// TestRecordsNameWhoReally: nobody is on record in an administrator's name who did not log in as that, and a failed login names whom it
// was for.
func TestRecordsNameWhoReally(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	claim := http.Header{"Licgate-Operator": {"sec"}}
	g.administer("POST", "administrators/logout", "", claim, nil)
	g.administer("POST", "registry/applications/hydj/disable", "", claim, object{})
	g.administer("POST", "administrators/logout", "", http.Header{"Licgate-Operator": {"x y\tz"}}, nil)
	g.guess("sec2", "wrong")
	g.guess("nobody \x1b[8m"+strings.Repeat("长", 1000), "wrong")
	g.as("sec2").must("lock", "account", "zhangbin", "--reason", "口令泄露")
	aud := g.as("aud")
	if out, code := aud.withInput(holderID+"\n", "audit", "search", "--identity"); code != 0 {
		t.Errorf("search by holder: %s", out)
	}
	records := aud.must("audit", "export", "--limit", "500")
	if strings.Contains(records, holderID) {
		t.Error("the number that an auditor searched by is on record")
	}
	if strings.Contains(records, `"account":"sec"`) {
		t.Error("somebody who did not log in is on record as sec")
	}
	for _, want := range []string{`"account":"os:sec"`, `os:\"x y\\tz\"`, "administrator=sec2", "kind=account key=zhangbin", "reason=口令泄露", " identity="} {
		if !strings.Contains(records, want) {
			t.Errorf("no %s on record:\n%s", want, records)
		}
	}
	failed := false
	for line := range strings.Lines(records) {
		failed = failed || strings.Contains(line, "administrator=sec2") && strings.Contains(line, `"outcome":"FAILURE"`) && strings.Contains(line, `"reason":"401"`)
		if len(line) > 3000 || strings.Contains(line, `\u001b`) {
			t.Errorf("a record repeats what a caller made up: %.200s", line)
		}
	}
	if !failed {
		t.Errorf("a failed login is not on record as such:\n%s", records)
	}
}

// TestAdminRefusesOddInput: each is refused with its cause, and changes nothing.
func TestAdminRefusesOddInput(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec := g.token("sec", g.ownPassword("sec"))
	sys := g.token("sys", g.ownPassword("sys"))
	sec2 := g.ownPassword("sec2")
	before := g.as("sec").must("policy", "history", "--limit", "1")
	tag := func(text string) http.Header { return http.Header{"If-Match": {text}} }
	for name, test := range map[string]struct {
		token, path string
		header      http.Header
		body        object
		status      int
		want        string
	}{
		"empty new password":   {"", "administrators/password", nil, object{"administrator": "sec2", "password": sec2, "new_password": ""}, 422, "新口令"},
		"version 0":            {sec, "registry/apply", tag(`"0"`), object{"file": platform + powers}, 400, "If-Match"},
		"control characters":   {sec, "registry/accounts/zhangbin/disable", nil, object{"why": "x\x1b[8m"}, 422, "why"},
		"two lines":            {sec, "registry/accounts/zhangbin/disable", nil, object{"why": "x\nsec 批准"}, 422, "why"},
		"a long reason":        {sec, "locks", nil, object{"kind": "account", "key": "zhangbin", "reason": strings.Repeat("长", 501)}, 422, "500"},
		"an odd reason":        {sec, "locks", nil, object{"kind": "account", "key": "zhangbin", "reason": "\u202e"}, 422, "reason"},
		"an overflowing span":  {sec, "locks", nil, object{"kind": "account", "key": "zhangbin", "reason": "x", "for": "200000d"}, 400, "时长"},
		"an infinite span":     {sec, "locks", nil, object{"kind": "account", "key": "zhangbin", "reason": "x", "for": "Infd"}, 400, "时长"},
		"no number of days":    {sec, "locks", nil, object{"kind": "account", "key": "zhangbin", "reason": "x", "for": "NaNd"}, 400, "时长"},
		"a long way back":      {sec, "policy/plan", nil, object{"file": "accounts: []", "days": 1000}, 422, "days"},
		"two lines for keys":   {sys, "keys/rotate", nil, object{"why": "x\ny"}, 422, "why"},
		"two lines for shreds": {sec, "keys/shred", nil, object{"licence": "X", "confirm": "X", "why": "x\ny"}, 422, "why"},
		"an unconfirmed shred": {sec, "keys/shred", nil, object{"licence": "X", "why": "x"}, 428, "请用 --confirm"},
		"no such interface":    {sec, "policy/who", nil, object{"item": marriage, "interface": "nosuch"}, 422, "请核对 --interface、--field"},
		"a credential":         {sys, "credential", nil, object{"identity": holderID}, 403, "安全管理员"},
		"a long login":         {"", "administrators/login", nil, object{"administrator": strings.Repeat("x", 70<<10)}, 413, "64 KiB"},
		"another's password":   {sec, "administrators/aud/set-password", nil, object{}, 404, "操作"},
		"who is not logged in": {"", "registry/apply", nil, object{"file": platform}, 401, "登录"},
	} {
		if status, text := g.administer("POST", test.path, test.token, test.header, test.body); status != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s: %d %s, want %d and %q", name, status, text, test.status, test.want)
		}
	}
	if status, text := g.administer("GET", "policy/verify", "", nil, nil); status != http.StatusUnauthorized {
		t.Errorf("verify by nobody: %d %s", status, text)
	}
	if after := g.as("sec").must("policy", "history", "--limit", "1"); after != before {
		t.Errorf("something was changed: %s", after)
	}
}

// TestNoLostUpdate: of two nodes that change the same platform at once, neither undoes what the other was told is in force.
func TestNoLostUpdate(t *testing.T) {
	t.Parallel()
	shared := withEnv("LICGATE_STORE=" + storetest.Postgres(t))
	first := start(t, shared)
	second := prepare(t, shared)
	copyKeys(t, first, second)
	second.run()
	first.apply(platform)
	waitVersion(t, second, 1)
	end := time.Now().Add(6 * time.Second)
	var both sync.WaitGroup
	toggle := func(g *gateway, what string) {
		accepted := 0
		for disable := true; time.Now().Before(end); {
			act := map[bool]string{true: "disable", false: "enable"}[disable]
			status, text := g.administer("POST", what+"/"+act, "", nil, object{})
			if status == http.StatusConflict {
				continue // the other was faster
			}
			var done struct{ Changes []any }
			if err := json.Unmarshal([]byte(text), &done); status != http.StatusOK || err != nil {
				t.Errorf("%s: %d %s", act, status, text)
				return
			}
			if len(done.Changes) == 0 {
				t.Errorf("%s of %s was there already: the other node undid the change before", act, what)
				return
			}
			accepted++
			disable = !disable
		}
		if accepted < 10 {
			t.Errorf("%s: only %d changes, which proves nothing", what, accepted)
		}
	}
	both.Go(func() { toggle(first, "registry/applications/hydj") })
	both.Go(func() { toggle(second, "registry/accounts/zhangbin") })
	both.Wait()
}

// TestOldCredentialsOnAnotherNode: what another node opens by a password or secret that was just replaced ends as soon as that node
// knows of it.
func TestOldCredentialsOnAnotherNode(t *testing.T) {
	t.Parallel()
	shared := withEnv("LICGATE_STORE=" + storetest.Postgres(t))
	first := start(t, shared)
	second := prepare(t, shared)
	copyKeys(t, first, second)
	second.run()
	first.apply(platform + powers)
	second.secrets = first.secrets
	sec, sys := first.token("sec", first.ownPassword("sec")), first.token("sys", first.ownPassword("sys"))
	aud := first.ownPassword("aud")
	await(t, "the passwords on the second node", func() bool { return second.guess("aud", aud) == http.StatusOK })

	for range 3 {
		first.administer("POST", "registry/applications/hydj/reset-secret", sec, nil, object{})
		_, text := first.administer("POST", "administrators/aud/reset-password", sec, nil, object{})
		var waiting struct{ Pending int64 }
		if err := json.Unmarshal([]byte(text), &waiting); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if status, text := first.administer("POST", fmt.Sprintf("policy/pending/%d/approve", waiting.Pending), sys, nil, object{}); status != http.StatusOK {
			t.Fatalf("approve: %d %s", status, text)
		}
		var opened []string
		var status int
		status, text = second.administer("POST", "administrators/login", "", nil, object{"administrator": "aud", "password": aud})
		if status == http.StatusOK {
			var s struct{ Token string }
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				t.Fatal(err)
			}
			opened = append(opened, s.Token)
		}
		c := &caller{g: second}
		a := c.post("/security/login", object{
			"app_key": "hydj", "app_secret": first.secrets["app_secret/hydj"], "account": "zhangbin", "password": first.secrets["password/zhangbin"],
		})
		if a.ok() {
			c.token, _ = a.body["access_token"].(string)
		}
		if len(opened) == 0 && !a.ok() {
			continue // the node had caught up
		}
		await(t, "the end of what the old credentials opened", func() bool {
			for _, token := range opened {
				if status, _ := first.administer("GET", "audit/verify", token, nil, nil); status != http.StatusUnauthorized {
					return false
				}
			}
			return !a.ok() || c.get("/security/get_current_user").code() == "20002"
		})
	}
}
