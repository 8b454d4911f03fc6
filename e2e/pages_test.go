package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// browse asks as a browser does, with what it was given before.
func (g *gateway) browse(path string, cookies ...*http.Cookie) answer {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.url(path), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, c := range cookies {
		req.AddCookie(c)
	}
	return g.do(req)
}

// opened follows a browser's first visit to its page.
func (g *gateway) opened(path, token string) (address string, cookie *http.Cookie) {
	g.t.Helper()
	a := g.browse(path + "?license_access_token=" + token)
	cookies := (&http.Response{Header: a.header}).Cookies()
	if a.status != http.StatusSeeOther || len(a.raw) != 0 || len(cookies) != 1 {
		g.t.Fatalf("the first visit: %d %v %s", a.status, a.header, a.raw)
	}
	return path + a.header.Get("Location"), cookies[0]
}

// TestTokenLeavesTheAddress: a browser's first visit takes the token out of the address and kills it; the page goes on by a cookie that opens
// this page and no other.
func TestTokenLeavesTheAddress(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	code := c.made("P-1")
	auth, _ := c.authCode(nil)
	fresh := func() string {
		t.Helper()
		return c.get("/license/token", "auth_code", auth).data()["license_access_token"].(string)
	}
	for _, path := range []string{"/license/view_license", "/license/view_mobile"} {
		token := fresh()
		address, cookie := g.opened(path, token)
		if strings.Contains(address, token) || cookie.Value == token || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode ||
			cookie.Path != path || cookie.MaxAge < 60 {
			t.Errorf("%s: %s, %v", path, address, cookie)
		}
		for range 2 { // it can be looked at again
			if a := g.browse(address, cookie); a.status != http.StatusOK || !strings.Contains(string(a.raw), code) {
				t.Errorf("%s: %d %.300s", path, a.status, a.raw)
			}
		}
		for what, a := range map[string]answer{
			"the token once more":           g.browse(path + "?license_access_token=" + token),
			"the token, by a system":        (&caller{g: g}).get(path, "license_access_token", token),
			"the address without a cookie":  g.browse(address),
			"another page with its cookie":  g.browse(path+"?page=AAAAAAAA", cookie),
			"the cookie without an address": g.browse(path, cookie),
		} {
			if a.status != http.StatusForbidden || strings.Contains(string(a.raw), code) {
				t.Errorf("%s: %s: %d %.300s", path, what, a.status, a.raw)
			}
		}
		if a := g.browse(address); !strings.Contains(string(a.raw), "须允许 Cookie") {
			t.Errorf("%s: the browser is not told: %s", path, a.raw)
		}
		if log := g.log.String(); strings.Contains(log, token) || strings.Contains(log, cookie.Value) {
			t.Errorf("%s: the log holds a token", path)
		}
	}
	// A business system that fetches the page itself keeps its token.
	token := fresh()
	for range 2 {
		if a := (&caller{g: g}).get("/license/view_license", "license_access_token", token); a.status != http.StatusOK {
			t.Errorf("a system: %d", a.status)
		}
	}
	// In a portal's frame the browser would send no cookie of ours but one that is kept apart.
	req, err := http.NewRequest(http.MethodGet, g.url("/license/view_license?license_access_token="+token), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Purpose", "prefetch")
	if a := g.do(req); a.status != http.StatusOK {
		t.Errorf("fetched in advance: %d", a.status)
	}
	req.Header.Del("Sec-Purpose")
	req.Header.Set("Sec-Fetch-Dest", "iframe")
	if a := g.do(req); !strings.Contains(a.header.Get("Set-Cookie"), "SameSite=None; Partitioned") {
		t.Errorf("in a frame: %v", a.header)
	}
	// What only took the token out of an address showed nobody anything.
	if out := g.must("audit", "export", "--interface", "view_license"); strings.Count(out, "令牌换为页面凭据") != 2 {
		t.Errorf("on record: %s", out)
	}
}
