package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A browser shows the address that it was sent to, keeps it in its history and may tell it to others. So the token of a page is good for
// one visit there: the browser goes on by a cookie, and the address names the page alone, which is no secret.
const (
	pageName = "page"
	// __Secure-: a browser takes it over TLS only (RFC 6265bis, 4.1.3).
	pageCookiePrefix = "__Secure-licgate_page_"
)

// PageName is what the address of an opened page is cleaned to: a reference to the same path.
func PageName(page string) string { return "?" + pageName + "=" + url.QueryEscape(page) }

// PageCookie is the cookie of an opened page, for its path alone. Framed: in another site's frame, where a browser keeps it apart from the
// same page opened elsewhere (Partitioned).
func PageCookie(path, page, token string, lifetime time.Duration, framed bool) *http.Cookie {
	c := &http.Cookie{
		Name: pageCookiePrefix + page, Value: token, Path: path, MaxAge: max(1, int(lifetime/time.Second)),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if framed {
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	return c
}

// pageCookie returns the value of a page's cookie; "" when the browser sends none.
func pageCookie(r *http.Request, page string) (string, *Failure) {
	switch found := r.CookiesNamed(pageCookiePrefix + page); len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0].Value, nil
	}
	return "", Fail(CodeAmbiguous, "")
}

// stripPageCookies leaves other cookies as they stand.
func stripPageCookies(h http.Header) {
	var kept []string
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if pair = strings.TrimSpace(pair); pair != "" && !strings.HasPrefix(pair, pageCookiePrefix) {
				kept = append(kept, pair)
			}
		}
	}
	h.Del("Cookie")
	if kept != nil {
		h.Set("Cookie", strings.Join(kept, "; "))
	}
}
