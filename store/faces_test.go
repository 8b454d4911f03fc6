package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"licgate/gm"
	"licgate/store"
	"licgate/store/storetest"
)

func faceOf(body string) (version string, kept map[string][]byte) {
	sum := sha256.Sum256([]byte(body))
	version = hex.EncodeToString(sum[:])
	return version, map[string][]byte{version: []byte(body)}
}

func TestFaces(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		version, kept := faceOf("a\x00\xff")
		if _, err := s.Face(t.Context(), version); !errors.Is(err, store.ErrNoFace) {
			t.Errorf("of none: error %v, want ErrNoFace", err)
		}
		for range 2 { // again it is no change
			if err := s.KeepFaces(t.Context(), kept); err != nil {
				t.Fatal(err)
			}
		}
		if body, err := s.Face(t.Context(), version); err != nil || string(body) != "a\x00\xff" {
			t.Errorf("kept: %q, %v", body, err)
		}
		if err := s.KeepFaces(t.Context(), map[string][]byte{"0": []byte("x")}); err == nil {
			t.Error("a version that is not its body's was kept")
		}
		if n := count(t, s, `SELECT count(*) FROM faces`); n != 1 {
			t.Errorf("%d faces", n)
		}
	})
}

// A face that was altered in the database is refused and named, and is not written over.
func TestAlteredFace(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s, alarms := integrityWorld(t, url)
		version, kept := faceOf("first")
		_, other := faceOf("second")
		if err := errors.Join(s.KeepFaces(t.Context(), kept), s.KeepFaces(t.Context(), other)); err != nil {
			t.Fatal(err)
		}
		if faults, seen, total := rowFaults(t, s); len(faults) != 0 || seen != total {
			t.Fatalf("unaltered: %v, %d of %d", faults, seen, total)
		}
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE faces SET body = $2 WHERE version = $1`, version, []byte("forged")); err != nil {
			t.Fatal(err)
		}
		if err := s.KeepFaces(t.Context(), kept); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Face(t.Context(), version); !errors.Is(err, gm.ErrIntegrity) || *alarms != 1 {
			t.Errorf("error %v, %d alarms; want ErrIntegrity and one", err, *alarms)
		}
		if faults, _, _ := rowFaults(t, s); len(faults) != 1 || faults[0].Kind != "face" || faults[0].Key != version {
			t.Errorf("the check names %+v", faults)
		}
	})
}
