package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Problem is one fault of a platform file. Message is Chinese and says what to do. It never holds a secret, a
// password or an identity number.
type Problem struct {
	Line    int    `json:"line"` // 1-based; 0 when the fault has no place
	Path    string `json:"path"` // e.g. items[0].fields[2].sensitive
	Message string `json:"message"`
}

func (p Problem) String() string {
	var place string
	switch {
	case p.Line > 0 && p.Path != "":
		place = fmt.Sprintf("第 %d 行 %s：", p.Line, p.Path)
	case p.Line > 0:
		place = fmt.Sprintf("第 %d 行：", p.Line)
	case p.Path != "":
		place = p.Path + "："
	}
	return place + p.Message
}

// Problems is every fault found, by line; it is the error of Parse and Check. A file with a great many faults
// has the first hundred listed, and last that there are more.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

const mostProblems = 100

// faults gathers problems: one for each place, and none for what stands inside a place that is faulty as a whole.
type faults struct {
	file   *yaml.Node // root of the file, nil when there is none
	list   Problems
	placed map[string]bool
	more   bool // than mostProblems
}

// add notes a fault of the place that path names, unless that place or one around it has a fault already.
func (f *faults) add(path, message string) {
	for around := path; around != ""; around = parent(around) {
		if f.placed[around] {
			return
		}
	}
	f.addAt(0, path, message)
}

// addAt notes a fault at a line of its own; line 0 stands for the line of path.
func (f *faults) addAt(line int, path, message string) {
	if f.more = len(f.list) >= mostProblems; f.more {
		return
	}
	if f.placed == nil {
		f.placed = map[string]bool{}
	}
	f.placed[path] = true
	if line == 0 {
		line = lineOf(f.file, path)
	}
	f.list = append(f.list, Problem{Line: line, Path: path, Message: message})
}

// object is the path of an object of a section: by its place in the file, or by its key when the section is not in
// the file but was there before.
func (f *faults) object(section string, i int, key string) string {
	if f.file != nil && child(f.file, section) == nil {
		return section + "[" + key + "]"
	}
	return element(section, i)
}

// element is the path of one element of a list.
func element(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// want notes a fault of at.member when message says one.
func (f *faults) want(at, member, message string) {
	if message != "" {
		f.add(join(at, member), message)
	}
}

// wantEach notes a fault of each value of the list at.member that check finds one in, and of each repeated value.
func (f *faults) wantEach(at, member string, list []string, check func(string) string) {
	seen := make(map[string]bool, len(list))
	for i, value := range list {
		message := check(value)
		if message == "" && seen[value] {
			message = "重复，请删去一个"
		}
		seen[value] = true
		if message != "" {
			f.add(element(join(at, member), i), message)
		}
	}
}

// err returns the faults by line, or nil.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Problem) int { return a.Line - b.Line })
	if f.more {
		f.list = append(f.list, Problem{Message: "还有更多错误未列出，请先改正以上各处"})
	}
	return f.list
}

// parent cuts the last step off a path.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return ""
}

// lineOf returns the line of what path names in the file, or of the nearest thing around it that is there; 0 when
// not even its section is.
func lineOf(file *yaml.Node, path string) int {
	last, _ := along(file, path)
	if last == nil {
		return 0
	}
	return last.Line
}

// nodeAt returns what stands at path; nil when it is not there.
func nodeAt(file *yaml.Node, path string) *yaml.Node {
	last, rest := along(file, path)
	if rest != "" {
		return nil
	}
	return last
}

// along follows a path as far as it is there. It returns the last thing on it, nil when there is none, and what is left of the path.
func along(file *yaml.Node, path string) (last *yaml.Node, rest string) {
	for at := file; at != nil && path != ""; {
		step, behind := path, ""
		if end := strings.IndexAny(path[1:], ".["); end >= 0 {
			step, behind = path[:end+1], path[end+1:]
		}
		if at = child(at, step); at != nil {
			last, path = at, behind
		}
	}
	return last, path
}

// child takes one step of a path: name, .name or [index].
func child(n *yaml.Node, step string) *yaml.Node {
	if index, ok := strings.CutPrefix(step, "["); ok {
		i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if err != nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
			return nil
		}
		return n.Content[i]
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == strings.TrimPrefix(step, ".") {
			return n.Content[i+1]
		}
	}
	return nil
}

// quote shows a value of the file, shortened, with nothing in it that a terminal would act on.
func quote(value string) string {
	const longest = 40
	if r := []rune(value); len(r) > longest {
		value = string(r[:longest]) + "…"
	}
	return strconv.Quote(value)
}
