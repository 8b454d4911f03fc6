package policy

import "math/bits"

// A search finds the lines that cover one query. It gathers the keys that there may be before it reads the table, so that the reads
// overlap: in a large policy each takes longer than all the reckoning.
type search struct {
	*index
	department, object, service    named
	departmentsAbove, objectsAbove []uint32
	act                            *act
	field                          bool

	part  int // whose lines are gathered
	keys  [4]key
	spots [4]uint64
	parts [4]uint8
	count int
	// early has, by part and by effect (0 allow, 1 deny), how far the earliest line is from the end of all numbers: 0 for none.
	early [allParts][2]uint32
}

// subject gathers the keys of a subject and its roles.
func (s *search) subject(r *record, subject named) {
	s.holder(r, subject)
	held := uint32(0)
	switch {
	case r.rolesIn == 0 || s.department.id == 0:
		return
	case r.rolesIn == s.department.id:
		held = r.roles
	case r.rolesIn == several:
		held = s.holds[[2]uint32{subject.id, s.department.id}]
	}
	for _, one := range s.held.of(held) {
		id := one >> kindBits
		s.holder(&s.roles[id], named{one, hashOfKind(role, s.roleHashes[id])})
	}
}

// holder gathers the keys of one subject or role, of every shape that it has.
func (s *search) holder(r *record, subject named) {
	acts := [2]uint32{r.allows & s.act.allowed, r.denies & s.act.denied}
	if acts[0]|acts[1] == 0 {
		return
	}
	for shapes := r.shapes; shapes != 0; shapes &= shapes - 1 {
		shape := bits.TrailingZeros32(shapes)
		service := s.service
		if shape&anyService != 0 {
			service = named{}
		} else if service.id == 0 {
			continue
		}
		for written := acts[shape/denies]; written != 0; written &= written - 1 {
			k := key{subject.id, packed(0, uint32(bits.TrailingZeros32(written)), shape&denies != 0), 0, service.id}
			if shape&anyDepartment != 0 {
				s.objects(k, spot(subject.hash, 0, 0, service.hash), shape)
				continue
			}
			within := func(department uint32, hash uint64) {
				if r.department == department || r.department == several {
					k := k
					k.department |= department << departmentShift
					s.objects(k, spot(subject.hash, hash, 0, service.hash), shape)
				}
			}
			if s.department.id != 0 {
				within(s.department.id, s.department.hash)
			}
			for _, department := range s.departmentsAbove {
				within(department, s.departmentHashes[department])
			}
		}
	}
}

// objects gathers a key for each object that a line of the shape may name.
func (s *search) objects(k key, at uint64, shape int) {
	switch {
	case shape&anyObject != 0:
		// To allow, * covers no field.
		if shape&denies != 0 || !s.field {
			s.gather(k, at)
		}
		return
	case shape&groupObject == 0 && s.object.id != 0:
		k.object = s.object.id
		s.gather(k, at+spot(0, 0, s.object.hash, 0))
	}
	for _, object := range s.objectsAbove {
		if object&groupBit != 0 == (shape&groupObject != 0) {
			k.object = object
			s.gather(k, at+spot(0, 0, s.objectHashes[object&^groupBit], 0))
		}
	}
}

func (s *search) gather(k key, at uint64) {
	if s.count == len(s.keys) {
		s.read()
	}
	s.keys[s.count], s.spots[s.count], s.parts[s.count] = k, at, uint8(s.part)
	s.count++
}

// read looks up what was gathered.
func (s *search) read() {
	for i := range s.keys[:s.count] {
		k := &s.keys[i]
		early := &s.early[s.parts[i]][k.department&1]
		*early = max(*early, -s.rules.find(s.spots[i], k))
	}
	s.count = 0
}

// verdicts says what the lines that were found amount to: a deny before an allow.
func (s *search) verdicts() (v [allParts]verdict) {
	for part, early := range s.early {
		if deny := early[1]; deny != 0 {
			v[part] = verdict{effectDeny, -deny - 1}
		} else if allow := early[0]; allow != 0 {
			v[part] = verdict{effectAllow, -allow - 1}
		}
	}
	return v
}
