package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// interfaces are the standard's 21 and the three extra calls.
var interfaces = strings.Fields(`login logout get_current_user list create update delete sign change abolish batch_create batch_sign
psn_holder auth token get_license view_license get_license_qr get_token_qr archive_qr view_mobile archive issue verify`)

// Each interface: what it does, and what it refuses in its daily use.
func TestInterfaces(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	w := watch(g)
	c := g.login("hydj", "zhangbin")
	w.hide(c.token)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *caller, *witness)
	}{
		{"login and logout", loginAndLogout},
		{"get_current_user", currentUser},
		{"list", listItems},
		{"create and issue", createAndIssue},
		{"update and delete", updateAndDelete},
		{"sign", signOne},
		{"change", changeOne},
		{"abolish", abolishOne},
		{"batch_create", batchCreate},
		{"batch_sign", batchSign},
		{"auth", authByFunction},
		{"psn_holder", holderByCredential},
		{"token and pages", tokenAndPages},
		{"get_license", getLicense},
		{"archive", archiveFiles},
		{"show codes", showCodes},
		{"verify", verifyPublicly},
	} {
		t.Run(one.name, func(t *testing.T) { one.run(t, c.in(t), w) })
	}
	seen := map[string]bool{}
	for _, r := range w.close(t) {
		seen[r.Interface+" "+r.Outcome] = true
	}
	for _, name := range interfaces {
		if !seen[name+" SUCCESS"] || !seen[name+" FAILURE"] {
			t.Errorf("%s: the record has a success: %v, a refusal: %v", name, seen[name+" SUCCESS"], seen[name+" FAILURE"])
		}
	}
}

func loginAndLogout(t *testing.T, c *caller, w *witness) {
	other := c.g.login("hydj", "zhangbin")
	w.hide(other.token)
	other.post("/security/logout", object{}).must(t)
	w.refused(t, other.get("/security/get_current_user"), http.StatusUnauthorized, "20002", "重新登录")
	w.refused(t, other.post("/security/logout", object{}), http.StatusUnauthorized, "20002")
	// One session's end is not another's.
	c.get("/security/get_current_user").must(t)
	// The body may be absent altogether.
	third := c.g.login("hydj", "zhangbin")
	w.hide(third.token)
	third.send(http.MethodPost, "/security/logout", nil).must(t)
	// A token in the query does as well.
	fourth := c.g.login("hydj", "zhangbin")
	w.hide(fourth.token)
	(&caller{g: c.g}).get("/security/get_current_user", "access_token", fourth.token).must(t)

	a := (&caller{g: c.g.from(t, "127.0.1.1")}).post("/security/login", object{
		"app_key": "hydj", "app_secret": c.g.secrets["app_secret/hydj"], "account": "zhangbin", "password": "Wrong-" + c.g.secrets["password/zhangbin"],
	})
	w.refused(t, a, http.StatusOK, "20003")
}

func currentUser(t *testing.T, c *caller, w *witness) {
	a := c.get("/security/get_current_user").must(t)
	want := object{
		"account": "zhangbin", "name": "张彬", "identity_num": "110105********", "role": "issuer,approver,user,archivist",
		"division": "北京市", "division_code": "110000", "service_org": "北京市民政局", "service_org_code": mzj,
	}
	for name, value := range want {
		if a.data()[name] != value {
			t.Errorf("%s is %v, want %v", name, a.data()[name], value)
		}
	}
	w.refused(t, (&caller{g: c.g}).get("/security/get_current_user"), http.StatusUnauthorized, "20001", "登录")
}

