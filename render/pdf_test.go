package render

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestPDFTextComesOut(t *testing.T) {
	t.Parallel()
	v := sample()
	got := squeezed(tool(t, "pdftotext", "-layout", saved(t, v), "-"))
	for _, want := range []string{
		v.Title, "证照号码：" + v.IDCode, v.Code, v.Holder, v.Issuer, v.IssueDate, v.Validity, v.Viewer, v.Purpose, "2026-11-23 12:05:06",
		"有效", "李思雨㛃䶮", "110105********", "已脱敏", "部分信息已脱敏显示。", "第1页，共1页",
	} {
		if !strings.Contains(got, squeezed(want)) {
			t.Errorf("%q is not in the text\n%s", want, got)
		}
	}
	if n := strings.Count(got, squeezed(v.Viewer)); n != 1 {
		t.Errorf("the viewer is extracted %d times: the watermark must not run through the text", n)
	}
}

// TestPDFEveryCharacterComesOut sets a cross-section of the font and reads it back exactly, look-alikes included.
func TestPDFEveryCharacterComesOut(t *testing.T) {
	t.Parallel()
	f := notoSans(t)
	var text []rune
	for r := rune(0x21); r < 0x30000; r++ {
		step := rune(1)
		if r >= 0x3400 {
			step = 17
		}
		// Right-to-left and combining characters would be reordered by the reader; presentation forms are folded by it.
		if r%step == 0 && (r < 0x300 || r >= 0x2e80) && f.glyph(r) != 0 && !invisible(r) && (r < 0xf900 || r > 0xffff) && r != 0xa0 && r != 0x3000 &&
			(r < 0x1100 || r >= 0x3400 || r >= 0x3041 && r < 0x3097) {
			text = append(text, r)
		}
	}
	text = append(text, []rune("㛃䶮𬱖⼀一")...)
	if len(text) < 2500 {
		t.Fatalf("only %d characters", len(text))
	}
	var fields []Field
	for from := 0; from < len(text); from += 30 {
		fields = append(fields, Field{Label: fmt.Sprint(from), Value: string(text[from:min(from+30, len(text))])})
	}
	got := squeezed(tool(t, "pdftotext", "-raw", saved(t, with(func(v *View) { v.Fields = fields })), "-"))
	for _, f := range fields {
		for _, r := range f.Value {
			if !strings.ContainsRune(got, r) {
				t.Errorf("%q (U+%04X) does not come out", r, r)
			}
		}
	}
}

func TestPDFFontsAreEmbeddedSubsets(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(tool(t, "pdffonts", saved(t, sample()))), "\n")
	if len(lines) != 3 {
		t.Fatalf("fonts: %q", lines)
	}
	if !regexp.MustCompile(`^[A-Z]{6}\+NotoSansSC-Regular\s+CID TrueType\s+Identity-H\s+yes yes yes `).MatchString(lines[2]) {
		t.Errorf("font: %s", lines[2])
	}
}

// TestPDFIsSound runs every kind of document through qpdf, mutool and PDFBox Preflight.
func TestPDFIsSound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var names []string
	for name, v := range kinds(t) {
		data, err := dataOf(PDF(v))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join(dir, name+".pdf")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, file)
		if out := tool(t, "qpdf", "--check", file); !strings.Contains(out, "No syntax or stream encoding errors found") {
			t.Errorf("%s: qpdf: %s", name, out)
		}
		drawn := tool(t, "mutool", "draw", "-q", "-r", "20", "-o", "/dev/null", "-F", "pnm", file)
		drawn = strings.ReplaceAll(drawn, "warning: ICC support is not available\n", "") // Debian builds it so
		if drawn != "" {
			t.Errorf("%s: mutool: %s", name, drawn)
		}
	}
	if out, valid := preflight(t, names...); !valid {
		t.Errorf("not PDF/A-1b:\n%s", out)
	}
}

