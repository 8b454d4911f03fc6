package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// word is a line of text as pdftotext -bbox-layout finds it, in points from the upper left corner.
type word struct {
	x, y float64
	text string
}

// lines reads the text of a file's pages with its places.
func lines(t *testing.T, file string) (all []word) {
	t.Helper()
	var b bytes.Buffer
	d := xml.NewDecoder(strings.NewReader(tool(t, "pdftotext", "-bbox-layout", file, "-")))
	d.Strict, d.Entity = false, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "line" {
				b.Reset()
				number := func(name string) float64 {
					for _, a := range token.Attr {
						if a.Name.Local == name {
							v, _ := strconv.ParseFloat(a.Value, 64)
							return v
						}
					}
					return 0
				}
				all = append(all, word{x: number("xMin"), y: number("yMin")})
			}
		case xml.CharData:
			b.Write(bytes.TrimSpace(token))
		case xml.EndElement:
			if token.Name.Local == "line" {
				all[len(all)-1].text = b.String()
			}
		}
	}
}

// TestFacePlaces holds what stands where: read back from the file by another program.
func TestFacePlaces(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]word{
		"business": {
			{28*mm + 26*mm, 90 * mm, "示例市青禾数字科技有限公司"},
			{186 * mm, 167 * mm, "2021年08月16日"},
			{54 * mm, 124.5 * mm, "软件开发；信息系统集成服务；"},
			{118 * mm, 74 * mm, "（副"},
		},
		"birth":    {{47 * mm, 74 * mm, "沈星野"}, {47 * mm, 146 * mm, "990105199204186621"}, {47 * mm, 170 * mm, "990103199007233315"}},
		"property": {{188 * mm, 56 * mm, "示例市云山区临江街道望江路18号院5号楼3单元1202号"}, {158 * mm, 16 * mm, "示（2022）云山区不动产权第0012345号"}},
		"food":     {{64 * mm, 81 * mm, "示例市云山区小满餐饮店"}, {196 * mm, 174 * mm, "2027年04月05日"}},
	} {
		found := lines(t, saved(t, held(t, name)))
		for _, w := range want {
			if !slices.ContainsFunc(found, func(f word) bool {
				return strings.Contains(f.text, w.text) && f.x > w.x-60*mm && f.x < w.x+40*mm && math.Abs(f.y-w.y) < 5*mm
			}) {
				t.Errorf("%s: %q does not stand at %.0f, %.0f: %v", name, w.text, w.x, w.y, found)
			}
		}
	}
}

// TestFacePDFIsSound runs each shipped face, valid and not, through qpdf, pdffonts, pdftotext and PDFBox Preflight.
func TestFacePDFIsSound(t *testing.T) {
	t.Parallel()
	var names []string
	dir := t.TempDir()
	for i, name := range ShippedTemplates() {
		for _, status := range []string{"ISSUED", "ABOLISHED"} {
			v := held(t, name)
			v.Status = status
			data, err := dataOf(PDF(v))
			if err != nil {
				t.Fatal(err)
			}
			if again, _ := dataOf(PDF(v)); !bytes.Equal(data, again) {
				t.Errorf("%s: the same View gave different bytes", name)
			}
			file := filepath.Join(dir, fmt.Sprintf("%d-%s-%s.pdf", i, name, status))
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			names = append(names, file)
			if out := tool(t, "qpdf", "--check", file); !strings.Contains(out, "No syntax or stream encoding errors found") {
				t.Errorf("%s: qpdf: %s", name, out)
			}
			for _, line := range strings.Split(strings.TrimSpace(tool(t, "pdffonts", file)), "\n")[2:] {
				if !strings.Contains(line, "yes yes yes") {
					t.Errorf("%s: font %s", name, line)
				}
			}
			text := squeezed(tool(t, "pdftotext", "-raw", file, "-"))
			for _, f := range v.Fields {
				if want := squeezed(f.Value); f.Role != "issue_date" && f.Role != "expiry_date" && !isDate(f.Value) && !strings.Contains(text, want) {
					t.Errorf("%s: %s %q is not in the text\n%s", name, f.Label, f.Value, text)
				}
			}
			if red := pixels(t, file, isRed); status == "ISSUED" && red < 20 {
				t.Errorf("%s: no red seal", name)
			}
			if status == "ABOLISHED" && !strings.Contains(text, "已废止") {
				t.Errorf("%s: abolished, and does not say so", name)
			}
		}
	}
	if out, valid := preflight(t, names...); !valid {
		t.Errorf("not PDF/A-1b:\n%s", out)
	}
}

func isDate(s string) bool { _, ok := dateAs(s, "YYYY"); return ok }

// TestFaceVoidHasNoColour: what made it look valid is gone; red is left to the word across it.
func TestFaceVoidHasNoColour(t *testing.T) {
	t.Parallel()
	v := held(t, "business")
	v.Status, v.Photo = "EXPIRED", nil
	d, err := compose(v)
	if err != nil {
		t.Fatal(err)
	}
	check := func(c colour) {
		if c != c.grey() && c != red && c != bandVoid && c != ink {
			t.Errorf("colour %s", c.web())
		}
	}
	crossed := false
	for _, m := range d.sheets[0].marks {
		switch m := m.(type) {
		case *textMark:
			check(m.ink)
		case *figureMark:
			check(m.ink)
		case *placeMark:
			for _, f := range m.shape.marks {
				check(f.ink)
				crossed = crossed || f.ink == red && f.width > 0
			}
		}
	}
	if !crossed {
		t.Error("nothing is written across it")
	}
}

