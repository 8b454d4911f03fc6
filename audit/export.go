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
	Event, Kind, CorrelationID                            string
	WithAttempts                                          bool   // ResponseID selects the attempts of that request too
	After                                                 uint64 // sequences behind it
	About                                                 *About // nil: about anybody
	Limit                                                 int    // the first so many
}

// About selects what is about one holder: records of who asked by the identity number, and of who touched any of the licences. All are
// keyed hashes.
type About struct {
	Identity string
	Licences []string
}

// holds reports whether r is about the holder.
func (a *About) holds(r *Record) bool {
	return slices.Contains(r.Identities, a.Identity) || slices.ContainsFunc(r.Licences, func(l string) bool {
		_, found := slices.BinarySearch(a.Licences, l)
		return found
	})
}

// ErrDamaged says that some of the journal could not be read. Verify says more.
var ErrDamaged = errors.New("audit: journal is damaged")

// Export writes the selected records as JSON lines in order, each in the very bytes that were hashed. It works on a
// running or stopped gateway. What it can read behind damage it writes too, and then returns ErrDamaged with the place
// of the first; it does not check the chain. It reads every record: Search is quicker.
func Export(ctx context.Context, dir string, q Query, w io.Writer) (int, error) {
	written := 0
	err := selectRecords(ctx, disk{}, dir, q, func(_ *Record, payload []byte) error {
		if _, err := w.Write(append(slices.Clip(payload), '\n')); err != nil {
			return fmt.Errorf("writing a record: %w", err)
		}
		written++
		return nil
	})
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("audit: exporting: %w", err)
	}
	return written, err
}

// selectRecords visits the selected records in order.
func selectRecords(ctx context.Context, system fileSystem, dir string, q Query, visit func(r *Record, payload []byte) error) error {
	e := newSelector(system, dir, q, visit)
	return e.run(ctx, e.segment)
}

// selector visits the selected records.
type selector struct {
	system  fileSystem
	dir     string
	query   Query
	visit   func(r *Record, payload []byte) error
	visited int
	next    uint64 // what the next segment starts with, when none is missing
	damaged error
}

func newSelector(system fileSystem, dir string, q Query, visit func(r *Record, payload []byte) error) *selector {
	if q.About != nil { // sorted, to be looked up in
		q.About = &About{Identity: q.About.Identity, Licences: slices.Sorted(slices.Values(q.About.Licences))}
	}
	return &selector{system: system, dir: dir, query: q, visit: visit}
}

// run looks at all segments in order. Where one is missing, and was not deleted past retention, the journal is damaged.
func (e *selector) run(ctx context.Context, look func(ctx context.Context, name string, last bool) error) error {
	names, err := segments(e.system, e.dir)
	if err != nil {
		return err
	}
	gone, _, err := readRetired(e.system, e.dir)
	if err != nil {
		return err
	}
	if e.next = 1; gone != nil {
		e.next = gone.Last + 1
	}
	for i, name := range names {
		if i+1 < len(names) && segmentFirst(names[i+1]) <= e.query.After+1 {
			e.next = segmentFirst(names[i+1])
			continue
		}
		if first := segmentFirst(name); first > e.next {
			e.damage(name, 0, causeMissing(e.next, first-1))
		}
		if err := look(ctx, name, i == len(names)-1); err != nil {
			return err
		}
		if e.full() {
			break
		}
	}
	return e.damaged
}

func (e *selector) full() bool { return e.query.Limit > 0 && e.visited >= e.query.Limit }

func (e *selector) segment(ctx context.Context, name string, last bool) error {
	s, err := openSegment(e.system, e.dir, name)
	if err != nil {
		return err
	}
	return errors.Join(e.scan(ctx, s, last), s.close())
}

func (e *selector) scan(ctx context.Context, s *scanner, last bool) error {
	if s.broken != "" {
		e.damage(s.name, 0, s.broken)
	}
	expected := s.first()
	defer func() { e.next = expected }()
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
			if e.damage(s.name, damage.offset, damage.cause); !s.resume(damage) {
				return nil
			}
			continue
		}
		if err := e.record(s, &f); err != nil {
			return err
		}
		expected = f.sequence() + 1
	}
	return nil
}

// damage keeps the first place.
func (e *selector) damage(name string, offset int64, cause string) {
	if e.damaged == nil {
		e.damaged = fmt.Errorf("%w: %s at %d: %s", ErrDamaged, name, offset, cause)
	}
}

func (e *selector) record(s *scanner, f *frame) error {
	var r Record
	if err := json.Unmarshal(f.payload, &r); err != nil {
		e.damage(s.name, s.offset-int64(f.size()), causeUnreadable)
		return nil
	}
	if !e.query.selects(&r) {
		return nil
	}
	e.visited++
	return e.visit(&r, f.payload)
}

func (q *Query) selects(r *Record) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	holds := func(want string, got []string) bool { return want == "" || slices.Contains(got, want) }
	return r.Sequence > q.After && (q.About == nil || q.About.holds(r)) && (q.Since.IsZero() || !r.Time.Before(q.Since)) &&
		(q.Until.IsZero() || r.Time.Before(q.Until)) &&
		is(q.Department, r.Department) && is(q.App, r.App) && is(q.Account, r.Account) &&
		is(q.Interface, r.Interface) && is(q.Item, r.Item) && (is(q.ResponseID, r.ResponseID) || q.WithAttempts && q.ResponseID == r.AttemptOf) &&
		is(q.Outcome, r.Outcome) && is(q.Event, r.Event) && is(q.Kind, r.Kind) && is(q.CorrelationID, r.CorrelationID) &&
		holds(q.Licence, r.Licences) && holds(q.Identity, r.Identities)
}