func listItems(t *testing.T, c *caller, w *witness) {
	for _, one := range []struct {
		query string
		total float64
		codes string
	}{
		{"", 2, "305018201 100185101"},
		{"keyword=婚姻", 1, "305018201"},
		{"keyword=另一个局", 1, "100185101"}, // the department's name counts too
		{"keyword=没有", 0, ""},
		{"status=DRAFT&is_open=false", 1, "100185102"},
		{"status=DRAFT", 0, ""}, // is_open defaults to true
		{"status=PUBLISH,DRAFT&is_open=true", 2, "305018201 100185101"},
		{"status=CANCEL", 0, ""},
		{"page_size=1", 2, "305018201"},
		{"page_size=1&page_index=2", 2, "100185101"},
		{"page_size=1&page_index=3", 2, ""},
		{"page_size=150", 2, "305018201 100185101"},
	} {
		a := c.send(http.MethodGet, "/license_item/list?"+one.query, nil).must(t)
		var codes []string
		for _, row := range a.rows() {
			codes = append(codes, row.(object)["license_item_code"].(string))
		}
		if a.body["data"] == nil || a.body["total_count"] != one.total || strings.Join(codes, " ") != one.codes {
			t.Errorf("%s: %v %v: %s", one.query, a.body["total_count"], codes, a.raw)
		}
	}
	a := c.get("/license_item/list", "keyword", "婚姻").must(t)
	item := a.rows()[0].(object)
	if item["admin_org"] != "北京市民政局" || item["admin_org_code"] != mzj || item["holder_type"] != "person" || item["is_open"] != true || item["status"] != "PUBLISH" {
		t.Errorf("item: %v", item)
	}
	field := item["fields"].([]any)[1].(object)
	want := object{"key": "CYRSFZJHM", "name": "身份证件号码", "data_type": "string", "is_allow_null": false, "is_show": true, "is_sensitive": true, "sensitive_type": "identity_number"}
	for name, value := range want {
		if field[name] != value {
			t.Errorf("field: %s is %v, want %v", name, field[name], value)
		}
	}
	for query, word := range map[string]string{
		"page_size=151": "150", "page_size=0": "page_size", "page_index=x": "page_index", "status=OPEN": "PUBLISH", "is_open=ja": "is_open",
	} {
		w.refused(t, c.send(http.MethodGet, "/license_item/list?"+query, nil), http.StatusOK, "10003", word)
	}
}

func createAndIssue(t *testing.T, c *caller, w *witness) {
	a := c.call(marriage, "create", object{"data_fields": face("C-1", identity(1))}).must(t)
	if code := a.text("license_code"); len(code) != 18 || !strings.HasPrefix(code, "110000") {
		t.Errorf("license_code %q", code)
	}
	if s := c.statusOf(a.text("auth_code")); s != "REGISTERED" {
		t.Errorf("created: %s", s)
	}
	w.refused(t, c.call(marriage, "create", object{"data_fields": face("C-1", identity(1))}), http.StatusOK, "40002", "已存在", "存在重复的电子证照")
	// The same number written otherwise is the same number.
	w.refused(t, c.call(marriage, "create", object{"data_fields": face(" ｃ-1 ", identity(1))}), http.StatusOK, "40002")
	w.refused(t, c.call(marriage, "issue", object{"data_fields": face("C-1", identity(1))}), http.StatusOK, "40002")

	a = c.call(marriage, "issue", object{"data_fields": face("C-2", identity(1))}).must(t)
	if s := c.statusOf(a.text("auth_code")); s != "ISSUED" {
		t.Errorf("issue: %s", s)
	}
	// data_fields beside data, as D.1 prints it, and as a string that holds an object.
	body := wrapped(nil)
	body["data_fields"] = face("C-3", identity(1))
	c.post("/license/"+marriage+"/create", body).must(t)
	c.call(marriage, "create", object{"data_fields": `{"CZR":"李大华","CYRSFZJHM":"` + identity(1) + `","JHZZH":"C-4"}`}).must(t)

	bad := face("C-5", identity(1))
	delete(bad, "CZR")
	w.refused(t, c.call(marriage, "create", object{"data_fields": bad}), http.StatusOK, "40007", "持证人", "CZR")
	bad["CZR"], bad["FZRQ"] = "李大华", "2020-02-30"
	w.refused(t, c.call(marriage, "create", object{"data_fields": bad}), http.StatusOK, "40007", "FZRQ", "yyyy-MM-dd")
	w.refused(t, c.call(marriage, "issue", object{"data_fields": bad}), http.StatusOK, "40007", "FZRQ")
	w.refused(t, c.call(marriage, "create", object{"data_fields": face("C-5", identity(1)), "license_group": "9"}), http.StatusOK, "40013", "组别")
	// Nothing of what was refused is kept: the number is free.
	c.call(marriage, "create", object{"data_fields": face("C-5", identity(1)), "license_group": "1"}).must(t)
}

