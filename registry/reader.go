package registry

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A reader takes Go values out of YAML nodes. It never guesses: what is not plainly of the wanted type is a fault.
type reader struct{ *faults }

// A member is one key that an object may have.
type member struct {
	name string
	read func(n *yaml.Node, path string)
}

// object reads a mapping, key by key. Unknown and repeated keys are faults.
func (r reader) object(n *yaml.Node, path string, members ...member) {
	if !r.is(n, path, yaml.MappingNode) {
		return
	}
	seen := make([]int, len(members))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Tag == "!!merge" {
			r.addAt(key.Line, path, "键必须是普通文字，不支持锚点、别名和合并键 <<，请直接写出各键")
			continue
		}
		found := slices.IndexFunc(members, func(m member) bool { return m.name == key.Value })
		switch {
		case found < 0:
			r.unknown(key, value, path, members)
		case seen[found] > 0:
			r.addAt(key.Line, join(path, key.Value), "这个键在第 "+strconv.Itoa(seen[found])+" 行已经写过，请只留一处")
		default:
			seen[found] = key.Line
			members[found].read(value, join(path, key.Value))
		}
	}
}

// unknown notes a key that is not of members. A key without value may be the tail of a password with a comma in it
// ({password: ab,cd}), so it is not repeated.
func (r reader) unknown(key, value *yaml.Node, path string, members []member) {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	all := "可用 " + strings.Join(names, "、")
	if value.Tag == "!!null" && value.Value == "" {
		r.addAt(key.Line, path, "有一个没有值的未知键；若它是前一个值中逗号之后的部分，请给整个值加双引号；"+all)
		return
	}
	near := perhaps(key.Value, names)
	if !fieldKeyShape.MatchString(key.Value) {
		r.addAt(key.Line, path, "未知的键 "+quote(key.Value)+"，"+near+all)
		return
	}
	r.addAt(key.Line, join(path, key.Value), "未知的键，"+near+all)
}

// list reads a sequence; nil when it is none. An element that cannot be read leaves a zero value, so that places match.
func list[T any](r reader, n *yaml.Node, path string, read func(n *yaml.Node, path string) T) []T {
	if !r.is(n, path, yaml.SequenceNode) {
		return nil
	}
	out := []T{}
	for i, one := range n.Content {
		if r.more {
			break
		}
		out = append(out, read(one, path+"["+strconv.Itoa(i)+"]"))
	}
	return out
}

// section is a member that is a list of objects, kept even when empty: present and empty is not absent.
func section[T any](r reader, name string, dst *[]T, read func(n *yaml.Node, path string) T) member {
	return member{name, func(n *yaml.Node, path string) { *dst = list(r, n, path, read) }}
}

// objects is a member that is a list of objects; an empty one is nil.
func objects[T any](r reader, name string, dst *[]T, read func(n *yaml.Node, path string) T) member {
	return member{name, func(n *yaml.Node, path string) {
		if all := list(r, n, path, read); len(all) > 0 {
			*dst = all
		}
	}}
}

// codes is a member that is a list of codes; an empty one is nil.
func (r reader) codes(name string, dst *[]string) member {
	return objects(r, name, dst, func(n *yaml.Node, path string) string {
		var one string
		r.code("", &one).read(n, path)
		return one
	})
}

// text is a member that holds words. A number or true is a fault: quotes were forgotten, and YAML may read more
// into it than was meant.
func (r reader) text(name string, dst *string) member {
	return member{name, func(n *yaml.Node, path string) {
		if !r.is(n, path, yaml.ScalarNode) {
			return
		}
		if n.Tag != "!!str" {
			r.add(path, "应当是文字，请给整个值加双引号")
			return
		}
		*dst = n.Value
	}}
}

// code is a member that holds a code, a date or a name: digits may stand without quotes and are taken as they are
// written, so that 0110 and 1E5 stay what they are.
func (r reader) code(name string, dst *string) member {
	return member{name, func(n *yaml.Node, path string) {
		if !r.is(n, path, yaml.ScalarNode) {
			return
		}
		switch n.Tag {
		case "!!str", "!!int", "!!float", "!!timestamp":
			*dst = n.Value
		default:
			r.add(path, "应当是文字，请给整个值加双引号")
		}
	}}
}

// flag is a member that is true or false.
func (r reader) flag(name string, dst *bool) member {
	return member{name, func(n *yaml.Node, path string) {
		if !r.is(n, path, yaml.ScalarNode) {
			return
		}
		if n.Tag != "!!bool" || (n.Value != "true" && n.Value != "false") {
			r.add(path, "应当是 true 或 false（不加引号）")
			return
		}
		*dst = n.Value == "true"
	}}
}

// state is a flag whose absence means "as it is".
func (r reader) state(name string, dst, given *bool) member {
	m := r.flag(name, dst)
	return member{name, func(n *yaml.Node, path string) {
		*given = true
		m.read(n, path)
	}}
}

// most is the largest number that a file may hold.
const most = 1_000_000_000

// number reads a decimal whole number between 0 and most.
func (r reader) number(name string, set func(int64)) member {
	return member{name, func(n *yaml.Node, path string) {
		if !r.is(n, path, yaml.ScalarNode) {
			return
		}
		value, err := strconv.ParseInt(n.Value, 10, 64)
		if n.Tag != "!!int" || err != nil || value < 0 || value > most || strconv.FormatInt(value, 10) != n.Value {
			r.add(path, "应当是 0 至 1000000000 的十进制整数（不加引号，不带前导 0 和分隔符）")
			return
		}
		set(value)
	}}
}

// kinds names what stands in a file.
var kinds = map[yaml.Kind]string{
	yaml.MappingNode:  "一组“键: 值”",
	yaml.SequenceNode: "列表（每项以 - 开头，或写在 [ ] 中）",
	yaml.ScalarNode:   "单个值",
}

// is reports whether n is of kind, and plain: no alias, anchor or tag of its own, and not without value.
func (r reader) is(n *yaml.Node, path string, kind yaml.Kind) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		r.addAt(n.Line, path, "不支持 YAML 别名（*名称）；若这是值本身，请加双引号，否则请直接写出内容")
	case n.Anchor != "":
		r.addAt(n.Line, path, "不支持 YAML 锚点（&名称）；若这是值的一部分，请加双引号，否则请删去")
	case n.Style&yaml.TaggedStyle != 0:
		r.addAt(n.Line, path, "不支持 YAML 标签（!名称）；若这是值的一部分，请加双引号，否则请删去")
	case n.Tag == "!!null" && kind == yaml.SequenceNode:
		r.addAt(n.Line, path, "没有值；要清空请写 []，要保持原样请删去这个键")
	case n.Tag == "!!null":
		r.addAt(n.Line, path, "没有值；请填写，或删去这个键")
	case n.Kind != kind:
		r.addAt(n.Line, path, "应当是"+kinds[kind]+"，现在是"+kinds[n.Kind])
	default:
		return true
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
