package protocol

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSessionToken(t *testing.T) {
	t.Parallel()
	const oneAlone = "访问令牌只能出现在一处：查询参数 access_token 或 Authorization 请求头"
	long := strings.Repeat("x", maxTokenBytes)
	tests := []struct {
		query  string
		auth   []string
		want   string
		code   *Code
		detail string
	}{
		{query: "", want: ""},
		{query: "access_token=abc", want: "abc"},
		{query: "a=1&access_token=abc&b=%3B", want: "abc"},
		{query: "%61ccess_token=abc", want: "abc"},
		{query: "access_token=", want: ""},
		{query: "license_access_token=abc", want: ""},
		{query: "access_token=" + long, want: long},
		{auth: []string{"Bearer abc"}, want: "abc"},
		{auth: []string{"bearer  abc "}, want: "abc"},
		{auth: []string{"Basic YTpi"}, want: ""},
		{auth: []string{"Basic YTpi"}, query: "access_token=abc", want: "abc"},
		{auth: []string{"Bearer abc"}, query: "access_token=abc", code: CodeAmbiguous, detail: oneAlone},
		{auth: []string{"Bearer abc"}, query: "access_token=", code: CodeAmbiguous, detail: oneAlone},
		{auth: []string{"Bearer a", "Bearer b"}, code: CodeAmbiguous, detail: "Authorization 请求头重复出现"},
		{auth: []string{"Basic a", "Bearer b"}, code: CodeAmbiguous, detail: "Authorization 请求头重复出现"},
		{auth: []string{"Bearer a, Bearer b"}, code: CodeAmbiguous, detail: "Authorization 请求头含有多个令牌"},
		{auth: []string{"Bearer a b"}, code: CodeBadToken},
		{auth: []string{"Bearer "}, code: CodeBadToken},
		{auth: []string{"Bearer"}, code: CodeBadToken},
		{auth: []string{"Bearer é"}, code: CodeBadToken},
		{query: "access_token=a%00", code: CodeBadToken},
		{query: "access_token=a+b", code: CodeBadToken},
		{query: "access_token=" + long + "x", code: CodeBadToken},
		{query: "access_token=a&access_token=a", code: CodeAmbiguous, detail: "查询参数 access_token 重复出现"},
		{query: "access_token=a&access%5Ftoken=b", code: CodeAmbiguous, detail: "查询参数 access_token 重复出现"},
		{query: "access_token=a&SECRET=1&SECRET=2", code: CodeAmbiguous, detail: "查询参数重复出现"},
		{query: "page_size=1&page_size=2", code: CodeAmbiguous, detail: "查询参数 page_size 重复出现"},
		{query: "access_token=a;b=1", code: CodeAmbiguous, detail: "查询字符串中的分号须编码为 %3B"},
		{query: "access_token=a&b=%zz", code: CodeAmbiguous, detail: "查询字符串的编码不正确"},
		{query: "access_token=a&%zz=b", code: CodeAmbiguous, detail: "查询字符串的编码不正确"},
		{query: "access_token=a&b=%ff", code: CodeAmbiguous, detail: "查询字符串的编码不正确"},
		{query: "access_token=a&%ff=b", code: CodeAmbiguous, detail: "查询字符串的编码不正确"},
	}
	for _, tt := range tests {
		r := get(tt.query)
		r.Header["Authorization"] = tt.auth
		got, f := SessionToken(r)
		if tt.code != nil {
			if got != "" {
				t.Errorf("%q %q: a token came with the refusal", tt.query, tt.auth)
			}
			wantFailure(t, f, tt.code, tt.detail)
			continue
		}
		if f != nil || got != tt.want {
			t.Errorf("%.80q %q: %.80q %+v, want %.80q", tt.query, tt.auth, got, f, tt.want)
		}
	}
}

func TestPageToken(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{"": "", "license_access_token=abc": "abc", "access_token=x": ""} {
		if got, page, f := PageToken(get(query)); f != nil || got != want || page != "" {
			t.Errorf("%q: %q %q %v", query, got, page, f)
		}
	}
	_, _, f := PageToken(get("license_access_token=a&license_access_token=b"))
	wantFailure(t, f, CodeAmbiguous, "查询参数 license_access_token 重复出现")
	_, _, f = PageToken(get("license_access_token=a%0a"))
	wantFailure(t, f, CodeNoPageToken, "")
}

