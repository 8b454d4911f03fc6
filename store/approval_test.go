package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"licgate/policy"
	"licgate/registry"
	"licgate/store"
	"licgate/store/storetest"
)

// waits adds a pending change and returns its number.
func waits(t *testing.T, s *store.Store) int64 {
	t.Helper()
	id, err := s.Pendings().AddPending(t.Context(), registry.Pending{By: "110000_安全员", Created: epoch}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func inState(t *testing.T, s *store.Store, id int64, state string, version int64) {
	t.Helper()
	p, err := s.Pendings().GetPending(t.Context(), id)
	if err != nil || p.State != state || p.Version != version {
		t.Errorf("change %d is %s as version %d, %v; want %s as %d", id, p.State, p.Version, err, state, version)
	}
}

func TestSaveApproved(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		id, bystander := waits(t, s), waits(t, s)
		// What the caller says of state and version does not count.
		decision := registry.Pending{State: registry.PendingExpired, Version: 99, DecidedBy: "110000_复核员", Decided: epoch, Note: "同意"}
		if err := s.SaveApproved(t.Context(), platform(), version(1, ""), id, decision); err != nil {
			t.Fatal(err)
		}
		loads(t, s, platform(), 1)
		inState(t, s, id, registry.PendingApproved, 1)
		inState(t, s, bystander, registry.PendingOpen, 0)
		if p, err := s.Pendings().GetPending(t.Context(), id); err != nil || p.DecidedBy != decision.DecidedBy || !p.Decided.Equal(epoch) || p.Note != "同意" {
			t.Errorf("decision %+v, %v", p, err)
		}
	})
}

// What is refused changes neither the platform nor the change.
func TestSaveApprovedIsWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		save(t, s, platform(), version(1, ""))
		open, rejected := waits(t, s), waits(t, s)
		if err := s.Pendings().DecidePending(t.Context(), rejected, registry.Pending{State: registry.PendingRejected}); err != nil {
			t.Fatal(err)
		}
		twice := platform()
		twice.Accounts[1].Account = twice.Accounts[0].Account
		for _, one := range []struct {
			name string
			next *registry.Platform
			v    policy.Version
			id   int64
			want error // nil: any
		}{
			{"decided already", &registry.Platform{}, version(2, ""), rejected, registry.ErrDecided},
			{"no such change", &registry.Platform{}, version(2, ""), 99, registry.ErrNoPending},
			{"another version was accepted", &registry.Platform{}, version(1, "other"), open, policy.ErrStale},
			{"a version was left out", &registry.Platform{}, version(3, ""), open, policy.ErrStale},
			{"a platform that can't be kept", twice, version(2, ""), open, nil},
		} {
			err := s.SaveApproved(t.Context(), one.next, one.v, one.id, registry.Pending{})
			if err == nil || one.want != nil && !errors.Is(err, one.want) {
				t.Errorf("%s: error %v, want %v", one.name, err, one.want)
			}
			loads(t, s, platform(), 1)
			inState(t, s, open, registry.PendingOpen, 0)
			inState(t, s, rejected, registry.PendingRejected, 0)
		}
	})
}

// One administrator approves while another rejects, at two gateways: what the change says is what is in force.
func TestApproveAgainstReject(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		stores := []*store.Store{storetest.Open(t, url), storetest.Open(t, url)}
		number := int64(0)
		for round := range 8 {
			id := waits(t, stores[0])
			next := platform()
			next.Departments[0].Name = fmt.Sprint("round ", round)
			var deciding sync.WaitGroup
			for i := range 8 {
				deciding.Go(func() {
					s := stores[i%2]
					var err error
					if i < 4 {
						err = s.SaveApproved(t.Context(), next, version(number+1, ""), id, registry.Pending{})
					} else {
						err = s.Pendings().DecidePending(t.Context(), id, registry.Pending{State: registry.PendingRejected})
					}
					if err != nil && !errors.Is(err, registry.ErrDecided) && !errors.Is(err, policy.ErrStale) {
						t.Errorf("error %v, want ErrDecided or ErrStale", err)
					}
				})
			}
			deciding.Wait()
			p, err := stores[1].Pendings().GetPending(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			inForce, err := stores[1].PolicyVersion(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case p.State == registry.PendingApproved && inForce == number+1 && p.Version == inForce:
				number++
			case p.State == registry.PendingRejected && inForce == number:
			default:
				t.Fatalf("round %d: the change is %s as version %d, version %d is in force after %d", round, p.State, p.Version, inForce, number)
			}
		}
	})
}

// What is approved is what was judged: a declaration that was replaced meanwhile is judged anew.
func TestApprovalOfAnotherDeclaration(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		first, second := []byte("first"), []byte("second")
		id, err := s.Pendings().AddPending(t.Context(), registry.Pending{By: "a", Created: epoch, Declaration: first}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SwapDeclaration(t.Context(), id, first, second); err != nil {
			t.Fatal(err)
		}
		if err := s.SwapDeclaration(t.Context(), id, first, second); !errors.Is(err, registry.ErrRedeclared) {
			t.Errorf("replaced twice: error %v, want ErrRedeclared", err)
		}
		if err := s.SaveApproved(t.Context(), platform(), version(1, ""), id, registry.Pending{Declaration: first}); !errors.Is(err, registry.ErrRedeclared) {
			t.Errorf("error %v, want ErrRedeclared", err)
		}
		loads(t, s, &registry.Platform{}, 0)
		if err := s.SaveApproved(t.Context(), platform(), version(1, ""), id, registry.Pending{Declaration: second}); err != nil {
			t.Fatal(err)
		}
		if err := s.SwapDeclaration(t.Context(), id, second, first); !errors.Is(err, registry.ErrDecided) {
			t.Errorf("after the decision: error %v, want ErrDecided", err)
		}
	})
}
