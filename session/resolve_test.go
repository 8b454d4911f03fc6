package session_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"licgate/session"
)

// counting counts the calls that the tests are about.
type counting struct {
	session.Store
	finds, touches *atomic.Int32
}

func (c counting) Find(ctx context.Context, digest []byte) (session.Session, error) {
	c.finds.Add(1)
	return c.Store.Find(ctx, digest)
}

func (c counting) Touch(ctx context.Context, digest []byte, seen time.Time) error {
	c.touches.Add(1)
	return c.Store.Touch(ctx, digest, seen)
}

func (b *bench) counted() counting {
	c := counting{b.store, new(atomic.Int32), new(atomic.Int32)}
	b.Store = c
	return c
}

func TestResolveRefusesRubbishUnasked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.login(t, good())
	count := b.counted()
	for _, bad := range []string{
		"", "lgs1_", strings.ToUpper(token), token[5:], "lgs2_" + token[5:], token + "A", token[:47], " " + token, token + " ",
		token[:20] + "+" + token[21:], token[:47] + "\n", token[:46] + "\n" + token[46:], strings.Repeat("a", 1<<16),
		"lgs1_" + strings.Repeat("A", 42) + "B", // spare bits set
	} {
		b.resolves(t, bad, bad, session.ErrNoSession)
		if err := b.Logout(t.Context(), bad); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("Logout of %q: error %v, want ErrNoSession", bad, err)
		}
	}
	if n := count.finds.Load(); n != 0 {
		t.Errorf("the store was asked %d times, want never", n)
	}
	b.resolves(t, "well-formed, not ours", "lgs1_"+strings.Repeat("A", 43), session.ErrNoSession)
	if n := count.finds.Load(); n != 1 {
		t.Errorf("the store was asked %d times, want once", n)
	}
}

func TestResolveIdle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.login(t, good())
	for range 5 { // use keeps it alive
		b.pass(30*time.Minute - time.Millisecond)
		b.resolves(t, "used within 30 minutes", token, nil)
	}
	b.pass(30 * time.Minute)
	b.resolves(t, "not used for 30 minutes", token, session.ErrNoSession)
}

func TestResolveAbsolute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, s := b.login(t, good())
	for b.now().Add(10 * time.Minute).Before(s.Expires) {
		b.pass(10 * time.Minute)
		b.resolves(t, "used all day", token, nil)
	}
	b.pass(10*time.Minute - time.Millisecond)
	b.resolves(t, "the last moment", token, nil)
	b.pass(time.Millisecond)
	b.resolves(t, "after 24 hours", token, session.ErrNoSession)
}

func TestResolveSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Absolute, b.Idle = 20*time.Second, 8*time.Second
	token, s := b.login(t, good())
	if !s.Expires.Equal(b.now().Add(20 * time.Second)) {
		t.Errorf("expires %v", s.Expires)
	}
	for range 9 { // an idle time below a minute is kept alive by use as well
		b.pass(2 * time.Second)
		b.resolves(t, "used every 2 s", token, nil)
	}
	b.pass(2 * time.Second)
	b.resolves(t, "after 20 s", token, session.ErrNoSession)
	token, _ = b.login(t, good())
	b.pass(8 * time.Second)
	b.resolves(t, "idle for 8 s", token, session.ErrNoSession)
}

func TestResolveNotesUseOnceAMinute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.login(t, good())
	count := b.counted()
	for range 120 {
		b.pass(time.Second)
		s, err := b.Resolve(t.Context(), token, office)
		if err != nil || b.now().Sub(s.LastSeen) >= time.Minute {
			t.Fatalf("last seen %v at %v, error %v", s.LastSeen, b.now(), err)
		}
	}
	if n := count.touches.Load(); n != 2 {
		t.Errorf("%d notes in 120 s, want 2", n)
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, made := b.login(t, good())
	b.pass(-5 * time.Minute)
	b.resolves(t, "nodes may differ by 5 minutes", token, nil)
	b.pass(-time.Millisecond)
	b.resolves(t, "made in the future", token, session.ErrNoSession)
	b.pass(5*time.Minute + time.Millisecond)

	b.pass(20 * time.Minute)
	b.resolves(t, "used", token, nil)
	b.pass(-4 * time.Minute)
	s, err := b.Resolve(t.Context(), token, office)
	if err != nil || !s.LastSeen.Equal(made.Created.Add(20*time.Minute)) {
		t.Errorf("last seen %v, error %v: it must not move backwards", s.LastSeen, err)
	}
	b.pass(-2 * time.Minute)
	b.resolves(t, "last used in the future: how long it rested is not known", token, session.ErrNoSession)
}

