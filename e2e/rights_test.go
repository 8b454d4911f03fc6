package e2e

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"licgate/audit"
)

// Rights given and taken while the gateway runs, and what they show. The gateway is set up for old clients, which
// take every status but 200 for a broken line.
func TestRights(t *testing.T) {
	t.Parallel()
	g := start(t, withConfig(refusing(t, "\tlicgate {\n", "\tlicgate {\n\t\tauth_failure_status 200\n\t\titem_code_organisation enforce\n")))
	g.apply(platform)
	w := watch(g)
	c := g.login("hydj", "zhangbin")
	w.hide(c.token)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *caller, *witness)
	}{
		{"old clients", oldClients},
		{"masked and clear", maskedAndClear},
		{"deny lines", denyLines},
		{"organisation of an item code", organisationOfItem},
		{"ip_allow", addressAllowed},
		{"disabled by command", disabledByCommand},
		{"disabled by apply", disabledByApply},
	} {
		t.Run(one.name, func(t *testing.T) { one.run(t, c.in(t), w) })
	}
	w.close(t)
}

func oldClients(t *testing.T, c *caller, w *witness) {
	for _, one := range []struct{ token, code string }{{"", "20001"}, {"lgs1_" + strings.Repeat("A", 43), "20002"}} {
		a := (&caller{g: c.g, token: one.token}).get("/license_item/list")
		w.refused(t, a, http.StatusOK, one.code, "登录")
		if a.header.Get("WWW-Authenticate") != "" {
			t.Error("200 with WWW-Authenticate")
		}
	}
	// Only for tokens: the rest keeps its status.
	w.refused(t, c.get("/nothing"), http.StatusNotFound, "10006")
}

// record is the record of an answer.
func (g *gateway) record(a answer) audit.Record {
	g.t.Helper()
	id, _ := a.body["response_id"].(string)
	if id == "" {
		id = a.header.Get("Licgate-Response-Id")
	}
	return decodeRecord(g.t, g.must("audit", "export", "--response-id", id))
}

