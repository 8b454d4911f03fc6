package render

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"plain", "张三 110105", "张三 110105"},
		{"empty", "", ""},
		{"blanks around", "  张三\u3000 ", "张三"},
		{"line ends", "a\r\nb\rc\nd\u2028e\u0085f", "a\nb\nc\nd\ne\nf"},
		{"tab", "a\tb", "a b"},
		{"control", "a\x00b\x1bc\x7fd\u009fe", "a〓b〓c〓d〓e"},
		{"turned direction", "a\u202eb\u2066c\u200fd\u061ce", "a〓b〓c〓d〓e"},
		{"nothing to see", "a\u200bb\ufeffc\u2060d\U000e0067e", "abcde"},
		{"not characters", "a\ufffeb\U0010ffffc\ufdd0d", "a〓b〓c〓d"},
		{"invalid UTF-8", "a\xffb", "a〓b"},
		{"markup is left to the escaper", "<b>&", "<b>&"},
		{"level 3", "㛃𬱖", "㛃𬱖"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := clean(c.in); got != c.want {
				t.Errorf("clean(%q) = %q, want %q", c.in, got, c.want)
			}
			if got := oneLine(c.in); strings.Contains(got, "\n") {
				t.Errorf("oneLine(%q) = %q", c.in, got)
			}
		})
	}
}

func TestUnprintable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want rune
		bad  bool
	}{
		{in: ""},
		{in: "张三·李四 Zhang San 1-2（3）㛃䶮𬱖한국어"},
		{in: "two\r\nlines\tand a tab"},
		{in: "张\x00三", want: 0, bad: true},
		{in: "a👩b", want: '👩', bad: true},
		{in: "שלום", want: 'ש', bad: true},
		{in: "a\u202eb", want: '\u202e', bad: true},
		{in: "a\u200bb", want: '\u200b', bad: true},
		{in: "a\u00adb", want: '\u00ad', bad: true},
		{in: "邊\U000e0100", want: '\U000e0100', bad: true},
		{in: "a\xffb", want: utf8.RuneError, bad: true},
		{in: "\ue000", want: '\ue000', bad: true},
	} {
		if r, bad := embedded.Unprintable(c.in); r != c.want || bad != c.bad {
			t.Errorf("Unprintable(%q) = %q, %v; want %q, %v", c.in, r, bad, c.want, c.bad)
		}
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	for status, valid := range map[string]bool{
		"ISSUED": true, "EXPIRED": false, "ABOLISHED": false, "REGISTERED": false, "": false, "issued": false, "DRAFT": false, "DELETED": false,
	} {
		s := (&View{Status: status}).standing()
		if s.Valid != valid || s.Label == "" || s.Sentence == "" || (s.Label == "有效") != valid {
			t.Errorf("status %q: %+v", status, s)
		}
	}
}

func TestBreakLines(t *testing.T) {
	t.Parallel()
	advance := func(r rune) float64 {
		if wide(r) || strings.ContainsRune("，。（）", r) {
			return 1
		}
		return 0.5
	}
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "", []string{""}},
		{"fits", "一二三四", []string{"一二三四"}},
		{"breaks between characters", "一二三四五六", []string{"一二三四", "五六"}},
		{"no stop at the beginning", "一二三四。五", []string{"一二三", "四。五"}},
		{"no bracket at the end", "一二三（四五", []string{"一二三", "（四五"}},
		{"words stay whole", "ab cdef ghi", []string{"ab cdef", "ghi"}},
		{"numbers stay whole", "编号2020001", []string{"编号", "2020001"}},
		{"a number too long is cut", "1234567890", []string{"12345678", "90"}},
		{"only stops", "。。。。。", []string{"。。。。", "。"}},
		{"line ends", "一\n\n二", []string{"一", "", "二"}},
		{"blanks at the end", "一二三四    五", []string{"一二三四", "五"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := breakLines(c.in, 4, advance)
			if strings.Join(got, "|") != strings.Join(c.want, "|") {
				t.Errorf("breakLines(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
	if got := breakLines("一二", 0.1, advance); strings.Join(got, "|") != "一|二" {
		t.Errorf("a column narrower than a character: %q", got)
	}
}

func TestWatermark(t *testing.T) {
	t.Parallel()
	if got := sample().watermark(); strings.Join(got, "|") != "北京市住房和城乡建设委员会 王建国|仅用于办理不动产登记业务|2026-11-23 12:05:06" {
		t.Errorf("watermark: %q", got)
	}
	long := with(func(v *View) { v.Viewer, v.Purpose = "", "仅用于"+strings.Repeat("办", 100) }).watermark()
	if len(long) != 3 || !strings.HasSuffix(long[1], "办…") || utf8.RuneCountInString(long[1]) != watermarkLine {
		t.Errorf("long purpose: %q", long)
	}
	if got := (&View{}).watermark(); len(got) != 0 {
		t.Errorf("nothing to say: %q", got)
	}
}
