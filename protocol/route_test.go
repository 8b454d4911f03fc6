package protocol

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestRouteFindsEveryPathAndAlias(t *testing.T) {
	t.Parallel()
	for _, e := range Endpoints() {
		for _, p := range append([]string{e.Path}, e.Aliases...) {
			for _, item := range []string{"305018201", "006939684110000", "100185101006939684110000"} {
				path, want := strings.Replace(p, itemCodeMark, item, 1), ""
				if path != p {
					want = item
				}
				for _, m := range e.Methods {
					got, code, f := Route(httptest.NewRequest(m, path+"?access_token=x", nil))
					if f != nil || got != e || code != want {
						t.Errorf("%s %s: %v %q %v", m, path, got, code, f)
					}
				}
			}
		}
	}
}

func TestRouteRefusesOtherMethods(t *testing.T) {
	t.Parallel()
	for _, e := range Endpoints() {
		path := strings.Replace(e.Path, itemCodeMark, "305018201", 1)
		for _, m := range []string{"HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "POST", "GET"} {
			got, _, f := Route(httptest.NewRequest(m, path, nil))
			if m == e.Methods[0] || len(e.Methods) > 1 && m == e.Methods[1] {
				continue
			}
			if got != e {
				t.Errorf("%s %s: the row is not returned", m, path)
			}
			wantFailure(t, f, CodeMethod, "请使用 "+strings.Join(e.Methods, " 或 "))
		}
	}
}

func TestRouteRefusesUnknownPaths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/", "/license", "/security", "/Security/login", "/security/login/x", "/license/305018201", "/license/create",
		"/license/305018201/auth", "/license/305018201/x/create", "/licence/305018201/create", "/license/305.018/create",
		"/license/{item_code}/create", "/license/" + strings.Repeat("1", 65) + "/create", "/healthz", "/v1/security/login",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.URL.Path = path
		if path == "/license/{item_code}/create" {
			r.URL.RawPath = path
		}
		e, item, f := Route(r)
		if e != nil || item != "" {
			t.Errorf("%s: routed to %v %q", path, e, item)
		}
		if f == nil || f.Code != CodeNoPath && f.Code != CodeAmbiguous {
			t.Errorf("%s: %v", path, f)
		}
		if !strings.Contains(path, "{") {
			wantFailure(t, f, CodeNoPath, "")
		}
	}
}

func TestRouteRefusesAmbiguousPaths(t *testing.T) {
	t.Parallel()
	const encoded = "请求路径中不得出现百分号编码或特殊字符"
	const dots = "请求路径中不得出现 . 或 .. 段"
	const slashes = "请求路径中不得出现连续斜杠"
	for target, detail := range map[string]string{
		"/security%2flogin":                  encoded,
		"/security%2Flogin":                  encoded,
		"/security/%6cogin":                  encoded,
		"/security/login%00":                 encoded,
		"/security/login%20":                 encoded,
		"/security/%2e%2e/security/login":    encoded,
		"/license/30501%2f8201/create":       encoded,
		"/license/305018201%2fcreate/create": encoded,
		"/license/证照/create":                 encoded,
		`/security\login`:                    encoded,
		"/license/%255c/create":              encoded,
		"/security/../security/login":        dots,
		"/./security/login":                  dots,
		"/license/../create":                 dots,
		"/license/./create":                  dots,
		"//security/login":                   slashes,
		"/security//login":                   slashes,
		"/license//create":                   slashes,
		"/security/login/":                   "请求路径末尾不得有斜杠",
		"/security/login;x=1":                "请求路径中不得出现反斜杠、分号或百分号",
		"/license/305018201;a/create":        "请求路径中不得出现反斜杠、分号或百分号",
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		e, item, f := Route(&http.Request{Method: http.MethodPost, URL: u})
		if e != nil || item != "" {
			t.Errorf("%s: routed to %v %q", target, e, item)
		}
		if f == nil || f.Code != CodeAmbiguous || f.Detail != detail {
			t.Errorf("%s: %+v, want detail %q", target, f, detail)
		}
	}
	// A handler before us may leave a raw path that says something else than the path.
	e, _, f := Route(&http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/security/login", RawPath: "/security/logout"}})
	if e != nil {
		t.Error("routed although path and raw path differ")
	}
	wantFailure(t, f, CodeAmbiguous, encoded)
	_, _, f = Route(&http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/security/login", Opaque: "/x"}})
	wantFailure(t, f, CodeAmbiguous, "请求地址须以 / 开头")
}
