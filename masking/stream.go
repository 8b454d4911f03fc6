package masking

import (
	"bytes"
	"slices"
)

// What comes next in a text.
type state uint8

const (
	atValue   state = iota
	atElement       // behind [: a value or ]
	atMember        // behind {: a name or }
	atName          // behind a comma in an object
	atColon
	atNext   // behind a value in a container
	inString // in a string that is not masked and of which a part has left
	atEnd    // behind the whole text
)

// Members of a hidden picture that are shown otherwise (domain.md §2).
type pictureMember uint8

const (
	otherMember pictureMember = iota
	suffixMember
	dataMember
)

func pictureMemberOf(name []byte) pictureMember {
	switch string(name) {
	case pictureSuffix:
		return suffixMember
	case pictureData:
		return dataMember
	}
	return otherMember
}

// A frame is an open container.
type frame struct {
	object bool
	names  int   // where the names of an object begin
	marks  sieve // of them
	place  *node // where paths have come to
}

// text is a JSON text on its way: the body, or one that stands in a string.
type text struct {
	out  []byte // what is shown
	held []byte // what a string holds, unquoted
	at   state
	// depth is the number of open containers, those around a string included, and base how many are around the string.
	depth, base int
	// What is known of the next value: how it is hidden, where paths have come to.
	hide   *treatment
	place  *node
	member pictureMember
	// covered is the depth of the hidden container that the text is in, by cover; 0 for none.
	covered int
	cover   *treatment
	// hits is how many values were hidden.
	hits int
	// resume is how much of the first token was scanned before, and what it holds.
	resume int
	holds  uint8
}

// scanner masks JSON in one pass. It is strict: RFC 8259 grammar, valid UTF-8, no lone surrogates, no duplicate names (RFC 7493). Its
// buffers stay, so that a body takes no memory once they have grown.
type scanner struct {
	plan   *Plan
	looks  bool // whether the plan hides anything, so that strings may hold what it hides
	root   text
	names  nameSet
	frames [deepest + 1]frame
	inner  []*text // texts in strings, by how many strings they are in
	plain  []byte  // a value or a name without its escapes
	shown  []byte  // what is shown of a value
}

// start makes the scanner ready for a text.
func (s *scanner) start(p *Plan) {
	s.plan, s.looks = p, len(p.folded) > 0 || p.paths != nil
	s.names.reset(nameMark{})
	s.begin(&s.root, 0, p.paths)
	s.root.hide = p.paths.treatment(nil, p.rules)
}

// forget lets go of what is too large to keep.
func (s *scanner) forget() {
	s.names.reset(nameMark{})
	if cap(s.names.hashes) > keptRoom/8 {
		s.names = nameSet{}
	}
	s.plain, s.shown, s.root.out = keep(s.plain), keep(s.shown), keep(s.root.out)
	for _, t := range s.inner {
		t.out, t.held = keep(t.out), keep(t.held)
	}
}

// begin makes t ready for a text that stands within depth containers, at place.
func (s *scanner) begin(t *text, depth int, place *node) {
	*t = text{out: t.out[:0], held: t.held, depth: depth, base: depth, place: place}
}

