package licence_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"licgate/licence"
)

func itemOf(fields ...licence.Field) *licence.Item {
	return &licence.Item{Code: "100185101", Name: "证", Status: "PUBLISH", Open: true, Fields: fields}
}

func deep(levels int) any {
	var v any = "底"
	for range levels {
		v = []any{v}
	}
	return v
}

var picture = base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n some picture"))

func TestFieldsKept(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name  string
		field licence.Field
		value any
		want  any // nil: left out
	}{
		{"text", licence.Field{}, "北京 \t\n𬱖", "北京 \t\n𬱖"},
		{"text with CRLF", licence.Field{Type: "string"}, "一\r\n二", "一\n二"},
		{"text of the greatest length", licence.Field{Length: 3}, "一二𬱖", "一二𬱖"},
		{"text of the default length", licence.Field{}, strings.Repeat("字", 4000), strings.Repeat("字", 4000)},
		{"blank text", licence.Field{}, " 　\t\u200b", ""},
		{"null", licence.Field{}, nil, nil},
		{"date padded", licence.Field{Type: "date"}, "2020-05-22", "2020-05-22"},
		{"date unpadded", licence.Field{Type: "date"}, " 2020-5-2 ", "2020-05-02"},
		{"date full-width", licence.Field{Type: "date"}, "２０２０－５－２", "2020-05-02"},
		{"leap day", licence.Field{Type: "date"}, "2024-2-29", "2024-02-29"},
		{"empty date", licence.Field{Type: "date"}, "", ""},
		{"issue date in a text field", licence.Field{Type: "string", Role: "issue_date"}, "2020-5-22", "2020-05-22"},
		{"unlimited", licence.Field{Type: "date", Role: "expiry_date"}, "长期", "长期"},
		{"number", licence.Field{Type: "number"}, json.Number("-12.50e3"), json.Number("-12.50e3")},
		{"integer", licence.Field{Type: "integer"}, json.Number("12345678901234567890"), json.Number("12345678901234567890")},
		{"empty number", licence.Field{Type: "number"}, "", ""},
		{"boolean", licence.Field{Type: "boolean", Required: true}, false, false},
		{
			"image",
			licence.Field{Type: "image"},
			map[string]any{"file_suffix": ".PNG", "file_data": picture, "more": "x"},
			map[string]any{"file_suffix": "png", "file_data": picture},
		},
		{
			"image in lines",
			licence.Field{Type: "image"},
			map[string]any{"file_suffix": "jpg", "file_data": picture[:8] + "\r\n" + picture[8:]},
			map[string]any{"file_suffix": "jpg", "file_data": picture},
		},
		{"no image", licence.Field{Type: "image"}, "", ""},
		{"empty image", licence.Field{Type: "image"}, map[string]any{"file_suffix": "", "file_data": ""}, nil},
		{
			"object",
			licence.Field{Type: "object"},
			map[string]any{"a": json.Number("1"), "b": []any{nil, true, "x\ny"}},
			map[string]any{"a": json.Number("1"), "b": []any{nil, true, "x\ny"}},
		},
		{"object with an empty file_data", licence.Field{Type: "object"}, map[string]any{"file_data": "", "a": "x"}, map[string]any{"file_data": "", "a": "x"}},
		{"empty object", licence.Field{Type: "object"}, map[string]any{}, nil},
		{"array", licence.Field{Type: "array"}, []any{map[string]any{"a": "b"}}, []any{map[string]any{"a": "b"}}},
		{"empty array", licence.Field{Type: "array"}, []any{}, nil},
		{"deep array", licence.Field{Type: "array"}, deep(16), deep(16)},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			one.field.Key, one.field.Label = "K", "项"
			made, err := w.Create(t.Context(), civil, itemOf(one.field), licence.Making{Fields: map[string]any{"K": one.value, "unknown": "x"}})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			if one.want != nil {
				want["K"] = one.want
			}
			if !reflect.DeepEqual(made.Licence.Fields, want) {
				t.Errorf("made with %#v, want %#v", made.Licence.Fields, want)
			}
			if got := w.load(t, made.Licence.Code).Fields; !reflect.DeepEqual(got, want) {
				t.Errorf("kept %#v, want %#v", got, want)
			}
		})
	}
}

