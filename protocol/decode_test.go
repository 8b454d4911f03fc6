package protocol

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	operatorJSON = `"operator":{"account":"a"}`
	serviceJSON  = `"service_item_code":"S-1","service_item_name":"事项"`
	signJSON     = serviceJSON + "," + operatorJSON
)

func TestDecodeBothBodyShapes(t *testing.T) {
	t.Parallel()
	const fields = `"data_fields":{"A":"1"}`
	want := Params{
		DataFields: map[string]any{"A": "1"}, Operator: &UserInfo{Account: "a"},
		ServiceItemCode: "S-1", ServiceItemName: "事项", RequestID: "r-1",
	}
	for name, r := range map[string]*http.Request{
		"flat":             post(`{"request_id":"r-1",`+signJSON+","+fields+`}`, ""),
		"wrapped":          post(`{"data":{"request_id":"r-1",`+signJSON+","+fields+`}}`, ""),
		"fields beside":    post(`{"data":{`+signJSON+`},`+fields+`,"request_id":"r-1"}`, ""),
		"fields first":     post(`{`+fields+`,"data":{`+signJSON+`},"request_id":"r-1"}`, ""),
		"twice, equal":     post(`{"data":{`+signJSON+","+fields+`},`+signJSON+","+fields+`}`, "request_id=r-1"),
		"one in query":     post(`{"data":{`+operatorJSON+`,"service_item_name":"事项"},`+fields+`}`, "service_item_code=S-1&request_id=r-1"),
		"all in query":     post(``, "data_fields=%7B%22A%22:%221%22%7D&operator=%7B%22account%22:%22a%22%7D&service_item_code=S-1&service_item_name=%E4%BA%8B%E9%A1%B9&request_id=r-1"),
		"data null":        post(`{"data":null,"request_id":"r-1",`+signJSON+","+fields+`}`, ""),
		"as a string":      post(`{"request_id":"r-1",`+signJSON+`,"data_fields":"{\"A\":\"1\"}"}`, ""),
		"both forms":       post(`{"request_id":"r-1",`+signJSON+`,"data_fields":"{\"A\":\"1\"}","data":{`+fields+`}}`, ""),
		"unknown members":  post(`{"x":[{"y":1}],"access_token":7,"keyword":3,"data":{"data":{"x":1},"licenses":1,`+signJSON+","+fields+`},"request_id":"r-1"}`, "x=1&page_size=999"),
		"request id twice": post(`{"request_id":"r-1","data":{"request_id":" r-1 ",`+signJSON+","+fields+`}}`, "request_id=r-1"),
	} {
		c, f := Decode(r, Find(Create), "305018201", DefaultLimits)
		if f != nil {
			t.Errorf("%s: %s %s", name, f.Code.Number, f.Detail)
			continue
		}
		if c.ItemCode != "305018201" || c.Endpoint != Find(Create) || !reflect.DeepEqual(c.Params, want) {
			t.Errorf("%s: %+v", name, c.Params)
		}
	}
}

func TestDecodeRefusesTwoValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, query, member string }{
		{`{"data":{"license_code":"a"},"license_code":"b"}`, "", "license_code"},
		{`{"data":{"license_code":"a"},"license_code":""}`, "", "license_code"},
		{`{"data":{"license_code":null},"license_code":"a"}`, "", "license_code"},
		{`{"license_code":"a"}`, "license_code=b", "license_code"},
		{`{"data":{"license_code":"a"}}`, "license_code=", "license_code"},
		{`{"data":{"biz_num":"a"}}`, "biz_num=b", "biz_num"},
		{`{"data":{"operator":{"account":"a"}},"operator":{"account":"b"}}`, "", "operator"},
		{`{"data":{"operator":{"account":"a"}},"operator":{"account":"a","name":"b"}}`, "", "operator"},
		{`{"data":{"request_id":"a"}}`, "request_id=b", "request_id"},
	} {
		c, f := decode(post(tt.body, tt.query), Sign)
		wantFailure(t, f, CodeConflict, tt.member)
		if !reflect.DeepEqual(c.Params, Params{}) {
			t.Errorf("%s: members came with the refusal: %+v", tt.body, c.Params)
		}
	}
	_, f := decode(post(`{`+signJSON+`,"data_fields":{"A":1},"data":{"data_fields":{"A":"1"}}}`, ""), Create)
	wantFailure(t, f, CodeConflict, "data_fields")
}

