package masking

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
)

func maskJSON(t testing.TB, p *Plan, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := p.JSON(&out, strings.NewReader(text)); err != nil {
		t.Fatalf("JSON(%s): %v", text, err)
	}
	return out.String()
}

func TestPlanJSON(t *testing.T) {
	t.Parallel()
	picture := `{"file_suffix":"png","file_data":"` + placeholder() + `"}`
	for _, test := range []struct{ name, text, want string }{
		{"member", `{"CZR":"张三","FZRQ":"2020-05-22"}`, `{"CZR":"张**","FZRQ":"2020-05-22"}`},
		{"anywhere", `[{"a":{"b":[{"CYRSFZJHM":"` + identity18 + `"}]}}]`, `[{"a":{"b":[{"CYRSFZJHM":"110105********"}]}}]`},
		{"escaped key", `{"\u0043ZR":"张三"}`, `{"\u0043ZR":"张**"}`},
		{"escaped value", `{"CZR":"\u5f20\u4e09"}`, `{"CZR":"张**"}`},
		{"key of an array is no key", `["CZR","张三"]`, `["CZR","张三"]`},
		{"clear", `{"DZ":"北京市朝阳区建国路1号"}`, `{"DZ":"北京市朝阳区建国路1号"}`},
		{"number hidden", `{"SJ":13812345678}`, `{"SJ":"138****5678"}`},
		{"boolean hidden, null not, empty not", `{"BZ":true,"CZR":null,"SJ":""}`, `{"BZ":"****","CZR":null,"SJ":""}`},
		{"unknown kind", `{"X":"abc"}`, `{"X":"****"}`},
		{"literal numbers", `{"n":[1.50,-0,1E400,9007199254740993]}`, `{"n":[1.50,-0,1E400,9007199254740993]}`},
		{"blanks go", " { \"a\" : [ 1 , true ] }\r\n", `{"a":[1,true]}`},
		{"inside a hidden object", `{"BZ":{"a":"x","b":[1,null,"",{"c":false}]}}`, `{"BZ":{"a":"****","b":["****",null,"",{"c":"****"}]}}`},
		{"inside a hidden array no prefix shows", `{"CYRSFZJHM":["` + identity18 + `"]}`, `{"CYRSFZJHM":["****"]}`},
		{"picture", `{"ZP":{"file_suffix":"jpg","file_data":"c2VjcmV0"}}`, `{"ZP":` + picture + `}`},
		{"pictures", `{"ZP":[{"file_suffix":"jpg","file_data":"c2VjcmV0"},"c2VjcmV0"]}`, `{"ZP":[` + picture + `,""]}`},
		{"picture as text", `{"ZP":"c2VjcmV0"}`, `{"ZP":""}`},
		{"picture not hidden", `{"QZ":{"file_suffix":"jpg","file_data":"cHVibGlj"}}`, `{"QZ":{"file_suffix":"jpg","file_data":"cHVibGlj"}}`},
		{"JSON in a string", `{"data_fields":"{\"CZR\":\"张三\",\"n\":1.0}"}`, `{"data_fields":"{\"CZR\":\"张**\",\"n\":1.0}"}`},
		{"JSON in a string twice", `{"a":"[\"{\\\"CZR\\\":\\\"张三\\\"}\"]"}`, `{"a":"[\"{\\\"CZR\\\":\\\"张**\\\"}\"]"}`},
		{"string in a string", `{"a":"\"{\\\"CZR\\\":\\\"张三\\\"}\""}`, `{"a":"\"{\\\"CZR\\\":\\\"张**\\\"}\""}`},
		{"JSON in a string, nothing hidden", `{"a":"{ \"n\" : 1 }"}`, `{"a":"{ \"n\" : 1 }"}`},
		{"JSON in a string behind a BOM", `{"a":"\ufeff{\"CZR\":\"张三\"}"}`, `{"a":"{\"CZR\":\"张**\"}"}`},
		{"the text is a string", `"{\"CZR\":\"张三\"}"`, `"{\"CZR\":\"张**\"}"`},
		{"broken JSON in a string", `{"a":"{\"CZR\":\"张三\""}`, `{"a":"****"}`},
		{"duplicate keys in a string", `{"a":"{\"CZR\":\"张三\",\"CZR\":\"李四\"}"}`, `{"a":"****"}`},
		{"something like JSON in a string", `{"a":"{'CZR':'张三'}","b":"{CZR=张三}","c":"[{CZR:张三}]"}`, `{"a":"****","b":"****","c":"****"}`},
		{"plain text in brackets", `{"a":"[备注] 无","b":"{1}","c":"\"引用\"：无"}`, `{"a":"[备注] 无","b":"{1}","c":"\"引用\"：无"}`},
		{"scalars", ` "张三" `, `"张三"`},
		{"empty", `{}`, `{}`},
		{"deep as allowed", strings.Repeat("[", 32) + strings.Repeat("]", 32), strings.Repeat("[", 32) + strings.Repeat("]", 32)},
		{"string too deep", strings.Repeat("[", 32) + `"{\"CZR\":\"张三\"}"` + strings.Repeat("]", 32), strings.Repeat("[", 32) + `"****"` + strings.Repeat("]", 32)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := maskJSON(t, testPlan(), test.text)
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if again := maskJSON(t, testPlan(), got); again != got {
				t.Errorf("masked twice: %s", again)
			}
		})
	}
}

