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

// Forms are what forms are read from, and the changes that they come with.
type Forms interface {
	registry.FormStore
	registry.PendingStore
}

// RunForms checks a registry.FormStore. open returns a fresh, empty one and undoes it in t.Cleanup. Stores keep times to the
// microsecond at least.
func RunForms(t *testing.T, open func(t *testing.T) Forms) {
	t.Helper()
	run(t, open, []check[Forms]{
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

// propose keeps a form with the change that it became.
func propose(ctx context.Context, s Forms, f registry.Form) (id int64, err error) {
	p := proposal()
	p.Form = f.Number
	return s.AddPending(ctx, p, &f)
}

// addForm keeps a form, and returns it as it is there: with the number of its change.
func addForm(t *testing.T, s Forms, f registry.Form) registry.Form {
	t.Helper()
	id, err := propose(t.Context(), s, f)
	noError(t, "AddPending", err)
	f.Pending = id
	return f
}

// refusedForm wants a form refused, and its change with it.
func refusedForm(t *testing.T, doing string, s Forms, f registry.Form) {
	t.Helper()
	before, err := s.ListPending(t.Context(), "", 100)
	noError(t, "ListPending", err)
	_, err = propose(t.Context(), s, f)
	refused(t, doing, err, registry.ErrFormExists)
	after, err := s.ListPending(t.Context(), "", 100)
	noError(t, "ListPending", err)
	if len(after) != len(before) {
		t.Errorf("%s left a change: %d became %d", doing, len(before), len(after))
	}
}

func sameForm(a, b registry.Form) bool {
	same := sameTime(a.Received, b.Received) && slices.Equal(a.Sealed, b.Sealed)
	a.Received, a.Sealed, b.Received, b.Sealed = time.Time{}, nil, time.Time{}, nil
	return same && reflect.DeepEqual(a, b)
}

func wantForm(t *testing.T, s Forms, want registry.Form) {
	t.Helper()
	got, err := s.GetForm(t.Context(), want.Number)
	noError(t, "GetForm", err)
	if !sameForm(got, want) {
		t.Errorf("form\n got %+v\nwant %+v", got, want)
	}
}

func formRoundTrip(t *testing.T, s Forms) {
	long := form("long")
	long.Sealed = slices.Repeat([]byte{0, 255}, 1<<20)
	for _, f := range []registry.Form{form("京证照〔2026〕1号"), long, {Number: "bare"}} {
		wantForm(t, s, addForm(t, s, f))
	}
}

func noForm(t *testing.T, s Forms) {
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

func formExists(t *testing.T, s Forms) {
	first := addForm(t, s, form("A1"))
	second := registry.Form{Number: "A1", Received: epoch.Add(time.Hour), By: "another", Unit: "another", Digest: "11", Pending: 4, Sealed: []byte("x")}
	refusedForm(t, "another of that number", s, second)
	refusedForm(t, "the same again", s, first)
	wantForm(t, s, first)
	second.Number = "a1" // numbers are exact
	second = addForm(t, s, second)
	wantForm(t, s, first)
	wantForm(t, s, second)
}

func formKeepsNoSlice(t *testing.T, s Forms) {
	f := form("A1")
	want := addForm(t, s, f)
	want.Sealed = slices.Clone(want.Sealed)
	f.Sealed[0] = 'x'
	wantForm(t, s, want)
	got, err := s.GetForm(t.Context(), "A1")
	noError(t, "GetForm", err)
	got.Sealed[0] = 'x'
	wantForm(t, s, want)
}

func listForms(t *testing.T, s Forms) {
	var all []registry.Form // newest first
	for i, number := range []string{"B", "a", "C", "1"} {
		f := form(number)
		f.Received = epoch.Add(-time.Duration(i) * time.Microsecond)
		all = append(all, f)
	}
	for _, i := range []int{2, 0, 3, 1} {
		all[i] = addForm(t, s, all[i])
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

func formsCancelled(t *testing.T, s Forms) {
	addForm(t, s, form("A1"))
	cancelled(t, map[string]func(context.Context) error{
		"AddPending": func(ctx context.Context) error { _, err := propose(ctx, s, form("A2")); return err },
		"GetForm":    func(ctx context.Context) error { _, err := s.GetForm(ctx, "A1"); return err },
		"ListForms":  func(ctx context.Context) error { _, err := s.ListForms(ctx, 1); return err },
	})
	_, err := s.GetForm(t.Context(), "A2")
	refused(t, "GetForm of one whose AddPending was cancelled", err, registry.ErrNoForm)
}

func concurrentForm(t *testing.T, s Forms) {
	mine := func(i int) registry.Form {
		f := form("A1")
		f.By, f.Sealed = fmt.Sprint("by ", i), fmt.Append(nil, "sealed ", i)
		return f
	}
	var (
		mu      sync.Mutex
		winners []registry.Form
	)
	together(func(i int) {
		f := mine(i)
		id, err := propose(t.Context(), s, f)
		switch {
		case err == nil:
			f.Pending = id
			mu.Lock()
			winners = append(winners, f)
			mu.Unlock()
		case !errors.Is(err, registry.ErrFormExists):
			t.Errorf("AddPending: error %v, want ErrFormExists", err)
		}
	})
	if len(winners) != 1 {
		t.Fatalf("%v added the form, want one", winners)
	}
	wantForm(t, s, winners[0])
}
