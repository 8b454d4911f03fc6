package registrytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"licgate/registry"
)

// RunForms checks a registry.FormStore. open returns a fresh, empty one and undoes it in t.Cleanup. Stores keep times to the
// microsecond at least.
func RunForms(t *testing.T, open func(t *testing.T) registry.FormStore) {
	t.Helper()
	run(t, open, []check[registry.FormStore]{
		{"round trip", formRoundTrip},
		{"not there", noForm},
		{"exists", formExists},
		{"keeps no slice", formKeepsNoSlice},
		{"list", listForms},
		{"cancelled context", formsCancelled},
		{"one of many who add wins", concurrentForm},
	})
}

func form(number string) registry.Form {
	return registry.Form{
		Number: number, Received: epoch.In(beijing), By: "110000_安全员", Unit: "北京市 \"民政局\"", Digest: "00ff", Pending: 3,
		Sealed: []byte{1, 0, 255, '\''},
	}
}

func addForm(t *testing.T, s registry.FormStore, f registry.Form) {
	t.Helper()
	noError(t, "AddForm", s.AddForm(t.Context(), f))
}

func sameForm(a, b registry.Form) bool {
	same := sameTime(a.Received, b.Received) && slices.Equal(a.Sealed, b.Sealed)
	a.Received, a.Sealed, b.Received, b.Sealed = time.Time{}, nil, time.Time{}, nil
	return same && reflect.DeepEqual(a, b)
}

func wantForm(t *testing.T, s registry.FormStore, want registry.Form) {
	t.Helper()
	got, err := s.GetForm(t.Context(), want.Number)
	noError(t, "GetForm", err)
	if !sameForm(got, want) {
		t.Errorf("form\n got %+v\nwant %+v", got, want)
	}
}

func formRoundTrip(t *testing.T, s registry.FormStore) {
	long := form("long")
	long.Sealed = slices.Repeat([]byte{0, 255}, 1<<20)
	for _, f := range []registry.Form{form("京证照〔2026〕1号"), long, {Number: "bare"}} {
		addForm(t, s, f)
		wantForm(t, s, f)
	}
}

func noForm(t *testing.T, s registry.FormStore) {
	if all, err := s.ListForms(t.Context(), 10); err != nil || len(all) != 0 {
		t.Errorf("ListForms = %v, %v; want none", all, err)
	}
	addForm(t, s, form("A1"))
	for _, number := range []string{"", "a1", "A1 ", "A", "%"} {
		got, err := s.GetForm(t.Context(), number)
		refused(t, fmt.Sprintf("GetForm(%q)", number), err, registry.ErrNoForm)
		if !reflect.DeepEqual(got, registry.Form{}) {
			t.Errorf("GetForm gave %+v with an error", got)
		}
	}
}

func formExists(t *testing.T, s registry.FormStore) {
	first := form("A1")
	addForm(t, s, first)
	second := registry.Form{Number: "A1", Received: epoch.Add(time.Hour), By: "another", Unit: "another", Digest: "11", Pending: 4, Sealed: []byte("x")}
	refused(t, "AddForm of another of that number", s.AddForm(t.Context(), second), registry.ErrFormExists)
	refused(t, "AddForm of the same", s.AddForm(t.Context(), first), registry.ErrFormExists)
	wantForm(t, s, first)
	second.Number = "a1" // numbers are exact
	addForm(t, s, second)
	wantForm(t, s, first)
	wantForm(t, s, second)
}

func formKeepsNoSlice(t *testing.T, s registry.FormStore) {
	f := form("A1")
	addForm(t, s, f)
	f.Sealed[0] = 'x'
	wantForm(t, s, form("A1"))
	got, err := s.GetForm(t.Context(), "A1")
	noError(t, "GetForm", err)
	got.Sealed[0] = 'x'
	wantForm(t, s, form("A1"))
}

func listForms(t *testing.T, s registry.FormStore) {
	var all []registry.Form // newest first
	for i, number := range []string{"B", "a", "C", "1"} {
		f := form(number)
		f.Received = epoch.Add(-time.Duration(i) * time.Microsecond)
		all = append(all, f)
	}
	for _, i := range []int{2, 0, 3, 1} {
		addForm(t, s, all[i])
	}
	for i := range all {
		all[i].Sealed = nil
	}
	for limit, n := range map[int]int{-1: 0, 0: 0, 1: 1, 3: 3, 4: 4, 9: 4} {
		got, err := s.ListForms(t.Context(), limit)
		noError(t, "ListForms", err)
		if !slices.EqualFunc(got, all[:n], sameForm) {
			t.Errorf("ListForms(%d)\n got %+v\nwant %+v", limit, got, all[:n])
		}
	}
}

func formsCancelled(t *testing.T, s registry.FormStore) {
	addForm(t, s, form("A1"))
	cancelled(t, map[string]func(context.Context) error{
		"AddForm":   func(ctx context.Context) error { return s.AddForm(ctx, form("A2")) },
		"GetForm":   func(ctx context.Context) error { _, err := s.GetForm(ctx, "A1"); return err },
		"ListForms": func(ctx context.Context) error { _, err := s.ListForms(ctx, 1); return err },
	})
	_, err := s.GetForm(t.Context(), "A2")
	refused(t, "GetForm of one whose AddForm was cancelled", err, registry.ErrNoForm)
}

func concurrentForm(t *testing.T, s registry.FormStore) {
	mine := func(i int) registry.Form {
		f := form("A1")
		f.By, f.Sealed = fmt.Sprint("by ", i), fmt.Append(nil, "sealed ", i)
		return f
	}
	var (
		mu      sync.Mutex
		winners []int
	)
	together(func(i int) {
		switch err := s.AddForm(t.Context(), mine(i)); {
		case err == nil:
			mu.Lock()
			winners = append(winners, i)
			mu.Unlock()
		case !errors.Is(err, registry.ErrFormExists):
			t.Errorf("AddForm: error %v, want ErrFormExists", err)
		}
	})
	if len(winners) != 1 {
		t.Fatalf("%v added the form, want one", winners)
	}
	wantForm(t, s, mine(winners[0]))
}