func updateAndDelete(t *testing.T, c *caller, w *witness) {
	made := c.call(marriage, "create", object{"data_fields": face("U-1", identity(2))}).must(t)
	code, auth := made.text("license_code"), made.text("auth_code")
	fields := face("U-2", identity(2))
	fields["FZRQ"] = "2021-01-05"
	c.call(marriage, "update", object{"license_code": code, "data_fields": fields}).must(t)
	a := c.get("/license/get_license", "auth_code", auth).must(t)
	if a.text("id_code") != "U-2" || a.text("issue_date") != "2021-01-05" || a.text("license_status") != "REGISTERED" {
		t.Errorf("updated: %s", a.raw)
	}
	// The number that it had is free; the one that another has is not.
	c.call(marriage, "create", object{"data_fields": face("U-1", identity(2))}).must(t)
	w.refused(t, c.call(marriage, "update", object{"license_code": code, "data_fields": face("U-1", identity(2))}), http.StatusOK, "40002")
	fields["FZRQ"] = "昨天"
	w.refused(t, c.call(marriage, "update", object{"license_code": code, "data_fields": fields}), http.StatusOK, "40007", "FZRQ")
	for _, verb := range []string{"update", "delete"} {
		w.refused(t, c.call(marriage, verb, object{"license_code": "110000202000000000", "data_fields": fields}), http.StatusOK, "40001")
	}
	w.refused(t, c.call(marriage, "delete", object{"license_code": code, "id_code": "U-9"}), http.StatusOK, "40014")

	c.call(marriage, "delete", object{"license_code": code, "id_code": "U-2"}).must(t)
	w.refused(t, c.call(marriage, "delete", object{"license_code": code}), http.StatusOK, "40001")
	w.refused(t, c.call(marriage, "sign", object{"license_code": code}), http.StatusOK, "40005")
	w.refused(t, c.get("/license/get_license", "auth_code", auth), http.StatusOK, "40010")

	signed := c.in(t).made("U-2")
	for _, verb := range []string{"update", "delete"} {
		w.refused(t, c.call(marriage, verb, object{"license_code": signed, "data_fields": marriageFields("U-2")}), http.StatusOK, "40003", "状态")
	}
}

func signOne(t *testing.T, c *caller, w *witness) {
	made := c.call(marriage, "create", object{"data_fields": face("S-1", identity(3))}).must(t)
	w.refused(t, c.call(marriage, "sign", nil), http.StatusOK, "10002", "license_code", "id_code")
	w.refused(t, c.call(marriage, "sign", object{"id_code": "S-0"}), http.StatusOK, "40005", "找不到需要签名的电子证照")
	w.refused(t, c.call(marriage, "sign", object{"license_code": made.text("license_code"), "id_code": "S-0"}), http.StatusOK, "40014")
	c.call(marriage, "sign", object{"id_code": "S-1"}).must(t)
	a := c.get("/license/get_license", "auth_code", made.text("auth_code")).must(t)
	if a.text("license_status") != "ISSUED" || a.text("issuer") != "zhangbin" || a.text("issue_time") == "" || a.text("expiry_date") != "" {
		t.Errorf("signed: %s", a.raw)
	}
	w.refused(t, c.call(marriage, "sign", object{"id_code": "S-1"}), http.StatusOK, "40003")
	w.refused(t, c.call(marriage, "sign", object{"license_code": made.text("license_code")}), http.StatusOK, "40003")
	w.refused(t, c.call(marriage, "sign", object{"license_code": "110000202000000000"}), http.StatusOK, "40005", "找不到需要签名的电子证照")

	// The item in the path counts: a licence is not another item's.
	second := c.call(marriage, "create", object{"data_fields": face("S-2", identity(3))}).must(t)
	c.call(marriage, "sign", object{"license_code": " " + second.text("license_code") + " ", "id_code": "S-2"}).must(t)
}

