package sessiontest

import (
	"testing"
	"time"

	"licgate/session"
)

func attempt(t *testing.T, st session.Store, key string) session.Attempt {
	t.Helper()
	a, err := st.Attempt(t.Context(), []byte(key))
	noError(t, "Attempt", err)
	return a
}

func attemptUnknown(t *testing.T, st session.Store) {
	sameAttempt(t, "Attempt in an empty store", attempt(t, st, "key"), session.Attempt{})
}

func failCountsAndLocks(t *testing.T, st session.Store) {
	now := clock()
	var until time.Time
	for i := 1; i <= 7; i++ {
		at := now.Add(time.Duration(i) * time.Second)
		want := session.Attempt{Failures: i % 3, Locks: i / 3, Until: until}
		if i%3 == 0 {
			want.Until = at.Add(10 * time.Minute << (want.Locks - 1))
		}
		until = want.Until
		got, err := st.Fail(t.Context(), []byte("key"), at, 3, 10*time.Minute, time.Hour)
		noError(t, "Fail", err)
		sameAttempt(t, "Fail", got, want)
		sameAttempt(t, "Attempt after Fail", attempt(t, st, "key"), want)
	}
}

func failDoublesUpToMax(t *testing.T, st session.Store) {
	now := clock()
	const base, limit = 30 * time.Second, 30 * time.Minute
	for locks := 1; locks <= 80; locks++ { // past where a doubling integer overflows
		delay := limit
		if locks <= 6 {
			delay = base << (locks - 1)
		}
		got, err := st.Fail(t.Context(), []byte("key"), now, 1, base, limit)
		noError(t, "Fail", err)
		sameAttempt(t, "Fail", got, session.Attempt{Locks: locks, Until: now.Add(delay)})
	}
	got, err := st.Fail(t.Context(), []byte("short"), now, 1, time.Hour, time.Minute)
	noError(t, "Fail", err)
	sameAttempt(t, "Fail with a base above max", got, session.Attempt{Locks: 1, Until: now.Add(time.Minute)})
}

func failKeysApart(t *testing.T, st session.Store) {
	now := clock()
	key := []byte("key\x00\xff")
	_, err := st.Fail(t.Context(), key, now, 5, time.Second, time.Minute)
	noError(t, "Fail", err)
	key[0] = 'K' // the store keeps no slice
	sameAttempt(t, "its key", attempt(t, st, "key\x00\xff"), session.Attempt{Failures: 1})
	for _, other := range []string{"Key\x00\xff", "key", "key\x00", "key\x00\xff\x00", ""} {
		sameAttempt(t, "another key", attempt(t, st, other), session.Attempt{})
	}
	// A session digest of the same bytes is something else.
	_, err = st.Find(t.Context(), []byte("key\x00\xff"))
	noSession(t, "Find by a failure key", err)
}

func clearAttempt(t *testing.T, st session.Store) {
	now := clock()
	noError(t, "Clear of nothing", st.Clear(t.Context(), []byte("key")))
	for _, key := range []string{"key", "other"} {
		for range 4 {
			_, err := st.Fail(t.Context(), []byte(key), now, 3, time.Minute, time.Hour)
			noError(t, "Fail", err)
		}
	}
	noError(t, "Clear", st.Clear(t.Context(), []byte("key")))
	sameAttempt(t, "cleared", attempt(t, st, "key"), session.Attempt{})
	sameAttempt(t, "not cleared", attempt(t, st, "other"),
		session.Attempt{Failures: 1, Locks: 1, Until: now.Add(time.Minute)})
	got, err := st.Fail(t.Context(), []byte("key"), now, 1, time.Minute, time.Hour)
	noError(t, "Fail", err)
	sameAttempt(t, "the first lock after Clear", got, session.Attempt{Locks: 1, Until: now.Add(time.Minute)})
}
