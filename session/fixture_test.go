package session_test

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"licgate/session"
	"licgate/session/sessiontest"
)

const (
	civil  = "11110000000021135M" // the account's department
	branch = "91350100M000100Y43" // one that it administers
	other  = "12110000000000000X" // one that it does not
)

var office = netip.MustParseAddr("192.0.2.7")

// registry is a Directory that tests change under the manager's feet.
type registry struct {
	mu           sync.Mutex
	applications map[string]session.Application
	accounts     map[string]session.Account
	departments  []string
	administered map[string][]string
}

func newRegistry() *registry {
	return &registry{
		applications: map[string]session.Application{
			"hydj": {AppKey: "hydj", Secrets: []session.Secret{{Hash: "hash:s3cret"}}},
			"inside": {
				AppKey: "inside", Secrets: []session.Secret{{Hash: "hash:s3cret"}},
				IPAllow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")},
			},
			"closed": {AppKey: "closed", Secrets: []session.Secret{{Hash: "hash:s3cret"}}, Disabled: true},
		},
		accounts: map[string]session.Account{
			"zhang":      {Account: "zhang", Department: civil, PasswordHash: "hash:passw0rd"},
			"wang":       {Account: "wang", Department: civil, PasswordHash: "hash:passw0rd"},
			"left":       {Account: "left", Department: civil, PasswordHash: "hash:passw0rd", Disabled: true},
			"nopassword": {Account: "nopassword", Department: civil},
			"homeless":   {Account: "homeless", Department: "gone", PasswordHash: "hash:passw0rd"},
		},
		departments:  []string{civil, branch, other},
		administered: map[string][]string{"zhang": {branch, "gone"}},
	}
}

func (r *registry) change(f func(*registry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

func (r *registry) Application(key string) (session.Application, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.applications[key]
	return a, ok
}

func (r *registry) Account(name string) (session.Account, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.accounts[name]
	return a, ok
}

func (r *registry) DepartmentExists(code string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.departments, code)
}

func (r *registry) Administers(account, department string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.administered[account], department)
}

// checker is a Verifier that notes its work. The hash of x is "hash:x".
type checker struct {
	mu        sync.Mutex
	secrets   []string // hashes asked for
	passwords []string
	during    func() // runs inside VerifyPassword, when set
}

func (v *checker) VerifySecret(_, hash, secret string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets = append(v.secrets, hash)
	return hash == "hash:"+secret
}

func (v *checker) VerifyPassword(hash, password string) bool {
	v.mu.Lock()
	v.passwords = append(v.passwords, hash)
	during := v.during
	v.mu.Unlock()
	if during != nil {
		during()
	}
	return hash == "hash:"+password
}

func (v *checker) DummyHash() string { return "dummy" }

// flaky is a Store whose methods named in fails fail.
type flaky struct {
	session.Store
	fails map[string]bool
}

var errBackend = errors.New("disk on fire")

// bench is a manager with all its parts at hand.
type bench struct {
	*session.Manager
	store    *sessiontest.Memory
	registry *registry
	checker  *checker
	mu       sync.Mutex
	time     time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		store: sessiontest.NewMemory(), registry: newRegistry(), checker: &checker{},
		time: time.Date(2026, 5, 22, 9, 0, 0, 0, time.UTC),
	}
	b.Manager = &session.Manager{
		Store: b.store, Directory: b.registry, Verifier: b.checker, Now: b.now,
		Digest: func(data []byte) []byte { sum := sha256.Sum256(data); return sum[:] },
	}
	return b
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time
}

// pass moves the clock, backwards too.
func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time = b.time.Add(d)
}

// good are credentials that log in.
func good() session.Credentials {
	return session.Credentials{AppKey: "hydj", AppSecret: "s3cret", Account: "zhang", Password: "passw0rd", Address: office}
}

// with returns good credentials after a change.
func with(change func(*session.Credentials)) session.Credentials {
	c := good()
	change(&c)
	return c
}

// login must succeed.
func (b *bench) login(t *testing.T, c session.Credentials) (string, session.Session) {
	t.Helper()
	token, s, err := b.Login(t.Context(), c)
	if err != nil {
		t.Fatalf("Login: %v", err)
	}
	return token, s
}

// resolves demands that the token is good from the office, or why it is not.
func (b *bench) resolves(t *testing.T, doing, token string, want error) {
	t.Helper()
	s, err := b.Resolve(t.Context(), token, office)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Fatalf("%s: Resolve: error %v, want %v", doing, err, want)
	}
	if err != nil && s != (session.Session{}) {
		t.Fatalf("%s: Resolve gave %+v with an error", doing, s)
	}
}

// refused demands that a login fails with want.
func (b *bench) refused(t *testing.T, doing string, c session.Credentials, want error) {
	t.Helper()
	token, s, err := b.Login(t.Context(), c)
	if !errors.Is(err, want) || token != "" || s != (session.Session{}) {
		t.Fatalf("%s: Login: token %q, session %+v, error %v, want %v", doing, token, s, err, want)
	}
}

// locked demands that a login is refused until.
func (b *bench) locked(t *testing.T, doing string, c session.Credentials, until time.Time) {
	t.Helper()
	_, _, err := b.Login(t.Context(), c)
	lock, ok := errors.AsType[*session.LockedError](err)
	if !ok || !lock.Until.Equal(until) {
		t.Fatalf("%s: Login: error %v (%+v), want locked until %v", doing, err, lock, until)
	}
}
