package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licgate/client"
)

// Invented; what must not be told.
const (
	appSecret = "s3cr3t-of-the-app"
	password  = "s3cr3t-of-the-account"
	authCode  = "lga1_c0de-of-a-licence"
)

// seen is what a test's gateway got.
type seen struct {
	method, path, token string
	query               url.Values
	body                map[string]any
	header              http.Header
}

// serve is a gateway on loopback with TLS and a certificate of its own; handle answers what login leaves.
func serve(t *testing.T, handle func(w http.ResponseWriter, q seen)) client.Config {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := seen{method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header}
		q.token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		text, err := io.ReadAll(r.Body)
		if err == nil && len(text) > 0 {
			err = json.Unmarshal(text, &q.body)
		}
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		handle(w, q)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that a test breaks off
	s.StartTLS()
	t.Cleanup(s.Close)
	return client.Config{
		URL: s.URL, CAFile: writeRoot(t, s.Certificate()),
		Credentials: client.Credentials{
			AppKey: "hydj", AppSecret: client.NewSecret(appSecret), Account: "zhangbin", Password: client.NewSecret(password),
		},
	}
}

func writeRoot(t *testing.T, c *x509.Certificate) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func made(t *testing.T, c client.Config) *client.Client {
	t.Helper()
	one, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// loggedIn is a client with a session.
func loggedIn(t *testing.T, handle func(w http.ResponseWriter, q seen)) *client.Client {
	t.Helper()
	c := made(t, serve(t, func(w http.ResponseWriter, q seen) {
		if q.path == "/security/login" {
			succeed(w, q, `"data":null,"access_token":"lgs1_first"`)
			return
		}
		handle(w, q)
	}))
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// id is the request_id of a call.
func (q seen) id() string {
	if id, ok := q.body["request_id"].(string); ok {
		return id
	}
	return q.query.Get("request_id")
}

// succeed writes a SUCCESS with further members.
func succeed(w http.ResponseWriter, q seen, more string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"ack_code":"SUCCESS","errors":[],"sign":null,"sign_method":null,"timestamp":"2026-11-23 21:17:45.265",
		"correlation_id":%q,"response_id":"answer-1",%s}`, q.id(), more)
}

// refuse writes a FAILURE.
func refuse(w http.ResponseWriter, q seen, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"ack_code":"FAILURE","errors":[{"code":%q,"message":"不可以","inner_code":"why"}],
		"correlation_id":%q,"response_id":"answer-2","data":null}`, code, q.id())
}

// discreet fails when an error tells a secret.
func discreet(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{appSecret, password, authCode, "lgs1_"} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.crt")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]client.Config{
		"no address":        {},
		"plain http":        {URL: "http://localhost"},
		"no host":           {URL: "https:///x"},
		"password":          {URL: "https://u:" + password + "@localhost"},
		"query":             {URL: "https://localhost?access_token=" + password},
		"empty query":       {URL: "https://localhost?"},
		"fragment":          {URL: "https://localhost#x"},
		"not an address":    {URL: "https://local host:" + password},
		"negative timeout":  {URL: "https://localhost", Timeout: -1},
		"negative bound":    {URL: "https://localhost", MaxAnswer: -1},
		"no root file":      {URL: "https://localhost", CAFile: filepath.Join(t.TempDir(), "nowhere")},
		"nothing in a file": {URL: "https://localhost", CAFile: empty},
	} {
		c, err := client.New(one)
		if err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		}
		discreet(t, err)
	}
}

