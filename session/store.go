package session

import (
	"cmp"
	"context"
	"strings"
	"time"
)

// Match selects sessions; empty members select all.
type Match struct{ AppKey, Account, Department string }

// Selects reports whether m selects s.
func (m Match) Selects(s Session) bool {
	return (m.AppKey == "" || m.AppKey == s.AppKey) &&
		(m.Account == "" || m.Account == s.Account) &&
		(m.Department == "" || m.Department == s.Department)
}

// Newest compares for a sort that puts the newest session first; of two as old, the smaller ID.
func Newest(a, b Session) int {
	return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
}

// Attempt is the state of failed logins under one key (a digest of an account name or an address).
type Attempt struct {
	Failures int       // since the last success or lock
	Locks    int       // how often it was locked in a row; doubles the delay
	Until    time.Time // locked until; zero: not locked
}

// LockDelay returns how long the lock number locks (1 is the first) lasts: base·2^(locks-1), at most max.
func LockDelay(locks int, base, max time.Duration) time.Duration {
	delay := base
	for i := 1; i < locks && delay < max; i++ {
		if delay > max/2 {
			return max
		}
		delay *= 2
	}
	return min(delay, max)
}

// Store keeps sessions and login failures. Implementations: SQL (package store) and Redis (session/redisstore), both
// held to sessiontest. All methods are safe for concurrent use; a returned nil error means it is durable as far as
// the backend goes. "Not there" is ErrNoSession, never a nil error; backend failures are other errors, wrapped.
// Times are instants, kept to the millisecond or better; no method keeps a slice it was given. Names are compared
// byte for byte.
type Store interface {
	// Insert keeps a session under the digest of its token. A digest already there is an error.
	Insert(ctx context.Context, digest []byte, s Session) error
	// Find returns the session, expired or not.
	Find(ctx context.Context, digest []byte) (Session, error)
	// Touch notes the last use; ErrNoSession when it is gone (a touch never revives a session that ended). LastSeen
	// never moves backwards: an earlier time than the one kept changes nothing and is no error.
	Touch(ctx context.Context, digest []byte, seen time.Time) error
	// Delete removes one session; ErrNoSession when it was not there.
	Delete(ctx context.Context, digest []byte) error
	// DeleteMatching removes all that match selects and returns how many.
	DeleteMatching(ctx context.Context, match Match) (int, error)
	// List returns those that match selects, expired or not, the newest first (Newest), at most limit. Sessions that begin or
	// end while it runs may or may not be among them.
	List(ctx context.Context, match Match, limit int) ([]Session, error)
	// Purge removes sessions that expired before t or were last seen before idle.
	Purge(ctx context.Context, t, idle time.Time) (int, error)

	// Attempt reads the failure state of a key; the zero Attempt when there is none.
	Attempt(ctx context.Context, key []byte) (Attempt, error)
	// Fail counts one failure atomically (concurrent failures are all counted) and returns the new state: when
	// Failures reaches threshold it becomes 0, Locks grows by one and Until is now + base·2^(Locks-1), at most max
	// (LockDelay). A failure that locks nothing leaves Until as it was. A backend may forget a key that is not locked
	// a day after its last failure.
	Fail(ctx context.Context, key []byte, now time.Time, threshold int, base, max time.Duration) (Attempt, error)
	// Clear forgets a key's failures (after a success).
	Clear(ctx context.Context, key []byte) error
	// Ping reports whether the backend answers.
	Ping(ctx context.Context) error
}
