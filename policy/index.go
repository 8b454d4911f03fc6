package policy

import (
	"math"
	"slices"
	"strings"
)

// Kinds of subjects. Those of requests are numbered as the parts that ask for them; roles come after.
const (
	role     = allParts
	allKinds = role + 1
)

// Bits of a shape: which members of a p line are wildcards, what its object is, and its effect. Sixteen shapes and two effects fill
// 32 bits.
const (
	anyService    = 1
	groupObject   = 2
	anyObject     = 4
	anyDepartment = 8
	denies        = 16
)

// several stands for more than one department.
const several = math.MaxUint32

// A record is what the index knows of a subject, so that it seeks only lines that there may be.
type record struct {
	allows, denies uint32 // acts that its p lines name, by effect
	shapes         uint32 // which shapes those have
	department     uint32 // the one that they name, several, or 0
	rolesIn        uint32 // the department in which it holds roles, several, or 0
	roles          uint32 // the set of roles there
}

// index answers as Casbin does, at a cost that does not grow with the lines: it seeks, for the subject and each of its roles, the
// lines that could cover the request, by all their members at once. Names are numbers, from 1; 0 is * in lines, unknown in requests.
// Never changed once built; it holds no pointers for the garbage collector to follow, but for the lines' text.
type index struct {
	subjects    [allKinds]names // a service item as subject has the number that it has in other lines
	departments names
	objects     names

	rules    rules
	profiles []record // of subjects, each kept once
	roles    []record // of roles, by number
	// hashes of names, by number.
	departmentHashes, objectHashes, roleHashes []uint64
	// holds has the roles of subjects that hold some in several departments: subject and department → set.
	holds map[[2]uint32]uint32
	held  sets // of roles' keys, with those of the roles above
	above sets // of departments and of objects

	lines                                   []string
	roleGraph, objectGraph, departmentGraph graph // for via alone
}

// groupBit marks the number of an object that is a group.
const groupBit = 1 << 31

func (x *index) match(q query) [allParts]verdict {
	services, apps, accounts := &x.subjects[serviceItem], &x.subjects[application], &x.subjects[account]
	name := q.object()
	app, person, service := hashOf(q.App), hashOf(q.Account), hashOf(q.ServiceItem)
	department, object := hashOf(q.Department), hashOf(name)

	// In a large policy each first read of a place takes longer than all the reckoning. So all begin here and overlap: the names,
	// and the lines of the likeliest shapes, for this department, item and service item. These are not relied upon.
	touched := apps.at(app).id | accounts.at(person).id | services.at(service).id | x.departments.at(department).id | x.objects.at(object).id
	for _, at := range [...]int{
		x.rules.pair(spot(hashOfKind(application, app), department, object, service)),
		x.rules.pair(spot(hashOfKind(serviceItem, service), department, object, 0)),
	} {
		touched |= x.rules[at].lines[0] | x.rules[at+1].lines[0]
	}
	if touched == 0 {
		return [allParts]verdict{} // nobody is known
	}

	subjects := [allParts]*entry{apps.seek(app, q.App), accounts.seek(person, q.Account), services.seek(service, q.ServiceItem)}
	hashes := [allParts]uint64{app, person, service}
	in, about := x.departments.seek(department, q.Department), x.objects.seek(object, name)
	s := search{
		index:      x,
		department: named{in.id, department}, departmentsAbove: x.above.of(in.info),
		object: named{about.id, object}, objectsAbove: x.above.of(about.info),
		service: named{subjects[serviceItem].id, service}, act: q.act, field: q.field != "",
	}
	for part, subject := range subjects {
		if q.asked[part] && subject.id != 0 {
			s.part = part
			s.subject(&x.profiles[subject.info], named{subjectKey(part, subject.id), hashOfKind(part, hashes[part])})
		}
	}
	s.read()
	return s.verdicts()
}

// hashOfKind tells subjects of the same name apart.
func hashOfKind(kind int, hash uint64) uint64 { return hash + uint64(kind)<<62 }

// kindBits hold the kind in a subject's key.
const kindBits = 2

// subjectKey tells a subject from those of other kinds.
func subjectKey(kind int, subject uint32) uint32 { return subject<<kindBits | uint32(kind) }

func (x *index) via(q query, part int, line rule) []string {
	department, object := x.departments.find(q.Department), x.objectNumber(q.object())
	var lines []string
	for _, at := range slices.Concat(
		x.roleGraph.chain(department, x.subjectNumber(q.subject(part)), x.subjectNumber(line.members[subAt])),
		x.objectGraph.chain(0, object, x.objectNumber(line.members[objAt])),
		x.departmentGraph.chain(0, department, x.departments.find(line.members[domAt])),
	) {
		lines = append(lines, x.lines[at])
	}
	return lines
}

// subjectNumber is the key of a subject as lines name it.
func (x *index) subjectNumber(name string) uint32 {
	for kind, prefix := range subjectPrefixes {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return subjectKey(kind, x.subjects[kind].find(rest))
		}
	}
	return 0
}

func (x *index) objectNumber(name string) uint32 {
	id := x.objects.find(name)
	if id != 0 && strings.HasPrefix(name, groupPrefix) {
		id |= groupBit
	}
	return id
}
