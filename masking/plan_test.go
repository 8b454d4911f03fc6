package masking

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

func testPlan() *Plan {
	return NewPlan([]Field{
		{"CZR", Name}, {"CYRSFZJHM", IdentityNumber}, {"SJ", Phone}, {"ZP", Photo}, {"BZ", Text}, {"X", "fingerprint"}, {"DZ", Address},
	}, []string{"DZ", "unknown"})
}

func TestPlanKeys(t *testing.T) {
	t.Parallel()
	p := testPlan()
	if got, want := p.Masked(), []string{"BZ", "CYRSFZJHM", "CZR", "SJ", "X", "ZP"}; !slices.Equal(got, want) {
		t.Errorf("Masked() = %v, want %v", got, want)
	}
	if got, want := p.ClearKeys(), []string{"DZ"}; !slices.Equal(got, want) {
		t.Errorf("ClearKeys() = %v, want %v", got, want)
	}
	p.ClearKeys()[0] = "CZR"
	if got := p.ClearKeys(); got[0] != "DZ" {
		t.Errorf("a caller changed the plan: %v", got)
	}
}

func TestPlanCanonicalIsFrozen(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]*Plan{
		`{"v":1,"hide":[["BZ","text"],["CYRSFZJHM","identity_number"],["CZR","name"],["SJ","phone"],["X","fingerprint"],["ZP","photo"]],"clear":["DZ"]}`: testPlan(),
		`{"v":1,"hide":[],"clear":[]}`:             NewPlan(nil, nil),
		`{"v":1,"hide":[],"clear":["A"]}`:          NewPlan([]Field{{"A", Name}, {"A", Phone}}, []string{"A"}),
		`{"v":1,"hide":[["A","text"]],"clear":[]}`: NewPlan([]Field{{"A", Name}, {"A", Phone}}, nil),
	} {
		if got := string(p.Canonical()); got != want {
			t.Errorf("Canonical() = %s, want %s", got, want)
		}
	}
}

func TestPlanObject(t *testing.T) {
	t.Parallel()
	fields := map[string]any{
		"CZR":  "欧阳娜",
		"SJ":   json.Number("13812345678"),
		"DZ":   "北京市朝阳区建国路1号",
		"FZRQ": "2020-05-22",
		"N":    json.Number("1.50"),
		"F":    float64(2),
		"I":    7,
		"B":    true,
		"Z":    nil,
		"BZ":   map[string]any{"a": "秘密", "b": []any{float64(1), nil, false, ""}},
		"ZP":   map[string]any{"file_suffix": "jpg", "file_data": "c2VjcmV0", "note": "秘密", "w": nil},
		"list": []any{map[string]any{"CYRSFZJHM": identity18, "ZP": "c2VjcmV0"}, "x"},
		"typed": []struct {
			CZR string
			N   int64
		}{{"张三", 9007199254740993}},
		"text": `{"CZR":"张三","n":1.0}`,
	}
	before, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"CZR":   "欧阳**",
		"SJ":    "138****5678",
		"DZ":    "北京市朝阳区建国路1号",
		"FZRQ":  "2020-05-22",
		"N":     json.Number("1.50"),
		"F":     float64(2),
		"I":     7,
		"B":     true,
		"Z":     nil,
		"BZ":    map[string]any{"a": "****", "b": []any{"****", nil, "****", ""}},
		"ZP":    map[string]any{"file_suffix": "png", "file_data": placeholder(), "note": "", "w": nil},
		"list":  []any{map[string]any{"CYRSFZJHM": "110105********", "ZP": ""}, "x"},
		"typed": []any{map[string]any{"CZR": "张**", "N": json.Number("9007199254740993")}},
		"text":  `{"CZR":"张**","n":1.0}`,
	}
	got := testPlan().Object(fields)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Object() = %v\nwant %v", got, want)
	}

	// A deep copy: nothing done to the result reaches the original.
	got["list"].([]any)[0].(map[string]any)["CYRSFZJHM"] = "changed"
	got["list"].([]any)[1] = "changed"
	got["BZ"].(map[string]any)["b"].([]any)[0] = "changed"
	if after, err := json.Marshal(fields); err != nil || string(after) != string(before) {
		t.Errorf("the original changed: %s, %v", after, err)
	}
	if testPlan().Object(nil) != nil {
		t.Error("nothing became something")
	}
}

func TestPlanObjectHiddenScalars(t *testing.T) {
	t.Parallel()
	p := NewPlan([]Field{{"v", Phone}}, nil)
	for _, test := range []struct{ value, want any }{
		{float64(13812345678), "138****5678"},
		{int64(13812345678), "138****5678"},
		{json.Number("1.3812345678e10"), "****"},
		{true, "****"},
		{"", ""},
		{nil, nil},
		{[]string{"13812345678"}, []any{"****"}},
		{make(chan int), "****"}, // no JSON: hidden, not passed
	} {
		if got := p.Object(map[string]any{"v": test.value})["v"]; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v became %v, want %v", test.value, got, test.want)
		}
	}
	if got := p.Object(map[string]any{"w": func() {}})["w"]; got != hidden {
		t.Errorf("a value that is no JSON became %v", got)
	}
}

func TestPlanObjectTooDeep(t *testing.T) {
	t.Parallel()
	var value any = map[string]any{"CZR": "张三"}
	for range deepest {
		value = map[string]any{"in": value}
	}
	text, err := json.Marshal(testPlan().Object(map[string]any{"in": value}))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains([]byte(string(text)), 0xE5) { // no Chinese character is left
		t.Errorf("shown beyond the limit: %s", text)
	}
}

func TestPlanHides(t *testing.T) {
	t.Parallel()
	p := NewPlan([]Field{{"CZR", Name}, {"SFZ", IdentityNumber}}, []string{"SFZ"})
	for key, want := range map[string]bool{"CZR": true, "SFZ": false, "czr": false, "BZ": false} {
		if p.Hides(key) != want {
			t.Errorf("Hides(%s) = %v", key, !want)
		}
	}
}
