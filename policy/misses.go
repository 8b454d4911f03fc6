package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Names of Difference.Member.
const (
	MemberSubject     = "subject"
	MemberServiceItem = "service_item"
	MemberInterface   = "interface"
	MemberItem        = "item"
	MemberDepartment  = "department"
)

// memberOrder says which of two lines with as many differences is nearer: for accounts a role to be given comes first (for applications
// last, which seldom hold one), then what a caller mistakes most easily. Differs has this order, too.
var memberOrder = []string{MemberSubject, MemberServiceItem, MemberInterface, MemberItem, MemberDepartment}

const (
	maxMisses  = 3 // of one part
	maxDiffers = 2 // members of one miss
)

// A Miss is an allowing line that would cover the question if one or two of its members were others. (A deny line may stand against that
// other question all the same.) Lines of other applications and accounts are no misses. A role counts for whom it is meant: for
// applications if some application holds it, for accounts unless only applications do.
type Miss struct {
	Part    string       `json:"part"`    // application, account, service_item
	Subject string       `json:"subject"` // who asked, as policy lines name it
	Line    string       `json:"line"`
	Place   int          `json:"place"` // of Line in the version's lines, from 1
	Differs []Difference `json:"differs"`
}

// A Difference is a member of the question that keeps a line from covering it.
type Difference struct {
	// Member is subject, service_item, interface, item or department. subject: the line is a role's that the subject does not hold in
	// the department.
	Member string `json:"member"`
	Asked  string `json:"asked"`
	// Needed is what the line says: a need stands for its interfaces, a group for its items, a department for those below it, too.
	Needed string `json:"needed"`
}

// misses returns the nearest misses of the open parts, best first, part by part.
func (d *decider) misses(q *query, open [allParts]bool) []Miss {
	if open == [allParts]bool{} {
		return nil
	}
	s := surroundingsOf(q, d.lines)
	var nearest [allParts][]Miss
	for i, line := range d.lines {
		if !strings.HasPrefix(line, "p, ") || !strings.HasSuffix(line, allow) {
			continue
		}
		for part := range open {
			if !open[part] || !s.concerns(part, line) {
				continue
			}
			if differs := s.differs(part, apart(line).members); len(differs) > 0 && len(differs) <= maxDiffers {
				nearest[part] = keep(nearest[part], Miss{parts[part].name, q.subject(part), line, i + 1, differs})
			}
		}
	}
	return slices.Concat(nearest[:]...)
}

// keep puts a miss among the nearest, in order. A line that comes again is no further miss.
func keep(nearest []Miss, m Miss) []Miss {
	if slices.ContainsFunc(nearest, func(known Miss) bool { return known.Line == m.Line }) {
		return nearest
	}
	at, _ := slices.BinarySearchFunc(nearest, m, nearer)
	nearest = slices.Insert(nearest, at, m)
	return nearest[:min(len(nearest), maxMisses)]
}

func nearer(a, b Miss) int {
	rank := func(d Difference) int {
		if a.Part == PartApplication && d.Member == MemberSubject {
			return len(memberOrder)
		}
		return slices.Index(memberOrder, d.Member)
	}
	byRank := func(a, b Difference) int { return cmp.Compare(rank(a), rank(b)) }
	return cmp.Or(cmp.Compare(len(a.Differs), len(b.Differs)), slices.CompareFunc(a.Differs, b.Differs, byRank), cmp.Compare(a.Place, b.Place))
}

// surroundings are what the g, g2 and g3 lines say about a question.
type surroundings struct {
	*query
	departments, objects map[string]bool           // those asked for, and all above
	held                 [allParts]map[string]bool // by part: the subject, and its roles in the department
	meant                [allParts]map[string]bool // by part: the roles that some subject of its kind holds, anywhere
}

func surroundingsOf(q *query, lines []string) *surroundings {
	departments, objects, here, anywhere := links{}, links{}, links{}, links{}
	direct := [allParts]map[string]bool{{}, {}, {}}
	for _, line := range lines {
		kind, _, _ := strings.Cut(line, ",")
		if kind == "p" {
			continue
		}
		members := apart(line).members
		child, parent := members[0], members[1]
		switch {
		case kind == "g3":
			departments.add(child, parent)
			continue
		case kind == "g2":
			objects.add(child, parent)
			continue
		case strings.HasPrefix(child, rolePrefix):
			anywhere.add(child, parent)
		case strings.HasPrefix(child, appPrefix):
			direct[application][parent] = true
		default:
			direct[account][parent] = true
		}
		if members[2] == q.Department {
			here.add(child, parent)
		}
	}
	s := &surroundings{query: q, departments: departments.above(q.Department), objects: objects.above(q.object())}
	for part := range direct {
		s.held[part], s.meant[part] = here.above(q.subject(part)), map[string]bool{}
		for name := range direct[part] {
			maps.Copy(s.meant[part], anywhere.above(name))
		}
	}
	return s
}

// concerns reports whether a p line could be a miss of a part for its subject.
func (s *surroundings) concerns(part int, line string) bool {
	subject, _, _ := strings.Cut(line[len("p, "):], ",")
	switch {
	case s.held[part][subject]:
		return true
	case part == serviceItem:
		return strings.HasPrefix(subject, servicePrefix)
	case !strings.HasPrefix(subject, rolePrefix):
		return false
	}
	return s.meant[part][subject] || part == account && !s.meant[application][subject]
}

// differs returns what keeps a line from covering the question of a part; nil if nothing does, or if nothing that could be asked would help.
func (s *surroundings) differs(part int, line []string) []Difference {
	var all []Difference
	needs := func(member, asked, needed string) { all = append(all, Difference{member, asked, needed}) }
	subject, serviceItemAsked := line[subAt], s.ServiceItem
	switch {
	case s.held[part][subject]:
	case part == serviceItem:
		// Another service item's list: what differs is the service item asked for.
		serviceItemAsked = strings.TrimPrefix(subject, servicePrefix)
		needs(MemberServiceItem, s.ServiceItem, serviceItemAsked)
	default:
		needs(MemberSubject, s.subject(part), subject)
	}
	if line[matAt] != anyOne && line[matAt] != serviceItemAsked {
		if part == serviceItem {
			return nil // a line that covers nothing
		}
		needs(MemberServiceItem, s.ServiceItem, line[matAt])
	}
	if !covers(s.act.name, line[actAt], allow) {
		if !s.couldAsk(part, line[actAt]) {
			return nil
		}
		needs(MemberInterface, s.act.name, line[actAt])
	}
	if line[objAt] != anyOne && !s.objects[line[objAt]] {
		needs(MemberItem, s.object(), line[objAt])
	}
	if line[domAt] != anyOne && !s.departments[line[domAt]] {
		needs(MemberDepartment, s.Department, line[domAt])
	}
	return all
}

// couldAsk reports whether a part is ever asked, with another interface, what a line of this act covers. Fields are asked for with clear alone.
func (s *surroundings) couldAsk(part int, written string) bool {
	for name := range governed {
		if s.act.governed && covers(name, written, allow) && (part != serviceItem || acts[name].function) {
			return true
		}
	}
	return false
}
