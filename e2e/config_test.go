package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// shippedGlobals is the global part of the shipped Caddyfile.
func shippedGlobals(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	globals, _, found := strings.Cut(string(text), "\n}\n")
	if !found {
		t.Fatal("the shipped Caddyfile has no global block")
	}
	return globals + "\n}\n"
}

// site is a site block on a port of its own.
func site(port, body string) string {
	return fmt.Sprintf("localhost:%s {\n\ttls internal\n%s\n}\n", port, body)
}

// at calls a path on another port of the same gateway.
func (c *caller) at(port, method, path string, header ...string) answer {
	c.g.t.Helper()
	req, err := http.NewRequest(method, "https://localhost:"+port+path, nil)
	if err != nil {
		c.g.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return c.g.do(req)
}

// TestStepLeftOut: a chain that lacks a step, or holds them out of order, answers nothing, whatever stands behind it.
func TestStepLeftOut(t *testing.T) {
	t.Parallel()
	const secret = "bytes of the upstream that nobody decided about"
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, secret) }))
	t.Cleanup(upstream.Close)
	steps := []string{"licgate_audit", "licgate_session", "licgate_limit", "licgate_authorize", "licgate_mask"}

	chains := map[string][]string{}
	for i, step := range steps {
		chains["without "+step] = slices.Delete(slices.Clone(steps), i, i+1)
	}
	for i := range len(steps) - 1 {
		swapped := slices.Clone(steps)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		chains[swapped[i]+" before "+swapped[i+1]] = swapped
	}
	chains["audit alone"] = steps[:1]
	chains["a step twice"] = append(slices.Clone(steps), "licgate_mask")

	type ending struct{ name, port string }
	config := shippedGlobals(t)
	var cases []ending
	g := prepare(t)
	config += site(g.port, "\tlicgate\n")
	for name, chain := range chains {
		for _, end := range []string{"licgate_licences", "licgate_pages", "reverse_proxy " + strings.TrimPrefix(upstream.URL, "http://")} {
			port := freePort(t)
			config += site(port, "\troute {\n\t\t"+strings.Join(chain, "\n\t\t")+"\n\t\t"+end+"\n\t}\n")
			cases = append(cases, ending{name + ", then " + strings.Fields(end)[0], port})
		}
	}
	withConfig(config)(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	for _, one := range cases {
		a := c.at(one.port, http.MethodGet, "/license_item/list")
		if bytes.Contains(a.raw, []byte(secret)) || a.ok() {
			t.Errorf("%s: answered %d %s", one.name, a.status, a.raw)
		}
		if strings.HasPrefix(one.name, "without licgate_audit") || strings.HasPrefix(one.name, "licgate_session before licgate_audit") {
			if a.status != http.StatusInternalServerError {
				t.Errorf("%s: status %d, want 500", one.name, a.status)
			}
			continue
		}
		if a.status != http.StatusInternalServerError || a.code() != "90006" {
			t.Errorf("%s: %d %s, want 500 and 90006", one.name, a.status, a.raw)
		}
	}
}

// TestScrambledOrderServes: outside a route block the directives find their order by themselves.
func TestScrambledOrderServes(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate_pages\n\tlicgate_mask\n\tlicgate_licences\n\tlicgate_authorize\n"+
		"\tlicgate_limit\n\tlicgate_session\n\tlicgate_health\n\tlicgate_audit\n\tlicgate_assets\n"))(g)
	g.run()
	g.apply(platform)
	if a := g.login("hydj", "zhangbin").get("/security/get_current_user"); !a.ok() {
		t.Errorf("get_current_user: %s", a.raw)
	}
}

// visits keeps the requests that reached an upstream.
type visits struct {
	mu   sync.Mutex
	seen []*http.Request
}

func (w *visits) note(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, r.Clone(r.Context()))
}

