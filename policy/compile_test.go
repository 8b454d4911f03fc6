package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCompileRefusesEmpty(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"nothing":      nil,
		"roles only":   {"g, acct:a, role:user, D", "g3, D, E"},
		"denials only": {"p, app:a, *, *, *, *, deny"},
	} {
		if d, err := Compile(1, lines); !errors.Is(err, ErrEmpty) || d != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const anyLine = "p, app:a, D, I, create, *, allow"

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		line  int
		says  string
	}{
		"bad act":         {[]string{anyLine, "p, app:a, D, I, bad, *, allow"}, 2, "行为"},
		"blank line":      {[]string{"", anyLine}, 1, "行首"},
		"comment":         {[]string{anyLine, "# c"}, 2, "行首"},
		"two in one":      {[]string{anyLine + "\n" + anyLine}, 1, "成员个数"},
		"no effect":       {[]string{"p, app:a, D, I, create, *"}, 1, "规范写法"},
		"blanks":          {[]string{"p,app:a,D,I,create,*,allow"}, 1, "规范写法"},
		"trailing blank":  {[]string{anyLine, "g3, D, E "}, 2, "规范写法"},
		"quotes":          {[]string{anyLine, `g3, "D", E`}, 2, "规范写法"},
		"departments":     {[]string{anyLine, "g3, A, B", "g3, B, C", "g3, C, A"}, 4, "成环"},
		"groups":          {[]string{anyLine, "g2, group:a, group:b", "g2, group:b, group:a"}, 3, "成环"},
		"roles":           {[]string{anyLine, "g, role:a, role:b, D", "g, role:b, role:a, D"}, 3, "成环"},
		"eleven upwards":  {append(ladder("g3", "d%d", maxLinks+1), anyLine), 1, "10 层"},
		"eleven roles":    {append([]string{anyLine}, ladder("g", "role:r%d", maxLinks+1, "D")...), 2, "10 层"},
		"eleven groups":   {append([]string{anyLine}, ladder("g2", "group:g%d", maxLinks+1)...), 2, "10 层"},
		"many groups":     {append(fan("g2, I, group:g%d", maxAbove+1), anyLine), 1, "256 个"},
		"many roles":      {append([]string{anyLine}, append(fan("g, role:chief, role:r%d, D", maxAbove), "g, acct:a, role:chief, D")...), maxAbove + 2, "256 个"},
		"field in eleven": {append(ladder("g2", "group:g%d", maxLinks), "g2, I, group:g0", "g2, I#F, I", anyLine), maxLinks + 1, "10 层"},
	} {
		_, err := Compile(3, c.lines)
		var first *SyntaxError
		if !errors.As(err, &first) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if first.Line != c.line || !strings.Contains(first.Message, c.says) || !strings.Contains(err.Error(), "version 3") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ladder links names 0 to n, one to the next.
func ladder(kind, name string, n int, domain ...string) []string {
	var lines []string
	for i := range n {
		lines = append(lines, line(kind, append([]string{fmt.Sprintf(name, i), fmt.Sprintf(name, i+1)}, domain...)...))
	}
	return lines
}

// fan numbers a line from 0.
func fan(line string, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(line, i)
	}
	return lines
}

// TestWidest: as many names above as Compile takes all count.
func TestWidest(t *testing.T) {
	t.Parallel()
	lines := append(fan("g, acct:a, role:r%d, D", maxAbove), fan("g2, I, group:g%d", maxAbove)...)
	lines = append(append(lines, fan("g3, D, E%d", maxAbove)...),
		fmt.Sprintf("p, role:r%d, E%d, group:g%d, create, *, allow", maxAbove-1, maxAbove-1, maxAbove-1),
		fmt.Sprintf("p, app:a, E%d, group:g%d, issue, *, allow", maxAbove-1, maxAbove-1),
		"p, app:a, E0, group:g0, delete, *, allow")
	for _, d := range []Decider{compile(t, lines...), reference(t, lines...)} {
		if got := d.Decide(Request{"a", "a", "D", "I", "create", ""}); !got.Allow {
			t.Errorf("refused: %s", got.Reason)
		}
	}
}

// TestCompileKeepsItsOwnLines: what becomes of the caller's slice does not matter.
func TestCompileKeepsItsOwnLines(t *testing.T) {
	t.Parallel()
	lines := []string{"p, app:a, D, I, create, *, allow", "p, acct:a, D, I, create, *, allow"}
	want := []string{lines[0], lines[1]}
	d := compile(t, lines...)
	lines[0], lines[1] = lines[1], "p, acct:a, D, I, create, *, deny"
	if got := d.Decide(Request{"a", "a", "D", "I", "create", ""}); !got.Allow || got.Lines[0] != want[0] || got.Lines[1] != want[1] {
		t.Errorf("%+v", got)
	}
}

// TestLongestChains: as many links as Compile takes are links that Casbin follows.
func TestLongestChains(t *testing.T) {
	t.Parallel()
	lines := ladder("g3", "d%d", maxLinks)
	lines = append(lines, ladder("g2", "group:g%d", maxLinks-2)...)
	lines = append(lines, ladder("g", "role:r%d", maxLinks-1, "d0")...)
	lines = append(lines,
		"g2, I, group:g0", "g2, I#F, I", "g, acct:a, role:r0, d0",
		fmt.Sprintf("p, role:r%d, d%d, group:g%d, get_license, *, allow", maxLinks-1, maxLinks, maxLinks-2),
		fmt.Sprintf("p, role:r%d, d%d, group:g%d, clear, *, allow", maxLinks-1, maxLinks, maxLinks-2),
		fmt.Sprintf("p, app:a, d%d, group:g%d, function_call, *, allow", maxLinks, maxLinks-2),
		fmt.Sprintf("p, app:a, d%d, group:g%d, sensitive, *, allow", maxLinks, maxLinks-2),
	)
	d := compile(t, lines...)
	r := Request{"a", "a", "d0", "I", "get_license", ""}
	if got := d.Decide(r); !got.Allow {
		t.Errorf("refused: %s", got.Reason)
	}
	if got := d.Clear(r, []string{"F"}); len(got) != 1 {
		t.Error("the field is not shown")
	}
}

// TestDiamonds: two ways up are no circle.
func TestDiamonds(t *testing.T) {
	t.Parallel()
	compile(t, anyLine, "g3, A, B", "g3, A, C", "g3, B, D", "g3, C, D")
	compile(t, anyLine, "g, role:a, role:b, D", "g, role:b, role:a, E")
}

func TestCompileTakesRepeatedLines(t *testing.T) {
	t.Parallel()
	d := compile(t, anyLine, "g, acct:a, role:r, D", "p, role:r, *, *, create, *, allow", anyLine, "g, acct:a, role:r, D")
	if got := d.Decide(Request{"a", "a", "D", "I", "create", ""}); !got.Allow || len(got.Lines) != 2 {
		t.Errorf("%+v", got)
	}
}
