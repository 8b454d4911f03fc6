package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// A universe is what there is to ask about. Who asks, and for which department, is what the registry knows: nobody else can log in.
// Items and service items that only lines name count too, since a foreign upstream may have them. One item stands for all that neither
// knows. There is no need for such a service item: it is allowed no function call, and all else as none is.
type universe struct {
	places   []uint32          // departments, in order
	parts    map[uint32]int    // subject → application, account or service item
	codes    map[uint32]uint32 // a service item as subject → as lines' last member
	services []uint32          // as lines' last member, in order
	things   []thing           // in order, each item before its fields
	below    map[uint32][]int  // object → places in things of what it stands above, or *; fields are not below *
	rank     []uint32          // a name's place in the order of names
}

// A thing is an item or one of its sensitive fields. unmentioned stands for every item that nobody mentions.
type thing struct {
	item, field string
	chain       []strand // the object itself, those above it, and *
	acts        actSet   // that are asked about it
}

// office is what org_admin is asked about.
var office = thing{item: anyOne, chain: []strand{{0, both}}, acts: officeAct}

// survey finds the universe of lines that were taken and of facts. Names that requests can't have are left out.
func (l *layout) survey(facts []Facts) {
	l.universe = universe{parts: map[uint32]int{}, codes: map[uint32]uint32{}, below: map[uint32][]int{}}
	departments, services, items := map[string]bool{}, map[string]bool{}, map[string][]string{unmentioned: nil}
	for _, f := range facts {
		for _, d := range f.Departments {
			departments[d.Code] = true
		}
		for _, a := range f.Applications {
			l.parts[l.number(AppSubject(a.AppKey))] = application
		}
		for _, a := range f.Accounts {
			l.parts[l.number(AccountSubject(a.Account))] = account
		}
		for _, s := range f.ServiceItems {
			services[s.Code] = true
		}
		for _, i := range f.Items {
			items[i.Code] = append(items[i.Code], i.Fields...)
		}
	}
	mention := func(object uint32) {
		name, _, _ := strings.Cut(l.names[object], fieldMark)
		if _, known := items[name]; !known {
			items[name] = nil // a group, or *, is no item's name
		}
	}
	for object := range l.objects {
		mention(object)
	}
	for at, f := range l.folds {
		if code, listed := strings.CutPrefix(l.names[at.subject], servicePrefix); listed {
			services[code] = true
		}
		for key := range f.stances() {
			mention(key[0])
			services[l.names[key[1]]] = true
		}
	}
	for code := range services {
		if isName(code) { // not *
			l.services = append(l.services, l.number(code))
			subject := l.number(ServiceSubject(code))
			l.parts[subject], l.codes[subject] = serviceItem, l.number(code)
		}
	}
	for code := range departments {
		if isName(code) {
			l.places = append(l.places, l.number(code))
		}
	}
	for code, fields := range items {
		if code != unmentioned && !isItem(code) {
			continue
		}
		l.things = append(l.things, l.thing(code, ""))
		slices.Sort(fields)
		for _, field := range slices.Compact(fields) {
			if isItem(field) {
				l.things = append(l.things, l.thing(code, field))
			}
		}
	}
	l.order()
}

// thing says what stands above an item, or one of its fields.
func (l *layout) thing(item, field string) thing {
	t := thing{item: item, field: field, acts: interfaceActs}
	name := item
	if field != "" {
		name, t.acts = item+fieldMark+field, clearAct
	}
	t.chain = append(l.objects.above(l.number(name)), strand{0, both})
	return t
}

// order sorts what was found.
func (l *layout) order() {
	l.rank = make([]uint32, len(l.names))
	sorted := slices.SortedFunc(maps.Values(l.numbers), func(a, b uint32) int { return cmp.Compare(l.names[a], l.names[b]) })
	for i, n := range sorted {
		l.rank[n] = uint32(i)
	}
	l.sort(l.services)
	l.sort(l.places)
	slices.SortFunc(l.things, func(a, b thing) int { return cmp.Or(cmp.Compare(a.item, b.item), cmp.Compare(a.field, b.field)) })
}

// sort puts numbers into the order of their names.
func (l *layout) sort(numbers []uint32) {
	slices.SortFunc(numbers, func(a, b uint32) int { return cmp.Compare(l.rank[a], l.rank[b]) })
}
