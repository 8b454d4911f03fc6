package masking

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// deepest is how far objects and arrays may nest (domain.md §2), JSON in strings included.
const deepest = 32

// Plan says which members of an object are masked and how. Immutable; safe for concurrent use. The zero Plan hides
// nothing.
type Plan struct {
	hide   map[string]Kind
	folded map[string]Kind // by lower-case key: many readers take CZR and czr for the same member
	clear  []string
}

// Field is a sensitive member of the item's schema.
type Field struct {
	Key  string
	Kind Kind
}

// NewPlan hides fields but for those named in clear. A key given twice with different kinds is masked whole; a name
// in clear that is no sensitive field says nothing.
func NewPlan(fields []Field, clear []string) *Plan {
	p := &Plan{hide: make(map[string]Kind), folded: make(map[string]Kind)}
	for _, f := range fields {
		switch kind, given := p.hide[f.Key]; {
		case slices.Contains(clear, f.Key):
			p.clear = append(p.clear, f.Key)
		case given && kind != f.Kind:
			p.hide[f.Key] = Text
		default:
			p.hide[f.Key] = f.Kind
		}
	}
	slices.Sort(p.clear)
	p.clear = slices.Compact(p.clear)
	for _, key := range p.Masked() {
		lower := strings.ToLower(key)
		if kind, given := p.folded[lower]; given && kind != p.hide[key] {
			p.folded[lower] = Text
		} else {
			p.folded[lower] = p.hide[key]
		}
	}
	return p
}

// kind returns how the member of that key is hidden, whatever the case of its letters; a key shown in clear by its exact name is
// shown.
func (p *Plan) kind(key string) (Kind, bool) {
	if kind, ok := p.hide[key]; ok {
		return kind, true
	}
	if len(p.folded) == 0 || slices.Contains(p.clear, key) {
		return "", false
	}
	kind, ok := p.folded[strings.ToLower(key)]
	return kind, ok
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
// what masking means gets a new version number.
func (p *Plan) Canonical() []byte {
	form := struct {
		Version int         `json:"v"`
		Hide    [][2]string `json:"hide"`
		Clear   []string    `json:"clear"`
	}{Version: 1, Hide: [][2]string{}, Clear: append([]string{}, p.clear...)}
	for _, key := range p.Masked() {
		form.Hide = append(form.Hide, [2]string{key, string(p.hide[key])})
	}
	canonical, err := json.Marshal(form)
	if err != nil {
		panic("masking: encoding a plan: " + err.Error()) // strings and a number always encode
	}
	return canonical
}

// Object returns a copy of data_fields with the hidden members masked, nested objects and arrays included. The
// original is not changed. The rules are those of JSON; what nests too deep is masked whole.
func (p *Plan) Object(fields map[string]any) map[string]any {
	if fields == nil {
		return nil
	}
	return p.object(fields, 1)
}

func (p *Plan) object(fields map[string]any, depth int) map[string]any {
	shown := make(map[string]any, len(fields))
	for key, value := range fields {
		if kind, ok := p.kind(key); ok {
			shown[key] = conceal(cover{kind: kind}, value)
		} else {
			shown[key] = p.reveal(value, depth)
		}
	}
	return shown
}

// reveal copies a value that no key hides.
func (p *Plan) reveal(value any, depth int) any {
	switch v := value.(type) {
	case nil, bool, json.Number, float64, float32, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return v
	case string:
		return p.text(v, depth)
	case map[string]any, []any:
		if depth >= deepest {
			return hidden
		}
		if list, ok := v.([]any); ok {
			shown := make([]any, len(list))
			for i := range list {
				shown[i] = p.reveal(list[i], depth+1)
			}
			return shown
		}
		return p.object(v.(map[string]any), depth+1)
	}
	if plain, ok := generic(value); ok {
		return p.reveal(plain, depth)
	}
	return hidden
}

// cover is what hides a value: its kind, and whether the value is the member itself or lies inside of it.
type cover struct {
	kind   Kind
	inside bool
	member string // inside an object: its key there
}

// within returns the cover of a value one level deeper; member is "" in an array.
func (c cover) within(member string) cover { return cover{kind: c.kind, inside: true, member: member} }

// mask returns what is shown of a scalar, given as text.
func (c cover) mask(text string) string {
	switch {
	case text == "":
		return ""
	case !c.inside:
		return Mask(c.kind, text)
	case c.kind == Photo && c.member == pictureData:
		return placeholder()
	case c.kind == Photo && c.member == pictureSuffix:
		return "png"
	}
	return whole(c.kind, text)
}

// conceal returns a copy of a hidden value: its shape, and none of its scalars but null.
func conceal(c cover, value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		return c.mask(v)
	case float64:
		return c.mask(strconv.FormatFloat(v, 'f', -1, 64))
	case json.Number, bool, float32, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return c.mask(fmt.Sprint(v))
	case []any:
		shown := make([]any, len(v))
		for i := range v {
			shown[i] = conceal(c.within(""), v[i])
		}
		return shown
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, member := range v {
			shown[key] = conceal(c.within(key), member)
		}
		return shown
	}
	if plain, ok := generic(value); ok {
		return conceal(c, plain)
	}
	return whole(c.kind, hidden)
}

// generic turns a value of any other Go type into what its JSON would decode to.
func generic(value any) (any, bool) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var plain any
	return plain, decoder.Decode(&plain) == nil
}

// text masks what a string holds, where it holds JSON. Text that begins like JSON and reads like members, but is not
// JSON to us, might be to somebody else: it is masked whole. All other text is returned as it is.
func (p *Plan) text(value string, depth int) string {
	held := strings.Trim(value, "\uFEFF \t\r\n")
	if len(p.hide) == 0 || held == "" || !strings.Contains(`{["`, held[:1]) {
		return value
	}
	masked, hits, err := p.held(held, depth)
	switch {
	case err == nil && hits == 0:
		return value
	case err == nil:
		return masked
	case held[0] != '"' && strings.Contains(held, "{") && strings.ContainsAny(held, ":="):
		return hidden
	}
	return value
}
