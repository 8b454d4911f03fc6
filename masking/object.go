package masking

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Object returns a copy of data_fields with the hidden members masked, nested objects and arrays included. The
// original is not changed. The rules are those of JSON; what nests too deep is masked whole. Paths have no say: they belong to the
// whole body of an upstream.
func (p *Plan) Object(fields map[string]any) map[string]any {
	if fields == nil {
		return nil
	}
	return p.object(fields, 1)
}

func (p *Plan) object(fields map[string]any, depth int) map[string]any {
	shown := make(map[string]any, len(fields))
	for key, value := range fields {
		if t := p.of(key); t != nil {
			shown[key] = cover{treatment: t}.conceal(value)
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

// text masks what an open string holds, where it holds JSON.
func (p *Plan) text(value string, depth int) string {
	if value == "" || len(p.folded) == 0 {
		return value
	}
	s := streams.Get().(*Stream)
	defer s.Release()
	s.start(p)
	if shown, masked := s.holding(s.within(&s.root), []byte(value), depth, nil); masked {
		return string(shown)
	}
	return value
}

// cover is what hides a value: the treatment, and whether the value is the member itself or lies inside of it.
type cover struct {
	*treatment
	inside bool
	member pictureMember // inside an object
}

func (c cover) mask(text string) string {
	return string(c.scalar(nil, []byte(text), c.inside, c.member))
}

// conceal returns a copy of a hidden value: its shape, and none of its scalars but null.
func (c cover) conceal(value any) any {
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
			shown[i] = cover{c.treatment, true, otherMember}.conceal(v[i])
		}
		return shown
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, member := range v {
			shown[key] = cover{c.treatment, true, pictureMemberOf([]byte(key))}.conceal(member)
		}
		return shown
	}
	if plain, ok := generic(value); ok {
		return c.conceal(plain)
	}
	return string(c.whole(nil, []byte(hidden)))
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
