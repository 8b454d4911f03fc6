package protocol

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// Requests to a foreign upstream are read as strictly as our own; the rules themselves are tested with Decode and SessionToken.
func TestForeignRequests(t *testing.T) {
	t.Parallel()
	query, f := Query("a=1&%62=%E4%B8%AD&c")
	if want := map[string]string{"a": "1", "b": "中", "c": ""}; f != nil || !reflect.DeepEqual(query, want) {
		t.Errorf("%v %v", query, f)
	}
	_, f = Query("a=1&a=1")
	wantFailure(t, f, CodeAmbiguous, "查询参数重复出现")

	post := func(body string, header ...string) ([]byte, map[string]any, *Failure) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return Body(r, 1000)
	}
	const text = ` {"a":[1.0,"x",true,null,{}]} `
	raw, object, f := post(text)
	want := map[string]any{"a": []any{json.Number("1.0"), "x", true, nil, map[string]any{}}}
	if f != nil || string(raw) != text || !reflect.DeepEqual(object, want) {
		t.Errorf("%q %v %v", raw, object, f)
	}
	if raw, object, f := post(""); raw != nil || object != nil || f != nil {
		t.Errorf("no body: %q %v %v", raw, object, f)
	}
	for body, refusal := range map[string]*Failure{
		`[]`:             Fail(CodeMalformed, "请求体须为 JSON 对象"),
		`null`:           Fail(CodeMalformed, "请求体须为 JSON 对象"),
		`{}{}`:           Fail(CodeMalformed, "请求体末尾有多余内容"),
		`{"a":1,"a":1}`:  Fail(CodeAmbiguous, "请求体 中有重复的成员"),
		"\xef\xbb\xbf{}": Fail(CodeMalformed, "请求体不完整或有误"),
		`{"a":"` + strings.Repeat("x", 1000) + `"}`: Fail(CodeTooLarge, ""),
	} {
		_, object, f := post(body)
		if object != nil {
			t.Errorf("%q: an object came with the refusal", body)
		}
		wantFailure(t, f, refusal.Code, refusal.Detail)
	}
	for _, header := range [][]string{
		{"Content-Type", "application/x-www-form-urlencoded"},
		{"Content-Type", "application/json; charset=utf-7"},
		{"Content-Type", ""},
		{"Content-Encoding", "gzip"},
	} {
		if _, _, f := post(`{}`, header...); f == nil || f.Code != CodeMediaType {
			t.Errorf("%v: %v", header, f)
		}
	}
}
