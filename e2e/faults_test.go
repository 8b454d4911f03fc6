package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRestartKeepsWhatWasAnswered: tokens, licences and codes survive a restart; nothing is there twice.
func TestRestartKeepsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	code := c.made("R-1")
	auth, _ := c.authCode(nil)
	token := c.get("/license/token", "auth_code", auth).data()["license_access_token"].(string)
	g.stop()
	g.run()
	if a := c.get("/security/get_current_user"); !a.ok() {
		t.Errorf("the session is gone: %s", a.raw)
	}
	if a := c.get("/license/get_license", "auth_code", auth); a.data()["license_code"] != code {
		t.Errorf("the code is gone: %s", a.raw)
	}
	if a := (&caller{g: g}).get("/license/view_license", "license_access_token", token); a.status != http.StatusOK {
		t.Errorf("the page is gone: %d", a.status)
	}
	if out := g.apply(platform); !strings.Contains(out, "没有变化") {
		t.Errorf("the platform is not what it was: %s", out)
	}
	g.must("audit", "verify")
}

// TestKillLosesNothing kills the gateway under load, several times: what was answered is there, the journal is whole, and it goes on.
func TestKillLosesNothing(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	answered := map[string]string{} // number → license_code
	for round := range 4 {
		var (
			mu   sync.Mutex
			wg   sync.WaitGroup
			stop atomic.Bool

			answers atomic.Int64
		)
		for worker := range 4 {
			wg.Go(func() {
				for i := 0; !stop.Load(); i++ {
					number := fmt.Sprintf("K-%d-%d-%d", round, worker, i)
					code, ok := c.tryIssue(number)
					if !ok {
						return
					}
					mu.Lock()
					answered[number] = code
					mu.Unlock()
					answers.Add(1)
				}
			})
		}
		// Any moment in the middle will do, once something was answered.
		for answers.Load() < int64(3+round) {
			time.Sleep(time.Millisecond)
		}
		g.kill()
		stop.Store(true)
		wg.Wait()
		g.run()
	}
	if len(answered) == 0 {
		t.Fatal("nothing was answered before a kill")
	}
	found := map[string]bool{}
	for page := 1; ; page++ {
		_, a := c.authCode(object{"page_index": page, "page_size": 150, "show_sensitive_data": "true"})
		for _, row := range a.rows() {
			code := row.(object)["license_code"].(string)
			if found[code] {
				t.Errorf("%s is there twice", code)
			}
			found[code] = true
		}
		if float64(page*150) >= a.body["total_count"].(float64) {
			break
		}
	}
	for number, code := range answered {
		if !found[code] {
			t.Errorf("%s was answered as %s and is gone", number, code)
		}
		if a := c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields(number)})); a.code() != "40002" {
			t.Errorf("%s again: %s", number, a.raw)
			break
		}
	}
	g.must("audit", "verify")
	records := g.must("audit", "export", "--interface", "issue", "--outcome", "SUCCESS")
	if n := strings.Count(records, "\n"); n < len(answered) {
		t.Errorf("%d answers, %d records", len(answered), n)
	}
}

