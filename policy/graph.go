package policy

import (
	"cmp"
	"slices"
)

// An edge is one g, g2 or g3 line by numbers. domain is a g line's department, else 0.
type edge struct{ domain, child, parent, line uint32 }

// A graph is the lines of one kind, by domain, child and place.
type graph []edge

func (g graph) sort() {
	slices.SortFunc(g, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.child, b.child), cmp.Compare(a.line, b.line))
	})
}

// from returns a name's own links, in the order of the lines.
func (g graph) from(domain, child uint32) []edge {
	first, _ := slices.BinarySearchFunc(g, child, func(e edge, child uint32) int {
		return cmp.Or(cmp.Compare(e.domain, domain), cmp.Compare(e.child, child))
	})
	return run(g[first:], domain, child)
}

// run is what of a graph's beginning belongs to one name.
func run(g graph, domain, child uint32) []edge {
	n := 0
	for n < len(g) && g[n].domain == domain && g[n].child == child {
		n++
	}
	return g[:n]
}

// chain returns a shortest way up as places of lines. Among several it follows the earlier lines.
func (g graph) chain(domain, from, to uint32) []uint32 {
	by := map[uint32]edge{from: {}}
	for queue := []uint32{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			var way []uint32
			for name := to; name != from; name = by[name].child {
				way = append(way, by[name].line)
			}
			slices.Reverse(way)
			return way
		}
		for _, e := range g.from(domain, queue[0]) {
			if _, seen := by[e.parent]; !seen {
				by[e.parent] = e
				queue = append(queue, e.parent)
			}
		}
	}
	return nil
}

// heights measures ways up; known remembers.
type heights struct {
	graph
	known map[[2]uint32]int
}

// of is the number of links of the longest way up from a name; more than maxLinks stands for any longer and for circles. room is how
// many links it may follow.
func (h heights) of(domain, name uint32, room int) int {
	if height, ok := h.known[[2]uint32{domain, name}]; ok {
		return height
	}
	height := 0
	for _, e := range h.from(domain, name) {
		if room == 0 {
			return maxLinks + 1
		}
		if height = max(height, h.of(domain, e.parent, room-1)+1); height > maxLinks {
			return height
		}
	}
	h.known[[2]uint32{domain, name}] = height
	return height
}

// sets are lists of numbers, each kept once. Number 0 is the empty one.
type sets struct {
	starts  []uint32 // of each, and where the last ends
	members []uint32
}

func (s *sets) of(id uint32) []uint32 { return s.members[s.starts[id]:s.starts[id+1]] }
