package protocol

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"licgate/beijing"
)

// read runs one member's shape over a JSON text as it would stand in a body.
func read(t *testing.T, name, text string) (any, *Failure) {
	t.Helper()
	r := newReader([]byte(text), "", 3, maxTokens(DefaultLimits.Batch))
	v, f := r.value(r.depth)
	if f != nil {
		t.Fatalf("%s: %s: %+v", name, text, f)
	}
	return members[name].read(name, v, false)
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestShapesAccept(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("照", 512)
	type fields = map[string]any
	for _, tt := range []struct {
		name, text string
		want       any
	}{
		{"service_item_name", `" 婚姻登记 "`, " 婚姻登记 "},
		{"service_item_name", quote(long), long},
		{"service_item_name", `null`, nil},
		{"service_item_name", `""`, nil},
		{"service_item_name", `" \u3000"`, nil},
		{"service_item_name", `"𬱖"`, "𬱖"},
		{"password", `" a b "`, " a b "},
		{"license_code", `" 11000020170000HS2P\n"`, "11000020170000HS2P"},
		{"license_code", quote(strings.Repeat("A", 64)), strings.Repeat("A", 64)},
		{"auth_code", `"\tabc "`, "abc"},
		{"auth_code_qr", `"\u3000abc"`, "abc"},
		{"service_item_code", `"事项编码"`, "事项编码"},
		{"service_item_code", `" 110103MZ001 "`, "110103MZ001"},
		{"credential", quote(strings.Repeat("x", 8192)), strings.Repeat("x", 8192)},
		{"request_id", `" b2629b80 "`, "b2629b80"},
		{"request_id", quote(strings.Repeat("x", 128)), strings.Repeat("x", 128)},

		{"since", `"2026-1-31"`, time.Date(2026, 1, 31, 0, 0, 0, 0, beijing.Zone)},
		{"since", `" 2026-01-31 "`, time.Date(2026, 1, 31, 0, 0, 0, 0, beijing.Zone)},
		{"since", `"2026-01-31 08:09:10"`, time.Date(2026, 1, 31, 8, 9, 10, 0, beijing.Zone)},
		{"since", `"2026-01-31 08:09:10.123"`, time.Date(2026, 1, 31, 8, 9, 10, 123_000_000, beijing.Zone)},
		{"since", `""`, nil},
		{"since", `null`, nil},
		{"after", `" 11000020170000HS2P "`, "11000020170000HS2P"},

		{"page_index", `1`, 1},
		{"page_index", `"7"`, 7},
		{"page_index", `" 7 "`, 7},
		{"page_index", `""`, nil},
		{"page_index", `null`, nil},
		{"page_size", `150`, 150},
		{"page_size", `"0150"`, 150},

		{"is_open", `true`, true},
		{"is_open", `false`, false},
		{"is_open", `"TRUE"`, true},
		{"is_open", `" False "`, false},
		{"is_open", `""`, nil},
		{"is_open", `null`, nil},
		{"show_sensitive_data", `"true"`, true},
		{"show_sensitive_data", `"false"`, false},

		{"status", `"PUBLISH"`, []string{"PUBLISH"}},
		{"status", `"DRAFT, CANCEL，PUBLISH,,DRAFT"`, []string{"DRAFT", "CANCEL", "PUBLISH"}},
		{"status", `" , "`, nil},
		{"status", `null`, nil},

		{"identity_number", `"A"`, []string{"A"}},
		{"identity_number", `" A , B，C ,, "`, []string{"A", "B", "C"}},
		{"identity_number", `","`, nil},
		{"identity_number", quote(strings.Repeat("A,", 20)), strings.Split(strings.Repeat("A,", 19)+"A", ",")},

		{"division_code", `"110000"`, "110000"},
		{"division_code", `"110101001001"`, "110101001001"},
		{"division_code", `" "`, nil},
		{"file_type", `" pdf "`, "PDF"},
		{"file_type", `"OFD"`, "OFD"},
		{"file_type", `""`, nil},

		{"data_fields", `{"A":"1","N":1.50,"T":true,"Z":null,"O":{"file_suffix":"png"},"L":[1,"x"]}`, fields{
			"A": "1", "N": json.Number("1.50"), "T": true, "Z": nil, "O": map[string]any{"file_suffix": "png"}, "L": []any{json.Number("1"), "x"},
		}},
		{"data_fields", `" {\"A\":\" 1 \"} "`, fields{"A": " 1 "}},
		{"data_fields", `{}`, fields{}},
		{"data_fields", `""`, nil},
		{"data_fields", `null`, nil},
		{"data_fields", `{"` + strings.Repeat("名", 128) + `":1}`, fields{strings.Repeat("名", 128): json.Number("1")}},

		{"operator", `{"account":" a ","name":"n","identity_num":"i","role":"r","division":"d","division_code":"c","service_org":"o","service_org_code":"oc","creator":"x"}`, &UserInfo{
			Account: " a ", Name: "n", IdentityNum: "i", Role: "r", Division: "d", DivisionCode: "c", ServiceOrg: "o", ServiceOrgCode: "oc",
		}},
		{"operator", `{"account":""}`, &UserInfo{}},
		{"operator", `{"account":"a","name":null}`, &UserInfo{Account: "a"}},
		{"operator", `{}`, nil},
		{"operator", `null`, nil},

		{"licenses", `[{"data_fields":{"A":1},"license_group":" 1 ","seal_code":" S "},{"data_fields":"{\"A\":2}"}]`, []CreateData{
			{DataFields: fields{"A": json.Number("1")}, LicenseGroup: "1", SealCode: "S"}, {DataFields: fields{"A": json.Number("2")}},
		}},
		{"licenses", `[]`, nil},
		{"licenses", `null`, nil},
		{"license_codes", `["a"," b ",{"license_code":"c ","x":1}]`, []string{"a", "b", "c"}},
		{"license_codes", `[]`, nil},
		{"license_codes", `null`, nil},
		{"license_codes", "[" + strings.Repeat(`"a",`, maxRows-1) + `"a"]`, strings.Split(strings.Repeat("a,", maxRows-1)+"a", ",")},
	} {
		got, f := read(t, tt.name, tt.text)
		if f != nil {
			t.Errorf("%s: %.80s: %s %s", tt.name, tt.text, f.Code.Number, f.Detail)
			continue
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %.80s is %#v, want %#v", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestShapesRefuse(t *testing.T) {
	t.Parallel()
	const fieldName = " 的数据项名称须为 1 至 128 个字符，不含控制字符"
	for _, tt := range []struct {
		name, text, detail string
	}{
		{"service_item_name", `1`, "service_item_name 须为字符串"},
		{"service_item_name", `true`, "service_item_name 须为字符串"},
		{"service_item_name", `["a"]`, "service_item_name 须为字符串"},
		{"service_item_name", `{"a":1}`, "service_item_name 须为字符串"},
		{"service_item_name", quote(strings.Repeat("照", 513)), "service_item_name 最长 512 个字符"},
		{"service_item_name", `"a\nb"`, "service_item_name 含有控制字符"},
		{"service_item_name", `"a\u0000"`, "service_item_name 含有控制字符"},
		{"service_item_name", `"a\u0085"`, "service_item_name 含有控制字符"},
		{"password", `"a\n"`, "password 含有控制字符"},
		{"license_code", quote(strings.Repeat("A", 65)), "license_code 最长 64 个字符"},
		{"license_code", `"a\u0000b"`, "license_code 含有控制字符"},
		{"license_code", `1`, "license_code 须为字符串"},
		{"service_item_code", quote(strings.Repeat("项", 65)), "service_item_code 最长 64 个字符"},
		{"auth_code", quote(strings.Repeat("A", 513)), "auth_code 最长 512 个字符"},
		{"credential", quote(strings.Repeat("A", 8193)), "credential 最长 8192 个字符"},
		{"request_id", quote(strings.Repeat("A", 129)), "request_id 最长 128 个字符"},
		{"request_id", `"a\u202eb"`, "request_id 含有不可见字符"},
		{"request_id", `1`, "request_id 须为字符串"},

		{"page_size", `151`, "page_size 最大为 150"},
		{"page_size", `"151"`, "page_size 最大为 150"},
		{"page_size", `99999999999999999999`, "page_size 最大为 150"},
		{"page_size", `0`, "page_size 须为正整数"},
		{"page_size", `-1`, "page_size 须为正整数"},
		{"page_size", `1.0`, "page_size 须为正整数"},
		{"page_size", `1e2`, "page_size 须为正整数"},
		{"page_size", `"+1"`, "page_size 须为正整数"},
		{"page_size", `"１"`, "page_size 须为正整数"},
		{"page_size", `true`, "page_size 须为正整数"},
		{"page_size", `[1]`, "page_size 须为正整数"},
		{"since", `"2026-02-30"`, "since 须为 2026-01-31 或 2026-01-31 08:00:00 的形式"},
		{"since", `"昨天"`, "since 须为 2026-01-31 或 2026-01-31 08:00:00 的形式"},
		{"since", `20260131`, "since 须为字符串"},

		{"page_index", `"0"`, "page_index 须为正整数"},
		{"page_index", `1073741825`, "page_index 最大为 1073741824"},

		{"is_open", `1`, "is_open 须为 true 或 false"},
		{"is_open", `"1"`, "is_open 须为 true 或 false"},
		{"is_open", `"yes"`, "is_open 须为 true 或 false"},
		{"is_open", `[]`, "is_open 须为 true 或 false"},
		{"show_sensitive_data", `"显示敏感数据"`, "show_sensitive_data 须为 true 或 false"},

		{"status", `"PUBLISH,OPEN"`, "status 只能取 DRAFT、PUBLISH、CANCEL"},
		{"status", `"publish"`, "status 只能取 DRAFT、PUBLISH、CANCEL"},
		{"status", `["PUBLISH"]`, "status 须为字符串"},

		{"identity_number", `["A"]`, "identity_number 须为字符串"},
		{"identity_number", quote(strings.Repeat("A,", 21)), "identity_number 最多 20 个"},
		{"identity_number", quote("A," + strings.Repeat("B", 65)), "identity_number 每个最长 64 个字符"},
		{"identity_number", `"A\nB"`, "identity_number 含有控制字符"},
		{"identity_number", quote(strings.Repeat(",", 2601)), "identity_number 最长 2600 个字符"},

		{"division_code", `"11000"`, "division_code 须为 6 位或 12 位数字"},
		{"division_code", `"11000a"`, "division_code 须为 6 位或 12 位数字"},
		{"division_code", `110000`, "division_code 须为字符串"},
		{"file_type", `"a/b"`, "file_type 须为字母或数字，例如 PDF"},
		{"file_type", `"文件"`, "file_type 须为字母或数字，例如 PDF"},
		{"file_type", `"ABCDEFGHIJKLMNOPQ"`, "file_type 须为字母或数字，例如 PDF"},

		{"data_fields", `[]`, "data_fields 须为 JSON 对象，或内容为 JSON 对象的字符串"},
		{"data_fields", `1`, "data_fields 须为 JSON 对象，或内容为 JSON 对象的字符串"},
		{"data_fields", `"[]"`, "data_fields 须为 JSON 对象"},
		{"data_fields", `"x"`, "data_fields 不完整或有误"},
		{"data_fields", `"{\"a\":}"`, "data_fields 第 5 字节附近有误"},
		{"data_fields", `"{}{}"`, "data_fields 末尾有多余内容"},
		{"data_fields", quote(strings.Repeat(`{"a":`, 29) + "1" + strings.Repeat("}", 29)), "data_fields 嵌套超过 32 层"},
		{"data_fields", `{"":1}`, "data_fields" + fieldName},
		{"data_fields", `{" ":1}`, "data_fields" + fieldName},
		{"data_fields", `{"a\u0001":1}`, "data_fields" + fieldName},
		{"data_fields", `{"` + strings.Repeat("n", 129) + `":1}`, "data_fields" + fieldName},
		{"data_fields", `{"a":[{"b":{"":1}}]}`, "data_fields" + fieldName},

		{"operator", `[]`, "operator 须为 JSON 对象"},
		{"operator", `"{\"account\":\"a\"}"`, "operator 须为 JSON 对象"},
		{"operator", `{"account":1}`, "operator.account 须为字符串"},
		{"operator", `{"role":"` + strings.Repeat("r", 513) + `"}`, "operator.role 最长 512 个字符"},
		{"operator", `{"name":"a\u0007"}`, "operator.name 含有控制字符"},

		{"licenses", `{}`, "licenses 须为 JSON 数组"},
		{"licenses", `"[]"`, "licenses 须为 JSON 数组"},
		{"licenses", `[{"data_fields":{}},1]`, "licenses 第 2 项须为 JSON 对象"},
		{"licenses", `[{"data_fields":1}]`, "licenses 第 1 项的 data_fields 须为 JSON 对象，或内容为 JSON 对象的字符串"},
		{"licenses", `[{"data_fields":{},"license_group":1}]`, "licenses 第 1 项的 license_group 须为字符串"},
		{"licenses", `[{"data_fields":{},"seal_code":1}]`, "licenses 第 1 项的 seal_code 须为字符串"},
		{"licenses", "[" + strings.Repeat(`0,`, maxRows) + "0]", "licenses 最多 10000 项"},
		{"license_codes", `"a"`, "license_codes 须为 JSON 数组"},
		{"license_codes", `["a",""]`, "license_codes 第 2 项为空"},
		{"license_codes", `[{}]`, "license_codes 第 1 项为空"},
		{"license_codes", `[null]`, "license_codes 第 1 项为空"},
		{"license_codes", `[1]`, "license_codes 第 1 项 须为字符串"},
		{"license_codes", `[{"license_code":{"license_code":"a"}}]`, "license_codes 第 1 项 须为字符串"},
		{"license_codes", `["` + strings.Repeat("A", 65) + `"]`, "license_codes 第 1 项 最长 64 个字符"},
		{"license_codes", "[" + strings.Repeat(`0,`, maxRows) + "0]", "license_codes 最多 10000 项"},
	} {
		v, f := read(t, tt.name, tt.text)
		if v != nil || f == nil || f.Code != CodeParameter || f.Detail != tt.detail {
			t.Errorf("%s: %.80s: %v %+v, want %q", tt.name, tt.text, v, f, tt.detail)
		}
	}
	_, f := read(t, "licenses", `[{"license_group":"1"}]`)
	wantFailure(t, f, CodeMissing, "licenses 第 1 项的 data_fields")
	_, f = read(t, "data_fields", `"{\"SECRET\":1,\"SECRET\":2}"`)
	wantFailure(t, f, CodeAmbiguous, "data_fields 中有重复的成员")
	_, f = read(t, "licenses", `[{"data_fields":"{\"SECRET\":1,\"SECRET\":2}"}]`)
	wantFailure(t, f, CodeAmbiguous, "licenses 第 1 项的 data_fields 中有重复的成员")
}

// In a query everything is text: objects and lists are JSON in it.
func TestShapesInAQuery(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       any
	}{
		{"operator", ` {"account":"a"}`, &UserInfo{Account: "a"}},
		{"operator", ``, nil},
		{"license_codes", `["a",{"license_code":"b"}]`, []string{"a", "b"}},
		{"licenses", `[{"data_fields":{"A":"1"}}]`, []CreateData{{DataFields: map[string]any{"A": "1"}}}},
		{"licenses", ` `, nil},
		{"data_fields", `{"A":"1"}`, map[string]any{"A": "1"}},
		{"page_size", `5`, 5},
		{"is_open", `true`, true},
	} {
		got, f := members[tt.name].read(tt.name, tt.text, true)
		if f != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s=%s: %v %+v", tt.name, tt.text, got, f)
		}
	}
	for _, tt := range []struct{ name, text, detail string }{
		{"operator", `x`, "operator 不完整或有误"},
		{"operator", `"{}"`, "operator 须为 JSON 对象"},
		{"operator", `{} {}`, "operator 末尾有多余内容"},
		{"license_codes", `a,b`, "license_codes 不完整或有误"},
		{"license_codes", `"a"`, "license_codes 须为 JSON 数组"},
		{"licenses", `{"a":1}`, "licenses 须为 JSON 数组"},
	} {
		_, f := members[tt.name].read(tt.name, tt.text, true)
		if f == nil || f.Code != CodeParameter || f.Detail != tt.detail {
			t.Errorf("%s=%s: %+v, want %q", tt.name, tt.text, f, tt.detail)
		}
	}
}

func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	_, f := decode(get("page_index=1073741824&page_size=150"), List)
	wantFailure(t, f, CodeParameter, "page_index 过大")
	_, f = decode(get("page_index=1073741824"), List)
	wantFailure(t, f, CodeParameter, "page_index 过大")
	last := fmt.Sprint((1<<31 - 1) / 150)
	c, f := decode(get("page_size=150&page_index="+last), List)
	if f != nil || fmt.Sprint(c.PageIndex) != last || c.PageSize != 150 {
		t.Errorf("%+v %+v", c, f)
	}
}

