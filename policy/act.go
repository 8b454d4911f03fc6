package policy

import (
	"maps"
	"slices"
)

// effect is what the lines say to one subject.
type effect uint8

const (
	effectNone effect = iota // no line covers the request
	effectAllow
	effectDeny
)

func (e effect) String() string { return [...]string{"none", allow, deny}[e] }

// writtenActs numbers the acts that a line may name.
var writtenActs = func() map[string]uint32 {
	numbers := map[string]uint32{actAny: 0}
	for i, name := range slices.Sorted(maps.Keys(coverage)) {
		numbers[name] = uint32(i + 1)
	}
	return numbers
}()

// An act is one that a request asks for, with the acts that cover it in a line: bits by their number in writtenActs.
type act struct {
	name     string
	allowed  uint32 // by lines that allow
	denied   uint32 // by lines that deny
	governed bool   // an interface that policy lines decide
	function bool   // a function call: the service item has a say
}

var acts = func() map[string]*act {
	known := map[string]*act{}
	for _, covered := range coverage {
		for _, name := range covered {
			a := &act{name: name, governed: governed[name], function: slices.Contains(Needs["function_call"], name)}
			for written, number := range writtenActs {
				if covers(name, written, allow) {
					a.allowed |= 1 << number
				}
				if covers(name, written, deny) {
					a.denied |= 1 << number
				}
			}
			known[name] = a
		}
	}
	return known
}()

// actsByLength finds acts faster than a map: few names are of one length.
var actsByLength = func() (table [16][]*act) {
	for _, name := range slices.Sorted(maps.Keys(acts)) {
		table[len(name)] = append(table[len(name)], acts[name])
	}
	return table
}()

// actOfRequest returns the act of a name, nil for none.
func actOfRequest(name string) *act {
	if len(name) < len(actsByLength) {
		for _, a := range actsByLength[len(name)] {
			if a.name == name {
				return a
			}
		}
	}
	return nil
}
