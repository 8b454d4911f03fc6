package policy

import (
	"iter"
	"slices"
)

// A layout has the lines of two versions by subject and department. An index answers one request; a layout is for questions about all of
// them (Differ, Who), for which it says what there is to ask. Names are numbers, from 1, whatever they name; 0 is *, and no service item.
type layout struct {
	numbers map[string]uint32
	names   []string

	folds       map[where]*fold
	settled     map[uint32][]uint32 // department → subjects and roles with lines there
	roles       map[uint32]web      // department → from subjects to roles
	objects     web
	departments web
	shaken      map[uint32]bool // departments with lines about which the sides may differ

	universe
}

// where is whom a fold is about, and in which department.
type where struct{ subject, department uint32 }

// A fold is what the lines of one subject or role in one department, or in *, amount to.
type fold struct {
	always map[uint32]stance    // by object, for any service item
	only   map[[2]uint32]stance // by object and service item

	allows, says actSet   // acts that some line allows, or speaks of
	touched      actSet   // acts about which the sides may differ
	services     []uint32 // that some line names, in order
	reach        []int    // places in things of what allowing lines cover, in order
}

// A stance is what lines say about an object.
type stance struct{ allows, denies rights }

func (f *fold) take(object, service uint32, set actSet, effect string, on sides) {
	key := [2]uint32{object, service}
	s := f.only[key]
	if service == 0 {
		s = f.always[object]
	}
	said := set.everywhere().on(on)
	if effect == allow {
		s.allows = s.allows.or(said)
	} else {
		s.denies = s.denies.or(said)
	}
	switch {
	case service == 0:
		f.always[object] = s
	case f.only == nil:
		f.only = map[[2]uint32]stance{key: s}
	default:
		f.only[key] = s
	}
}

// stances visits everything that is said, by object and service item, in no order.
func (f *fold) stances() iter.Seq2[[2]uint32, stance] {
	return func(yield func([2]uint32, stance) bool) {
		for object, s := range f.always {
			if !yield([2]uint32{object, 0}, s) {
				return
			}
		}
		for key, s := range f.only {
			if !yield(key, s) {
				return
			}
		}
	}
}

// A strand leads to a name above another.
type strand struct {
	name uint32
	on   sides
}

// A web is the links of one kind, by the name below.
type web map[uint32][]strand

func (w web) link(child, parent uint32, on sides) {
	at := slices.IndexFunc(w[child], func(s strand) bool { return s.name == parent })
	if at < 0 {
		w[child] = append(w[child], strand{parent, on})
		return
	}
	w[child][at].on |= on
}

// above returns a name and all above it, each with the sides on which it stands there.
func (w web) above(name uint32) []strand {
	found := []strand{{name, both}}
	for grown := true; grown; {
		grown = false
		for i := 0; i < len(found); i++ {
			for _, s := range w[found[i].name] {
				on := s.on & found[i].on
				at := slices.IndexFunc(found, func(known strand) bool { return known.name == s.name })
				switch {
				case on == 0:
				case at < 0:
					found, grown = append(found, strand{s.name, on}), true
				case on&^found[at].on != 0:
					found[at].on |= on
					grown = true
				}
			}
		}
	}
	return found
}

// newLayout lays out the lines of two versions. Before questions are asked it needs survey, then settle. Versions that follow one another
// mostly begin and end alike: those lines are taken once.
func newLayout(earlier, later []string) *layout {
	l := &layout{
		numbers: map[string]uint32{}, folds: map[where]*fold{}, settled: map[uint32][]uint32{},
		roles: map[uint32]web{}, objects: web{}, departments: web{}, shaken: map[uint32]bool{},
	}
	l.number(anyOne)
	head, tail := 0, 0
	for head < min(len(earlier), len(later)) && earlier[head] == later[head] {
		head++
	}
	l.take(earlier[:head], both)
	earlier, later = earlier[head:], later[head:]
	for tail < min(len(earlier), len(later)) && earlier[len(earlier)-1-tail] == later[len(later)-1-tail] {
		tail++
	}
	l.take(earlier[len(earlier)-tail:], both)
	l.take(earlier[:len(earlier)-tail], before)
	l.take(later[:len(later)-tail], after)
	return l
}

// settle works out what is asked of things and folds again and again.
func (l *layout) settle() {
	moved := map[uint32]bool{} // objects that stand above other things on each side
	for at, t := range l.things {
		for _, s := range t.chain {
			moved[s.name] = moved[s.name] || s.on != both
			if s.name != 0 || t.field == "" {
				l.below[s.name] = append(l.below[s.name], at)
			}
		}
	}
	for at, f := range l.folds {
		for key, s := range f.stances() {
			f.allows |= s.allows.any()
			f.says |= s.allows.any() | s.denies.any()
			f.touched |= s.allows.shifted() | s.denies.shifted()
			if moved[key[0]] {
				f.touched |= s.allows.any() | s.denies.any()
			}
			if s.allows.any() != 0 {
				f.reach = append(f.reach, l.below[key[0]]...)
			}
			if key[1] != 0 {
				f.services = append(f.services, key[1])
			}
		}
		slices.Sort(f.reach)
		f.reach = slices.Compact(f.reach)
		l.sort(f.services)
		f.services = slices.Compact(f.services)
		if f.touched != 0 {
			l.shaken[at.department] = true
		}
	}
}

func (l *layout) number(name string) uint32 {
	n, known := l.numbers[name]
	if !known {
		n = uint32(len(l.names))
		l.numbers[name] = n
		l.names = append(l.names, name)
	}
	return n
}

// take lays out lines that hold on some sides.
func (l *layout) take(lines []string, on sides) {
	for _, line := range lines {
		r := apart(line)
		m := r.members
		first, second := l.number(m[0]), l.number(m[1])
		switch r.kind {
		case "p":
			l.fold(where{first, second}).take(l.number(m[objAt]), l.number(m[matAt]), writtenSets[[2]string{m[actAt], m[eftAt]}], m[eftAt], on)
		case "g":
			department := l.number(m[2])
			if l.roles[department] == nil {
				l.roles[department] = web{}
			}
			l.roles[department].link(first, second, on)
		case "g2":
			l.objects.link(first, second, on)
		case "g3":
			l.departments.link(first, second, on)
		}
	}
}

func (l *layout) fold(at where) *fold {
	f := l.folds[at]
	if f == nil {
		f = &fold{always: map[uint32]stance{}}
		l.folds[at] = f
		l.settled[at.department] = append(l.settled[at.department], at.subject)
	}
	return f
}