// tryIssue makes and signs in one call; false when the gateway went away.
func (c *caller) tryIssue(number string) (string, bool) {
	body, err := json.Marshal(wrapped(object{"data_fields": marriageFields(number)}))
	if err != nil {
		return "", false
	}
	req, err := http.NewRequest(http.MethodPost, c.g.url("/license/"+marriage+"/issue"), strings.NewReader(string(body)))
	if err != nil {
		return "", false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.g.client.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	var a struct {
		AckCode string `json:"ack_code"`
		Data    struct {
			LicenseCode string `json:"license_code"`
		} `json:"data"`
	}
	if json.NewDecoder(resp.Body).Decode(&a) != nil || a.AckCode != "SUCCESS" {
		return "", false
	}
	return a.Data.LicenseCode, true
}

// TestReloadUnderLoad: while the configuration is loaded anew, not one request fails and every session lives.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	var (
		stop   atomic.Bool
		wg     sync.WaitGroup
		served atomic.Int64
		failed atomic.Value
	)
	for range 4 {
		c := g.login("hydj", "zhangbin")
		wg.Go(func() {
			for !stop.Load() {
				req, _ := http.NewRequest(http.MethodGet, g.url("/security/get_current_user"), nil)
				req.Header.Set("Authorization", "Bearer "+c.token)
				resp, err := g.client.Do(req)
				if err != nil {
					// Linux resets what waits in the accept queue of a listener that closes: a client that got not a
					// byte tries again, once.
					if resp, err = g.client.Do(req); err != nil {
						failed.Store(err.Error())
						return
					}
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					failed.Store(resp.Status)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 5 {
		text, err := os.ReadFile(g.config)
		if err != nil {
			t.Fatal(err)
		}
		// A configuration that differs, so that it is really loaded.
		file := filepath.Join(g.dir, "Caddyfile.new")
		write(t, file, strings.Replace(string(text), "licgate {\n", fmt.Sprintf("licgate {\n\t\tsession_idle %dm\n", 20+i), 1))
		g.must("reload", "--config", file, "--address", "unix/"+filepath.Join(g.dir, "data", "admin.sock"))
	}
	stop.Store(true)
	wg.Wait()
	if f := failed.Load(); f != nil {
		t.Errorf("a request failed during a reload: %v", f)
	}
	if served.Load() == 0 {
		t.Error("no request was served")
	}
	g.must("audit", "verify")
}

// TestBadReloadKeepsServing: a configuration that is refused leaves the running one as it was.
func TestBadReloadKeepsServing(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	for name, text := range map[string]string{
		"unknown word": strings.Replace(shippedGlobals(t), "licgate {\n", "licgate {\n\t\tdatabse x\n", 1) + site(g.port, "\tlicgate"),
		"store that is not there": strings.Replace(shippedGlobals(t), "store {env.LICGATE_STORE}", "store sqlite:/nonexistent/folder/x.db", 1) +
			site(g.port, "\tlicgate"),
		"sessions nobody knows": strings.Replace(shippedGlobals(t), "sessions {env.LICGATE_SESSIONS}", "sessions memcached://x", 1) +
			site(g.port, "\tlicgate"),
	} {
		file := filepath.Join(g.dir, "Caddyfile.bad")
		write(t, file, text)
		_, stderr, code := g.command("reload", "--config", file, "--address", "unix/"+filepath.Join(g.dir, "data", "admin.sock"))
		if code == 0 {
			t.Errorf("%s: it was accepted", name)
		}
		if name == "unknown word" && !strings.Contains(stderr, "Caddyfile.bad:") {
			t.Errorf("%s: the error names no line: %s", name, stderr)
		}
		if a := c.get("/security/get_current_user"); !a.ok() {
			t.Errorf("%s: the running gateway broke: %s", name, a.raw)
		}
		if out := g.must("app", "list"); !strings.Contains(out, "hydj") {
			t.Errorf("%s: administrators are locked out: %s", name, out)
		}
	}
}

// TestLogsHoldNoSecrets logs everything that can be logged and looks for what must not be there.
func TestLogsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	globals := strings.Replace(shippedGlobals(t), "level INFO", "level DEBUG", 1)
	globals = strings.Replace(globals, "servers {\n", "servers {\n\t\ttrace\n\t\tlog_credentials\n", 1)
	withConfig(globals + site(g.port, "\tlog\n\tlicgate"))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	c.made("L-1")
	auth, _ := c.authCode(nil)
	token := c.get("/license/token", "auth_code", auth).data()["license_access_token"].(string)
	(&caller{g: g}).get("/license/view_license", "license_access_token", token)
	(&caller{g: g}).get("/security/get_current_user", "access_token", c.token)
	(&caller{g: g}).get("/security/get_current_user", "access_token", "lgs1_guessed-token-of-a-stranger")
	c.get("/license/get_license", "auth_code", auth, "identity_number", holderID)
	g.stop()
	log := g.log.String()
	if !strings.Contains(log, "/license/view_license") {
		t.Fatal("the access log is not there: the test looks at nothing")
	}
	for what, secret := range map[string]string{
		"session token": c.token, "guessed token": "lgs1_guessed-token-of-a-stranger", "page token": token, "auth code": auth,
		"app_secret": g.secrets["app_secret/hydj"], "password": g.secrets["password/zhangbin"],
		"identity number": holderID, "holder": "李大华",
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
}

// TestLimits: what is over is refused with envelope, Retry-After and the current draft's header fields.
func TestLimits(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate {\n\t\tlimit {\n\t\t\tapplication 1000 20\n\t\t\taddress 1000 30\n\t\t\tlogin 1000 6\n\t\t\tredeem 1000 3\n\t\t}\n\t}"))(g)
	g.run()
	g.apply(edited("rate: {per_second: 100000}", "rate: {per_second: 0}", "rate: {per_second: 100000}", "rate: {per_minute: 5}"))
	c, few := g.login("hydj", "zhangbin"), g.login("other", "stranger")

	count := func(call func() answer) (passed int, refused answer) {
		for range 100 {
			a := call()
			if a.status == http.StatusTooManyRequests {
				return passed, a
			}
			passed++
		}
		return passed, answer{}
	}
	n, a := count(func() answer { return few.get("/security/get_current_user") })
	if n != 5 || a.code() != "50001" || a.header.Get("Retry-After") == "" || a.body["response_id"] == "" {
		t.Errorf("the application's own limit: %d passed, then %d %s %v", n, a.status, a.raw, a.header)
	}
	if got := a.header.Get("Ratelimit-Policy"); got != `"second";q=5;w=1, "minute";q=5;w=60` {
		t.Errorf("RateLimit-Policy: %s", got)
	}
	if got := a.header.Get("Ratelimit"); !strings.Contains(got, `"minute";r=0;t=`) {
		t.Errorf("RateLimit: %s", got)
	}
	redeem := func() answer {
		return c.post("/license/get_license_qr", wrapped(object{"auth_code_qr": "lgq1_guess"}))
	}
	if n, a := count(redeem); n != 3 || a.code() != "50001" {
		t.Errorf("code redemption: %d passed, then %s", n, a.raw)
	}
	if n, _ := count(func() answer { return c.get("/security/get_current_user") }); n != 20-3-1 {
		t.Errorf("the default of applications: %d more passed, want 16", n)
	}
	login := func() answer { return (&caller{g: g}).post("/security/login", object{"app_key": "x"}) }
	if n, a := count(login); n != 6-2 || a.code() != "50001" {
		t.Errorf("login: %d passed, then %s", n, a.raw)
	}
	if n, a := count(func() answer { return (&caller{g: g}).get("/license_item/list") }); n == 0 || n > 30 || a.code() != "50001" {
		t.Errorf("an address that nobody is known at: %d passed, then %s", n, a.raw)
	}
}

// TestTraceIDIsRecorded: a caller's W3C trace reaches the record through Caddy's tracing.
func TestTraceIDIsRecorded(t *testing.T) {
	t.Parallel()
	g := prepare(t, withEnv("OTEL_TRACES_EXPORTER=none"))
	withConfig(shippedGlobals(t) + site(g.port, "\ttracing {\n\t\tspan licgate\n\t}\n\tlicgate"))(g)
	g.run()
	req, err := http.NewRequest(http.MethodGet, g.url("/license_item/list"), nil)
	if err != nil {
		t.Fatal(err)
	}
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	req.Header.Set("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	a := g.do(req)
	record := g.must("audit", "export", "--response-id", a.body["response_id"].(string))
	if !strings.Contains(record, `"trace_id":"`+trace+`"`) {
		t.Errorf("the record lacks the trace: %s", record)
	}
}

// TestDamagedJournalIsTold: a flipped byte in the record is found at the next start and by verify; the gateway goes on recording.
func TestDamagedJournalIsTold(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	g.login("hydj", "zhangbin").get("/security/get_current_user")
	g.stop()
	segments, err := filepath.Glob(filepath.Join(g.dir, "data", "audit", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("%v %v", segments, err)
	}
	content, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(segments[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	g.run()
	if !strings.Contains(g.log.String(), "the audit journal is damaged") {
		t.Error("the start does not tell of the damage")
	}
	if a := g.login("hydj", "zhangbin").get("/security/get_current_user"); !a.ok() {
		t.Errorf("it does not go on: %s", a.raw)
	}
	if _, stderr, code := g.command("audit", "verify"); code != 1 || !strings.Contains(stderr, filepath.Base(segments[0])) {
		t.Errorf("verify: exit %d %s", code, stderr)
	}
}
