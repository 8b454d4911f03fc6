package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// guardSite is a guard in front of an upstream that echoes what it is asked, in the standard's own words.
func guardSite(t *testing.T, seen *visits) string {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.note(r)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Holder", holderID)
		w.Header().Set("Content-Disposition", "attachment; filename="+holderID+".pdf")
		w.Header().Set("Location", "/"+holderID)
		_, _ = io.WriteString(w, `{"data":{"holder_name":"李大华","holder_identity_num":"`+holderID+`","id_code":"`+holderID+
			`","data_fields":{"CZR":"李大华","czr":"李大华"}}}`)
	}))
	t.Cleanup(upstream.Close)
	return `
	licgate_guard {
		route GET /license/view_license view_license {
			item query license_item_code
			license_code query license_code
		}
		route GET /v1/licence get_license {
			item query item
			service_item value ` + service + `
		}
		route POST /v1/find get_license {
			item body item
			service_item value ` + service + `
		}
		route POST /v1/deep get_license {
			item body query.item
			service_item value ` + service + `
		}
		route GET /v3/{item} get_license {
			item path item
			service_item value ` + service + `
		}
		route POST /v4/{item} issue {
			item path item
			service_item value ` + service + `
		}
		route POST /v1/by-query get_license {
			item query item
			service_item value ` + service + `
		}
		route GET /v2/{code} get_license {
			auth_code query auth_code
			license_code path code
		}
	}
	reverse_proxy ` + strings.TrimPrefix(upstream.URL, "http://")
}

