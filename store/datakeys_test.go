package store_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"licgate/gm"
	"licgate/gm/gmtest"
	"licgate/licence"
	"licgate/registry"
	"licgate/store"
	"licgate/store/storetest"
)

// sealedBy looks like a value of version 2 under a key.
func sealedBy(t *testing.T, id gm.KeyID) []byte {
	t.Helper()
	raw, err := hex.DecodeString(string(id))
	if err != nil {
		t.Fatal(err)
	}
	return append(append([]byte{2}, raw...), bytes.Repeat([]byte{7}, 60)...)
}

// A key that anything is sealed by is not destroyed as unused, whatever the caller believes; it can be shredded.
func TestKeyInUseIsNotDestroyed(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(t *testing.T, s *store.Store, sealed []byte){
		"licence": func(t *testing.T, s *store.Store, sealed []byte) {
			l := registered("L1")
			l.Sealed = sealed
			if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{l}}); err != nil {
				t.Fatal(err)
			}
		},
		"form": func(t *testing.T, s *store.Store, sealed []byte) {
			if _, err := s.Pendings().AddPending(t.Context(), registry.Pending{}, &registry.Form{Number: "F1", Received: epoch, Sealed: sealed}); err != nil {
				t.Fatal(err)
			}
		},
		"account": func(t *testing.T, s *store.Store, sealed []byte) {
			save(t, s, &registry.Platform{Accounts: []registry.Account{{Account: "a", IdentitySealed: sealed}}}, version(1, ""))
		},
		"administrator": func(t *testing.T, s *store.Store, sealed []byte) {
			save(t, s, &registry.Platform{Administrators: []registry.Administrator{{Administrator: "a", IdentitySealed: sealed}}}, version(1, ""))
		},
		"open change": func(t *testing.T, s *store.Store, sealed []byte) {
			declaration := fmt.Sprintf(`{"v":1,"accounts":[{"account":"a","identity_sealed":%q}]}`, base64.StdEncoding.EncodeToString(sealed))
			if _, err := s.Pendings().AddPending(t.Context(), registry.Pending{State: registry.PendingOpen, Declaration: []byte(declaration)}, nil); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, url string) {
				s := storetest.Open(t, url)
				keys := s.DataKeys()
				first, err := keys.Add(t.Context(), gmtest.Record("D1", 1, 1), 0)
				if err != nil {
					t.Fatal(err)
				}
				other, err := keys.Add(t.Context(), gmtest.Record("D2", 1, 2), 0)
				if err != nil {
					t.Fatal(err)
				}
				use(t, s, sealedBy(t, first.ID))
				gone := func(r gm.KeyRecord, shredded bool) gm.KeyRecord {
					r.Wrapped, r.Destroyed, r.Shredded = nil, epoch.Truncate(time.Millisecond), shredded
					return r
				}
				if _, err := keys.Replace(t.Context(), gone(first, false)); !errors.Is(err, gm.ErrKeyInUse) {
					t.Errorf("destroyed: error %v, want ErrKeyInUse", err)
				}
				for _, r := range []gm.KeyRecord{first, other} {
					if used, err := s.KeyUsed(t.Context(), r.ID); err != nil || used != (r.ID == first.ID) {
						t.Errorf("KeyUsed(%s) = %v, %v", r.ID, used, err)
					}
				}
				if _, err := keys.Replace(t.Context(), gone(other, false)); err != nil {
					t.Errorf("a key that nothing uses: %v", err)
				}
				if _, err := keys.Replace(t.Context(), gone(first, true)); err != nil {
					t.Errorf("shredded: %v", err)
				}
			})
		})
	}
}

// What was decided holds no key.
func TestDecidedChangeHoldsNoKey(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		id := gmtest.Record("", 1, 1).ID
		declaration := fmt.Sprintf(`{"v":1,"administrators":[{"administrator":"a","identity_sealed":%q}]}`, base64.StdEncoding.EncodeToString(sealedBy(t, id)))
		number, err := s.Pendings().AddPending(t.Context(), registry.Pending{State: registry.PendingOpen, Declaration: []byte(declaration)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} {
			if used, err := s.KeyUsed(t.Context(), id); err != nil || used != want {
				t.Errorf("KeyUsed = %v, %v; want %v", used, err, want)
			}
			_ = s.Pendings().DecidePending(t.Context(), number, registry.Pending{State: registry.PendingRejected})
		}
	})
}
