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

// RunPending checks a registry.PendingStore. open returns a fresh, empty one and undoes it in t.Cleanup. Stores keep times to
// the microsecond at least.
func RunPending(t *testing.T, open func(t *testing.T) registry.PendingStore) {
	t.Helper()
	run(t, open, []check[registry.PendingStore]{
		{"round trip", pendingRoundTrip},
		{"added as open", pendingAddedAsOpen},
		{"not there", noPending},
		{"keeps no slice", pendingKeepsNoSlice},
		{"list", listPending},
		{"decide", decidePending},
		{"decide keeps the decision alone", decideKeepsTheDecision},
		{"decide once", decideOnce},
		{"what is no decision", noDecision},
		{"cancelled context", pendingCancelled},
		{"numbers have no gap", numbersWithoutGap},
		{"one who decides wins", oneDecides},
	})
}

// proposal is a change as it is added.
func proposal() registry.Pending {
	return registry.Pending{
		By: "110000_安全员", Why: "新增 \"婚姻登记\" 授权", Created: epoch, Expires: epoch.Add(72 * time.Hour).In(beijing), Base: 7,
		Classes: []string{"grant", "account"}, Force: true, Form: "京证照〔2026〕1号",
		Changes: []registry.Change{
			{Action: "change", Kind: "application", Key: "hydj", Field: "ip_allow", Old: "<a>&'\"\\", New: "127.0.0.0/8\n10.0.0.0/8"},
			{Action: "add", Kind: "policy", Key: "policy", New: "p, role:x, *, *, view, *, deny"},
		},
		Shifts: "0f1e", Declaration: []byte{1, 0, 255, '\''},
	}
}

// opened is what the store makes of p.
func opened(id int64, p registry.Pending) registry.Pending {
	p.ID, p.State = id, registry.PendingOpen
	return p
}

// decided is p after a decision.
func decided(p, decision registry.Pending) registry.Pending {
	p.State, p.DecidedBy, p.Decided, p.Note, p.Version = decision.State, decision.DecidedBy, decision.Decided, decision.Note, decision.Version
	p.Declaration = nil
	return p
}

func approval(version int64) registry.Pending {
	return registry.Pending{
		State: registry.PendingApproved, DecidedBy: "110000_复核员", Decided: epoch.Add(time.Hour).In(beijing), Note: "同意 '1'", Version: version,
	}
}

// add keeps a change and returns it as it is there.
func add(t *testing.T, s registry.PendingStore, p registry.Pending) registry.Pending {
	t.Helper()
	id, err := s.AddPending(t.Context(), p, nil)
	noError(t, "AddPending", err)
	return opened(id, p)
}

func samePending(a, b registry.Pending) bool {
	same := sameTime(a.Created, b.Created) && sameTime(a.Expires, b.Expires) && sameTime(a.Decided, b.Decided) &&
		slices.Equal(a.Classes, b.Classes) && slices.Equal(a.Changes, b.Changes) && slices.Equal(a.Declaration, b.Declaration)
	for _, p := range []*registry.Pending{&a, &b} {
		p.Created, p.Expires, p.Decided, p.Classes, p.Changes, p.Declaration = time.Time{}, time.Time{}, time.Time{}, nil, nil, nil
	}
	return same && reflect.DeepEqual(a, b)
}

func wantPending(t *testing.T, s registry.PendingStore, want registry.Pending) {
	t.Helper()
	got, err := s.GetPending(t.Context(), want.ID)
	noError(t, "GetPending", err)
	if !samePending(got, want) {
		t.Errorf("pending\n got %+v\nwant %+v", got, want)
	}
}

func pendingRoundTrip(t *testing.T, s registry.PendingStore) {
	long := proposal()
	long.Declaration = slices.Repeat([]byte{0, 255}, 1<<20)
	for i, p := range []registry.Pending{proposal(), {}, long} {
		got := add(t, s, p)
		if got.ID != int64(i)+1 {
			t.Errorf("ID %d, want %d", got.ID, i+1)
		}
		wantPending(t, s, got)
	}
}

func pendingAddedAsOpen(t *testing.T, s registry.PendingStore) {
	for _, state := range []string{registry.PendingApproved, registry.PendingRejected, "", "nonsense"} {
		want := add(t, s, proposal())
		p := decided(proposal(), approval(9))
		p.ID, p.State, p.Declaration = 99, state, want.Declaration
		id, err := s.AddPending(t.Context(), p, nil)
		noError(t, "AddPending", err)
		if id != want.ID+1 {
			t.Errorf("ID %d, want %d", id, want.ID+1)
		}
		want.ID = id
		wantPending(t, s, want)
	}
}

