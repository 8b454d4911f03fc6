package policy

import (
	"encoding/binary"
	"slices"
)

// serviceSets write sets of service items (and of none, which counts as one) so that equal sets are equal keys with one list of names.
type serviceSets struct {
	*layout
	names map[string][]string
}

// key writes the set of no service item, if none; of in; and, if rest, of all that are neither in nor out. The lists are in order.
func (s *serviceSets) key(none, rest bool, in, out []uint32) string {
	all := len(s.services)
	size := len(in)
	if rest {
		size = all - len(out)
	}
	// The lesser of the set and what is missing from it is written.
	missing := 2*size > all
	listed := in
	switch {
	case missing && rest:
		listed = out
	case missing:
		listed = s.but(in)
	case rest:
		listed = s.but(out)
	}
	key := make([]byte, 1, 1+4*len(listed))
	if none {
		key[0] |= 1
	}
	if missing {
		key[0] |= 2
	}
	for _, service := range listed {
		key = binary.LittleEndian.AppendUint32(key, service)
	}
	return string(key)
}

// but is every service item but some.
func (s *serviceSets) but(some []uint32) []uint32 {
	var all []uint32
	for _, service := range s.services {
		if len(some) > 0 && some[0] == service {
			some = some[1:]
			continue
		}
		all = append(all, service)
	}
	return all
}

// of are the names of a set, in order: "" for none; * alone for all, none being one.
func (s *serviceSets) of(key string) []string {
	if names, known := s.names[key]; known {
		return names
	}
	var listed []uint32
	for rest := []byte(key[1:]); len(rest) > 0; rest = rest[4:] {
		listed = append(listed, binary.LittleEndian.Uint32(rest))
	}
	if key[0]&2 != 0 {
		listed = s.but(listed)
	}
	var names []string
	if key[0]&1 != 0 {
		names = append(names, "")
	}
	for _, service := range listed {
		names = append(names, s.layout.names[service])
	}
	if len(names) == len(s.services)+1 {
		names = []string{anyOne}
	}
	s.names[key] = slices.Clip(names)
	return names
}

// each visits the acts of which together has some that belong, with the service items for which they do.
func (s *serviceSets) each(j *together, belong func(rights) actSet, visit func(bit int, key string)) {
	none, rest := belong(j.none), belong(j.others)
	any := none | rest
	for _, one := range j.some {
		any |= belong(one.may)
	}
	for bit := range askable {
		if any>>bit&1 == 0 {
			continue
		}
		var in, out []uint32
		for _, one := range j.some {
			if belong(one.may)>>bit&1 != 0 {
				in = append(in, one.service)
			} else {
				out = append(out, one.service)
			}
		}
		visit(bit, s.key(none>>bit&1 != 0, rest>>bit&1 != 0, in, out))
	}
}
