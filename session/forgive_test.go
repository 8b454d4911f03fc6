package session_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"licgate/session"
)

// TestPasswordChangedDuringLogin: whoever is judged by the old password while it is changed gets no session out of it, though
// those that were open have been ended already.
func TestPasswordChangedDuringLogin(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*registry){
		"password": func(r *registry) {
			a := r.accounts["zhang"]
			a.PasswordHash = "hash:another"
			r.accounts["zhang"] = a
		},
		"secret": func(r *registry) {
			a := r.applications["hydj"]
			a.Secrets = []session.Secret{{Hash: "hash:another"}}
			r.applications["hydj"] = a
		},
		"secret ended early": func(r *registry) {
			a := r.applications["hydj"]
			a.Secrets = []session.Secret{{Hash: "hash:another"}, {Hash: "hash:s3cret", Until: time.Date(2026, 5, 22, 9, 0, 0, 0, time.UTC)}}
			r.applications["hydj"] = a
		},
		"application gone": func(r *registry) { delete(r.applications, "hydj") },
		"account gone":     func(r *registry) { delete(r.accounts, "zhang") },
		"account disabled": func(r *registry) {
			a := r.accounts["zhang"]
			a.Disabled = true
			r.accounts["zhang"] = a
		},
	} {
		b := newBench(t)
		b.checker.during = func() { b.registry.change(change) }
		b.refused(t, name, good(), session.ErrCredentials)
		if n, err := b.End(t.Context(), session.Match{}); err != nil || n != 0 {
			t.Errorf("%s: %d sessions were left open, %v", name, n, err)
		}
	}
}

// TestAddressIsForgivenItsOwnAccount: a success wipes what that account failed at the address, and no more.
func TestAddressIsForgivenItsOwnAccount(t *testing.T) {
	t.Parallel()
	wrong := func(account string) session.Credentials {
		return with(func(c *session.Credentials) { c.Account, c.Password = account, "wrong" })
	}
	b := newBench(t)
	for range 4 { // a typo and a success, over and over: an office at work
		b.refused(t, "typo", wrong("zhang"), session.ErrCredentials)
		b.refused(t, "typo", wrong("wang"), session.ErrCredentials)
		b.login(t, good())
		b.login(t, with(func(c *session.Credentials) { c.Account = "wang" }))
	}
	for range 4 { // guesses at others, and a success of the guesser's own
		b.refused(t, "guess", wrong("wang"), session.ErrCredentials)
	}
	b.login(t, good())
	b.refused(t, "guess", wrong("homeless"), session.ErrCredentials)
	if _, _, err := b.Login(t.Context(), good()); err == nil {
		t.Error("after five guesses from the address its own account still logs in")
	}
}

// TestForgive: what an administrator unlocks logs in at once, and nothing else does.
func TestForgive(t *testing.T) {
	t.Parallel()
	const account, address = 10 * time.Minute, 30 * time.Second // the locks
	for name, c := range map[string]struct {
		account  string
		address  string
		from     string // where the failures came from
		lockedBy time.Duration
	}{
		"both":                      {"zhang", "192.0.2.7", "192.0.2.7", 0},
		"both, mapped":              {"zhang", "::ffff:192.0.2.7", "192.0.2.7", 0},
		"both, zone":                {"zhang", "2001:db8::9%eth0", "2001:db8::7", 0},
		"both, of the /64":          {"zhang", "2001:db8::1:2:3:4", "2001:db8::7", 0},
		"the account":               {"zhang", "", "192.0.2.7", address},
		"the address":               {"", "192.0.2.7", "192.0.2.7", account},
		"another account":           {"wang", "192.0.2.7", "192.0.2.7", account},
		"names are exact":           {"Zhang", "192.0.2.7", "192.0.2.7", account},
		"another address":           {"zhang", "192.0.2.8", "192.0.2.7", address},
		"another /64":               {"zhang", "2001:db8:0:1::7", "2001:db8::7", address},
		"the address as an account": {"192.0.2.7", "", "192.0.2.7", account},
		"nobody":                    {"", "", "192.0.2.7", account},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			from := netip.MustParseAddr(c.from)
			for range 5 {
				b.refused(t, "guess", with(func(g *session.Credentials) { g.Password, g.Address = "guess", from }), session.ErrCredentials)
			}
			given, _ := netip.ParseAddr(c.address)
			was, err := b.Forgive(t.Context(), c.account, given)
			if err != nil {
				t.Fatal(err)
			}
			met := name != "the address as an account" && name != "nobody" // each of the others names one of the two that were locked
			if want := (session.Forgiven{Failures: met, Locked: met}); was != want {
				t.Errorf("forgiven %+v, want %+v", was, want)
			}
			if again, err := b.Forgive(t.Context(), c.account, given); err != nil || again != (session.Forgiven{}) {
				t.Errorf("forgiven again: %+v, %v", again, err)
			}
			right := with(func(g *session.Credentials) { g.Address = from })
			if c.lockedBy > 0 {
				b.locked(t, name, right, b.now().Add(c.lockedBy))
				return
			}
			b.login(t, right)
			// How often it was locked is forgotten as well.
			for range 5 {
				b.refused(t, "guess", with(func(g *session.Credentials) { g.Password, g.Address = "guess", from }), session.ErrCredentials)
			}
			b.locked(t, name, right, b.now().Add(account))
		})
	}
}

func TestForgiveWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Store = flaky{b.store, map[string]bool{"Clear": true}}
	for name, who := range map[string]struct {
		account string
		address netip.Addr
	}{"account": {"zhang", netip.Addr{}}, "address": {"", office}, "both": {"zhang", office}} {
		if _, err := b.Forgive(t.Context(), who.account, who.address); !errors.Is(err, errBackend) {
			t.Errorf("%s: error %v, want the backend's", name, err)
		}
	}
	// What was asked for is tried, though the other failed.
	b.Store = failsOnce{b.store, new(atomic.Bool)}
	b.refused(t, "guess", with(func(c *session.Credentials) { c.Password = "guess" }), session.ErrCredentials)
	if _, err := b.Forgive(t.Context(), "zhang", office); !errors.Is(err, errBackend) {
		t.Errorf("error %v, want the backend's", err)
	}
	if a, err := b.store.Attempt(t.Context(), b.Digest([]byte("address\x00"+office.String()))); err != nil || a != (session.Attempt{}) {
		t.Errorf("failures of the address: %+v, %v; want none", a, err)
	}
}

// failsOnce fails at the first Clear.
type failsOnce struct {
	session.Store
	failed *atomic.Bool
}

func (f failsOnce) Clear(ctx context.Context, key []byte) error {
	if f.failed.CompareAndSwap(false, true) {
		return errBackend
	}
	return f.Store.Clear(ctx, key)
}