func changeOne(t *testing.T, c *caller, w *witness) {
	old := c.call(marriage, "create", object{"data_fields": face("V-1", identity(4))}).must(t)
	code, auth := old.text("license_code"), old.text("auth_code")
	w.refused(t, c.call(marriage, "change", object{"license_code": code, "data_fields": face("V-1", identity(4))}), http.StatusOK, "40003", "状态")
	c.call(marriage, "sign", object{"license_code": code}).must(t)
	c.call(marriage, "create", object{"data_fields": face("V-2", identity(4))}).must(t)

	// A change that fails leaves everything as it was.
	bad := face("V-1", identity(4))
	bad["FZRQ"] = "x"
	w.refused(t, c.call(marriage, "change", object{"license_code": code, "data_fields": bad}), http.StatusOK, "40007", "FZRQ")
	w.refused(t, c.call(marriage, "change", object{"license_code": code, "data_fields": face("V-2", identity(4))}), http.StatusOK, "40002")
	w.refused(t, c.call(marriage, "change", object{"license_code": code, "id_code": "V-9", "data_fields": face("V-1", identity(4))}), http.StatusOK, "40014")
	w.refused(t, c.call(marriage, "change", object{"license_code": "110000202000000000", "data_fields": face("V-1", identity(4))}), http.StatusOK, "40004")
	before := c.get("/license/get_license", "auth_code", auth).must(t)
	if before.text("license_status") != "ISSUED" || before.text("correlative_license") != "" {
		t.Errorf("after refused changes: %s", before.raw)
	}

	fields := face("V-1", identity(4))
	fields["POXM"] = "司马光年"
	a := c.call(marriage, "change", object{"license_code": code, "data_fields": fields}).must(t)
	next := c.get("/license/get_license", "auth_code", a.text("auth_code")).must(t)
	if next.text("license_code") == code || next.text("license_status") != "ISSUED" || next.text("correlative_license") != code || next.text("version") != "2" || next.text("license_group") != before.text("license_group") {
		t.Errorf("successor: %s", next.raw)
	}
	before = c.get("/license/get_license", "auth_code", auth).must(t)
	if before.text("license_status") != "ABOLISHED" || before.text("correlative_license") != next.text("license_code") || before.text("abolisher") != "zhangbin" || before.text("abolish_time") == "" || before.text("abolish_reason") == "" {
		t.Errorf("what was changed: %s", before.raw)
	}
	w.refused(t, c.call(marriage, "change", object{"license_code": code, "data_fields": fields}), http.StatusOK, "40003")
	w.refused(t, c.call(marriage, "abolish", object{"license_code": code}), http.StatusOK, "40003")
}

func abolishOne(t *testing.T, c *caller, w *witness) {
	made := c.call(marriage, "create", object{"data_fields": face("X-1", identity(5))}).must(t)
	code := made.text("license_code")
	w.refused(t, c.call(marriage, "abolish", object{"license_code": code}), http.StatusOK, "40003", "状态")
	c.call(marriage, "sign", object{"license_code": code}).must(t)
	w.refused(t, c.call(marriage, "abolish", object{"license_code": "110000202000000000"}), http.StatusOK, "40004", "找不到需要废止的电子证照")
	w.refused(t, c.call(marriage, "abolish", object{"license_code": code, "id_code": "X-9"}), http.StatusOK, "40014")
	c.call(marriage, "abolish", object{"license_code": code, "abolish_reason": "离婚"}).must(t)
	a := c.get("/license/get_license", "auth_code", made.text("auth_code")).must(t)
	if a.text("license_status") != "ABOLISHED" || a.text("abolish_reason") != "离婚" || a.text("abolisher") != "zhangbin" {
		t.Errorf("abolished: %s", a.raw)
	}
	// Abolished twice: it is there, but its state is not.
	w.refused(t, c.call(marriage, "abolish", object{"license_code": code}), http.StatusOK, "40003")
	w.refused(t, c.call(marriage, "sign", object{"license_code": code}), http.StatusOK, "40003")
	w.refused(t, c.get("/license/archive", "auth_code", made.text("auth_code")), http.StatusOK, "40003")
	if a := c.authFor(identity(5)); len(a.rows()) != 0 || a.body["total_count"] != 0.0 {
		t.Errorf("an abolished licence is found: %s", a.raw)
	}
	// Its number is free again.
	c.call(marriage, "create", object{"data_fields": face("X-1", identity(5))}).must(t)
}

