package session_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"licgate/session"
)

// secrets sets what hydj may log in with.
func (b *bench) secrets(all ...session.Secret) {
	b.registry.change(func(r *registry) {
		r.applications["hydj"] = session.Application{AppKey: "hydj", Secrets: all}
	})
}

// noted is what NoteSecret was told.
type noted struct {
	app, hash string
	at        time.Time
}

// notes lets the manager note into the slice returned.
func (b *bench) notes() *[]noted {
	all := new([]noted)
	b.NoteSecret = func(_ context.Context, appKey, hash string, at time.Time) {
		*all = append(*all, noted{appKey, hash, at})
	}
	return all
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	now := newBench(t).now()
	endless := func(secret string) session.Secret { return session.Secret{Hash: "hash:" + secret} }
	until := func(secret string, end time.Time) session.Secret {
		return session.Secret{Hash: "hash:" + secret, Until: end}
	}
	for _, c := range []struct {
		name    string
		secrets []session.Secret
		given   string
		works   bool
		checked []string // hashes
	}{
		{"the only one", []session.Secret{endless("new")}, "new", true, []string{"hash:new", ""}},
		{"another", []session.Secret{endless("new")}, "old", false, []string{"hash:new", ""}},
		{"the new of two", []session.Secret{endless("new"), until("old", now.Add(time.Hour))}, "new", true, []string{"hash:new", "hash:old"}},
		{"the old of two", []session.Secret{endless("new"), until("old", now.Add(time.Hour))}, "old", true, []string{"hash:new", "hash:old"}},
		{"neither of two", []session.Secret{endless("new"), until("old", now.Add(time.Hour))}, "x", false, []string{"hash:new", "hash:old"}},
		{"the last moment", []session.Secret{endless("new"), until("old", now.Add(time.Millisecond))}, "old", true, []string{"hash:new", "hash:old"}},
		{"ended now", []session.Secret{endless("new"), until("old", now)}, "old", false, []string{"hash:new", "hash:old"}},
		{"ended long ago", []session.Secret{until("old", now.AddDate(-1, 0, 0)), endless("new")}, "old", false, []string{"hash:old", "hash:new"}},
		{"beside one that ended", []session.Secret{until("old", now), endless("new")}, "new", true, []string{"hash:old", "hash:new"}},
		{"the only one ended", []session.Secret{until("old", now)}, "old", false, []string{"hash:old", ""}},
		{"the last of three", []session.Secret{endless("a"), endless("b"), endless("c")}, "c", true, []string{"hash:a", "hash:b", "hash:c"}},
		{"twice, one ended", []session.Secret{until("a", now), endless("a")}, "a", true, []string{"hash:a", "hash:a"}},
		{"none", nil, "", false, []string{"", ""}},
		{"no hash", []session.Secret{{}}, "", false, []string{"", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			notes := b.notes()
			b.secrets(c.secrets...)
			credentials := with(func(g *session.Credentials) { g.AppSecret = c.given })
			if c.works {
				b.login(t, credentials)
			} else {
				b.refused(t, c.name, credentials, session.ErrCredentials)
			}
			// All are checked, whichever it was, and two at least.
			if !slices.Equal(b.checker.secrets, c.checked) {
				t.Errorf("checked %q, want %q", b.checker.secrets, c.checked)
			}
			var want []noted
			if c.works {
				want = []noted{{"hydj", "hash:" + c.given, now}}
			}
			if !slices.Equal(*notes, want) {
				t.Errorf("noted %+v, want %+v", *notes, want)
			}
		})
	}
}

// A secret that ended is a wrong one: it counts as a failure.
func TestEndedSecretCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.secrets(session.Secret{Hash: "hash:new"}, session.Secret{Hash: "hash:s3cret", Until: b.now()})
	for range 5 {
		b.refused(t, "ended", good(), session.ErrCredentials)
	}
	b.locked(t, "ended", good(), b.now().Add(10*time.Minute))
}

// Who has no secret at all must not get in by a verifier that errs on the empty hash.
func TestEmptyHashNeverMatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Verifier = gullible{b.checker}
	for name, c := range map[string]session.Credentials{
		"unknown application": with(func(c *session.Credentials) { c.AppKey = "nobody" }),
		"no secret":           good(),
	} {
		b.secrets()
		b.refused(t, name, c, session.ErrCredentials)
	}
	b.secrets(session.Secret{})
	b.refused(t, "an empty hash", good(), session.ErrCredentials)
}

// gullible takes every secret.
type gullible struct{ *checker }

func (gullible) VerifySecret(_, _, _ string) bool { return true }

