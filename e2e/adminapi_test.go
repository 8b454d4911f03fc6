package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// adminClient speaks to the admin socket.
func (g *gateway) adminClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(g.dir, "data", "admin.sock"))
	}}}
}

// TestAdminAnswersAreDescribed: the description that the gateway serves fits what it is asked and what it answers.
func TestAdminAnswersAreDescribed(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	g.login("hydj", "zhangbin").made("D-1")
	client := g.adminClient()
	defer client.CloseIdleConnections()
	do := func(method, path, token string, body []byte) (*http.Request, *http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequest(method, "http://127.0.0.1/licgate/"+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return req, resp, text
	}
	_, _, text := do("GET", "openapi.json", "", nil)
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("not valid OpenAPI: %v", err)
	}
	doc.Servers = openapi3.Servers{{URL: "http://127.0.0.1"}}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for _, name := range []string{"sys", "sec", "aud"} {
		body, _ := json.Marshal(object{"administrator": name, "password": g.ownPassword(name)})
		_, _, text := do("POST", "administrators/login", "", body)
		var answer struct{ Token string }
		if err := json.Unmarshal(text, &answer); err != nil || answer.Token == "" {
			t.Fatalf("login of %s: %s", name, text)
		}
		tokens[name] = answer.Token
	}
	asked := map[string]bool{}
	for _, call := range []struct {
		who, method, path, body string
	}{
		{"", "GET", "status", ""},
		{"", "GET", "administrators/me", ""},
		{"sys", "GET", "administrators", ""},
		{"sec", "GET", "registry/applications", ""},
		{"sec", "GET", "registry/accounts", ""},
		{"sec", "POST", "registry/applications/readonly/disable", `{"why":"x"}`},
		{"sec", "POST", "registry/accounts/nobody/reset-password", `{}`},
		{"sec", "POST", "administrators/sec2/disable", `{"dry_run":true}`},
		{"sec", "POST", "registry/apply", `{"file":"service_items: []","dry_run":true}`},
		{"sec", "POST", "policy/explain", `{"app":"hydj","account":"nobody","item":"305018201","interface":"create"}`},
		{"sec", "POST", "policy/who", `{"item":"305018201","interface":"auth"}`},
		{"sec", "POST", "policy/plan", `{"file":"accounts: [{account: zhangbin, name: 张彬, department: 11110000000021135M, roles: [user]}]","days":1}`},
		{"sec", "POST", "policy/test", `{"file":"a: deny app=hydj account=zhangbin interface=create item=305018201"}`},
		{"sec", "GET", "policy/versions?limit=3", ""},
		{"sec", "GET", "policy/versions/1", ""},
		{"sec", "GET", "policy/versions/1/diff", ""},
		{"sec", "POST", "policy/rollback", `{"version":1,"dry_run":true}`},
		{"", "GET", "policy/verify", ""},
		{"sec", "GET", "policy/pending?state=all", ""},
		{"sec", "POST", "onboarding", `{"file":` + quoted(application) + `}`},
		{"sec", "GET", "onboarding", ""},
		{"sec", "GET", "onboarding/SQ-2026-0001", ""},
		{"sec", "GET", "policy/pending/1", ""},
		{"sec", "POST", "policy/pending/1/reject", `{"note":"x"}`},
		{"sec", "POST", "locks", `{"kind":"account","key":"nobody","reason":"x","for":"1h"}`},
		{"sec", "GET", "locks", ""},
		{"sec", "POST", "locks/remove", `{"kind":"account","key":"nobody"}`},
		{"sec", "GET", "sessions", ""},
		{"sec", "POST", "sessions/end", `{"account":"zhangbin"}`},
		{"aud", "POST", "licences/standing", `{"licence":"X"}`},
		{"aud", "POST", "check", `{"code":"X"}`},
		{"sys", "POST", "keys/rotate", `{"why":"x"}`},
		{"sys", "POST", "keys/rewrap", `{}`},
		{"sec", "POST", "keys/shred", `{"licence":"X","confirm":"X","why":"x"}`},
		{"sec", "POST", "keys/shred", `{"licence":"X","confirm":"Y","why":"x"}`},
		{"sys", "GET", "keys", ""},
		{"sec", "GET", "keys/jobs/1", ""},
		{"sec", "POST", "keys/jobs/1/approve", `{}`},
		{"sec", "POST", "keys/jobs/9/reject", `{}`},
		{"aud", "GET", "audit/verify", ""},
		{"aud", "POST", "audit/verify", `{"anchors":true,"indexes":true}`},
		{"aud", "GET", "audit/checkpoint", ""},
		{"aud", "GET", "audit/keys", ""},
		{"aud", "POST", "audit/retire", `{"keep":"365d","dry_run":true}`},
		{"sys", "POST", "administrators/logout", ""},
		// Refusals are described too.
		{"aud", "GET", "policy/versions", ""},
		{"sec", "GET", "policy/versions/99", ""},
		{"sec", "POST", "locks", `{"kind":"account","key":"nobody"}`},
	} {
		var body []byte
		if call.method == "POST" {
			body = []byte(call.body)
		}
		req, resp, text := do(call.method, call.path, tokens[call.who], body)
		route, params, err := router.FindRoute(req)
		if err != nil {
			t.Errorf("%s %s is not described: %v", call.method, call.path, err)
			continue
		}
		asked[call.method+" "+route.Path] = true
		req.Body = io.NopCloser(bytes.NewReader(body))
		question := &openapi3filter.RequestValidationInput{
			Request: req, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
		}
		if err := openapi3filter.ValidateRequest(t.Context(), question); err != nil {
			t.Errorf("%s %s: the question: %v", call.method, call.path, err)
		}
		answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: question, Status: resp.StatusCode, Header: resp.Header}
		answer.SetBodyBytes(text)
		if err := openapi3filter.ValidateResponse(t.Context(), answer); err != nil {
			t.Errorf("%s %s: %d %s: %v", call.method, call.path, resp.StatusCode, text, err)
		}
	}
	// Every described call was asked, but for those tested elsewhere with their own kinds of answers.
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			switch method + " " + strings.TrimPrefix(path, "/licgate/") {
			case "GET openapi.json", "GET registry/export", "GET audit/records", "POST audit/search", "POST audit/export", "GET audit/prove/{response_id}", "GET audit/tail", "GET integrity",
				"POST credential", "POST administrators/login",
				"POST administrators/password", "POST policy/pending/{id}/approve":
				continue
			}
			if !asked[method+" "+path] {
				t.Errorf("%s %s is described and not tried", method, path)
			}
		}
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// TestIfMatch: a change made for a version that is not in force is refused, in HTTP's own words.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	client := g.adminClient()
	defer client.CloseIdleConnections()
	export, err := client.Get("http://127.0.0.1/licgate/registry/export")
	if err != nil {
		t.Fatal(err)
	}
	export.Body.Close()
	if tag := export.Header.Get("ETag"); tag != `"1"` {
		t.Errorf("ETag %s", tag)
	}
	for tag, want := range map[string]int{`"9"`: http.StatusPreconditionFailed, `"x"`: http.StatusBadRequest, `"1"`: http.StatusOK} {
		req, err := http.NewRequest("POST", "http://127.0.0.1/licgate/registry/applications/other/disable", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("If-Match", tag)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("If-Match %s: %d, want %d: %s", tag, resp.StatusCode, want, text)
		}
	}
}

