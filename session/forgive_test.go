package session_test

import (
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
