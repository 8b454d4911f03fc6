package gm

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
)

// TestWrapKey: a key that somebody else keeps opens by its binding alone, by the wrapper of then, and never as one of ours.
func TestWrapKey(t *testing.T) {
	t.Parallel()
	dir, c, w := t.TempDir(), newClock(), newSpy(t)
	plain := node(t, dir, c)
	key, binding := bytes.Repeat([]byte{7, 0xff}, 16), []byte("somebody's")
	kek, wrapped, err := plain.WrapKey(t.Context(), key, binding)
	if err != nil || kek != "file:"+string(plain.Root()) || bytes.Contains(wrapped, key[:4]) {
		t.Fatalf("wrapped by %q, error %v", kek, err)
	}
	next := node(t, dir, c, with(w))
	for name, k := range map[string]*Keyring{"the same": plain, "with another wrapper": next} {
		if got, err := k.UnwrapKey(t.Context(), kek, wrapped, binding); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %d bytes, error %v", name, len(got), err)
		}
	}
	for name, other := range map[string]struct {
		kek              string
		wrapped, binding []byte
		want             error
	}{
		"another binding":   {kek, wrapped, []byte("somebody else's"), ErrWrapped},
		"cut":               {kek, wrapped[:20], binding, ErrWrapped},
		"another wrapper":   {w.ID(), wrapped, binding, ErrWrapped},
		"none that we know": {"file:00000000", wrapped, binding, ErrKEKUnknown},
	} {
		if got, err := next.UnwrapKey(t.Context(), other.kek, other.wrapped, other.binding); !errors.Is(err, other.want) || got != nil {
			t.Errorf("%s: %d bytes, error %v", name, len(got), err)
		}
	}
	if kek, _, err := next.WrapKey(t.Context(), key, binding); err != nil || kek != w.ID() {
		t.Errorf("wrapped by %q, error %v", kek, err)
	}
	// The root key that local.key holds is wrapped by the same key-encryption key, and does not open here.
	if _, err := next.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	content, err := ReadKeyFile(filepath.Join(dir, keyringFile))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := parseRoot(content)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := next.UnwrapKey(t.Context(), stored.KEK, stored.Wrapped, rootBinding(stored.ID)); !errors.Is(err, ErrWrapped) || got != nil {
		t.Errorf("the root key: %d bytes, error %v", len(got), err)
	}
	old, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := old.WrapKey(t.Context(), key, binding); !errors.Is(err, ErrNoDataKeys) {
		t.Errorf("without data keys: error %v", err)
	}
}
