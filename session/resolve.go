package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Resolve finds the session of a token, checks expiry, the application's and account's state and the address, and
// notes the time of use (at most once a minute, so that reading stays cheap). ErrAddress only when all else is well.
func (m *Manager) Resolve(ctx context.Context, token string, address netip.Addr) (Session, error) {
	if !wellFormed(token) {
		return Session{}, ErrNoSession
	}
	digest := m.Digest([]byte(token))
	s, err := m.Store.Find(ctx, digest)
	if errors.Is(err, ErrNoSession) {
		return Session{}, ErrNoSession
	}
	if err != nil {
		return Session{}, fmt.Errorf("session: finding a session: %w", err)
	}
	now := m.now()
	if m.expired(s, now) {
		return Session{}, ErrNoSession
	}
	app, ok := m.entitled(digest, s)
	if !ok {
		return Session{}, ErrNoSession
	}
	if !app.allows(canonical(address)) {
		return Session{}, ErrAddress
	}
	// A short idle time is divided too, or a busy session would run out between two notes.
	if now.Sub(s.LastSeen) >= min(touchEvery, m.idle()/4) {
		err := m.Store.Touch(ctx, digest, now)
		if errors.Is(err, ErrNoSession) { // ended meanwhile
			return Session{}, ErrNoSession
		}
		if err != nil {
			return Session{}, fmt.Errorf("session: noting the use of a session: %w", err)
		}
		s.LastSeen = now
	}
	return s, nil
}

// entitled reports whether the registry still lets the session's application and account act for its department.
func (m *Manager) entitled(digest []byte, s Session) (Application, bool) {
	app, appKnown := m.Directory.Application(s.AppKey)
	account, accountKnown := m.Directory.Account(s.Account)
	if !appKnown || !accountKnown || app.Disabled || account.Disabled || !m.Directory.DepartmentExists(s.Department) {
		return Application{}, false
	}
	if !m.openedBy(digest, s, app, account) {
		return Application{}, false
	}
	if s.ByOrgCode {
		return app, m.Directory.Administers(s.Account, s.Department)
	}
	// An account that was moved does not go on in its old department.
	return app, account.Department == s.Department
}

// openedBy reports whether the secret and the password that opened a session are still those of its application and account. A
// replaced secret that is still good for a time keeps its sessions until then. Whoever resets a password has ended its sessions by
// that, on every node that knows of it.
func (m *Manager) openedBy(digest []byte, s Session, app Application, account Account) bool {
	now := m.now()
	return slices.ContainsFunc(app.Secrets, func(secret Secret) bool {
		return secret.good(now) && m.credential(digest, s, secret.Hash, account.PasswordHash) == s.Credential
	})
}