func batchCreate(t *testing.T, c *caller, w *witness) {
	row := func(number string) object {
		return object{"data_fields": face(number, identity(6)), "license_group": "1"}
	}
	broken := row("B-3")
	broken["data_fields"].(object)["FZRQ"] = "2020-13-01"
	strange := row("B-4")
	strange["license_group"] = "9"
	a := c.call(marriage, "batch_create", object{"licenses": []any{row("B-1"), row("B-1"), broken, strange, row("B-2")}}).must(t)
	codes, _ := a.data()["license_codes"].([]any)
	if len(codes) != 5 {
		t.Fatalf("batch_create: %s", a.raw)
	}
	for i, want := range []string{"", "40002 已存在", "40007 FZRQ", "40013 组别", ""} {
		if want == "" {
			if code, _ := codes[i].(string); len(code) != 18 {
				t.Errorf("row %d: %v", i, codes[i])
			}
			continue
		}
		failed, _ := codes[i].(object)
		number, word, _ := strings.Cut(want, " ")
		if message, _ := failed["message"].(string); failed["error_code"] != number || !strings.Contains(message, word) {
			t.Errorf("row %d: %v, want %s", i, codes[i], want)
		}
	}
	// The order is the request's: the last row made B-2.
	c.call(marriage, "sign", object{"license_code": codes[4], "id_code": "B-2"}).must(t)
	c.call(marriage, "create", object{"data_fields": face("B-3", identity(6))}).must(t)
	w.refused(t, c.call(marriage, "batch_create", nil), http.StatusOK, "10002", "licenses")
	w.refused(t, c.call(marriage, "batch_create", object{"licenses": "B-5"}), http.StatusOK, "10003", "licenses")
}

func batchSign(t *testing.T, c *caller, w *witness) {
	var codes []string
	for i := range 5 {
		a := c.call(marriage, "create", object{"data_fields": face(fmt.Sprintf("N-%d", i), identity(7)), "biz_num": "batch"}).must(t)
		codes = append(codes, a.text("license_code"))
	}
	const unknown = "110000202000000000"
	a := c.call(marriage, "batch_sign", object{"license_codes": []any{
		codes[1], unknown, object{"license_code": codes[0] + " "}, "keine", codes[1],
	}}).must(t)
	want := [][3]string{
		{codes[1], "SUCCESS", "signSuccess"},
		{unknown, "找不到需要签名的电子证照", "signFail"},
		{codes[0], "SUCCESS", "signSuccess"},
		{"keine", "找不到需要签名的电子证照", "signFail"},
		{codes[1], "找不到需要签名的电子证照", "signFail"},
	}
	check := func(a answer) {
		t.Helper()
		rows, _ := a.data()["result"].([]any)
		var got [][3]string
		for _, row := range rows {
			o := row.(object)
			got = append(got, [3]string{o["license_code"].(string), o["result_msg"].(string), o["result_code"].(string)})
		}
		if !slices.Equal(got, want) {
			t.Errorf("batch_sign: %s", a.raw)
		}
	}
	check(a)
	// Without codes: what is registered under the biz_num, oldest first.
	want = [][3]string{{codes[2], "SUCCESS", "signSuccess"}, {codes[3], "SUCCESS", "signSuccess"}, {codes[4], "SUCCESS", "signSuccess"}}
	check(c.call(marriage, "batch_sign", object{"biz_num": "batch", "division_code": "110000"}).must(t))
	want = nil
	check(c.call(marriage, "batch_sign", object{"biz_num": "batch"}).must(t))
	if a := c.authFor(identity(7)); a.body["total_count"] != 5.0 {
		t.Errorf("found after batch_sign: %s", a.raw)
	}
	w.refused(t, c.call(marriage, "batch_sign", object{"license_codes": []any{1}}), http.StatusOK, "10003", "license_codes")
	w.refused(t, c.call(marriage, "batch_sign", object{"division_code": "x"}), http.StatusOK, "10003", "division_code")
}

