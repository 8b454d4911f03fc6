package store_test

import (
	"errors"
	"sync"
	"testing"

	"licgate/gm"
	"licgate/store"
	"licgate/store/storetest"
)

func keyring(t *testing.T, dir string) *gm.Keyring {
	t.Helper()
	k, err := gm.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The first root key that a database meets is its own for ever; of two that meet it at once one is.
func TestConfirm(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		if root, err := s.BelongsTo(t.Context()); root != "" || err != nil {
			t.Errorf("a new database belongs to %q, %v", root, err)
		}
		dir := t.TempDir()
		both := []*gm.Keyring{keyring(t, dir), keyring(t, t.TempDir())}
		errs := make([]error, 2)
		var all sync.WaitGroup
		for i, k := range both {
			all.Go(func() { errs[i] = s.Confirm(t.Context(), k) })
		}
		all.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		if errs[winner] != nil || !errors.Is(errs[1-winner], store.ErrOtherKeys) {
			t.Fatalf("errors %v, want one ErrOtherKeys", errs)
		}
		if root, err := s.BelongsTo(t.Context()); root != both[winner].Root() || err != nil {
			t.Errorf("it belongs to %q, %v", root, err)
		}
		if err := storetest.Open(t, url).Confirm(t.Context(), both[winner]); err != nil {
			t.Errorf("again: %v", err)
		}
		run(t, s, `UPDATE key_checks SET root = '`+string(both[1-winner].Root())+`'`)
		for _, k := range both {
			if err := s.Confirm(t.Context(), k); !errors.Is(err, store.ErrOtherKeys) {
				t.Errorf("a changed id: error %v, want ErrOtherKeys", err)
			}
		}
	})
}
