package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// refusing is the shipped Caddyfile with small limits and with Caddy's access log, which must tell no secret either.
func refusing(t *testing.T, more ...string) string {
	t.Helper()
	return shippedWith(t, append([]string{
		"\tlicgate {\n", "\tlicgate {\n\t\tbody_limit 32KiB\n\t\tbatch_body_limit 64KiB\n",
		"\tlicgate\n}", "\tlog\n\tlicgate\n}",
	}, more...)...)
}

// Every refusal is an envelope with a code, a text and a response_id, and is on record.
func TestRefusals(t *testing.T) {
	t.Parallel()
	g := start(t, withConfig(refusing(t)))
	g.apply(edited("app_key: readonly\n", "app_key: readonly\n    ip_allow: [\"127.0.0.0/8\", \"::1\"]\n"))
	w := watch(g)
	c := g.login("hydj", "zhangbin")
	w.hide(c.token)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *caller, *witness)
	}{
		{"bodies", badBodies},
		{"limits", overLimit},
		{"members", badMembers},
		{"addresses", badAddresses},
		{"tokens", badTokens},
		{"secrets in the query", secretsInQuery},
		{"foreign licence", foreignLicence},
		{"foreign code", foreignCode},
		{"shown code replayed", replayedShowCode},
		{"rights", withoutRights},
		{"credentials", badCredentials},
		{"lockout", lockedOut},
		{"org_code", orgCode},
	} {
		t.Run(one.name, func(t *testing.T) { one.run(t, c.in(t), w) })
	}
	for _, r := range w.close(t) {
		if r.Event == "request" && (r.Address == "" || r.TLS == "" || r.Method == "" || r.Status == 0) {
			t.Errorf("a record lacks the circumstances: %+v", r)
		}
	}
}