// authFor looks a holder's licences up by function.
func (c *caller) authFor(identityNumber string, more ...string) answer {
	c.g.t.Helper()
	body := object{"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator(), "identity_number": identityNumber}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return c.post("/license/auth", body).must(c.g.t)
}

func authByFunction(t *testing.T, c *caller, w *witness) {
	var made []string
	for i := range 3 {
		a := c.call(marriage, "issue", object{"data_fields": face(fmt.Sprintf("A-%d", i), identity(8))}).must(t)
		made = append(made, a.text("license_code"))
	}
	c.call(marriage, "create", object{"data_fields": face("A-9", identity(8))}).must(t) // not signed: not found
	c.call(marriage, "issue", object{"data_fields": face("A-8", identity(9))}).must(t)

	a := c.authFor(identity(8))
	if a.body["total_count"] != 3.0 || len(a.rows()) != 3 || len(a.codes()) != 3 {
		t.Fatalf("auth: %s", a.raw)
	}
	// Each code stands for the licence at its place.
	for i, code := range a.codes() {
		want := a.rows()[i].(object)["license_code"]
		if got := c.get("/license/get_license", "auth_code", code).must(t).text("license_code"); got != want || !slices.Contains(made, got) {
			t.Errorf("code %d is of %s, want %s", i, got, want)
		}
	}
	one := c.authFor(identity(8), "page_size", "2", "page_index", "2")
	if one.body["total_count"] != 3.0 || len(one.rows()) != 1 || len(one.codes()) != 1 || one.rows()[0].(object)["license_code"] != a.rows()[2].(object)["license_code"] {
		t.Errorf("auth, second page: %s", one.raw)
	}
	if a := c.authFor(identity(8) + "," + identity(9)); a.body["total_count"] != 4.0 {
		t.Errorf("auth of two: %s", a.raw)
	}
	if a := c.authFor(identity(99)); a.body["total_count"] != 0.0 || a.body["data"] == nil || a.body["auth_codes"] == nil {
		t.Errorf("auth of nobody: %s", a.raw)
	}
	body := object{"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator()}
	w.refused(t, c.post("/license/auth", body), http.StatusOK, "10002", "identity_number")
	body["identity_number"], body["page_size"] = identity(8), 151
	w.refused(t, c.post("/license/auth", body), http.StatusOK, "10003", "page_size", "150")
}

func holderByCredential(t *testing.T, c *caller, w *witness) {
	a := c.call(marriage, "issue", object{"data_fields": face("P-1", identity(10))}).must(t)
	code := a.text("license_code")
	credential := strings.TrimSpace(c.g.must("credential", "--identity", identity(10)))
	w.hide(credential)
	for _, path := range []string{"/license/psn_holder", "/license/webpage"} {
		a := c.post(path, object{"credential": credential}).must(t)
		if a.body["total_count"] != 1.0 || len(a.codes()) != 1 || a.rows()[0].(object)["license_code"] != code {
			t.Errorf("%s: %s", path, a.raw)
		}
		if bytes.Contains(a.raw, []byte(identity(10))) {
			t.Errorf("%s shows what is sensitive", path)
		}
	}
	w.refused(t, c.post("/license/psn_holder", object{}), http.StatusOK, "10002", "credential")
	w.refused(t, c.post("/license/psn_holder", object{"credential": "MCK0102"}), http.StatusOK, "20006", "实名")
	signature := credential[strings.LastIndexByte(credential, '.')+1:]
	forged := strings.TrimSuffix(credential, signature) + strings.Repeat("A", len(signature))
	w.refused(t, c.post("/license/psn_holder", object{"credential": forged}), http.StatusOK, "20006")
}

func tokenAndPages(t *testing.T, c *caller, w *witness) {
	made := c.call(marriage, "issue", object{"data_fields": face("T-1", identity(11))}).must(t)
	code := c.authFor(identity(11)).codes()[0]
	w.hide(code)
	token := c.get("/license/token", "auth_code", code).must(t).text("license_access_token")
	w.hide(token)
	anyone := &caller{g: c.g} // the page needs no session
	for _, path := range []string{"/license/view_license", "/license/view_mobile"} {
		a := anyone.get(path, "license_access_token", token)
		page := string(a.raw)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") ||
			!strings.Contains(page, "内地居民婚姻登记证") || !strings.Contains(page, made.text("license_code")) || !strings.Contains(page, "李**") {
			t.Errorf("%s: %d %s", path, a.status, page)
		}
		for _, secret := range []string{"李大华", "欧阳明月", identity(11), token, code} {
			if strings.Contains(page, secret) {
				t.Errorf("%s shows %d characters that it must not", path, len(secret))
			}
		}
		if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") ||
			a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, a.header)
		}
		// A refusal is a page too, for people, with the code and what to tell the administration.
		for query, word := range map[string]string{"": "40012", "license_access_token=lgt1_" + strings.Repeat("A", 32): "40012", "license_access_token=" + code: "40012"} {
			a := anyone.send(http.MethodGet, path+"?"+query, nil)
			id := a.header.Get("Licgate-Response-Id")
			if a.status != http.StatusForbidden || !strings.Contains(string(a.raw), word) || !responseID.MatchString(id) || !strings.Contains(string(a.raw), id) {
				t.Errorf("%s without a good token: %d %s", path, a.status, a.raw)
			}
			w.silent(t, "the page", string(a.raw))
		}
	}
	// What is no valid licence does not look like one: the page says so.
	draft := c.call(marriage, "create", object{"data_fields": face("T-2", identity(11))}).must(t)
	c.call(marriage, "abolish", object{"license_code": made.text("license_code")}).must(t)
	for authCode, word := range map[string]string{draft.text("auth_code"): "未签发", code: "已废止"} {
		token := c.get("/license/token", "auth_code", authCode).must(t).text("license_access_token")
		w.hide(token)
		if a := anyone.get("/license/view_license", "license_access_token", token); a.status != http.StatusOK || !strings.Contains(string(a.raw), word) {
			t.Errorf("the page does not say %s: %d %s", word, a.status, a.raw)
		}
	}
	w.refused(t, c.get("/license/token"), http.StatusOK, "10002", "auth_code")
	w.refused(t, c.get("/license/token", "auth_code", "lga1_"+strings.Repeat("A", 32)), http.StatusOK, "40010", "重新获取")
	w.refused(t, c.get("/license/token", "auth_code", token), http.StatusOK, "40010")
}