// run judges the head of window and appends what is shown of it to t.out. It returns how much it judged: all but a token that may go on.
// last says that nothing comes behind window.
func (s *scanner) run(t *text, window []byte, last bool) (int, fault) {
	var (
		i, copied = 0, 0 // what is judged; what of it is in t.out
		at        = t.at
		out       = t.out
		hide      = t.hide // how the next value is hidden
		c         byte
		end       int
		holds     uint8
		f         fault
		print     print
	)
	for i < len(window) {
		c = window[i]
		if c <= ' ' && at != inString {
			if !blank(c) {
				return i, notJSON
			}
			out = append(out, window[copied:i]...)
			for i < len(window) && blank(window[i]) {
				i++
			}
			copied = i
			continue
		}
		switch at {
		case atName:
			goto name
		case atValue:
			goto value
		case atMember:
			if c != '}' {
				goto name
			}
			i++
			at = s.leave(t)
		case atElement:
			if c != ']' {
				goto value
			}
			i++
			at = s.leave(t)
		case atColon:
			if c != ':' {
				return i, notJSON
			}
			i++
			at = atValue
		case atNext:
			object := s.frames[t.depth].object
			switch {
			case c == ',' && object:
				at = atName
			case c == ',':
				at = atValue
				hide = s.element(t)
			case c == '}' && object, c == ']' && !object:
				at = s.leave(t)
			default:
				return i, notJSON
			}
			i++
		case inString:
			if end, _, f = scanString(window, i); f == cutOff {
				i = end
				goto stop
			}
			if f != sound {
				return end, f
			}
			i = end + 1
			at = t.behindValue()
		case atEnd:
			return i, dataBehind
		}
		continue

	name:
		if c != '"' {
			return i, notJSON
		}
		print.length, end = 0, i+1
		if t.resume != 0 {
			end, holds, f = t.scanOn(window, i)
		} else {
			if i <= len(window)-17 {
				print = shortName((*[16]byte)(window[i+1 : i+17]))
				end, holds, f = i+1+print.length, 0, sound
			}
			if print.length == 0 || print.length == 16 {
				print.length = 0
				end, holds, f = scanString(window, end)
			}
		}
		if f != sound {
			goto pause
		}
		if own := &s.frames[t.depth]; print.length > 0 && t.covered == 0 && s.plan.paths == nil && len(s.names.hashes)-own.names < few {
			// As most are: short, and in an object of few names.
			h := print.hash(nil)
			if own.marks.add(h) && slices.Contains(s.names.hashes[own.names:], h) {
				return i, duplicateName
			}
			s.names.hashes = append(s.names.hashes, h)
			if hide = nil; s.plan.mayHide(window[i+1 : end]) {
				hide = s.plan.find(window[i+1:end], print, false)
			}
		} else if hide, f = s.name(t, window[i+1:end], print, holds); f != sound {
			return i, f
		}
		i, at = end+1, atColon
		if i+1 >= len(window) || window[i] != ':' || window[i+1] <= ' ' {
			continue
		}
		i++
		at, c = atValue, window[i]

	value:
		switch {
		case c == '"':
			if t.resume == 0 {
				end, holds, f = scanString(window, i+1)
			} else {
				end, holds, f = t.scanOn(window, i)
			}
			if f == cutOff && hide == nil && end > i+1 && !s.mayHold(window[i+1:end]) {
				i, at = end, inString // a part of it may leave
				continue
			}
			if f != sound {
				goto pause
			}
			switch inside := window[i+1 : end]; {
			case hide != nil && !t.public(hide):
				out = append(out, window[copied:i]...)
				copied = end + 1
				out = s.show(t, out, hide, s.unquoted(inside, holds))
			case hide != nil && !noIdentityIn(inside) || s.mayHold(inside):
				if shown, masked := s.look(t, hide, inside, holds); masked {
					out = append(out, window[copied:i]...)
					copied = end + 1
					out = appendQuoted(out, shown)
				}
			}
			i = end + 1
		case c == '{' || c == '[':
			if t.depth >= deepest {
				return i, tooDeep
			}
			i++
			at, hide = s.enter(t, c == '{', hide)
			continue
		default:
			if c == '-' || digit(c) {
				end, f = scanNumber(window, i)
			} else {
				end, f = scanLiteral(window, i)
			}
			if end == len(window) && !last && f != notJSON {
				f = cutOff // it may go on
			}
			if f != sound {
				end, holds = i, 0
				goto pause
			}
			if hide != nil && c != 'n' && !(t.public(hide) && noIdentityIn(window[i:end])) {
				out = append(out, window[copied:i]...)
				copied = end
				out = s.show(t, out, hide, window[i:end])
			}
			i = end
		}
		at = t.behindValue()
		if at == atNext && i+1 < len(window) && window[i] == ',' && window[i+1] == '"' && s.frames[t.depth].object {
			i++
			at, c = atName, '"'
			goto name
		}
	}
	goto stop

pause: // at the token at i, of which all up to end is scanned: a fault, or it may go on
	if f != cutOff {
		return i, f
	}
	t.resume, t.holds = end-i, holds

stop:
	t.out, t.at, t.hide = append(out, window[copied:i]...), at, hide
	return i, sound
}

