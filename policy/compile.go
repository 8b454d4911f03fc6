package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrEmpty refuses a policy of which no line allows anything: it would lock everybody out.
var ErrEmpty = errors.New("policy: no line allows anything; an empty policy is refused")

// Compile builds a Decider of one version from lines as Parse and Lines write them. It answers as Reference does,
// from an index, at a cost that does not grow with the lines. A line that comes twice counts once. An empty policy is
// refused with ErrEmpty; malformed lines, links that go in circles, chains of more than maxLinks links and names
// below more than maxAbove others with SyntaxErrors, whose Line is the place in lines.
func Compile(version int64, lines []string) (Decider, error) {
	lines = slices.Clone(lines)
	if x := newIndex(lines); x != nil {
		return &decider{x, version, lines}, nil
	}
	_, err := read(lines)
	if err == nil {
		err = fmt.Errorf("more than %d lines", maxLines)
	}
	return nil, fmt.Errorf("policy: compile version %d: %w", version, err)
}

// Reference builds a Decider that asks Casbin itself. It takes and refuses the same lines as Compile and is held to be right
// where the two differ; it is thousands of times slower.
func Reference(version int64, lines []string) (Decider, error) {
	lines = slices.Clone(lines)
	b, err := read(lines)
	if err != nil {
		return nil, fmt.Errorf("policy: read version %d for Casbin: %w", version, err)
	}
	m, err := newCasbinMatcher(b)
	if err != nil {
		return nil, fmt.Errorf("policy: give version %d to Casbin: %w", version, err)
	}
	return &decider{m, version, lines}, nil
}

// book is a policy's lines taken apart, checked and indexed by what they speak of. Immutable once read.
type book struct {
	rules       []placedRule     // p lines, in order
	roles       map[string]links // g: department → subject → roles
	objects     links            // g2
	departments links            // g3
	mentioned   map[string]bool  // objects and departments of any line
}

// A placedRule remembers its place in the lines, 1-based.
type placedRule struct {
	rule
	place int
}

func read(lines []string) (*book, error) {
	parsed, faults := parseAll(lines)
	b := &book{roles: map[string]links{}, objects: links{}, departments: links{}, mentioned: map[string]bool{}}
	allows := false
	for _, r := range parsed {
		if r.kind == "p" {
			allows = allows || r.members[eftAt] == allow
			b.mentioned[r.members[domAt]], b.mentioned[r.members[objAt]] = true, true
			b.rules = append(b.rules, r)
		} else if !b.link(r.rule) {
			faults = append(faults, &SyntaxError{r.place, 1, "从属关系成环，请删去环上的一行"})
		}
	}
	if faults == nil {
		faults = append(b.tooLong(parsed), b.tooWide(parsed)...)
	}
	if faults != nil {
		return nil, faults
	}
	if !allows {
		return nil, ErrEmpty
	}
	return b, nil
}

// parseAll takes the lines apart and drops those that come again.
func parseAll(lines []string) ([]placedRule, SyntaxErrors) {
	var (
		parsed []placedRule
		faults SyntaxErrors
		seen   = map[string]bool{}
	)
	for i, text := range lines {
		r, bad := parseLine(text)
		if bad != nil {
			bad.Line = i + 1
			faults = append(faults, bad)
			continue
		}
		if r.text() != text {
			// What is sealed must be what decides, to the letter; and a name that ends in a blank must not become another's.
			faults = append(faults, &SyntaxError{i + 1, 1, "不是规范写法：成员之间用一个英文逗号加一个空格，成员首尾无空格，写明 allow 或 deny"})
			continue
		}
		if !seen[text] {
			seen[text] = true
			parsed = append(parsed, placedRule{r, i + 1})
		}
	}
	return parsed, faults
}

// graph returns the links that a g, g2 or g3 line belongs to.
func (b *book) graph(r rule) links {
	switch r.kind {
	case "g2":
		return b.objects
	case "g3":
		return b.departments
	}
	department := r.members[2]
	if b.roles[department] == nil {
		b.roles[department] = links{}
	}
	return b.roles[department]
}

// link adds a line's link; false if it would close a circle.
func (b *book) link(r rule) bool {
	graph, child, parent := b.graph(r), r.members[0], r.members[1]
	if graph.chain(parent, child) != nil {
		return false
	}
	graph.add(child, parent)
	for _, name := range r.members {
		b.mentioned[name] = true
	}
	return true
}

// tooLong finds the links that begin a chain longer than Casbin follows.
func (b *book) tooLong(parsed []placedRule) SyntaxErrors {
	var faults SyntaxErrors
	known := map[string]map[string]int{} // kind and department → name → height
	for _, r := range parsed {
		if r.kind == "p" {
			continue
		}
		graph := strings.Join(append([]string{r.kind}, r.members[2:]...), ",")
		if known[graph] == nil {
			known[graph] = map[string]int{}
		}
		if b.graph(r.rule).height(r.members[0], known[graph]) > maxLinks {
			faults = append(faults, &SyntaxError{r.place, 1, fmt.Sprintf("从属关系超过 %d 层，请减少层级", maxLinks)})
		}
	}
	return faults
}

// tooWide finds the links of names that belong to too many others.
func (b *book) tooWide(parsed []placedRule) SyntaxErrors {
	var faults SyntaxErrors
	for _, r := range parsed {
		if r.kind != "p" && len(b.graph(r.rule).above(r.members[0]))-1 > maxAbove {
			faults = append(faults, &SyntaxError{r.place, 1, fmt.Sprintf("所属的上级、分组或角色连同其上级超过 %d 个，请合并", maxAbove)})
		}
	}
	return faults
}
