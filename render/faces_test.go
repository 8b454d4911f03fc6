package render

import (
	"image"
	"image/color"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// declaredItem is what tests read of examples/licences.yaml.
type declaredItem struct {
	Name   string `yaml:"name"`
	Fields []struct {
		Key, Label, Type, Role, Sensitive string
		Hidden                            bool
	} `yaml:"fields"`
}

// person is what testdata/people.yaml says.
type person struct {
	Holder    string            `yaml:"holder"`
	Issuer    string            `yaml:"issuer"`
	Seal      string            `yaml:"seal"`
	IssueDate string            `yaml:"issue_date"`
	IDCode    string            `yaml:"id_code"`
	Validity  string            `yaml:"validity"`
	Fields    map[string]string `yaml:"fields"`
}

// shippedItems are the items of the shipped templates, in the order of their comments 模板 NAME.
var shippedItems = sync.OnceValues(func() (map[string]declaredItem, error) {
	text, err := os.ReadFile("../examples/licences.yaml")
	if err != nil {
		return nil, err
	}
	var file struct {
		Items []declaredItem `yaml:"items"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	out := map[string]declaredItem{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "# 模板 "); ok {
			out[name] = file.Items[len(out)]
		}
	}
	return out, nil
})

func shippedItem(t testing.TB, name string) declaredItem {
	t.Helper()
	items, err := shippedItems()
	if err != nil {
		t.Fatal(err)
	}
	item, ok := items[name]
	if !ok {
		t.Fatalf("examples/licences.yaml has no item for %s", name)
	}
	return item
}

func (i *declaredItem) infos() (out []FieldInfo) {
	for _, f := range i.Fields {
		out = append(out, FieldInfo{Key: f.Key, Label: f.Label, Type: f.Type, Role: f.Role, Hidden: f.Hidden})
	}
	return out
}

// shipped is a template that travels inside the program, read once.
func shipped(t testing.TB, name string) *Template {
	t.Helper()
	text, ok := ShippedTemplate(name)
	if !ok {
		t.Fatalf("no template %s", name)
	}
	template, err := Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// people are the invented holders of testdata/people.yaml.
func people(t testing.TB) map[string]person {
	t.Helper()
	text, err := os.ReadFile("testdata/people.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]person
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// held is an invented person's licence of a shipped kind, seen in full.
func held(t testing.TB, name string) *View {
	t.Helper()
	item, p := shippedItem(t, name), people(t)[name]
	v := &View{
		Title: item.Name, Status: "ISSUED", Code: "990105202000000A1B", IDCode: p.IDCode, Holder: p.Holder, Issuer: p.Issuer, IssueDate: p.IssueDate,
		Validity: or(p.Validity, p.IssueDate+" 至 长期"), SealCode: p.Seal, QR: coded(t), QRExpires: sample().At.Add(CodeLife), Template: shipped(t, name),
		Viewer: "示例市政务服务中心 王建国", Purpose: "仅用于办理不动产登记业务", At: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC),
	}
	for _, f := range item.Fields {
		if f.Type == "image" {
			v.Photo = jpegFile(t, busts(358, 441, color.RGBA{0xf2, 0xf5, 0xf8, 0xff}, 1))
			if name == "marriage" {
				v.Photo = jpegFile(t, busts(480, 327, color.RGBA{0xb8, 0x1f, 0x2d, 0xff}, 2))
			}
		} else if !f.Hidden {
			v.Fields = append(v.Fields, Field{Key: f.Key, Role: f.Role, Label: f.Label, Value: p.Fields[f.Key]})
		}
	}
	return v
}

// hostileFace puts one text in every field of a shipped kind of licence.
func hostileFace(t testing.TB, name, text string) *View {
	t.Helper()
	v := hostileView(text)
	v.Template, v.SealCode, v.QR = shipped(t, name), text, coded(t)
	item := shippedItem(t, name)
	v.Fields = nil
	for i, f := range item.Fields {
		v.Fields = append(v.Fields, Field{Key: f.Key, Role: f.Role, Label: text, Value: text, Masked: i%2 == 0, Reason: text})
	}
	return v
}

// busts draws people who do not exist: n heads and shoulders before a ground.
func busts(w, h int, ground color.Color, n int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	unit := float64(h)
	for y := range h {
		for x := range w {
			m.Set(x, y, ground)
			for i := range n {
				cx := float64(w) * (float64(i) + 0.5) / float64(n) / unit
				dx, dy := float64(x)/unit-cx, float64(y)/unit
				in := func(ry, cy, rx float64) bool { a, b := dx/rx, (dy-cy)/ry; return a*a+b*b < 1 }
				switch {
				case in(0.19, 0.42, 0.15) && dy > 0.335-dx*dx*2:
					m.Set(x, y, color.RGBA{0xe9, 0xc3, 0xa0, 0xff}) // face
				case in(0.21, 0.40, 0.175) || i == 1 && in(0.32, 0.47, 0.2):
					m.Set(x, y, color.RGBA{0x24, 0x1c, 0x1a, 0xff}) // hair
				case dy > 0.55 && dy < 0.72 && dx > -0.065 && dx < 0.065:
					m.Set(x, y, color.RGBA{0xdd, 0xb2, 0x8e, 0xff}) // neck
				case in(0.42, 1.08, 0.36) && dx > -0.09+(dy-0.68)*0.4 == (dx < 0.09-(dy-0.68)*0.4) && dy < 0.9:
					m.Set(x, y, color.RGBA{0xfa, 0xfa, 0xfa, 0xff}) // shirt
				case in(0.42, 1.08, 0.36):
					m.Set(x, y, color.RGBA{0x2b, 0x35, 0x4c, 0xff}) // coat
				}
			}
		}
	}
	return m
}

func TestShippedTemplates(t *testing.T) {
	t.Parallel()
	if n := len(ShippedTemplates()); n != 8 {
		t.Errorf("%d templates", n)
	}
	for _, name := range ShippedTemplates() {
		item := shippedItem(t, name)
		if err := shipped(t, name).Check(item.infos()); err != nil {
			t.Errorf("%s:\n%v", name, err)
		}
	}
}
