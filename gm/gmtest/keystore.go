// Package gmtest holds implementations of the interfaces of package gm to their contracts.
package gmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"licgate/gm"
)

// KeyStore holds a store to the contract of gm.KeyStore. Each subtest calls open for a fresh, empty place; what that returns opens one more
// store on the same place, as another node would, and may register its clean-up with t.
func KeyStore(t *testing.T, open func(t *testing.T) func() gm.KeyStore) {
	t.Helper()
	for _, one := range []struct {
		name string
		run  func(*testing.T, func() gm.KeyStore)
	}{
		{"empty", empty},
		{"add and read", addAndRead},
		{"generations without gaps", generations},
		{"add only after the newest", addAfterNewest},
		{"id unique", idUnique},
		{"incomplete records refused", incomplete},
		{"replace", replace},
		{"replace only the newest revision", replaceStale},
		{"replace never another key", replaceOther},
		{"destroyed is final", destroyedIsFinal},
		{"changes in order", changesInOrder},
		{"records are copies", copies},
		{"another node reads", otherNode},
		{"cancelled context", cancelled},
		{"one adder wins", oneAdderWins},
		{"one replacer wins", oneReplacerWins},
		{"shredding and adding exclude one another", shredOrAdd},
		{"changes miss nothing", changesMissNothing},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			one.run(t, open(t))
		})
	}
}

// epoch is a time to the millisecond, as records have it.
var epoch = time.Date(2026, 3, 5, 4, 0, 0, 123_000_000, time.UTC)

const (
	civil = "11110000000021135M"
	other = "91350100M000100Y43"
)

// Record is a record of a new key that a store must keep; number makes its id.
func Record(department string, generation, number int) gm.KeyRecord {
	return gm.KeyRecord{
		ID: gm.KeyID(fmt.Sprintf("%016x", number)), Department: department, Period: "2026Q1", Generation: generation, KEK: "file:00000000",
		Wrapped: []byte{1, 0, 0xff, byte(number)}, Created: epoch.Add(time.Duration(number) * time.Millisecond), MAC: bytes.Repeat([]byte{byte(number)}, 32),
	}
}

func destroyed(r gm.KeyRecord, shredded bool) gm.KeyRecord {
	r.Wrapped, r.Destroyed, r.Shredded, r.MAC = nil, epoch.Add(time.Hour), shredded, []byte("mac of the destroyed")
	return r
}

func add(t *testing.T, s gm.KeyStore, r gm.KeyRecord, newest int64) gm.KeyRecord {
	t.Helper()
	stored, err := s.Add(t.Context(), r, newest)
	if err != nil {
		t.Fatalf("Add(%s): %v", r.ID, err)
	}
	if stored.Revision <= newest {
		t.Fatalf("revision %d after %d", stored.Revision, newest)
	}
	same(t, "Add", stored, r)
	return stored
}

func put(t *testing.T, s gm.KeyStore, r gm.KeyRecord) gm.KeyRecord {
	t.Helper()
	stored, err := s.Replace(t.Context(), r)
	if err != nil {
		t.Fatalf("Replace(%s): %v", r.ID, err)
	}
	if stored.Revision <= r.Revision {
		t.Fatalf("revision %d after %d", stored.Revision, r.Revision)
	}
	same(t, "Replace", stored, r)
	return stored
}