func TestFieldsRefused(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name  string
		field licence.Field
		value any
		text  string // of the message
	}{
		{"required and absent", licence.Field{Required: true}, nil, "必填"},
		{"required and empty", licence.Field{Required: true}, "", "必填"},
		{"required and blank", licence.Field{Required: true}, " 　\u200b\n", "必填"},
		{"required empty array", licence.Field{Required: true, Type: "array"}, []any{}, "必填"},
		{"required empty object", licence.Field{Required: true, Type: "object"}, map[string]any{}, "必填"},
		{"required image without data", licence.Field{Required: true, Type: "image"}, map[string]any{"file_suffix": "png", "file_data": " "}, "必填"},
		{"number for text", licence.Field{}, json.Number("12"), "应为文字"},
		{"object for text", licence.Field{}, map[string]any{"a": "b"}, "应为文字"},
		{"text too long", licence.Field{Length: 3}, "甲乙丙丁", "最大长度 3"},
		{"text over the default", licence.Field{}, strings.Repeat("a", 4001), "最大长度 4000"},
		{"control character", licence.Field{}, "甲\x00乙", "控制字符"},
		{"escape", licence.Field{}, "甲\x1b[2J", "控制字符"},
		{"lone CR", licence.Field{}, "甲\r乙", "控制字符"},
		{"C1 control", licence.Field{}, "甲\u0085乙", "控制字符"},
		{"turned text", licence.Field{}, "甲\u202e乙", "控制字符"},
		{"invalid UTF-8", licence.Field{}, "甲\xff", "控制字符"},
		{"name in two lines", licence.Field{Role: "holder_name"}, "甲\n乙", "控制字符"},
		{"no such day", licence.Field{Type: "date"}, "2021-2-29", "有效日期"},
		{"no such month", licence.Field{Type: "date"}, "2021-13-01", "有效日期"},
		{"date by slashes", licence.Field{Type: "date"}, "2021/2/2", "有效日期"},
		{"date and time", licence.Field{Type: "date"}, "2021-02-02 10:00:00", "有效日期"},
		{"two-digit year", licence.Field{Type: "date"}, "21-02-02", "有效日期"},
		{"unlimited but not an expiry", licence.Field{Type: "date"}, "长期", "有效日期"},
		{"number for a date", licence.Field{Type: "date"}, json.Number("20200522"), "日期文字"},
		{"issue date in a text field", licence.Field{Role: "issue_date"}, "去年", "有效日期"},
		{"text for a number", licence.Field{Type: "number"}, "12", "应为数字"},
		{"boolean for a number", licence.Field{Type: "number"}, true, "应为数字"},
		{"float", licence.Field{Type: "number"}, 1.5, "应为数字"},
		{"not a number", licence.Field{Type: "number"}, json.Number("0x1F"), "应为数字"},
		{"padded number", licence.Field{Type: "number"}, json.Number(" 1"), "应为数字"},
		{"literal", licence.Field{Type: "number"}, json.Number("true"), "应为数字"},
		{"fraction", licence.Field{Type: "integer"}, json.Number("1.0"), "应为整数"},
		{"exponent", licence.Field{Type: "integer"}, json.Number("1e9"), "应为整数"},
		{"long number", licence.Field{Type: "integer", Length: 3}, json.Number("1234"), "最大长度 3"},
		{"endless number", licence.Field{Type: "number"}, json.Number(strings.Repeat("1", 65)), "最大长度"},
		{"text for a boolean", licence.Field{Type: "boolean"}, "true", "true 或 false"},
		{"text for an image", licence.Field{Type: "image"}, "abc", "JSON 对象"},
		{"image without suffix", licence.Field{Type: "image"}, map[string]any{"file_data": picture}, "file_suffix"},
		{"image that runs", licence.Field{Type: "image"}, map[string]any{"file_suffix": "svg", "file_data": picture}, "file_suffix"},
		{"image of a number", licence.Field{Type: "image"}, map[string]any{"file_suffix": "png", "file_data": json.Number("1")}, "base64 文字"},
		{"image not base64", licence.Field{Type: "image"}, map[string]any{"file_suffix": "png", "file_data": "!!"}, "base64"},
		{"image in base64url", licence.Field{Type: "image"}, map[string]any{"file_suffix": "png", "file_data": "_-_-"}, "base64"},
		{"image with loose bits", licence.Field{Type: "image"}, map[string]any{"file_suffix": "png", "file_data": "AB=="}, "base64"},
		{"image too long", licence.Field{Type: "image", Length: 8}, map[string]any{"file_suffix": "png", "file_data": picture}, "最大长度 8"},
		{"array for an object", licence.Field{Type: "object"}, []any{"x"}, "JSON 对象"},
		{"object for an array", licence.Field{Type: "array"}, map[string]any{"a": "x"}, "JSON 数组"},
		{"control character within", licence.Field{Type: "array"}, []any{map[string]any{"a": "\x00"}}, "控制字符"},
		{"control character in a name", licence.Field{Type: "object"}, map[string]any{"a\n": "x"}, "成员名"},
		{"not a number within", licence.Field{Type: "array"}, []any{json.Number("x")}, "数字"},
		{"odd type within", licence.Field{Type: "array"}, []any{1}, "数据类型"},
		{"too deep", licence.Field{Type: "array"}, deep(18), "嵌套"},
		{"array too long", licence.Field{Type: "array", Length: 5}, []any{"一二三"}, "最大长度 5"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			one.field.Key, one.field.Label = "KEY", "某项"
			_, err := w.Create(t.Context(), civil, itemOf(one.field), licence.Making{Fields: map[string]any{"KEY": one.value}})
			fault := fieldError(t, "Create", err, "KEY")
			if !strings.HasPrefix(fault.Message, "某项（KEY）") || !strings.Contains(fault.Message, one.text) {
				t.Errorf("message %q, want the label, the key and %q", fault.Message, one.text)
			}
			if len(w.store.applied) != 0 {
				t.Error("a refused call wrote")
			}
		})
	}
}

func TestFieldErrorKeepsTheValueToItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "机密内容"
	for _, field := range []licence.Field{{Length: 2}, {Type: "date"}, {Type: "number"}, {Type: "image"}, {Type: "array"}, {Type: "boolean"}, {Role: "expiry_date"}} {
		field.Key = "K"
		_, err := w.Create(t.Context(), civil, itemOf(field), licence.Making{Fields: map[string]any{"K": secret}})
		fault := fieldError(t, "Create", err, "K")
		if strings.Contains(fault.Message, secret) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q, %q repeat the value", fault.Message, err)
		}
	}
}

func TestUnknownFieldTypeIsNoUserError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Create(t.Context(), civil, itemOf(licence.Field{Key: "K", Type: "blob"}), licence.Making{Fields: map[string]any{"K": "x"}})
	if _, ok := errors.AsType[*licence.FieldError](err); err == nil || ok {
		t.Errorf("Create = %v, want an error of the catalogue", err)
	}
}

// What the caller holds on to must not reach into a licence.
func TestFieldsAreCopied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inner := map[string]any{"a": "before"}
	m := licence.Making{Fields: map[string]any{"K": []any{inner}}}
	made, err := w.Create(t.Context(), civil, itemOf(licence.Field{Key: "K", Type: "array"}), m)
	if err != nil {
		t.Fatal(err)
	}
	inner["a"] = "after"
	if want := (map[string]any{"K": []any{map[string]any{"a": "before"}}}); !reflect.DeepEqual(made.Licence.Fields, want) {
		t.Errorf("Fields = %v, want %v", made.Licence.Fields, want)
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := alice[:6] + alice[8:17] // the number of 15 digits of the same person
	l := w.create(t, making("CZR", " 李大华　", "CYRSFZJHM", " "+old+" ", "POSFZJH", "１１０１０５*****", "JHZZH", " J（1） ")).Licence
	if l.HolderName != "李大华" || l.HolderIdentityNum != old || l.IDCode != "J（1）" {
		t.Errorf("attributes %q %q %q", l.HolderName, l.HolderIdentityNum, l.IDCode)
	}
	if want := []string{alice, "110105*****"}; !reflect.DeepEqual(l.HolderIdentityNums, want) {
		t.Errorf("HolderIdentityNums = %v, want %v", l.HolderIdentityNums, want)
	}
	l = w.create(t, making("POSFZJH", strings.ToLower(alice), "JHZZH", nil)).Licence
	if len(l.HolderIdentityNums) != 1 {
		t.Errorf("one number twice: %v", l.HolderIdentityNums)
	}
	made, err := w.Create(t.Context(), civil, itemOf(licence.Field{Key: "N", Type: "integer", Role: "id_code"}), licence.Making{Fields: map[string]any{"N": json.Number("42")}})
	if err != nil || made.Licence.IDCode != "42" || made.Licence.HolderIdentityNum != "" || made.Licence.HolderIdentityNums != nil {
		t.Errorf("id_code of a number: %+v, %v", made.Licence, err)
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name                       string
		validity                   string
		issue, begin, expiry       any
		wantIssue, wantEnd, fault  string
		refusedAtCreate, badConfig bool
	}{
		{name: "nothing given, unlimited", validity: "长期", wantIssue: "2026-03-05"},
		{name: "nothing given, no validity", validity: "", wantIssue: "2026-03-05"},
		{name: "years from today", validity: "5年", wantIssue: "2026-03-05", wantEnd: "2031-03-04"},
		{name: "months from issue", validity: "18个月", issue: "2020-02-14", wantIssue: "2020-02-14", wantEnd: "2021-08-13"},
		{name: "days from begin", validity: "90天", issue: "2020-02-14", begin: "2020-03-01", wantIssue: "2020-02-14", wantEnd: "2020-05-29"},
		{name: "expiry given", validity: "5年", expiry: "2026-3-5", wantIssue: "2026-03-05", wantEnd: "2026-03-05"},
		{name: "expiry given as unlimited", validity: "5年", expiry: "长期", wantIssue: "2026-03-05"},
		{name: "expiry blank", validity: "1年", expiry: " ", wantIssue: "2026-03-05", wantEnd: "2027-03-04"},
		{name: "from a leap day", validity: "1年", issue: "2024-02-29", wantIssue: "2024-02-29", wantEnd: "2025-02-28"},
		{name: "ends before it begins", validity: "长期", begin: "2026-05-01", expiry: "2026-04-30", fault: "YXQJSRQ", refusedAtCreate: true},
		{name: "ends before it is issued", validity: "长期", issue: "2026-05-01", expiry: "2026-04-30", fault: "YXQJSRQ", refusedAtCreate: true},
		{name: "begins before it is issued", validity: "长期", issue: "2026-05-01", begin: "2026-01-01", expiry: "2026-04-30", wantIssue: "2026-05-01", wantEnd: "2026-04-30"},
		{name: "ended before it is signed", validity: "长期", expiry: "2026-03-04", fault: "YXQJSRQ"},
		{name: "validity unreadable", validity: "五年", badConfig: true},
		{name: "validity endless", validity: "9999年", badConfig: true},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			item := marriage(validFor(one.validity))
			m := making("FZRQ", one.issue, "YXQQSRQ", one.begin, "YXQJSRQ", one.expiry)
			created, createErr := w.Create(t.Context(), civil, item, clone(m))
			m.Fields["JHZZH"] = "J-issued"
			issued, issueErr := w.Issue(t.Context(), civil, item, m)
			switch {
			case one.badConfig:
				if _, ok := errors.AsType[*licence.FieldError](issueErr); issueErr == nil || ok {
					t.Errorf("Issue = %v, want an error of the catalogue", issueErr)
				}
				return
			case one.fault != "":
				fieldError(t, "Issue", issueErr, one.fault)
				if one.refusedAtCreate {
					fieldError(t, "Create", createErr, one.fault)
					return
				}
				_, err := w.Sign(t.Context(), civil, item, at(created.Licence.Code))
				fieldError(t, "Sign", err, one.fault)
				return
			case createErr != nil || issueErr != nil:
				t.Fatal(createErr, issueErr)
			}
			signed, err := w.Sign(t.Context(), civil, item, at(created.Licence.Code))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range []*licence.Licence{signed, issued.Licence} {
				if l.IssueDate != one.wantIssue || l.ExpiryDate != one.wantEnd {
					t.Errorf("issued %q, ends %q; want %q, %q", l.IssueDate, l.ExpiryDate, one.wantIssue, one.wantEnd)
				}
			}
		})
	}
}

