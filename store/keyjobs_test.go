package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licgate/gm"
	"licgate/gm/gmtest"
	"licgate/licence"
	"licgate/store"
	"licgate/store/storetest"
)

// Of two processes that take a job one gets it; what is over is open no more.
func TestKeyJobs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		first, err := s.AddJob(t.Context(), store.KeyJob{Kind: "rotate", State: store.JobRunning, Phase: "licences", By: "sys", Started: epoch})
		if err != nil || first.Number != 1 {
			t.Fatalf("%+v, %v", first, err)
		}
		second, err := s.AddJob(t.Context(), store.KeyJob{Kind: "rotate", Department: "D1", State: store.JobWaiting, NotBefore: epoch.Add(time.Hour)})
		if err != nil || second.Number != 2 {
			t.Fatalf("%+v, %v", second, err)
		}
		mine := first
		mine.Owner, mine.Progress = "me", gm.Progress{Cursor: "L1", Seen: 7}
		if mine, err = s.SaveJob(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SaveJob(t.Context(), first); !errors.Is(err, store.ErrJobTaken) {
			t.Errorf("the other: error %v, want ErrJobTaken", err)
		}
		open, err := s.OpenJobs(t.Context())
		if err != nil || len(open) != 2 || open[0].Progress != mine.Progress || open[0].Owner != "me" || open[0].Revision != mine.Revision || !open[1].NotBefore.Equal(second.NotBefore) {
			t.Fatalf("%+v, %v", open, err)
		}
		mine.State = store.JobDone
		if _, err = s.SaveJob(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if open, err = s.OpenJobs(t.Context()); err != nil || len(open) != 1 || open[0].Number != 2 {
			t.Errorf("open %+v, %v", open, err)
		}
		if all, err := s.Jobs(t.Context(), 10); err != nil || len(all) != 2 || all[0].Number != 2 {
			t.Errorf("all %+v, %v", all, err)
		}
	})
}

// Only what was shredded is buried, and nothing of it but the number stays.
func TestBury(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		keys := s.DataKeys()
		key, err := keys.Add(t.Context(), gmtest.Record("D1", 1, 1), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []string{"L1", "L2", "L3"} {
			l := registered(code)
			if l.Sealed = sealedBy(t, key.ID); code == "L3" {
				l.Sealed = sealedBy(t, gmtest.Record("D1", 1, 2).ID)
			}
			if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{l}}); err != nil {
				t.Fatal(err)
			}
		}
		if elsewhere, err := s.SealedElsewhere(t.Context(), "D1", []gm.KeyID{key.ID}); err != nil || !elsewhere {
			t.Errorf("elsewhere %v, %v", elsewhere, err)
		}
		if _, err := s.Bury(t.Context(), key.ID, 10); !errors.Is(err, store.ErrNotShredded) {
			t.Errorf("a live key's: error %v, want ErrNotShredded", err)
		}
		key.Wrapped, key.Destroyed, key.Shredded = nil, epoch.Truncate(time.Millisecond), true
		if _, err := keys.Replace(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{1, 1, 0} {
			if n, err := s.Bury(t.Context(), key.ID, 1); err != nil || n != want {
				t.Errorf("buried %d, %v; want %d", n, err, want)
			}
		}
		for _, code := range []string{"L1", "L2"} {
			l, err := s.Licences().Find(t.Context(), code)
			want := licence.Stored{Code: code, Item: "item", Department: "D1", State: licence.Deleted, Revision: 2, Created: epoch}
			if err != nil || !sameLicence(l, want) {
				t.Errorf("%+v, %v", l, err)
			}
		}
		if l, err := s.Licences().Find(t.Context(), "L3"); err != nil || l.State != licence.Registered {
			t.Errorf("another key's: %+v, %v", l, err)
		}
		// Whatever was done to its row, a licence can be buried.
		run(t, s, `UPDATE licences SET biz_num = 'x' WHERE code = 'L3'`)
		if by, err := s.LicenceKey(t.Context(), "L3"); err != nil || by != gmtest.Record("D1", 1, 2).ID {
			t.Errorf("sealed by %s, %v", by, err)
		}
		for range 2 { // the second finds it done
			if err := s.BuryLicence(t.Context(), "L3"); err != nil {
				t.Errorf("one licence: %v", err)
			}
		}
		if _, err := s.LicenceKey(t.Context(), "L3"); !errors.Is(err, licence.ErrNotFound) {
			t.Errorf("afterwards: error %v", err)
		}
		if n := count(t, s, `SELECT count(*) FROM licence_holders`); n != 0 {
			t.Errorf("%d look-up digests are left", n)
		}
		if elsewhere, err := s.SealedElsewhere(t.Context(), "D1", nil); err != nil || elsewhere {
			t.Errorf("afterwards: elsewhere %v, %v", elsewhere, err)
		}
		if err := s.BuryLicence(t.Context(), "L9"); !errors.Is(err, licence.ErrNotFound) {
			t.Errorf("none: error %v", err)
		}
	})
}

// A job whose row was altered is told of, and holds no other up.
func TestAlteredKeyJob(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		for range 2 {
			if _, err := s.AddJob(t.Context(), store.KeyJob{Kind: "rotate", State: store.JobRunning}); err != nil {
				t.Fatal(err)
			}
		}
		run(t, s, `UPDATE key_jobs SET body = replace(body, 'rotate', 'shred_department') WHERE number = 1`)
		if open, err := s.OpenJobs(t.Context()); err != nil || len(open) != 1 || open[0].Number != 2 {
			t.Errorf("open %+v, %v", open, err)
		}
		if all, err := s.Jobs(t.Context(), 10); err != nil || len(all) != 2 || all[1].State != store.JobFailed || all[1].Error == "" {
			t.Errorf("all %+v, %v", all, err)
		}
	})
}

// What was shredded is in none of the database's files afterwards: neither the wrapped key nor the licence.
func TestScrubLeavesNothing(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	s := storetest.Open(t, url)
	keys := s.DataKeys()
	record := gmtest.Record("D1", 1, 1)
	record.Wrapped = bytes.Repeat([]byte("wrapped-secret"), 4)
	key, err := keys.Add(t.Context(), record, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := registered("L1")
	l.Sealed = append(sealedBy(t, key.ID), bytes.Repeat([]byte("sealed-secret"), 500)...) // more than a page
	if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{l}}); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(url, "sqlite:")
	left := func() (found []string) {
		for _, file := range []string{path, path + "-wal"} {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"wrapped-secret", "sealed-secret"} {
				if bytes.Contains(raw, []byte(secret)) {
					found = append(found, filepath.Base(file)+": "+secret)
				}
			}
		}
		return found
	}
	if err := s.Scrub(t.Context()); err != nil || len(left()) != 2 {
		t.Fatalf("before: %v, %v: the test would find nothing", left(), err)
	}
	key.Wrapped, key.Destroyed, key.Shredded = nil, epoch.Truncate(time.Millisecond), true
	if _, err := keys.Replace(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Bury(t.Context(), key.ID, 10); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := left(); len(found) != 0 {
		t.Errorf("left: %v", found)
	}
	// Who reads an older snapshot is in the way, and is not waited for.
	rows, err := s.Reader().QueryContext(t.Context(), `SELECT code FROM licences`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal("no rows")
	}
	run(t, s, `UPDATE licences SET biz_num = 'x'`)
	if err := s.Scrub(t.Context()); !errors.Is(err, store.ErrBusy) {
		t.Errorf("while somebody reads: error %v, want ErrBusy", err)
	}
}
