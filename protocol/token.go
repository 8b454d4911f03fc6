package protocol

import (
	"net/http"
	"strings"
)

const (
	accessToken        = "access_token"
	licenseAccessToken = "license_access_token"
)

// maxTokenBytes bounds tokens and credentials.
const maxTokenBytes = 8 << 10

// SessionToken returns the access_token of the query or the Bearer token (RFC 6750), "" when there is none. Both at once,
// two Authorization headers, or a duplicate query key are CodeAmbiguous; a token that cannot be one of ours is
// CodeBadToken. Other authorization schemes are ignored.
func SessionToken(r *http.Request) (string, *Failure) {
	query, f := parseQuery(r.URL.RawQuery)
	if f != nil {
		return "", f
	}
	bearer, inHeader, f := bearerToken(r.Header)
	if f != nil {
		return "", f
	}
	token, inQuery := query[accessToken]
	switch {
	case inHeader && inQuery:
		return "", Fail(CodeAmbiguous, "访问令牌只能出现在一处：查询参数 access_token 或 Authorization 请求头")
	case inHeader:
		token = bearer
	}
	if !tokenShape(token) {
		return "", Fail(CodeBadToken, "")
	}
	return token, nil
}

// bearerToken returns the Bearer token of the Authorization header, and whether there is one.
func bearerToken(h http.Header) (token string, present bool, f *Failure) {
	values := h.Values("Authorization")
	if len(values) > 1 {
		return "", false, Fail(CodeAmbiguous, "Authorization 请求头重复出现")
	}
	if len(values) == 0 {
		return "", false, nil
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	token = strings.TrimLeft(token, " ")
	if strings.Contains(token, ",") {
		// A proxy may have joined two headers into one.
		return "", false, Fail(CodeAmbiguous, "Authorization 请求头含有多个令牌")
	}
	if token == "" {
		return "", false, Fail(CodeBadToken, "")
	}
	return token, true, nil
}

// PageToken returns license_access_token of the query, "" when there is none: then that of the cookie of an opened page, whose name page is. A
// duplicate query key or cookie, and a token beside the name of a page, are CodeAmbiguous; a token that cannot be one of ours is
// CodeNoPageToken.
func PageToken(r *http.Request) (token, page string, f *Failure) {
	query, f := parseQuery(r.URL.RawQuery)
	if f != nil {
		return "", "", f
	}
	token, page = query[licenseAccessToken], query[pageName]
	switch {
	case page == "":
	case token != "":
		return "", "", Fail(CodeAmbiguous, "")
	default:
		if token, f = pageCookie(r, page); f != nil {
			return "", "", f
		}
	}
	if !tokenShape(token) {
		return "", "", Fail(CodeNoPageToken, "")
	}
	return token, page, nil
}

// tokenShape accepts visible ASCII of bounded length, and "".
func tokenShape(token string) bool {
	if len(token) > maxTokenBytes {
		return false
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// StripSecrets removes access_token and license_access_token from r.URL and RequestURI, the Authorization and Referer
// headers, and cookies of opened pages. Read SessionToken, PageToken and, for pages, Decode first. The rest of the query stays byte for byte, but for pairs that do not parse.
func StripSecrets(r *http.Request) {
	r.URL.RawQuery = stripQuery(r.URL.RawQuery)
	r.URL.ForceQuery = false
	r.URL.User = nil
	if path, query, ok := strings.Cut(r.RequestURI, "?"); ok {
		r.RequestURI = path
		if query = stripQuery(query); query != "" {
			r.RequestURI += "?" + query
		}
	}
	if r.RequestURI != "" && r.RequestURI[0] != '/' {
		// The absolute form may carry user and password.
		r.RequestURI = r.URL.RequestURI()
	}
	r.Header.Del("Authorization")
	r.Header.Del("Referer")
	stripPageCookies(r.Header)
}