// unquoted is what the inside of a checked string says, until the next call.
func (s *scanner) unquoted(inside []byte, holds uint8) []byte {
	if holds&holdsEscape == 0 {
		return inside
	}
	s.plain = appendUnquoted(s.plain[:0], inside)
	return s.plain
}

// scanOn scans the string at i on from where it was left.
func (t *text) scanOn(window []byte, i int) (end int, holds uint8, f fault) {
	end, holds, f = scanString(window, i+t.resume)
	holds |= t.holds
	t.resume, t.holds = 0, 0
	return end, holds, f
}

func (t *text) behindValue() state {
	if t.depth == t.base {
		return atEnd
	}
	return atNext
}

// enter opens a container that hide hides, and says how its first element is hidden.
func (s *scanner) enter(t *text, object bool, hide *treatment) (state, *treatment) {
	if t.depth++; t.covered == 0 && hide != nil {
		t.covered, t.cover = t.depth, hide
	}
	s.frames[t.depth] = frame{object: object, names: len(s.names.hashes), place: t.place}
	if object {
		return atMember, nil
	}
	return atElement, s.element(t)
}

// leave closes the innermost container.
func (s *scanner) leave(t *text) state {
	if own := &s.frames[t.depth]; own.object {
		s.names.close(own.names)
	}
	if t.covered == t.depth {
		t.covered = 0
	}
	t.depth--
	return t.behindValue()
}

// element notes that the next element of an array comes, and says how it is hidden.
func (s *scanner) element(t *text) *treatment {
	t.member, t.place = otherMember, nil
	if t.covered > 0 {
		return t.cover
	}
	if place := s.frames[t.depth].place; place != nil {
		t.place = place.each
	}
	return t.place.treatment(nil, s.plan.rules)
}

// name takes the name of a member, and says how its value is hidden. print is that of a short name, or has no length.
func (s *scanner) name(t *text, name []byte, print print, holds uint8) (*treatment, fault) {
	if print.length == 0 {
		if holds&holdsEscape != 0 {
			if name = s.unquoted(name, holds); !ascii(name) {
				holds |= holdsWide
			}
		}
		print = printOf(name)
	}
	own := &s.frames[t.depth]
	if s.names.add(own.names, &own.marks, print.hash(name)) {
		return nil, duplicateName
	}
	if t.covered > 0 {
		t.member = pictureMemberOf(name)
		return t.cover, sound
	}
	hide := s.plan.find(name, print, holds&holdsWide != 0)
	if s.plan.paths != nil {
		t.place = own.place.member(name)
		hide = t.place.treatment(hide, s.plan.rules)
	}
	return hide, sound
}

// public reports whether a value is public but for the identity numbers in it: not so within a hidden container.
func (t *text) public(hide *treatment) bool { return hide.public && t.covered == 0 }

// look masks what an open string holds: JSON, or identity numbers in a public one.
func (s *scanner) look(t *text, hide *treatment, inside []byte, holds uint8) (shown []byte, masked bool) {
	if s.mayHold(inside) {
		shown, masked = s.held(t, inside, holds)
	}
	if !masked && hide != nil {
		value := s.unquoted(inside, holds)
		s.shown = hide.show(s.shown[:0], value)
		shown, masked = s.shown, !bytes.Equal(s.shown, value)
	}
	if masked {
		t.hits++
	}
	return shown, masked
}

// show appends what is shown of a hidden scalar. No mask has a character that JSON escapes.
func (s *scanner) show(t *text, out []byte, hide *treatment, value []byte) []byte {
	t.hits++
	out = append(out, '"')
	if t.covered == 0 {
		out = hide.show(out, value)
	} else {
		out = hide.scalar(out, value, true, t.member)
	}
	return append(out, '"')
}

// scalar appends what is shown of a value: the member itself or, inside of a hidden object or array, one of its members.
func (t *treatment) scalar(dst, value []byte, inside bool, member pictureMember) []byte {
	switch {
	case !inside:
		return t.show(dst, value)
	case len(value) == 0:
		return dst
	case t.photo && member == dataMember:
		return append(dst, placeholder()...)
	case t.photo && member == suffixMember:
		return append(dst, "png"...)
	}
	return t.whole(dst, value)
}
