package masking

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrWithheld says that a body could not be masked with certainty; nothing of it may leave.
var ErrWithheld = errors.New("masking: body withheld")

// flushAt is how many masked bytes are kept before they are written.
const flushAt = 32 << 10

// JSON copies one JSON text from r to w with the members that the plan hides masked wherever they stand: in objects,
// arrays, and in strings that hold JSON. Malformed JSON, duplicate keys, invalid UTF-8, trailing data and nesting
// beyond 32 are ErrWithheld. w may have been written to by then: the caller buffers.
//
// A hidden string or number becomes the string that Mask gives, a hidden boolean too; null stays null; inside a
// hidden object or array every scalar is masked whole and the keys stay. Blanks between tokens are dropped; numbers
// and strings that are not masked keep their text.
func (p *Plan) JSON(w io.Writer, r io.Reader) error {
	m := &jsonMasker{plan: p, in: jsontext.NewDecoder(r), to: w}
	if err := m.document(0); err != nil {
		return err
	}
	return m.flush()
}

// held masks the JSON in a string and says how many values it masked.
func (p *Plan) held(text string, depth int) (string, int, error) {
	m := &jsonMasker{plan: p, in: jsontext.NewDecoder(strings.NewReader(text))}
	err := m.document(depth)
	return m.out.String(), m.hits, err
}

// jsonMasker copies one JSON text. The tokenizer is strict: RFC 8259 grammar, valid UTF-8, no lone surrogates, no
// duplicate names (RFC 7493).
type jsonMasker struct {
	plan *Plan
	in   *jsontext.Decoder
	out  bytes.Buffer
	to   io.Writer // nil: all stays in out
	hits int
}

// document copies the whole text and refuses anything behind it. depth is that of the string it stands in.
func (m *jsonMasker) document(depth int) error {
	if err := m.value(nil, depth); err != nil {
		return err
	}
	if _, err := m.in.ReadToken(); err != io.EOF {
		return withheld(err, "data after the JSON text")
	}
	return nil
}

// value copies the next value; c hides it, nil does not.
func (m *jsonMasker) value(c *cover, depth int) error {
	if m.to != nil && m.out.Len() >= flushAt {
		if err := m.flush(); err != nil {
			return err
		}
	}
	kind := m.in.PeekKind()
	if kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
		if depth >= deepest {
			return fmt.Errorf("%w: nested deeper than %d", ErrWithheld, deepest)
		}
		return m.container(kind == jsontext.KindBeginObject, c, depth+1)
	}
	raw, err := m.in.ReadValue()
	if err != nil {
		return withheld(err, "not JSON")
	}
	switch {
	case kind == jsontext.KindNull, c == nil && kind != jsontext.KindString:
		m.out.Write(raw)
		return nil
	case kind != jsontext.KindString:
		m.hits++
		return m.string(c.mask(string(raw)))
	}
	plain, err := unquote(raw)
	if err != nil {
		return err
	}
	if c != nil {
		m.hits++
		return m.string(c.mask(plain))
	}
	shown := m.plan.text(plain, depth)
	if shown == plain {
		m.out.Write(raw)
		return nil
	}
	m.hits++
	return m.string(shown)
}

func (m *jsonMasker) container(object bool, c *cover, depth int) error {
	open, end, last := byte('['), byte(']'), jsontext.KindEndArray
	if object {
		open, end, last = '{', '}', jsontext.KindEndObject
	}
	if _, err := m.in.ReadToken(); err != nil {
		return withheld(err, "not JSON")
	}
	m.out.WriteByte(open)
	for first := true; m.in.PeekKind() != last; first = false {
		if !first {
			m.out.WriteByte(',')
		}
		key := ""
		if object {
			raw, err := m.in.ReadValue()
			if err != nil {
				return withheld(err, "not JSON")
			}
			m.out.Write(raw)
			m.out.WriteByte(':')
			if key, err = unquote(raw); err != nil {
				return err
			}
		}
		if err := m.value(m.coverOf(c, object, key), depth); err != nil {
			return err
		}
	}
	if _, err := m.in.ReadToken(); err != nil {
		return withheld(err, "not JSON")
	}
	m.out.WriteByte(end)
	return nil
}

// coverOf returns what hides a member or element of a container that c hides.
func (m *jsonMasker) coverOf(c *cover, object bool, key string) *cover {
	if c != nil {
		deeper := c.within(key)
		return &deeper
	}
	if kind, ok := m.plan.kind(key); ok && object {
		return &cover{kind: kind}
	}
	return nil
}

func (m *jsonMasker) string(value string) error {
	quoted, err := jsontext.AppendQuote(m.out.AvailableBuffer(), value)
	if err != nil {
		return withheld(err, "invalid UTF-8")
	}
	m.out.Write(quoted)
	return nil
}

func (m *jsonMasker) flush() error {
	if _, err := m.out.WriteTo(m.to); err != nil {
		return fmt.Errorf("masking: writing the masked body: %w", err)
	}
	return nil
}

func unquote(raw []byte) (string, error) {
	plain, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", withheld(err, "not JSON")
	}
	return string(plain), nil
}

// withheld says why a body is withheld, by kind and place. The tokenizer's own text quotes the body, so it is dropped;
// an error of the reader is kept.
func withheld(err error, why string) error {
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil, err == io.EOF:
		return fmt.Errorf("%w: %s", ErrWithheld, why)
	case errors.Is(err, jsontext.ErrDuplicateName):
		why = "duplicate member"
	case errors.Is(err, io.ErrUnexpectedEOF):
		why = "cut off"
	case !errors.As(err, &syntax):
		return fmt.Errorf("%w: reading it: %w", ErrWithheld, err)
	}
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: %s near byte %d", ErrWithheld, why, syntax.ByteOffset)
	}
	return fmt.Errorf("%w: %s", ErrWithheld, why)
}
