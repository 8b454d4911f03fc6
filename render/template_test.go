package render

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"strings"
	"testing"
)

// small is a template with little in it.
const small = `face: 1
name: 小证
pages:
  - size: 卡片
    paper: "#ffffff"
    elements:
      - {text: 小证, box: [5, 5, 40, 8], size: 14}
      - {field: XM, label: 姓名, label_width: 10, box: [5, 15, 40, 6]}
      - {photo: true, box: [60, 10, 20, 28]}
`

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, from, to, want string }{
		{"version", "face: 1", "face: 2", "第 1 行 face：请写 face: 1"},
		{"unknown key", "name: 小证", "name: 小证\ncolor: x", `第 3 行：未知的键 "color"`},
		{"unknown key of an element", "size: 14", "sise: 14", `第 7 行 pages[0].elements[0]：未知的键 "sise"`},
		{"twice", "name: 小证", "name: 小证\nname: 再写", "写了两次"},
		{"number for text", "name: 小证", "name: 2020", "第 2 行 name：应当是文字"},
		{"text for number", "size: 14", `size: "14"`, "pages[0].elements[0].size：应当是"},
		{"alias", "name: 小证", "name: &a 小证", "锚点"},
		{"size of page", "size: 卡片", "size: A9", "第 4 行 pages[0].size：应当是 A4"},
		{"huge page", "size: 卡片", "size: [1000, 20]", "40 至 420"},
		{"colour", `"#ffffff"`, `"#fff"`, `"#RRGGBB"`},
		{"colour unquoted", `"#ffffff"`, `#ffffff`, "没有值"},
		{"off the page", "box: [5, 5, 40, 8]", "box: [60, 5, 40, 8]", "超出页面（85.6 × 54 毫米）"},
		{"negative", "box: [5, 5, 40, 8]", "box: [5, -5, 40, 8]", "超出页面"},
		{"box of three", "box: [5, 5, 40, 8]", "box: [5, 5, 40]", "[x, y, 宽, 高]"},
		{"infinite", "box: [5, 5, 40, 8]", "box: [5, 5, .inf, 8]", "绝对值不超过"},
		{"no number", "box: [5, 5, 40, 8]", "box: [5, 5, .nan, 8]", "绝对值不超过"},
		{"overlap", "box: [5, 15, 40, 6]", "box: [5, 10, 40, 6]", "重叠"},
		{"type too small", "size: 14", "size: 2", "字号应在"},
		{"least above size", "size: 14", "size: 14, min: 20", "最小字号"},
		{"faint", "size: 14", `size: 14, colour: "#cccccc"`, "对比度只有"},
		{"narrow", "box: [5, 5, 40, 8]", "box: [5, 5, 4, 8]", "放不下最小字号"},
		{"two kinds", "text: 小证", "text: 小证, field: XM", "只能是一种"},
		{"no kind", "text: 小证, ", "", "没有说是什么元素"},
		{"picture missing", "photo: true", "picture: no.png", "没有这个图片文件"},
		{"pattern", "photo: true", "pattern: zigzag", "guilloche"},
		{"value", "text: 小证", "value: secret", "issue_date"},
		{"date", "field: XM", "field: XM, date: 年月日", "YYYY"},
		{"label without width", "label_width: 10, ", "", "label_width"},
		{"dense", "photo: true", "pattern: lattice, step: 0.1", "step 至少"},
		{"grid", "photo: true", "grid: {columns: [1, 2], rows: [28]}", "columns 之和"},
		{"copies", "photo: true", "copies: [{at: [0, 0]}]", "须有 elements"},
		{"false", "photo: true", "photo: false", "只能写 true"},
		{"no YAML", "face: 1", "face: [1", "第 2 行：YAML 写法有误：这一行或之前的 [ ]"},
		{"second document", "    elements:", "---\n    elements:", "一个文件只能有一个模板"},
		{"page too tall for sheet", "size: 卡片", "size: A4\nprint: sheet", ""},
	} {
		text := strings.Replace(small, test.from, test.to, 1)
		if text == small {
			t.Fatalf("%s: nothing is replaced", test.name)
		}
		_, err := Parse([]byte(text), nil)
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := Parse([]byte(small), nil); err != nil {
		t.Errorf("the template itself: %v", err)
	}
	if _, err := Parse([]byte(strings.Repeat("#", mostYAML+1)), nil); err == nil {
		t.Error("a huge file passes")
	}
	if _, err := Parse([]byte(small), map[string][]byte{"a.gif": []byte("GIF89a")}); err == nil || !strings.Contains(err.Error(), "PNG 或 JPEG") {
		t.Errorf("a GIF: %v", err)
	}
}

