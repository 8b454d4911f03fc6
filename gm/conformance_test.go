package gm_test

import (
	"path/filepath"
	"testing"

	"licgate/gm"
	"licgate/gm/gmtest"
)

func TestFileKeyStore(t *testing.T) {
	t.Parallel()
	gmtest.KeyStore(t, func(t *testing.T) func() gm.KeyStore {
		dir := t.TempDir()
		return func() gm.KeyStore {
			s, err := gm.OpenFileKeys(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			return s
		}
	})
}

func TestFileWrapper(t *testing.T) {
	t.Parallel()
	gmtest.KeyWrapper(t, func(t *testing.T) (gm.KeyWrapper, gm.KeyWrapper, gm.KeyWrapper) {
		dir := t.TempDir()
		open := func(name string) gm.KeyWrapper {
			w, err := gm.FileWrapper(filepath.Join(dir, name), nil)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		return open("kek"), open("kek"), open("other")
	})
}

func TestPassphraseWrapper(t *testing.T) {
	t.Parallel()
	gmtest.KeyWrapper(t, func(t *testing.T) (gm.KeyWrapper, gm.KeyWrapper, gm.KeyWrapper) {
		dir := t.TempDir()
		open := func(name string) gm.KeyWrapper {
			w, err := gm.PassphraseWrapper(filepath.Join(dir, name), func() ([]byte, error) { return []byte("correct horse battery"), nil }, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		// The same passphrase makes another key with another salt.
		return open("kek"), open("kek"), open("other")
	})
}
