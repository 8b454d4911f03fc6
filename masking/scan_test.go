package masking

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// TestScannerIsAsStrictAsJsontext puts every short thing into every place where it could be taken for something else.
func TestScannerIsAsStrictAsJsontext(t *testing.T) {
	t.Parallel()
	parts := []string{
		"", " ", "{", "}", "[", "]", ":", ",", `"`, `"a"`, `"a":`, `"\`, `\u12`, "0", "-", "-0", "01", "1.", "1.5", ".5", "1e", "1e+", "1E-2", "+1", "true", "tru", "True",
		"null", "nul", "falsee", "false", "\u00e9", "\"\xc3\"", "\"\x1f\"", `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ude00"`, `"\ud83d\ud83d"`, `"\ude00\ude00"`, `"\x"`, `"\u00g0"`,
		"\"\xed\xa0\x80\"", "\"\xe0\x80\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf0\x9f\x98\x80\"", "\"\xef\xbf\xbf\"", "\"中文字\"", "\"中文\xe4\xb8\"", "\"\x7f\"", "\x00", "\xff", "/**/", "'a'", "NaN", "\v",
	}
	for _, a := range parts {
		for _, b := range parts {
			for _, form := range []string{"%s%s", `[%s,%s]`, `{"a":%s%s}`, `{"k":1,%s:%s}`, `[[%s]%s]`, "\n%s\r\n\t%s "} {
				text := fmt.Sprintf(form, a, b)
				var whole bytes.Buffer
				err := testPlan().JSON(&whole, strings.NewReader(text))
				if want := jsontext.Value(text).IsValid(); (err == nil) != want {
					t.Fatalf("%q: %v, jsontext says %v", text, err, want)
				}
				for _, step := range []int{1, 2, 5} {
					var pieces bytes.Buffer
					if again := inPieces(testPlan(), &pieces, text, step); (again == nil) != (err == nil) || err == nil && pieces.String() != whole.String() {
						t.Fatalf("%q in pieces of %d: %v, %q", text, step, again, pieces.String())
					}
				}
			}
		}
	}
}

func TestEveryCharacter(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= 0x10FFFF; r += 1 + r/3000 {
		text := `["` + string(r) + `"]`
		var out bytes.Buffer
		err := (&Plan{}).JSON(&out, strings.NewReader(text))
		if want := jsontext.Value(text).IsValid(); (err == nil) != want || want && out.String() != text {
			t.Fatalf("%U: %v", r, err)
		}
	}
	// Three bytes of every kind, among Chinese.
	for lead := 0xE0; lead <= 0xEF; lead++ {
		for next := 0x70; next <= 0xD0; next++ {
			for _, last := range []byte{0x7F, 0x80, 0xBF, 0xC0} {
				text := "[\"中文" + string([]byte{byte(lead), byte(next), last}) + "中文字符\"]"
				if err := (&Plan{}).JSON(io.Discard, strings.NewReader(text)); (err == nil) != jsontext.Value(text).IsValid() {
					t.Fatalf("%q: %v", text, err)
				}
			}
		}
	}
}

func TestQuoting(t *testing.T) {
	t.Parallel()
	for r := rune(0); r < 0x2100; r++ {
		if r >= 0xD800 && r <= 0xDFFF {
			continue
		}
		text := "a" + string(r) + "b"
		want, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendQuoted(nil, []byte(text)); string(got) != string(want) {
			t.Errorf("%q is quoted as %s, want %s", text, got, want)
		}
	}
	for _, quoted := range []string{`"\"\\\/\b\f\n\r\t"`, `"\u4e2d\u6587\ud83d\ude00\u0000"`, `"中\u00e9x"`} {
		want, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendUnquoted(nil, []byte(quoted[1:len(quoted)-1])); string(got) != string(want) {
			t.Errorf("%s says %q, want %q", quoted, got, want)
		}
	}
}

func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	check := func(text string, duplicate bool) {
		t.Helper()
		for _, step := range []int{len(text) + 1, 61} {
			err := inPieces(testPlan(), io.Discard, text, step)
			if duplicate && (err == nil || !strings.Contains(err.Error(), "duplicate")) || !duplicate && err != nil {
				t.Errorf("%.60s…: %v, want a duplicate: %v", text, err, duplicate)
			}
		}
	}
	names := func(n int, at, again string) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"name_%d_%s":1`, i, strings.Repeat("x", i%23)))
		}
		list = append(list, at+":2")
		for i := range n {
			list = append(list, fmt.Sprintf(`"more_%d":1`, i))
		}
		return "{" + strings.Join(append(list, again+":3"), ",") + "}"
	}
	for _, n := range []int{0, 1, 7, few - 1, few, few + 1, 40, 1000} {
		check(names(n, `"a"`, `"b"`), false)
		check(names(n, `"a"`, `"a"`), true)
		check(names(n, `"a"`, `"\u0061"`), true)
		check(names(n, `"a"`, `"A"`), false)
		check(names(n, `""`, `""`), true)
		check(names(n, `"姓名"`, `"姓名"`), true)
		check(names(n, `"exactly_16_bytes"`, `"exactly_16_bytes"`), true)
		check(names(n, `"exactly_16_bytes"`, `"exactly_16_byteS"`), false)
		check(names(n, `"same head, same tail, not the same in between"`, `"same head, same tail, NOT the same in between"`), false)
		check(names(n, `"same head, same tail, not the same in between"`, `"same head, same tail, not the same in between"`), true)
		// What a bad text in a string names is nobody's.
		check(names(n, `"text":"{\"b\":1,\"b\":2}","z"`, `"b"`), false)
		check(names(n, `"text":"{\"b\":1,\"b\":2}","b"`, `"b"`), true)
		// The same names in objects beside, around and within.
		one := names(n, `"a"`, `"b"`)
		check("["+one+","+one+"]", false)
		check(`{"z":`+one+`,"y":{"x":`+one+`,"w":`+one+`}}`, false)
		check(`{"z":`+one+`,"y":`+one+`,"z":1}`, true)
		inner, held := names(n, `"a"`, `"a"`), names(n, `"c"`, `"d"`)
		quoted, err := jsontext.AppendQuote(nil, inner)
		if err != nil {
			t.Fatal(err)
		}
		// A bad text in a string leaves the names around it as they were.
		check(strings.Replace(one, `"b":3`, `"text":`+string(quoted)+`,"o":`+held+`,"b":3`, 1), false)
		check(strings.Replace(one, `"b":3`, `"text":`+string(quoted)+`,"o":`+held+`,"a":3`, 1), true)
	}
}

// TestNamesAreForgotten walks random trees of large objects, whose names are the same.
func TestNamesAreForgotten(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	var tree func(depth int) string
	tree = func(depth int) string {
		var members []string
		for i := range random.IntN(3 * few) {
			value := "1"
			if depth < 4 && random.IntN(40) == 0 {
				value = tree(depth + 1)
			}
			members = append(members, fmt.Sprintf(`"k%d":%s`, i, value))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	for range 50 {
		text := tree(0)
		if err := testPlan().JSON(io.Discard, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if at := strings.LastIndex(text, "}"); at > 10 {
			again := text[:at] + `,"k0":1}`
			if err := testPlan().JSON(io.Discard, strings.NewReader(again)); !errors.Is(err, ErrWithheld) {
				t.Fatalf("a duplicate passed: %v", err)
			}
		}
	}
}