func getLicense(t *testing.T, c *caller, w *witness) {
	made := c.call(marriage, "issue", object{"data_fields": face("G-1", identity(12)), "biz_num": "20200721999"}).must(t)
	a := c.get("/license/get_license", "auth_code", made.text("auth_code")).must(t)
	want := object{
		"license_code": made.text("license_code"), "name": "内地居民婚姻登记证", "license_item_code": marriage, "id_code": "G-1",
		"holder_name": "李**", "holder_identity_num": "110101********", "issue_org_name": "北京市民政局", "issue_org_code": mzj,
		"division_code": "110000", "issue_date": "2020-02-14", "expiry_date": "", "license_status": "ISSUED", "version": "1",
		"biz_num": "20200721999", "creator": "zhangbin", "issuer": "zhangbin", "abolisher": "",
	}
	for name, value := range want {
		if a.data()[name] != value {
			t.Errorf("%s is %v, want %v", name, a.data()[name], value)
		}
	}
	// A code is good for more than one use.
	if again := c.get("/license/get_license", "auth_code", made.text("auth_code")).must(t); again.same() != a.same() {
		t.Errorf("the second use differs: %s", again.raw)
	}
	w.refused(t, c.get("/license/get_license"), http.StatusOK, "10002", "auth_code")
	w.refused(t, c.get("/license/get_license", "auth_code", "aaa"), http.StatusOK, "40010")
}

