package store_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"licgate/gm"
	"licgate/licence"
	"licgate/registry"
	"licgate/store"
	"licgate/store/storetest"
)

// integrityWorld is a store with two licences of one holder, one deleted, and a registry of two versions. It counts alarms.
func integrityWorld(t *testing.T, url string) (s *store.Store, alarms *int) {
	t.Helper()
	s, alarms = storetest.Open(t, url), new(int)
	s.Guard(storetest.Keys{}, func(error) { *alarms++ })
	gone := licence.Stored{Code: "L3", Item: "item", Department: "D1", State: licence.Deleted, Revision: 1, Created: epoch}
	second := registered("L2")
	if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{registered("L1"), second, gone}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Licences().Apply(t.Context(), licence.Write{Update: []licence.Stored{issued(second)}}); err != nil {
		t.Fatal(err)
	}
	code := licence.StoredCode{
		Digest: digest("code"), Kind: licence.ShowCode, LicenceCode: "L1", Created: epoch, Expires: epoch.Add(time.Hour), Revision: 1,
		Grant: licence.Grant{App: "hydj", Department: "D1", Sensitive: false},
	}
	if err := s.Licences().Apply(t.Context(), licence.Write{InsertCodes: []licence.StoredCode{code}}); err != nil {
		t.Fatal(err)
	}
	pending := registry.Pending{By: "甲", Created: epoch, Expires: epoch.Add(time.Hour), Shifts: "00", Declaration: []byte(`{"v":1}`)}
	if _, err := s.Pendings().AddPending(t.Context(), pending, nil); err != nil {
		t.Fatal(err)
	}
	save(t, s, platform(), version(1, ""))
	next := platform()
	next.Departments[1].Name = "改名"
	save(t, s, next, version(2, ""))
	return s, alarms
}

func rowFaults(t *testing.T, s *store.Store) (faults []store.RowFault, seen, total int64) {
	t.Helper()
	err := s.CheckRows(t.Context(), func(licence.Stored) error { return nil }, func(n, of int64) { seen, total = n, of }, func(f store.RowFault) { faults = append(faults, f) })
	if err != nil {
		t.Fatal(err)
	}
	return faults, seen, total
}

