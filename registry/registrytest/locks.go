package registrytest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"licgate/registry"
)

// RunLocks checks a registry.LockStore. open returns a fresh, empty one and undoes it in t.Cleanup. Stores keep times to the
// microsecond at least.
func RunLocks(t *testing.T, open func(t *testing.T) registry.LockStore) {
	t.Helper()
	run(t, open, []check[registry.LockStore]{
		{"no lock", noLock},
		{"put", putLocks},
		{"put replaces the same kind and key", putReplaces},
		{"keys are exact", lockKeysAreExact},
		{"order by kind and key", lockOrder},
		{"expired ones are listed", expiredLocksAreListed},
		{"remove", removeLock},
		{"purge", purgeLocks},
		{"cancelled context", locksCancelled},
		{"one of many who put stays whole", concurrentPut},
		{"one of many who remove finds it", concurrentRemove},
	})
}

// lock is one without an end.
func lock(kind, key string) registry.Lock {
	return registry.Lock{Kind: kind, Key: key, Reason: "应急：密钥 '泄露' %_\\", By: "110000_安全员", Created: epoch}
}

func until(l registry.Lock, end time.Time) registry.Lock {
	l.Expires = end
	return l
}

func put(t *testing.T, s registry.LockStore, all ...registry.Lock) {
	t.Helper()
	for _, l := range all {
		noError(t, "PutLock", s.PutLock(t.Context(), l))
	}
}

// wantLocks demands these locks in this order.
func wantLocks(t *testing.T, s registry.LockStore, want ...registry.Lock) {
	t.Helper()
	got, err := s.Locks(t.Context())
	noError(t, "Locks", err)
	if !slices.EqualFunc(got, want, sameLock) {
		t.Errorf("locks\n got %+v\nwant %+v", got, want)
	}
}

func sameLock(a, b registry.Lock) bool {
	same := sameTime(a.Created, b.Created) && sameTime(a.Expires, b.Expires)
	a.Created, a.Expires = b.Created, b.Expires
	return same && a == b
}

func noLock(t *testing.T, s registry.LockStore) {
	wantLocks(t, s)
	found, err := s.RemoveLock(t.Context(), registry.LockAccount, "zhang")
	noError(t, "RemoveLock", err)
	if found {
		t.Error("RemoveLock found one in an empty store")
	}
	noError(t, "PurgeLocks", s.PurgeLocks(t.Context(), epoch))
	wantLocks(t, s)
}

func putLocks(t *testing.T, s registry.LockStore) {
	all := []registry.Lock{
		lock(registry.LockAccount, "zhang"),
		lock(registry.LockAddress, "2001:db8::/64"),
		until(lock(registry.LockApplication, "hydj"), epoch.Add(time.Hour).In(beijing)),
		{Kind: registry.LockDepartment, Key: "11110000000021135M", Created: epoch.In(beijing)},
		until(lock(registry.LockItem, "305018201"), epoch.Add(time.Microsecond)),
	}
	put(t, s, all...)
	wantLocks(t, s, all...)
}

func putReplaces(t *testing.T, s registry.LockStore) {
	bystander := lock(registry.LockApplication, "zhang")
	put(t, s, until(lock(registry.LockAccount, "zhang"), epoch.Add(time.Hour)), bystander)
	second := registry.Lock{Kind: registry.LockAccount, Key: "zhang", Reason: "another", By: "somebody else", Created: epoch.Add(time.Minute)}
	put(t, s, second)
	wantLocks(t, s, second, bystander)
	third := until(second, epoch.Add(time.Hour))
	put(t, s, third, third)
	wantLocks(t, s, third, bystander)
}

func lockKeysAreExact(t *testing.T, s registry.LockStore) {
	keys := []string{"Zhang", "zhang", "zhang ", "张"} // in the order of their bytes
	var all []registry.Lock
	for _, key := range keys {
		all = append(all, lock(registry.LockAccount, key))
	}
	put(t, s, all...)
	wantLocks(t, s, all...)
	for _, key := range []string{"", "ZHANG", "%", "zhan_", "zhang'"} {
		found, err := s.RemoveLock(t.Context(), registry.LockAccount, key)
		noError(t, "RemoveLock", err)
		if found {
			t.Errorf("RemoveLock(%q) found one", key)
		}
	}
	wantLocks(t, s, all...)
}

