package render

import (
	"fmt"
	"os"
	"path/filepath"
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
		Validity: or(p.Validity, p.IssueDate+" 至 长期"), SealCode: p.Seal, QR: modules(33), Template: shipped(t, name),
		Viewer: "示例市政务服务中心 王建国", Purpose: "仅用于办理不动产登记业务", At: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC),
	}
	for _, f := range item.Fields {
		if f.Type == "image" {
			w, h := 358, 441
			if name == "marriage" {
				w, h = 530, 361
			}
			v.Photo = jpegFile(t, portrait(w, h))
		} else if !f.Hidden {
			v.Fields = append(v.Fields, Field{Key: f.Key, Role: f.Role, Label: f.Label, Value: p.Fields[f.Key]})
		}
	}
	return v
}

// modules look like a QR code of n modules; nobody can read them.
func modules(n int) [][]bool {
	out := make([][]bool, n)
	for y := range out {
		out[y] = make([]bool, n)
		for x := range out[y] {
			out[y][x] = (x*x+3*y*y+x*y)%7 < 3
		}
	}
	for _, at := range [][2]int{{0, 0}, {n - 7, 0}, {0, n - 7}} {
		for y := -1; y < 8; y++ {
			for x := -1; x < 8; x++ {
				if px, py := at[0]+x, at[1]+y; px >= 0 && py >= 0 && px < n && py < n {
					ring := max(abs(x-3), abs(y-3))
					out[py][px] = ring < 2 || ring == 3
				}
			}
		}
	}
	return out
}

func abs(n int) int { return max(n, -n) }

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

// TestPictures writes what docs/pictures shows: make pictures.
func TestPictures(t *testing.T) {
	dir := os.Getenv("LICGATE_PICTURES")
	if dir == "" {
		t.Skip("make pictures sets LICGATE_PICTURES to the folder to write to")
	}
	for _, name := range ShippedTemplates() {
		v := held(t, name)
		for i := range v.Fields {
			if v.Fields[i].Role == "holder_identity_num" && name != "driving" {
				f := &v.Fields[i]
				f.Value, f.Masked, v.MaskedNote = f.Value[:6]+"********"+f.Value[14:], true, true
			}
		}
		file := saved(t, v)
		tool(t, "pdftoppm", "-png", "-r", "90", file, filepath.Join(dir, name+"-pdf"))
		if data, err := os.ReadFile(file); err == nil {
			fmt.Println(name, len(data))
		}
	}
}