func TestCallCarriesWhatItMust(t *testing.T) {
	t.Parallel()
	var got seen
	c := loggedIn(t, func(w http.ResponseWriter, q seen) {
		got = q
		succeed(w, q, `"total_count":3,"auth_codes":["a","b"],"data":{"x":1}`)
	})
	ctx := t.Context()

	a, err := c.Call(ctx, http.MethodGet, "/license/token", url.Values{"auth_code": {"a b&c"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.method != http.MethodGet || got.path != "/license/token" || got.token != "lgs1_first" || got.query.Get("auth_code") != "a b&c" || got.body != nil || len(got.id()) < 20 {
		t.Errorf("sent: %+v", got)
	}
	if a.ResponseID != "answer-1" || a.CorrelationID != got.id() || a.HTTPStatus != 200 || a.TotalCount != 3 || len(a.AuthCodes) != 2 || string(a.Data) != `{"x":1}` || a.Timestamp == "" {
		t.Errorf("answer: %+v", *a)
	}
	first := got.id()

	if _, err := c.Call(ctx, http.MethodPost, "/license/auth", nil, map[string]any{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	if got.body["a"] != "b" || got.id() == first || len(got.query) != 0 || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("sent: %+v", got)
	}
	if _, err := c.Call(ctx, http.MethodPost, "/license/auth", nil, nil); err != nil || len(got.body) != 1 {
		t.Errorf("without a body: %v %+v", err, got)
	}

	for name, call := range map[string]func() error{
		"in the body": func() error {
			_, err := c.Call(ctx, http.MethodPost, "/license/auth", nil, map[string]any{"request_id": "mine"})
			return err
		},
		"in the query": func() error {
			_, err := c.Call(ctx, http.MethodGet, "/license/auth", url.Values{"request_id": {"mine"}}, nil)
			return err
		},
		"in the context": func() error {
			_, err := c.Call(client.WithRequestID(ctx, "mine"), http.MethodPost, "/license/auth", nil, nil)
			return err
		},
	} {
		if err := call(); err != nil || got.id() != "mine" {
			t.Errorf("request_id given %s: %v %q", name, err, got.id())
		}
	}
}

func TestCallRefusesToSend(t *testing.T) {
	t.Parallel()
	c := loggedIn(t, func(w http.ResponseWriter, q seen) {
		t.Errorf("sent %s %s", q.method, q.path)
		succeed(w, q, `"data":null`)
	})
	for _, one := range []struct {
		name, method, path string
		body               any
	}{
		{"no slash", "GET", "license/token", nil},
		{"another host", "GET", ".example.net/", nil},
		{"user before the host", "GET", "@example.net/", nil},
		{"a query in the path", "GET", "/license/token?auth_code=" + authCode, nil},
		{"a fragment", "GET", "/license/token#x", nil},
		{"a blank", "GET", "/license/a b/create", nil},
		{"another method", "DELETE", "/license/token", nil},
		{"GET with a body", "GET", "/license/token", map[string]string{"auth_code": authCode}},
		{"a list", "POST", "/license/auth", []string{authCode}},
		{"null", "POST", "/license/auth", (map[string]string)(nil)},
		{"a text", "POST", "/license/auth", authCode},
		{"no JSON", "POST", "/license/auth", map[string]any{authCode: func() {}}},
		{"request_id no text", "POST", "/license/auth", map[string]any{"request_id": 5}},
	} {
		_, err := c.Call(t.Context(), one.method, one.path, nil, one.body)
		if err == nil {
			t.Errorf("%s: accepted", one.name)
		}
		if !strings.Contains(one.path, authCode) { // a path is the program's own, and names the call
			discreet(t, err)
		}
	}
	for _, item := range []string{"", "../x", "305018201/sign", "abc", "30501820%31"} {
		if _, err := c.Create(t.Context(), item, client.Making{}); err == nil {
			t.Errorf("item code %q accepted", item)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const envelope = `{"ack_code":"FAILURE","errors":[{"code":"40010","message":"用证码无效","inner_code":null}],"response_id":"r"}`
	for _, one := range []struct {
		name      string
		status    int
		body      string
		code      string
		temporary bool
	}{
		{"business failure", 200, envelope, "40010", false},
		{"transport refusal", 413, strings.Replace(envelope, "40010", "10005", 1), "10005", false},
		{"rate", 429, strings.Replace(envelope, "40010", "50001", 1), "50001", true},
		{"rate with status 200", 200, strings.Replace(envelope, "40010", "50001", 1), "50001", true},
		{"gateway failed", 503, strings.Replace(envelope, "40010", "90002", 1), "90002", true},
		{"FAILURE without errors", 200, `{"ack_code":"FAILURE","response_id":"r"}`, "", false},
		{"SUCCESS with another status", 500, `{"ack_code":"SUCCESS","response_id":"r"}`, "", true},
		{"a proxy's page", 502, `<html>bad gateway</html>`, "", true},
		{"nothing", 200, ``, "", false},
		{"another kind of JSON", 200, `{"status":"ok"}`, "", false},
		{"a list", 200, `[]`, "", false},
		{"two answers", 200, envelope + envelope, "", false},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			c := loggedIn(t, func(w http.ResponseWriter, _ seen) {
				w.WriteHeader(one.status)
				_, _ = io.WriteString(w, one.body)
			})
			a, err := c.Call(t.Context(), http.MethodGet, "/license/token", url.Values{"auth_code": {authCode}}, nil)
			var e *client.Error
			if !errors.As(err, &e) || a != nil {
				t.Fatalf("answer %v, error %v", a, err)
			}
			discreet(t, err)
			if e.Code != one.code || e.HTTPStatus != one.status || e.Temporary() != one.temporary || e.Message == "" {
				t.Errorf("%+v", *e)
			}
			if one.code != "" && (e.ResponseID != "r" || !strings.Contains(err.Error(), one.code) || !strings.Contains(err.Error(), "response_id r")) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "": 0, "-1": 0, "soon": 0, "99999999999": 0} {
		c := loggedIn(t, func(w http.ResponseWriter, q seen) {
			w.Header().Set("Retry-After", header)
			refuse(w, q, http.StatusTooManyRequests, "50001")
		})
		_, err := c.GetLicense(t.Context(), "A")
		var e *client.Error
		if !errors.As(err, &e) || !e.RateExceeded() || e.RetryAfter != want {
			t.Errorf("Retry-After %q: %v, %v", header, e.RetryAfter, err)
		}
	}
}

// What is wrong below the envelope never tells the address, which holds codes.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	get := func(c *client.Client, ctx context.Context) error {
		_, err := c.Call(ctx, http.MethodGet, "/license/token", url.Values{"auth_code": {authCode}}, nil)
		discreet(t, err)
		return err
	}
	t.Run("redirect", func(t *testing.T) {
		t.Parallel()
		calls := 0
		c := loggedIn(t, func(w http.ResponseWriter, q seen) {
			calls++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		var e *client.Error
		if err := get(c, t.Context()); !errors.As(err, &e) || e.HTTPStatus != http.StatusTemporaryRedirect || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		const bound = 200
		long := 0
		config := serve(t, func(w http.ResponseWriter, q seen) {
			_, _ = io.WriteString(w, strings.Repeat(" ", long)+`{"ack_code":"SUCCESS"}`)
		})
		config.MaxAnswer = bound
		c := made(t, config)
		send := func() error {
			_, err := c.Send(t.Context(), client.Secret{}, http.MethodGet, "/x", nil, nil)
			return err
		}
		long = bound - len(`{"ack_code":"SUCCESS"}`)
		if err := send(); err != nil {
			t.Errorf("at the bound: %v", err)
		}
		long++
		if err := send(); !errors.Is(err, client.ErrTooLong) {
			t.Errorf("past the bound: %v", err)
		}
	})
	t.Run("another call's answer", func(t *testing.T) {
		t.Parallel()
		c := loggedIn(t, func(w http.ResponseWriter, _ seen) {
			succeed(w, seen{query: url.Values{"request_id": {"of somebody else"}}}, `"data":{}`)
		})
		if err := get(c, t.Context()); !errors.Is(err, client.ErrMixedUp) {
			t.Error(err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		c := loggedIn(t, func(w http.ResponseWriter, _ seen) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"ack_code":"SUCCESS"`)
		})
		var e *client.Error
		if err := get(c, t.Context()); err == nil || errors.As(err, &e) {
			t.Error(err)
		}
	})
	t.Run("context over", func(t *testing.T) {
		t.Parallel()
		c := loggedIn(t, func(http.ResponseWriter, seen) { t.Error("sent") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := get(c, ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		c := made(t, client.Config{URL: "https://127.0.0.1:1"})
		_, err := c.Send(t.Context(), client.NewSecret(authCode), http.MethodGet, "/license/token", url.Values{"auth_code": {authCode}}, nil)
		discreet(t, err)
		if err == nil || !strings.Contains(err.Error(), "GET /license/token") {
			t.Error(err)
		}
	})
}

func TestTrust(t *testing.T) {
	t.Parallel()
	reached := func(http.ResponseWriter, seen) { t.Error("secrets were sent") }
	t.Run("another root", func(t *testing.T) {
		t.Parallel()
		config := serve(t, reached)
		config.CAFile = otherRoot(t)
		var unknown x509.UnknownAuthorityError
		if err := made(t, config).Login(t.Context()); !errors.As(err, &unknown) {
			t.Error(err)
		}
	})
	t.Run("the system's roots", func(t *testing.T) {
		t.Parallel()
		config := serve(t, reached)
		config.CAFile = ""
		if err := made(t, config).Login(t.Context()); err == nil {
			t.Error("a certificate of nobody was trusted")
		}
	})
	t.Run("another name", func(t *testing.T) {
		t.Parallel()
		config := serve(t, reached)
		config.URL = strings.Replace(config.URL, "127.0.0.1", "localhost", 1)
		var wrong x509.HostnameError
		if err := made(t, config).Login(t.Context()); !errors.As(err, &wrong) {
			t.Error(err)
		}
	})
	t.Run("old TLS", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		c := made(t, client.Config{URL: s.URL, CAFile: writeRoot(t, s.Certificate())})
		var e *client.Error
		if err := c.Login(t.Context()); err == nil || errors.As(err, &e) {
			t.Error(err)
		}
	})
}

// otherRoot is a certificate that signed nothing here.
func otherRoot(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another root"}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return writeRoot(t, &x509.Certificate{Raw: raw})
}

func TestInterfaces(t *testing.T) {
	t.Parallel()
	var got seen
	answers := map[string]string{
		"/security/get_current_user":      `{"account":"zhangbin","service_org":"市民政局","service_org_code":"11110000000021135M","role":"user"}`,
		"/license_item/list":              `[{"license_item_code":"305018201","status":"PUBLISH","is_open":true,"fields":[{"key":"CZR","is_sensitive":true}]}]`,
		"/license/auth":                   `[{"license_code":"L","license_status":"ISSUED","holder_name":"李**","data_fields":{"CZR":"李**"}}]`,
		"/license/token":                  `{"license_access_token":"lgt1_x","expires_in":"2026-11-23 21:32:45.265"}`,
		"/license/get_license":            `{"license_code":"L","license_item_code":"305018201"}`,
		"/license/archive":                `{"file_name":"L.pdf","file_data":"JVBERg=="}`,
		"/license/305018201/archive_list": `{"licenses":[{"license_code":"L","issue_date":"2026-01-31","issue_time":"2026-01-31 08:00:00","auth_code":"A"}],"next_after":"L"}`,
		"/license/305018201/create":       `{"license_code":"L","auth_code":"A"}`,
		"/license/305018201/issue":        `{"license_code":"L","auth_code":"A"}`,
		"/license/305018201/sign":         `null`,
	}
	c := loggedIn(t, func(w http.ResponseWriter, q seen) {
		got = q
		succeed(w, q, `"total_count":1,"auth_codes":["A"],"data":`+answers[q.path])
	})
	ctx := t.Context()
	business := client.Business{ServiceItemCode: "110103MZ001", ServiceItemName: "婚姻登记", BizNum: "B1", Operator: client.User{Account: "o"}}
	// in reads a member of what was sent, by its path.
	in := func(names ...string) any {
		var v any = got.body
		for _, name := range names {
			o, _ := v.(map[string]any)
			v = o[name]
		}
		return v
	}
	check := func(name string, err error, right bool) {
		t.Helper()
		if err != nil || !right {
			t.Errorf("%s: %v, sent %+v", name, err, got)
		}
	}

	user, err := c.CurrentUser(ctx)
	check("get_current_user", err, user != nil && user.Data.ServiceOrgCode == "11110000000021135M" && got.method == "GET")

	list, err := c.List(ctx, client.ListQuery{Keyword: "婚姻", Status: []string{"DRAFT", "PUBLISH"}, Closed: true, PageIndex: 2, PageSize: 150})
	check("list", err, list != nil && list.Data[0].Code == "305018201" && list.Data[0].Fields[0].IsSensitive && list.TotalCount == 1 &&
		got.query.Get("keyword") == "婚姻" && got.query.Get("status") == "DRAFT,PUBLISH" && got.query.Get("is_open") == "false" &&
		got.query.Get("page_index") == "2" && got.query.Get("page_size") == "150")
	_, err = c.List(ctx, client.ListQuery{})
	check("list", err, len(got.query) == 2 && got.query.Get("is_open") == "true")

	found, err := c.Auth(ctx, client.AuthRequest{Business: business, IdentityNumbers: []string{"1", "2"}, ShowSensitiveData: true, PageSize: 5})
	check("auth", err, found != nil && found.AuthCodes[0] == "A" && found.Data[0].DataFields["CZR"] == "李**" && in("identity_number") == "1,2" &&
		in("show_sensitive_data") == true && in("service_item_code") == "110103MZ001" && in("operator", "account") == "o" && in("page_size") == 5.0)
	_, err = c.Auth(ctx, client.AuthRequest{Business: business, IdentityNumbers: []string{"1"}})
	check("auth", err, in("show_sensitive_data") == nil && in("page_index") == nil)

	token, err := c.PageToken(ctx, "A")
	check("token", err, token != nil && token.Data.Token.Reveal() == "lgt1_x" && token.Data.ExpiresIn != "" && got.query.Get("auth_code") == "A")
	one, err := c.GetLicense(ctx, "A")
	check("get_license", err, one != nil && one.Data.ItemCode == "305018201" && got.query.Get("auth_code") == "A")
	file, err := c.Archive(ctx, "A")
	check("archive", err, file != nil && string(file.Data.Data) == "%PDF" && in("auth_code") == "A" && len(got.query) == 0)

	_, err = c.ArchiveAs(ctx, client.ArchiveRequest{AuthCode: "A", FileType: "OFD", ShowSensitiveData: true})
	check("archive as OFD", err, in("file_type") == "OFD" && in("show_sensitive_data") == true)
	page, err := c.ArchiveList(ctx, "305018201", client.ArchiveQuery{ServiceItemCode: "110103MZ001", Since: "2026-01-31", After: "K", PageSize: 7})
	check("archive_list", err, page != nil && page.Data.Next == "L" && page.Data.Licenses[0].AuthCode == "A" && page.TotalCount == 1 &&
		in("data", "service_item_code") == "110103MZ001" && in("data", "since") == "2026-01-31" && in("data", "after") == "K" && in("data", "page_size") == 7.0)
	answers["/license/305018201/archive_list"] = `{"licenses":[],"next_after":null}`
	page, err = c.ArchiveList(ctx, "305018201", client.ArchiveQuery{ServiceItemCode: "S"})
	check("archive_list, the end", err, page != nil && page.Data.Next == "" && len(page.Data.Licenses) == 0 && in("data", "since") == nil)

	making := client.Making{Business: business, DataFields: map[string]any{"CZR": "李大华"}, LicenseGroup: "1"}
	created, err := c.Create(ctx, "305018201", making)
	check("create", err, created != nil && created.Data.LicenseCode == "L" && in("data", "data_fields", "CZR") == "李大华" &&
		in("data", "biz_num") == "B1" && in("data", "seal_code") == nil && in("request_id") != nil)
	issued, err := c.Issue(ctx, "305018201", making)
	check("issue", err, issued != nil && issued.Data.AuthCode == "A" && got.path == "/license/305018201/issue")
	signed, err := c.Sign(ctx, "305018201", client.SignRequest{Business: business, IDCode: "J1"})
	check("sign", err, signed != nil && signed.ResponseID == "answer-1" && in("data", "id_code") == "J1" && in("data", "license_code") == nil)

	// Data of another shape are refused, and not quoted.
	for _, data := range []string{`null`, `"` + authCode + `"`, `[{"license_code":5}]`} {
		answers["/license/get_license"] = data
		var e *client.Error
		if a, err := c.GetLicense(ctx, "A"); !errors.As(err, &e) || a != nil || e.ResponseID != "answer-1" {
			t.Errorf("data %s: %v %v", data, a, err)
		} else {
			discreet(t, err)
		}
	}
}