// Sensitive fields go out in clear only to an account and an application that both may, and only when asked for.
func maskedAndClear(t *testing.T, c *caller, w *witness) {
	licence := c.made("D-1")
	login := func(app, account string) *caller {
		one := c.g.login(app, account)
		w.hide(one.token)
		return one
	}
	seer, elsewhere := login("hydj", "seer"), login("readonly", "seer")
	body := func(show any) object {
		return object{"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator(), "identity_number": holderID, "show_sensitive_data": show}
	}
	masked := func(name string, a answer, o object) {
		t.Helper()
		fields := o["data_fields"].(object)
		if o["holder_name"] != "李**" || o["holder_identity_num"] != "110101********" || fields["CZR"] != "李**" || fields["POXM"] != "欧阳**" || strings.Contains(string(a.raw), holderID) {
			t.Errorf("%s: not masked: %v", name, o)
		}
	}
	clear := func(name string, o object) {
		t.Helper()
		fields := o["data_fields"].(object)
		if o["holder_name"] != "李大华" || o["holder_identity_num"] != holderID || fields["CYRSFZJHM"] != holderID || fields["POXM"] != "欧阳明月" {
			t.Errorf("%s: not clear: %v", name, o)
		}
	}
	row := func(a answer) object {
		t.Helper()
		for _, one := range a.must(t).rows() {
			if one.(object)["license_code"] == licence {
				return one.(object)
			}
		}
		t.Fatalf("not found: %s", a.raw)
		return nil
	}
	for _, one := range []struct {
		name string
		who  *caller
		show any
	}{
		{"no right of the account", c, "true"},
		{"no right of the application", elsewhere, true},
		{"not asked", seer, nil},
		{"asked not to", seer, "false"},
	} {
		a := one.who.post("/license/auth", body(one.show))
		masked(one.name, a, row(a))
		if r := c.g.record(a); len(r.ClearFields) != 0 || r.MaskPlan == "" {
			t.Errorf("%s: the record says %v was clear", one.name, r.ClearFields)
		}
	}
	for _, show := range []any{"true", true} {
		a := seer.post("/license/auth", body(show))
		clear("asked with right", row(a))
		want := []string{marriage + "#CYRSFZJHM", marriage + "#CZR", marriage + "#POXM"}
		if r := c.g.record(a); !slices.Equal(slices.Sorted(slices.Values(r.ClearFields)), want) {
			t.Errorf("the record says %v was clear, want %v", r.ClearFields, want)
		}
	}

	// The wish travels with the code; the right is judged anew.
	wishes := seer.post("/license/auth", body("true")).must(t).codes()[0]
	plain := seer.post("/license/auth", body(nil)).must(t).codes()[0]
	w.hide(wishes, plain)
	a := seer.get("/license/get_license", "auth_code", wishes).must(t)
	clear("the code's wish", a.data())
	if r := c.g.record(a); len(r.ClearFields) != 3 {
		t.Errorf("the record says %v was clear", r.ClearFields)
	}
	clear("the call's wish", seer.get("/license/get_license", "auth_code", plain, "show_sensitive_data", "true").must(t).data())
	a = seer.get("/license/get_license", "auth_code", plain).must(t)
	masked("no wish", a, a.data())
	a = seer.get("/license/get_license", "auth_code", wishes, "show_sensitive_data", "false").must(t)
	masked("the call's own wish not to", a, a.data())
	a = c.get("/license/get_license", "auth_code", wishes).must(t)
	masked("another account with the code", a, a.data())

	page := func(code string) string {
		token := seer.get("/license/token", "auth_code", code).must(t).text("license_access_token")
		w.hide(token)
		a := (&caller{g: c.g}).get("/license/view_license", "license_access_token", token)
		if a.status != http.StatusOK {
			t.Fatalf("page: %d %s", a.status, a.raw)
		}
		return string(a.raw)
	}
	if text := page(wishes); !strings.Contains(text, "李大华") || !strings.Contains(text, holderID) {
		t.Error("the page hides what was asked for with right")
	}
	if text := page(plain); strings.Contains(text, "李大华") || strings.Contains(text, holderID) {
		t.Error("the page shows what nobody asked for")
	}
	for code, shown := range map[string]bool{wishes: true, plain: false} {
		pdf, err := base64.StdEncoding.DecodeString(seer.get("/license/archive", "auth_code", code).must(t).text("file_data"))
		if err != nil {
			t.Fatal(err)
		}
		if text := pdfText(t, pdf); strings.Contains(text, "李大华") != shown {
			t.Errorf("the file shows the name: %v, want %v", !shown, shown)
		}
	}
}

// A deny line beats every grant and role, from the next request on, in sessions that are open.
func denyLines(t *testing.T, c *caller, w *witness) {
	deny := func(lines ...string) {
		t.Helper()
		c.g.apply(platform + "policy: |\n  " + strings.Join(lines, "\n  ") + "\n")
	}
	const line = "p, acct:zhangbin, 11110000000021135M, 305018201, create, *, deny"
	c.call(marriage, "create", object{"data_fields": marriageFields("L-1")}).must(t)
	deny(line)
	a := c.call(marriage, "create", object{"data_fields": marriageFields("L-2")})
	w.refused(t, a, http.StatusOK, "30002")
	if r := c.g.record(a); r.Allow || r.Reason != "account_denied" || !slices.Contains(r.Rules, line) {
		t.Errorf("the record: %v %q %q", r.Allow, r.Reason, r.Rules)
	}
	c.call(marriage, "sign", object{"id_code": "L-1"}).must(t)
	if out, _, code := c.g.command("policy", "explain", "--json", "--app", "hydj", "--account", "zhangbin", "--item", marriage, "--interface", "create"); code > 1 || !strings.Contains(out, `"allow":false`) && !strings.Contains(out, `"allow": false`) {
		t.Errorf("explain: %d %s", code, out)
	}
	deny("p, app:hydj, 11110000000021135M, *, *, *, deny")
	w.refused(t, c.call(marriage, "create", object{"data_fields": marriageFields("L-2")}), http.StatusOK, "30001")
	c.g.apply(platform + "policy: \"\"\n")
	c.call(marriage, "create", object{"data_fields": marriageFields("L-2")}).must(t)
}

// With item_code_organisation enforce, a long item code names the organisation that calls.
func organisationOfItem(t *testing.T, c *caller, w *witness) {
	// 24 characters: the item's nine, then organisation and division.
	own, foreign := marriage+"000021135"+"110000", marriage+"006939684"+"110000"
	w.refused(t, c.call(foreign, "create", object{"data_fields": marriageFields("O-1")}), http.StatusOK, "40008")
	c.call(own, "create", object{"data_fields": marriageFields("O-1")}).must(t)
}

func addressAllowed(t *testing.T, c *caller, w *witness) {
	allowed, foreign := c.g.from(t, "127.0.6.1"), c.g.from(t, "127.0.6.2")
	c.g.apply(edited("app_key: readonly\n", "app_key: readonly\n    ip_allow: [127.0.6.1]\n"))
	defer c.g.apply(platform)
	credentials := func(password string) object {
		return object{"app_key": "readonly", "app_secret": c.g.secrets["app_secret/readonly"], "account": "zhangbin", "password": password}
	}
	password := c.g.secrets["password/zhangbin"]
	a := (&caller{g: allowed}).post("/security/login", credentials(password)).must(t)
	token := a.body["access_token"].(string)
	w.hide(token)
	(&caller{g: allowed, token: token}).get("/license_item/list").must(t)
	w.refused(t, (&caller{g: foreign, token: token}).get("/license_item/list"), http.StatusForbidden, "20005", "地址")
	w.refused(t, (&caller{g: foreign}).post("/security/login", credentials(password)), http.StatusForbidden, "20005", "联系")
	// Only who knows all credentials is told about addresses.
	w.refused(t, (&caller{g: foreign}).post("/security/login", credentials("Wrong-"+password)), http.StatusOK, "20003")
	// A forwarded address is anybody's claim.
	req, err := http.NewRequest(http.MethodGet, c.g.url("/license_item/list"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Forwarded-For", "127.0.6.1")
	w.refused(t, foreign.do(req), http.StatusForbidden, "20005")
}

func disabledByCommand(t *testing.T, c *caller, w *witness) {
	login := func(app, account string) answer {
		return (&caller{g: c.g}).post("/security/login", object{
			"app_key": app, "app_secret": c.g.secrets["app_secret/"+app], "account": account, "password": c.g.secrets["password/"+account],
		})
	}
	reader, seer := c.g.login("readonly", "zhangbin"), c.g.login("hydj", "seer")
	w.hide(reader.token, seer.token)
	c.made("E-1")
	code, _ := seer.in(t).authCode(nil)
	page := seer.get("/license/token", "auth_code", code).must(t).text("license_access_token")
	w.hide(code, page)

	c.g.must("app", "disable", "readonly")
	w.refused(t, reader.get("/license_item/list"), http.StatusOK, "20002")
	w.refused(t, login("readonly", "zhangbin"), http.StatusOK, "20003")
	c.get("/license_item/list").must(t)
	c.g.must("app", "enable", "readonly")
	w.refused(t, reader.get("/license_item/list"), http.StatusOK, "20002") // its session was ended, not paused
	a := login("readonly", "zhangbin").must(t)
	w.hide(a.body["access_token"].(string))

	c.g.must("account", "disable", "seer")
	w.refused(t, seer.get("/license_item/list"), http.StatusOK, "20002")
	if a := (&caller{g: c.g}).get("/license/view_license", "license_access_token", page); a.status == http.StatusOK {
		t.Errorf("a page of a disabled account: %d", a.status)
	}
	w.refused(t, login("hydj", "seer"), http.StatusOK, "20003")
	c.g.must("account", "enable", "seer")
	a = login("hydj", "seer").must(t)
	w.hide(a.body["access_token"].(string))
	if _, _, code := c.g.command("app", "disable", "unknown"); code != 1 {
		t.Errorf("disable of an unknown application: exit %d", code)
	}
}

func disabledByApply(t *testing.T, c *caller, w *witness) {
	reader := c.g.login("readonly", "zhangbin")
	w.hide(reader.token)
	reader.get("/license_item/list").must(t)
	c.g.apply(edited("app_key: readonly\n", "app_key: readonly\n    disabled: true\n"))
	w.refused(t, reader.get("/license_item/list"), http.StatusOK, "20002")
	// A role taken away acts on open sessions too.
	maker := c.g.login("hydj", "maker")
	w.hide(maker.token)
	c.g.apply(edited("roles: [issuer]}", "roles: []}"))
	w.refused(t, maker.call(marriage, "create", object{"data_fields": marriageFields("Y-1")}), http.StatusOK, "30002")
	// An account that is gone has no session.
	c.g.apply(edited("  - {account: maker, name: 制证人, department: 11110000000021135M, roles: [issuer]}\n", ""))
	w.refused(t, maker.get("/license_item/list"), http.StatusOK, "20002")
}
