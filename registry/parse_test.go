package registry

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestParseContract(t *testing.T) {
	t.Parallel()
	policy := ""
	want := &Platform{
		Departments: []Department{{Code: "11110000000021135M", Name: "北京市民政局", Division: "北京市", DivisionCode: "110000"}},
		Items: []Item{{
			LicenseItemCode: "305018201", Name: "内地居民婚姻登记证", Department: "11110000000021135M", Status: "PUBLISH", IsOpen: true,
			HolderType: "person", Validity: "长期", LicenseGroups: []string{"1"},
			Fields: []Field{
				{Key: "CZR", Label: "持证人", Type: "string", Required: true, Sensitive: "name", Role: "holder_name"},
				{Key: "CYRSFZJHM", Label: "身份证件号码", Type: "string", Required: true, Sensitive: "identity_number", Role: "holder_identity_num"},
				{Key: "JHZZH", Label: "结婚证字号", Type: "string", Role: "id_code"},
				{Key: "FZRQ", Label: "发证日期", Type: "date", Role: "issue_date"},
			},
		}},
		ServiceItems: []ServiceItem{{Code: "110103MZ001", Name: "婚姻登记", Department: "11110000000021135M", Items: []string{"305018201"}}},
		Applications: []Application{{
			AppKey: "hydj", Name: "婚姻登记系统", Department: "11110000000021135M", Secret: "Zk4-vN8s_Qw2.xR7",
			IPAllow: []string{"127.0.0.0/8"}, Rate: Rate{PerSecond: 200},
			Grants: []Grant{{
				Items: []string{"305018201"}, Needs: []string{"issue", "abolish", "function_call", "archive", "web_view"},
				ServiceItems: []string{"110103MZ001"},
			}},
		}},
		Accounts: []Account{{
			Account: "110000_zhangbin", Name: "张彬", IdentityNum: "11010519491231002X", Department: "11110000000021135M",
			Password: "Mima-2024-xy", Roles: []string{"issuer", "user"},
		}},
		Policy: &policy,
	}
	got := load(t, "contract.yaml")
	if err := Check(got); err != nil {
		t.Fatalf("Check: %v", err)
	}
	if line := got.Line("items[0].fields[3].role"); line != 7 {
		t.Errorf("Line = %d, want 7", line)
	}
	if line := got.Line("applications[0].no_such"); line != 10 {
		t.Errorf("Line of a missing member = %d, want that of its object, 10", line)
	}
	got.file = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}

	without := load(t, "contract_without_secrets.yaml")
	if err := Check(without); err != nil {
		t.Fatalf("Check: %v", err)
	}
	if !reflect.DeepEqual(bare(without), bare(want)) {
		t.Errorf("without secrets: got %+v", without)
	}
	if without.Applications[0].Secret != "" || without.Accounts[0].Password != "" || without.Accounts[0].IdentityNum != "" {
		t.Error("a secret out of nothing")
	}
}

// Codes keep the digits of the file, whatever YAML makes of them; what is left out has its default.
func TestParseEverything(t *testing.T) {
	t.Parallel()
	p := load(t, "everything.yaml")
	if err := Check(p); err != nil {
		t.Fatalf("Check: %v", err)
	}
	item := p.Items[0]
	item.Fields = nil
	want := Item{
		LicenseItemCode: "305018201", Name: "婚姻登记证", ShortName: "结婚证", Department: "11110000000021135M", Status: "CANCEL",
		HolderType: "both", Type: "010", Version: "1.10", PublishDate: "2020-02-29", Description: "第一行\n第二行\n",
		Validity: "18个月", LicenseGroups: []string{"1", "副本"}, SealCode: "0x1F",
		Faces: []Face{
			{Template: "marriage"},
			{
				Group: "副本", Declaration: "# a face of its own\nface: 1\npages:\n  - {size: A4}\n",
				Assets: []Asset{{"2.png", []byte("\x89PNG\r\n\x1a\n")}, {"bg.png", []byte("\x89PNG\r\n\x1a\n")}},
			},
		},
	}
	if !reflect.DeepEqual(item, want) {
		t.Errorf("item = %+v\nwant %+v", item, want)
	}
	wantFields := []Field{
		{Key: "CZR", Label: "持证人", Type: "string"},
		{Key: "ZP", Label: "照片", Type: "image", Length: 40, Hidden: true, Sensitive: "photo", Role: "photo"},
	}
	if !reflect.DeepEqual(p.Items[0].Fields, wantFields) {
		t.Errorf("fields = %+v\nwant %+v", p.Items[0].Fields, wantFields)
	}
	if got := p.Items[1]; got.LicenseItemCode != "12345E678" || got.Status != "PUBLISH" || !got.IsOpen {
		t.Errorf("second item = %+v", got)
	}
	if got := p.Departments[1].DivisionCode; got != "110101001000" {
		t.Errorf("division_code = %q", got)
	}
	if got := p.Applications[0]; got.AppKey != "10086" || got.Rate != (Rate{5, 100}) || !got.Disabled {
		t.Errorf("application = %+v", got)
	}
	if got := p.Applications[0].Grants[1]; !reflect.DeepEqual(got.ServiceItems, []string{"0012", "1_000"}) || got.Form != "2024-0012" {
		t.Errorf("grant = %+v", got)
	}
}

