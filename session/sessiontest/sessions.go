package sessiontest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"licgate/session"
)

func insertFind(t *testing.T, st session.Store) {
	now := clock()
	shanghai := time.FixedZone("CST", 8*3600)
	for n, s := range []session.Session{
		{
			ID: "a1", AppKey: "hydj", Account: "110000_经办人", Department: "11110000000021135M", ByOrgCode: true,
			Address: "2001:db8::7", Created: now.In(shanghai), LastSeen: now.Add(time.Millisecond).UTC(),
			Expires: now.Add(24 * time.Hour).In(shanghai), Credential: "0f1e",
		},
		sample(1, now),
		{ID: "bare", Created: now, LastSeen: now, Expires: now.Add(time.Hour)},
	} {
		insert(t, st, n, s)
		same(t, find(t, st, n), s)
	}
}

func insertKeepsNoSlice(t *testing.T, st session.Store) {
	now := clock()
	d := digest(1)
	noError(t, "Insert", st.Insert(t.Context(), d, sample(1, now)))
	d[0] ^= 0xff
	same(t, find(t, st, 1), sample(1, now))
	_, err := st.Find(t.Context(), d)
	noSession(t, "Find by the changed slice", err)
}

func insertTwice(t *testing.T, st session.Store) {
	now := clock()
	first, second := sample(1, now), sample(2, now)
	insert(t, st, 1, first)
	if err := st.Insert(t.Context(), digest(1), second); err == nil || errors.Is(err, session.ErrNoSession) {
		t.Fatalf("second Insert under one digest: error %v, want one that is not ErrNoSession", err)
	}
	same(t, find(t, st, 1), first)
	n, err := st.DeleteMatching(t.Context(), session.Match{Account: second.Account})
	noError(t, "DeleteMatching", err)
	if n != 0 {
		t.Fatalf("the refused session was deleted %d times, want 0", n)
	}
}

func findUnknown(t *testing.T, st session.Store) {
	now := clock()
	_, err := st.Find(t.Context(), digest(1))
	noSession(t, "Find in an empty store", err)
	insert(t, st, 1, sample(1, now))
	for name, d := range map[string][]byte{
		"another": digest(2), "shorter": digest(1)[:31], "longer": append(digest(1), 0), "empty": {}, "nil": nil,
	} {
		_, err := st.Find(t.Context(), d)
		noSession(t, "Find of a digest that is "+name, err)
	}
}

func findExpired(t *testing.T, st session.Store) {
	now := clock()
	s := sample(1, now.Add(-24*time.Hour))
	insert(t, st, 1, s)
	same(t, find(t, st, 1), s)
}

func touch(t *testing.T, st session.Store) {
	now := clock()
	s, other := sample(1, now), sample(2, now)
	insert(t, st, 1, s)
	insert(t, st, 2, other)
	s.LastSeen = now.Add(7 * time.Millisecond)
	noError(t, "Touch", st.Touch(t.Context(), digest(1), s.LastSeen))
	same(t, find(t, st, 1), s)
	same(t, find(t, st, 2), other)
	noSession(t, "Touch of an unknown digest", st.Touch(t.Context(), digest(3), now))
}

func touchNeverBackwards(t *testing.T, st session.Store) {
	now := clock()
	s := sample(1, now)
	insert(t, st, 1, s)
	noError(t, "Touch", st.Touch(t.Context(), digest(1), s.LastSeen.Add(-time.Millisecond)))
	same(t, find(t, st, 1), s)
	// What the store orders by must not have moved either.
	n, err := st.Purge(t.Context(), now, s.LastSeen)
	noError(t, "Purge", err)
	if n != 0 {
		t.Fatalf("purged %d sessions, want 0", n)
	}
}

func touchRevivesNothing(t *testing.T, st session.Store) {
	now := clock()
	insert(t, st, 1, sample(1, now))
	noError(t, "Delete", st.Delete(t.Context(), digest(1)))
	noSession(t, "Touch after Delete", st.Touch(t.Context(), digest(1), now))
	_, err := st.Find(t.Context(), digest(1))
	noSession(t, "Find after Touch after Delete", err)
	n, err := st.DeleteMatching(t.Context(), session.Match{})
	noError(t, "DeleteMatching", err)
	if n != 0 {
		t.Fatalf("%d sessions left, want 0", n)
	}
}

func deleteOne(t *testing.T, st session.Store) {
	now := clock()
	insert(t, st, 1, sample(1, now))
	insert(t, st, 2, sample(2, now))
	noError(t, "Delete", st.Delete(t.Context(), digest(1)))
	_, err := st.Find(t.Context(), digest(1))
	noSession(t, "Find after Delete", err)
	noSession(t, "second Delete", st.Delete(t.Context(), digest(1)))
	same(t, find(t, st, 2), sample(2, now))
	insert(t, st, 1, sample(3, now))
	same(t, find(t, st, 1), sample(3, now))
}

