package store

import (
	"context"
	"database/sql"
)

// Rows of the table counters.
const (
	countedLocks   = "locks"   // changes of locks so far
	countedPending = "pending" // the newest pending change's ID
)

const selectRevisions = `SELECT (SELECT COALESCE(MAX(number), 0) FROM policy_versions), (SELECT value FROM counters WHERE name = '` + countedLocks + `')`

// Revisions returns the number of the newest policy version and how many changes of locks there were, both 0 on an empty
// store. It is cheap enough to poll. Ask before loading what they number: what is loaded is then as new at least.
func (s *Store) Revisions(ctx context.Context) (policy, locks int64, err error) {
	if err := s.hot.revisions.QueryRowContext(ctx).Scan(&policy, &locks); err != nil {
		return 0, 0, failed("select from policy_versions and counters", err)
	}
	return policy, locks, nil
}

// LocksRevision returns the second of Revisions.
func (s *Store) LocksRevision(ctx context.Context) (int64, error) {
	_, locks, err := s.Revisions(ctx)
	return locks, err
}

// countUp raises a counter and returns its new value. Others who count wait for the end of the transaction: no value is
// given twice, and none is left out when the transaction fails.
func countUp(ctx context.Context, tx *sql.Tx, name string) (int64, error) {
	var value int64
	err := tx.QueryRowContext(ctx, `UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value`, name).Scan(&value)
	if err != nil {
		return 0, failed("update counters", err)
	}
	return value, nil
}