func TestPlanJSONWithholds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":             "",
		"blanks":              " \n",
		"cut off":             `{"CZR":"张三`,
		"cut off in an array": `[1,`,
		"no value":            `{"CZR":}`,
		"comma at the end":    `{"CZR":"张三",}`,
		"duplicate keys":      `{"CZR":"张三","CZR":"李四"}`,
		"duplicate, escaped":  `{"CZR":"张三","\u0043ZR":"李四"}`,
		"duplicate, deep":     `{"a":[{"b":1,"b":2}]}`,
		"invalid UTF-8":       "{\"CZR\":\"张\xff三\"}",
		"invalid UTF-8 key":   "{\"\xff\":1}",
		"lone surrogate":      `{"CZR":"\ud800"}`,
		"control character":   "{\"CZR\":\"\x01\"}",
		"BOM":                 "\ufeff{}",
		"trailing text":       `{"CZR":"张三"} 张三`,
		"second text":         `{}{}`,
		"comment":             `{/*张三*/}`,
		"single quotes":       `{'CZR':'张三'}`,
		"NaN":                 `{"n":NaN}`,
		"leading zero":        `{"n":01}`,
		"number key":          `{1:2}`,
		"too deep":            strings.Repeat("[", 33) + strings.Repeat("]", 33),
		"far too deep":        strings.Repeat(`{"a":`, 100000),
		"HTML":                `<html>张三</html>`,
	} {
		for _, plan := range []*Plan{testPlan(), {}} {
			err := plan.JSON(io.Discard, strings.NewReader(text))
			if !errors.Is(err, ErrWithheld) {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if message := err.Error(); strings.Contains(message, "张") || strings.Contains(message, "CZR") {
				t.Errorf("%s: the error quotes the body: %s", name, message)
			}
		}
	}
}

func TestPlanJSONErrorsOfStreams(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	err := testPlan().JSON(io.Discard, io.MultiReader(strings.NewReader(`{"CZR":"张三"`), iotest.ErrReader(broken)))
	if !errors.Is(err, ErrWithheld) || !errors.Is(err, broken) {
		t.Errorf("reader: %v", err)
	}
	big := `["` + strings.Repeat("a", 2*flushAt) + `",1]`
	if err := testPlan().JSON(failingWriter{broken}, strings.NewReader(big)); !errors.Is(err, broken) || errors.Is(err, ErrWithheld) {
		t.Errorf("writer: %v", err)
	}
	var out bytes.Buffer
	if err := testPlan().JSON(&out, iotest.OneByteReader(strings.NewReader(big))); err != nil || out.String() != big {
		t.Errorf("long text in short reads: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// reference masks slowly and in another way: jsontext says whether a text is JSON to us, encoding/json decodes it, and the tree is walked.
type reference struct {
	kinds map[string]Kind // by folded key
	clear []string
	paths map[string]Kind // by path, with folded names; $ is the whole
}

func referenceOf(p *Plan) *reference {
	r := &reference{kinds: map[string]Kind{}, clear: p.clear, paths: map[string]Kind{}}
	merge := func(m map[string]Kind, key string, kind Kind) {
		if old, given := m[key]; given && old != kind {
			kind = Text
		}
		m[key] = kind
	}
	for key, t := range p.hide {
		merge(r.kinds, strings.ToLower(key), t.kind)
	}
	for _, path := range p.listed {
		if !strings.HasPrefix(path[0], "$..") {
			merge(r.paths, strings.ToLower(path[0]), Kind(path[1]))
		}
	}
	return r
}

// strict reports whether text is JSON to us within depth containers.
func strict(text string, depth int) bool {
	if !jsontext.Value(text).IsValid() {
		return false
	}
	d := jsontext.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.ReadToken(); err != nil {
			return err == io.EOF
		}
		if d.StackDepth()+depth > 32 {
			return false
		}
	}
}

// document masks a whole text, or reports false when it is withheld.
func (r *reference) document(text string) (any, bool) {
	if !strict(text, 0) {
		return nil, false
	}
	value, err := decodeJSON(text)
	if err != nil {
		return nil, false
	}
	shown, _ := r.value(value, "", "$", 0)
	return shown, true
}

// value masks one value that stands under key at path; hit says that something was hidden.
func (r *reference) value(value any, kind Kind, path string, depth int) (shown any, hit bool) {
	if at, ok := r.paths[path]; ok {
		if kind != "" && kind != at {
			at = Text
		}
		kind = at
	}
	if kind != "" {
		return r.conceal(value, kind, false, "")
	}
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			folded := strings.ToLower(name)
			kind := r.kinds[folded]
			if slices.Contains(r.clear, name) {
				kind = ""
			}
			own := false
			out[name], own = r.value(member, kind, path+"."+folded, depth+1)
			hit = hit || own
		}
		return out, hit
	case []any:
		out := []any{}
		for _, element := range v {
			one, own := r.value(element, "", path+"[*]", depth+1)
			out, hit = append(out, one), hit || own
		}
		return out, hit
	case string:
		return r.text(v, path, depth)
	}
	return value, false
}

