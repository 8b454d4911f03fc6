package masking

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// deepest is how far objects and arrays may nest (domain.md §2), JSON in strings included.
const deepest = 32

// Plan says which members of an object are masked and how. Immutable; safe for concurrent use. The zero Plan hides
// nothing.
type Plan struct {
	hide   map[string]*treatment
	folded map[string]*treatment // by folded key: many readers take CZR and czr for the same member
	clear  []string
	rules  *Rules
	// quick finds the ASCII keys by their prints, by open addressing; it is a power of two long and mostly empty, so that most names
	// are known at a glance to be hidden by no key.
	quick []quickKey
	// gate has, by the length of a name, a bit for its first and last letters: what most names fail at.
	gate   [64]uint64
	paths  *node
	listed [][2]string // the paths and their kinds, sorted
	// selected are the elements of pages that are hidden.
	selected []Selected
}

// quickKey is a key with its print and its treatment.
type quickKey struct {
	print
	key string
	*treatment
}

// Field is a sensitive member of the item's schema.
type Field struct {
	Key  string
	Kind Kind
}

// Spec is what a plan is made of.
type Spec struct {
	// Fields are hidden wherever a member of that key stands, but for those named in Clear. A key given twice with different kinds is masked
	// whole; a name in Clear that is no sensitive field says nothing.
	Fields []Field
	Clear  []string
	// Paths are hidden where they lead, whatever Clear says. A place to which a key and a path, or two paths, give different kinds is masked whole.
	Paths []Place
	// Selected are the elements of HTML pages that are hidden.
	Selected []Selected
	// Rules say how much is shown; nil are the defaults.
	Rules *Rules
}

// Place is a path and the kind of what stands there.
type Place struct {
	Path Path
	Kind Kind
}

// Selected is a selector and the kind of what it chooses.
type Selected struct {
	Selector Selector
	Kind     Kind
}

// NewPlan hides fields but for those named in clear.
func NewPlan(fields []Field, clear []string) *Plan { return Spec{Fields: fields, Clear: clear}.Plan() }

