package policy

import "strings"

// maxLines bounds a policy, so that numbers fit the tables.
const maxLines = 1 << 25

// builder makes an index. It takes sound lines only and gives up at any other: read then says what is wrong.
type builder struct {
	*index
	// last is the p line before. Most lines begin as their forerunner: what stayed the same is not looked up again.
	last struct {
		members                              [eftAt + 1]string
		kind, class                          int
		subject, department, object, service named
		act                                  uint32
	}
	records [allKinds][]record // by number
	fresh   bool               // the line at hand has a name that none had before
	sound   [4]uint64          // by class of object: the acts and effects that checkP found right
	allows  bool               // a line allows something
}

// Classes of objects. What checkP says of a line hangs on the class, the act and the effect, and on each name by itself.
const (
	anyClass = iota
	itemClass
	fieldClass
	groupClass
)

// newIndex returns nil for lines with a fault, and for lines that allow nothing. It keeps lines.
func newIndex(lines []string) *index {
	if len(lines) > maxLines {
		return nil
	}
	b := builder{index: &index{lines: lines}}
	for _, n := range []*names{&b.subjects[application], &b.subjects[account], &b.subjects[serviceItem], &b.subjects[role], &b.departments, &b.objects} {
		n.grow()
	}
	links := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "g") {
			links++
		}
	}
	b.rules = newRules(len(lines) - links)
	for i, line := range lines {
		if !b.line(line, uint32(i)) {
			return nil
		}
	}
	if !b.allows || !b.link() {
		return nil
	}
	return b.index
}

// line takes up one line as text writes it; false for any other.
func (b *builder) line(line string, at uint32) bool {
	var all [eftAt + 1]string
	kind, rest, more := strings.Cut(line, ", ")
	n := 0
	for ; more; n++ {
		if n == len(all) {
			return false
		}
		all[n], rest, more = strings.Cut(rest, ", ")
	}
	members := all[:n]
	switch {
	case kind == "p" && n == eftAt+1:
		return b.rule(members, at)
	case kind == "g" && n == 3 && checkG(members) == nil:
		kind, child := b.subject(members[0])
		_, parent := b.subject(members[1])
		b.roleGraph = append(b.roleGraph, edge{b.name(&b.departments, members[2]).id, subjectKey(kind, child.id), subjectKey(role, parent.id), at})
		return true
	case kind == "g2" && n == 2 && checkG2(members) == nil:
		child, _ := b.object(members[0])
		parent, _ := b.object(members[1])
		b.objectGraph = append(b.objectGraph, edge{0, child.id, parent.id, at})
		return true
	case kind == "g3" && n == 2 && checkG3(members) == nil:
		b.departmentGraph = append(b.departmentGraph, edge{0, b.name(&b.departments, members[0]).id, b.name(&b.departments, members[1]).id, at})
		return true
	}
	return false
}

// rule takes up a p line.
func (b *builder) rule(members []string, at uint32) bool {
	l := &b.last
	b.fresh = false
	if members[subAt] != l.members[subAt] {
		l.kind, l.subject = b.subject(members[subAt])
	}
	if members[domAt] != l.members[domAt] {
		l.department = b.name(&b.departments, members[domAt])
	}
	if members[objAt] != l.members[objAt] {
		l.object, l.class = b.object(members[objAt])
	}
	if members[actAt] != l.members[actAt] {
		number, known := writtenActs[members[actAt]]
		if !known {
			return false
		}
		l.act = number
	}
	if members[matAt] != l.members[matAt] {
		l.service = b.name(&b.subjects[serviceItem], members[matAt])
	}
	copy(l.members[:], members)
	denying := members[eftAt] == deny
	if !denying && members[eftAt] != allow || l.kind < 0 {
		return false
	}
	if act := packed(0, l.act, denying); b.fresh || b.sound[l.class]>>act&1 == 0 {
		if checkP(members) != nil {
			return false
		}
		b.sound[l.class] |= 1 << act
	}
	b.allows = b.allows || !denying
	b.rules.add(
		spot(hashOfKind(l.kind, l.subject.hash), l.department.hash, l.object.hash, l.service.hash),
		key{subjectKey(l.kind, l.subject.id), packed(l.department.id, l.act, denying), l.object.id, l.service.id}, at+1,
	)
	b.records[l.kind][l.subject.id].note(l.department.id, shapeOf(l.department.id, l.class, l.service.id, denying), l.act)
	return true
}

// shapeOf is the shape of a p line.
func shapeOf(department uint32, class int, service uint32, deny bool) int {
	shape := 0
	if department == 0 {
		shape |= anyDepartment
	}
	switch class {
	case anyClass:
		shape |= anyObject
	case groupClass:
		shape |= groupObject
	}
	if service == 0 {
		shape |= anyService
	}
	if deny {
		shape |= denies
	}
	return shape
}

// note widens what a subject's record says by one line.
func (r *record) note(department uint32, shape int, act uint32) {
	r.shapes |= 1 << shape
	if shape&denies != 0 {
		r.denies |= 1 << act
	} else {
		r.allows |= 1 << act
	}
	if department != 0 {
		r.department = oneOrSeveral(r.department, department)
	}
}

func oneOrSeveral(known, another uint32) uint32 {
	if known == 0 || known == another {
		return another
	}
	return several
}

// name numbers a name; the zero value for *.
func (b *builder) name(n *names, name string) named {
	if name == anyOne {
		return named{}
	}
	one, added := n.add(name)
	b.fresh = b.fresh || added
	return one
}

// subject is a subject's kind and number; kind -1 for what is none.
func (b *builder) subject(name string) (kind int, one named) {
	for kind, prefix := range subjectPrefixes {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			one, added := b.subjects[kind].add(rest)
			b.fresh = b.fresh || added
			b.records[kind] = reach(b.records[kind], one.id)
			return kind, one
		}
	}
	return -1, named{}
}

var subjectPrefixes = [allKinds]string{appPrefix, accountPrefix, servicePrefix, rolePrefix}

// reach lengthens a list so that it has a place for id.
func reach[E any](list []E, id uint32) []E {
	var empty E
	for int(id) >= len(list) {
		list = append(list, empty)
	}
	return list
}

func (b *builder) object(name string) (one named, class int) {
	one = b.name(&b.objects, name)
	switch {
	case one.id == 0:
		return one, anyClass
	case strings.HasPrefix(name, groupPrefix):
		one.id |= groupBit
		return one, groupClass
	case isField(name):
		return one, fieldClass
	}
	return one, itemClass
}
