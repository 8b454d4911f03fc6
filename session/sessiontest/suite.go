// Package sessiontest holds every implementation of session.Store to the same promises.
package sessiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"licgate/session"
)

// Run checks a backend. open returns a fresh, empty store for each subtest and undoes it in t.Cleanup; the subtests
// run in parallel.
func Run(t *testing.T, open func(t *testing.T) session.Store) {
	for _, c := range []struct {
		name  string
		check func(*testing.T, session.Store)
	}{
		{"InsertFind", insertFind},
		{"InsertKeepsNoSlice", insertKeepsNoSlice},
		{"InsertTwice", insertTwice},
		{"FindUnknown", findUnknown},
		{"FindExpired", findExpired},
		{"Touch", touch},
		{"TouchNeverBackwards", touchNeverBackwards},
		{"TouchRevivesNothing", touchRevivesNothing},
		{"Delete", deleteOne},
		{"DeleteMatching", deleteMatching},
		{"DeleteMatchingComparesBytes", deleteMatchingComparesBytes},
		{"DeleteMatchingMany", deleteMatchingMany},
		{"List", list},
		{"ListNewestFirst", listNewestFirst},
		{"ListComparesBytes", listComparesBytes},
		{"ListMany", listMany},
		{"Purge", purge},
		{"PurgeAfterTouch", purgeAfterTouch},
		{"PurgeCountsOnce", purgeCountsOnce},
		{"AttemptUnknown", attemptUnknown},
		{"FailCountsAndLocks", failCountsAndLocks},
		{"FailDoublesUpToMax", failDoublesUpToMax},
		{"FailKeysApart", failKeysApart},
		{"Clear", clearAttempt},
		{"Cancelled", cancelled},
		{"Ping", ping},
		{"ConcurrentFail", concurrentFail},
		{"ConcurrentInsert", concurrentInsert},
		{"ConcurrentDelete", concurrentDelete},
		{"ConcurrentTouch", concurrentTouch},
		{"TouchAgainstDelete", touchAgainstDelete},
		{"DeleteMatchingAgainstInsert", deleteMatchingAgainstInsert},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, open(t))
		})
	}
}

// clock is the time that the suite works at. It is near the real one because a backend may use its own clock to
// forget what is long past.
func clock() time.Time { return time.Now().Truncate(time.Millisecond) }

// digest returns the n-th token digest of a test: 32 bytes, as HMAC-SM3 gives them, zero and high bytes included.
func digest(n int) []byte {
	d := bytes.Repeat([]byte{0x00, 0xff, '%', '\''}, 8)
	d[30], d[31] = byte(n>>8), byte(n)
	return d
}

// sample returns the n-th session of a test.
func sample(n int, now time.Time) session.Session {
	return session.Session{
		ID: fmt.Sprintf("id%04d", n), AppKey: "hydj", Account: fmt.Sprintf("account%04d", n),
		Department: "11110000000021135M", Address: "192.0.2.7",
		Created: now.Add(-time.Hour), LastSeen: now.Add(-time.Minute), Expires: now.Add(23 * time.Hour),
	}
}

// noError ends the test when a store that should work does not.
func noError(t *testing.T, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

// noSession demands ErrNoSession.
func noSession(t *testing.T, doing string, err error) {
	t.Helper()
	if !errors.Is(err, session.ErrNoSession) {
		t.Fatalf("%s: error %v, want ErrNoSession", doing, err)
	}
}

func insert(t *testing.T, st session.Store, n int, s session.Session) {
	t.Helper()
	noError(t, "Insert", st.Insert(t.Context(), digest(n), s))
}

func find(t *testing.T, st session.Store, n int) session.Session {
	t.Helper()
	s, err := st.Find(t.Context(), digest(n))
	noError(t, "Find", err)
	return s
}

// same demands equal sessions; times are compared as instants.
func same(t *testing.T, got, want session.Session) {
	t.Helper()
	if !got.Created.Equal(want.Created) || !got.LastSeen.Equal(want.LastSeen) || !got.Expires.Equal(want.Expires) {
		t.Errorf("times: got created %v seen %v expires %v, want %v %v %v",
			got.Created, got.LastSeen, got.Expires, want.Created, want.LastSeen, want.Expires)
	}
	got.Created, got.LastSeen, got.Expires = want.Created, want.LastSeen, want.Expires
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// sameAttempt demands an equal failure state; the zero Until must stay zero.
func sameAttempt(t *testing.T, doing string, got, want session.Attempt) {
	t.Helper()
	if got.Failures != want.Failures || got.Locks != want.Locks ||
		!got.Until.Equal(want.Until) || got.Until.IsZero() != want.Until.IsZero() {
		t.Fatalf("%s: got %+v, want %+v", doing, got, want)
	}
}

// alive returns which of the first n sessions are there.
func alive(t *testing.T, st session.Store, n int) []int {
	t.Helper()
	var there []int
	for i := range n {
		switch _, err := st.Find(t.Context(), digest(i)); {
		case err == nil:
			there = append(there, i)
		case !errors.Is(err, session.ErrNoSession):
			t.Fatalf("Find: %v", err)
		}
	}
	return there
}

// cancelled demands that a context that is done is an error of its own, not "no session", and that nothing is done.
func cancelled(t *testing.T, st session.Store) {
	now := clock()
	insert(t, st, 1, sample(1, now))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key := []byte("key")
	for name, call := range map[string]func() error{
		"Insert":         func() error { return st.Insert(ctx, digest(2), sample(2, now)) },
		"Find":           func() error { _, err := st.Find(ctx, digest(1)); return err },
		"Touch":          func() error { return st.Touch(ctx, digest(1), now) },
		"Delete":         func() error { return st.Delete(ctx, digest(1)) },
		"DeleteMatching": func() error { _, err := st.DeleteMatching(ctx, session.Match{}); return err },
		"List":           func() error { _, err := st.List(ctx, session.Match{}, 1); return err },
		"Purge":          func() error { _, err := st.Purge(ctx, now.Add(48*time.Hour), now); return err },
		"Attempt":        func() error { _, err := st.Attempt(ctx, key); return err },
		"Fail":           func() error { _, err := st.Fail(ctx, key, now, 5, time.Second, time.Minute); return err },
		"Clear":          func() error { return st.Clear(ctx, key) },
		"Ping":           func() error { return st.Ping(ctx) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: error %v, want context.Canceled", name, err)
		}
	}
	same(t, find(t, st, 1), sample(1, now))
	_, err := st.Find(t.Context(), digest(2))
	noSession(t, "Find of a session whose Insert was cancelled", err)
	a, err := st.Attempt(t.Context(), key)
	noError(t, "Attempt", err)
	sameAttempt(t, "Attempt after a cancelled Fail", a, session.Attempt{})
}

func ping(t *testing.T, st session.Store) {
	noError(t, "Ping", st.Ping(t.Context()))
}