func TestTemplateCheck(t *testing.T) {
	t.Parallel()
	template, err := Parse([]byte(small), nil)
	if err != nil {
		t.Fatal(err)
	}
	good := []FieldInfo{{Key: "XM", Label: "姓名"}, {Key: "ZP", Label: "照片", Type: "image", Role: "photo"}}
	if err := template.Check(good); err != nil {
		t.Errorf("error %v", err)
	}
	for _, test := range []struct {
		fields []FieldInfo
		want   string
	}{
		{good[:1], "第 9 行 pages[0].elements[2]：目录项没有照片字段"},
		{good[1:], "第 8 行 pages[0].elements[1].field：目录项没有字段 XM"},
		{[]FieldInfo{{Key: "XM", Hidden: true}, good[1]}, "hidden"},
		{[]FieldInfo{{Key: "XM", Type: "image"}, good[1]}, "是图片"},
	} {
		if err := template.Check(test.fields); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	for from, want := range map[string]string{"text: 小证": "text: 这几个字太多了而且很大放不下放不下", "text: 小": "text: 👩"} {
		other, err := Parse([]byte(strings.Replace(strings.Replace(small, from, want, 1), "size: 14", "size: 14, min: 14", 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Check(good); err == nil {
			t.Errorf("%s passes", want)
		}
	}
}

func TestTemplateVersion(t *testing.T) {
	t.Parallel()
	version := func(text string, assets map[string][]byte) string {
		template, err := Parse([]byte(text), assets)
		if err != nil {
			t.Fatal(err)
		}
		if v := Version([]byte(text), assets); v != template.Version() {
			t.Errorf("Version says %s, its template %s", v, template.Version())
		}
		return template.Version()
	}
	const golden = "f8f3552c79ac69cfc5f57ab81039f0c0e5ad53bd7d3e90b6452e350d6fdf2548" // licences may have been issued under it
	if got := version(small, map[string][]byte{}); got != golden {
		t.Errorf("version %s, want %s", got, golden)
	}
	picture := map[string][]byte{"a.png": pngFile(t, portrait(4, 4))}
	a := version(small, nil)
	if a != version(small, nil) || len(a) != 64 {
		t.Errorf("version %q", a)
	}
	if a == version(small+"#\n", nil) || a == version(small, picture) ||
		version(small, picture) == version(small, map[string][]byte{"a.png": pngFile(t, portrait(4, 5))}) {
		t.Error("a change of the content does not change the version")
	}
}

// FuzzTemplate reads any YAML: it is refused, or it draws a licence.
func FuzzTemplate(f *testing.F) {
	f.Add([]byte(small))
	for _, name := range ShippedTemplates() {
		text, _ := ShippedTemplate(name)
		f.Add(text)
	}
	f.Add([]byte("face: 1\nname: x\npages:\n  - size: A4\n    elements:\n      - {copies: [{at: [1, 2], keys: {a: XM}}], elements: [{field: $a, box: [1, 1, 50, 9]}]}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		template, err := Parse(text, nil)
		if err != nil {
			if len(err.Error()) == 0 {
				t.Fatal("an error without words")
			}
			return
		}
		v := sample()
		v.Template = template
		if _, err := dataOf(PDF(v)); err != nil && !errors.Is(err, ErrOverflow) {
			t.Fatal(err)
		}
	})
}

// TestTemplateDocumented: the example of docs/templates.md is one.
func TestTemplateDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\n")
	example, _, _ := strings.Cut(after, "```")
	template, err := Parse([]byte(example), nil)
	if err != nil {
		t.Fatal(err)
	}
	fields := []FieldInfo{{Key: "XM"}, {Key: "FZRQ", Role: "issue_date"}, {Key: "ZP", Type: "image", Role: "photo"}}
	if err := template.Check(fields); err != nil {
		t.Error(err)
	}
	for _, names := range [][]string{sorted(lineWork), sorted(ornaments), sorted(values), ShippedTemplates()} {
		for _, name := range names {
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s is not documented", name)
			}
		}
	}
}

// What is optional need not be a field of the item, and leaves nothing behind where the licence has no value.
func TestOptional(t *testing.T) {
	t.Parallel()
	const text = `face: 1
name: 证
pages:
  - size: A5
    elements:
      - {field: XM, optional: true, label: 称呼, label_width: 20, box: [10, 10, 80, 10]}
      - {role: id_code, label: 编号, label_width: 20, box: [10, 30, 80, 10]}
      - {photo: true, optional: true, box: [10, 50, 20, 30]}
`
	template, err := Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	number := FieldInfo{Key: "BH", Label: "编号", Type: "string", Role: "id_code"}
	if err := template.Check([]FieldInfo{number}); err != nil {
		t.Errorf("without the field: %v", err)
	}
	if err := template.Check(nil); err == nil || !strings.HasPrefix(err.Error(), "第 7 行") {
		t.Errorf("without what is not optional: %v", err)
	}
	for _, name := range []string{"", "欧阳明月"} {
		drawn, _ := page(t, &View{Template: template, Status: "ISSUED", Fields: []Field{{Key: "XM", Label: "姓名", Value: name}, {Key: "BH", Role: "id_code"}}}, Desktop)
		if strings.Contains(drawn, "称呼") != (name != "") || strings.Contains(drawn, ">照片") || !strings.Contains(drawn, "编号") {
			t.Errorf("name %q: %s", name, drawn)
		}
	}
	_, err = Parse([]byte(strings.Replace(text, "photo: true, optional", "seal: true, optional", 1)), nil)
	if err == nil || !strings.Contains(err.Error(), "第 8 行 pages[0].elements[2].optional") {
		t.Errorf("an optional seal: %v", err)
	}
}

// A template's pictures are bounded in number and in memory, however small their files are.
func TestTemplatePicturesAreBounded(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2000, 2000))); err != nil {
		t.Fatal(err)
	}
	assets := map[string][]byte{"a.png": b.Bytes()}
	with := func(pictures int) (*Template, error) {
		return Parse([]byte(small+strings.Repeat("      - {picture: a.png, box: [50, 45, 5, 5]}\n", pictures)), assets)
	}
	template, err := with(mostPictures)
	if err != nil {
		t.Fatal(err)
	}
	if got, most := template.Weight(), 4*assetMostSide*assetMostSide; got == 0 || got > most {
		t.Errorf("a picture of %d bytes takes %d, want at most %d", b.Len(), got, most)
	}
	if _, err := with(mostPictures + 1); err == nil || !strings.Contains(err.Error(), "图片元素合计不超过") {
		t.Errorf("one more: %v", err)
	}
}