func TestClockSetAhead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.login(t, good())
	b.pass(365 * 24 * time.Hour)
	b.resolves(t, "a year ahead", token, session.ErrNoSession)
}

func TestResolveAsksTheRegistry(t *testing.T) {
	t.Parallel()
	plain := good()
	byOrgCode := with(func(c *session.Credentials) { c.OrgCode = branch })
	inside := with(func(c *session.Credentials) { c.AppKey = "inside" })
	for _, c := range []struct {
		name        string
		credentials session.Credentials
		change      func(*registry)
		want        error
	}{
		{"nothing", plain, func(*registry) {}, nil},
		{"application deleted", plain, func(r *registry) { delete(r.applications, "hydj") }, session.ErrNoSession},
		{"application disabled", plain, func(r *registry) {
			a := r.applications["hydj"]
			a.Disabled = true
			r.applications["hydj"] = a
		}, session.ErrNoSession},
		{"another application disabled", plain, func(r *registry) { delete(r.applications, "inside") }, nil},
		{"account deleted", plain, func(r *registry) { delete(r.accounts, "zhang") }, session.ErrNoSession},
		{"account disabled", plain, func(r *registry) {
			a := r.accounts["zhang"]
			a.Disabled = true
			r.accounts["zhang"] = a
		}, session.ErrNoSession},
		{"another secret", plain, func(r *registry) {
			a := r.applications["hydj"]
			a.Secrets = []session.Secret{{Hash: "hash:other"}}
			r.applications["hydj"] = a
		}, session.ErrNoSession},
		{"another password", plain, func(r *registry) {
			a := r.accounts["zhang"]
			a.PasswordHash = "hash:other"
			r.accounts["zhang"] = a
		}, session.ErrNoSession},
		{"another's password", plain, func(r *registry) {
			a := r.accounts["wang"]
			a.PasswordHash = "hash:other"
			r.accounts["wang"] = a
		}, nil},
		{"account moved", plain, func(r *registry) {
			a := r.accounts["zhang"]
			a.Department = branch
			r.accounts["zhang"] = a
		}, session.ErrNoSession},
		{"department deleted", plain, func(r *registry) { r.departments = []string{branch} }, session.ErrNoSession},
		{"other department deleted", plain, func(r *registry) { r.departments = []string{civil} }, nil},
		{"administers no more, own department", plain, func(r *registry) { clear(r.administered) }, nil},
		{"administers no more", byOrgCode, func(r *registry) { clear(r.administered) }, session.ErrNoSession},
		{"administered department deleted", byOrgCode, func(r *registry) { r.departments = []string{civil} }, session.ErrNoSession},
		{"account moved, by org_code", byOrgCode, func(r *registry) {
			a := r.accounts["zhang"]
			a.Department = other
			r.accounts["zhang"] = a
		}, nil},
		{"address taken off the list", inside, func(r *registry) {
			a := r.applications["inside"]
			a.IPAllow = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
			r.applications["inside"] = a
		}, session.ErrAddress},
		{"list emptied: anywhere", inside, func(r *registry) {
			a := r.applications["inside"]
			a.IPAllow = nil
			r.applications["inside"] = a
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			token, _ := b.login(t, c.credentials)
			b.resolves(t, "before", token, nil)
			b.registry.change(c.change)
			b.pass(2 * time.Minute)
			b.resolves(t, c.name, token, c.want)
		})
	}
}

