package policy

import (
	"encoding/binary"
	"slices"
)

// link works out what g, g2 and g3 lines lead to, and tells the names; false if those go in circles, too high or too wide.
func (b *builder) link() bool {
	held, above := newCollection(), newCollection()
	b.holds = map[[2]uint32]uint32{}
	objects, departments := make([]uint32, b.objects.count+1), make([]uint32, b.departments.count+1)
	ok := b.roleGraph.resolve(func(e edge, found []uint32) {
		if kind := int(e.child & (1<<kindBits - 1)); kind != role {
			b.hold(kind, e.child>>kindBits, e.domain, held.number(found))
		}
	}) && b.objectGraph.resolve(func(e edge, found []uint32) {
		objects[e.child&^groupBit] = above.number(found)
	}) && b.departmentGraph.resolve(func(e edge, found []uint32) {
		departments[e.child] = above.number(found)
	})
	if !ok {
		return false
	}
	b.held, b.above = held.sets, above.sets
	b.objects.inform(func(id uint32) uint32 { return objects[id] })
	b.departments.inform(func(id uint32) uint32 { return departments[id] })
	b.departmentHashes, b.objectHashes, b.roleHashes = b.departments.hashes(), b.objects.hashes(), b.subjects[role].hashes()
	b.profile()
	return true
}

// profile gathers the records that differ, and tells the subjects which is theirs.
func (b *builder) profile() {
	b.profiles, b.roles = []record{{}}, b.records[role]
	known := map[record]uint32{{}: 0}
	for part := range allParts {
		records := reach(b.records[part], b.subjects[part].count)
		b.subjects[part].inform(func(id uint32) uint32 {
			number, ok := known[records[id]]
			if !ok {
				number = uint32(len(b.profiles))
				known[records[id]] = number
				b.profiles = append(b.profiles, records[id])
			}
			return number
		})
	}
}

// hold gives a subject its roles in one department.
func (b *builder) hold(kind int, subject, department, roles uint32) {
	r := &b.records[kind][subject]
	key := func(department uint32) [2]uint32 { return [2]uint32{subjectKey(kind, subject), department} }
	if r.rolesIn == 0 {
		r.rolesIn, r.roles = department, roles
		return
	}
	if r.rolesIn != several {
		b.holds[key(r.rolesIn)] = r.roles
		r.rolesIn, r.roles = several, 0
	}
	b.holds[key(department)] = roles
}

// resolve sorts a graph and visits each name that has links with all names above it, in no order.
func (g graph) resolve(visit func(first edge, above []uint32)) bool {
	g.sort()
	h := heights{g, map[[2]uint32]int{}}
	var found []uint32
	for rest := g; len(rest) > 0; {
		own := run(rest, rest[0].domain, rest[0].child)
		rest = rest[len(own):]
		if h.of(own[0].domain, own[0].child, maxLinks) > maxLinks {
			return false
		}
		found = g.above(own, found[:0])
		if len(found) > maxAbove {
			return false
		}
		visit(own[0], found)
	}
	return true
}

// above adds to found every name that ways beginning with links lead to. It stops beyond maxAbove of them.
func (g graph) above(links []edge, found []uint32) []uint32 {
	domain := links[0].domain
	for next := 0; ; next++ {
		for _, e := range links {
			if !slices.Contains(found, e.parent) {
				found = append(found, e.parent)
			}
			if len(found) > maxAbove {
				return found
			}
		}
		if next == len(found) {
			return found
		}
		links = g.from(domain, found[next])
	}
}

// A collection takes up sets.
type collection struct {
	sets
	numbers map[string]uint32 // by members, 4 bytes each
	key     []byte
}

func newCollection() *collection {
	return &collection{sets: sets{starts: []uint32{0, 0}}, numbers: map[string]uint32{"": 0}}
}

// number returns a set's number.
func (c *collection) number(members []uint32) uint32 {
	slices.Sort(members) // the same names are one set
	c.key = c.key[:0]
	for _, member := range members {
		c.key = binary.LittleEndian.AppendUint32(c.key, member)
	}
	if number, known := c.numbers[string(c.key)]; known {
		return number
	}
	c.numbers[string(c.key)] = uint32(len(c.starts) - 1)
	c.members = append(c.members, members...)
	c.starts = append(c.starts, uint32(len(c.members)))
	return uint32(len(c.starts) - 2)
}
