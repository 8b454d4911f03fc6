package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"licgate/policy"
)

type policies struct{ *Store }

var _ policy.Store = policies{}

const (
	selectPolicyNumber = `SELECT COALESCE(MAX(number), 0) FROM policy_versions`
	selectVersions     = `SELECT number, decided_at, decided_by, why, approved_by, parent, hash, changes, lines, platform FROM policy_versions `
	// Lists go without the lines, which are long.
	selectVersionHeads = `SELECT number, decided_at, decided_by, why, approved_by, parent, hash, changes, 'null', NULL FROM policy_versions `
)

// PolicyVersion returns the number of the newest version, 0 on an empty store. It is cheap enough to poll.
func (s *Store) PolicyVersion(ctx context.Context) (int64, error) {
	var number int64
	if err := s.hot.policyNumber.QueryRowContext(ctx).Scan(&number); err != nil {
		return 0, failed("select from policy_versions", err)
	}
	return number, nil
}

func (s policies) Head(ctx context.Context) (policy.Version, error) {
	v, err := scanVersion(s.reader.QueryRowContext(ctx, selectVersions+`ORDER BY number DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return policy.Version{}, nil
	}
	return v, err
}

func (s policies) Get(ctx context.Context, n int64) (policy.Version, error) {
	v, err := scanVersion(s.reader.QueryRowContext(ctx, selectVersions+`WHERE number = $1`, n))
	if errors.Is(err, sql.ErrNoRows) {
		return policy.Version{}, failed("select from policy_versions", policy.ErrNoVersion)
	}
	return v, err
}

func (s policies) List(ctx context.Context, limit int) ([]policy.Version, error) {
	return collect(ctx, s.reader, "select from policy_versions", scanVersion, selectVersionHeads+`ORDER BY number DESC LIMIT $1`, max(limit, 0))
}

func scanVersion(r row) (policy.Version, error) {
	const tried = "select from policy_versions"
	var (
		v         policy.Version
		at, lines string
	)
	err := r.Scan(&v.Number, &at, &v.By, &v.Why, &v.ApprovedBy, &v.Parent, &v.Hash, &v.Changes, &lines, &v.Platform)
	if err != nil {
		return policy.Version{}, failed(tried, err)
	}
	if v.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return policy.Version{}, failed(tried+": decided_at", err)
	}
	if err := json.Unmarshal([]byte(lines), &v.Lines); err != nil {
		return policy.Version{}, failed(tried+": lines", err)
	}
	return v, nil
}

// insertVersion adds v as the successor of the head, with the further policy text of its declaration. Of two writers that
// hold the same head the later one waits for the first at the primary key, and is then stale.
func (s *Store) insertVersion(ctx context.Context, tx *sql.Tx, v policy.Version, text *string) error {
	const tried = "insert into policy_versions"
	var (
		number int64
		hash   string
	)
	err := tx.QueryRowContext(ctx, `SELECT number, hash FROM policy_versions ORDER BY number DESC LIMIT 1`).Scan(&number, &hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return failed("select from policy_versions", err)
	}
	if v.Number != number+1 || v.Parent != hash {
		return failed(tried, policy.ErrStale)
	}
	lines, err := json.Marshal(v.Lines)
	if err != nil {
		return failed(tried+": lines", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO policy_versions (number, decided_at, decided_by, why, approved_by, parent, hash, lines, changes, policy_text,
		platform) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		v.Number, v.At.Format(time.RFC3339Nano), v.By, v.Why, v.ApprovedBy, v.Parent, v.Hash, string(lines), optional(v.Changes), text,
		optional(v.Platform))
	if s.dialect.duplicate(err) {
		return failed(tried, policy.ErrStale)
	}
	if err != nil {
		return failed(tried, err)
	}
	return nil
}
