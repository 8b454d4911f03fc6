package masking

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Path leads to values of a JSON text: $.rows[*].person.id. It is a small part of RFC 9535: names, every element of an array, and
// $..name for a name anywhere. Names are compared without regard to the case of letters, as keys are. A path leads on into JSON in a string.
type Path struct {
	text  string
	steps []step
}

// A step is to a member, or (each) to every element of an array.
type step struct {
	name   string
	each   bool
	within bool // anywhere below
}

// ParsePath reads a path. The error says what is wrong, and where.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	rest, ok := strings.CutPrefix(text, "$")
	bad := func(why string) (Path, error) {
		return Path{}, fmt.Errorf("masking: path %q, character %d: %s", text, utf8.RuneCountInString(text[:len(text)-len(rest)])+1, why)
	}
	if !ok {
		return bad("a path begins with $")
	}
	if !utf8.ValidString(text) {
		return bad("not UTF-8")
	}
	for rest != "" {
		var s step
		switch {
		case strings.HasPrefix(rest, ".."):
			s.within = true
			s.name, rest = plainName(rest[2:])
			if s.name == "" || len(p.steps) > 0 || rest != "" {
				return bad("$..name stands for itself: a name, nothing before it and nothing behind")
			}
		case rest[0] == '.':
			if s.name, rest = plainName(rest[1:]); s.name == "" {
				return bad("a name is missing; names with other than letters, digits, _ and - are written ['name']")
			}
		case strings.HasPrefix(rest, "[*]"):
			s.each, rest = true, rest[3:]
		case strings.HasPrefix(rest, "['"), strings.HasPrefix(rest, `["`):
			name, after, found := strings.Cut(rest[2:], rest[1:2]+"]")
			if !found || strings.ContainsAny(name, `'"\`) {
				return bad("a quoted name ends with ' and ], and holds no quote and no backslash")
			}
			s.name, rest = name, after
		default:
			return bad("expected .name, ['name'] or [*]")
		}
		if p.steps = append(p.steps, s); len(p.steps) > deepest {
			return bad("more than 32 steps")
		}
	}
	return p, nil
}

// plainName cuts a name that needs no quotes off the head of text.
func plainName(text string) (name, rest string) {
	end := strings.IndexFunc(text, func(r rune) bool {
		return r < utf8.RuneSelf && r != '_' && r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	})
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// anywhere returns the name of $..name.
func (p Path) anywhere() (string, bool) {
	if len(p.steps) == 1 && p.steps[0].within {
		return p.steps[0].name, true
	}
	return "", false
}

// node is a place in a text to which paths lead or through which they go.
type node struct {
	hide    *treatment // nil: nothing ends here
	members map[string]*node
	each    *node
}

func (n *node) add(steps []step, rules *Rules, kind Kind) {
	for _, s := range steps {
		var next *node
		if s.each {
			if n.each == nil {
				n.each = new(node)
			}
			next = n.each
		} else {
			name := string(appendFolded(nil, []byte(s.name)))
			if next = n.members[name]; next == nil {
				next = new(node)
				if n.members == nil {
					n.members = make(map[string]*node)
				}
				n.members[name] = next
			}
		}
		n = next
	}
	n.hide = rules.both(n.hide, kind)
}

// member is where a member of that name leads, nil for nowhere.
func (n *node) member(name []byte) *node {
	if n == nil || len(n.members) == 0 {
		return nil
	}
	var room [64]byte
	return n.members[string(appendFolded(room[:0], name))]
}

// treatment is how what stands here is hidden, when a key says t of it.
func (n *node) treatment(t *treatment, r *Rules) *treatment {
	switch {
	case n == nil || n.hide == nil:
		return t
	case t == nil:
		return n.hide
	}
	return r.both(t, n.hide.kind)
}
