package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Search visits the selected records in order, with the payload in the very bytes that were hashed, which is valid until
// visit returns. It works on a running or stopped gateway, and finds what Export finds: sealed segments by their index,
// where it is whole, the rest by reading. An error of visit ends it and is returned.
//
// An index may be made to hide a record by who can write the folder: VerifyOptions.Indexes finds that, and Export does
// not use them.
func Search(ctx context.Context, dir string, q Query, visit func(r *Record, payload []byte) error) error {
	err := search(ctx, disk{}, dir, q, visit)
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("audit: searching: %w", err)
	}
	return err
}

func search(ctx context.Context, system fileSystem, dir string, q Query, visit func(r *Record, payload []byte) error) error {
	e := newSelector(system, dir, q, visit)
	terms := q.terms()
	return e.run(ctx, func(ctx context.Context, name string, last bool) error {
		return e.searchSegment(ctx, name, terms, last)
	})
}

func (e *selector) searchSegment(ctx context.Context, name string, terms []uint64, last bool) error {
	x, err := readIndex(e.system, e.dir, name)
	switch {
	case errors.Is(err, errIndex):
		return e.segment(ctx, name, last)
	case err != nil:
		return err
	}
	e.next = x.first + uint64(x.records())
	switch {
	case x.records() == 0, !e.query.Since.IsZero() && x.until.Before(e.query.Since), !e.query.Until.IsZero() && !x.since.Before(e.query.Until):
		return nil
	case len(terms) == 0 && e.query.About == nil:
		return e.segment(ctx, name, last)
	}
	hits, err := x.hits(terms, e.query.About)
	if errors.Is(err, errIndex) {
		return e.segment(ctx, name, last)
	}
	if err != nil || len(hits) == 0 {
		return err
	}
	s, err := openSegmentBy(e.system.openCached, e.dir, name)
	if err != nil {
		return err
	}
	return errors.Join(e.readHits(ctx, s, x, hits, last), s.close())
}

// readHits reads the records that an index names. When one is not there, the index is another segment's, or the segment
// is damaged: it is read whole, from where it is.
func (e *selector) readHits(ctx context.Context, s *scanner, x *index, hits []uint32, last bool) error {
	for _, n := range hits {
		if err := ctx.Err(); err != nil || e.full() {
			return err
		}
		f, err := s.frameAt(x.offset(n))
		if err != nil {
			return err
		}
		if f == nil || f.sequence() != x.first+uint64(n) {
			s.seek(x.offset(n))
			return e.scan(ctx, s, last)
		}
		if err := e.record(s, f); err != nil {
			return err
		}
	}
	return nil
}

// frameAt reads the frame at offset; nil: there is none that is whole.
func (s *scanner) frameAt(offset int64) (*frame, error) {
	s.ahead = append(s.ahead[:0], make([]byte, frameFixed)...)
	if _, err := s.file.ReadAt(s.ahead, offset); err != nil {
		return nil, unlessEnd(err)
	}
	size := frameFixed + int(binary.BigEndian.Uint32(s.ahead))
	if _, err := frameSize(s.ahead); err != nil {
		return nil, nil
	}
	s.ahead = append(s.ahead[:0], make([]byte, size)...)
	if _, err := s.file.ReadAt(s.ahead, offset); err != nil {
		return nil, unlessEnd(err)
	}
	f, err := decodeFrame(s.ahead)
	if err != nil {
		return nil, nil
	}
	s.offset = offset + int64(size)
	return &f, nil
}

func unlessEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Reindex makes the indexes of all sealed segments under dir again, also beside a running gateway.
func Reindex(ctx context.Context, dir string) error {
	if err := reindex(ctx, disk{}, dir, ctx.Err, nil); err != nil {
		return fmt.Errorf("audit: making indexes: %w", err)
	}
	return nil
}

// reindex makes indexes: all, or only those that are missing or broken and not in skip. Segments that cannot have one are
// added to skip.
func reindex(ctx context.Context, system fileSystem, dir string, rest func() error, skip map[string]bool) error {
	names, err := segments(system, dir)
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-1)] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if skip != nil {
			switch _, err := readIndex(system, dir, name); {
			case err == nil, skip[name]:
				continue
			case !errors.Is(err, errIndex):
				return err
			}
		}
		made, err := makeIndex(system, dir, name, rest)
		if err != nil {
			return err
		}
		if !made && skip != nil {
			skip[name] = true
		}
	}
	return nil
}
