package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"licgate/session"
)

// Attempt implements session.Store.
func (s *Store) Attempt(ctx context.Context, key []byte) (session.Attempt, error) {
	const doing = "reading login failures"
	fields, err := s.client.HMGet(ctx, s.attemptKey(key), "failures", "locks", "until").Result()
	if err != nil {
		return session.Attempt{}, fmt.Errorf("redisstore: %s: %w", doing, err)
	}
	if fields[0] == nil {
		return session.Attempt{}, nil
	}
	return decodeAttempt(doing, fields)
}

// Fail implements session.Store.
func (s *Store) Fail(ctx context.Context, key []byte, now time.Time, threshold int, base, max time.Duration) (session.Attempt, error) {
	const doing = "counting a login failure"
	answer, err := s.run(ctx, doing, failScript, []string{s.attemptKey(key)},
		micros(now), threshold, base.Microseconds(), max.Microseconds(), grace.Milliseconds())
	if err != nil {
		return session.Attempt{}, err
	}
	fields, ok := answer.([]any)
	if !ok {
		return session.Attempt{}, fmt.Errorf("redisstore: %s: %w", doing, errCorrupt)
	}
	return decodeAttempt(doing, fields)
}

// decodeAttempt reads failures, locks and until, as numbers or as text.
func decodeAttempt(doing string, fields []any) (session.Attempt, error) {
	var n [3]int64
	if len(fields) != len(n) {
		return session.Attempt{}, fmt.Errorf("redisstore: %s: %w", doing, errCorrupt)
	}
	for i, f := range fields {
		v, err := strconv.ParseInt(fmt.Sprint(f), 10, 64)
		if err != nil {
			return session.Attempt{}, fmt.Errorf("redisstore: %s: %w", doing, errCorrupt)
		}
		n[i] = v
	}
	a := session.Attempt{Failures: int(n[0]), Locks: int(n[1])}
	if n[2] != 0 {
		a.Until = time.UnixMicro(n[2]).UTC()
	}
	return a, nil
}

// Clear implements session.Store.
func (s *Store) Clear(ctx context.Context, key []byte) error {
	if err := s.client.Del(ctx, s.attemptKey(key)).Err(); err != nil {
		return fmt.Errorf("redisstore: clearing login failures: %w", err)
	}
	return nil
}