func (r *reference) text(value, path string, depth int) (any, bool) {
	held := strings.Trim(value, "\uFEFF \t\r\n")
	if len(r.kinds)+len(r.paths) == 0 || held == "" || !strings.Contains(`{["`, held[:1]) {
		return value, false
	}
	if strict(held, depth) {
		inner, err := decodeJSON(held)
		if err != nil {
			return "the reference does not decode what jsontext takes", true
		}
		shown, hit := r.value(inner, "", path, depth)
		if !hit {
			return value, false
		}
		return inJSON{held, shown}, true
	}
	if held[0] != '"' && strings.Contains(held, "{") && strings.ContainsAny(held, ":=") {
		return hidden, true
	}
	return value, false
}

// inJSON is JSON in a string that was masked: it is compared by what it says.
type inJSON struct {
	text  string
	shown any
}

func (r *reference) conceal(value any, kind Kind, inside bool, member string) (any, bool) {
	scalar := func(text string) string {
		switch {
		case text == "":
			return ""
		case !inside:
			return Mask(kind, text)
		case kind == Photo && member == "file_data":
			return placeholder()
		case kind == Photo && member == "file_suffix":
			return "png"
		case kind == Photo:
			return ""
		}
		return hidden
	}
	switch v := value.(type) {
	case nil:
		return nil, false
	case string:
		if kind == PublicNumber && !inside && Number(v) == v {
			return r.text(v, "nowhere", 0)
		}
		return scalar(v), true
	case json.Number:
		if kind == PublicNumber && !inside && Number(v.String()) == v.String() {
			return v, false
		}
		return scalar(v.String()), true
	case bool:
		if kind == PublicNumber && !inside {
			return v, false
		}
		return scalar(fmt.Sprint(v)), true
	case []any:
		out := []any{}
		for _, one := range v {
			shown, _ := r.conceal(one, kind, true, "")
			out = append(out, shown)
		}
		return out, true
	case map[string]any:
		out := map[string]any{}
		for name, one := range v {
			out[name], _ = r.conceal(one, kind, true, name)
		}
		return out, true
	}
	return hidden, true
}

// agrees compares what was masked with what the reference says.
func agrees(got, want any) bool {
	switch want := want.(type) {
	case inJSON:
		text, ok := got.(string)
		if !ok {
			return false
		}
		if text == want.text { // masked before
			inner, err := decodeJSON(text)
			return err == nil && agrees(inner, want.shown)
		}
		inner, err := decodeJSON(text)
		return err == nil && agrees(inner, want.shown)
	case map[string]any:
		o, ok := got.(map[string]any)
		if !ok || len(o) != len(want) {
			return false
		}
		for name := range want {
			if member, there := o[name]; !there || !agrees(member, want[name]) {
				return false
			}
		}
		return true
	case []any:
		l, ok := got.([]any)
		return ok && slices.EqualFunc(l, want, agrees)
	}
	return reflect.DeepEqual(got, want)
}

func decodeJSON(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("trailing data")
	}
	return value, nil
}

// sameShape reports whether b is a with nothing but scalars exchanged for strings.
func sameShape(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key := range a {
			if other, ok := b[key]; !ok || !sameShape(a[key], other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameShape(a[i], b[i]) {
				return false
			}
		}
		return true
	case nil:
		return b == nil
	}
	if _, text := b.(string); text {
		return true
	}
	return reflect.DeepEqual(a, b)
}

