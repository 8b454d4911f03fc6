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
	selectVersions     = `SELECT number, decided_at, decided_by, why, approved_by, parent, hash, changes, lines, platform, policy_text, objects, mac FROM policy_versions `
	// Lists go without the lines, which are long, and so without a look at the authentication code.
	selectVersionHeads = `SELECT number, decided_at, decided_by, why, approved_by, parent, hash, changes, 'null', NULL, NULL, NULL, NULL FROM policy_versions `
	selectHead         = selectVersions + `ORDER BY number DESC LIMIT 1`
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
	v, err := s.checkedVersion(s.reader.QueryRowContext(ctx, selectHead))
	if errors.Is(err, sql.ErrNoRows) {
		return policy.Version{}, nil
	}
	return v.Version, err
}

func (s policies) Get(ctx context.Context, n int64) (policy.Version, error) {
	v, err := s.checkedVersion(s.reader.QueryRowContext(ctx, selectVersions+`WHERE number = $1`, n))
	if errors.Is(err, sql.ErrNoRows) {
		return policy.Version{}, failed("select from policy_versions", policy.ErrNoVersion)
	}
	return v.Version, err
}

func (s policies) List(ctx context.Context, limit int) ([]policy.Version, error) {
	return collect(ctx, s.reader, "select from policy_versions", func(r row) (policy.Version, error) {
		v, err := scanVersion(r)
		return v.Version, err
	}, selectVersionHeads+`ORDER BY number DESC LIMIT $1`, max(limit, 0))
}

// checkedVersion reads a whole version and holds it against its authentication code: gm.ErrIntegrity. What was changed is looked at no further.
func (s *Store) checkedVersion(r row) (storedVersion, error) {
	v, err := readVersion(r)
	if err != nil {
		return v, err
	}
	if err := s.check(v.mac, versionRow(&v)); err != nil {
		return storedVersion{}, failed("select from policy_versions", err)
	}
	return v, v.parse()
}

func scanVersion(r row) (storedVersion, error) {
	v, err := readVersion(r)
	if err != nil {
		return v, err
	}
	return v, v.parse()
}

func readVersion(r row) (storedVersion, error) {
	var v storedVersion
	err := r.Scan(&v.Number, &v.at, &v.By, &v.Why, &v.ApprovedBy, &v.Parent, &v.Hash, &v.Changes, &v.lines, &v.Platform, &v.text, &v.objects, &v.mac)
	if err != nil {
		return storedVersion{}, failed("select from policy_versions", err)
	}
	return v, nil
}

func (v *storedVersion) parse() (err error) {
	const tried = "select from policy_versions"
	if v.At, err = time.Parse(time.RFC3339Nano, v.at); err != nil {
		return failed(tried+": decided_at", err)
	}
	if err := json.Unmarshal([]byte(v.lines), &v.Lines); err != nil {
		return failed(tried+": lines", err)
	}
	return nil
}

// insertVersion adds v as the successor of the head, with the further policy text of its declaration. Of two writers that
// hold the same head the later one waits for the first at the primary key, and is then stale.
func (s *Store) insertVersion(ctx context.Context, tx *sql.Tx, v policy.Version, text *string, objects []byte) error {
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
	stored := storedVersion{Version: v, at: v.At.Format(time.RFC3339Nano), lines: string(lines), text: text, objects: objects}
	mac, err := s.code(versionRow(&stored))
	if err != nil {
		return failed(tried, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO policy_versions (number, decided_at, decided_by, why, approved_by, parent, hash, lines, changes, policy_text,
		platform, objects, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		v.Number, stored.at, v.By, v.Why, v.ApprovedBy, v.Parent, v.Hash, stored.lines, optional(v.Changes), text,
		optional(v.Platform), objects, mac)
	if s.dialect.duplicate(err) {
		return failed(tried, policy.ErrStale)
	}
	if err != nil {
		return failed(tried, err)
	}
	return nil
}