// TestGuardAgainstHostileCallers holds what an attacker with valid credentials tried at a guarded upstream.
func TestGuardAgainstHostileCallers(t *testing.T) {
	t.Parallel()
	seen := new(visits)
	g, guarded := prepare(t), freePort(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate") + site(guarded, guardSite(t, seen)))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	c.made("H-1")
	other := c.made("H-2")
	auth, found := c.authCode(nil)
	own := found.rows()[0].(object)["license_code"].(string)
	if own == other {
		other = found.rows()[1].(object)["license_code"].(string)
	}
	token := c.get("/license/token", "auth_code", auth).data()["license_access_token"].(string)

	send := func(method, path, body string, header ...string) answer {
		req, err := http.NewRequest(method, "https://localhost:"+guarded+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return g.do(req)
	}
	const path = "/v1/licence?item=" + marriage

	t.Run("a page's token is no session", func(t *testing.T) {
		seen.take()
		a := (&caller{g: g}).at(guarded, http.MethodGet, "/license/view_license?license_access_token="+token+"&license_item_code="+marriage+"&license_code="+other)
		if a.status != http.StatusUnauthorized || len(seen.take()) != 0 {
			t.Errorf("%d %s", a.status, a.raw)
		}
	})
	t.Run("Connection can't strip identity", func(t *testing.T) {
		seen.take()
		send(http.MethodGet, path, "", "Connection", "Licgate-Account, Licgate-App", "X-Http-Method-Override", "DELETE", "X-Original-Url", "/admin", "Forwarded", "for=1.2.3.4")
		reached := seen.take()
		if len(reached) != 1 {
			t.Fatalf("%d requests reached the upstream", len(reached))
		}
		h := reached[0].Header
		if h.Get("Licgate-Account") != "zhangbin" || h.Get("Licgate-App") != "hydj" {
			t.Errorf("identity was stripped: %v", h)
		}
		for _, name := range []string{"X-Http-Method-Override", "X-Original-Url", "Forwarded"} {
			if h.Get(name) != "" {
				t.Errorf("%s reached the upstream", name)
			}
		}
	})
	t.Run("attributes and headers of the answer", func(t *testing.T) {
		a := send(http.MethodGet, path, "")
		for _, leak := range []string{"李大华", holderID} {
			if bytes.Contains(a.raw, []byte(leak)) || strings.Contains(fmt.Sprint(a.header), leak) {
				t.Errorf("%s left: %v %s", leak, a.header, a.raw)
			}
		}
	})
	t.Run("what another reader would take otherwise", func(t *testing.T) {
		seen.take()
		for _, one := range []struct{ method, path, body string }{
			{http.MethodGet, path + "&Item=100185101", ""},
			{http.MethodGet, path + "&item[]=100185101", ""},
			{http.MethodPost, "/v1/find", `{"item":"305018201","Item":"100185101"}`},
			{http.MethodPost, "/v1/find?item=100185101", `{"item":"305018201"}`},
			{http.MethodPost, "/v1/by-query?item=" + marriage, `{"item":"100185101"}`},
			{http.MethodPost, "/v1/deep?query[item]=100185101", `{"query":{"item":"305018201"}}`},
			{http.MethodPost, "/v1/deep?query.item=100185101", `{"query":{"item":"305018201"}}`},
			{http.MethodPost, "/v1/deep", `{"query":{"item":"305018201"},"query.item":"100185101"}`},
			{http.MethodPost, "/v1/deep", `{"query":{"item":"305018201"},"Query":{"item":"100185101"}}`},
			{http.MethodGet, "/v3/" + marriage + "?item=100185101", ""},
			{http.MethodGet, "/license/view_license?license_item_code=" + marriage + "&license%20item_code=1", ""},
			{http.MethodGet, path + "&_method=DELETE", ""},
		} {
			if a := send(one.method, one.path, one.body); a.code() != "10004" {
				t.Errorf("%s %s %s: %d %s", one.method, one.path, one.body, a.status, a.raw)
			}
		}
		for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-7"} {
			if a := send(http.MethodPost, "/v1/by-query?item="+marriage, `{"a":1}`, "Content-Type", kind); a.code() != "10008" {
				t.Errorf("%s: %d %s", kind, a.status, a.raw)
			}
		}
		if n := len(seen.take()); n != 0 {
			t.Errorf("%d refused requests reached the upstream", n)
		}
	})
	t.Run("a write is announced before the upstream hears of it", func(t *testing.T) {
		a := send(http.MethodPost, "/v4/"+marriage, `{"anything":1}`)
		id := a.header.Get("Licgate-Response-Id")
		if records := g.must("audit", "export", "--interface", "issue"); a.status != http.StatusOK || !strings.Contains(records, `"attempt_of":"`+id+`"`) {
			t.Errorf("%d %s\n%s", a.status, a.raw, records)
		}
	})
	t.Run("a code opens its own licence only", func(t *testing.T) {
		if a := send(http.MethodGet, "/v2/"+other+"?auth_code="+auth, ""); a.code() != "40010" {
			t.Errorf("another licence: %d %s", a.status, a.raw)
		}
		if a := send(http.MethodGet, "/v2/"+own+"?auth_code="+auth, ""); a.status != http.StatusOK || a.code() != "" {
			t.Errorf("its own: %d %s", a.status, a.raw)
		}
	})
}

// TestHostileCallers holds what was tried at the built-in interfaces.
func TestHostileCallers(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")

	t.Run("a field that was renamed stays hidden in old licences", func(t *testing.T) {
		c.made("O-1")
		auth, _ := c.authCode(nil)
		g.apply(edited("key: CZR,", "key: CZRXM,", "key: CYRSFZJHM,", "key: SFZ,"))
		a := c.get("/license/get_license", "auth_code", auth)
		if bytes.Contains(a.raw, []byte(holderID)) || bytes.Contains(a.raw, []byte("李大华")) {
			t.Errorf("%s", a.raw)
		}
		g.apply(platform)
	})
	t.Run("an attribute is hidden like its field", func(t *testing.T) {
		g.apply(edited(`{key: FZRQ, label: 发证日期, type: date, role: issue_date}`, `{key: FZRQ, label: 发证日期, type: date, role: issue_date, sensitive: birth_date}`))
		_, a := c.authCode(nil)
		if bytes.Contains(a.raw, []byte("2020-02-14")) {
			t.Errorf("%s", a.raw)
		}
		g.apply(platform)
	})
	t.Run("a biz_num that is an identity number", func(t *testing.T) {
		body := wrapped(object{"data_fields": marriageFields("B-1")})
		body["data"].(object)["biz_num"] = spouseID
		a := c.post("/license/"+marriage+"/issue", body)
		if !a.ok() {
			t.Fatalf("%s", a.raw)
		}
		if _, a := c.authCode(nil); bytes.Contains(a.raw, []byte(spouseID)) {
			t.Errorf("the answer holds it: %s", a.raw)
		}
		if records := g.must("audit", "export"); strings.Contains(records, spouseID) {
			t.Error("the record holds it")
		}
	})
	t.Run("the star does not make another's licences", func(t *testing.T) {
		g.apply(edited(`      - {items: ["305018201"], needs: [issue, abolish]}`+"\n", ""))
		stranger := g.login("other", "stranger")
		body := object{"data": object{
			"service_item_code": "110103GA001", "service_item_name": "另一事项", "operator": operator(), "data_fields": marriageFields("F-1"),
		}}
		if a := stranger.post("/license/"+marriage+"/issue", body); a.code() != "30001" {
			t.Errorf("%s", a.raw)
		}
		body["data"].(object)["data_fields"] = object{"NAME": "李大华", "IDNUM": holderID}
		if a := stranger.post("/license/100185101/issue", body); !a.ok() {
			t.Errorf("its own: %s", a.raw)
		}
		g.apply(platform)
	})
	t.Run("new credentials end old sessions", func(t *testing.T) {
		old := g.login("readonly", "seer")
		g.must("account", "reset-password", "seer")
		if a := old.get("/security/get_current_user"); a.status != http.StatusUnauthorized {
			t.Errorf("after a new password: %d %s", a.status, a.raw)
		}
	})
	t.Run("a routine apply does not enable what was disabled", func(t *testing.T) {
		g.must("account", "disable", "maker")
		if out := g.apply(platform); !strings.Contains(out, "没有变化") {
			t.Errorf("%s", out)
		}
		g.must("account", "enable", "maker")
	})
	t.Run("a write is announced before it is done", func(t *testing.T) {
		a := c.post("/license/"+marriage+"/issue", wrapped(object{"data_fields": marriageFields("A-1")}))
		id := a.body["response_id"].(string)
		records := strings.Split(strings.TrimSpace(g.must("audit", "export", "--interface", "issue")), "\n")
		attempt, outcome := records[len(records)-2], records[len(records)-1]
		if !strings.Contains(attempt, `"attempt_of":"`+id+`"`) || !strings.Contains(attempt, `"outcome":"ATTEMPT"`) ||
			!strings.Contains(outcome, `"response_id":"`+id+`"`) || !strings.Contains(outcome, `"outcome":"SUCCESS"`) {
			t.Errorf("attempt %s\noutcome %s", attempt, outcome)
		}
	})
	t.Run("nobody makes us read much before he logged in", func(t *testing.T) {
		a := (&caller{g: g}).post("/security/login", object{"app_key": strings.Repeat("x", 70<<10)})
		if a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d %s", a.status, a.raw)
		}
	})
	t.Run("batch_sign names what it signed", func(t *testing.T) {
		made := c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields("N-1"), "biz_num": "batch-1"}))
		if !made.ok() {
			t.Fatalf("%s", made.raw)
		}
		signed := c.post("/license/"+marriage+"/batch_sign", wrapped(object{"biz_num": "batch-1"}))
		record := g.must("audit", "export", "--response-id", signed.body["response_id"].(string))
		if !strings.Contains(record, `"licences":["`) {
			t.Errorf("%s", record)
		}
	})
}

