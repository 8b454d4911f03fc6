package policy

import (
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":          {"", nil},
		"blanks, comments": {"\n  \t\n# p, x\n   # y\r\n", nil},
		"effect given":     {"p, app:a, D, I, create, *, deny", []string{"p, app:a, D, I, create, *, deny"}},
		"effect left out":  {"p,app:a,D,I,create,*", []string{"p, app:a, D, I, create, *, allow"}},
		"blanks":           {" p ,\tapp:a , D,I  ,create, * ", []string{"p, app:a, D, I, create, *, allow"}},
		"quotes":           {`"p","app:a" , "D",I,"create","*","deny"`, []string{"p, app:a, D, I, create, *, deny"}},
		"CRLF, BOM":        {"\ufeffp, app:a, D, I, create, *\r\ng3, D, E\r\n", []string{"p, app:a, D, I, create, *, allow", "g3, D, E"}},
		"order stays":      {"g3, Z, Y\ng3, B, A", []string{"g3, Z, Y", "g3, B, A"}},
		"blank in a name":  {"g, acct:li lei, role:user, D", []string{"g, acct:li lei, role:user, D"}},
		"Chinese":          {"g, acct:张三, role:窗口, D", []string{"g, acct:张三, role:窗口, D"}},
		"interface alone":  {"p, role:r, *, *, call:archive, S", []string{"p, role:r, *, *, call:archive, S, allow"}},
		"field":            {"p, svc:a, D, I#F, clear, *\ng2, I#F, I\ng2, I#F, group:g\ng2, I, group:g\ng2, group:g, group:h", []string{"p, svc:a, D, I#F, clear, *, allow", "g2, I#F, I", "g2, I#F, group:g", "g2, I, group:g", "g2, group:g, group:h"}},
		"deny for fields":  {"p, app:a, D, I#F, *, *, deny\np, app:a, D, *, clear, *, deny", []string{"p, app:a, D, I#F, *, *, deny", "p, app:a, D, *, clear, *, deny"}},
		"both effects":     {"p, app:a, D, I, create, *, allow\np, app:a, D, I, create, *, deny", []string{"p, app:a, D, I, create, *, allow", "p, app:a, D, I, create, *, deny"}},
	} {
		got, err := Parse(c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text         string
		line, column int
		says         string
	}{
		{"q, app:a, D, I, create, *", 1, 1, "行首应为"},
		{"\n  P, app:a, D, I, create, *", 2, 3, "行首应为"},
		{"p，app:a，D，I，create，*", 1, 1, "英文逗号"},
		{"p", 1, 1, "成员个数不对（现有 0 个"},
		{"p, app:a, D, I, create", 1, 1, "现有 4 个"},
		{"p, app:a, D, I, create, *, allow, x", 1, 1, "现有 7 个"},
		{"g, acct:a, role:b", 1, 1, "g, 主体, 角色, 部门"},
		{"g2, I, group:g, x", 1, 1, "g2, "},
		{"g3, D", 1, 1, "g3, "},
		{"p, hydj, D, I, create, *", 1, 4, "app:应用"},
		{"p, app:, D, I, create, *", 1, 4, "app:应用"},
		{"p, *, D, I, create, *", 1, 4, "app:应用"},
		{"p, app:*, D, I, create, *", 1, 4, "app:应用"},
		{"p, user:a, D, I, create, *", 1, 4, "app:应用"},
		{"p, app:a, , I, create, *", 1, 11, "部门"},
		{"p, app:a, D*, I, create, *", 1, 11, "部门"},
		{"p, app:a, D, , create, *", 1, 14, "证照目录"},
		{"p, app:a, D, 3050*, create, *", 1, 14, "证照目录"},
		{"p, app:a, D, group:, create, *", 1, 14, "证照目录"},
		{"p, app:a, D, group:*, create, *", 1, 14, "证照目录"},
		{"p, app:a, D, groups:g, create, *", 1, 14, "证照目录"},
		{"p, app:a, D, I#, clear, *", 1, 14, "证照目录"},
		{"p, app:a, D, #F, clear, *", 1, 14, "证照目录"},
		{"p, app:a, D, *#F, clear, *", 1, 14, "证照目录"},
		{"p, app:a, D, I#F#G, clear, *", 1, 14, "证照目录"},
		{"p, app:a, D, I, creat, *", 1, 17, "行为"},
		{"p, app:a, D, I, CREATE, *", 1, 17, "行为"},
		{"p, app:a, D, I, , *", 1, 17, "行为"},
		{"p, app:a, D, I, call:create, *", 1, 17, "行为"},
		{"p, app:a, D, I, login, *, deny", 1, 17, "不受策略控制"},
		{"p, app:a, D, I, list, *", 1, 17, "不受策略控制"},
		{"p, app:a, D, I, masked_view, *, deny", 1, 17, "没有作用"},
		{"p, app:a, D, I, create, ", 1, 25, "事项"},
		{"p, app:a, D, I, create, S*", 1, 25, "事项"},
		{"p, app:a, D, I, create, *, permit", 1, 28, "allow 或 deny"},
		{"p, app:a, D, I, create, *, allow # why", 1, 28, "allow 或 deny"},
		{"p, app:a, D, I, create, *, ", 1, 28, "allow 或 deny"},
		{"p, app:a, D, *, clear, *", 1, 14, "group:sensitive"},
		{"p, app:a, D, *, sensitive, *", 1, 14, "group:sensitive"},
		{"p, app:a, D, I#F, get_license, *", 1, 19, "字段只能"},
		{"p, app:a, D, I#F, create, *, deny", 1, 19, "字段只能"},
		{"p, app:a, D, I#F, *, *", 1, 19, "字段只能"},
		{"p, acct:a, D, I, org_admin, *", 1, 15, "org_admin"},
		{"g, svc:a, role:r, D", 1, 4, "担任角色"},
		{"g, a, role:r, D", 1, 4, "担任角色"},
		{"g, acct:a, r, D", 1, 12, "角色应写成"},
		{"g, acct:a, acct:b, D", 1, 12, "角色应写成"},
		{"g, acct:a, role:r, *", 1, 20, "写明部门"},
		{"g, role:r, role:r, D", 1, 12, "从属于自己"},
		{"g2, *, group:g", 1, 5, "目录编码"},
		{"g2, I, J", 1, 8, "group:分组"},
		{"g2, I#F, J", 1, 10, "group:分组"},
		{"g2, group:g, I", 1, 14, "group:分组"},
		{"g2, group:g, group:g", 1, 14, "从属于自己"},
		{"g3, *, D", 1, 5, "统一社会信用代码"},
		{"g3, D, *", 1, 8, "统一社会信用代码"},
		{"g3, D, D", 1, 8, "从属于自己"},
		{"g, acct:张三, role:r, ", 1, 21, "写明部门"},
		{`p, "app:a, D, I, create, *`, 1, 4, "引号没有配对"},
		{`p, "app:a"b, D, I, create, *`, 1, 11, "引号之后"},
		{`p, "app:a,b", D, I, create, *`, 1, 4, "app:应用"},
		{`p, "app:a""b", D, I, create, *`, 1, 4, "app:应用"},
		{"p, app:a\x01, D, I, create, *", 1, 4, "app:应用"},
		{"p, app:\xff, D, I, create, *", 1, 4, "app:应用"},
		{"p, app:a\u200b, D, I, create, *", 1, 4, "app:应用"},
		{"g3, D, E\n# c\np, app:a, D, I, create, *\n\n g3,D,E", 5, 1, "与第 1 行重复"},
	} {
		lines, err := Parse(c.text)
		var first *SyntaxError
		if !errors.As(err, &first) {
			t.Errorf("%q was taken: %q", c.text, lines)
			continue
		}
		if lines != nil || first.Line != c.line || first.Column != c.column || !strings.Contains(first.Message, c.says) {
			t.Errorf("%q: %d:%d %s", c.text, first.Line, first.Column, first.Message)
		}
	}
}

func TestParseNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := Parse("x\np, app:a, D, I, create, *\np, app:a, D, I, bad, *\ng3, D")
	var faults SyntaxErrors
	if !errors.As(err, &faults) || len(faults) != 3 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"策略第 1 行第 1 列：", "策略第 3 行第 17 列：", "策略第 4 行第 1 列："} {
		if got := strings.Split(err.Error(), "\n")[i]; !strings.HasPrefix(got, want) {
			t.Errorf("fault %d: %s", i, got)
		}
	}
	if faults[1].Error() != faults[1].Message || !errors.Is(err, faults[2]) {
		t.Error("the faults cannot be reached")
	}
}

// TestParseKnowsEveryAct: the acts of the tables, alone, are all taken.
func TestParseKnowsEveryAct(t *testing.T) {
	t.Parallel()
	acts := []string{actClear, actOrgAdmin, actAny}
	for need, members := range Needs {
		acts = append(append(acts, need), members...)
	}
	for _, act := range acts {
		object := "I"
		if act == actOrgAdmin {
			object = "*"
		}
		if _, err := Parse(fmt.Sprintf("p, acct:a, D, %s, %s, *", object, act)); err != nil {
			t.Errorf("%s: %v", act, err)
		}
	}
}

// FuzzParse: what is taken comes back the same when read again, is the same text to a CSV reader such as Casbin's, and is never
// refused by Compile for its form; what is refused is refused at a place in the text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "# c\n\np, app:a, D, I, create, *\n", "p,\"app:a\",D,I#F,clear,*,deny", "g, acct:a, role:b, D\ng2, I, group:g\ng3, D, E",
		"p, app:a, D, I, login, *", "\ufeffg3,D,E\r\ng3, D , E", "g3, \"D\"\"\", E", "\"", "p,,,,,,,", "g3, a\u3000, b", "g3, \xff, b",
		strings.Join(Lines(platform()), "\n"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := Parse(text)
		if err != nil {
			checkFaults(t, text, err)
			return
		}
		again, err := Parse(strings.Join(lines, "\n"))
		if err != nil || !slices.Equal(again, lines) {
			t.Fatalf("%q read again: %q, %v", lines, again, err)
		}
		for _, one := range lines {
			reader := csv.NewReader(strings.NewReader(one))
			reader.Comment, reader.TrimLeadingSpace = '#', true
			members, err := reader.Read()
			if err != nil || strings.Join(members, ", ") != one {
				t.Fatalf("%q is %q to a CSV reader: %v", one, members, err)
			}
			if strings.ContainsAny(one, "\r\n") {
				t.Fatalf("%q is no single line", one)
			}
		}
		if _, faults := parseAll(lines); faults != nil {
			t.Fatalf("%q: %v", lines, faults)
		}
	})
}

func checkFaults(t *testing.T, text string, err error) {
	t.Helper()
	var faults SyntaxErrors
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	for _, one := range faults {
		if one.Line < 1 || one.Line > len(lines) || one.Column < 1 || one.Column > utf8.RuneCountInString(lines[one.Line-1])+1 {
			t.Fatalf("%q: fault at %d:%d", text, one.Line, one.Column)
		}
	}
}