// FuzzDataFields: whatever is sent, it is kept clean or refused by name.
func FuzzDataFields(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"CZR":"李大华","CYRSFZJHM":"110105*****","FZRQ":"2020-5-22","ZP":""}`,
		`{"CZR":"甲","CYRSFZJHM":"1","ZP":{"file_suffix":"png","file_data":"iVBORw0KGgo="}}`,
		`{"CZR":"甲","CYRSFZJHM":"1","O":{"a":[1,2,{"b":null}]},"A":[true,1e9,"x"],"N":-1.5,"I":7,"B":false}`,
		`{"CZR":"\u0000","CYRSFZJHM":{},"YXQJSRQ":"长期","YXQQSRQ":"9999-12-31"}`,
	} {
		f.Add([]byte(seed))
	}
	item := marriage(validFor("18个月"), func(i *licence.Item) {
		i.Fields = append(i.Fields, licence.Field{Key: "O", Type: "object"}, licence.Field{Key: "A", Type: "array"},
			licence.Field{Key: "N", Type: "number"}, licence.Field{Key: "I", Type: "integer"}, licence.Field{Key: "B", Type: "boolean"})
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		var fields map[string]any
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.UseNumber()
		if d.Decode(&fields) != nil {
			return
		}
		w := newWorld(t)
		made, err := w.Issue(t.Context(), civil, item, licence.Making{Fields: fields})
		if err != nil {
			fault, ok := errors.AsType[*licence.FieldError](err)
			if !ok || !utf8.ValidString(fault.Message) {
				t.Fatalf("Issue = %v, want a FieldError", err)
			}
			return
		}
		l := made.Licence
		if l.HolderName == "" || l.HolderIdentityNum == "" {
			t.Errorf("issued without what is required: %+v", l)
		}
		if l.ExpiryDate != "" && l.ExpiryDate < l.IssueDate && l.BeginDate == "" {
			t.Errorf("ends %s, issued %s", l.ExpiryDate, l.IssueDate)
		}
		if got := w.load(t, l.Code); !reflect.DeepEqual(got, l) {
			t.Errorf("kept\n     %+v\nmade %+v", got, l)
		}
	})
}
