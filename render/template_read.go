package render

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"licgate/yamlfault"
)

// A Problem is one fault of a template. Message is Chinese and says what to do.
type Problem struct {
	Line    int    `json:"line"` // 1-based; 0 when the fault has no place
	Path    string `json:"path"` // e.g. pages[0].elements[2].box
	Message string `json:"message"`
}

func (p Problem) String() string {
	place := ""
	if p.Line > 0 {
		place = fmt.Sprintf("第 %d 行", p.Line)
	}
	if place = strings.TrimSpace(place + " " + p.Path); place != "" {
		place += "："
	}
	return place + p.Message
}

// Problems is every fault found, by line; a hundred at most.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

const mostProblems = 100

// faults gathers problems, and knows on which line each path stands.
type faults struct {
	list  Problems
	lines map[string]int
}

func (f *faults) add(path, message string) {
	line, at := 0, path
	for line == 0 && at != "" {
		line = f.lines[at]
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
	f.list = append(f.list, Problem{Line: line, Path: path, Message: message})
}

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Problem) int { return a.Line - b.Line })
	return f.list[:min(len(f.list), mostProblems)]
}

// read takes a declaration out of YAML, strictly: what is not plainly of the wanted type is a fault.
func (f *faults) read(text []byte, into *templateDecl) {
	f.lines = map[string]int{}
	if len(text) > mostYAML {
		f.add("", "模板超过 256 KiB，请精简后重试")
		return
	}
	var file yaml.Node
	source := yamlfault.NewReader(text)
	decoder := yaml.NewDecoder(source)
	if err := decoder.Decode(&file); err != nil {
		if errors.Is(err, io.EOF) {
			f.add("", "文件没有内容")
			return
		}
		line, fault := source.Fault(err)
		f.list = append(f.list, Problem{Line: line, Message: fault})
		return
	}
	if err := decoder.Decode(new(yaml.Node)); err == nil {
		f.add("", "一个文件只能有一个模板，请删去 --- 之后的部分")
		return
	}
	if len(file.Content) != 1 {
		f.add("", "文件没有内容")
		return
	}
	f.value(file.Content[0], "", reflect.ValueOf(into).Elem())
}

// ownReader is a type that reads itself from a node, and says what is wrong with it.
type ownReader interface {
	from(n *yaml.Node) (fault string)
}

func (f *faults) value(n *yaml.Node, path string, into reflect.Value) {
	if path != "" {
		f.lines[path] = n.Line
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		f.add(path, "不支持 YAML 的别名（*）、锚点（&）和标签（!）；若是文字，请加双引号")
		return
	}
	if n.Tag == "!!null" {
		f.add(path, "没有值；请填写或删去这个键。颜色以 # 开头，须加双引号")
		return
	}
	if own, ok := into.Addr().Interface().(ownReader); ok {
		if fault := own.from(n); fault != "" {
			f.add(path, fault)
		}
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		f.value(n, path, into.Elem())
	case reflect.Struct:
		f.object(n, path, into)
	case reflect.Map:
		f.texts(n, path, into)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			f.add(path, "应当是列表（每项以 - 开头，或写在 [ ] 中）")
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
		for i, one := range n.Content {
			f.value(one, path+"["+strconv.Itoa(i)+"]", into.Index(i))
		}
	default:
		f.scalar(n, path, into)
	}
}

