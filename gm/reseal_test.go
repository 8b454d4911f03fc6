package gm

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestReseal(t *testing.T) {
	t.Parallel()
	k := node(t, t.TempDir(), newClock())
	old := seal(t, k, civil)
	if fresh, changed, err := k.Reseal(civil, old, []byte("not even looked at")); err != nil || changed || string(fresh) != string(old) {
		t.Errorf("by the active key: changed %v, error %v", changed, err)
	}
	next := rotate(t, k, civil)
	fresh, changed, err := k.Reseal(civil, old, []byte(column))
	if err != nil || !changed || by(t, fresh) != next {
		t.Fatalf("changed %v, error %v, by %s", changed, err, by(t, fresh))
	}
	wantOpen(t, k, fresh)
	wantOpen(t, k, old)
	// A newer form of the associated data.
	if fresh, changed, err = k.Reseal(civil, old, []byte("row 1, revision 7"), []byte("wrong"), []byte(column)); err != nil || !changed {
		t.Fatalf("changed %v, error %v", changed, err)
	}
	if _, err := k.Open(fresh, []byte("row 1, revision 7")); err != nil {
		t.Errorf("not bound to the new form: %v", err)
	}
	if _, err := k.Open(fresh, []byte(column)); !errors.Is(err, ErrSealed) {
		t.Errorf("still bound to the old form: %v", err)
	}
	// Of no department, or of another: it goes under the key of the one that is named.
	if fresh, changed, err = k.Reseal(civil, seal(t, k, ""), []byte(column)); err != nil || !changed || by(t, fresh) != next {
		t.Errorf("changed %v, error %v", changed, err)
	}
	for name, sealed := range map[string][]byte{"nothing": nil, "short": old[:20], "changed": append(old[:len(old)-1:len(old)-1], old[len(old)-1]^1)} {
		if fresh, changed, err := k.Reseal(civil, sealed, []byte(column)); !errors.Is(err, ErrSealed) || changed || fresh != nil {
			t.Errorf("%s: changed %v, error %v, want ErrSealed", name, changed, err)
		}
	}
	if _, _, err := k.Reseal(civil, old, []byte("another row")); !errors.Is(err, ErrSealed) {
		t.Errorf("another row: error %v, want ErrSealed", err)
	}
	if err := k.Shred(t.Context(), civil, nobody); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Reseal("", old, []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("shredded: error %v, want ErrShredded", err)
	}
	if _, _, err := k.Reseal(civil, seal(t, k, ""), []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("for a shredded department: error %v, want ErrShredded", err)
	}
}

// job is a Resealing that keeps its progress, as JSON, like a caller does.
type job struct {
	Resealing
	kept    []byte
	reports int
}

func newJob(k *Keyring, values *table) *job {
	j := &job{}
	j.Resealing = Resealing{Keys: k, Values: values, Batch: 7, Report: func(p Progress) (err error) {
		j.reports++
		j.kept, err = json.Marshal(p)
		return err
	}}
	return j
}

func (j *job) run(t *testing.T) (Progress, error) {
	t.Helper()
	var from Progress
	if j.kept != nil {
		if err := json.Unmarshal(j.kept, &from); err != nil {
			t.Fatal(err)
		}
	}
	return j.Run(t.Context(), from)
}

func TestResealing(t *testing.T) {
	t.Parallel()
	c, values := newClock(), newTable()
	k := node(t, t.TempDir(), c)
	values.fill(t, k, civil, 20)
	values.fill(t, k, second, 20)
	values.fill(t, k, "", 3)
	gone := "gone"
	values.fill(t, k, gone, 2)
	if err := k.Shred(t.Context(), gone, nobody); err != nil {
		t.Fatal(err)
	}
	rotate(t, k, civil)
	rotate(t, k, "")
	spoilt := values.get(civil + "/0003")
	spoilt.Sealed[30] ^= 1
	values.put(spoilt)
	var refused []string
	j := newJob(k, values)
	j.Refused = func(cursor string, err error) {
		if !errors.Is(err, ErrSealed) {
			t.Errorf("%s: error %v", cursor, err)
		}
		refused = append(refused, cursor)
	}
	p, err := j.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Progress{Cursor: "gone/0001", Total: 45, Seen: 45, Resealed: 22, Shredded: 2, Refused: 1}); p != want {
		t.Errorf("progress %+v, want %+v", p, want)
	}
	if !slices.Equal(refused, []string{spoilt.Cursor}) || j.reports != 7 {
		t.Errorf("refused %v, %d reports", refused, j.reports)
	}
	values.delete(spoilt.Cursor)
	values.delete("gone/0000")
	values.delete("gone/0001")
	values.check(t, k)
	c.pass(graceAndMore)
	s := must(k.Status(t.Context()))
	for _, key := range s.Keys {
		if used, _ := values.used(t.Context(), key.ID); used != (key.State == KeyActive) {
			t.Errorf("%+v is used: %v", key, used)
		}
		if key.State == KeyRetired {
			if err := k.Destroy(t.Context(), key.ID, values.used); err != nil {
				t.Error(err)
			}
		}
	}
	values.check(t, k)
	if p, err := newJob(k, values).run(t); err != nil || p.Resealed != 0 || p.Seen != 42 {
		t.Errorf("again: progress %+v, error %v", p, err)
	}
}

