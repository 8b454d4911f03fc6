package protocol

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// given are the members of a decoded call, as they would stand in a flat body.
func (c *Call) given() map[string]any {
	m := map[string]any{}
	text := func(name, s string) {
		if s != "" {
			m[name] = s
		}
	}
	p := &c.Params
	text(requestID, p.RequestID)
	text("app_key", p.AppKey)
	text("app_secret", p.AppSecret)
	text("account", p.Account)
	text("password", p.Password)
	text("org_code", p.OrgCode)
	text("keyword", p.Keyword)
	text("status", strings.Join(p.Status, ","))
	text("service_item_code", p.ServiceItemCode)
	text("service_item_name", p.ServiceItemName)
	text("service_item_org", p.ServiceItemOrg)
	text("biz_num", p.BizNum)
	text("license_group", p.LicenseGroup)
	text("seal_code", p.SealCode)
	text("license_code", p.LicenseCode)
	text("id_code", p.IDCode)
	text("abolish_reason", p.AbolishReason)
	text("division_code", p.DivisionCode)
	text("credential", p.Credential)
	text("identity_number", strings.Join(p.IdentityNumbers, ","))
	text("auth_code", p.AuthCode)
	text("auth_code_qr", p.AuthCodeQR)
	text(licenseAccessToken, p.LicenseAccessToken)
	text("file_type", p.FileType)
	text("after", p.After)
	if p.PageIndex > 0 {
		m["page_index"] = p.PageIndex
	}
	if p.PageSize > 0 {
		m["page_size"] = p.PageSize
	}
	if !p.Since.IsZero() {
		m["since"] = Time(p.Since, true)
	}
	if p.IsOpen != nil {
		m["is_open"] = *p.IsOpen
	}
	if p.ShowSensitiveData != nil {
		m["show_sensitive_data"] = *p.ShowSensitiveData
	}
	if p.DataFields != nil {
		m["data_fields"] = p.DataFields
	}
	if p.Operator != nil {
		m["operator"] = p.Operator
	}
	if p.Licenses != nil {
		rows := []map[string]any{}
		for _, r := range p.Licenses {
			rows = append(rows, map[string]any{"data_fields": r.DataFields, "license_group": r.LicenseGroup, "seal_code": r.SealCode})
		}
		m["licenses"] = rows
	}
	if p.LicenseCodes != nil {
		m["license_codes"] = p.LicenseCodes
	}
	return m
}

// Whatever is decoded keeps its meaning when it is written and decoded again, and no member of another interface is filled.
func FuzzDecode(f *testing.F) {
	number := map[Interface]int{}
	for i, e := range Endpoints() {
		number[e.Interface] = i
	}
	for _, x := range examples(f) {
		f.Add(number[x.Interface], x.Query, x.body)
	}
	f.Add(number[Create], "", `{"data":{"data_fields":"{\"A\":[1e400,-0.0,{}]}","operator":{"name":"n"},"service_item_code":"s","service_item_name":"n"}}`)
	f.Add(number[GetLicenseQR], "auth_code_qr=a&operator={%22name%22:%22%22}&service_item_code=s&service_item_name=n", "")
	f.Add(number[List], "page_index=2&page_size=150&status=DRAFT,CANCEL&is_open=FALSE&keyword=+x", "")
	f.Add(number[ArchiveList], "since=2026-1-31&after=L1&page_size=500&service_item_code=S", "")
	f.Add(number[Auth], "identity_number=a,b", `{"page_size":"7","identity_number":"a，b","show_sensitive_data":"True"}`)
	f.Add(number[Logout], "", `{"a":1,"a":2}`)
	f.Fuzz(func(t *testing.T, i int, query, body string) {
		rows := Endpoints()
		e := rows[int(uint(i)%uint(len(rows)))]
		r := httptest.NewRequest(e.Methods[len(e.Methods)-1], "/", strings.NewReader(body))
		r.URL.RawQuery = query
		c, failure := Decode(r, e, "305018201", DefaultLimits)
		if failure != nil {
			if failure.Code == nil || !reflect.DeepEqual(c.Params, Params{RequestID: c.RequestID}) {
				t.Fatalf("a refused call carries members: %+v", c.Params)
			}
			return
		}
		given := c.given()
		for _, name := range e.Required {
			if given[name] == nil {
				t.Fatalf("accepted without %s", name)
			}
		}
		for name := range given {
			if name != requestID && !e.names(name) {
				t.Fatalf("%s does not belong to %s", name, e.Interface)
			}
		}
		written, err := json.Marshal(given)
		if err != nil {
			t.Fatalf("a decoded call can't be written: %v", err)
		}
		again, failure := Decode(post(string(written), ""), e, "305018201", DefaultLimits)
		if failure != nil {
			t.Fatalf("written again it is refused: %s %s", failure.Code.Number, failure.Detail)
		}
		if !reflect.DeepEqual(again.Params, c.Params) {
			t.Fatalf("written again it is %+v, was %+v", again.Params, c.Params)
		}
	})
}

