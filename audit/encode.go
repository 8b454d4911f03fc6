package audit

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
)

// ErrRecord says that a record cannot be kept as it is: too large, or with a number that JSON does not have.
var ErrRecord = errors.New("audit: record cannot be kept")

// maxSequenceDigits is room for any sequence.
const maxSequenceDigits = 20

// encoded is a record as JSON with a hole for its sequence: callers encode in parallel, the writer numbers in order.
type encoded struct {
	text    []byte
	hole    int
	lenient bool // its caller does not wait
}

// encodings are encoded records to use again.
var encodings = sync.Pool{New: func() any { return &encoded{text: make([]byte, 0, 1024)} }}

// encodeRecord encodes r as node's.
func encodeRecord(r *Record, node string) (*encoded, error) {
	e := encodings.Get().(*encoded)
	text, hole, err := appendRecord(e.text[:0], r, node)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	*e = encoded{text: text, hole: hole}
	if size := frameFixed + len(text) + maxSequenceDigits; size > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, size, maxFrame)
	}
	return e, nil
}

// free gives e back. Nobody may use it any more.
func (e *encoded) free() {
	if cap(e.text) <= 16<<10 {
		encodings.Put(e)
	}
}

// append writes the record with its sequence.
func (e *encoded) append(b []byte, sequence uint64) []byte {
	b = append(b, e.text[:e.hole]...)
	b = strconv.AppendUint(b, sequence, 10)
	return append(b, e.text[e.hole:]...)
}
