package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Query selects records; zero members select all.
type Query struct {
	Since, Until                                          time.Time // from Since on, before Until
	Department, App, Account, Interface, Item, ResponseID string
	Outcome, Licence, Identity                            string // the latter two as keyed hashes
	Limit                                                 int    // the first so many
}

// ErrDamaged says that some of the journal could not be read. Verify says more.
var ErrDamaged = errors.New("audit: journal is damaged")

// Export writes the selected records as JSON lines in order, each in the very bytes that were hashed. It works on a
// running or stopped gateway. What it can read behind damage it writes too, and then returns ErrDamaged with the place
// of the first; it does not check the chain.
func Export(ctx context.Context, dir string, q Query, w io.Writer) (int, error) {
	e := exporter{system: disk{}, dir: dir, query: q, to: w}
	names, err := segments(e.system, dir)
	if err != nil {
		return 0, fmt.Errorf("audit: exporting: %w", err)
	}
	for i, name := range names {
		if err := e.segment(ctx, name, i == len(names)-1); err != nil {
			return e.written, fmt.Errorf("audit: exporting: %w", err)
		}
		if e.full() {
			break
		}
	}
	return e.written, e.damaged
}

type exporter struct {
	system  fileSystem
	dir     string
	query   Query
	to      io.Writer
	written int
	damaged error
}

func (e *exporter) full() bool { return e.query.Limit > 0 && e.written >= e.query.Limit }

func (e *exporter) segment(ctx context.Context, name string, last bool) error {
	s, err := openSegment(e.system, e.dir, name)
	if err != nil {
		return err
	}
	return errors.Join(e.scan(ctx, s, last), s.close())
}

func (e *exporter) scan(ctx context.Context, s *scanner, last bool) error {
	if s.broken != "" {
		e.damage(s, 0, s.broken)
	}
	expected := s.first()
	for !e.full() {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, damage, err := s.next(expected)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case damage != nil:
			if damage.torn && last {
				return nil
			}
			if e.damage(s, damage.offset, damage.cause); !s.resume(damage) {
				return nil
			}
			continue
		}
		var r Record
		if err := json.Unmarshal(f.payload, &r); err != nil {
			e.damage(s, s.offset-int64(f.size()), causeUnreadable)
		} else if err := e.record(&r, f.payload); err != nil {
			return err
		}
		expected = f.sequence() + 1
	}
	return nil
}

// damage keeps the first place.
func (e *exporter) damage(s *scanner, offset int64, cause string) {
	if e.damaged == nil {
		e.damaged = fmt.Errorf("%w: %s at %d: %s", ErrDamaged, s.name, offset, cause)
	}
}

func (e *exporter) record(r *Record, payload []byte) error {
	if !e.query.selects(r) {
		return nil
	}
	if _, err := e.to.Write(append(slices.Clip(payload), '\n')); err != nil {
		return fmt.Errorf("writing a record: %w", err)
	}
	e.written++
	return nil
}

func (q *Query) selects(r *Record) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	holds := func(want string, got []string) bool { return want == "" || slices.Contains(got, want) }
	return (q.Since.IsZero() || !r.Time.Before(q.Since)) &&
		(q.Until.IsZero() || r.Time.Before(q.Until)) &&
		is(q.Department, r.Department) && is(q.App, r.App) && is(q.Account, r.Account) &&
		is(q.Interface, r.Interface) && is(q.Item, r.Item) && is(q.ResponseID, r.ResponseID) && is(q.Outcome, r.Outcome) &&
		holds(q.Licence, r.Licences) && holds(q.Identity, r.Identities)
}
