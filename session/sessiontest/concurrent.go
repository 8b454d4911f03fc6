package sessiontest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licgate/session"
)

// callers is how many goroutines press one store at once.
const callers = 64

// together runs f in n goroutines that start at the same moment.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

func concurrentFail(t *testing.T, st session.Store) {
	now := clock()
	var mu sync.Mutex
	seen := map[session.Attempt]int{}
	together(callers, func(int) {
		a, err := st.Fail(t.Context(), []byte("key"), now, 5, time.Second, time.Minute)
		if err != nil {
			t.Errorf("Fail: %v", err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		a.Until = time.Time{}
		seen[a]++
	})
	want := session.Attempt{Failures: callers % 5, Locks: callers / 5, Until: now.Add(time.Minute)}
	sameAttempt(t, "after all", attempt(t, st, "key"), want)
	if len(seen) != callers {
		t.Errorf("%d different states were returned by %d failures, want each one once", len(seen), callers)
	}
}

func concurrentInsert(t *testing.T, st session.Store) {
	now := clock()
	var won atomic.Int32
	var winner atomic.Int32
	together(callers, func(i int) {
		if st.Insert(t.Context(), digest(1), sample(i, now)) == nil {
			won.Add(1)
			winner.Store(int32(i))
		}
	})
	if won.Load() != 1 {
		t.Fatalf("%d of %d inserts under one digest succeeded, want 1", won.Load(), callers)
	}
	same(t, find(t, st, 1), sample(int(winner.Load()), now))
}

func concurrentDelete(t *testing.T, st session.Store) {
	insert(t, st, 1, sample(1, clock()))
	var won atomic.Int32
	together(callers, func(int) {
		switch err := st.Delete(t.Context(), digest(1)); {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, session.ErrNoSession):
			t.Errorf("Delete: %v", err)
		}
	})
	if won.Load() != 1 {
		t.Fatalf("%d of %d deletes succeeded, want 1", won.Load(), callers)
	}
}

func concurrentTouch(t *testing.T, st session.Store) {
	now := clock()
	s := sample(1, now)
	insert(t, st, 1, s)
	together(callers, func(i int) {
		if err := st.Touch(t.Context(), digest(1), now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Errorf("Touch: %v", err)
		}
	})
	s.LastSeen = now.Add((callers - 1) * time.Second)
	same(t, find(t, st, 1), s)
}

func touchAgainstDelete(t *testing.T, st session.Store) {
	now := clock()
	for round := range 8 {
		insert(t, st, round, sample(round, now))
		together(callers, func(i int) {
			if i == callers/2 {
				if err := st.Delete(t.Context(), digest(round)); err != nil {
					t.Errorf("Delete: %v", err)
				}
				return
			}
			err := st.Touch(t.Context(), digest(round), now.Add(time.Duration(i)*time.Second))
			if err != nil && !errors.Is(err, session.ErrNoSession) {
				t.Errorf("Touch: %v", err)
			}
		})
	}
	if left := alive(t, st, 8); len(left) != 0 {
		t.Fatalf("touches revived sessions %v", left)
	}
	n, err := st.DeleteMatching(t.Context(), session.Match{})
	noError(t, "DeleteMatching", err)
	if n != 0 {
		t.Fatalf("%d sessions left behind, want 0", n)
	}
}

func deleteMatchingAgainstInsert(t *testing.T, st session.Store) {
	now := clock()
	for i := range callers {
		insert(t, st, i, sample(i, now))
	}
	var deleted atomic.Int32
	together(callers, func(i int) {
		if i%8 != 0 {
			if err := st.Insert(t.Context(), digest(callers+i), sample(callers+i, now)); err != nil {
				t.Errorf("Insert: %v", err)
			}
			return
		}
		n, err := st.DeleteMatching(t.Context(), session.Match{AppKey: sample(0, now).AppKey})
		if err != nil {
			t.Errorf("DeleteMatching: %v", err)
		}
		deleted.Add(int32(n))
	})
	left := alive(t, st, 2*callers)
	if len(left) > 0 && left[0] < callers {
		t.Errorf("session %d was there before the call and is still", left[0])
	}
	if want := callers + callers*7/8; int(deleted.Load())+len(left) != want {
		t.Errorf("%d deleted and %d left, want %d together", deleted.Load(), len(left), want)
	}
}