// TestPreflightCanFail makes sure that the checker checks: without its output intent a file is not PDF/A.
func TestPreflightCanFail(t *testing.T) {
	t.Parallel()
	data, err := dataOf(PDF(sample()))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "broken.pdf")
	if err := os.WriteFile(file, bytes.Replace(data, []byte("/OutputIntents"), []byte("/OutputIntentz"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, valid := preflight(t, file); valid {
		t.Errorf("passed: %s", out)
	}
}

func TestPDFSameViewSameBytes(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`/ID \[<[0-9A-F]{32}> <[0-9A-F]{32}>\]`)
	checkReproducible(t, PDF, func(file []byte) string { return string(id.Find(file)) })
}

// checkReproducible draws a View twice, and another one: the same bytes, and another identifier.
func checkReproducible(t *testing.T, draw func(*View) (*File, error), id func([]byte) string) {
	t.Helper()
	drawn := func(change func(*View)) []byte {
		data, err := dataOf(draw(with(change)))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	photo := pngFile(t, portrait(300, 400))
	a := drawn(func(v *View) { v.Photo = photo })
	b := drawn(func(v *View) { v.Photo = photo; v.At = v.At.In(time.FixedZone("elsewhere", -5*60*60)) })
	if !bytes.Equal(a, b) {
		t.Error("the same View gave different bytes")
	}
	c := drawn(func(v *View) { v.Photo = photo; v.Fields[2].Value = "李思" })
	if id(a) == "" || id(a) == id(c) {
		t.Errorf("identifiers %q and %q", id(a), id(c))
	}
}

func TestPDFStanding(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{"EXPIRED": "已过期", "ABOLISHED": "已废止", "REGISTERED": "未签发", "": "状态不明"} {
		file := saved(t, with(func(v *View) { v.Status = status }))
		text := tool(t, "pdftotext", file, "-")
		if !strings.Contains(text, want) || regexp.MustCompile(`(?m)^有效$`).MatchString(text) {
			t.Errorf("%q: text %q", status, text)
		}
		if got := pixels(t, file, isRed); got < 2000 {
			t.Errorf("%q: only %d red pixels", status, got)
		}
	}
	// Red on a valid licence is the seal, and nothing else.
	unsealed := with(func(v *View) { v.SealApart = true })
	if got := pixels(t, saved(t, unsealed), isRed); got != 0 {
		t.Errorf("a valid licence has %d red pixels", got)
	}
	if got := pixels(t, saved(t, sample()), isRed); got < 500 {
		t.Errorf("the seal has %d red pixels", got)
	}
}

// A file says where its seal stands, drawn or not, and which licence it is of.
func TestFileTellsOfItself(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(*View) (*File, error){"pdf": PDF, "ofd": OFD} {
		for _, apart := range []bool{false, true} {
			f, err := draw(with(func(v *View) { v.SealApart = apart }))
			if err != nil {
				t.Fatal(err)
			}
			if f.Seal == nil || f.Seal.Page != 0 || f.Seal.Size != 40 || f.Seal.X < 100 || f.Seal.X+f.Seal.Size > 210 || f.Seal.Y < 100 || f.Seal.Y+f.Seal.Size > 297 {
				t.Errorf("%s: seal at %+v", name, f.Seal)
			}
			if code := CodeOf(f.Data); code != sample().Code {
				t.Errorf("%s: of licence %q", name, code)
			}
		}
		f, err := draw(with(func(v *View) { v.Code, v.Issuer = "<x>", "" }))
		if err != nil || f.Seal != nil || CodeOf(f.Data) != "" {
			t.Errorf("%s: seal at %+v of %q, %v", name, f.Seal, CodeOf(f.Data), err)
		}
	}
	for _, junk := range []string{"", "%PDF-", "%PDF-<dc:identifier>", "PK", strings.Repeat("<dc:identifier>", 9)} {
		if code := CodeOf([]byte(junk)); code != "" {
			t.Errorf("%q is of %q", junk, code)
		}
	}
}

func TestPDFGoesOnRatherThanCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("很长的内容需要换页", 500) + "完"
	file := saved(t, with(func(v *View) {
		v.Photo = jpegFile(t, portrait(358, 441))
		v.Fields[3].Value = long
	}))
	out := tool(t, "pdftotext", "-raw", file, "-")
	if got := strings.Count(squeezed(out), "（续）"); got < 3 {
		t.Errorf("%d continuation pages", got)
	}
	if want, got := strings.Count(long, "换"), strings.Count(out, "换"); got != want {
		t.Errorf("%d of %d come out", got, want)
	}
	if !strings.Contains(out, "完") || !strings.Contains(squeezed(out), "发证日期") {
		t.Error("the end is cut off")
	}
	if !strings.Contains(tool(t, "pdfinfo", saved(t, sample())), "Pages:           1\n") {
		t.Error("the sample does not fit on one page")
	}
}

func TestPDFUnprintableIsShown(t *testing.T) {
	t.Parallel()
	out := tool(t, "pdftotext", saved(t, with(func(v *View) { v.Fields = []Field{{Label: "姓名", Value: "甲👩乙\u202e丙ש丁"}} })), "-")
	if !strings.Contains(out, "甲〓乙〓丙〓丁") {
		t.Errorf("text: %q", out)
	}
}

func TestPDFPhoto(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file []byte
		kind string
	}{
		"jpeg": {jpegFile(t, portrait(358, 441)), "jpeg"},
		"png":  {pngFile(t, portrait(358, 441)), "image"},
	} {
		file := saved(t, with(func(v *View) { v.Photo = c.file }))
		if out := tool(t, "pdfimages", "-list", file); !regexp.MustCompile(`358\s+441\s+rgb\s+3\s+8\s+` + c.kind).MatchString(out) {
			t.Errorf("%s: %s", name, out)
		}
	}
	if out := tool(t, "pdftotext", saved(t, with(func(v *View) { v.Photo = []byte("GIF89a") })), "-"); !strings.Contains(out, "照片无法显示") {
		t.Errorf("an unreadable photo is not named: %s", out)
	}
}

