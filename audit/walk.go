package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// walker reads readable records in order, past damage and gaps, from a sequence on; also beside a running writer. What it
// reads is not checked against the chain: Verify does that.
type walker struct {
	system  fileSystem
	dir     string
	next    uint64 // the sequence to read next
	s       *scanner
	renewed bool // s was looked at anew at its end
}

func (w *walker) close() error {
	if w.s == nil {
		return nil
	}
	s := w.s
	w.s = nil
	return s.close()
}

// read returns the next readable record of at most to, which the writer has confirmed; io.EOF: there is none. Its payload
// is valid until the following call.
func (w *walker) read(ctx context.Context, to uint64) (frame, error) {
	for w.next <= to {
		if err := ctx.Err(); err != nil {
			return frame{}, err
		}
		if w.s == nil {
			if err := w.open(0); err != nil {
				return frame{}, err
			}
		}
		f, damage, err := w.s.next(w.next)
		switch {
		case err == io.EOF || damage != nil && !w.s.resume(damage):
			if err := w.renewOrLeave(); err != nil {
				return frame{}, err
			}
		case err != nil:
			return frame{}, err
		case damage == nil:
			w.renewed = false
			n := f.sequence()
			if n > to { // those before are missing; this one is not yet confirmed
				w.s.seek(w.s.offset - int64(f.size()))
				return frame{}, io.EOF
			}
			if n >= w.next {
				w.next = n + 1
				return f, nil
			}
		}
	}
	return frame{}, io.EOF
}

// renewOrLeave is called at the end of a segment: what was written since it was opened is read too; then the next one.
func (w *walker) renewOrLeave() error {
	w.renewed = !w.renewed
	if w.renewed {
		return w.s.renew()
	}
	before := w.s
	if err := w.open(before.first()); err != nil {
		w.s = before // there may be more later
		return err
	}
	return before.close()
}

// open opens the segment that holds w.next, or else the first behind it; only those that start after count.
func (w *walker) open(after uint64) error {
	for range 3 { // a segment may be packed or retired meanwhile
		names, err := segments(w.system, w.dir)
		if err != nil {
			return err
		}
		name := ""
		for _, candidate := range names {
			if first := segmentFirst(candidate); first > after && (name == "" || first <= w.next) {
				name = candidate
			}
		}
		if name == "" {
			return io.EOF
		}
		s, err := openSegmentBy(w.system.openCached, w.dir, name)
		if !errors.Is(err, fs.ErrNotExist) {
			w.s = s
			return err
		}
	}
	return fmt.Errorf("audit: segments vanish from %s", w.dir)
}

// first is the sequence in the segment's name.
func (s *scanner) first() uint64 { return segmentFirst(strings.TrimSuffix(s.name, packedSuffix)) }

// renew looks at the segment anew from s.offset on.
func (s *scanner) renew() error {
	size, err := s.file.Size()
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.name, err)
	}
	s.size = size
	if need := int(min(size, maxFrame)); s.in.Size() < need {
		s.in = bufio.NewReaderSize(nil, need)
	}
	s.seek(s.offset)
	return nil
}