func noPending(t *testing.T, s registry.PendingStore) {
	if all, err := s.ListPending(t.Context(), "", 10); err != nil || len(all) != 0 {
		t.Errorf("ListPending = %v, %v; want none", all, err)
	}
	there := add(t, s, proposal())
	for _, id := range []int64{there.ID + 1, 0, -1} {
		got, err := s.GetPending(t.Context(), id)
		refused(t, "GetPending", err, registry.ErrNoPending)
		if !reflect.DeepEqual(got, registry.Pending{}) {
			t.Errorf("GetPending gave %+v with an error", got)
		}
		refused(t, "DecidePending", s.DecidePending(t.Context(), id, approval(8)), registry.ErrNoPending)
	}
	wantPending(t, s, there)
}

func pendingKeepsNoSlice(t *testing.T, s registry.PendingStore) {
	p := proposal()
	id, err := s.AddPending(t.Context(), p, nil)
	noError(t, "AddPending", err)
	spoil := func(p registry.Pending) { p.Classes[0], p.Changes[0].Key, p.Declaration[0] = "x", "x", 'x' }
	spoil(p)
	wantPending(t, s, opened(id, proposal()))
	got, err := s.GetPending(t.Context(), id)
	noError(t, "GetPending", err)
	spoil(got)
	wantPending(t, s, opened(id, proposal()))
}

func listPending(t *testing.T, s registry.PendingStore) {
	var all []registry.Pending
	for i := range 6 {
		p := proposal()
		p.Why = fmt.Sprint("why ", i)
		p.Created = epoch.Add(-time.Duration(i) * time.Hour) // the newest is the one that was added last
		all = append(all, add(t, s, p))
	}
	rejection := approval(0)
	rejection.State = registry.PendingRejected
	for _, one := range []struct {
		place    int
		decision registry.Pending
	}{{1, approval(8)}, {4, approval(9)}, {2, rejection}} {
		noError(t, "DecidePending", s.DecidePending(t.Context(), all[one.place].ID, one.decision))
		all[one.place] = decided(all[one.place], one.decision)
	}
	for _, one := range []struct {
		state  string
		limit  int
		places []int
	}{
		{"", 10, []int{5, 4, 3, 2, 1, 0}},
		{"", 6, []int{5, 4, 3, 2, 1, 0}},
		{"", 2, []int{5, 4}},
		{"", 0, nil},
		{"", -1, nil},
		{registry.PendingOpen, 10, []int{5, 3, 0}},
		{registry.PendingOpen, 2, []int{5, 3}},
		{registry.PendingApproved, 10, []int{4, 1}},
		{registry.PendingRejected, 10, []int{2}},
		{registry.PendingExpired, 10, nil},
		{"OPEN", 10, nil},
	} {
		got, err := s.ListPending(t.Context(), one.state, one.limit)
		noError(t, "ListPending", err)
		var want []registry.Pending
		for _, place := range one.places {
			p := all[place]
			p.Declaration = nil
			want = append(want, p)
		}
		if !slices.EqualFunc(got, want, samePending) {
			t.Errorf("ListPending(%q, %d)\n got %+v\nwant %+v", one.state, one.limit, got, want)
		}
	}
}

func decidePending(t *testing.T, s registry.PendingStore) {
	bystander := add(t, s, proposal())
	for _, decision := range []registry.Pending{
		approval(8),
		{State: registry.PendingRejected, DecidedBy: "110000_安全员", Decided: epoch.Add(time.Microsecond), Note: "撤回"},
		{State: registry.PendingExpired},
	} {
		p := add(t, s, proposal())
		noError(t, "DecidePending", s.DecidePending(t.Context(), p.ID, decision))
		wantPending(t, s, decided(p, decision))
	}
	wantPending(t, s, bystander)
}

func decideKeepsTheDecision(t *testing.T, s registry.PendingStore) {
	p := add(t, s, proposal())
	decision := approval(8)
	decision.ID, decision.By, decision.Why, decision.Base, decision.Form, decision.Force = 99, "another", "another", 99, "another", false
	decision.Created, decision.Expires = epoch.AddDate(1, 0, 0), epoch.AddDate(1, 0, 0)
	decision.Classes, decision.Changes, decision.Declaration = []string{"x"}, nil, []byte("x")
	refused(t, "another declaration", s.DecidePending(t.Context(), p.ID, decision), registry.ErrRedeclared)
	wantPending(t, s, p)
	decision.Declaration = p.Declaration
	noError(t, "DecidePending", s.DecidePending(t.Context(), p.ID, decision))
	wantPending(t, s, decided(p, decision))
}