// take returns what came since the last call.
func (w *visits) take() []*http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// foreign is an upstream that answers what a test asks for in the query.
func foreign(t *testing.T, seen *visits) *httptest.Server {
	t.Helper()
	person := `{"who":[{"CZR":"李大华","CYRSFZJHM":"` + holderID + `","note":"公开"}],"inner":"{\"CZR\":\"李大华\"}"}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.note(r)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch r.URL.Query().Get("as") {
		case "html":
			w.Header().Set("Content-Type", "text/html")
		case "broken":
			person := person[:len(person)-1]
			_, _ = io.WriteString(w, person)
			return
		case "duplicate":
			_, _ = io.WriteString(w, `{"CZR":"李大华","CZR":"李大华"}`)
			return
		case "gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, person)
			_ = z.Close()
			return
		case "partial":
			w.Header().Set("Content-Range", "bytes 0-9/100")
			w.WriteHeader(http.StatusPartialContent)
		case "large":
			_, _ = io.WriteString(w, `{"CZR":"`+strings.Repeat("李", 1<<20)+`"}`)
			return
		case "empty":
			w.WriteHeader(http.StatusNoContent)
			return
		case "trailer":
			w.Header().Set("Trailer", "X-Name")
			_, _ = io.WriteString(w, person)
			w.Header().Set("X-Name", "李大华")
			return
		}
		_, _ = io.WriteString(w, person)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestGuard: the five steps before a plain reverse_proxy to a service that knows nothing of us.
func TestGuard(t *testing.T) {
	t.Parallel()
	seen := new(visits)
	upstream := foreign(t, seen)
	g, guarded := prepare(t), freePort(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate") + site(guarded, `
	licgate_guard {
		max_body 1MiB
		route GET /api/{item}/licences/{code} get_license {
			item path item
			service_item query service
			license_code path code
			show_sensitive_data query clear
		}
		route GET /api/by-code get_license {
			auth_code query code
		}
		route POST /api/find get_license {
			item body query.item
			service_item body query.service
		}
	}
	reverse_proxy `+strings.TrimPrefix(upstream.URL, "http://")))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	path := "/api/" + marriage + "/licences/123?service=" + service

	a := c.at(guarded, http.MethodGet, path+"&access_token=", "Licgate-App", "root", "Licgate-Forged", "x", "Referer", "https://x/?access_token=y")
	if a.code() != "10004" {
		t.Errorf("a token in two places: %d %s", a.status, a.raw)
	}
	seen.take()
	a = c.at(guarded, http.MethodGet, path, "Licgate-App", "root", "Licgate-Forged", "x", "Referer", "https://x/?access_token=y")
	want := `{"who":[{"CZR":"李**","CYRSFZJHM":"110101********","note":"公开"}],"inner":"{\"CZR\":\"李**\"}"}`
	if a.status != http.StatusOK || string(bytes.TrimSpace(a.raw)) != want {
		t.Errorf("masked body: %d %s, want %s", a.status, a.raw, want)
	}
	reached := seen.take()
	if len(reached) != 1 {
		t.Fatalf("the upstream saw %d requests", len(reached))
	}
	r := reached[0]
	for name, value := range map[string]string{
		"Licgate-App": "hydj", "Licgate-Account": "zhangbin", "Licgate-Department": mzj, "Licgate-Interface": "get_license",
		"Licgate-Item": marriage, "Licgate-Service-Item": service, "Licgate-Forged": "", "Authorization": "", "Referer": "",
	} {
		if got := r.Header.Get(name); got != value {
			t.Errorf("the upstream got %s: %q, want %q", name, got, value)
		}
	}
	if strings.Contains(r.URL.String(), "access_token") {
		t.Errorf("the upstream got a token: %s", r.URL)
	}
	if id := r.Header.Get("Licgate-Response-Id"); id == "" || id != a.header.Get("Licgate-Response-Id") {
		t.Errorf("response id: the upstream got %q, the client %q", id, a.header.Get("Licgate-Response-Id"))
	}

	t.Run("withheld", func(t *testing.T) {
		for _, as := range []string{"html", "broken", "duplicate", "gzip", "partial", "large", "trailer"} {
			a := c.at(guarded, http.MethodGet, path+"&as="+as)
			if a.status != http.StatusBadGateway || a.code() != "90004" || bytes.Contains(a.raw, []byte("李")) || a.header.Get("X-Name") != "" {
				t.Errorf("%s: %d %s", as, a.status, a.raw)
			}
		}
	})
	t.Run("empty", func(t *testing.T) {
		if a := c.at(guarded, http.MethodGet, path+"&as=empty"); a.status != http.StatusNoContent || len(a.raw) > 0 {
			t.Errorf("no content: %d %s", a.status, a.raw)
		}
	})
	t.Run("refused", func(t *testing.T) {
		seen.take()
		for path, code := range map[string]string{
			"/api/none": "10006", "/api/" + marriage + "/licences/1/2": "10006", "/api/999999999/licences/1?service=" + service: "40008",
			"/api/" + marriage + "/licences/1?service=110103GA001": "30003", "/api/" + marriage + "/licences/1": "30003",
			"/api/" + marriage + "%2flicences/1": "10004", "/api/../api/" + marriage + "/licences/1": "10004",
			"/api/by-code?code=lga1_unknown": "40010",
			"/security/login":                "10006",
		} {
			if a := c.at(guarded, http.MethodGet, path); a.code() != code {
				t.Errorf("%s: %d %s, want %s", path, a.status, a.raw, code)
			}
		}
		if a := (&caller{g: g}).at(guarded, http.MethodGet, path); a.status != http.StatusUnauthorized || a.code() != "20001" {
			t.Errorf("without a token: %d %s", a.status, a.raw)
		}
		if a := g.login("hydj", "nobody").at(guarded, http.MethodGet, path); a.code() != "30002" {
			t.Errorf("without a role: %s", a.raw)
		}
		if n := len(seen.take()); n > 0 {
			t.Errorf("%d refused requests reached the upstream", n)
		}
	})
	t.Run("clear by right and request", func(t *testing.T) {
		if a := g.login("hydj", "seer").at(guarded, http.MethodGet, path+"&clear=true"); !bytes.Contains(a.raw, []byte(holderID)) {
			t.Errorf("right and request: %s", a.raw)
		}
		if a := c.at(guarded, http.MethodGet, path+"&clear=true"); a.status != http.StatusOK || bytes.Contains(a.raw, []byte(holderID)) {
			t.Errorf("request without right: %s", a.raw)
		}
	})
	t.Run("body", func(t *testing.T) {
		send := func(body string) answer {
			req, err := http.NewRequest(http.MethodPost, "https://localhost:"+guarded+"/api/find", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+c.token)
			req.Header.Set("Content-Type", "application/json")
			return g.do(req)
		}
		if a := send(`{"query":{"item":305018201,"service":"` + service + `"}}`); a.status != http.StatusOK {
			t.Errorf("item as a number: %d %s", a.status, a.raw)
		}
		for body, code := range map[string]string{
			`{"query":{"item":["305018201"],"service":"` + service + `"}}`: "10003",
			`{"query":"305018201"}`: "10003",
			`{"query":{"item":"305018201","item":"100185101","service":"` + service + `"}}`: "10001",
			`{}`: "30003", `[`: "10001",
		} {
			if a := send(body); a.code() != code && a.code() != "10004" {
				t.Errorf("%s: %d %s, want %s", body, a.status, a.raw, code)
			}
		}
	})
}

// TestHealth: alive, ready, metrics at Caddy's own endpoint.
func TestHealth(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	for _, path := range []string{"/healthz", "/readyz"} {
		var h object
		a := (&caller{g: g}).get(path)
		if err := json.Unmarshal(a.raw, &h); err != nil || a.status != http.StatusOK || h["status"] != "ok" || h["policy_version"] != 1.0 {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	g.login("hydj", "zhangbin").get("/security/get_current_user")
	metrics := g.admin(http.MethodGet, "/metrics")
	for _, line := range []string{
		`licgate_requests_total{code="",interface="get_current_user",outcome="SUCCESS"} 1`, "licgate_policy_version 1", "licgate_audit_healthy 1",
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// TestForeignHost: a request for another host is refused and recorded, not answered by nobody.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	g := start(t)
	req, err := http.NewRequest(http.MethodPost, g.url("/security/login"), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "elsewhere.example"
	a := g.do(req)
	if a.status != http.StatusNotFound || a.code() != "10006" {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if record := g.must("audit", "export", "--response-id", a.body["response_id"].(string)); !strings.Contains(record, "10006") {
		t.Errorf("no record: %s", record)
	}
}