// same compares all but Revision.
func same(t *testing.T, what string, got, want gm.KeyRecord) {
	t.Helper()
	times := got.Created.Equal(want.Created) && got.Destroyed.Equal(want.Destroyed) && got.Destroyed.IsZero() == want.Destroyed.IsZero()
	if got.ID != want.ID || got.Department != want.Department || got.Period != want.Period || got.Generation != want.Generation || got.KEK != want.KEK ||
		!bytes.Equal(got.Wrapped, want.Wrapped) || !bytes.Equal(got.MAC, want.MAC) || got.Shredded != want.Shredded || !times {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func changes(t *testing.T, s gm.KeyStore, since int64) []gm.KeyRecord {
	t.Helper()
	records, err := s.Changes(t.Context(), since)
	if err != nil {
		t.Fatalf("Changes(%d): %v", since, err)
	}
	return records
}

// wantAll holds what the store has against records.
func wantAll(t *testing.T, s gm.KeyStore, want ...gm.KeyRecord) {
	t.Helper()
	got := changes(t, s, 0)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i, r := range got {
		same(t, "Changes", r, want[i])
		if r.Revision != want[i].Revision {
			t.Errorf("revision %d, want %d", r.Revision, want[i].Revision)
		}
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func empty(t *testing.T, open func() gm.KeyStore) {
	wantAll(t, open())
}

func addAndRead(t *testing.T, open func() gm.KeyStore) {
	s := open()
	first := add(t, s, Record(civil, 1, 1), 0)
	none := add(t, s, Record("", 1, 2), 0)
	chinese := Record("部门 \"<&>\u2028", 1, 3)
	chinese.KEK, chinese.Wrapped = "transit:传/键", bytes.Repeat([]byte{0, 0xff}, 4096)
	third := add(t, s, chinese, 0)
	wantAll(t, s, first, none, third)
}

func generations(t *testing.T, open func() gm.KeyStore) {
	s := open()
	_, err := s.Add(t.Context(), Record(civil, 2, 1), 0)
	wantErr(t, "second without first", err, gm.ErrKeyRecord)
	_, err = s.Add(t.Context(), Record(civil, 0, 1), 0)
	wantErr(t, "generation 0", err, gm.ErrKeyRecord)
	first := add(t, s, Record(civil, 1, 1), 0)
	_, err = s.Add(t.Context(), Record(civil, 3, 3), first.Revision)
	wantErr(t, "third without second", err, gm.ErrKeyRecord)
	_, err = s.Add(t.Context(), Record(civil, 1, 2), first.Revision)
	wantErr(t, "first again", err, gm.ErrKeyTaken)
	second := add(t, s, Record(civil, 2, 2), first.Revision)
	third := add(t, s, Record(civil, 3, 3), second.Revision)
	wantAll(t, s, first, second, third)
}

func addAfterNewest(t *testing.T, open func() gm.KeyStore) {
	s := open()
	first := add(t, s, Record(civil, 1, 1), 0)
	for _, newest := range []int64{0, first.Revision - 1, first.Revision + 1, -1} {
		_, err := s.Add(t.Context(), Record(civil, 2, 2), newest)
		wantErr(t, fmt.Sprintf("after revision %d", newest), err, gm.ErrKeyTaken)
	}
	elsewhere := add(t, s, Record(other, 1, 3), 0)
	_, err := s.Add(t.Context(), Record(civil, 2, 2), elsewhere.Revision)
	wantErr(t, "after another department's", err, gm.ErrKeyTaken)
	first.KEK = "file:11111111"
	first = put(t, s, first)
	_, err = s.Add(t.Context(), Record(civil, 2, 2), first.Revision-2)
	wantErr(t, "after what was replaced", err, gm.ErrKeyTaken)
	second := add(t, s, Record(civil, 2, 2), first.Revision)
	wantAll(t, s, elsewhere, first, second)
}

func idUnique(t *testing.T, open func() gm.KeyStore) {
	s := open()
	first := add(t, s, Record(civil, 1, 1), 0)
	_, err := s.Add(t.Context(), Record(other, 1, 1), 0)
	wantErr(t, "another department's id", err, gm.ErrKeyTaken)
	_, err = s.Add(t.Context(), Record(civil, 2, 1), first.Revision)
	wantErr(t, "the own id", err, gm.ErrKeyTaken)
	wantAll(t, s, first)
}

func incomplete(t *testing.T, open func() gm.KeyStore) {
	s := open()
	for name, spoil := range map[string]func(*gm.KeyRecord){
		"no id":         func(r *gm.KeyRecord) { r.ID = "" },
		"short id":      func(r *gm.KeyRecord) { r.ID = "57fef0a2" },
		"upper case id": func(r *gm.KeyRecord) { r.ID = "00000000000000AB" },
		"no period":     func(r *gm.KeyRecord) { r.Period = "" },
		"no KEK":        func(r *gm.KeyRecord) { r.KEK = "" },
		"no key":        func(r *gm.KeyRecord) { r.Wrapped = nil },
		"no time":       func(r *gm.KeyRecord) { r.Created = time.Time{} },
		"no MAC":        func(r *gm.KeyRecord) { r.MAC = nil },
		"destroyed":     func(r *gm.KeyRecord) { *r = destroyed(*r, false) },
		"shredded only": func(r *gm.KeyRecord) { r.Shredded = true },
		"no text":       func(r *gm.KeyRecord) { r.Department = "\xff" },
	} {
		r := Record(civil, 1, 1)
		spoil(&r)
		_, err := s.Add(t.Context(), r, 0)
		wantErr(t, name, err, gm.ErrKeyRecord)
	}
	wantAll(t, s)
}

func replace(t *testing.T, open func() gm.KeyStore) {
	s := open()
	first := add(t, s, Record(civil, 1, 1), 0)
	second := add(t, s, Record(civil, 2, 2), first.Revision)
	first.KEK, first.Wrapped, first.MAC = "transit:transit/licgate", []byte("vault:v1:AAAA"), []byte("another mac")
	first = put(t, s, first)
	wantAll(t, s, second, first)
	second = put(t, s, destroyed(second, true))
	first = put(t, s, destroyed(first, false))
	wantAll(t, s, second, first)
	// A department whose newest key is destroyed may get a next one, by who knows that it is.
	third := add(t, s, Record(civil, 3, 3), second.Revision)
	wantAll(t, s, second, first, third)
}

func replaceStale(t *testing.T, open func() gm.KeyStore) {
	s := open()
	_, err := s.Replace(t.Context(), Record(civil, 1, 1))
	wantErr(t, "not there", err, gm.ErrKeyStale)
	old := add(t, s, Record(civil, 1, 1), 0)
	next := old
	next.KEK = "file:11111111"
	next = put(t, s, next)
	_, err = s.Replace(t.Context(), destroyed(old, true))
	wantErr(t, "by an old revision", err, gm.ErrKeyStale)
	future := next
	future.Revision++
	_, err = s.Replace(t.Context(), future)
	wantErr(t, "by a revision to come", err, gm.ErrKeyStale)
	wantAll(t, s, next)
}

func replaceOther(t *testing.T, open func() gm.KeyStore) {
	s := open()
	r := add(t, s, Record(civil, 1, 1), 0)
	for name, spoil := range map[string]func(*gm.KeyRecord){
		"department": func(r *gm.KeyRecord) { r.Department = other },
		"period":     func(r *gm.KeyRecord) { r.Period = "2026Q2" },
		"generation": func(r *gm.KeyRecord) { r.Generation = 2 },
		"created":    func(r *gm.KeyRecord) { r.Created = r.Created.Add(time.Millisecond) },
		"no key":     func(r *gm.KeyRecord) { r.Wrapped = nil },
		"destroyed with its key": func(r *gm.KeyRecord) {
			wrapped := r.Wrapped
			*r = destroyed(*r, false)
			r.Wrapped = wrapped
		},
	} {
		spoilt := r
		spoil(&spoilt)
		_, err := s.Replace(t.Context(), spoilt)
		wantErr(t, name, err, gm.ErrKeyRecord)
	}
	wantAll(t, s, r)
}

func destroyedIsFinal(t *testing.T, open func() gm.KeyStore) {
	s := open()
	r := add(t, s, Record(civil, 1, 1), 0)
	gone := put(t, s, destroyed(r, false))
	back := r
	back.Revision = gone.Revision
	_, err := s.Replace(t.Context(), back)
	wantErr(t, "a key comes back", err, gm.ErrKeyRecord)
	again := destroyed(gone, true)
	_, err = s.Replace(t.Context(), again)
	wantErr(t, "destroyed twice", err, gm.ErrKeyRecord)
	wantAll(t, s, gone)
}

func changesInOrder(t *testing.T, open func() gm.KeyStore) {
	s := open()
	a := add(t, s, Record(civil, 1, 1), 0)
	b := add(t, s, Record(other, 1, 2), 0)
	a.KEK = "file:11111111"
	a2 := put(t, s, a)
	if a2.Revision <= b.Revision || b.Revision <= a.Revision {
		t.Fatalf("revisions %d, %d, %d do not grow", a.Revision, b.Revision, a2.Revision)
	}
	for since, want := range map[int64][]gm.KeyID{
		0: {b.ID, a2.ID}, a.Revision: {b.ID, a2.ID}, b.Revision: {a2.ID}, a2.Revision: nil, a2.Revision + 100: nil,
	} {
		var got []gm.KeyID
		for _, r := range changes(t, s, since) {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("since %d: %v, want %v", since, got, want)
		}
	}
}

func copies(t *testing.T, open func() gm.KeyStore) {
	s := open()
	r := Record(civil, 1, 1)
	want := Record(civil, 1, 1)
	stored := add(t, s, r, 0)
	want.Revision = stored.Revision
	for _, b := range [][]byte{r.Wrapped, r.MAC, stored.Wrapped, stored.MAC} {
		clear(b)
	}
	for _, r := range changes(t, s, 0) {
		clear(r.Wrapped)
		clear(r.MAC)
	}
	wantAll(t, s, want)
}

func otherNode(t *testing.T, open func() gm.KeyStore) {
	a, b := open(), open()
	first := add(t, a, Record(civil, 1, 1), 0)
	wantAll(t, b, first)
	second := add(t, b, Record(civil, 2, 2), first.Revision)
	_, err := a.Add(t.Context(), Record(civil, 2, 3), first.Revision)
	wantErr(t, "the other node was first", err, gm.ErrKeyTaken)
	gone := put(t, a, destroyed(first, true))
	wantAll(t, b, second, gone)
	wantAll(t, open(), second, gone)
}

func cancelled(t *testing.T, open func() gm.KeyStore) {
	s := open()
	r := add(t, s, Record(civil, 1, 1), 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Changes(ctx, 0)
	wantErr(t, "Changes", err, context.Canceled)
	_, err = s.Add(ctx, Record(civil, 2, 2), r.Revision)
	wantErr(t, "Add", err, context.Canceled)
	_, err = s.Replace(ctx, destroyed(r, true))
	wantErr(t, "Replace", err, context.Canceled)
	wantAll(t, s, r)
}

// race runs n calls at once, over two nodes.
func race(open func() gm.KeyStore, n int, call func(s gm.KeyStore, i int) error) []error {
	nodes := []gm.KeyStore{open(), open()}
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = call(nodes[i%2], i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

func wantOneWinner(t *testing.T, errs []error, want error) {
	t.Helper()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
		} else {
			wantErr(t, "loser", err, want)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners, want 1: %v", winners, errs)
	}
}

func oneAdderWins(t *testing.T, open func() gm.KeyStore) {
	s := open()
	newest := int64(0)
	for generation := 1; generation <= 3; generation++ {
		wantOneWinner(t, race(open, 8, func(s gm.KeyStore, i int) error {
			_, err := s.Add(t.Context(), Record(civil, generation, generation*100+i), newest)
			return err
		}), gm.ErrKeyTaken)
		all := changes(t, s, 0)
		if len(all) != generation {
			t.Fatalf("%d keys, want %d", len(all), generation)
		}
		newest = all[generation-1].Revision
	}
}

func oneReplacerWins(t *testing.T, open func() gm.KeyStore) {
	r := add(t, open(), Record(civil, 1, 1), 0)
	wantOneWinner(t, race(open, 8, func(s gm.KeyStore, i int) error {
		mine := r
		mine.KEK = fmt.Sprintf("file:%08x", i)
		_, err := s.Replace(t.Context(), mine)
		return err
	}), gm.ErrKeyStale)
}

// shredOrAdd: whoever destroys the newest key keeps others from adding one after it unseen.
func shredOrAdd(t *testing.T, open func() gm.KeyStore) {
	s := open()
	r := add(t, s, Record(civil, 1, 1), 0)
	errs := race(open, 2, func(s gm.KeyStore, i int) error {
		if i == 0 {
			_, err := s.Replace(t.Context(), destroyed(r, true))
			return err
		}
		_, err := s.Add(t.Context(), Record(civil, 2, 2), r.Revision)
		return err
	})
	wantErr(t, "shredding", errs[0], nil)
	all := changes(t, s, 0)
	switch {
	case errs[1] == nil: // it was added first
		if len(all) != 2 || all[0].ID != Record(civil, 2, 2).ID {
			t.Errorf("added before, but the store has %+v", all)
		}
	default:
		wantErr(t, "adding", errs[1], gm.ErrKeyTaken)
		if len(all) != 1 {
			t.Errorf("%d records, want 1", len(all))
		}
	}
}

// changesMissNothing: a reader that goes on from the greatest revision it saw has, in the end, seen every record in its last revision.
func changesMissNothing(t *testing.T, open func() gm.KeyStore) {
	const writers, keys = 6, 8
	reader := open()
	seen := map[gm.KeyID]int64{}
	since := int64(0)
	look := func() {
		for _, r := range changes(t, reader, since) {
			if r.Revision <= since {
				t.Errorf("revision %d after %d", r.Revision, since)
			}
			seen[r.ID], since = r.Revision, r.Revision
		}
	}
	done := make(chan []error)
	go func() {
		done <- race(open, writers, func(s gm.KeyStore, i int) error {
			newest := int64(0)
			for generation := 1; generation <= keys; generation++ {
				r, err := s.Add(t.Context(), Record(fmt.Sprint("department ", i), generation, i*1000+generation), newest)
				if err == nil && generation%2 == 0 {
					r.KEK = "file:11111111"
					r, err = s.Replace(t.Context(), r)
				}
				if err != nil {
					return err
				}
				newest = r.Revision
			}
			return nil
		})
	}()
	var errs []error
	for errs == nil {
		select {
		case errs = <-done:
		default:
			look()
		}
	}
	look()
	for _, err := range errs {
		wantErr(t, "writer", err, nil)
	}
	want := map[gm.KeyID]int64{}
	for _, r := range changes(t, open(), 0) {
		want[r.ID] = r.Revision
	}
	if len(want) != writers*keys || !maps.Equal(seen, want) {
		t.Errorf("the reader saw %d records, the store has %d: %v, want %v", len(seen), len(want), seen, want)
	}
}