// Each column of each kind of row: altered by SQL, the row is refused on read, alarms, and is named; so are rows that are new, gone, or older
// than they were.
func TestAlteredRowsAreRefused(t *testing.T) {
	t.Parallel()
	find := func(code string) func(*testing.T, *store.Store) error {
		return func(t *testing.T, s *store.Store) error { _, err := s.Licences().Find(t.Context(), code); return err }
	}
	load := func(t *testing.T, s *store.Store) error { _, _, err := s.LoadPlatform(t.Context()); return err }
	get := func(t *testing.T, s *store.Store) error { _, err := s.Policies().Get(t.Context(), 1); return err }
	held := func(t *testing.T, s *store.Store) error {
		_, _, err := s.Licences().ListByHolder(t.Context(), [][]byte{digest("a L2")}, []string{"item", "other"}, 10, 0)
		return err
	}
	redeem := func(t *testing.T, s *store.Store) error {
		_, err := s.Licences().FindCode(t.Context(), digest("code"))
		return err
	}
	proposed := func(t *testing.T, s *store.Store) error {
		_, err := s.Pendings().GetPending(t.Context(), 1)
		return err
	}
	listed := func(t *testing.T, s *store.Store) error {
		_, err := s.Pendings().ListPending(t.Context(), "", 9)
		return err
	}
	decide := func(t *testing.T, s *store.Store) error {
		return s.Pendings().DecidePending(t.Context(), 1, registry.Pending{State: registry.PendingApproved})
	}
	codeKey := hex.EncodeToString(digest("code"))
	byIDCode := func(t *testing.T, s *store.Store) error {
		_, err := s.Licences().FindByIDCode(t.Context(), "item", digest("id L1"))
		return err
	}
	for _, one := range []struct {
		name, statement string
		read            func(*testing.T, *store.Store) error
		kind, key       string
	}{
		{"item", `UPDATE licences SET item = 'other' WHERE code = 'L1'`, find("L1"), "licence", "L1"},
		{"department", `UPDATE licences SET department = 'D2' WHERE code = 'L1'`, find("L1"), "licence", "L1"},
		{"division", `UPDATE licences SET division_code = '' WHERE code = 'L1'`, byIDCode, "licence", "L1"},
		{"biz_num", `UPDATE licences SET biz_num = 'B-2' WHERE code = 'L1'`, find("L1"), "licence", "L1"},
		{"state", `UPDATE licences SET state = 'ABOLISHED' WHERE code = 'L2'`, find("L2"), "licence", "L2"},
		{"revision", `UPDATE licences SET revision = 7 WHERE code = 'L2'`, held, "licence", "L2"},
		{"id_code", `UPDATE licences SET id_code_digest = NULL WHERE code = 'L1'`, find("L1"), "licence", "L1"},
		{"created", `UPDATE licences SET created = created + 1 WHERE code = 'L1'`, find("L1"), "licence", "L1"},
		{"issue_time", `UPDATE licences SET issue_time = issue_time + 1 WHERE code = 'L2'`, held, "licence", "L2"},
		{"sealed", `UPDATE licences SET sealed = (SELECT sealed FROM licences WHERE code = 'L1') WHERE code = 'L2'`, held, "licence", "L2"},
		{"code", `UPDATE licences SET mac = NULL WHERE code = 'L1'`, find("L1"), "licence", "L1"},
		{"another's code", `UPDATE licences SET mac = (SELECT mac FROM licences WHERE code = 'L2') WHERE code = 'L1'`, find("L1"), "licence", "L1"},
		{"revived", `UPDATE licences SET state = 'REGISTERED' WHERE code = 'L3'`, find("L3"), "licence", "L3"},
		{"a holder less", `DELETE FROM licence_holders WHERE code = 'L1' AND place = 1`, find("L1"), "licence", "L1"},
		{"holders exchanged", `UPDATE licence_holders SET place = 7 WHERE code = 'L1' AND place = 0`, find("L1"), "licence", "L1"},
		{"code for another licence", `UPDATE licence_codes SET licence_code = 'L2'`, redeem, "licence-code", codeKey},
		{"code in clear", `UPDATE licence_codes SET sensitive = TRUE`, redeem, "licence-code", codeKey},
		{"code for longer", `UPDATE licence_codes SET expires = expires + 1`, redeem, "licence-code", codeKey},
		{"code for another", `UPDATE licence_codes SET department = 'D2'`, redeem, "licence-code", codeKey},
		{"code's uses", `UPDATE licence_codes SET redeemer = '{}'`, redeem, "licence-code", codeKey},
		{"code's revision", `UPDATE licence_codes SET revision = 2`, redeem, "licence-code", codeKey},
		{"proposer", `UPDATE pending_changes SET proposed_by = '乙'`, proposed, "pending-change", "1"},
		{"proposal", `UPDATE pending_changes SET declaration = NULL`, decide, "pending-change", "1"},
		{"its rights", `UPDATE pending_changes SET shifts = '11'`, listed, "pending-change", "1"},
		{"its changes", `UPDATE pending_changes SET changes = '[]'`, proposed, "pending-change", "1"},
		{"its end", `UPDATE pending_changes SET expires = expires + 1`, listed, "pending-change", "1"},
		{"its force", `UPDATE pending_changes SET forced = TRUE`, proposed, "pending-change", "1"},
		{"version", `UPDATE policy_versions SET why = 'x' WHERE number = 1`, get, "policy-version", "1"},
		{"its lines", `UPDATE policy_versions SET lines = '[]' WHERE number = 1`, get, "policy-version", "1"},
		{"policy text", `UPDATE policy_versions SET policy_text = NULL WHERE number = 2`, load, "policy-version", "2"},
		{"object", `UPDATE registry_objects SET body = '{"account":"a"}' WHERE kind = 'account' AND code = 'a'`, load, "registry/account", "a"},
		{"object's place", `UPDATE registry_objects SET place = 9 WHERE kind = 'account' AND code = 'a'`, load, "registry/account", "a"},
		{"a new object", `INSERT INTO registry_objects (kind, code, place, body) VALUES ('account', 'zz', 9, '{"account":"zz"}')`, load, "registry/account", "zz"},
		{"an object less", `DELETE FROM registry_objects WHERE kind = 'account' AND code = 'a'`, load, "policy-version", "2"},
		{"the newest version less", `DELETE FROM policy_versions WHERE number = 2`, load, "policy-version", "1"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, url string) {
				s, alarms := integrityWorld(t, url)
				if faults, seen, total := rowFaults(t, s); len(faults) != 0 || seen != total || total < 10 {
					t.Fatalf("unaltered: %v, %d of %d", faults, seen, total)
				}
				for _, read := range []func(*testing.T, *store.Store) error{find("L1"), find("L2"), find("L3"), load, get, held, byIDCode, redeem, proposed, listed} {
					if err := read(t, s); err != nil {
						t.Fatalf("unaltered: %v", err)
					}
				}
				run(t, s, one.statement)
				if err := one.read(t, s); !errors.Is(err, gm.ErrIntegrity) {
					t.Errorf("read: error %v, want ErrIntegrity", err)
				} else if strings.HasPrefix(one.kind, "licence") && !errors.Is(err, licence.ErrTampered) {
					t.Errorf("read: error %v, want ErrTampered", err)
				}
				if *alarms != 1 || s.Faults() != 1 {
					t.Errorf("%d alarms, %d faults counted", *alarms, s.Faults())
				}
				faults, _, _ := rowFaults(t, s)
				if len(faults) == 0 || faults[0].Kind != one.kind || faults[0].Key != one.key {
					t.Errorf("the check names %+v, want %s %s", faults, one.kind, one.key)
				}
			})
		})
	}
}

// Rotation gives an altered row no code, and stops at none.
func TestRotationLaundersNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s, _ := integrityWorld(t, url)
		run(t, s, `UPDATE licences SET biz_num = 'x' WHERE code = 'L1'`)
		values := s.LicenceValues("")
		found, err := values.Next(t.Context(), "", 10)
		if err != nil || len(found) != 2 || found[0].Sealed != nil || found[1].Sealed == nil {
			t.Fatalf("%+v, %v", found, err)
		}
		if err := values.Swap(t.Context(), found[1:], [][]byte{[]byte("fresh")}); err != nil {
			t.Fatal(err)
		}
		if l, err := s.Licences().Find(t.Context(), "L2"); err != nil || string(l.Sealed) != "fresh" {
			t.Errorf("the other: %s, %v", l.Sealed, err)
		}
		if _, err := s.Licences().Find(t.Context(), "L1"); !errors.Is(err, licence.ErrTampered) {
			t.Errorf("the altered one: error %v", err)
		}
	})
}

// Without keys nothing that carries a code is read or written.
func TestUnguarded(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), storetest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{registered("L1")}}); !errors.Is(err, store.ErrUnguarded) {
		t.Errorf("a licence: error %v", err)
	}
	if err := s.SavePlatform(t.Context(), &registry.Platform{}, version(1, "")); !errors.Is(err, store.ErrUnguarded) {
		t.Errorf("a platform: error %v", err)
	}
}
