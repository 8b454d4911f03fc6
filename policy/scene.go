package policy

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// A scene is everybody who may do something in one department, with what they may do there.
type scene struct {
	*layout
	department uint32
	parties    [allParts][]party // in order
	lists      map[int][]answer  // by place in things: what the service items' lists allow
	relisted   map[int]bool      // things about which the lists differ
	listed     actSet            // acts about which the lists differ
	named      map[string][]string
}

// A party is a subject, or all accounts of a department that nothing but their names tells apart.
type party struct {
	members []uint32 // in order
	sources []source
	allows  actSet // acts that some line allows it
	touched actSet // acts about which the sides may differ
	picky   bool   // some line is for certain service items
}

// A source is lines that speak to a party, and on which sides they do.
type source struct {
	*fold
	on sides
}

// An answer is what is allowed for one service item.
type answer struct {
	service uint32
	may     rights
}

// moved reports whether the two sides may differ in a department.
func (l *layout) moved(department uint32) bool {
	for _, links := range l.roles[department] {
		if slices.ContainsFunc(links, func(s strand) bool { return s.on != both }) {
			return true
		}
	}
	return slices.ContainsFunc(l.reaching(department), func(d strand) bool { return d.on != both || l.shaken[d.name] })
}

// reaching returns the departments whose lines hold in one: itself, those above, and *.
func (l *layout) reaching(department uint32) []strand {
	return append(l.departments.above(department), strand{0, both})
}

// scene gathers who may do something in a department.
func (l *layout) scene(department uint32) *scene {
	s := &scene{layout: l, department: department, named: map[string][]string{}}
	reaching := l.reaching(department)
	own := map[uint32][]source{}
	for _, d := range reaching {
		for _, subject := range l.settled[d.name] {
			if _, known := l.parts[subject]; known {
				own[subject] = append(own[subject], source{l.folds[where{subject, d.name}], d.on})
			}
		}
	}
	web, byRoles := l.roles[department], map[string][]uint32{}
	for subject := range web {
		part, known := l.parts[subject]
		if !known {
			continue
		}
		held := web.above(subject)[1:]
		if part == account && own[subject] == nil {
			key := keyOf(held)
			byRoles[key] = append(byRoles[key], subject)
			continue
		}
		own[subject] = append(own[subject], l.ofRoles(held, reaching)...)
	}
	for subject, sources := range own {
		s.join(l.parts[subject], []uint32{subject}, sources)
	}
	for _, members := range byRoles {
		l.sort(members)
		s.join(account, members, l.ofRoles(web.above(members[0])[1:], reaching))
	}
	for _, parties := range s.parties {
		slices.SortFunc(parties, func(a, b party) int { return cmp.Compare(l.rank[a.members[0]], l.rank[b.members[0]]) })
	}
	s.readLists()
	return s
}

// ofRoles are the lines of roles that are held in a department.
func (l *layout) ofRoles(held, reaching []strand) []source {
	var sources []source
	for _, role := range held {
		for _, d := range reaching {
			if f := l.folds[where{role.name, d.name}]; f != nil && role.on&d.on != 0 {
				sources = append(sources, source{f, role.on & d.on})
			}
		}
	}
	return sources
}

// keyOf is the same for the same roles on the same sides.
func keyOf(held []strand) string {
	slices.SortFunc(held, func(a, b strand) int { return int(a.name) - int(b.name) })
	var key []byte
	for _, role := range held {
		key = append(binary.LittleEndian.AppendUint32(key, role.name), byte(role.on))
	}
	return string(key)
}

func (s *scene) join(part int, members []uint32, sources []source) {
	p := party{members: members, sources: sources}
	for _, one := range sources {
		p.allows |= one.allows
		p.touched |= one.touched
		if one.on != both {
			p.touched |= one.says
		}
		p.picky = p.picky || one.only != nil
	}
	if p.allows != 0 {
		s.parties[part] = append(s.parties[part], p)
	}
}

// may says what a party by itself may do with a thing, for a service item or none.
func (p *party) may(t *thing, service uint32) rights {
	var allowed, denied rights
	for _, one := range p.sources {
		for _, object := range t.chain {
			on := one.on & object.on
			said := one.always[object.name]
			allowed, denied = allowed.or(said.allows.on(on)), denied.or(said.denies.on(on))
			if service != 0 && one.only != nil {
				said = one.only[[2]uint32{object.name, service}]
				allowed, denied = allowed.or(said.allows.on(on)), denied.or(said.denies.on(on))
			}
		}
	}
	return allowed.without(denied).and(t.acts.everywhere())
}

// reach are the places in things of what a party could be allowed anything with, in order.
func (p *party) reach() []int {
	if len(p.sources) == 1 {
		return p.sources[0].reach
	}
	var all []int
	for _, one := range p.sources {
		all = append(all, one.reach...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// readLists asks the service items.
func (s *scene) readLists() {
	s.lists, s.relisted = map[int][]answer{}, map[int]bool{}
	for i := range s.parties[serviceItem] {
		p := &s.parties[serviceItem][i]
		code := s.codes[p.members[0]]
		for _, at := range p.reach() {
			may := p.may(&s.things[at], code).and(functionActs.everywhere())
			if may.any() != 0 {
				s.lists[at] = append(s.lists[at], answer{code, may})
			}
			if shifted := may.shifted(); shifted != 0 {
				s.listed |= shifted
				s.relisted[at] = true
			}
		}
	}
}

// together is what an application and an account may do with a thing: for no service item, for those that lines tell apart, in order, and
// for each of all others.
type together struct {
	none, others rights
	some         []answer
}

func (s *scene) together(app, person *party, at int) (j together) {
	t := &s.things[at]
	first, second := app.may(t, 0), person.may(t, 0)
	alike := first.and(second)
	if alike.any() == 0 && !app.picky && !person.picky {
		return j
	}
	// auth always needs a service item, other function calls need none; one that is named must list the item.
	j.none, j.others = alike.without(authAct.everywhere()), alike.without(functionActs.everywhere())
	lists := s.lists[at]
	for _, service := range s.toldApart(app, person, lists) {
		if app.picky {
			first = app.may(t, service)
		}
		if person.picky {
			second = person.may(t, service)
		}
		may := first.and(second)
		var listed rights
		if len(lists) > 0 && lists[0].service == service {
			listed, lists = lists[0].may, lists[1:]
		}
		j.some = append(j.some, answer{service, may.without(functionActs.everywhere()).or(may.and(listed))})
	}
	return j
}

// toldApart are the service items that some line names, in order.
func (s *scene) toldApart(app, person *party, lists []answer) []uint32 {
	var all []uint32
	for _, p := range []*party{app, person} {
		for _, one := range p.sources {
			all = append(all, one.services...)
		}
	}
	for _, list := range lists {
		all = append(all, list.service)
	}
	s.sort(all)
	return slices.Compact(all)
}

// accounts are the names of parties of accounts, by their places, in order. The same parties have the same list.
func (s *scene) accounts(places []int) []string {
	var key []byte
	for _, at := range places {
		key = binary.AppendUvarint(key, uint64(at))
	}
	names, known := s.named[string(key)]
	if !known {
		var members []uint32
		for _, at := range places {
			members = append(members, s.parties[account][at].members...)
		}
		s.sort(members)
		for _, one := range members {
			names = append(names, s.bare(one))
		}
		s.named[string(key)] = names
	}
	return names
}

// bare is a subject's name without its kind.
func (l *layout) bare(subject uint32) string {
	_, name, _ := strings.Cut(l.names[subject], ":")
	return name
}