func TestPDFMetadata(t *testing.T) {
	t.Parallel()
	out := tool(t, "pdfinfo", "-isodates", saved(t, sample()))
	for _, want := range []string{"Title:           内地居民婚姻登记证\n", "Producer:        licgate\n", "CreationDate:    2026-11-23T12:05:06+08", "PDF version:     1.4", "A4"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

// TestPDFDrawsWatermarkOnce: face and sheet have it in two inks, and its letters are much of a file.
func TestPDFDrawsWatermarkOnce(t *testing.T) {
	t.Parallel()
	data, err := dataOf(PDF(with(func(v *View) { v.Template = shipped(t, "marriage") })))
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]int{}
	for _, object := range bytes.Split(data, []byte("\nendobj\n")) {
		if dict, content, ok := bytes.Cut(object, []byte("\nstream\n")); ok && bytes.Contains(dict, []byte("/Subtype /Form")) {
			r, err := zlib.NewReader(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			outlines := regexp.MustCompile(`(?m)^.* (rg|RG)( .* w)?$`).ReplaceAllString(string(text), "")
			if forms[outlines]++; forms[outlines] > 1 {
				t.Errorf("%d bytes are drawn twice", len(content))
			}
		}
	}
	if len(forms) < 4 {
		t.Errorf("%d forms: paper, art, watermark and seal are expected", len(forms))
	}
}

// TestPDFRectanglesTouch: rectangles are written short, and what touches, as a QR code's modules do, still does when rounded.
func TestPDFRectanglesTouch(t *testing.T) {
	t.Parallel()
	const side, n = 1.2345, 50
	f := &figure{}
	for i := range n {
		f.join(rectangle(3.21+side*float64(i), 7.77+side*float64(i), side, side))
	}
	f.join(segment(0, 0, 5, 5))
	c := &canvas{height: 841.89}
	c.path(&figureMark{figure: f})
	lines := strings.Split(c.String(), "\n")
	var right, bottom int64
	for i, line := range lines[:n] {
		var v [4]float64
		if _, err := fmt.Sscanf(line, "%f %f %f %f re", &v[0], &v[1], &v[2], &v[3]); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if i > 0 && (hundredths(v[0]) != right || hundredths(v[1]) != bottom) {
			t.Errorf("rectangle %d does not touch the one before", i)
		}
		right, bottom = hundredths(v[0])+hundredths(v[2]), hundredths(v[1])+hundredths(v[3])
	}
	if rest := strings.Join(lines[n:], " "); rest != "0 841.89 m 5 836.89 l f " {
		t.Errorf("the rest: %q", rest)
	}
}