func deleteMatching(t *testing.T, st session.Store) {
	now := clock()
	owners := [][3]string{ // application, account, department
		{"app1", "zhang", "D1"}, {"app1", "wang", "D1"}, {"app2", "zhang", "D1"}, {"app2", "wang", "D2"}, {"app1", "zhang", "D2"},
	}
	for _, c := range []struct {
		name  string
		match session.Match
		stay  []int
	}{
		{"nothing matches", session.Match{AppKey: "app3"}, []int{0, 1, 2, 3, 4}},
		{"each matches, not together", session.Match{AppKey: "app1", Account: "wang", Department: "D2"}, []int{0, 1, 2, 3, 4}},
		{"application", session.Match{AppKey: "app1"}, []int{2, 3}},
		{"account", session.Match{Account: "zhang"}, []int{1, 3}},
		{"department", session.Match{Department: "D1"}, []int{3, 4}},
		{"application and account", session.Match{AppKey: "app1", Account: "zhang"}, []int{1, 2, 3}},
		{"application and department", session.Match{AppKey: "app2", Department: "D2"}, []int{0, 1, 2, 4}},
		{"account and department", session.Match{Account: "zhang", Department: "D1"}, []int{1, 3, 4}},
		{"all three", session.Match{AppKey: "app1", Account: "zhang", Department: "D2"}, []int{0, 1, 2, 3}},
		{"all", session.Match{}, nil},
	} {
		for i, o := range owners {
			s := sample(i, now)
			s.AppKey, s.Account, s.Department = o[0], o[1], o[2]
			insert(t, st, i, s)
		}
		n, err := st.DeleteMatching(t.Context(), c.match)
		noError(t, c.name, err)
		if got := alive(t, st, len(owners)); !slices.Equal(got, c.stay) || n != len(owners)-len(c.stay) {
			t.Errorf("%s: deleted %d and left %v, want %v left", c.name, n, got, c.stay)
		}
		n, err = st.DeleteMatching(t.Context(), session.Match{})
		noError(t, c.name, err)
		if n != len(c.stay) {
			t.Errorf("%s: then deleted %d, want %d", c.name, n, len(c.stay))
		}
	}
}

func deleteMatchingComparesBytes(t *testing.T, st session.Store) {
	now := clock()
	accounts := []string{"a_b", "axb", "A_B", "a%", "a*b", "a_b ", "a:b", "经办人"}
	for i, name := range accounts {
		s := sample(i, now)
		s.Account = name
		insert(t, st, i, s)
	}
	left := len(accounts)
	for i, name := range accounts {
		n, err := st.DeleteMatching(t.Context(), session.Match{Account: name})
		noError(t, "DeleteMatching", err)
		left--
		if got := alive(t, st, len(accounts)); n != 1 || len(got) != left || slices.Contains(got, i) {
			t.Fatalf("account %q: deleted %d and left %v", name, n, got)
		}
	}
}

func deleteMatchingMany(t *testing.T, st session.Store) {
	now := clock()
	const many = 600 // more than one batch of any backend that works in batches
	for i := range many {
		s := sample(i, now)
		s.AppKey = []string{"stay", "go"}[i%2]
		insert(t, st, i, s)
	}
	n, err := st.DeleteMatching(t.Context(), session.Match{AppKey: "go"})
	noError(t, "DeleteMatching", err)
	if n != many/2 {
		t.Fatalf("deleted %d, want %d", n, many/2)
	}
	n, err = st.Purge(t.Context(), now.Add(48*time.Hour), time.Time{})
	noError(t, "Purge", err)
	if n != many/2 {
		t.Fatalf("purged %d, want %d", n, many/2)
	}
}

func purge(t *testing.T, st session.Store) {
	now := clock()
	expires, idle := now, now.Add(-30*time.Minute)
	for i, c := range []struct{ expires, seen time.Duration }{
		{time.Hour, 0},                      // alive
		{-time.Millisecond, 0},              // expired
		{0, 0},                              // expires at t, not before it
		{time.Hour, -time.Millisecond},      // idle
		{time.Hour, time.Hour},              // alive
		{-time.Hour, -time.Hour},            // both
		{-time.Millisecond, 24 * time.Hour}, // expired, seen later
	} {
		s := sample(i, now)
		s.Expires, s.LastSeen = expires.Add(c.expires), idle.Add(c.seen)
		insert(t, st, i, s)
	}
	n, err := st.Purge(t.Context(), expires, idle)
	noError(t, "Purge", err)
	if got := alive(t, st, 7); n != 4 || !slices.Equal(got, []int{0, 2, 4}) {
		t.Fatalf("purged %d and left %v, want 4 purged and 0, 2, 4 left", n, got)
	}
	n, err = st.Purge(t.Context(), expires, idle)
	noError(t, "second Purge", err)
	if n != 0 {
		t.Fatalf("purged %d again, want 0", n)
	}
	n, err = st.Purge(t.Context(), time.Time{}, time.Time{})
	noError(t, "Purge of nothing", err)
	if n != 0 {
		t.Fatalf("zero times purged %d, want 0", n)
	}
}

func purgeAfterTouch(t *testing.T, st session.Store) {
	now := clock()
	for i := range 2 {
		s := sample(i, now)
		s.LastSeen = now.Add(-40 * time.Minute)
		insert(t, st, i, s)
	}
	noError(t, "Touch", st.Touch(t.Context(), digest(1), now))
	n, err := st.Purge(t.Context(), now, now.Add(-30*time.Minute))
	noError(t, "Purge", err)
	if got := alive(t, st, 2); n != 1 || !slices.Equal(got, []int{1}) {
		t.Fatalf("purged %d and left %v, want 1 purged and 1 left", n, got)
	}
}

func purgeCountsOnce(t *testing.T, st session.Store) {
	now := clock()
	for i := range 3 {
		insert(t, st, i, sample(i, now.Add(-24*time.Hour)))
	}
	noError(t, "Delete", st.Delete(t.Context(), digest(0)))
	n, err := st.DeleteMatching(t.Context(), session.Match{Account: sample(1, now).Account})
	noError(t, "DeleteMatching", err)
	if n != 1 {
		t.Fatalf("deleted %d expired sessions, want 1", n)
	}
	n, err = st.Purge(t.Context(), now, now.Add(-time.Hour))
	noError(t, "Purge", err)
	if n != 1 {
		t.Fatalf("purged %d, want 1: the others were gone", n)
	}
}