func archiveFiles(t *testing.T, c *caller, w *witness) {
	made := c.call(marriage, "create", object{"data_fields": face("F-1", identity(13))}).must(t)
	code := made.text("auth_code")
	w.refused(t, c.get("/license/archive", "auth_code", code), http.StatusOK, "40003")
	c.call(marriage, "sign", object{"license_code": made.text("license_code")}).must(t)
	// Right after: nobody has to wait and try again.
	first := c.get("/license/archive", "auth_code", code).must(t)
	second := c.post("/license/archive", object{"auth_code": code, "file_type": "pdf"}).must(t)
	for _, a := range []answer{first, second} {
		pdf, err := base64.StdEncoding.DecodeString(a.text("file_data"))
		if err != nil || a.text("file_name") != made.text("license_code")+".pdf" {
			t.Fatalf("archive: %v %.200s", err, a.raw)
		}
		text := pdfText(t, pdf)
		if !strings.Contains(text, "内地居民婚姻登记证") || !strings.Contains(text, made.text("license_code")) {
			t.Errorf("the file says %s", text)
		}
		if strings.Contains(text, identity(13)) || strings.Contains(text, "李大华") {
			t.Error("the file shows what is sensitive")
		}
	}
	w.refused(t, c.get("/license/archive"), http.StatusOK, "10002", "auth_code")
	w.refused(t, c.get("/license/archive", "auth_code", code, "file_type", "DOC"), http.StatusOK, "40016", "PDF", "OFD")
	w.refused(t, c.get("/license/archive", "auth_code", "x"), http.StatusOK, "40010")
}

// shown makes a licence for a holder and gives the code that the holder shows.
func (c *caller) shown(w *witness, number, holder string) (licenceCode, showCode string) {
	c.g.t.Helper()
	a := c.call(marriage, "issue", object{"data_fields": face(number, holder)}).must(c.g.t)
	credential := strings.TrimSpace(c.g.must("credential", "--identity", holder))
	w.hide(credential)
	codes := c.post("/license/psn_holder", object{"credential": credential}).must(c.g.t).codes()
	if len(codes) != 1 {
		c.g.t.Fatalf("%d codes", len(codes))
	}
	w.hide(codes[0])
	return a.text("license_code"), codes[0]
}

func showCodes(t *testing.T, c *caller, w *witness) {
	licence, code := c.shown(w, "Q-1", identity(14))
	qr := func(more object) object {
		data := object{"auth_code_qr": code}
		for k, v := range more {
			data[k] = v
		}
		return wrapped(data)
	}
	a := c.post("/license/get_license_qr", qr(object{"request_id": "r-1"})).must(t)
	if a.text("license_code") != licence || a.text("holder_name") != "李**" || a.body["correlation_id"] != "r-1" {
		t.Errorf("get_license_qr: %s", a.raw)
	}
	w.refused(t, c.post("/license/archive_qr", qr(object{"file_type": "DOC"})), http.StatusOK, "40016")
	a = c.post("/license/get_token_qr", qr(nil)).must(t)
	token := a.text("license_access_token")
	w.hide(token)
	page := (&caller{g: c.g}).get("/license/view_mobile", "license_access_token", token)
	if page.status != http.StatusOK || !strings.Contains(string(page.raw), licence) {
		t.Errorf("view_mobile: %d %s", page.status, page.raw)
	}
	a = c.post("/license/archive_qr", qr(nil)).must(t)
	if a.text("file_name") != licence+".pdf" {
		t.Errorf("archive_qr: %.200s", a.raw)
	}
	for _, name := range []string{"get_license_qr", "get_token_qr", "archive_qr"} {
		w.refused(t, c.post("/license/"+name, qr(nil)), http.StatusOK, "40010", "重新获取")
		w.refused(t, c.post("/license/"+name, wrapped(nil)), http.StatusOK, "10002", "auth_code_qr")
		w.refused(t, c.post("/license/"+name, wrapped(object{"auth_code_qr": "lgq1_" + strings.Repeat("A", 32)})), http.StatusOK, "40010")
	}

	// GET takes the members in the query, the operator as JSON.
	licence, code = c.shown(w, "Q-2", identity(15))
	a = c.get("/license/get_license_qr", "auth_code_qr", code, "service_item_code", service, "service_item_name", "婚姻登记",
		"operator", `{"account":"bj_mzj","name":"张三"}`).must(t)
	if a.text("license_code") != licence {
		t.Errorf("get_license_qr by GET: %s", a.raw)
	}
}
