// Package redisstore keeps sessions and login failures in Redis 7, for gateways of more than one node.
//
// Keys, all under "{prefix}:", whose braces keep them on one node of a cluster:
//
//	s:DIGEST        hash: a session (DIGEST: hexadecimal, of its token)
//	f:KEY           hash: failures, locks, until (KEY: hexadecimal, a digest as well)
//	expires, seen   sorted sets: digests of sessions by expiry and by last use
//	i:…             sorted sets: digests of the sessions of an application (a), account (u) or department (d), each
//	                named by the SM3 of it, so that no key shows a name
//
// Every key of a session or failure has a time to live, counted by Redis, so that nothing stays if nobody purges.
// How much survives a crash of Redis is the operator's choice of appendfsync.
package redisstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"licgate/gm"
	"licgate/session"
)

// grace is how long a session stays findable beyond its expiry, and a failure beyond its lock.
const grace = 24 * time.Hour

// batch is how many sessions one script looks at: Redis answers nobody else meanwhile.
const batch = 256

var (
	errTaken   = errors.New("digest already there")
	errCorrupt = errors.New("malformed entry")
	errAddress = errors.New("redisstore: the address must be redis://, rediss:// or unix://, and special characters in its password percent-encoded")
)

// Store implements session.Store.
type Store struct {
	client *redis.Client
	prefix string
}

var _ session.Store = (*Store)(nil)

// Open connects to the Redis at url (redis://, rediss:// for TLS, unix:// for a socket) and keeps its keys under
// prefix. Its errors never repeat url, which may hold a password.
func Open(ctx context.Context, url, prefix string) (*Store, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errAddress
	}
	options.ContextTimeoutEnabled = true
	// A command whose answer was lost may have been done: sent again, a failure would count twice and a session that
	// was just ended would be reported as never there.
	options.MaxRetries = -1
	options.DialerRetries = 1 // fail at once while Redis is down: the caller refuses or tries again
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	s := &Store{client: redis.NewClient(options), prefix: "{" + prefix + "}:"}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	return s, nil
}

// Close ends the connections.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("redisstore: closing: %w", err)
	}
	return nil
}

// Ping implements session.Store.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redisstore: ping: %w", err)
	}
	return nil
}

// run executes a script, sent whole only when Redis does not know it yet.
func (s *Store) run(ctx context.Context, doing string, script *redis.Script, keys []string, args ...any) (any, error) {
	answer, err := script.Run(ctx, s.client, keys, args...).Result()
	if err != nil {
		return nil, fmt.Errorf("redisstore: %s: %w", doing, err)
	}
	return answer, nil
}

func (s *Store) expiresKey() string { return s.prefix + "expires" }

func (s *Store) seenKey() string { return s.prefix + "seen" }

func (s *Store) sessionKey(digest string) string { return s.prefix + "s:" + digest }

func (s *Store) attemptKey(key []byte) string { return s.prefix + "f:" + hex.EncodeToString(key) }

// indexKey names the index of the sessions whose member of the kind has value.
func (s *Store) indexKey(kind, value string) string {
	sum := gm.SM3([]byte(value))
	return s.prefix + "i:" + kind + ":" + hex.EncodeToString(sum[:])
}

func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

func parseMicros(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: no time", errCorrupt)
	}
	return time.UnixMicro(n).UTC(), nil
}