// checkJSON holds what JSON promises for one text against the reference.
func checkJSON(t *testing.T, p *Plan, text string) {
	t.Helper()
	var out bytes.Buffer
	err := p.JSON(&out, strings.NewReader(text))
	want, ok := referenceOf(p).document(text)
	if (err == nil) != ok {
		t.Fatalf("JSON(%q): %v; the reference takes it: %v", text, err, ok)
	}
	for _, step := range []int{1, 3, 17} {
		var pieces bytes.Buffer
		if again := inPieces(p, &pieces, text, step); (again == nil) != ok || ok && pieces.String() != out.String() {
			t.Fatalf("JSON(%q) = %q, in pieces of %d %q, %v", text, out.String(), step, pieces.String(), again)
		} else if !ok && jsontext.Value(pieces.Bytes()).IsValid() {
			t.Fatalf("JSON(%q) in pieces of %d let JSON leave: %q", text, step, pieces.String())
		}
	}
	if err != nil {
		if !errors.Is(err, ErrWithheld) {
			t.Fatalf("JSON(%q): %v", text, err)
		}
		return
	}
	got, err := decodeJSON(out.String())
	if err != nil || !strict(out.String(), 0) {
		t.Fatalf("JSON(%q) = %q: %v", text, out.String(), err)
	}
	if !agrees(got, want) {
		t.Errorf("JSON(%q) = %q, the reference says %v", text, out.String(), want)
	}
	original, err := decodeJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if !sameShape(original, got) {
		t.Errorf("JSON(%q) = %q: another structure", text, out.String())
	}
	var again bytes.Buffer
	if err := p.JSON(&again, bytes.NewReader(out.Bytes())); err != nil || again.String() != out.String() {
		t.Errorf("JSON(%q) = %q, again %q, %v", text, out.String(), again.String(), err)
	}
}

// inPieces masks a text that comes in pieces of step bytes.
func inPieces(p *Plan, w io.Writer, text string, step int) error {
	s := p.Stream(w, 0)
	defer s.Release()
	for rest := text; rest != ""; {
		n := min(step, len(rest))
		if _, err := s.Write([]byte(rest[:n])); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return s.Close()
}

// TestNoSensitiveTokenSurvives plants secrets of every kind in random shapes and looks for them in what leaves.
func TestNoSensitiveTokenSurvives(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	p := NewPlan([]Field{{"n", Name}, {"i", IdentityNumber}, {"t", Text}, {"p", Photo}, {"x", "unknown"}}, nil)
	keys := []string{"n", "i", "t", "p", "x"}
	for round := range 2000 {
		var secrets []string
		secret := func() string {
			s := fmt.Sprintf("秘密%08d", random.IntN(1e8))
			secrets = append(secrets, s)
			return s
		}
		var hiddenValue, openValue func(depth int) any
		hiddenValue = func(depth int) any {
			switch n := random.IntN(6); {
			case n == 0 && depth < 4:
				return []any{hiddenValue(depth + 1), hiddenValue(depth + 1)}
			case n == 1 && depth < 4:
				return map[string]any{"file_suffix": secret(), "file_data": secret(), "in": hiddenValue(depth + 1)}
			case n == 2:
				return nil
			case n == 3:
				id := newIdentity(random)
				secrets = append(secrets, id)
				return id
			}
			return secret()
		}
		openValue = func(depth int) any {
			switch n := random.IntN(6); {
			case n == 0 && depth < 4:
				return []any{openValue(depth + 1), openValue(depth + 1)}
			case n <= 2 && depth < 4:
				return map[string]any{"open": openValue(depth + 1), keys[random.IntN(len(keys))]: hiddenValue(0)}
			case n == 3 && depth < 4:
				text, err := json.Marshal(openValue(depth + 1))
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			return random.IntN(1000)
		}
		text, err := json.Marshal(map[string]any{"a": openValue(0), "n": hiddenValue(0)})
		if err != nil {
			t.Fatal(err)
		}
		masked := maskJSON(t, p, string(text))
		for _, s := range secrets {
			if strings.Contains(masked, s) {
				t.Fatalf("round %d: %s survives in %s", round, s, masked)
			}
		}
		checkJSON(t, p, string(text))
	}
}

// FuzzPlanJSON holds JSON against the slow reference: valid in, valid out, equal structure, idempotent.
func FuzzPlanJSON(f *testing.F) {
	for _, text := range []string{
		`{"CZR":"张三","CYRSFZJHM":"` + identity18 + `","n":[1.50,-0,1e400,null,true]}`,
		`{"data_fields":"{\"CZR\":\"张三\"}","ZP":{"file_suffix":"jpg","file_data":"eA=="}}`,
		`{"a":"{'CZR':'张三'}","b":"[1]","c":"\"{}\"","SJ":13812345678,"BZ":[{"x":1},"",null]}`,
		`{"CZR":"a","CZR":"b"}`, `"\ud800"`, `[[[[]]]] 1`, "\ufeff{}", `{"\u0043ZR":{"BZ":"\u0000"}}`, `{"X":"\\{"}`,
	} {
		f.Add(text)
	}
	plans := []*Plan{testPlan(), pathPlan(f), {}}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range plans {
			checkJSON(t, p, text)
		}
	})
}
