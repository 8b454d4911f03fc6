package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licgate/licence"
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