// TestFaceCarries: what does not fit is on the next page, whole, and its place says so; what has no place is there too.
func TestFaceCarries(t *testing.T) {
	t.Parallel()
	v := held(t, "business")
	long := strings.Repeat("技术服务；", 400) + "完"
	for i := range v.Fields {
		if v.Fields[i].Key == "JYFW" {
			v.Fields[i].Value = long
		}
	}
	v.Fields = append(v.Fields, Field{Key: "QT", Label: "其他事项", Value: "没有位置的内容"})
	text := squeezed(tool(t, "pdftotext", "-raw", saved(t, v), "-"))
	for _, want := range []string{"…见续页", "完", "没有位置的内容", "（续）", "其他事项"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not there", want)
		}
	}
	if got := strings.Count(text, "技术服务；"); got < 400 {
		t.Errorf("%d of 400 come out", got)
	}
	for _, p := range v.Template.pages {
		for _, e := range p.elements {
			if e.Field == "JYFW" {
				e.Overflow = "refuse"
			}
		}
	}
	if _, err := dataOf(PDF(v)); !errors.Is(err, ErrOverflow) || strings.Contains(err.Error(), "技术") {
		t.Errorf("error %v", err)
	}
}

func TestFaceShrinks(t *testing.T) {
	t.Parallel()
	c := &composer{fonts: newTypesetter(embedded)}
	s := style{size: 12, min: 6, leading: 1.3}
	for _, test := range []struct {
		text  string
		size  float64
		lines int
		whole bool
	}{
		{"八个字以内", 12, 1, true},
		{strings.Repeat("字", 12), 9.5, 1, true}, // 118 pt: at 9.5 twelve are 114
		{strings.Repeat("字", 30), 6.5, 2, true},
		{strings.Repeat("字", 60), 6, 2, false},
	} {
		lines, size, whole := c.fit(test.text, s, box{0, 0, 118, 17}, false)
		if size != test.size || len(lines) != test.lines || whole != test.whole {
			t.Errorf("%.20s: %q at %g, whole %v", test.text, lines, size, whole)
		}
		if !whole && !strings.HasSuffix(lines[len(lines)-1], continued) {
			t.Errorf("cut without a word: %q", lines)
		}
	}
}

func TestDateAs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, pattern, want string }{
		{"2020-02-14", "YYYY年M月D日", "2020年2月14日"},
		{"20200214", "YYYY.MM.DD", "2020.02.14"},
		{"2020-02-14", "中文", "二〇二〇年二月十四日"},
		{"1999-12-30", "中文", "一九九九年十二月三十日"},
		{"2010-10-21", "中文", "二〇一〇年十月二十一日"},
		{"2020-**-**", "YYYY年", ""},
		{"2020-13-01", "YYYY年", ""},
		{"长期", "YYYY年", ""},
		{"2020-02-14", "年月日", ""},
		{"2020-0214", "YYYY", ""},
		{"+2020214", "YYYY", ""},
	} {
		got, ok := dateAs(test.text, test.pattern)
		if ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%s as %s: %q, %v", test.text, test.pattern, got, ok)
		}
	}
}

func TestSealPicture(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"示例市民政局", "示例市公安局云山分局临江派出所户籍窗口业务专用章办理处", ""} {
		file, err := SealPicture(name, "1100000012345", 400)
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		at := func(x, y int) bool { _, _, _, a := m.At(x, y).RGBA(); return a > 0x8000 }
		if !at(200, 200) || !at(200, 4) || !at(4, 200) || at(2, 2) || at(200, 100) {
			t.Errorf("%s: star, ring or ground is wrong", name)
		}
		arc := 0
		for x := 60; x < 340; x++ {
			for y := 20; y < 110; y++ {
				if at(x, y) && math.Hypot(float64(x-200), float64(y-200)) < 180 {
					arc++
				}
			}
		}
		if (arc > 300) != (name != "") {
			t.Errorf("%s: %d pixels of letters", name, arc)
		}
	}
	for _, pixels := range []int{0, 15, 5000} {
		if _, err := SealPicture("局", "", pixels); err == nil {
			t.Errorf("%d pixels", pixels)
		}
	}
}

// FuzzFace puts any text in every field of a shipped template: a whole file and a harmless page come out.
func FuzzFace(f *testing.F) {
	names := ShippedTemplates()
	for i, text := range hostile {
		f.Add(text, byte(i), "ISSUED")
	}
	f.Fuzz(func(t *testing.T, text string, which byte, status string) {
		if len(text) > 1<<12 {
			return
		}
		v := hostileFace(t, names[int(which)%len(names)], text)
		v.Status = status
		data, err := dataOf(PDF(v))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, []byte("%PDF-1.4\n")) || !bytes.HasSuffix(data, []byte("%%EOF\n")) {
			t.Fatal("not a whole file")
		}
		var b bytes.Buffer
		if err := Page(&b, v, Mobile); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, b.String())
	})
}

func BenchmarkFacePage(b *testing.B) {
	for _, name := range ShippedTemplates() {
		b.Run(name, func(b *testing.B) {
			v := held(b, name)
			v.Photo = nil // BenchmarkPagePhoto
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				var out bytes.Buffer
				if err := Page(&out, v, Desktop); err != nil {
					b.Fatal(err)
				}
				size = out.Len()
			}
			b.ReportMetric(float64(size), "bytes/file")
		})
	}
}

func BenchmarkFacePDF(b *testing.B) {
	for _, name := range ShippedTemplates() {
		b.Run(name, func(b *testing.B) { benchmarkFile(b, PDF, held(b, name)) })
	}
}
