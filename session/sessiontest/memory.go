package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"licgate/session"
)

// Memory is a session.Store for tests. It forgets all when the process ends.
type Memory struct {
	mu       sync.Mutex
	sessions map[string]session.Session
	attempts map[string]session.Attempt
}

var _ session.Store = (*Memory)(nil)

// errTaken refuses a second session under one digest.
var errTaken = errors.New("digest already there")

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{sessions: map[string]session.Session{}, attempts: map[string]session.Attempt{}}
}

// enter takes the lock unless ctx is done.
func (m *Memory) enter(ctx context.Context, doing string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("sessiontest: %s: %w", doing, err)
	}
	m.mu.Lock()
	return m.mu.Unlock, nil
}

// Insert implements session.Store.
func (m *Memory) Insert(ctx context.Context, digest []byte, s session.Session) error {
	leave, err := m.enter(ctx, "inserting a session")
	if err != nil {
		return err
	}
	defer leave()
	if _, ok := m.sessions[string(digest)]; ok {
		return fmt.Errorf("sessiontest: inserting a session: %w", errTaken)
	}
	m.sessions[string(digest)] = s
	return nil
}

// Find implements session.Store.
func (m *Memory) Find(ctx context.Context, digest []byte) (session.Session, error) {
	leave, err := m.enter(ctx, "finding a session")
	if err != nil {
		return session.Session{}, err
	}
	defer leave()
	s, ok := m.sessions[string(digest)]
	if !ok {
		return session.Session{}, session.ErrNoSession
	}
	return s, nil
}

// Touch implements session.Store.
func (m *Memory) Touch(ctx context.Context, digest []byte, seen time.Time) error {
	leave, err := m.enter(ctx, "touching a session")
	if err != nil {
		return err
	}
	defer leave()
	s, ok := m.sessions[string(digest)]
	if !ok {
		return session.ErrNoSession
	}
	if seen.After(s.LastSeen) {
		s.LastSeen = seen
		m.sessions[string(digest)] = s
	}
	return nil
}

// Delete implements session.Store.
func (m *Memory) Delete(ctx context.Context, digest []byte) error {
	leave, err := m.enter(ctx, "deleting a session")
	if err != nil {
		return err
	}
	defer leave()
	if _, ok := m.sessions[string(digest)]; !ok {
		return session.ErrNoSession
	}
	delete(m.sessions, string(digest))
	return nil
}

// DeleteMatching implements session.Store.
func (m *Memory) DeleteMatching(ctx context.Context, match session.Match) (int, error) {
	return m.deleteWhere(ctx, "deleting sessions", match.Selects)
}

// List implements session.Store.
func (m *Memory) List(ctx context.Context, match session.Match, limit int) ([]session.Session, error) {
	leave, err := m.enter(ctx, "listing sessions")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []session.Session
	for _, s := range m.sessions {
		if match.Selects(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, session.Newest)
	return found[:min(len(found), max(limit, 0))], nil
}

// Purge implements session.Store.
func (m *Memory) Purge(ctx context.Context, t, idle time.Time) (int, error) {
	return m.deleteWhere(ctx, "purging sessions", func(s session.Session) bool {
		return s.Expires.Before(t) || s.LastSeen.Before(idle)
	})
}

func (m *Memory) deleteWhere(ctx context.Context, doing string, ends func(session.Session) bool) (int, error) {
	leave, err := m.enter(ctx, doing)
	if err != nil {
		return 0, err
	}
	defer leave()
	before := len(m.sessions)
	maps.DeleteFunc(m.sessions, func(_ string, s session.Session) bool { return ends(s) })
	return before - len(m.sessions), nil
}

// Attempt implements session.Store.
func (m *Memory) Attempt(ctx context.Context, key []byte) (session.Attempt, error) {
	leave, err := m.enter(ctx, "reading login failures")
	if err != nil {
		return session.Attempt{}, err
	}
	defer leave()
	return m.attempts[string(key)], nil
}

// Fail implements session.Store.
func (m *Memory) Fail(ctx context.Context, key []byte, now time.Time, threshold int, base, max time.Duration) (session.Attempt, error) {
	leave, err := m.enter(ctx, "counting a login failure")
	if err != nil {
		return session.Attempt{}, err
	}
	defer leave()
	a := m.attempts[string(key)]
	a.Failures++
	if a.Failures >= threshold {
		a.Failures = 0
		a.Locks++
		a.Until = now.Add(session.LockDelay(a.Locks, base, max))
	}
	m.attempts[string(key)] = a
	return a, nil
}

// Clear implements session.Store.
func (m *Memory) Clear(ctx context.Context, key []byte) error {
	leave, err := m.enter(ctx, "clearing login failures")
	if err != nil {
		return err
	}
	defer leave()
	delete(m.attempts, string(key))
	return nil
}

// Ping implements session.Store.
func (m *Memory) Ping(ctx context.Context) error {
	leave, err := m.enter(ctx, "ping")
	if err != nil {
		return err
	}
	leave()
	return nil
}