// A rotation in the middle of a login takes nothing back while the secret that matched is still good.
func TestSecretRotatedDuringLogin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old := session.Secret{Hash: "hash:s3cret", Until: b.now().Add(time.Hour)}
	b.checker.during = func() { b.secrets(session.Secret{Hash: "hash:new"}, old) }
	b.login(t, good())

	// The other secret does not stand in for the one that matched.
	b.secrets(session.Secret{Hash: "hash:new"}, old)
	b.checker.during = func() { b.secrets(session.Secret{Hash: "hash:new"}) }
	b.refused(t, "the old one was taken back", good(), session.ErrCredentials)

	// One that ends while the password is hashed has ended.
	b.secrets(session.Secret{Hash: "hash:new"}, old)
	b.checker.during = func() { b.pass(time.Hour) }
	b.refused(t, "the old one ended meanwhile", good(), session.ErrCredentials)
}

func TestNoteSecretOnlyOfSuccess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	notes := b.notes()
	b.refused(t, "wrong password", with(func(c *session.Credentials) { c.Password = "x" }), session.ErrCredentials)
	b.refused(t, "foreign org_code", with(func(c *session.Credentials) { c.OrgCode = other }), session.ErrCredentials)
	b.refused(t, "address", with(func(c *session.Credentials) { c.AppKey, c.Address = "inside", netip.MustParseAddr("198.51.100.1") }), session.ErrAddress)
	b.Store = flaky{b.store, map[string]bool{"Insert": true}}
	if _, _, err := b.Login(t.Context(), good()); !errors.Is(err, errBackend) {
		t.Errorf("error %v, want the backend's", err)
	}
	b.Store = b.store
	b.checker.during = func() { b.secrets() }
	b.refused(t, "taken back meanwhile", good(), session.ErrCredentials)
	if len(*notes) != 0 {
		t.Errorf("noted %+v, want nothing", *notes)
	}
}

// A session is good as long as the secret that opened it: not longer than its overlap, and not by another secret.
func TestSessionEndsWithItsCredential(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, s := b.login(t, good())
	if s.Credential == "" {
		t.Fatal("the session is bound to nothing")
	}
	old := session.Secret{Hash: "hash:s3cret", Until: b.now().Add(10 * time.Minute)}
	b.secrets(session.Secret{Hash: "hash:new"}, old)
	b.resolves(t, "in the overlap", token, nil)
	fresh, _ := b.login(t, with(func(c *session.Credentials) { c.AppSecret = "new" }))
	b.pass(11 * time.Minute)
	b.resolves(t, "past the overlap, though nobody ended it", token, session.ErrNoSession)
	b.resolves(t, "by the new secret", fresh, nil)
	b.secrets(session.Secret{Hash: "hash:newer"}, session.Secret{Hash: "hash:s3cret", Until: b.now().Add(time.Hour)})
	b.resolves(t, "rotated twice", fresh, session.ErrNoSession)
}

// Sessions from before they were bound are over.
func TestSessionBoundToNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token, s := b.login(t, good())
	digest := b.Digest([]byte(token))
	if err := b.store.Delete(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	s.Credential = ""
	if err := b.store.Insert(t.Context(), digest, s); err != nil {
		t.Fatal(err)
	}
	b.resolves(t, "bound to nothing", token, session.ErrNoSession)
}

// Who can write to the store makes nobody of a session but who opened it: neither by changing its row nor by copying another's.
func TestSessionBoundToItsRow(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(mine *session.Session, theirs session.Session){
		"account":     func(s *session.Session, _ session.Session) { s.Account = "wang" },
		"application": func(s *session.Session, _ session.Session) { s.AppKey = "inside" },
		"department":  func(s *session.Session, _ session.Session) { s.Department, s.ByOrgCode = branch, true },
		"end":         func(s *session.Session, _ session.Session) { s.Expires = s.Expires.Add(time.Hour) },
		"another's":   func(s *session.Session, theirs session.Session) { *s = theirs },
		"another's, under the own id": func(s *session.Session, theirs session.Session) {
			theirs.ID = s.ID
			*s = theirs
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			token, mine := b.login(t, good())
			_, theirs := b.login(t, with(func(c *session.Credentials) { c.Account = "wang" }))
			b.resolves(t, "untouched", token, nil)
			digest := b.Digest([]byte(token))
			if err := b.store.Delete(t.Context(), digest); err != nil {
				t.Fatal(err)
			}
			change(&mine, theirs)
			if err := b.store.Insert(t.Context(), digest, mine); err != nil {
				t.Fatal(err)
			}
			b.resolves(t, "altered", token, session.ErrNoSession)
		})
	}
}

// Who comes without an address is locked by account alone: others at the same socket log in.
func TestNoAddressNoSharedLock(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	socket := func(change func(*session.Credentials)) session.Credentials {
		return with(func(c *session.Credentials) {
			c.Address = netip.Addr{}
			change(c)
		})
	}
	wrong := socket(func(c *session.Credentials) { c.Password = "x" })
	for range 5 {
		b.refused(t, "wrong", wrong, session.ErrCredentials)
	}
	b.locked(t, "the account", socket(func(*session.Credentials) {}), b.now().Add(10*time.Minute))
	b.login(t, socket(func(c *session.Credentials) { c.Account = "wang" }))
}