func badBodies(t *testing.T, c *caller, w *witness) {
	create := "/license/" + marriage + "/create"
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }
	for _, one := range []struct {
		name, body string
		status     int
		code       string
		word       string
	}{
		{"cut off", `{"data":{"biz_num":"1"`, 400, "10001", "JSON"},
		{"no JSON", `biz_num=1`, 400, "10001", "JSON"},
		{"a list", `[1]`, 400, "10001", "对象"},
		{"a literal", `null`, 400, "10001", "对象"},
		{"single quotes", `{'data':1}`, 400, "10001", "JSON"},
		{"trailing comma", `{"data":{},}`, 400, "10001", "JSON"},
		{"trailing data", `{"data":{}} {}`, 400, "10001", "多余"},
		{"byte order mark", "\ufeff{}", 400, "10001", "BOM"},
		{"invalid UTF-8", "{\"data\":{\"biz_num\":\"\xff\"}}", 400, "10001", "字节"},
		{"invalid UTF-8 where nobody looks", "{\"x\":\"\xc3\x28\"}", 400, "10001", "字节"},
		{"lone surrogate", `{"x":"\ud800"}`, 400, "10001", "字节"},
		{"too deep", nested(33), 400, "10001", "32"},
		{"too deep in data_fields", `{"data":{"data_fields":` + nested(31) + `}}`, 400, "10001", "32"},
		{"duplicate data", `{"data":{},"data":{}}`, 400, "10004", "data"},
		{"duplicate member", `{"data":{"biz_num":"1","biz_num":"1"}}`, 400, "10004", "biz_num"},
		{"duplicate field", `{"data":{"data_fields":{"CZR":"a","CZR":"b"}}}`, 400, "10004", "data_fields"},
		{"duplicate of unknown name", `{"x":{"y":1,"y":2}}`, 400, "10004", "重复"},
		{"duplicate in a string", `{"data":{"data_fields":"{\"CZR\":1,\"CZR\":2}"}}`, 400, "10004", "data_fields"},
		{"data is a text", `{"data":"x"}`, 200, "10003", "data"},
		{"data is a list", `{"data":[]}`, 200, "10003", "data"},
		{"empty", ``, 200, "10002", "data_fields"},
		{"nothing", `{}`, 200, "10002", "service_item_code"},
	} {
		t.Run(one.name, func(t *testing.T) {
			w.refused(t, c.in(t).send(http.MethodPost, create, []byte(one.body)), one.status, one.code, one.word)
		})
	}
	// 32 levels are allowed: what is wrong is told, not how deep it stands.
	w.refused(t, c.send(http.MethodPost, create, []byte(nested(32))), http.StatusOK, "10002")

	typed := func(contentType, encoding string) answer {
		req, err := http.NewRequest(http.MethodPost, c.g.url(create), strings.NewReader(`{"data":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		if req.Header.Set("Content-Type", contentType); encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		return c.g.do(req)
	}
	w.refused(t, typed("text/plain", ""), http.StatusUnsupportedMediaType, "10008", "application/json")
	w.refused(t, typed("application/x-www-form-urlencoded", ""), http.StatusUnsupportedMediaType, "10008")
	w.refused(t, typed("application/json; charset=gbk", ""), http.StatusUnsupportedMediaType, "10008", "UTF-8")
	w.refused(t, typed("application/json", "gzip"), http.StatusUnsupportedMediaType, "10008", "Content-Encoding")
	w.refused(t, c.send(http.MethodGet, "/license_item/list", []byte(`{"keyword":"x"}`)), http.StatusBadRequest, "10004", "GET")
}

// unsized hides a body's length, so that it goes in chunks.
type unsized struct{ io.Reader }

func overLimit(t *testing.T, c *caller, w *witness) {
	padded := func(verb string, size int, chunked bool) answer {
		body := []byte(`{"x":"` + strings.Repeat("x", size) + `"}`)
		var from io.Reader = bytes.NewReader(body)
		if chunked {
			from = unsized{from}
		}
		req, err := http.NewRequest(http.MethodPost, c.g.url("/license/"+marriage+"/"+verb), from)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+c.token)
		return c.g.do(req)
	}
	for _, chunked := range []bool{false, true} {
		w.refused(t, padded("create", 33<<10, chunked), http.StatusRequestEntityTooLarge, "10005", "上限")
		w.refused(t, padded("create", 31<<10, chunked), http.StatusOK, "10002")
		w.refused(t, padded("batch_create", 33<<10, chunked), http.StatusOK, "10002")
		w.refused(t, padded("batch_create", 65<<10, chunked), http.StatusRequestEntityTooLarge, "10005")
	}
}

func badMembers(t *testing.T, c *caller, w *witness) {
	whole := func() object {
		return object{"data_fields": marriageFields("M-1")}
	}
	for _, one := range []struct {
		name   string
		change object
		code   string
		words  []string
	}{
		{"a number", object{"service_item_code": 5}, "10003", []string{"service_item_code", "字符串"}},
		{"an object", object{"biz_num": object{}}, "10003", []string{"biz_num"}},
		{"a control character", object{"biz_num": "a\x00b"}, "10003", []string{"biz_num"}},
		{"too long", object{"service_item_code": strings.Repeat("1", 65)}, "10003", []string{"service_item_code", "64"}},
		{"fields as list", object{"data_fields": []any{}}, "10003", []string{"data_fields"}},
		{"fields as text", object{"data_fields": "CZR"}, "10003", []string{"data_fields"}},
		{"operator as text", object{"operator": "张三"}, "10003", []string{"operator"}},
		{"operator's name", object{"operator": object{"name": 1}}, "10003", []string{"operator"}},
		{"no operator", object{"operator": nil}, "10002", []string{"operator"}},
		{"no service item", object{"service_item_code": " ", "service_item_name": ""}, "10002", []string{"service_item_code", "service_item_name"}},
		{"request id", object{"request_id": []any{1}}, "10003", []string{"request_id"}},
	} {
		body := whole()
		for k, v := range one.change {
			body[k] = v
		}
		t.Run(one.name, func(t *testing.T) {
			w.refused(t, c.in(t).call(marriage, "create", body), http.StatusOK, one.code, one.words...)
		})
	}
	twice := wrapped(whole())
	twice["biz_num"] = "another"
	w.refused(t, c.post("/license/"+marriage+"/create", twice), http.StatusOK, "10009", "biz_num")
	delete(twice, "biz_num")
	twice["request_id"] = "r-7"
	twice["data"].(object)["service_item_code"] = nil
	a := c.post("/license/"+marriage+"/create", twice)
	w.refused(t, a, http.StatusOK, "10002")
	if a.body["correlation_id"] != "r-7" {
		t.Errorf("a refusal's correlation_id is %v", a.body["correlation_id"])
	}
	w.refused(t, c.call("999999999", "create", whole()), http.StatusOK, "40008", "item_code")
	w.refused(t, c.get("/license_item/list", "page_size", "151"), http.StatusOK, "10003", "page_size", "150")
	w.refused(t, c.call("100185102", "create", object{"data_fields": object{"A": "x"}}), http.StatusOK, "30001")
	// What was refused left nothing.
	c.call(marriage, "create", whole()).must(t)
}

func badAddresses(t *testing.T, c *caller, w *witness) {
	create := "/license/" + marriage + "/create"
	for _, one := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/", 404, "10006"},
		{"GET", "/license", 404, "10006"},
		{"POST", "/license/" + marriage + "/erase", 404, "10006"},
		{"GET", "/license_item/lists", 404, "10006"},
		{"POST", "/License/auth", 404, "10006"},
		{"GET", "/license/assets/nothing.css", 404, "10006"},
		{"POST", "/security/login/now", 404, "10006"},
		{"GET", create, 405, "10007"},
		{"HEAD", "/license_item/list", 405, "10007"},
		{"OPTIONS", "/license_item/list", 405, "10007"},
		{"PUT", "/license/auth", 405, "10007"},
		{"DELETE", "/license/" + marriage + "/delete", 405, "10007"},
		{"POST", "/license_item/list", 405, "10007"},
		{"GET", "/security/login", 405, "10007"},
		{"POST", "/license/305018201%2fcreate", 400, "10004"},
		{"POST", "/license/30501820%31/create", 400, "10004"},
		{"POST", "/license/%2e%2e/security/logout", 400, "10004"},
		{"POST", "/license/../security/logout", 400, "10004"},
		{"POST", "/license/./auth", 400, "10004"},
		{"POST", "/license//auth", 400, "10004"},
		{"POST", "//license/auth", 400, "10004"},
		{"POST", "/license/auth/", 400, "10004"},
		{"POST", `/license\auth`, 400, "10004"},
		{"POST", "/license/auth;x=1", 400, "10004"},
		{"GET", "/license_item/list?page_size=1&page_size=2", 400, "10004"},
		{"GET", "/license_item/list?page_size=1&page%5fsize=1", 400, "10004"},
		{"GET", "/license_item/list?x=1&x=1", 400, "10004"},
		{"GET", "/license_item/list?keyword=%zz", 400, "10004"},
		{"GET", "/license_item/list?keyword=%ff", 400, "10004"},
		{"GET", "/license_item/list?keyword=a;b", 400, "10004"},
	} {
		t.Run(one.method+" "+one.path, func(t *testing.T) {
			c := c.in(t)
			a := c.send(one.method, one.path, nil)
			if one.method == http.MethodHead {
				if a.status != one.status || len(a.raw) != 0 {
					t.Errorf("%d %s", a.status, a.raw)
				}
				return
			}
			w.refused(t, a, one.status, one.code)
			if one.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
	// None of them ended the session.
	c.get("/security/get_current_user").must(t)
}

func badTokens(t *testing.T, c *caller, w *witness) {
	nobody := &caller{g: c.g}
	list := "/license_item/list"
	unknown := "lgs1_" + strings.Repeat("A", 43)
	headers := func(path string, values ...string) answer {
		req, err := http.NewRequest(http.MethodGet, c.g.url(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = values
		return c.g.do(req)
	}
	for _, a := range []answer{
		nobody.get(list, "access_token", unknown),
		headers(list, "Bearer "+unknown),
		headers(list, "Bearer rubbish"),
		headers(list, "Bearer "+c.token+"A"),
		headers(list, "Bearer "+strings.ToUpper(c.token)),
		nobody.get(list, "access_token", "Bearer "+c.token),
	} {
		w.refused(t, a, http.StatusUnauthorized, "20002", "重新登录")
		if a.header.Get("WWW-Authenticate") != `Bearer realm="licgate"` {
			t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
		}
	}
	for _, a := range []answer{nobody.get(list), headers(list, "Basic YTpi"), nobody.get(list, "access_token", "")} {
		w.refused(t, a, http.StatusUnauthorized, "20001", "登录")
		if a.header.Get("WWW-Authenticate") == "" {
			t.Error("401 without WWW-Authenticate")
		}
	}
	for _, a := range []answer{
		headers(list+"?access_token="+c.token, "Bearer "+c.token),
		nobody.send(http.MethodGet, list+"?access_token="+c.token+"&access_token="+c.token, nil),
		headers(list, "Bearer "+c.token, "Bearer "+c.token),
		headers(list, "Bearer "+c.token+", Bearer "+c.token),
	} {
		w.refused(t, a, http.StatusBadRequest, "10004")
	}
	// An unknown token is refused before anything is looked at that it asks for.
	w.refused(t, (&caller{g: c.g, token: unknown}).call(marriage, "create", nil), http.StatusUnauthorized, "20002")
}

// Callers who put secrets into the address find them neither in an answer nor in a log.
func secretsInQuery(t *testing.T, c *caller, w *witness) {
	const password, identity = "Geheim-0815-im-Query", "11010119000101100X"
	w.hide(password)
	nobody := &caller{g: c.g.from(t, "127.0.2.1")}
	w.refused(t, nobody.send(http.MethodPost, "/security/login?password="+password, []byte(`{"app_key":"hydj","app_secret":"x","account":"zhangbin"}`)),
		http.StatusOK, "10003", "password", "请求体")
	w.refused(t, nobody.send(http.MethodPost, "/security/login?app_secret="+password, []byte(`{"app_key":"hydj","account":"zhangbin","password":"x"}`)),
		http.StatusOK, "10003", "app_secret")
	w.refused(t, c.send(http.MethodPost, "/license/psn_holder?credential="+password, nil), http.StatusOK, "10003", "credential")
	w.hide(identity)
	w.refused(t, c.get("/license/get_license_qr", "auth_code_qr", "lgq1_"+password, "service_item_code", service, "service_item_name", "x",
		"operator", fmt.Sprintf(`{"identity_num":%q}`, identity)), http.StatusOK, "40010")
	w.refused(t, c.send(http.MethodGet, "/license/get_license?auth_code="+password+"&Auth_Code="+password, nil), http.StatusOK, "40010")
	w.refused(t, c.send(http.MethodPost, "/license/auth?identity_number="+identity, nil), http.StatusOK, "10002")
	page := nobody.get("/license/view_license", "license_access_token", "lgt1_"+password)
	if page.status != http.StatusForbidden || strings.Contains(string(page.raw), password) {
		t.Errorf("%d %s", page.status, page.raw)
	}
}

func foreignLicence(t *testing.T, c *caller, w *witness) {
	stranger := c.g.login("other", "stranger")
	w.hide(stranger.token)
	const foreignService, nothing = "110103GA001", "110000202000000000"
	registered := c.call(marriage, "create", object{"data_fields": marriageFields("R-1")}).must(t).text("license_code")
	issued := c.made("R-2")
	for _, verb := range []string{"update", "delete", "sign", "change", "abolish", "batch_sign"} {
		for _, code := range []string{registered, issued} {
			body := func(code string) object {
				return object{
					"license_code": code, "license_codes": []any{code}, "data_fields": marriageFields("R-3"), "service_item_code": foreignService,
				}
			}
			theirs, none := stranger.call(marriage, verb, body(code)), stranger.call(marriage, verb, body(nothing))
			if verb != "batch_sign" {
				w.refused(t, theirs, http.StatusOK, none.code())
				w.refused(t, none, http.StatusOK, theirs.code())
			}
			if got, want := strings.ReplaceAll(theirs.same(), code, nothing), none.same(); got != want {
				t.Errorf("%s of a foreign licence: %s\nof none: %s", verb, got, want)
			}
		}
	}
	w.refused(t, stranger.call(marriage, "sign", object{"id_code": "R-1", "service_item_code": foreignService}), http.StatusOK, "40005")
	// Whether somebody holds a licence that the service item has nothing to do with is not told either.
	holds := func(number string) answer {
		return stranger.post("/license/auth", object{
			"service_item_code": foreignService, "service_item_name": "另一事项", "operator": operator(), "identity_number": number, "show_sensitive_data": true,
		})
	}
	theirs, nobodys := holds(holderID).must(t), holds(identity(999)).must(t)
	if theirs.same() != nobodys.same() {
		t.Errorf("of a holder of foreign licences: %s\nof nobody: %s", theirs.raw, nobodys.raw)
	}
	// Nothing happened to them.
	c.call(marriage, "sign", object{"license_code": registered}).must(t)
	c.call(marriage, "abolish", object{"license_code": issued}).must(t)
}

func foreignCode(t *testing.T, c *caller, w *witness) {
	c.made("K-1")
	code, _ := c.authCode(nil)
	w.hide(code)
	none := "lga1_" + strings.Repeat("A", 32)
	stranger, elsewhere := c.g.login("other", "stranger"), c.g.login("readonly", "zhangbin")
	w.hide(stranger.token, elsewhere.token)
	for _, one := range []*caller{stranger, elsewhere} { // another department; the same one's other application
		for _, path := range []string{"/license/token", "/license/get_license", "/license/archive"} {
			theirs, nothing := one.get(path, "auth_code", code), one.get(path, "auth_code", none)
			w.refused(t, theirs, http.StatusOK, "40010")
			w.refused(t, nothing, http.StatusOK, "40010")
			if theirs.same() != nothing.same() {
				t.Errorf("%s with a foreign code: %s\nwith none: %s", path, theirs.raw, nothing.raw)
			}
		}
	}
	c.get("/license/get_license", "auth_code", code).must(t)
}

// What a holder shows is the first redeemer's, for each interface once; to all others it does not exist.
func replayedShowCode(t *testing.T, c *caller, w *witness) {
	licence, code := c.shown(w, "Z-1", identity(20))
	stranger := c.g.login("other", "stranger")
	w.hide(stranger.token)
	qr := func(c *caller, name, serviceItem, bizNum, requestID string) answer {
		data := object{"auth_code_qr": code, "service_item_code": serviceItem, "biz_num": bizNum}
		if requestID != "" {
			data["request_id"] = requestID
		}
		return c.post("/license/"+name, wrapped(data))
	}
	const theirs = "110103GA001"
	first := qr(stranger, "get_license_qr", theirs, "b-1", "r-1").must(t)
	if first.text("license_code") != licence {
		t.Fatalf("redeemed: %s", first.raw)
	}
	for _, name := range []string{"get_license_qr", "get_token_qr", "archive_qr"} {
		w.refused(t, qr(c, name, service, "b-1", "r-1"), http.StatusOK, "40010")               // another redeemer
		w.refused(t, qr(stranger, name, theirs, "b-2", "r-1"), http.StatusOK, "40010")         // another business
		w.refused(t, qr(stranger, name, service, "b-1", "r-1"), http.StatusOK, "30003")        // a service item that is not theirs
		w.refused(t, c.get("/license/get_license", "auth_code", code), http.StatusOK, "40010") // nor is it an auth_code any more
	}
	w.refused(t, qr(stranger, "get_license_qr", theirs, "b-1", ""), http.StatusOK, "40010")
	w.refused(t, qr(stranger, "get_license_qr", theirs, "b-1", "r-2"), http.StatusOK, "40010")
	// The same request again is the same use.
	if again := qr(stranger, "get_license_qr", theirs, "b-1", "r-1").must(t); again.same() != first.same() {
		t.Errorf("again: %s\nfirst: %s", again.raw, first.raw)
	}
	token := qr(stranger, "get_token_qr", theirs, "b-1", "r-3").must(t)
	w.hide(token.text("license_access_token"))
	if again := qr(stranger, "get_token_qr", theirs, "b-1", "r-3").must(t); again.same() != token.same() {
		t.Error("the same request got another token")
	}
	file := qr(stranger, "archive_qr", theirs, "b-1", "r-4").must(t)
	if again := qr(stranger, "archive_qr", theirs, "b-1", "r-4").must(t); again.text("file_name") != file.text("file_name") {
		t.Error("the same request got another file")
	}
	w.refused(t, qr(stranger, "archive_qr", theirs, "b-1", "r-5"), http.StatusOK, "40010")
}

func withoutRights(t *testing.T, c *caller, w *witness) {
	fields := object{"data_fields": marriageFields("W-1")}
	as := func(app, account string) *caller {
		one := c.g.login(app, account)
		w.hide(one.token)
		return one
	}
	maker, nobody := as("hydj", "maker"), as("hydj", "nobody")
	readonly, guest := as("readonly", "zhangbin"), as("hydj", "stranger")
	w.refused(t, nobody.call(marriage, "create", fields), http.StatusOK, "30002", "管理员")
	w.refused(t, readonly.call(marriage, "create", fields), http.StatusOK, "30001", "申请")
	w.refused(t, c.call("100185101", "create", object{"data_fields": object{"NAME": "x", "IDNUM": holderID}}), http.StatusOK, "30001")
	// Grants are the application's department's: an account of another acts for its own.
	w.refused(t, guest.call(marriage, "create", object{"data_fields": marriageFields("W-1"), "service_item_code": "110103GA001"}), http.StatusOK, "30001")
	made := maker.call(marriage, "create", fields).must(t)
	for _, verb := range []string{"sign", "issue", "change", "abolish", "batch_sign"} {
		w.refused(t, maker.call(marriage, verb, object{"license_code": made.text("license_code"), "data_fields": marriageFields("W-2")}), http.StatusOK, "30002")
	}
	w.refused(t, maker.get("/license/get_license", "auth_code", made.text("auth_code")), http.StatusOK, "30002")
	w.refused(t, maker.get("/license/archive", "auth_code", made.text("auth_code")), http.StatusOK, "30002")
	for _, code := range []string{"110103GA001", "110103MZ999"} { // another department's, and nobody's: the same answer
		a := c.call(marriage, "create", object{"data_fields": marriageFields("W-3"), "service_item_code": code})
		w.refused(t, a, http.StatusOK, "30003", "事项编码")
		b := c.post("/license/auth", object{"service_item_code": code, "service_item_name": "x", "operator": operator(), "identity_number": holderID})
		w.refused(t, b, http.StatusOK, "30003")
	}
	c.call(marriage, "sign", object{"license_code": made.text("license_code")}).must(t)
	a := nobody.post("/license/auth", object{"service_item_code": service, "service_item_name": "x", "operator": operator(), "identity_number": holderID})
	w.refused(t, a, http.StatusOK, "30002")
	credential := strings.TrimSpace(c.g.must("credential", "--identity", holderID))
	w.refused(t, readonly.post("/license/psn_holder", object{"credential": credential}), http.StatusOK, "30001")
}

func badCredentials(t *testing.T, c *caller, w *witness) {
	g := c.g.from(t, "127.0.3.1")
	right := object{"app_key": "hydj", "app_secret": c.g.secrets["app_secret/hydj"], "account": "seer", "password": c.g.secrets["password/seer"]}
	with := func(name, value string) object {
		o := object{}
		for k, v := range right {
			o[k] = v
		}
		o[name] = value
		return o
	}
	var first string
	for i, one := range [][2]string{{"app_key", "unknown"}, {"app_secret", "Wrong-000000000000"}, {"account", "unknown"}, {"password", "Wrong-000000000000"}} {
		a := (&caller{g: g}).post("/security/login", with(one[0], one[1]))
		w.refused(t, a, http.StatusOK, "20003")
		if i == 0 {
			first = a.same()
		}
		if a.same() != first {
			t.Errorf("a wrong %s is told: %s", one[0], a.raw)
		}
	}
	for _, name := range []string{"app_key", "app_secret", "account", "password"} {
		w.refused(t, (&caller{g: g}).post("/security/login", with(name, "")), http.StatusOK, "10002", name)
	}
	// A success clears what was counted.
	a := (&caller{g: g}).post("/security/login", right).must(t)
	w.hide(a.body["access_token"].(string))
}

// Five failures lock the account, from wherever, and the address, for whomever.
func lockedOut(t *testing.T, c *caller, w *witness) {
	there, elsewhere := c.g.from(t, "127.0.4.1"), c.g.from(t, "127.0.4.2")
	login := func(g *gateway, account, password string) answer {
		return (&caller{g: g}).post("/security/login", object{
			"app_key": "hydj", "app_secret": c.g.secrets["app_secret/hydj"], "account": account, "password": password,
		})
	}
	maker, seer := c.g.secrets["password/maker"], c.g.secrets["password/seer"]
	for range 5 {
		w.refused(t, login(there, "maker", "Wrong-"+maker), http.StatusOK, "20003")
	}
	w.refused(t, login(there, "seer", seer), http.StatusOK, "20004", "稍后")
	w.refused(t, login(there, "maker", maker), http.StatusOK, "20004")
	w.refused(t, login(elsewhere, "maker", maker), http.StatusOK, "20004")
	a := login(elsewhere, "seer", seer).must(t)
	w.hide(a.body["access_token"].(string))
	// Who is not there is locked alike: a lock does not tell that an account exists.
	third := c.g.from(t, "127.0.4.3")
	for range 5 {
		w.refused(t, login(third, "ghost", "Wrong-0"), http.StatusOK, "20003")
	}
	w.refused(t, login(elsewhere, "ghost", "Wrong-0"), http.StatusOK, "20004")
}

func orgCode(t *testing.T, c *caller, w *witness) {
	g := c.g.from(t, "127.0.5.1")
	login := func(account, org string) answer {
		return (&caller{g: g}).post("/security/login", object{
			"app_key": "hydj", "app_secret": c.g.secrets["app_secret/hydj"], "account": account,
			"password": c.g.secrets["password/"+account], "org_code": org,
		})
	}
	a := login("chief", mzj).must(t)
	chief := &caller{g: c.g, token: a.body["access_token"].(string)}
	w.hide(chief.token)
	if a := chief.get("/security/get_current_user").must(t); a.text("service_org_code") != mzj {
		t.Errorf("chief acts for %s", a.raw)
	}
	w.refused(t, login("zhangbin", mzj), http.StatusOK, "20003")
	w.refused(t, login("chief", gaj), http.StatusOK, "20003")
	w.refused(t, login("chief", "unknown"), http.StatusOK, "20003")
}
