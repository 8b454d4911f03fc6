package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licgate/session"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Random = bytes.NewReader(append(bytes.Repeat([]byte{0xfb}, 32), bytes.Repeat([]byte{1}, 10)...))
	token, s := b.login(t, good())
	want := session.Session{
		ID: "aeaqcaibaeaqcaib", AppKey: "hydj", Account: "zhang", Department: civil, Address: "192.0.2.7",
		Created: b.now(), LastSeen: b.now(), Expires: b.now().Add(24 * time.Hour),
	}
	if s != want {
		t.Errorf("session %+v, want %+v", s, want)
	}
	// The form is frozen: clients keep tokens over an upgrade.
	if token != "lgs1_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s" {
		t.Errorf("token %q", token)
	}
	if found, err := b.Resolve(t.Context(), token, office); err != nil || found != want {
		t.Errorf("resolved %+v, error %v", found, err)
	}
}

func TestLoginTokensDiffer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	form := regexp.MustCompile(`^lgs1_[A-Za-z0-9_-]{43}$`)
	seen := map[string]bool{}
	for range 100 {
		token, s := b.login(t, good())
		if !form.MatchString(token) || len(s.ID) != 16 || strings.Contains(token, s.ID) || seen[token] || seen[s.ID] {
			t.Fatalf("token %q, id %q", token, s.ID)
		}
		seen[token], seen[s.ID] = true, true
	}
}

func TestLoginByOrgCode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, s := b.login(t, with(func(c *session.Credentials) { c.OrgCode = branch }))
	if s.Department != branch || !s.ByOrgCode {
		t.Errorf("acting for %s by org_code %v, want %s", s.Department, s.ByOrgCode, branch)
	}
}

func TestLoginAddressKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::7": "2001:db8::7", "fe80::1%eth0": "fe80::1",
	} {
		_, s := b.login(t, with(func(c *session.Credentials) { c.Address = netip.MustParseAddr(address) }))
		if s.Address != want {
			t.Errorf("address %s was kept as %q, want %q", address, s.Address, want)
		}
	}
	_, s := b.login(t, with(func(c *session.Credentials) { c.Address = netip.Addr{} }))
	if s.Address != "" {
		t.Errorf("an unknown address was kept as %q", s.Address)
	}
}

// refusals are all the ways to be ErrCredentials, with the hash each is to be checked against.
var refusals = []struct {
	name, secretHash, passwordHash string
	change                         func(*session.Credentials)
}{
	{"unknown application", "", "hash:passw0rd", func(c *session.Credentials) { c.AppKey = "nobody" }},
	{"wrong secret", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.AppSecret = "S3cret" }},
	{"unknown account", "hash:s3cret", "dummy", func(c *session.Credentials) { c.Account = "nobody" }},
	{"wrong password", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.Password = "" }},
	{"disabled application", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.AppKey = "closed" }},
	{"disabled account", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.Account = "left" }},
	{"account without password", "hash:s3cret", "dummy", func(c *session.Credentials) { c.Account = "nopassword" }},
	{"account of no department", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.Account = "homeless" }},
	{"foreign org_code", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.OrgCode = other }},
	{"own department, not administered", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.OrgCode = civil }},
	{"org_code of no department", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) { c.OrgCode = "gone" }},
	{"everything wrong", "", "dummy", func(c *session.Credentials) { *c = session.Credentials{Address: c.Address} }},
	{"foreign address and wrong password", "hash:s3cret", "hash:passw0rd", func(c *session.Credentials) {
		c.AppKey, c.Password, c.Address = "inside", "x", netip.MustParseAddr("198.51.100.1")
	}},
}

func TestLoginRefusalsLookAlike(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			credentials := with(c.change)
			b.refused(t, c.name, credentials, session.ErrCredentials)
			// The same work whatever was wrong: two secrets and one password were checked.
			if !slices.Equal(b.checker.secrets, []string{c.secretHash, ""}) || !slices.Equal(b.checker.passwords, []string{c.passwordHash}) {
				t.Errorf("checked secrets %q and passwords %q, want %q and %q",
					b.checker.secrets, b.checker.passwords, c.secretHash, c.passwordHash)
			}
			// Each counts alike: after four more, this name and this address are locked.
			for range 4 {
				b.refused(t, c.name, credentials, session.ErrCredentials)
			}
			b.locked(t, c.name, credentials, b.now().Add(10*time.Minute))
			b.locked(t, "right credentials from that address", with(func(g *session.Credentials) {
				g.Account, g.Address = "wang", credentials.Address
			}), b.now().Add(30*time.Second))
		})
	}
}