func decideOnce(t *testing.T, s registry.PendingStore) {
	for _, state := range []string{registry.PendingApproved, registry.PendingRejected, registry.PendingExpired} {
		p := add(t, s, proposal())
		first := approval(8)
		first.State = state
		noError(t, "DecidePending", s.DecidePending(t.Context(), p.ID, first))
		for _, again := range []string{registry.PendingApproved, registry.PendingRejected, registry.PendingExpired, state} {
			second := registry.Pending{State: again, DecidedBy: "another", Decided: epoch, Version: 99}
			refused(t, state+", then "+again, s.DecidePending(t.Context(), p.ID, second), registry.ErrDecided)
		}
		wantPending(t, s, decided(p, first))
	}
}

func noDecision(t *testing.T, s registry.PendingStore) {
	p := add(t, s, proposal())
	for _, state := range []string{registry.PendingOpen, "", "nonsense"} {
		decision := approval(8)
		decision.State = state
		err := s.DecidePending(t.Context(), p.ID, decision)
		if err == nil || errors.Is(err, registry.ErrDecided) || errors.Is(err, registry.ErrNoPending) {
			t.Errorf("DecidePending into %q: error %v, want another one", state, err)
		}
	}
	wantPending(t, s, p)
}

func pendingCancelled(t *testing.T, s registry.PendingStore) {
	there := add(t, s, proposal())
	cancelled(t, map[string]func(context.Context) error{
		"AddPending":    func(ctx context.Context) error { _, err := s.AddPending(ctx, proposal(), nil); return err },
		"GetPending":    func(ctx context.Context) error { _, err := s.GetPending(ctx, there.ID); return err },
		"ListPending":   func(ctx context.Context) error { _, err := s.ListPending(ctx, "", 1); return err },
		"DecidePending": func(ctx context.Context) error { return s.DecidePending(ctx, there.ID, approval(8)) },
	})
	wantPending(t, s, there)
	if next := add(t, s, proposal()); next.ID != there.ID+1 {
		t.Errorf("the next ID is %d, want %d: what was not added takes no number", next.ID, there.ID+1)
	}
}

func numbersWithoutGap(t *testing.T, s registry.PendingStore) {
	var (
		mu    sync.Mutex
		given []int64
	)
	together(func(i int) {
		for range 3 {
			p := proposal()
			p.By = fmt.Sprint("by ", i)
			id, err := s.AddPending(t.Context(), p, nil)
			if err != nil {
				t.Errorf("AddPending: %v", err)
				return
			}
			got, err := s.GetPending(t.Context(), id)
			if err != nil || !samePending(got, opened(id, p)) {
				t.Errorf("under ID %d: %+v, %v; want what was added as that", id, got, err)
			}
			mu.Lock()
			given = append(given, id)
			mu.Unlock()
		}
	})
	slices.Sort(given)
	for i, id := range given {
		if id != int64(i)+1 {
			t.Fatalf("IDs %v, want 1 to %d, each once", given, 3*callers)
		}
	}
	if len(given) != 3*callers {
		t.Errorf("%d were added, want %d", len(given), 3*callers)
	}
}

func oneDecides(t *testing.T, s registry.PendingStore) {
	for range 3 {
		p := add(t, s, proposal())
		decision := func(i int) registry.Pending {
			d := approval(int64(i))
			d.DecidedBy = fmt.Sprint("administrator ", i)
			d.State = []string{registry.PendingApproved, registry.PendingRejected, registry.PendingExpired}[i%3]
			return d
		}
		var (
			mu      sync.Mutex
			winners []int
		)
		together(func(i int) {
			switch err := s.DecidePending(t.Context(), p.ID, decision(i)); {
			case err == nil:
				mu.Lock()
				winners = append(winners, i)
				mu.Unlock()
			case !errors.Is(err, registry.ErrDecided):
				t.Errorf("DecidePending: error %v, want ErrDecided", err)
			}
		})
		if len(winners) != 1 {
			t.Fatalf("%v decided, want one", winners)
		}
		wantPending(t, s, decided(p, decision(winners[0])))
	}
}
