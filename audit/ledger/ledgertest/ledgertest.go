// Package ledgertest makes logs and keys for the tests of what stands on package ledger.
package ledgertest

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"licgate/audit/ledger"
)

// Files keeps the files of a tree in memory (ledger.Files), by name.
type Files map[string][]byte

// Write implements ledger.Files.
func (m Files) Write(name string, b []byte, offset int64) error {
	m[name] = append(m[name][:offset], b...)
	return nil
}

// Read implements ledger.Files.
func (m Files) Read(name string, b []byte, offset int64) error {
	f, ok := m[name]
	if !ok || int64(len(f)) < offset+int64(len(b)) {
		return fs.ErrNotExist
	}
	copy(b, f[offset:])
	return nil
}

// LogKeys makes the keys of a log, and returns what signs with them and what verifies.
func LogKeys(t testing.TB, name string) ([]ledger.Signer, []ledger.Verifier) {
	t.Helper()
	signers, err := pair(t, name).LogSigners()
	return withVerifiers(t, signers, err)
}

// WitnessKeys makes the keys of a witness, whose cosignatures bear the times of the clock.
func WitnessKeys(t testing.TB, name string, clock func() time.Time) ([]ledger.Signer, []ledger.Verifier) {
	t.Helper()
	signers, err := pair(t, name).Cosigners(clock)
	return withVerifiers(t, signers, err)
}

func pair(t testing.TB, name string) *ledger.KeyPair {
	t.Helper()
	p, err := ledger.OpenKeys(filepath.Join(t.TempDir(), "k"), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func withVerifiers(t testing.TB, signers []ledger.Signer, err error) ([]ledger.Signer, []ledger.Verifier) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var keys []ledger.Verifier
	for _, s := range signers {
		k, err := ledger.ParseKey(s.Key)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return signers, keys
}