func (f *faults) scalar(n *yaml.Node, path string, into reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		f.add(path, "应当是单个值")
		return
	}
	switch into.Kind() {
	case reflect.String:
		if n.Tag != "!!str" {
			f.add(path, "应当是文字，请给整个值加双引号")
			return
		}
		into.SetString(n.Value)
	case reflect.Bool:
		if n.Value != "true" {
			f.add(path, "只能写 true（不加引号）；不需要时请删去这个键")
			return
		}
		into.SetBool(true)
	case reflect.Int:
		v, err := strconv.Atoi(n.Value)
		if n.Tag != "!!int" || err != nil || v < 0 || v > 1000 {
			f.add(path, "应当是 0 至 1000 的整数（不加引号）")
			return
		}
		into.SetInt(int64(v))
	case reflect.Float64:
		v, err := strconv.ParseFloat(n.Value, 64)
		if n.Tag != "!!int" && n.Tag != "!!float" || err != nil || math.IsNaN(v) || math.Abs(v) > 2000 {
			f.add(path, "应当是绝对值不超过 2000 的数（不加引号）")
			return
		}
		into.SetFloat(v)
	}
}

// object reads a mapping into a struct by its yaml tags. Unknown and repeated keys are faults.
func (f *faults) object(n *yaml.Node, path string, into reflect.Value) {
	if n.Kind != yaml.MappingNode {
		f.add(path, "应当是一组“键: 值”")
		return
	}
	members, names := map[string]reflect.Value{}, []string(nil)
	collect(into, members, &names)
	if e, ok := into.Addr().Interface().(*element); ok {
		e.path = path
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		member, known := members[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag != "!!str" || !known:
			f.list = append(f.list, Problem{key.Line, path, "未知的键 " + strconv.Quote(short(key.Value)) + "；可用 " + strings.Join(names, "、")})
		case seen[key.Value]:
			f.lines[at] = key.Line
			f.add(at, "这个键写了两次，请只留一处")
		default:
			seen[key.Value] = true
			f.value(value, at, member)
		}
	}
}

// short is a text of the file as a message shows it.
func short(s string) string {
	const most = 30
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func collect(from reflect.Value, members map[string]reflect.Value, names *[]string) {
	for i := range from.NumField() {
		switch tag := from.Type().Field(i).Tag.Get("yaml"); tag {
		case "":
		case ",inline":
			collect(from.Field(i), members, names)
		default:
			members[tag] = from.Field(i)
			*names = append(*names, tag)
		}
	}
}

func (f *faults) texts(n *yaml.Node, path string, into reflect.Value) {
	if n.Kind != yaml.MappingNode {
		f.add(path, "应当是一组“键: 值”")
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		var value string
		f.value(n.Content[i+1], path+"."+n.Content[i].Value, reflect.ValueOf(&value).Elem())
		into.SetMapIndex(reflect.ValueOf(n.Content[i].Value), reflect.ValueOf(value))
	}
}

// colourDecl is written "#RRGGBB".
type colourDecl struct {
	colour
	given bool
}

func (c *colourDecl) from(n *yaml.Node) string {
	digits, ok := strings.CutPrefix(n.Value, "#")
	v, err := strconv.ParseUint(digits, 16, 24)
	if n.Kind != yaml.ScalarNode || !ok || len(digits) != 6 || err != nil {
		return `颜色应当写成 "#RRGGBB"（加双引号），例如 "#c8161d"`
	}
	c.colour, c.given = colour(v), true
	return ""
}

// sizeDecl is a page's size in millimetres, or its name.
type sizeDecl struct{ w, h float64 }

var sizes = map[string]sizeDecl{
	"A4": {210, 297}, "A4横": {297, 210}, "A5": {148, 210}, "A5横": {210, 148}, "卡片": {85.6, 54},
}

func (s *sizeDecl) from(n *yaml.Node) string {
	fault := "应当是 A4、A4横、A5、A5横、卡片，或 [宽, 高]（毫米，40 至 420）"
	if n.Kind == yaml.ScalarNode {
		named, ok := sizes[n.Value]
		if !ok {
			return fault
		}
		*s = named
		return ""
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) != 2 {
		return fault
	}
	for i, into := range []*float64{&s.w, &s.h} {
		v, err := strconv.ParseFloat(n.Content[i].Value, 64)
		if err != nil || !(v >= pageLeast && v <= pageMost) {
			return fault
		}
		*into = v
	}
	return ""
}
