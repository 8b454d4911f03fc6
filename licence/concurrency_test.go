package licence_test

import (
	"context"
	"testing"

	"licgate/licence"
)

// Another writer between reading and writing: the row is read and judged again.
func TestStaleIsJudgedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.create(t, numbered("J-1")).Licence.Code
	meddled := false
	w.store.apply = func(ctx context.Context, write licence.Write) error {
		if !meddled {
			meddled = true
			if _, err := w.Update(ctx, civil, marriage(), at(code), numbered("J-2")); err != nil {
				return err
			}
		}
		return w.store.Store.Apply(ctx, write)
	}
	l, err := w.Sign(t.Context(), civil, marriage(), at(code))
	if err != nil || l.IDCode != "J-2" || l.Revision != 3 {
		t.Errorf("Sign = %+v, %v; want the updated licence signed", l, err)
	}
	meddled = false
	w.store.apply = func(ctx context.Context, write licence.Write) error {
		if !meddled {
			meddled = true
			if _, err := w.Abolish(ctx, civil, marriage(), at(code), ""); err != nil {
				return err
			}
		}
		return w.store.Store.Apply(ctx, write)
	}
	_, err = w.Change(t.Context(), civil, marriage(), at(code), numbered("J-2"))
	wantErr(t, "Change of what was abolished meanwhile", err, licence.ErrState)

	code = w.issue(t, numbered("J-3")).Licence.Code
	tries := 0
	w.store.apply = func(context.Context, licence.Write) error { tries++; return licence.ErrStale }
	_, err = w.Abolish(t.Context(), civil, marriage(), at(code), "")
	wantErr(t, "Abolish", err, licence.ErrStale)
	_, err = w.Change(t.Context(), civil, marriage(), at(code), numbered("J-3"))
	wantErr(t, "Change", err, licence.ErrStale)
	if tries != 6 {
		t.Errorf("%d tries, want 3 each", tries)
	}
}

func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	const writers = 8
	t.Run("creators of one id_code", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		wantOneWinner(t, race(writers, func(int) error {
			_, err := w.Create(t.Context(), civil, marriage(), numbered("J-1"))
			return err
		}), licence.ErrDuplicate)
	})
	t.Run("signers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		code := w.create(t, numbered("J-1")).Licence.Code
		wantOneWinner(t, race(writers, func(i int) error {
			target := at(code)
			if i%2 == 1 {
				target = licence.Target{IDCode: "J-1"}
			}
			_, err := w.Sign(t.Context(), civil, marriage(), target)
			return err
		}), licence.ErrState)
	})
	t.Run("changers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		code := w.issue(t, numbered("J-1")).Licence.Code
		wantOneWinner(t, race(writers, func(int) error {
			_, err := w.Change(t.Context(), civil, marriage(), at(code), numbered("J-1"))
			return err
		}), licence.ErrState)
		found, total, err := w.ByHolder(t.Context(), []string{alice}, []string{"305018201"}, licence.Page{})
		if err != nil || total != 1 || found[0].Correlative != code {
			t.Errorf("after changes: %v, %d, %v; want one successor", found, total, err)
		}
	})
	t.Run("delete against sign", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		code := w.create(t, numbered("J-1")).Licence.Code
		errs := race(2, func(i int) error {
			if i == 0 {
				_, err := w.Sign(t.Context(), civil, marriage(), at(code))
				return err
			}
			_, err := w.Delete(t.Context(), civil, marriage(), at(code))
			return err
		})
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("sign %v, delete %v; want exactly one done", errs[0], errs[1])
		}
	})
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Create(ctx, civil, marriage(), making())
	wantErr(t, "Create", err, context.Canceled)
	_, err = w.Sign(ctx, civil, marriage(), at("110000202611111111"))
	wantErr(t, "Sign", err, context.Canceled)
	if has, err := w.Store.HasLicences(t.Context(), "305018201"); err != nil || has {
		t.Errorf("HasLicences = %v, %v after a cancelled call", has, err)
	}
}
