package masking

import "bytes"

// mayBegin are the first bytes of a string that may hold a JSON text worth looking at, behind blanks, a byte order mark or escapes.
var mayBegin = [256]bool{'{': true, '[': true, '\\': true, ' ': true, 0xEF: true}

// mayHold reports whether the inside of a string can hold a JSON text that masking has to look at.
func (s *scanner) mayHold(inside []byte) bool {
	return s.looks && len(inside) > 0 && mayBegin[inside[0]] && (inside[0] != 0xEF || len(inside) < 3 || inside[1] == 0xBB && inside[2] == 0xBF)
}

// edges are what may stand around the JSON in a string.
const edges = "\uFEFF \t\r\n"

// held masks what the inside of an open string of t holds, where it holds JSON. Text that begins like JSON and reads like members, but is not
// JSON to us, might be to somebody else: it is masked whole. All other text is not masked.
func (s *scanner) held(t *text, inside []byte, holds uint8) (shown []byte, masked bool) {
	in := s.within(t)
	if holds&holdsEscape != 0 {
		in.held = appendUnquoted(in.held[:0], inside)
		inside = in.held
	}
	return s.holding(in, inside, t.depth, t.place)
}

// within is the text that stands in a string of t.
func (s *scanner) within(t *text) *text {
	next := 0
	if t != &s.root {
		for s.inner[next] != t {
			next++
		}
		next++
	}
	if next == len(s.inner) {
		s.inner = append(s.inner, new(text))
	}
	return s.inner[next]
}

// holding is held for a value without escapes that stands within depth containers, at place.
func (s *scanner) holding(in *text, value []byte, depth int, place *node) (shown []byte, masked bool) {
	inner := bytes.Trim(value, edges)
	if len(inner) == 0 || inner[0] != '{' && inner[0] != '[' && inner[0] != '"' {
		return nil, false
	}
	mark := s.names.mark()
	s.begin(in, depth, place)
	_, f := s.run(in, inner, true)
	s.names.reset(mark)
	switch {
	case f == sound && in.at == atEnd:
		return in.out, in.hits > 0 && !bytes.Equal(in.out, value)
	case inner[0] != '"' && bytes.IndexByte(inner, '{') >= 0 && bytes.ContainsAny(inner, ":="):
		return append(in.out[:0], hidden...), true
	}
	return nil, false
}
