package gmtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"licgate/gm"
)

// KeyWrapper holds a wrapper to the contract of gm.KeyWrapper. open returns two wrappers that hold the same key-encryption key, and one that
// holds another.
func KeyWrapper(t *testing.T, open func(t *testing.T) (w, same, foreign gm.KeyWrapper)) {
	t.Helper()
	w, again, foreign := open(t)
	key, binding := bytes.Repeat([]byte{0xa5, 0, 0xff, 1}, 8), []byte("licgate/data-key/1/2021222324252627/1/"+civil)
	wrap := func(t *testing.T, w gm.KeyWrapper) []byte {
		t.Helper()
		wrapped, err := w.Wrap(t.Context(), key, binding)
		if err != nil {
			t.Fatal(err)
		}
		return wrapped
	}
	t.Run("id", func(t *testing.T) {
		t.Parallel()
		if w.ID() == "" || w.ID() != again.ID() || w.ID() == foreign.ID() {
			t.Errorf("ids %q and %q of one key, %q of another", w.ID(), again.ID(), foreign.ID())
		}
	})
	t.Run("round trip", func(t *testing.T) {
		t.Parallel()
		wrapped := wrap(t, w)
		if bytes.Contains(wrapped, key[:8]) {
			t.Error("the wrapped key shows the key")
		}
		for _, reader := range []gm.KeyWrapper{w, again} {
			got, err := reader.Unwrap(t.Context(), wrapped, binding)
			if err != nil || !bytes.Equal(got, key) {
				t.Errorf("unwrapped %d bytes, error %v", len(got), err)
			}
		}
	})
	t.Run("wraps keep nothing", func(t *testing.T) {
		t.Parallel()
		mine := bytes.Clone(key)
		wrapped, err := w.Wrap(t.Context(), mine, binding)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(mine, key) {
			t.Error("Wrap changed the key")
		}
		clear(mine)
		first, err := w.Unwrap(t.Context(), wrapped, binding)
		clear(first)
		second, err2 := w.Unwrap(t.Context(), wrapped, binding)
		if err != nil || err2 != nil || !bytes.Equal(second, key) {
			t.Errorf("after the caller erased what he had: %v, %v", err, err2)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		t.Parallel()
		wrapped := wrap(t, w)
		refuse := func(name string, w gm.KeyWrapper, wrapped, binding []byte) {
			t.Helper()
			got, err := w.Unwrap(t.Context(), wrapped, binding)
			wantErr(t, name, err, gm.ErrWrapped)
			if len(got) > 0 {
				t.Errorf("%s: %d bytes along with the error", name, len(got))
			}
			if err != nil && strings.Contains(err.Error(), string(wrapped)) && len(wrapped) > 0 {
				t.Errorf("%s: the error repeats the wrapped key", name)
			}
		}
		refuse("another record", w, wrapped, []byte(string(binding)+"x"))
		refuse("no record", w, wrapped, nil)
		refuse("another key", foreign, wrapped, binding)
		refuse("nothing", w, nil, binding)
		refuse("cut", w, wrapped[:len(wrapped)-1], binding)
		refuse("half", w, wrapped[:len(wrapped)/2], binding)
		refuse("longer", w, append(bytes.Clone(wrapped), 'A'), binding)
		// One bit in several places; a text form may have spare bits at its very end.
		for i := 0; i < len(wrapped)-4; i += 1 + len(wrapped)/16 {
			changed := bytes.Clone(wrapped)
			changed[i] ^= 2
			refuse(fmt.Sprintf("byte %d changed", i), w, changed, binding)
		}
	})
	t.Run("cancelled context", func(t *testing.T) {
		t.Parallel()
		wrapped := wrap(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := w.Wrap(ctx, key, binding)
		wantErr(t, "Wrap", err, context.Canceled)
		_, err = w.Unwrap(ctx, wrapped, binding)
		wantErr(t, "Unwrap", err, context.Canceled)
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				mine := bytes.Repeat([]byte{byte(i)}, 32)
				wrapped, err := w.Wrap(t.Context(), mine, binding)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := w.Unwrap(t.Context(), wrapped, binding); err != nil || !bytes.Equal(got, mine) {
					t.Errorf("unwrapped %x, error %v, want %x", got, err, mine)
				}
			})
		}
		all.Wait()
	})
	t.Run("prints no key", func(t *testing.T) {
		t.Parallel()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, w); !strings.Contains(got, w.ID()) || len(got) > len(w.ID())+40 {
				t.Errorf("%s prints %q, want the id and no more", verb, got)
			}
		}
	})
}
