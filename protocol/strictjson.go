package protocol

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth bounds nesting; the outermost object is level 1.
	maxDepth = 32
	// heldDepth is the level of an object that is written as a string: the deepest place where one may stand is
	// data → licenses → row → data_fields. A string can therefore hold nothing that would be too deep in its place.
	heldDepth = 5
	// bytesPerToken and minTokens bound what a body costs in memory: tiny tokens cost far more than they weigh.
	bytesPerToken = 32
	minTokens     = 1 << 16
	// heldTokens are allowed to every object in a string, above what its length allows.
	heldTokens = 512
	// maxNumber bounds the characters of a number.
	maxNumber = 64
)

// reader turns JSON into Go values: string, json.Number, bool, nil, map[string]any, []any. It is strict: one value,
// each name once, UTF-8, no lone surrogates, bounded depth and number of tokens.
type reader struct {
	decoder *jsontext.Decoder
	place   string // what is read, for details: "" is the body
	depth   int    // level at which the outermost value stands
	tokens  int    // how many more may come
}

// maxTokens is the number of tokens that a body of at most limit bytes may have.
func maxTokens(limit int64) int { return int(max(limit/bytesPerToken, minTokens)) }

func newReader(text []byte, place string, depth, tokens int) *reader {
	return &reader{decoder: jsontext.NewDecoder(bytes.NewBuffer(text)), place: place, depth: depth, tokens: tokens}
}

// heldObject reads an object that a string holds.
func heldObject(text, place string) (map[string]any, *Failure) {
	v, f := heldValue(text, place)
	if f != nil {
		return nil, f
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, Fail(CodeParameter, place+" 须为 JSON 对象")
	}
	return object, nil
}

// heldValue reads any JSON that a string holds. Its faults are those of a parameter: the body itself was well formed.
func heldValue(text, place string) (any, *Failure) {
	r := newReader([]byte(text), place, heldDepth, heldTokens+len(text)/bytesPerToken)
	v, f := r.value(r.depth)
	if f == nil {
		f = r.end()
	}
	if f != nil && f.Code == CodeMalformed {
		f.Code = CodeParameter
	}
	return v, f
}

// token reads the next token.
func (r *reader) token() (jsontext.Token, *Failure) {
	t, err := r.decoder.ReadToken()
	if err != nil {
		return t, r.fault(err)
	}
	if r.tokens--; r.tokens < 0 {
		return t, Fail(CodeTooLarge, "数据项过多")
	}
	return t, nil
}

// value reads the next value, which stands at the given level.
func (r *reader) value(level int) (any, *Failure) {
	t, f := r.token()
	if f != nil {
		return nil, f
	}
	switch t.Kind() {
	case '{':
		object := map[string]any{}
		return object, r.members(level, func(name string) (f *Failure) {
			object[name], f = r.value(level + 1)
			return f
		})
	case '[':
		return r.list(level)
	case '"':
		return t.String(), nil
	case '0':
		number := t.String()
		if len(number) > maxNumber {
			return nil, Fail(CodeMalformed, r.where()+"中有过长的数字")
		}
		return json.Number(number), nil
	case 't', 'f':
		return t.Bool(), nil
	default:
		return nil, nil
	}
}

// members reads the rest of an object at the given level; read is called for each name and reads its value.
func (r *reader) members(level int, read func(name string) *Failure) *Failure {
	if f := r.deep(level); f != nil {
		return f
	}
	for {
		t, f := r.token()
		if f != nil {
			return f
		}
		if t.Kind() == '}' {
			return nil
		}
		if f := read(t.String()); f != nil {
			return f
		}
	}
}

func (r *reader) list(level int) (any, *Failure) {
	if f := r.deep(level); f != nil {
		return nil, f
	}
	list := []any{}
	for r.decoder.PeekKind() != ']' {
		v, f := r.value(level + 1)
		if f != nil {
			return nil, f
		}
		list = append(list, v)
	}
	_, f := r.token()
	return list, f
}

// skip reads past a value at the given level without keeping it, and is as strict about it.
func (r *reader) skip(level int) *Failure {
	for open := 0; ; {
		t, f := r.token()
		if f != nil {
			return f
		}
		switch t.Kind() {
		case '{', '[':
			if f := r.deep(level + open); f != nil {
				return f
			}
			open++
		case '}', ']':
			open--
		}
		if open == 0 {
			return nil
		}
	}
}

// end refuses whatever follows the outermost value.
func (r *reader) end() *Failure {
	switch _, err := r.decoder.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return r.fault(err)
	}
	return Fail(CodeMalformed, r.where()+"末尾有多余内容")
}

func (r *reader) deep(level int) *Failure {
	if level > maxDepth {
		return Fail(CodeMalformed, r.where()+"嵌套超过 "+strconv.Itoa(maxDepth)+" 层")
	}
	return nil
}

// fault turns an error of the tokenizer into a Failure that repeats nothing of the caller's.
func (r *reader) fault(err error) *Failure {
	var syntax *jsontext.SyntacticError
	if errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax) {
		return Fail(CodeAmbiguous, r.duplicate(syntax.JSONPointer))
	}
	if errors.As(err, &syntax) && syntax.ByteOffset > 0 {
		return Fail(CodeMalformed, fmt.Sprintf("%s第 %d 字节附近有误", r.where(), syntax.ByteOffset))
	}
	return Fail(CodeMalformed, r.where()+"不完整或有误")
}

// duplicate names what stands twice, as far as it consists of names that the standard gives. The last part of p is the
// name that came again.
func (r *reader) duplicate(p jsontext.Pointer) string {
	place, previous := r.place, r.place
	parts := slices.Collect(p.Tokens())
	for i, part := range parts {
		index, err := strconv.Atoi(part)
		switch {
		case (previous == "licenses" || previous == "license_codes") && err == nil && i < len(parts)-1:
			place += fmt.Sprintf(" 第 %d 项的 ", index+1)
		case strings.HasSuffix(previous, "data_fields") || !standardName(part): // the caller's own name
			return strings.TrimSuffix(cmp.Or(place, "请求体"), "的 ") + " 中有重复的成员"
		case place == "" || strings.HasSuffix(place, " "):
			place += part
		default:
			place += "." + part
		}
		previous = part
	}
	return place + " 重复出现"
}

// standardName reports whether a name is that of a member.
func standardName(name string) bool {
	return name == "data" || memberNames[name] || slices.ContainsFunc(operatorTexts, func(t operatorText) bool { return t.name == name })
}

func (r *reader) where() string {
	if r.place == "" {
		return "请求体"
	}
	return r.place + " "
}
