package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"licgate/session"
)

// rememberFailures is how long the last failure of a key counts.
const rememberFailures = 24 * time.Hour

const selectAttempt = `SELECT failures, locks, locked_until FROM attempts WHERE key = $1`

// The row stays locked from here to the end of the transaction, so that concurrent failures are all counted.
const countFailure = `INSERT INTO attempts (key, failures, locks, locked_until, last_failure) VALUES ($1, 1, 0, 0, $2)
	ON CONFLICT (key) DO UPDATE SET failures = attempts.failures + 1, last_failure = $2
	RETURNING failures, locks, locked_until`

func (s sessions) Attempt(ctx context.Context, key []byte) (session.Attempt, error) {
	var (
		a     session.Attempt
		until int64
	)
	err := s.hot.attempt.QueryRowContext(ctx, key).Scan(&a.Failures, &a.Locks, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Attempt{}, nil
	}
	if err != nil {
		return session.Attempt{}, failed("select from attempts", err)
	}
	a.Until = fromStamp(until)
	return a, nil
}

func (s sessions) Fail(ctx context.Context, key []byte, now time.Time, threshold int, base, longest time.Duration) (session.Attempt, error) {
	var a session.Attempt
	err := s.write(ctx, func(tx *sql.Tx) error {
		var until int64
		if err := tx.QueryRowContext(ctx, countFailure, key, stamp(now)).Scan(&a.Failures, &a.Locks, &until); err != nil {
			return failed("count in attempts", err)
		}
		a.Until = fromStamp(until)
		if a.Failures < threshold {
			return nil
		}
		a.Failures = 0
		a.Locks++
		a.Until = now.Add(session.LockDelay(a.Locks, base, longest))
		_, err := tx.ExecContext(ctx, `UPDATE attempts SET failures = 0, locks = $2, locked_until = $3 WHERE key = $1`, key, a.Locks, stamp(a.Until))
		if err != nil {
			return failed("update attempts", err)
		}
		return nil
	})
	if err != nil {
		return session.Attempt{}, err
	}
	return a, nil
}

func (s sessions) Clear(ctx context.Context, key []byte) error {
	_, err := s.exec(ctx, "delete from attempts", `DELETE FROM attempts WHERE key = $1`, key)
	return err
}

func (s sessions) forgetAttempts(ctx context.Context, t time.Time) error {
	_, err := s.exec(ctx, "delete from attempts", `DELETE FROM attempts WHERE last_failure < $1 AND locked_until < $2`,
		stamp(t.Add(-rememberFailures)), stamp(t))
	return err
}