// TestRemoteAdministrators: at Caddy's remote admin endpoint a client certificate stands for an administrator, and the paths that
// Caddy grants it bound what it can call.
func TestRemoteAdministrators(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	certificate, pinned := clientCertificate(t)
	remote := freePort(t)
	var config object
	if err := json.Unmarshal([]byte(g.must("adapt", "--config", g.config)), &config); err != nil {
		t.Fatal(err)
	}
	admin := config["admin"].(object)
	admin["identity"] = object{"identifiers": []string{"localhost"}, "issuers": []object{{"module": "internal"}}}
	admin["remote"] = object{"listen": "127.0.0.1:" + remote, "access_control": []object{{
		"public_keys": []string{base64.StdEncoding.EncodeToString(certificate.Certificate[0])},
		"permissions": []object{{"paths": []string{"/licgate/policy/", "/licgate/status"}}},
	}}}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	g.config = filepath.Join(g.dir, "caddy.json")
	write(t, g.config, string(text))
	g.run()
	declared := strings.Replace(powers, "role: security, identity_num: 11010119900307002X", "role: security, identity_num: 11010119900307002X, certificates: ["+pinned+"]", 1)
	g.apply(platform + declared)

	root, err := os.ReadFile(filepath.Join(g.dir, "data", "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool, ServerName: "localhost", Certificates: []tls.Certificate{certificate},
	}}}
	defer client.CloseIdleConnections()
	get := func(path string) (int, string) {
		t.Helper()
		var resp *http.Response
		await(t, "the remote admin endpoint", func() bool { resp, err = client.Get("https://127.0.0.1:" + remote + path); return err == nil })
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	if status, text := get("/licgate/policy/versions"); status != 200 || !strings.Contains(text, `"number":1`) {
		t.Errorf("the administrator's own power: %d %s", status, text)
	}
	if status, text := get("/licgate/registry/export"); status != 403 {
		t.Errorf("a path that Caddy does not grant: %d %s", status, text)
	}
	g.as("sec2").must("admin", "disable", "sec")
	if status, text := get("/licgate/policy/versions"); status != 403 || !strings.Contains(text, "没有登记") {
		t.Errorf("a disabled administrator's certificate: %d %s", status, text)
	}
}

// clientCertificate makes a self-signed certificate and the digest by which administrators name it.
func clientCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sec"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sec"},
	}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, hex.EncodeToString(sum[:])
}