func TestLoginAddressList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for address, want := range map[string]error{
		"192.0.2.200": nil, "::ffff:192.0.2.200": nil, "2001:db8::99": nil, "2001:db8::99%eth0": nil,
		"198.51.100.1": session.ErrAddress, "2001:db8:0:1::1": session.ErrAddress, "": session.ErrAddress,
	} {
		credentials := with(func(c *session.Credentials) {
			c.AppKey = "inside"
			c.Address, _ = netip.ParseAddr(address)
		})
		_, _, err := b.Login(t.Context(), credentials)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("from %q: error %v, want %v", address, err, want)
		}
	}
	if n, err := b.End(t.Context(), session.Match{}); n != 4 || err != nil {
		t.Errorf("%d sessions were opened, error %v, want 4", n, err)
	}
}

func TestLockout(t *testing.T) {
	t.Parallel()
	wrong := with(func(c *session.Credentials) { c.Password = "guess" })
	b := newBench(t)
	addresses := 0
	elsewhere := func(c session.Credentials) session.Credentials { // another address each time: only the name counts
		addresses++
		c.Address = netip.AddrFrom4([4]byte{198, 51, 100, byte(addresses)})
		return c
	}
	for _, delay := range []time.Duration{10, 20, 30, 30} {
		for range 5 {
			b.refused(t, "guess", elsewhere(wrong), session.ErrCredentials)
		}
		until := b.now().Add(delay * time.Minute)
		b.locked(t, "locked, right password", elsewhere(good()), until)
		b.pass(delay*time.Minute - time.Millisecond)
		b.locked(t, "locked to the last moment", elsewhere(good()), until)
		b.pass(time.Millisecond)
	}
	b.login(t, elsewhere(good()))
	for range 4 {
		b.refused(t, "guess", elsewhere(wrong), session.ErrCredentials)
	}
	b.login(t, elsewhere(good())) // a success forgets four failures, and how often it was locked
	for range 5 {
		b.refused(t, "guess", elsewhere(wrong), session.ErrCredentials)
	}
	b.locked(t, "the delay begins anew", elsewhere(good()), b.now().Add(10*time.Minute))
	// Somebody else is not hindered.
	b.login(t, elsewhere(with(func(c *session.Credentials) { c.Account = "wang" })))
}

func TestLockoutDoesNoWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wrong := with(func(c *session.Credentials) { c.Password = "guess" })
	for range 5 {
		b.refused(t, "guess", wrong, session.ErrCredentials)
	}
	b.locked(t, "locked", wrong, b.now().Add(10*time.Minute))
	if len(b.checker.passwords) != 5 {
		t.Errorf("%d passwords were checked, want 5", len(b.checker.passwords))
	}
}

func TestLockoutOfAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fails, tries string
		locked             bool
	}{
		{"same IPv4", "198.51.100.1", "198.51.100.1", true},
		{"same IPv4, mapped", "198.51.100.1", "::ffff:198.51.100.1", true},
		{"neighbour IPv4", "198.51.100.1", "198.51.100.2", false},
		{"same /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"same /64, zone", "2001:db8:0:1::1%eth0", "2001:db8:0:1::2", true},
		{"neighbour /64", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for i := range 5 { // another name each time: only the address counts
				b.refused(t, "guess", with(func(g *session.Credentials) {
					g.Account, g.Address = fmt.Sprint("guess", i), netip.MustParseAddr(c.fails)
				}), session.ErrCredentials)
			}
			try := with(func(g *session.Credentials) { g.Address = netip.MustParseAddr(c.tries) })
			if !c.locked {
				b.login(t, try)
				return
			}
			b.locked(t, c.name, try, b.now().Add(30*time.Second))
			b.pass(30 * time.Second)
			b.login(t, try)
		})
	}
}

func TestLockoutSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Failures, b.AccountLock, b.AddressLock, b.MaxLock = 2, time.Minute, 3*time.Minute, 4*time.Minute
	wrong := with(func(c *session.Credentials) { c.Password = "guess" })
	for _, delay := range []time.Duration{3 * time.Minute, 4 * time.Minute} { // the longer of the two locks is told
		for range 2 {
			b.refused(t, "guess", wrong, session.ErrCredentials)
		}
		b.locked(t, "locked", wrong, b.now().Add(delay))
		b.pass(delay)
	}
}