// A nil section is left as it is by apply, an empty one removes everything: they must not be taken for each other.
func TestParseSections(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]Platform{
		"{}":                 {},
		"departments: []":    {Departments: []Department{}},
		"items: []\n":        {Items: []Item{}},
		"service_items: []":  {ServiceItems: []ServiceItem{}},
		"applications: []":   {Applications: []Application{}},
		"accounts: []":       {Accounts: []Account{}},
		"administrators: []": {Administrators: []Administrator{}},
		"masking: [{sensitive: identity_number, show: 1+2}]": {Masking: []MaskRule{{"identity_number", "1+2"}}},
		`policy: ""`:      {Policy: new(string)},
		"\ufeffitems: []": {Items: []Item{}}, // as some editors on Windows begin a file
	} {
		got := parse(t, file)
		got.file = nil
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%q: got %+v", file, got)
		}
	}
}

func TestParseRefusesBytes(t *testing.T) {
	t.Parallel()
	gbk, err := os.ReadFile("testdata/gbk.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		file []byte
		want Problem
	}{
		{"GBK", gbk, Problem{Line: 3, Message: "文件不是 UTF-8 编码，请另存为 UTF-8 后重试"}},
		{"UTF-16", []byte("\xff\xfei\x00t\x00"), Problem{Line: 1, Message: "文件不是 UTF-8 编码，请另存为 UTF-8 后重试"}},
		{
			"too large",
			[]byte("policy: " + strings.Repeat("x", platformFile.largest)),
			Problem{Message: "文件超过 16 MiB，请按部分（departments、items、…）拆成几个文件分别应用"},
		},
		{
			"too many values",
			[]byte("items: [" + strings.Repeat("x,", mostMarks) + "]"),
			Problem{Message: "文件里的值过多，请按部分（departments、items、…）拆成几个文件分别应用"},
		},
		{"control character", []byte("policy: |\n  # \x01\n"), Problem{Line: 2, Message: "YAML 写法有误：文件里有控制字符，请删去"}},
		{"nesting", []byte("items: " + strings.Repeat("[", 20000)), Problem{Line: 1, Message: "YAML 写法有误：嵌套过深，请检查括号和缩进"}},
	} {
		_, err := Parse(test.file)
		var got Problems
		if !errors.As(err, &got) || len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	large := []byte("policy: " + strings.Repeat("x", platformFile.largest-len("policy: ")))
	if _, err := Parse(large); err != nil {
		t.Errorf("a file of just the limit: %v", err)
	}
}

// A file that is wrong throughout is told about once, not endlessly.
func TestParseStopsTelling(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"- {name: 单位}\n", "- 单位\n"} {
		_, err := Parse([]byte("departments:\n" + strings.Repeat(line, 250)))
		var got Problems
		if !errors.As(err, &got) || len(got) != mostProblems+1 {
			t.Fatalf("%q: %d problems", line, len(got))
		}
		if got[0].Line != 2 || got[99].Line != 101 || got[100] != (Problem{Message: "还有更多错误未列出，请先改正以上各处"}) {
			t.Errorf("%q: first %v, hundredth %v, last %v", line, got[0], got[99], got[100])
		}
	}
}

// A platform that is of no file is checked as strictly; its faults have no line.
func TestCheckWithoutFile(t *testing.T) {
	t.Parallel()
	p := load(t, "contract.yaml")
	p.file = nil
	p.Items[0].Fields[1].Length = -1
	p.Applications[0].Rate = Rate{-1, -1}
	p.Accounts[0].Name = "\xff"
	const want = `items[0].fields[1].length：不能是负数
applications[0].rate.per_second：不能是负数
applications[0].rate.per_minute：不能是负数
accounts[0].name：有控制字符或不可见字符，请删去`
	if err := Check(p); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if _, err := Render(p); err == nil {
		t.Error("what is not UTF-8 was written as YAML")
	}
	if line := p.Line("items[0]"); line != 0 {
		t.Errorf("line %d of no file", line)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	p := load(t, "everything.yaml")
	for path, want := range map[string]int{
		"departments": 3, "departments[1].code": 4, "departments[2]": 3, "departments[x]": 3, "departments.code": 3, "items[0].fields[1].role": 27,
		"items[0].name[3]": 10, "policy": 59, "no_such": 0, "": 0, ".": 0, "[": 0,
	} {
		if got := p.Line(path); got != want {
			t.Errorf("Line(%q) = %d, want %d", path, got, want)
		}
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	all := Problems{
		{Line: 12, Path: "items[0].fields[2].sensitive", Message: "甲"},
		{Line: 3, Message: "乙"},
		{Path: "accounts[x].roles[0]", Message: "丙"},
		{Message: "丁"},
	}
	const want = "第 12 行 items[0].fields[2].sensitive：甲\n第 3 行：乙\naccounts[x].roles[0]：丙\n丁"
	if got := all.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"name", "type", "role", "sensitive", "license_item_code"}
	for word, want := range map[string]string{
		"nmae": "name", "Name": "name", "names": "name", "tpye": "type", "sensitiv": "sensitive", "licence_item_code": "license_item_code",
		"password": "", "x": "", "": "", strings.Repeat("name", 100): "", "nanana": "",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
