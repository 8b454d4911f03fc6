package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licgate/licence"
	"licgate/registry"
	"licgate/session"
	"licgate/store"
	"licgate/store/storetest"
)

// Writers and readers of every kind at once, through two stores as of two gateways. Whatever happens is one of the
// answers that the interfaces name: a busy or locked database is not.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		const workers, rounds = 32, 6
		stores := []*store.Store{storetest.Open(t, url), storetest.Open(t, url)}
		counter := registered("counter")
		if err := stores[0].Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{counter}}); err != nil {
			t.Fatal(err)
		}
		var (
			winners  [rounds]atomic.Int64
			raised   atomic.Int64
			locks    atomic.Int64
			together sync.WaitGroup
		)
		for w := range workers {
			together.Go(func() {
				s := stores[w%len(stores)]
				for round := range rounds {
					// All want the same id_code.
					rival := registered(fmt.Sprintf("R%d-%d", round, w))
					rival.IDCodeDigest = digest(fmt.Sprintf("round %d", round))
					switch err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{rival}}); {
					case err == nil:
						winners[round].Add(1)
						if l, err := s.Licences().Find(t.Context(), rival.Code); err != nil || !sameLicence(l, rival) {
							t.Errorf("the winner does not read its write: %+v, %v", l, err)
						}
					case !errors.Is(err, licence.ErrDuplicate):
						t.Errorf("Apply = %v, want ErrDuplicate", err)
					}
					// All raise the same row.
					l, err := s.Licences().Find(t.Context(), "counter")
					if err != nil {
						t.Errorf("Find = %v", err)
						continue
					}
					l.Revision++
					switch err := s.Licences().Apply(t.Context(), licence.Write{Update: []licence.Stored{l}}); {
					case err == nil:
						raised.Add(1)
					case !errors.Is(err, licence.ErrStale):
						t.Errorf("Apply = %v, want ErrStale", err)
					}
					a, err := s.Sessions().Fail(t.Context(), digest("everybody"), epoch, 4, time.Second, time.Hour)
					if err != nil {
						t.Errorf("Fail = %v", err)
					} else if a.Failures == 0 {
						locks.Add(1)
					}
					own := digest(fmt.Sprintf("session %d %d", w, round))
					if err := s.Sessions().Insert(t.Context(), own, session.Session{ID: "x", Created: epoch, LastSeen: epoch, Expires: epoch}); err != nil {
						t.Errorf("Insert = %v", err)
					}
					if _, err := s.Sessions().Find(t.Context(), own); err != nil {
						t.Errorf("Find of a session = %v", err)
					}
				}
			})
		}
		together.Wait()
		for round := range rounds {
			if n := winners[round].Load(); n != 1 {
				t.Errorf("round %d: %d have the id_code, want one", round, n)
			}
		}
		if l, err := stores[0].Licences().Find(t.Context(), "counter"); err != nil || l.Revision != 1+raised.Load() || raised.Load() == 0 {
			t.Errorf("revision %d, %v after %d updates", l.Revision, err, raised.Load())
		}
		if locks.Load() != workers*rounds/4 {
			t.Errorf("%d failures locked %d times, want %d", workers*rounds, locks.Load(), workers*rounds/4)
		}
	})
}

// Administrators at two gateways: of those who decide on one change one wins, numbers have no gap, and every change of locks
// counts once.
func TestAdministratorsConcurrently(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		const workers, rounds = 16, 4
		stores := []*store.Store{storetest.Open(t, url), storetest.Open(t, url)}
		for range rounds {
			if err := addPending(t, stores[0]); err != nil {
				t.Fatal(err)
			}
		}
		var (
			winners  [rounds]atomic.Int64
			changes  atomic.Int64
			together sync.WaitGroup
		)
		for w := range workers {
			together.Go(func() {
				s := stores[w%len(stores)]
				for round := range rounds {
					decision := registry.Pending{State: []string{registry.PendingApproved, registry.PendingRejected}[w%2], Version: int64(w) + 1}
					switch err := s.Pendings().DecidePending(t.Context(), int64(round)+1, decision); {
					case err == nil:
						if !winners[round].CompareAndSwap(0, decision.Version) {
							t.Errorf("round %d: two decided", round)
						}
					case !errors.Is(err, registry.ErrDecided):
						t.Errorf("DecidePending = %v, want ErrDecided", err)
					}
					if err := addPending(t, s); err != nil {
						t.Errorf("AddPending = %v", err)
					}
					if err := putLock(t, s); err != nil {
						t.Errorf("PutLock = %v", err)
					}
					changes.Add(1)
					found, err := s.Locks().RemoveLock(t.Context(), registry.LockAccount, "zhang")
					if err != nil {
						t.Errorf("RemoveLock = %v", err)
					}
					if found {
						changes.Add(1)
					}
				}
			})
		}
		together.Wait()
		for round := range rounds {
			p, err := stores[0].Pendings().GetPending(t.Context(), int64(round)+1)
			if won := winners[round].Load(); err != nil || won == 0 || p.Version != won {
				t.Errorf("round %d: %d won, %d is kept, %v", round, won, p.Version, err)
			}
		}
		if n := count(t, stores[0], `SELECT count(*) FROM pending_changes`); n != rounds*(workers+1) {
			t.Errorf("%d changes wait, want %d", n, rounds*(workers+1))
		}
		if n := count(t, stores[0], `SELECT MAX(id) FROM pending_changes`); n != rounds*(workers+1) {
			t.Errorf("the newest has number %d, want %d", n, rounds*(workers+1))
		}
		revisions(t, "after all", stores[1], 0, changes.Load())
	})
}