func lockOrder(t *testing.T, s registry.LockStore) {
	sorted := []registry.Lock{
		lock(registry.LockAccount, "z"), lock(registry.LockApplication, "B"), lock(registry.LockApplication, "_"), lock(registry.LockApplication, "a"),
		lock(registry.LockItem, "1"),
	}
	for _, i := range []int{3, 0, 4, 2, 1} {
		put(t, s, sorted[i])
	}
	wantLocks(t, s, sorted...)
}

func expiredLocksAreListed(t *testing.T, s registry.LockStore) {
	old := until(lock(registry.LockItem, "1"), epoch.AddDate(-1, 0, 0))
	put(t, s, old)
	wantLocks(t, s, old)
}

func removeLock(t *testing.T, s registry.LockStore) {
	kept := []registry.Lock{lock(registry.LockAccount, "wang"), lock(registry.LockApplication, "zhang")}
	put(t, s, append(kept, lock(registry.LockAccount, "zhang"))...)
	for _, want := range []bool{true, false} {
		found, err := s.RemoveLock(t.Context(), registry.LockAccount, "zhang")
		noError(t, "RemoveLock", err)
		if found != want {
			t.Errorf("found %v, want %v", found, want)
		}
		wantLocks(t, s, kept...)
	}
}

func purgeLocks(t *testing.T, s registry.LockStore) {
	endless := lock(registry.LockAccount, "endless")
	ending := until(lock(registry.LockAccount, "ends now"), epoch)
	later := until(lock(registry.LockAccount, "ends later"), epoch.Add(time.Hour))
	put(t, s, endless, ending, later,
		until(lock(registry.LockAccount, "ended"), epoch.Add(-time.Microsecond)), until(lock(registry.LockItem, "ended"), epoch.AddDate(-1, 0, 0)))
	noError(t, "PurgeLocks", s.PurgeLocks(t.Context(), epoch))
	wantLocks(t, s, endless, later, ending)
	noError(t, "PurgeLocks", s.PurgeLocks(t.Context(), time.Time{}))
	wantLocks(t, s, endless, later, ending)
	noError(t, "PurgeLocks", s.PurgeLocks(t.Context(), epoch.AddDate(100, 0, 0)))
	wantLocks(t, s, endless)
}

func locksCancelled(t *testing.T, s registry.LockStore) {
	there := until(lock(registry.LockAccount, "zhang"), epoch)
	put(t, s, there)
	cancelled(t, map[string]func(context.Context) error{
		"PutLock":    func(ctx context.Context) error { return s.PutLock(ctx, lock(registry.LockAccount, "wang")) },
		"RemoveLock": func(ctx context.Context) error { _, err := s.RemoveLock(ctx, there.Kind, there.Key); return err },
		"Locks":      func(ctx context.Context) error { _, err := s.Locks(ctx); return err },
		"PurgeLocks": func(ctx context.Context) error { return s.PurgeLocks(ctx, epoch.Add(time.Hour)) },
	})
	wantLocks(t, s, there)
}

func concurrentPut(t *testing.T, s registry.LockStore) {
	mine := func(i int) registry.Lock {
		l := until(lock(registry.LockAccount, "zhang"), epoch.Add(time.Duration(i)*time.Second))
		l.Reason, l.By = fmt.Sprint("reason ", i), fmt.Sprint("by ", i)
		return l
	}
	together(func(i int) {
		if err := s.PutLock(t.Context(), mine(i)); err != nil {
			t.Errorf("PutLock: %v", err)
		}
	})
	got, err := s.Locks(t.Context())
	noError(t, "Locks", err)
	if len(got) != 1 || !whole(got[0], mine) {
		t.Errorf("locks %+v, want one, as one of the writers put it", got)
	}
}

// whole reports whether got is what one of the callers made.
func whole(got registry.Lock, made func(i int) registry.Lock) bool {
	for i := range callers {
		if sameLock(got, made(i)) {
			return true
		}
	}
	return false
}

func concurrentRemove(t *testing.T, s registry.LockStore) {
	put(t, s, lock(registry.LockAccount, "zhang"))
	var found atomic.Int32
	together(func(int) {
		switch one, err := s.RemoveLock(t.Context(), registry.LockAccount, "zhang"); {
		case err != nil:
			t.Errorf("RemoveLock: %v", err)
		case one:
			found.Add(1)
		}
	})
	if found.Load() != 1 {
		t.Errorf("%d of %d found the lock, want 1", found.Load(), callers)
	}
	wantLocks(t, s)
}
