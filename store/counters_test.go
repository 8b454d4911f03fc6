package store_test

import (
	"testing"
	"time"

	"licgate/registry"
	"licgate/store"
	"licgate/store/storetest"
)

// revisions demands what another node would poll.
func revisions(t *testing.T, doing string, s *store.Store, wantPolicy, wantLocks int64) {
	t.Helper()
	policy, locks, err := s.Revisions(t.Context())
	if err != nil || policy != wantPolicy || locks != wantLocks {
		t.Errorf("%s: Revisions = %d, %d, %v; want %d, %d", doing, policy, locks, err, wantPolicy, wantLocks)
	}
	if locks, err := s.LocksRevision(t.Context()); err != nil || locks != wantLocks {
		t.Errorf("%s: LocksRevision = %d, %v; want %d", doing, locks, err, wantLocks)
	}
}

// Another node learns of every change of locks by a number that it has not seen yet, and of nothing else.
func TestRevisions(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s, other := storetest.Open(t, url), storetest.Open(t, url)
		revisions(t, "empty", other, 0, 0)
		locks := s.Locks()
		ended := registry.Lock{Kind: registry.LockItem, Key: "1", Created: epoch, Expires: epoch}
		wantLocks := int64(0)
		for _, one := range []struct {
			doing  string
			change func() error
			counts bool
		}{
			{"put", func() error { return locks.PutLock(t.Context(), ended) }, true},
			{"put again", func() error { return locks.PutLock(t.Context(), ended) }, true},
			{"put another", func() error {
				return locks.PutLock(t.Context(), registry.Lock{Kind: registry.LockAccount, Key: "zhang", Created: epoch})
			}, true},
			{"remove none", func() error { _, err := locks.RemoveLock(t.Context(), registry.LockAccount, "1"); return err }, false},
			{"purge none", func() error { return locks.PurgeLocks(t.Context(), epoch) }, false},
			{"purge", func() error { return locks.PurgeLocks(t.Context(), epoch.Add(time.Hour)) }, true},
			{"remove", func() error { _, err := locks.RemoveLock(t.Context(), registry.LockAccount, "zhang"); return err }, true},
			{"pending", func() error { _, err := s.Pendings().AddPending(t.Context(), registry.Pending{}); return err }, false},
			{"form", func() error { return s.Forms().AddForm(t.Context(), registry.Form{Number: "1"}) }, false},
			{"use", func() error {
				return s.SecretUses().NoteSecretUse(t.Context(), registry.SecretUse{AppKey: "hydj", Secret: "0a", LastUsed: epoch})
			}, false},
		} {
			if err := one.change(); err != nil {
				t.Fatalf("%s: %v", one.doing, err)
			}
			if one.counts {
				wantLocks++
			}
			revisions(t, one.doing, other, 0, wantLocks)
		}
		save(t, s, platform(), version(1, ""))
		revisions(t, "a policy version", other, 1, wantLocks)
	})
}

// Without its row the number of locks is an error, not 0: a node would take it for "nothing changed".
func TestRevisionsWithoutCounter(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		run(t, s, `DELETE FROM counters`)
		if policy, locks, err := s.Revisions(t.Context()); err == nil {
			t.Errorf("Revisions = %d, %d without a counter", policy, locks)
		}
		if err := s.Locks().PutLock(t.Context(), registry.Lock{Kind: registry.LockItem, Key: "1"}); err == nil {
			t.Error("a lock was put that other nodes do not learn of")
		}
		if id, err := s.Pendings().AddPending(t.Context(), registry.Pending{}); err == nil {
			t.Errorf("AddPending = %d without a counter", id)
		}
		if n := count(t, s, `SELECT count(*) FROM locks`) + count(t, s, `SELECT count(*) FROM pending_changes`); n != 0 {
			t.Errorf("%d rows were left", n)
		}
	})
}
