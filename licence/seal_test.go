package licence_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"licgate/gm"
	"licgate/licence"
)

// withDataKeys gives w a keyring whose clock is w's.
func withDataKeys(t *testing.T, w *world) *gm.Keyring {
	t.Helper()
	keys, err := gm.OpenKeys(t.Context(), gm.KeysConfig{Dir: t.TempDir(), Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	w.Keys = keys
	return keys
}

func sealedBy(t *testing.T, row licence.Stored) gm.KeyID {
	t.Helper()
	id, err := gm.SealedBy(row.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// column is the sealed column of one licence.
type column struct {
	w    *world
	code string
}

func (c column) Count(context.Context) (int64, error) { return 1, nil }

func (c column) Next(ctx context.Context, after string, _ int) ([]gm.Value, error) {
	if after != "" {
		return nil, nil
	}
	row, err := c.w.store.Store.Find(ctx, c.code)
	return []gm.Value{row.Value()}, err
}

func (c column) Swap(_ context.Context, _ []gm.Value, fresh [][]byte) error {
	c.w.store.find = func(ctx context.Context, code string) (licence.Stored, error) {
		row, err := c.w.store.Store.Find(ctx, code)
		row.Sealed = fresh[0]
		return row, err
	}
	return nil
}

func TestSealedUnderItsDepartmentsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := withDataKeys(t, w)
	ours := w.stored(t, w.issue(t, numbered("J-1")).Licence.Code)
	theirs, err := w.Issue(t.Context(), other, marriage(), numbered("J-2"))
	if err != nil {
		t.Fatal(err)
	}
	if sealedBy(t, ours) == sealedBy(t, w.stored(t, theirs.Licence.Code)) {
		t.Error("two departments share a key")
	}
	if again := w.stored(t, w.issue(t, numbered("J-3")).Licence.Code); sealedBy(t, again) != sealedBy(t, ours) {
		t.Error("one department has two keys")
	}
	// A value of another revision of the same licence does not open, whatever the row says.
	value := ours.Value()
	ours.Revision++
	if _, err := keys.Open(value.Sealed, ours.Value().Associated); !errors.Is(err, gm.ErrSealed) {
		t.Errorf("another revision: error %v, want gm.ErrSealed", err)
	}
}

func TestResealedLicence(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t), t.TempDir()
	// Sealed before there were data keys, in the form of then.
	root, err := gm.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Keys = root
	made := w.issue(t, numbered("J-1"))
	row := w.stored(t, made.Licence.Code)
	plaintext, err := root.Open(row.Sealed, row.Value().Associated)
	if err != nil {
		t.Fatal(err)
	}
	if row.Sealed, err = root.Seal(plaintext, row.Value().Former[0]); err != nil {
		t.Fatal(err)
	}
	w.store.find = func(context.Context, string) (licence.Stored, error) { return row, nil }
	if _, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department); err != nil {
		t.Fatalf("the old form does not open: %v", err)
	}
	keys, err := gm.OpenKeys(t.Context(), gm.KeysConfig{Dir: dir, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	w.Keys = keys
	fresh, changed, err := keys.Reseal(row.Department, row.Sealed, row.Value().Associated, row.Value().Former...)
	if err != nil || !changed {
		t.Fatalf("resealed: %v, error %v", changed, err)
	}
	row.Sealed = fresh
	if _, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department); err != nil {
		t.Errorf("resealed, it does not open: %v", err)
	}
	if _, err := keys.Open(fresh, row.Value().Associated); err != nil {
		t.Errorf("not bound to its revision: %v", err)
	}
}

// Old keys go, the licence stays; a shredded one is not taken for a forged one.
func TestRotatedAndShredded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := withDataKeys(t, w)
	made := w.issue(t, numbered("J-1"))
	old := sealedBy(t, w.stored(t, made.Licence.Code))
	if _, err := keys.Rotate(t.Context(), civil.Department); err != nil {
		t.Fatal(err)
	}
	if p, err := (&gm.Resealing{Keys: keys, Values: column{w, made.Licence.Code}}).Run(t.Context(), gm.Progress{}); err != nil || p.Resealed != 1 {
		t.Fatalf("progress %+v, error %v", p, err)
	}
	w.pass(2 * time.Hour)
	if err := keys.Destroy(t.Context(), old, func(context.Context, gm.KeyID) (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department); err != nil {
		t.Errorf("after rotation: %v", err)
	}
	if err := keys.Shred(t.Context(), civil.Department, func(context.Context) (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	_, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department)
	wantErr(t, "shredded", err, gm.ErrShredded)
	if errors.Is(err, licence.ErrTampered) {
		t.Errorf("shredded is taken for tampered: %v", err)
	}
	_, err = w.Issue(t.Context(), civil, marriage(), numbered("J-2"))
	wantErr(t, "issuing for a shredded department", err, gm.ErrShredded)
}