// TestOneDepartmentCannotUseUpRedemption: guesses that a caller's own quota refuses do not count for all.
func TestOneDepartmentCannotUseUpRedemption(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate {\n\t\tlimit {\n\t\t\tredeem 1000 3\n\t\t\tredeem_overall 1000 10\n\t\t}\n\t}"))(g)
	g.run()
	g.apply(platform)
	hostile, c := g.login("other", "stranger"), g.login("hydj", "zhangbin")
	guess := func(c *caller) answer {
		return c.post("/license/get_license_qr", wrapped(object{"auth_code_qr": "lgq1_guess"}))
	}
	for range 30 {
		guess(hostile)
	}
	if a := guess(c); a.status == http.StatusTooManyRequests {
		t.Errorf("another department is refused: %s", a.raw)
	}
}

// TestTyposOfAnOfficeAreForgiven: many people behind one address who mistype once and then log in are not locked out.
func TestTyposOfAnOfficeAreForgiven(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	try := func(account, password string) answer {
		return (&caller{g: g}).post("/security/login", object{
			"app_key": "hydj", "app_secret": g.secrets["app_secret/hydj"], "account": account, "password": password,
		})
	}
	for range 4 {
		try("maker", "a typo here 1")
		try("seer", "a typo here 1")
		for _, account := range []string{"maker", "seer"} {
			if a := try(account, g.secrets["password/"+account]); !a.ok() {
				t.Fatalf("%s: %s", account, a.raw)
			}
		}
	}
}

// TestSlowBodyMeetsWhatIsInForce: an account that is disabled while its request's body comes in does nothing any more.
func TestSlowBodyMeetsWhatIsInForce(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	body, err := json.Marshal(wrapped(object{"data_fields": marriageFields("SLOW-1")}))
	if err != nil {
		t.Fatal(err)
	}
	read, write := io.Pipe()
	go func() {
		_, _ = write.Write(body[:10])
		g.must("account", "disable", "zhangbin")
		time.Sleep(1100 * time.Millisecond) // longer than a body may take without being asked again
		_, _ = write.Write(body[10:])
		write.Close()
	}()
	req, err := http.NewRequest(http.MethodPost, g.url("/license/"+marriage+"/create"), read)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	if a := g.do(req); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// TestGuesserCannotWipeHisTrace: a login that succeeds forgives the address only what that account failed there.
func TestGuesserCannotWipeHisTrace(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	try := func(account, password string) answer {
		return (&caller{g: g}).post("/security/login", object{
			"app_key": "hydj", "app_secret": g.secrets["app_secret/hydj"], "account": account, "password": password,
		})
	}
	for _, account := range []string{"maker", "seer", "nobody"} {
		try(account, "a wrong guess")
	}
	if a := try("zhangbin", g.secrets["password/zhangbin"]); !a.ok() {
		t.Fatalf("before the lock: %s", a.raw)
	}
	for _, account := range []string{"chief", "stranger"} {
		try(account, "a wrong guess")
	}
	if a := try("zhangbin", g.secrets["password/zhangbin"]); a.code() != "20004" {
		t.Errorf("after five failures from one address: %s", a.raw)
	}
}