// Plan makes the plan.
func (s Spec) Plan() *Plan {
	p := &Plan{hide: make(map[string]*treatment), folded: make(map[string]*treatment), rules: s.Rules, selected: slices.Clone(s.Selected)}
	for _, f := range s.Fields {
		if slices.Contains(s.Clear, f.Key) {
			p.clear = append(p.clear, f.Key)
			continue
		}
		p.add(f.Key, f.Kind)
	}
	for _, place := range s.Paths {
		p.listed = append(p.listed, [2]string{place.Path.text, string(place.Kind)})
		if name, ok := place.Path.anywhere(); ok {
			p.add(name, place.Kind)
			p.clear = slices.DeleteFunc(p.clear, func(key string) bool { return key == name })
			continue
		}
		if p.paths == nil {
			p.paths = new(node)
		}
		p.paths.add(place.Path.steps, p.rules, place.Kind)
	}
	slices.SortFunc(p.listed, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	slices.Sort(p.clear)
	p.clear = slices.Compact(p.clear)
	keys := p.Masked()
	size := 16
	for size < 4*len(keys) {
		size *= 2
	}
	p.quick = make([]quickKey, size)
	for _, key := range keys {
		name := []byte(key)
		folded := string(appendFolded(nil, name))
		p.folded[folded] = p.rules.both(p.folded[folded], p.hide[key].kind)
		if !ascii(name) {
			continue
		}
		print := printOf(name)
		at := print.slot(size)
		for p.quick[at].treatment != nil {
			at = (at + 1) & (size - 1)
		}
		p.quick[at] = quickKey{print, key, p.hide[key]}
		if n := len(name); n > 0 {
			p.gate[n&63] |= 1 << ((uint(name[0]&31) + uint(name[n-1]&31)*5) & 63)
		}
	}
	return p
}

func (p *Plan) add(key string, kind Kind) { p.hide[key] = p.rules.both(p.hide[key], kind) }

// both is how a value is hidden that already is by t, when kind is said of it too.
func (r *Rules) both(t *treatment, kind Kind) *treatment {
	if t != nil && t.kind != kind {
		kind = Text
	}
	return r.treatment(kind)
}

// find returns how the member of that name is hidden, whatever the case of its letters; a key shown in clear by its exact name is
// shown. wide says that the name is not of ASCII characters alone.
func (p *Plan) find(name []byte, print print, wide bool) *treatment {
	if len(p.folded) == 0 {
		return nil
	}
	if !wide {
		if !p.mayHide(name) {
			return nil
		}
		at, alike := print.slot(len(p.quick)), false
		for p.quick[at].treatment != nil {
			q := &p.quick[at]
			if q.print == print && (print.length <= 16 || q.key == string(name)) {
				return q.treatment
			}
			alike = alike || q.folded() == print.folded()
			at = (at + 1) & (len(p.quick) - 1)
		}
		if !alike {
			return nil
		}
	}
	if t, ok := p.hide[string(name)]; ok {
		return t
	}
	for _, key := range p.clear {
		if key == string(name) {
			return nil
		}
	}
	var room [64]byte
	return p.folded[string(appendFolded(room[:0], name))]
}

// mayHide reports whether a key can have an ASCII name, as far as can be seen at a glance.
func (p *Plan) mayHide(name []byte) bool {
	return len(name) == 0 || p.gate[len(name)&63]&(1<<((uint(name[0]&31)+uint(name[len(name)-1]&31)*5)&63)) != 0
}

// of is find for a key of a Go map.
func (p *Plan) of(key string) *treatment {
	name := []byte(key)
	return p.find(name, printOf(name), !ascii(name))
}

// appendFolded appends name so that names which some reader takes for the same are the same: Unicode's simple folding.
func appendFolded(dst, name []byte) []byte {
	for i := 0; i < len(name); {
		c := name[i]
		if c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(name[i:])
		i += size
		if r < 0x2E80 || r > 0x9FFF { // Chinese has no case
			r = foldRune(r)
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// foldRune returns the same for characters that differ in case alone.
func foldRune(r rune) rune {
	r = unicode.ToLower(r)
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return unicode.ToLower(least)
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Masked returns the keys that the plan hides, sorted.
func (p *Plan) Masked() []string { return slices.Sorted(maps.Keys(p.hide)) }

// Hides reports whether the plan hides the member of exactly that key.
func (p *Plan) Hides(key string) bool {
	_, hidden := p.hide[key]
	return hidden
}

// ClearKeys returns the sensitive keys that the plan shows in clear, sorted.
func (p *Plan) ClearKeys() []string { return slices.Clone(p.clear) }

// Canonical returns the plan's canonical bytes, for hashing into the audit record. The form is frozen: a change of
// what masking means gets a new version number. Version 1 knows keys under the default rules; a plan with paths, selectors or other rules
// is of version 2.
func (p *Plan) Canonical() []byte {
	form := struct {
		Version int         `json:"v"`
		Hide    [][2]string `json:"hide"`
		Clear   []string    `json:"clear"`
		Paths   [][2]string `json:"paths,omitempty"`
		HTML    [][2]string `json:"html,omitempty"`
		Rules   [][2]string `json:"rules,omitempty"`
	}{Version: 1, Hide: [][2]string{}, Clear: append([]string{}, p.clear...), Paths: p.listed}
	for _, key := range p.Masked() {
		form.Hide = append(form.Hide, [2]string{key, string(p.hide[key].kind)})
	}
	for _, s := range p.selected {
		form.HTML = append(form.HTML, [2]string{s.Selector.text, string(s.Kind)})
	}
	chosen := p.rules.Chosen()
	for _, kind := range slices.Sorted(maps.Keys(chosen)) {
		form.Rules = append(form.Rules, [2]string{string(kind), chosen[kind]})
	}
	if len(form.Paths)+len(form.HTML)+len(form.Rules) > 0 {
		form.Version = 2
	}
	canonical, err := json.Marshal(form)
	if err != nil {
		panic("masking: encoding a plan: " + err.Error()) // strings and a number always encode
	}
	return canonical
}
