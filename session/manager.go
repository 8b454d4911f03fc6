package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Defaults of Manager.
const (
	defaultAbsolute    = 24 * time.Hour   // table 1: the token is good for a day
	defaultIdle        = 30 * time.Minute // GB/T 22239, 8.1.4: 10 to 30 minutes
	defaultAccountLock = 10 * time.Minute // GB/T 22239, 8.1.4: 10 to 30 minutes
	defaultAddressLock = 30 * time.Second // short: a whole office may share an address
	defaultMaxLock     = 30 * time.Minute
	defaultFailures    = 5
)

// maxSkew is how far clocks of nodes may differ. A session from further ahead was made before the clock was set
// back, and its age is not known.
const maxSkew = 5 * time.Minute

// touchEvery is how often the last use of a session is written down at most.
const touchEvery = time.Minute

// Manager logs in, resolves and logs out. Fields are set once before use; safe for concurrent use.
type Manager struct {
	Store     Store
	Directory Directory
	Verifier  Verifier
	// Digest is a keyed hash (HMAC-SM3, token purpose); tokens are kept only so.
	Digest func([]byte) []byte
	// Now and Random must be safe for concurrent use; nil: time.Now and crypto/rand.
	Now    func() time.Time
	Random io.Reader
	// Absolute and Idle are the session's lifetimes; zero: 24 h (table 1) and 30 min (GB/T 22239).
	Absolute, Idle time.Duration
	// AccountLock and AddressLock are the delays once Failures were counted; each further lock doubles, up to MaxLock.
	// Zero: 10 min, 30 s, 30 min, 5.
	AccountLock, AddressLock, MaxLock time.Duration
	Failures                          int
	// NoteSecret is told of the secret that each login succeeded with; nil: nobody is. It must be safe for concurrent use. The
	// login succeeds whatever comes of it.
	NoteSecret func(ctx context.Context, appKey, hash string, at time.Time)

	slotsOnce sync.Once
	slots     chan struct{}
}

// now is the time to the millisecond, as stores keep it.
func (m *Manager) now() time.Time {
	if m.Now == nil {
		return time.Now().UTC().Truncate(time.Millisecond)
	}
	return m.Now().UTC().Truncate(time.Millisecond)
}

func (m *Manager) idle() time.Duration { return cmp.Or(m.Idle, defaultIdle) }

// random fills a new slice of n bytes.
func (m *Manager) random(n int) ([]byte, error) {
	source := m.Random
	if source == nil {
		source = rand.Reader
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(source, b); err != nil {
		return nil, fmt.Errorf("session: reading random bytes: %w", err)
	}
	return b, nil
}

// enter waits for leave to hash a password: a flood of logins shall not take every core from those who are logged in.
func (m *Manager) enter(ctx context.Context) (leave func(), err error) {
	m.slotsOnce.Do(func() { m.slots = make(chan struct{}, runtime.GOMAXPROCS(0)) })
	select {
	case m.slots <- struct{}{}:
		return func() { <-m.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("session: waiting to check a password: %w", ctx.Err())
	}
}

// expired reports whether s is over at now, by age, by rest, or because the clock was set back since it was made or
// used: LastSeen is never before Created.
func (m *Manager) expired(s Session, now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.LastSeen) >= m.idle() || s.LastSeen.After(now.Add(maxSkew))
}

// Logout ends the session of a token at once. Ending one that is not there is ErrNoSession.
func (m *Manager) Logout(ctx context.Context, token string) error {
	if !wellFormed(token) {
		return ErrNoSession
	}
	if err := m.Store.Delete(ctx, m.Digest([]byte(token))); err != nil {
		return fmt.Errorf("session: logging out: %w", err)
	}
	return nil
}

// End ends every live session that match selects, and says how many.
func (m *Manager) End(ctx context.Context, match Match) (int, error) {
	// What is over but still stored does not count as ended now.
	if _, err := m.Purge(ctx); err != nil {
		return 0, err
	}
	n, err := m.Store.DeleteMatching(ctx, match)
	if err != nil {
		return n, fmt.Errorf("session: ending sessions: %w", err)
	}
	return n, nil
}

// List returns the live sessions that match selects, the newest first, at most limit. Those that only a clock set back made
// unusable are left out, and may have taken the place of others.
func (m *Manager) List(ctx context.Context, match Match, limit int) ([]Session, error) {
	// What is over but still stored must not take the place of what is not.
	if _, err := m.Purge(ctx); err != nil {
		return nil, err
	}
	all, err := m.Store.List(ctx, match, limit)
	if err != nil {
		return nil, fmt.Errorf("session: listing sessions: %w", err)
	}
	now := m.now()
	return slices.DeleteFunc(all, func(s Session) bool { return m.expired(s, now) }), nil
}

// Purge removes what is expired or idle too long and says how many. To be called now and then: such sessions are
// refused before they are purged as well.
func (m *Manager) Purge(ctx context.Context) (int, error) {
	now := m.now()
	n, err := m.Store.Purge(ctx, now, now.Add(-m.idle()))
	if err != nil {
		return n, fmt.Errorf("session: purging sessions: %w", err)
	}
	return n, nil
}
