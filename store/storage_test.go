package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"licgate/licence"
	"licgate/session"
	"licgate/store/storetest"
)

// What the interfaces leave to the SQL store.

func TestStoredExactly(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		l := issued(registered("L1"))
		l.Revision = 7 // an insert is always the first
		l.HolderDigests = [][]byte{digest("z"), digest("a"), digest("z"), digest("m")}
		l.Sealed = slices.Repeat([]byte{0, 255, '\'', '\\'}, 300_000)
		if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{l}}); err != nil {
			t.Fatal(err)
		}
		l.Revision, l.HolderDigests = 1, [][]byte{digest("z"), digest("a"), digest("m")}
		check := func(what string, got licence.Stored, err error) {
			t.Helper()
			if err != nil || !sameLicence(got, l) {
				t.Errorf("%s = %v %d %x, %v", what, got.Code, got.Revision, got.HolderDigests, err)
			}
		}
		got, err := s.Licences().Find(t.Context(), "L1")
		check("Find", got, err)
		listed, total, err := s.Licences().ListByHolder(t.Context(), [][]byte{digest("m")}, []string{"item"}, 5, 0)
		if len(listed) != 1 || total != 1 {
			t.Fatalf("ListByHolder = %d of %d, %v", len(listed), total, err)
		}
		check("ListByHolder", listed[0], err)

		// An update that keeps the holders, one that reorders them, one that leaves a tombstone.
		for _, holders := range [][][]byte{l.HolderDigests, {digest("m"), digest("z")}, nil} {
			l.Revision++
			l.HolderDigests = holders
			if holders == nil {
				l.State, l.Sealed, l.IDCodeDigest, l.IssueTime = licence.Deleted, nil, nil, time.Time{}
			}
			if err := s.Licences().Apply(t.Context(), licence.Write{Update: []licence.Stored{l}}); err != nil {
				t.Fatal(err)
			}
			got, err := s.Licences().Find(t.Context(), "L1")
			check("Find after an update", got, err)
		}
	})
}

// Codes are compared by bytes on every backend, whatever locale the server has.
func TestOrderIsByBytes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		want := []string{"1", "A", "Z", "a", "证"}
		var w licence.Write
		for _, code := range []string{"a", "证", "Z", "1", "A"} {
			w.Insert = append(w.Insert, registered(code))
		}
		if err := s.Licences().Apply(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		got, err := s.Licences().ListRegistered(t.Context(), "item", "D1", "", "", 10)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("ListRegistered = %v, %v; want %v", got, err, want)
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		var w licence.Write
		var digests [][]byte
		for n := range 5 {
			w.Insert = append(w.Insert, issued(registered(fmt.Sprint("L", n))))
			digests = append(digests, w.Insert[n].HolderDigests[0])
		}
		w.Insert = append(w.Insert, registered("unsigned"))
		if err := s.Licences().Apply(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{-1, 0} {
			found, total, err := s.Licences().ListByHolder(t.Context(), digests, []string{"item"}, limit, -1)
			if err != nil || len(found) != 0 || total != 5 {
				t.Errorf("ListByHolder of %d = %d of %d, %v; want none of 5", limit, len(found), total, err)
			}
			codes, err := s.Licences().ListRegistered(t.Context(), "item", "D1", "", "", limit)
			if err != nil || len(codes) != 0 {
				t.Errorf("ListRegistered of %d = %v, %v; want none", limit, codes, err)
			}
		}
		items := make([]string, 10_000)
		for n := range items {
			items[n] = fmt.Sprint("other", n)
		}
		items[9_999] = "item"
		if found, total, err := s.Licences().ListByHolder(t.Context(), digests, items, 2, 0); err != nil || len(found) != 2 || total != 5 {
			t.Errorf("ListByHolder of 10,000 items = %d of %d, %v; want 2 of 5", len(found), total, err)
		}
	})
}

// Failures at names that nobody asks for again must not stay for ever; what still locks does.
func TestPurgeForgetsOldFailures(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url).Sessions()
		now := epoch.Add(30 * 24 * time.Hour)
		fail := func(key string, at time.Time, threshold int, base time.Duration) {
			if _, err := s.Fail(t.Context(), digest(key), at, threshold, base, 1000*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		fail("old", now.Add(-24*time.Hour-1), 5, time.Minute)
		fail("recent", now.Add(-24*time.Hour), 5, time.Minute)
		fail("locks", now.Add(-48*time.Hour), 1, 48*time.Hour)
		fail("locked", now.Add(-48*time.Hour), 1, 48*time.Hour-1)
		if _, err := s.Purge(t.Context(), time.Time{}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		there := func(want ...string) {
			t.Helper()
			var got []string
			for _, key := range []string{"old", "recent", "locks", "locked"} {
				a, err := s.Attempt(t.Context(), digest(key))
				if err != nil {
					t.Fatal(err)
				}
				if a != (session.Attempt{}) {
					got = append(got, key)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("remembered %v, want %v", got, want)
			}
		}
		there("old", "recent", "locks", "locked")
		if n, err := s.Purge(t.Context(), now, now); err != nil || n != 0 {
			t.Errorf("Purge = %d, %v; want no session", n, err)
		}
		there("recent", "locks")
	})
}

func TestSentinelsSayTheTable(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	_, notFound := s.Licences().Find(t.Context(), "L1")
	_, noCode := s.Licences().FindCode(t.Context(), digest("c"))
	_, noSession := s.Sessions().Find(t.Context(), digest("s"))
	for err, want := range map[error]string{
		notFound:  "store: select from licences: " + licence.ErrNotFound.Error(),
		noCode:    "store: select from licence_codes: " + licence.ErrNoCode.Error(),
		noSession: "store: select from sessions: " + session.ErrNoSession.Error(),
	} {
		if err == nil || err.Error() != want || errors.Unwrap(err) == nil {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
