package policy

import "slices"

// maxLinks is how many links Casbin's role manager follows from one name (its default). Longer chains are refused,
// since the names beyond would silently lose their rights.
const maxLinks = 10

// maxAbove is how many names may stand above one: with maxLinks it bounds the work of a decision.
const maxAbove = 256

// links is the graph of one kind of g lines: each name's parents, in the order of the lines. It has no cycles.
type links map[string][]string

func (l links) add(child, parent string) { l[child] = append(l[child], parent) }

// chain returns a shortest way up from one name to another, both included, or nil. Among several it follows the
// earlier lines.
func (l links) chain(from, to string) []string {
	cameFrom := map[string]string{from: from}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if name == to {
			way := []string{to}
			for name != from {
				name = cameFrom[name]
				way = append(way, name)
			}
			slices.Reverse(way)
			return way
		}
		for _, parent := range l[name] {
			if _, seen := cameFrom[parent]; !seen {
				cameFrom[parent] = name
				queue = append(queue, parent)
			}
		}
	}
	return nil
}

// above returns every name that a chain from name reaches, name included.
func (l links) above(name string) map[string]bool {
	set := map[string]bool{name: true}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		for _, parent := range l[queue[0]] {
			if !set[parent] {
				set[parent] = true
				queue = append(queue, parent)
			}
		}
	}
	return set
}

// height is the number of links of the longest way up from name. known remembers answers.
func (l links) height(name string, known map[string]int) int {
	if h, ok := known[name]; ok {
		return h
	}
	h := 0
	for _, parent := range l[name] {
		h = max(h, l.height(parent, known)+1)
	}
	known[name] = h
	return h
}