func TestDecodeNamesAllMissingMembers(t *testing.T) {
	t.Parallel()
	for _, e := range Endpoints() {
		want := strings.Join(e.Required, "、")
		for _, m := range e.Methods {
			r := httptest.NewRequest(m, "/", nil)
			_, f := Decode(r, e, "", DefaultLimits)
			if want == "" {
				if f != nil {
					t.Errorf("%s: %v", e.Interface, f)
				}
				continue
			}
			wantFailure(t, f, CodeMissing, want)
		}
	}
	_, f := decode(post(`{"data":{"service_item_code":"  ","service_item_name":null,"operator":{}}}`, ""), Sign)
	wantFailure(t, f, CodeMissing, "service_item_code、service_item_name、operator")
	_, f = decode(post(`{"operator":{"shoe_size":"9","name":null},`+serviceJSON+`}`, ""), Sign)
	wantFailure(t, f, CodeMissing, "operator")
}

func TestDecodeLogout(t *testing.T) {
	t.Parallel()
	form := post("", "access_token=x")
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded") // curl -d '' says so
	unframed := post("", "")
	unframed.Body, unframed.ContentLength = nil, 0
	for name, r := range map[string]*http.Request{
		"empty": post("", ""), "object": post("{ }", ""), "form without content": form, "no body": unframed,
	} {
		if _, f := decode(r, Logout); f != nil {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestDecodeRefusesMalformedBodies(t *testing.T) {
	t.Parallel()
	nested := func(n int) string {
		// n levels in all: the body, then lists.
		return `{"x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	for _, tt := range []struct {
		body   string
		code   *Code
		detail string
	}{
		{`{`, CodeMalformed, "请求体第 1 字节附近有误"},
		{`{"a"`, CodeMalformed, "请求体第 4 字节附近有误"},
		{`{"a":}`, CodeMalformed, "请求体第 5 字节附近有误"},
		{`{"a":1,}`, CodeMalformed, "请求体第 6 字节附近有误"},
		{`{"a":[1,]}`, CodeMalformed, "请求体第 7 字节附近有误"},
		{`{"a":[1`, CodeMalformed, "请求体第 7 字节附近有误"},
		{`{'a':1}`, CodeMalformed, "请求体第 1 字节附近有误"},
		{`{"a":01}`, CodeMalformed, "请求体第 6 字节附近有误"},
		{`{"a":NaN}`, CodeMalformed, "请求体第 5 字节附近有误"},
		{`{"a":"x` + "\n" + `"}`, CodeMalformed, "请求体第 7 字节附近有误"},
		{`{"a":1 /* */}`, CodeMalformed, "请求体第 7 字节附近有误"},
		{"   ", CodeMalformed, "请求体不完整或有误"},
		{"x", CodeMalformed, "请求体不完整或有误"},
		{"\xef\xbb\xbf{}", CodeMalformed, "请去掉开头的 BOM"},
		{"{\"a\":\"\xff\"}", CodeMalformed, "请求体第 6 字节附近有误"},
		{"{\"\xff\":1}", CodeMalformed, "请求体第 2 字节附近有误"},
		{`{"a":"\ud800"}`, CodeMalformed, "请求体第 6 字节附近有误"},
		{`{}{}`, CodeMalformed, "请求体末尾有多余内容"},
		{`{} x`, CodeMalformed, "请求体第 3 字节附近有误"},
		{`{}]`, CodeMalformed, "请求体第 2 字节附近有误"},
		{`[]`, CodeMalformed, "请求体须为 JSON 对象"},
		{`null`, CodeMalformed, "请求体须为 JSON 对象"},
		{`"{}"`, CodeMalformed, "请求体须为 JSON 对象"},
		{nested(33), CodeMalformed, "请求体嵌套超过 32 层"},
		{nested(100_000), CodeMalformed, "请求体嵌套超过 32 层"},
		{`{"operator":` + strings.Repeat(`{"a":`, 32), CodeMalformed, "请求体嵌套超过 32 层"},
		{`{"operator":` + strings.Repeat(`[`, 32), CodeMalformed, "请求体嵌套超过 32 层"},
		{`{"operator":{"account":` + strings.Repeat("1", 65) + `}}`, CodeMalformed, "请求体中有过长的数字"},
		{`{"data":"{}"}`, CodeParameter, "data 须为 JSON 对象"},
		{`{"data":[]}`, CodeParameter, "data 须为 JSON 对象"},
		{`{"data":1}`, CodeParameter, "data 须为 JSON 对象"},
		{`{"data":nul}`, CodeMalformed, "请求体第 11 字节附近有误"},
		{`{"data":x}`, CodeMalformed, "请求体第 8 字节附近有误"},
		{`{"biz_num":"1","biz_num":"1"}`, CodeAmbiguous, "biz_num 重复出现"},
		{`{"data":{},"data":{}}`, CodeAmbiguous, "data 重复出现"},
		{`{"data":{"biz_num":"1","biz\u005fnum":"2"}}`, CodeAmbiguous, "data.biz_num 重复出现"},
		{`{"data":{"operator":{"name":"1","name":"2"}}}`, CodeAmbiguous, "data.operator.name 重复出现"},
		{`{"SECRET":1,"SECRET":2}`, CodeAmbiguous, "请求体 中有重复的成员"},
		{`{"data":{"SECRET":1,"SECRET":2}}`, CodeAmbiguous, "data 中有重复的成员"},
		{`{"data":{"data_fields":{"SECRET":1,"SECRET":2}}}`, CodeAmbiguous, "data.data_fields 中有重复的成员"},
		{`{"data_fields":{"name":1,"name":2}}`, CodeAmbiguous, "data_fields 中有重复的成员"},
		{`{"data":{"operator":{"1234":1,"1234":2}}}`, CodeAmbiguous, "data.operator 中有重复的成员"},
		{`{"data":{"licenses":[{"seal_code":1,"seal_code":2}]}}`, CodeAmbiguous, "data.licenses 第 1 项的 seal_code 重复出现"},
		{`{"licenses":[1,{"SECRET":1,"SECRET":2}]}`, CodeAmbiguous, "licenses 第 2 项 中有重复的成员"},
		{`{"licenses":[1,{"data_fields":{"A":1,"A":2}}]}`, CodeAmbiguous, "licenses 第 2 项的 data_fields 中有重复的成员"},
		{`{"licenses":{"1234":1,"1234":2}}`, CodeAmbiguous, "licenses 中有重复的成员"},
		{`{"x":{"SECRET":1,"SECRET":2}}`, CodeAmbiguous, "请求体 中有重复的成员"},
	} {
		c, f := decode(post(tt.body, "request_id=r-1"), Sign)
		if f == nil || f.Code != tt.code || f.Detail != tt.detail {
			t.Errorf("%.60q: %v %q, want %s %q", tt.body, f, detailOf(f), tt.code.Number, tt.detail)
		}
		if c == nil || c.RequestID != "r-1" || c.Endpoint == nil || c.Operator != nil {
			t.Errorf("%.60q: the refusal's call is %+v", tt.body, c)
		}
	}
	if _, f := decode(post(strings.Replace(nested(32), "{", "{"+signJSON+",", 1), ""), Sign); f != nil {
		t.Errorf("32 levels refused: %+v", f)
	}
}

func TestDecodeBoundsTheBody(t *testing.T) {
	t.Parallel()
	l := Limits{Body: 100, Batch: 200}
	body := func(n int) string { return `{"x":"` + strings.Repeat("y", n-8) + `"}` }
	for _, tt := range []struct {
		i     Interface
		bytes int
		ok    bool
	}{{Logout, 100, true}, {Logout, 101, false}, {BatchSign, 200, true}, {BatchSign, 201, false}} {
		for _, known := range []bool{true, false} {
			r := post(body(tt.bytes), "")
			if !known { // chunked
				r.ContentLength = -1
			}
			_, f := Decode(r, Find(tt.i), "", l)
			if tooLarge := f != nil && f.Code == CodeTooLarge; tooLarge == tt.ok {
				t.Errorf("%s, %d bytes, length known %v: %v", tt.i, tt.bytes, known, f)
			}
		}
	}
	// A declared length alone suffices: nothing is read.
	r := post("", "")
	r.ContentLength, r.Body = 101, io.NopCloser(iotest.ErrReader(errors.New("read")))
	_, f := Decode(r, Find(Logout), "", l)
	wantFailure(t, f, CodeTooLarge, "")
	// A limit of a handler before us.
	r = post(body(100), "")
	r.Body = http.MaxBytesReader(nil, r.Body, 50)
	_, f = Decode(r, Find(Logout), "", l)
	wantFailure(t, f, CodeTooLarge, "")
	// A client that goes away.
	r = post("", "")
	r.Body = io.NopCloser(iotest.ErrReader(errors.New("SECRET")))
	_, f = Decode(r, Find(Logout), "", l)
	wantFailure(t, f, CodeMalformed, "请求体未能完整接收")
}

func TestDecodeBoundsTokens(t *testing.T) {
	t.Parallel()
	flood := func(n int) string { return "[" + strings.Repeat("0,", n) + "0]" }
	_, f := decode(post(`{"x":`+flood(maxTokens(DefaultLimits.Body))+`}`, ""), Logout)
	wantFailure(t, f, CodeTooLarge, "数据项过多")
	if _, f = decode(post(`{"x":`+flood(minTokens)+`}`, ""), Logout); f != nil {
		t.Errorf("refused: %+v", f)
	}
	// A string that holds an object is bounded by its own length.
	held := fmt.Sprintf(`{%s,"data_fields":"{\"A\":%s}"}`, signJSON, flood(2*heldTokens))
	_, f = decode(post(held, ""), Create)
	wantFailure(t, f, CodeTooLarge, "数据项过多")
}

func TestDecodeMediaTypes(t *testing.T) {
	t.Parallel()
	for value, detail := range map[string]string{
		"application/json":                   "ok",
		"application/json; charset=utf-8":    "ok",
		"Application/JSON;charset=\"UTF-8\"": "ok",
		"application/json; charset=gbk":      "字符集须为 UTF-8",
		"text/plain":                         "",
		"text/json":                          "",
		"application/x-www-form-urlencoded":  "",
		"multipart/form-data; boundary=x":    "",
		"application/json;;":                 "",
		"":                                   "",
	} {
		r := post("{}", "")
		r.Header.Set("Content-Type", value)
		_, f := decode(r, Logout)
		if detail == "ok" {
			if f != nil {
				t.Errorf("%q: %+v", value, f)
			}
			continue
		}
		wantFailure(t, f, CodeMediaType, detail)
	}
	r := post("{}", "")
	r.Header.Del("Content-Type")
	if _, f := decode(r, Logout); f != nil {
		t.Errorf("without a type: %+v", f)
	}
	r.Header["Content-Type"] = []string{"application/json", "text/plain"}
	r.Body = io.NopCloser(strings.NewReader("{}"))
	_, f := decode(r, Logout)
	wantFailure(t, f, CodeMediaType, "Content-Type 请求头重复出现")
	for _, coding := range []string{"gzip", "identity", ""} {
		r = post("{}", "")
		r.Header.Set("Content-Encoding", coding)
		_, f = decode(r, Logout)
		wantFailure(t, f, CodeMediaType, "不支持 Content-Encoding，请发送未压缩的请求体")
	}
}

func TestDecodeGet(t *testing.T) {
	t.Parallel()
	c, f := decode(get("auth_code_qr=Q&service_item_code=S-1&service_item_name=%E4%BA%8B%E9%A1%B9"+
		"&operator=%7B%22account%22%3A%22a%22%7D&show_sensitive_data=TRUE&biz_num=B&access_token=x"), GetLicenseQR)
	want := Params{
		AuthCodeQR: "Q", ServiceItemCode: "S-1", ServiceItemName: "事项", Operator: &UserInfo{Account: "a"},
		ShowSensitiveData: new(true), BizNum: "B",
	}
	if f != nil || !reflect.DeepEqual(c.Params, want) {
		t.Errorf("%+v %+v", c.Params, f)
	}
	r := get("auth_code=A")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"auth_code":"B"}`)), 17
	_, f = decode(r, GetLicense)
	wantFailure(t, f, CodeAmbiguous, "GET 请求不得带请求体，请使用查询参数")
	_, f = decode(get("auth_code=A&auth_code=B"), GetLicense)
	wantFailure(t, f, CodeAmbiguous, "查询参数 auth_code 重复出现")
	_, f = decode(get("auth_code=A;b"), GetLicense)
	wantFailure(t, f, CodeAmbiguous, "查询字符串中的分号须编码为 %3B")
	_, f = decode(get("auth_code=%"), GetLicense)
	wantFailure(t, f, CodeAmbiguous, "查询字符串的编码不正确")
}

func TestDecodeDefaults(t *testing.T) {
	t.Parallel()
	c, f := decode(get(""), List)
	if f != nil || !reflect.DeepEqual(c.Params, Params{PageIndex: 1, PageSize: 10}) {
		t.Errorf("list: %+v %v", c.Params, f)
	}
	c, f = decode(get("auth_code=A"), Archive)
	if f != nil || !reflect.DeepEqual(c.Params, Params{AuthCode: "A", FileType: "PDF"}) {
		t.Errorf("archive: %+v %v", c.Params, f)
	}
	c, f = decode(get("auth_code=A"), Token)
	if f != nil || !reflect.DeepEqual(c.Params, Params{AuthCode: "A"}) {
		t.Errorf("token: %+v %v", c.Params, f)
	}
}

func TestDecodeRefusesSecretsInTheQuery(t *testing.T) {
	t.Parallel()
	const login = `{"app_key":"k","app_secret":"s","account":"a","password":"p"}`
	for name, i := range map[string]Interface{"app_secret": Login, "password": Login, "credential": PsnHolder} {
		_, f := decode(post(login, name+"=s"), i)
		wantFailure(t, f, CodeParameter, name+" 须放在请求体中，不得出现在请求地址里")
	}
}

func TestDecodeKeepsTheRequestIDOfARefusedCall(t *testing.T) {
	t.Parallel()
	c, f := decode(post(`{"data":{"request_id":"r-1"}}`, ""), Sign)
	wantFailure(t, f, CodeMissing, "service_item_code、service_item_name、operator")
	if c.RequestID != "r-1" {
		t.Errorf("request id %q", c.RequestID)
	}
	c, f = decode(post(`{"request_id":"r-1","x":`, ""), Sign)
	if f == nil || f.Code != CodeMalformed || c.RequestID != "r-1" {
		t.Errorf("%+v %+v", c, f)
	}
}
