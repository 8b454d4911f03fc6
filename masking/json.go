package masking

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrWithheld says that a body could not be masked with certainty; nothing more of it may leave.
var ErrWithheld = errors.New("masking: body withheld")

// ErrTooLarge is an ErrWithheld: a value, or a page, that has to be read whole is over the limit.
var ErrTooLarge = fmt.Errorf("%w: over the limit", ErrWithheld)

const (
	// flushAt is how many masked bytes are kept before they are written.
	flushAt = 32 << 10
	// readAt is how much is read at a time.
	readAt = 32 << 10
	// keptRoom is how large a buffer may be that is kept for the next body.
	keptRoom = 256 << 10
)

// JSON copies one JSON text from r to w with the values that the plan hides masked wherever they stand: in objects,
// arrays, and in strings that hold JSON. Malformed JSON, duplicate names, invalid UTF-8, trailing data and nesting
// beyond 32 are ErrWithheld. w may have been written to by then, but never with all of a JSON text.
//
// A hidden string or number becomes the string that Mask gives, a hidden boolean too; null stays null; inside a
// hidden object or array every scalar is masked whole and the names stay. Blanks between tokens are dropped; numbers
// and strings that are not masked keep their text.
func (p *Plan) JSON(w io.Writer, r io.Reader) error {
	s := p.Stream(w, 0)
	defer s.Release()
	for {
		if cap(s.in)-len(s.in) < readAt/2 {
			s.in = append(make([]byte, 0, len(s.in)+max(len(s.in), readAt)), s.in...)
		}
		n, err := r.Read(s.in[len(s.in):cap(s.in)])
		s.in = s.in[:len(s.in)+n]
		if n > 0 {
			if err := s.advance(s.in); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return s.Close()
		case err != nil:
			return fmt.Errorf("%w: reading it: %w", ErrWithheld, err)
		}
	}
}

// Stream masks one JSON text that comes in pieces of any size, as JSON does. What was written to it leaves masked, in the same
// order, as soon as it is certain. Not safe for concurrent use.
type Stream struct {
	scanner
	to    io.Writer
	limit int
	in    []byte // what came and is not judged yet
	seen  int64  // how much was judged
	err   error
}

var streams = sync.Pool{New: func() any { return new(Stream) }}

// Stream returns a stream of the plan that writes to w. limit bounds each value that has to be read whole (a hidden string, a string that may hold
// JSON, a name, a number), bytes; 0 is no limit. The text itself may be of any length. Release the stream after use.
func (p *Plan) Stream(w io.Writer, limit int) *Stream {
	s := streams.Get().(*Stream)
	s.start(p)
	s.to, s.limit, s.seen, s.err = w, limit, 0, nil
	return s
}

// Release gives the stream back; it must not be used any more.
func (s *Stream) Release() {
	s.to, s.plan = nil, nil
	s.in = keep(s.in)
	s.forget()
	streams.Put(s)
}

// keep empties a buffer for the next body. It may hold what somebody may not see, but nobody reads it before it is written over.
func keep(b []byte) []byte {
	if cap(b) > keptRoom {
		return nil
	}
	return b[:0]
}

// Write masks what is certain of b. After an error nothing is written any more.
func (s *Stream) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		piece := rest[:min(len(rest), 2*readAt)]
		rest = rest[len(piece):]
		if len(s.in) > 0 {
			s.in = append(s.in, piece...)
			piece = s.in
		}
		if err := s.advance(piece); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// advance judges as much of window as can be, and keeps the rest.
func (s *Stream) advance(window []byte) error {
	if s.err != nil {
		return s.err
	}
	n, f := s.run(&s.root, window, false)
	s.seen += int64(n)
	if f != sound {
		return s.fail(f)
	}
	s.in = append(s.in[:0], window[n:]...)
	if s.limit > 0 && len(s.in) > s.limit {
		return s.fail(tooLarge)
	}
	// What ends the text waits for Close, so that no part of a bad body is a JSON text.
	if len(s.root.out) >= flushAt && s.root.at != atEnd {
		return s.flush()
	}
	return nil
}

// Close says that the text has come to its end, and writes what is left.
func (s *Stream) Close() error {
	if s.err != nil {
		return s.err
	}
	n, f := s.run(&s.root, s.in, true)
	s.seen += int64(n)
	switch {
	case f != sound:
		return s.fail(f)
	case s.root.at != atEnd:
		return s.fail(cutOff)
	}
	return s.flush()
}

func (s *Stream) flush() error {
	if len(s.root.out) == 0 {
		return nil
	}
	if _, err := s.to.Write(s.root.out); err != nil {
		s.err = fmt.Errorf("masking: writing the masked body: %w", err)
	}
	s.root.out = s.root.out[:0]
	return s.err
}

// fail says why a body is withheld, by kind and place; nothing of it is told.
func (s *Stream) fail(f fault) error {
	s.root.out = s.root.out[:0]
	base := ErrWithheld
	if f == tooLarge {
		base = ErrTooLarge
	}
	s.err = fmt.Errorf("%w: %s near byte %d", base, faultTexts[f], s.seen)
	return s.err
}
