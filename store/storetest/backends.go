// Package storetest opens fresh, real databases for tests: SQLite files and a PostgreSQL 15 server of the test binary's
// own. A package that uses PostgreSQL must call Main from its TestMain.
package storetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"

	"licgate/gm"
	"licgate/store"
)

// Backend is one kind of database that the store runs on.
type Backend struct {
	Name string
	// URL makes an empty database, removed at the end of the test, and returns its URL for store.Open.
	URL func(t *testing.T) string
}

// Backends returns every kind. Missing PostgreSQL fails the test.
func Backends(t *testing.T) []Backend {
	t.Helper()
	requireServer(t)
	return []Backend{
		{Name: "sqlite", URL: SQLite},
		{Name: "postgres", URL: Postgres},
	}
}

// Open opens a store on an empty database and closes it at the end of the test.
func (b Backend) Open(t *testing.T) *store.Store {
	t.Helper()
	return Open(t, b.URL(t))
}

// Open opens the store of a URL and closes it at the end of the test.
func Open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	s.Guard(Keys{}, nil)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Keys make authentication codes of rows that every process of a test agrees on.
type Keys struct{}

// Integrity implements store.Authenticator.
func (Keys) Integrity(kind, key string, revision int64, content []byte) []byte {
	h := hmac.New(sha256.New, []byte("for tests"))
	fmt.Fprintf(h, "%q %q %d %q", kind, key, revision, content)
	return h.Sum(nil)
}

// CheckIntegrity implements store.Authenticator.
func (k Keys) CheckIntegrity(code []byte, kind, key string, revision int64, content []byte) error {
	if !hmac.Equal(code, k.Integrity(kind, key, revision, content)) {
		return fmt.Errorf("%w: %s %q", gm.ErrIntegrity, kind, key)
	}
	return nil
}

// SQLite returns the URL of a file that does not exist yet, in a folder of the test's own.
func SQLite(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "licgate.db")
}