// gathering closes all when so many reads of failures were made.
type gathering struct {
	session.Store
	left *atomic.Int32
	all  chan struct{}
}

func (g gathering) Attempt(ctx context.Context, key []byte) (session.Attempt, error) {
	if g.left.Add(-1) == 0 {
		close(g.all)
	}
	return g.Store.Attempt(ctx, key)
}

// A burst must not get more guesses than the lock allows and one for each hash under way, although all of it came in
// before the first guess was found wrong.
func TestLockoutHoldsAgainstBurst(t *testing.T) {
	t.Parallel()
	const burst = 200
	b := newBench(t)
	b.Failures = 2
	g := gathering{b.store, new(atomic.Int32), make(chan struct{})}
	g.left.Store(2 * burst) // name and address of each
	b.Store = g
	b.checker.during = func() { <-g.all }
	wrong := with(func(c *session.Credentials) { c.Password = "guess" })
	var wg sync.WaitGroup
	for range burst {
		wg.Go(func() {
			_, _, err := b.Login(t.Context(), wrong)
			_, locked := errors.AsType[*session.LockedError](err)
			if !locked && !errors.Is(err, session.ErrCredentials) {
				t.Errorf("error %v, want ErrCredentials or a lock", err)
			}
		})
	}
	wg.Wait()
	if n, most := len(b.checker.passwords), 2+runtime.GOMAXPROCS(0)-1; n < 2 || n > most {
		t.Errorf("%d passwords were checked, want 2 to %d", n, most)
	}
}

// deaf reads failures even for a context that is done, so that a login gets as far as the queue.
type deaf struct{ session.Store }

func (d deaf) Attempt(ctx context.Context, key []byte) (session.Attempt, error) {
	return d.Store.Attempt(context.WithoutCancel(ctx), key)
}

func TestLoginBoundsHashes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Store = deaf{b.store}
	slots := runtime.GOMAXPROCS(0)
	var at, most atomic.Int32
	entered, release := make(chan struct{}, 100), make(chan struct{})
	b.checker.during = func() {
		n := at.Add(1)
		defer at.Add(-1)
		for {
			old := most.Load()
			if n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		entered <- struct{}{}
		<-release
	}
	var wg sync.WaitGroup
	for range 4 * slots {
		wg.Go(func() {
			if _, _, err := b.Login(t.Context(), good()); err != nil {
				t.Errorf("Login: %v", err)
			}
		})
	}
	for range slots {
		<-entered
	}
	// All slots are taken: whoever gives up waiting gets the error of the context, and counts as no failure.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := b.Login(ctx, good())
	if !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrCredentials) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	close(release)
	wg.Wait()
	if int(most.Load()) != slots {
		t.Errorf("%d passwords were checked at once, want %d", most.Load(), slots)
	}
}

func TestLoginWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	wrong := with(func(c *session.Credentials) { c.Password = "guess" })
	for _, c := range []struct {
		method      string
		credentials session.Credentials
	}{
		{"Attempt", good()}, {"Insert", good()}, {"Clear", good()}, {"Fail", wrong},
	} {
		b := newBench(t)
		b.refused(t, "one failure to clear", wrong, session.ErrCredentials)
		b.Store = flaky{b.store, map[string]bool{c.method: true}}
		token, _, err := b.Login(t.Context(), c.credentials)
		if !errors.Is(err, errBackend) || errors.Is(err, session.ErrCredentials) || errors.Is(err, session.ErrNoSession) || token != "" {
			t.Errorf("%s fails: token %q, error %v, want the backend's", c.method, token, err)
		}
		if n, err := b.store.DeleteMatching(t.Context(), session.Match{}); n != 0 || err != nil {
			t.Errorf("%s fails: %d sessions left, error %v, want none", c.method, n, err)
		}
	}
}

func TestLoginWithoutRandom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Random = bytes.NewReader(make([]byte, 41))
	b.refused(t, "41 of 42 bytes", good(), io.ErrUnexpectedEOF)
}

func TestCredentialsDoNotPrint(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, good()); got != "session.Credentials(hidden)" {
			t.Errorf("%s prints %s", verb, got)
		}
		if got := fmt.Sprintf(verb, session.Holder{IdentityNum: "11010519491231002X"}); got != "session.Holder(hidden)" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