func TestResolveRefusedIsNoUse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.login(t, with(func(c *session.Credentials) { c.AppKey = "inside" }))
	count := b.counted()
	b.pass(20 * time.Minute)
	for address, want := range map[string]error{
		"198.51.100.1": session.ErrAddress, "::ffff:198.51.100.1": session.ErrAddress, "2001:db8:0:1::1": session.ErrAddress,
	} {
		if _, err := b.Resolve(t.Context(), token, netip.MustParseAddr(address)); !errors.Is(err, want) {
			t.Errorf("from %s: error %v, want %v", address, err, want)
		}
	}
	if _, err := b.Resolve(t.Context(), token, netip.Addr{}); !errors.Is(err, session.ErrAddress) {
		t.Errorf("from nowhere: error %v, want ErrAddress", err)
	}
	if n := count.touches.Load(); n != 0 {
		t.Errorf("%d notes of refused use, want none", n)
	}
	for _, address := range []string{"192.0.2.200", "::ffff:192.0.2.200", "2001:db8::99", "2001:db8::99%eth0"} {
		if _, err := b.Resolve(t.Context(), token, netip.MustParseAddr(address)); err != nil {
			t.Errorf("from %s: %v", address, err)
		}
	}
}

func TestResolveWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Find", "Touch"} {
		b := newBench(t)
		token, _ := b.login(t, good())
		b.pass(2 * time.Minute)
		b.Store = flaky{b.store, map[string]bool{method: true}}
		b.resolves(t, method, token, errBackend)
		if _, err := b.Resolve(t.Context(), token, office); errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s fails: error %v is ErrNoSession", method, err)
		}
	}
}

// ending ends the session between Find and Touch.
type ending struct{ session.Store }

func (e ending) Touch(ctx context.Context, digest []byte, seen time.Time) error {
	return errors.Join(e.Delete(ctx, digest), e.Store.Touch(ctx, digest, seen))
}

func TestResolveAgainstLogout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.login(t, good())
	b.pass(2 * time.Minute)
	b.Store = ending{b.store}
	b.resolves(t, "ended meanwhile", token, session.ErrNoSession)
}

func TestLogout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, _ := b.login(t, good())
	stays, _ := b.login(t, good())
	if err := b.Logout(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	b.resolves(t, "logged out", token, session.ErrNoSession)
	b.resolves(t, "the other session of the account", stays, nil)
	if err := b.Logout(t.Context(), token); !errors.Is(err, session.ErrNoSession) {
		t.Errorf("second Logout: error %v, want ErrNoSession", err)
	}
	b.Store = flaky{b.store, map[string]bool{"Delete": true}}
	if err := b.Logout(t.Context(), stays); !errors.Is(err, errBackend) || errors.Is(err, session.ErrNoSession) {
		t.Errorf("Logout when the store fails: error %v, want the backend's", err)
	}
}

func TestEndCountsLiveSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.login(t, good()) // will have been idle
	b.pass(31 * time.Minute)
	one, _ := b.login(t, good())
	two, _ := b.login(t, with(func(c *session.Credentials) { c.Account = "wang" }))
	if n, err := b.End(t.Context(), session.Match{Account: "zhang"}); n != 1 || err != nil {
		t.Errorf("ended %d, error %v, want 1", n, err)
	}
	b.resolves(t, "ended", one, session.ErrNoSession)
	b.resolves(t, "of another account", two, nil)
	for _, method := range []string{"Purge", "DeleteMatching"} {
		b.Store = flaky{b.store, map[string]bool{method: true}}
		if _, err := b.End(t.Context(), session.Match{}); !errors.Is(err, errBackend) {
			t.Errorf("%s fails: error %v, want the backend's", method, err)
		}
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.login(t, good())
	b.pass(31 * time.Minute)
	token, _ := b.login(t, good())
	if n, err := b.Purge(t.Context()); n != 1 || err != nil {
		t.Errorf("purged %d, error %v, want 1", n, err)
	}
	b.resolves(t, "live", token, nil)
}

// The store never sees a token: only the keyed digest of it.
type watching struct {
	session.Store
	digests *[]string
}

func (w watching) Insert(ctx context.Context, digest []byte, s session.Session) error {
	*w.digests = append(*w.digests, string(digest))
	return w.Store.Insert(ctx, digest, s)
}

func TestStoreSeesDigestsOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var digests []string
	b.Store = watching{b.store, &digests}
	token, _ := b.login(t, good())
	if want := []string{string(b.Digest([]byte(token)))}; !slices.Equal(digests, want) {
		t.Errorf("inserted under %x, want %x", digests, want)
	}
}
