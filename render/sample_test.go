package render

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample is an invented marriage certificate, as a clerk who may not see all of it sees it.
func sample() *View {
	return &View{
		Title: "内地居民婚姻登记证", Status: "ISSUED", Code: "110105202000000A1B", IDCode: "J110105-2020-001234",
		Holder: "张**", Issuer: "北京市朝阳区民政局婚姻登记处", IssueDate: "2020年2月14日", Validity: "2020-02-14 至 长期",
		MaskedNote: true, Viewer: "北京市住房和城乡建设委员会 王建国", Purpose: "仅用于办理不动产登记业务",
		At: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC), ExpiresAt: time.Date(2026, 11, 23, 4, 20, 6, 0, time.UTC),
		Fields: []Field{
			{Label: "持证人", Value: "张**", Masked: true},
			{Label: "身份证件号码", Value: "110105********", Masked: true, Reason: "仅向本人和登记机关完整显示"},
			{Label: "配偶姓名", Value: "李思雨㛃䶮"},
			{Label: "结婚证字号", Value: "J110105-2020-001234"},
			{Label: "住所", Value: "北京市朝阳区建国门外大街甲一号国际贸易中心三期写字楼第六十八层东侧办公区（原外文印刷厂旧址）"},
			{Label: "发证日期", Value: "2020-02-14"},
		},
	}
}

// with returns the sample changed.
func with(change func(*View)) *View {
	v := sample()
	change(v)
	return v
}

// portrait draws a picture that is nobody.
func portrait(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{0x7f, 0xa6, 0xc9, 0xff}
			dx, dy := float64(x-w/2)/float64(w), float64(y-h*2/5)/float64(h)
			if dx*dx*9+dy*dy*16 < 0.6 {
				c = color.RGBA{0xe0, 0xbd, 0x9c, 0xff}
			} else if y > h*3/4 {
				c = color.RGBA{0x33, 0x3f, 0x58, 0xff}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func pngFile(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegFile(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hostile are texts that somebody might put in a field to see what happens.
var hostile = []string{
	"", " ", "\x00", "a\x00b\x1b[31mc", "line\r\nline\u2028line\tx",
	`<script>window.hacked=1</script>`, `"><img src=x onerror=window.hacked=1>`, `</title></style></svg><svg onload=window.hacked=1>`,
	`javascript:window.hacked=1`, `' onmouseover='window.hacked=1`, `{{.Title}}`, `<!--`, `]]>`, `&lt;b&gt;`, `%00%0a`,
	"(\\) Tj ET Q endstream endobj", "<FEFF0041> Tj",
	"\u202egnihtemos\u202c", "\u2066x\u2069", "\u200bze\u200dro\ufeff", "שלום עולם", "مرحبا بالعالم",
	"👩‍👩‍👧‍👦🇨🇳🏴\U000e0067\U000e007f", "e\u0301\u0302\u0303\u0304\u0305", "\ufffe\uffff\U0010ffff", "\xff\xfe\xc3(", "\ufffd", "邊\U000e0100", "\ue000",
	"𬱖𠀀𰻞", strings.Repeat("长", 4000), strings.Repeat("W", 4000), strings.Repeat("，", 300), strings.Repeat("（", 300), strings.Repeat("行\n", 300),
}

// hostileView puts one text everywhere.
func hostileView(text string) *View {
	return &View{
		Title: text, Status: text, Code: text, IDCode: text, Holder: text, Issuer: text, IssueDate: text, Validity: text,
		Viewer: text, Purpose: text, Fields: []Field{{Label: text, Value: text}, {Label: text, Value: text, Masked: true}},
		Photo: []byte(text), MaskedNote: true, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// kinds are Views of every kind that painters have to cope with.
func kinds(t testing.TB) map[string]*View {
	t.Helper()
	all := map[string]*View{
		"sample":  sample(),
		"empty":   {},
		"expired": with(func(v *View) { v.Status = "EXPIRED" }),
		"void":    with(func(v *View) { v.Status = "ABOLISHED" }),
		"jpeg":    with(func(v *View) { v.Photo = jpegFile(t, portrait(358, 441)) }),
		"png":     with(func(v *View) { v.Photo = pngFile(t, portrait(1200, 1600)) }),
		"badjpeg": with(func(v *View) { v.Photo = []byte("\xff\xd8\xff\xe0 no picture") }),
		"long": with(func(v *View) {
			v.Fields[1].Value = strings.Repeat("很长的内容，", 500)
			v.Fields[2].Label = strings.Repeat("标", 500)
		}),
		"markup": with(func(v *View) { v.Title = `<证> & "照" ]]> (\)` }),
	}
	for i, text := range hostile {
		if runes := []rune(text); len(runes) > 300 { // the checkers take long over many pages; one long file will do
			text = string(runes[:300])
		}
		all[fmt.Sprintf("hostile%d", i)] = hostileView(text)
	}
	return all
}

// tool runs a program that the tests need. They fail without it: a check left out would look like one that passed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// dataOf is a finished file's bytes.
func dataOf(f *File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return f.Data, nil
}

// saved writes a View's PDF to a file.
func saved(t *testing.T, v *View) string {
	t.Helper()
	data, err := dataOf(PDF(v))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "licence.pdf")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// squeezed is a text without blanks and line ends, which a PDF does not keep.
func squeezed(s string) string { return strings.Join(strings.Fields(s), "") }