// What is routed has a path that can be written from the row and the item code alone, byte for byte.
func FuzzRoute(f *testing.F) {
	for _, e := range Endpoints() {
		f.Add(e.Methods[0], strings.Replace(e.Path, itemCodeMark, "305018201", 1))
	}
	for _, s := range []string{
		"/security%2flogin", "//security/login", "/license/../create", "/license/%2e%2e/create", "/license/a;b/create", "/license/{item_code}/create",
		"/license/%/create", "*", "http://h/security/login", "/security/login?x#y", `/security\login`, "/license//create", "/security/login/",
	} {
		f.Add("POST", s)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		e, item, failure := Route(&http.Request{Method: method, URL: u})
		if failure != nil {
			if e != nil && failure.Code != CodeMethod {
				t.Fatalf("%q is refused and routed to %s", target, e.Interface)
			}
			return
		}
		for _, p := range append([]string{e.Path}, e.Aliases...) {
			p = strings.Replace(p, itemCodeMark, item, 1)
			if p == u.Path && p == u.EscapedPath() && itemCodeShape(item) == strings.Contains(e.Path, itemCodeMark) {
				return
			}
		}
		t.Fatalf("%q is routed to %s %q", target, e.Interface, item)
	})
}

// A token comes from one place only, and nothing of it is left after StripSecrets.
func FuzzSessionToken(f *testing.F) {
	f.Add("access_token=abc", "")
	f.Add("", "Bearer abc")
	f.Add("access_token=abc", "Bearer abc")
	f.Add("access%5ftoken=a%62c&license_access_token=x", "Basic abc")
	f.Add("a=1;access_token=x&&=&%zz", "bearer  a,b")
	f.Add("access_token=a&access_token=b", "")
	f.Fuzz(func(t *testing.T, query, authorization string) {
		r := get(query)
		r.RequestURI = "/?" + query
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		token, failure := SessionToken(r)
		if failure != nil && token != "" || !tokenShape(token) {
			t.Fatalf("token %q, failure %v", token, failure)
		}
		if values, err := url.ParseQuery(query); failure == nil && err == nil && token != "" {
			inQuery := values.Get(accessToken) == token && len(values[accessToken]) == 1
			inHeader := len(values[accessToken]) == 0 && strings.Contains(authorization, token)
			if inQuery == inHeader {
				t.Fatalf("token %q is in the query: %v, in the header: %v", token, inQuery, inHeader)
			}
		}
		StripSecrets(r)
		if token, failure = SessionToken(r); token != "" || failure != nil && failure.Code == CodeBadToken {
			t.Fatalf("token %q, failure %v after StripSecrets", token, failure)
		}
		if page, _, failure := PageToken(r); page != "" || failure != nil && failure.Code == CodeNoPageToken {
			t.Fatalf("page token %q after StripSecrets", page)
		}
		for _, raw := range []string{r.URL.RawQuery, strings.TrimPrefix(strings.TrimPrefix(r.RequestURI, "/"), "?")} {
			values, err := url.ParseQuery(raw)
			if err != nil || values.Has(accessToken) || values.Has(licenseAccessToken) {
				t.Fatalf("%q is left of %q", raw, query)
			}
		}
	})
}