// The job dies at each batch, before and after it was stored, and with or without its progress; it goes on and misses nothing.
func TestResealingIsResumed(t *testing.T) {
	t.Parallel()
	for _, persisted := range []bool{false, true} {
		for _, forgets := range []bool{false, true} {
			c, values := newClock(), newTable()
			k := node(t, t.TempDir(), c)
			values.fill(t, k, civil, 20)
			next := rotate(t, k, civil)
			killed := errors.New("killed")
			for batch := 1; ; batch++ {
				j := newJob(k, values)
				calls := 0
				values.swap = func(v []Value, fresh [][]byte) error {
					if calls++; calls != batch {
						return values.doSwap(v, fresh)
					}
					if persisted {
						if err := values.doSwap(v, fresh); err != nil {
							return err
						}
					}
					return killed
				}
				p, err := j.run(t)
				if err == nil {
					if p.Seen != 20 {
						t.Errorf("progress %+v", p)
					}
					break
				}
				if !errors.Is(err, killed) || p.Seen != int64(7*(batch-1)) {
					t.Fatalf("progress %+v, error %v", p, err)
				}
				values.check(t, k)
				values.swap = nil
				if forgets {
					j.kept = nil
				}
				if p, err = j.run(t); err != nil || !forgets && p.Seen != 20 {
					t.Fatalf("resumed: progress %+v, error %v", p, err)
				}
				for _, v := range values.all() {
					if by(t, v.Sealed) != next {
						t.Fatalf("%s was missed", v.Cursor)
					}
				}
				next = rotate(t, k, civil)
			}
			values.check(t, k)
		}
	}
}

func TestResealingStops(t *testing.T) {
	t.Parallel()
	dir, c, values, w := t.TempDir(), newClock(), newTable(), newSpy(t)
	k := node(t, dir, c, with(w))
	values.fill(t, k, civil, 30)
	rotate(t, k, civil)
	enough := errors.New("enough for tonight")
	p, err := (&Resealing{Keys: k, Values: values, Batch: 10, Report: func(Progress) error { return enough }}).Run(t.Context(), Progress{})
	if !errors.Is(err, enough) || p.Seen != 10 {
		t.Errorf("progress %+v, error %v", p, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Resealing{Keys: k, Values: values}).Run(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	// A wrapper that is away for a while is no damage.
	restarted := node(t, dir, c, with(w))
	w.broken(ErrKEKUnavailable)
	if q, err := (&Resealing{Keys: restarted, Values: values}).Run(t.Context(), p); !errors.Is(err, ErrKEKUnavailable) || q.Refused != 0 || q.Cursor != p.Cursor {
		t.Errorf("progress %+v, error %v", q, err)
	}
	w.broken(nil)
	c.pass(time.Second)
	if p, err = (&Resealing{Keys: restarted, Values: values}).Run(t.Context(), p); err != nil || p.Seen != 30 || p.Resealed != 30 {
		t.Errorf("progress %+v, error %v", p, err)
	}
	if _, err := (&Resealing{Keys: k, Values: unsorted{values}}).Run(t.Context(), Progress{Cursor: "z"}); err == nil {
		t.Error("a place that goes in circles is walked for ever")
	}
}

// unsorted gives the same values again and again.
type unsorted struct{ *table }

func (u unsorted) Next(ctx context.Context, _ string, limit int) ([]Value, error) {
	return u.table.Next(ctx, "", limit)
}

// A writer comes between reading a value and swapping it: his value stays.
func TestResealingLeavesNewerValues(t *testing.T) {
	t.Parallel()
	c, values := newClock(), newTable()
	k := node(t, t.TempDir(), c)
	values.fill(t, k, civil, 3)
	rotate(t, k, civil)
	row := values.all()[1]
	values.swap = func(v []Value, fresh [][]byte) error {
		newer := row
		var err error
		if newer.Sealed, err = k.SealFor(civil, text(civil, 1), row.Associated); err != nil {
			return err
		}
		values.put(newer)
		row = newer
		return values.doSwap(v, fresh)
	}
	if _, err := (&Resealing{Keys: k, Values: values}).Run(t.Context(), Progress{}); err != nil {
		t.Fatal(err)
	}
	if string(values.get(row.Cursor).Sealed) != string(row.Sealed) {
		t.Error("the newer value was overwritten")
	}
	values.check(t, k)
}

// One licence is shredded: deleted, its department rotated and sealed anew, the old key destroyed. Then no copy of it opens, wherever
// it lies; all others do.
func TestShredOneLicence(t *testing.T) {
	t.Parallel()
	c, values := newClock(), newTable()
	k := node(t, t.TempDir(), c)
	values.fill(t, k, civil, 10)
	backup := values.all()
	wanted := backup[4]
	values.delete(wanted.Cursor)
	old := by(t, wanted.Sealed)
	rotate(t, k, civil)
	if _, err := newJob(k, values).run(t); err != nil {
		t.Fatal(err)
	}
	c.pass(graceAndMore)
	if err := k.Destroy(t.Context(), old, values.used); err != nil {
		t.Fatal(err)
	}
	values.check(t, k)
	for _, v := range backup {
		if _, err := k.Open(v.Sealed, v.Associated); !errors.Is(err, ErrShredded) {
			t.Errorf("the backup's %s: error %v, want ErrShredded", v.Cursor, err)
		}
	}
}