// The cookie of a page opens that page alone, and nothing else is a cookie of a page.
func TestPageCookie(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		query   string
		cookies []string
		token   string
		failure bool
	}{
		"its own":          {"page=a", []string{"__Secure-licgate_page_a=T; other=1"}, "T", false},
		"another page's":   {"page=a", []string{"__Secure-licgate_page_b=T"}, "", false},
		"without the name": {"", []string{"__Secure-licgate_page_a=T", "__Secure-licgate_page_=U"}, "", false},
		"two":              {"page=a", []string{"__Secure-licgate_page_a=T; __Secure-licgate_page_a=U"}, "", true},
		"in two lines":     {"page=a", []string{"__Secure-licgate_page_a=T", "__Secure-licgate_page_a=U"}, "", true},
		"and a token":      {"page=a&license_access_token=U", []string{"__Secure-licgate_page_a=T"}, "", true},
		"no name at all":   {"page=a%0a", nil, "", false},
	} {
		r := get(one.query)
		r.Header["Cookie"] = one.cookies
		if token, _, f := PageToken(r); token != one.token || (f != nil) != one.failure {
			t.Errorf("%s: %q %v", name, token, f)
		}
		StripSecrets(r)
		if left := r.Header.Get("Cookie"); strings.Contains(left, "licgate") || name == "its own" && left != "other=1" {
			t.Errorf("%s: %q is left", name, left)
		}
	}
	c := PageCookie("/license/view_license", "a", "T", 90*time.Second, false).String()
	if c != "__Secure-licgate_page_a=T; Path=/license/view_license; Max-Age=90; HttpOnly; Secure; SameSite=Lax" {
		t.Error(c)
	}
	if c := PageCookie("/p", "a", "T", 0, true).String(); c != "__Secure-licgate_page_a=T; Path=/p; Max-Age=1; HttpOnly; Secure; SameSite=None; Partitioned" {
		t.Error(c)
	}
}

func TestStripSecrets(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/a":                                      "/a",
		"/a?access_token=SECRET":                  "/a",
		"/a?x=1&access_token=SECRET&y=%E4%B8%AD":  "/a?x=1&y=%E4%B8%AD",
		"/a?license_access_token=SECRET&auth=2":   "/a?auth=2",
		"/a?access%5Ftoken=SECRET&x=1":            "/a?x=1",
		"/a?Access_Token=SECRET&x=1":              "/a?x=1",
		"/a?%20access_token=SECRET&x=1":           "/a?x=1",
		"/a?x=1;access_token=SECRET":              "/a",
		"/a?access_token=SECRET%zz&x=1":           "/a?x=1",
		"/a?access_token=SECRET&access_token=SEC": "/a",
		"http://u:SECRET@h/a?access_token=SECRET": "/a",
	} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("Authorization", "Bearer SECRET")
		r.Header.Set("Referer", "https://h/?access_token=SECRET")
		r.Header.Set("Accept", "*/*")
		StripSecrets(r)
		if got := r.URL.RequestURI(); got != want {
			t.Errorf("%s: URL is %s, want %s", target, got, want)
		}
		if r.RequestURI != want {
			t.Errorf("%s: RequestURI is %s, want %s", target, r.RequestURI, want)
		}
		if strings.Contains(r.URL.String(), "SEC") {
			t.Errorf("%s: the URL keeps a secret", target)
		}
		if len(r.Header) != 1 || r.Header.Get("Accept") == "" {
			t.Errorf("%s: headers are %v", target, r.Header)
		}
	}
	r := &http.Request{URL: &url.URL{Path: "/a", RawQuery: "access_token=SECRET", ForceQuery: true}, Header: http.Header{}}
	StripSecrets(r)
	if r.RequestURI != "" || r.URL.String() != "/a" {
		t.Errorf("a request without RequestURI became %q %q", r.RequestURI, r.URL)
	}
}
