package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// ErrRecord says that a record cannot be kept as it is: too large, or with a number that JSON does not have.
var ErrRecord = errors.New("audit: record cannot be kept")

// maxSequenceDigits is room for any sequence.
const maxSequenceDigits = 20

// encoded is a record as JSON with a hole for its sequence: callers encode in parallel, the writer numbers in order.
type encoded struct{ before, after []byte }

// encodeRecord encodes r as node's.
func encodeRecord(r Record, node string) (encoded, error) {
	r.Node, r.Sequence = node, 0
	text, err := encodeJSON(r)
	if err != nil {
		return encoded{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if size := frameFixed + len(text) + maxSequenceDigits; size > maxFrame {
		return encoded{}, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, size, maxFrame)
	}
	hole := bytes.Index(text, []byte(sequenceMember+"0,")) + len(sequenceMember)
	return encoded{before: text[:hole], after: text[hole+1:]}, nil
}

// append writes the record with its sequence.
func (e encoded) append(b []byte, sequence uint64) []byte {
	b = append(b, e.before...)
	b = strconv.AppendUint(b, sequence, 10)
	return append(b, e.after...)
}

// encodeJSON is the one way this package writes JSON: members in the order of the struct, no HTML escapes.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