// archive_list has a page size of its own, and no index.
func TestArchivePages(t *testing.T) {
	t.Parallel()
	c, f := decode(get("service_item_code=S&page_index=7"), ArchiveList)
	if f != nil || !reflect.DeepEqual(c.Params, Params{ServiceItemCode: "S", PageSize: 100}) {
		t.Errorf("%+v %+v", c, f)
	}
	c, f = decode(get("service_item_code=S&page_size=500"), ArchiveList)
	if f != nil || c.PageSize != 500 {
		t.Errorf("%+v %+v", c, f)
	}
	_, f = decode(get("service_item_code=S&page_size=501"), ArchiveList)
	wantFailure(t, f, CodeParameter, "page_size 最大为 500")
	if Find(ArchiveList).Changes() || !Find(Issue).Changes() {
		t.Error("a list changes licences, or issue does not")
	}
}

// Every member lands in its own field of Params.
func TestMembersLandInTheirFields(t *testing.T) {
	t.Parallel()
	open := true
	want := Params{
		RequestID: "request_id", AppKey: "app_key", AppSecret: "app_secret", Account: "account", Password: "password", OrgCode: "org_code",
		PageIndex: 3, PageSize: 4, Keyword: "keyword", Status: []string{"DRAFT"}, IsOpen: &open,
		DataFields: map[string]any{"A": "1"}, Operator: &UserInfo{Name: "n"},
		ServiceItemCode: "service_item_code", ServiceItemName: "service_item_name", ServiceItemOrg: "service_item_org", BizNum: "biz_num",
		LicenseGroup: "license_group", SealCode: "seal_code", LicenseCode: "license_code", IDCode: "id_code", AbolishReason: "abolish_reason",
		Licenses: []CreateData{{DataFields: map[string]any{"B": "2"}}}, LicenseCodes: []string{"c"}, DivisionCode: "110000",
		Credential: "credential", ShowSensitiveData: new(true), IdentityNumbers: []string{"i"},
		AuthCode: "auth_code", AuthCodeQR: "auth_code_qr", LicenseAccessToken: "license_access_token", FileType: "OFD", CheckCode: "c",
		Since: time.Date(2026, 1, 31, 0, 0, 0, 0, beijing.Zone), After: "after",
	}
	special := map[string]string{
		"page_index": `3`, "page_size": `4`, "status": `"DRAFT"`, "is_open": `true`, "data_fields": `{"A":"1"}`, "operator": `{"name":"n"}`,
		"licenses": `[{"data_fields":{"B":"2"}}]`, "license_codes": `["c"]`, "division_code": `"110000"`, "show_sensitive_data": `true`,
		"identity_number": `"i"`, "file_type": `"ofd"`, "since": `"2026-01-31"`,
	}
	var got Params
	for name, m := range members {
		text := special[name]
		if text == "" {
			text = quote(name)
		}
		v, f := read(t, name, text)
		if f != nil {
			t.Fatalf("%s: %+v", name, f)
		}
		m.put(&got, v)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
