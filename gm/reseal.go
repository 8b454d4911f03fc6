package gm

import (
	"context"
	"errors"
	"fmt"
)

// Value is a sealed value where it is stored.
type Value struct {
	// Cursor orders the values of one place and names this one. It stands in no error.
	Cursor     string
	Department string
	Associated []byte
	Former     [][]byte // older forms of Associated, under which Sealed may have been sealed
	Sealed     []byte
}

// Values are the sealed values of one place, such as a column. Who stores them implements it; safe for use by one Resealing while
// everybody else goes on reading and writing.
type Values interface {
	// Count returns how many values there are, for the progress only.
	Count(ctx context.Context) (int64, error)
	// Next returns up to limit values behind a cursor ("": from the first), by Cursor; none: the end. It may leave out values that are
	// sealed by an active key.
	Next(ctx context.Context, after string, limit int) ([]Value, error)
	// Swap puts each fresh[i] in place of values[i].Sealed, durably, but leaves a value as it is that is no longer values[i].Sealed:
	// whoever changed it sealed it himself.
	Swap(ctx context.Context, values []Value, fresh [][]byte) error
}

// Progress is how far a Resealing is. Kept and given back to Run, it goes on from there; lost, Run begins anew and finds most values
// done. It is data of a job, not of a key: a wrong one costs time or leaves values behind, which Destroy then finds in use.
type Progress struct {
	Cursor   string `json:"cursor,omitempty"` // of the last value looked at
	Total    int64  `json:"total"`            // values when Run began
	Seen     int64  `json:"seen"`             // values looked at
	Resealed int64  `json:"resealed"`         // of those, sealed anew
	Shredded int64  `json:"shredded"`         // of those, gone: their key was destroyed
	Refused  int64  `json:"refused"`          // of those, tampered with or of an unknown key; left as they are
}

// Resealing seals all values of one place under the active keys of their departments. It only ever replaces a value by one with the same
// plaintext, in one step, so that each crash leaves each value readable, by the key of before or by the new one.
type Resealing struct {
	Keys   *Keyring
	Values Values
	// Batch is how many values Swap gets at once; 0: 200.
	Batch int
	// Report is told after each batch, which is stored by then. It may keep the progress, and slow the work down by taking its time. Its
	// error ends Run. nil: nobody is told.
	Report func(Progress) error
	// Refused is told of each value that is left as it is because it does not open. nil: nobody is told.
	Refused func(cursor string, err error)
}

// Run goes on from from (zero: from the first value) to the last one. On an error the returned progress is how far it came.
func (r *Resealing) Run(ctx context.Context, from Progress) (Progress, error) {
	batch := r.Batch
	if batch <= 0 {
		batch = 200
	}
	p := from
	var err error
	if p.Total, err = r.Values.Count(ctx); err != nil {
		return from, fmt.Errorf("gm: resealing: counting: %w", err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		values, err := r.Values.Next(ctx, p.Cursor, batch)
		if err != nil {
			return p, fmt.Errorf("gm: resealing: reading behind value %d: %w", p.Seen, err)
		}
		if len(values) == 0 {
			return p, nil
		}
		done, err := r.reseal(ctx, p, values)
		if err != nil {
			return p, fmt.Errorf("gm: resealing: behind value %d: %w", p.Seen, err)
		}
		p = done
		if r.Report != nil {
			if err := r.Report(p); err != nil {
				return p, err
			}
		}
	}
}

// reseal does one batch, and returns the progress with it.
func (r *Resealing) reseal(ctx context.Context, p Progress, values []Value) (Progress, error) {
	var old []Value
	var fresh [][]byte
	for _, v := range values {
		if v.Cursor <= p.Cursor {
			return p, errors.New("cursors are not in order")
		}
		sealed, changed, err := r.Keys.Reseal(v.Department, v.Sealed, v.Associated, v.Former...)
		switch {
		case errors.Is(err, ErrShredded):
			p.Shredded++
		case errors.Is(err, ErrSealed), errors.Is(err, ErrKeyUnknown), errors.Is(err, ErrKeyRecord):
			p.Refused++
			if r.Refused != nil {
				r.Refused(v.Cursor, err)
			}
		case err != nil:
			return p, err
		case changed:
			p.Resealed++
			old, fresh = append(old, v), append(fresh, sealed)
		}
		p.Seen++
		p.Cursor = v.Cursor
	}
	if len(old) == 0 {
		return p, nil
	}
	return p, r.Values.Swap(ctx, old, fresh)
}
