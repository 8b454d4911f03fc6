package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"licgate/session"
)

type sessions struct{ *Store }

var _ session.Store = sessions{}

const (
	sessionColumns = `SELECT id, app_key, account, department, by_org_code, address, created, last_seen, expires FROM sessions`
	selectSession  = sessionColumns + ` WHERE digest = $1`
	// whereMatching wants the members of a session.Match as $1 to $3.
	whereMatching = ` WHERE ($1 = '' OR app_key = $1) AND ($2 = '' OR account = $2) AND ($3 = '' OR department = $3)`
)

func (s sessions) Insert(ctx context.Context, digest []byte, one session.Session) error {
	_, err := s.exec(ctx, "insert into sessions",
		`INSERT INTO sessions (digest, id, app_key, account, department, by_org_code, address, created, last_seen, expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		digest, one.ID, one.AppKey, one.Account, one.Department, one.ByOrgCode, one.Address, stamp(one.Created), stamp(one.LastSeen), stamp(one.Expires))
	return err
}

func (s sessions) Find(ctx context.Context, digest []byte) (session.Session, error) {
	return scanSession(s.hot.session.QueryRowContext(ctx, digest))
}

func (s sessions) List(ctx context.Context, match session.Match, limit int) ([]session.Session, error) {
	return collect(ctx, s.reader, "select from sessions", scanSession, sessionColumns+whereMatching+` ORDER BY created DESC, id LIMIT $4`,
		match.AppKey, match.Account, match.Department, max(limit, 0))
}

func scanSession(r row) (session.Session, error) {
	var (
		one                    session.Session
		created, seen, expires int64
	)
	err := r.Scan(&one.ID, &one.AppKey, &one.Account, &one.Department, &one.ByOrgCode, &one.Address, &created, &seen, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		err = session.ErrNoSession
	}
	if err != nil {
		return session.Session{}, failed("select from sessions", err)
	}
	one.Created, one.LastSeen, one.Expires = fromStamp(created), fromStamp(seen), fromStamp(expires)
	return one, nil
}

// Touch never moves the last use back: of two requests the later one counts, whichever is written first.
func (s sessions) Touch(ctx context.Context, digest []byte, seen time.Time) error {
	return s.one(ctx, "update sessions",
		`UPDATE sessions SET last_seen = CASE WHEN last_seen < $2 THEN $2 ELSE last_seen END WHERE digest = $1`, digest, stamp(seen))
}

func (s sessions) Delete(ctx context.Context, digest []byte) error {
	return s.one(ctx, "delete from sessions", `DELETE FROM sessions WHERE digest = $1`, digest)
}

// one runs a statement that must meet one session.
func (s sessions) one(ctx context.Context, tried, query string, args ...any) error {
	rows, err := s.exec(ctx, tried, query, args...)
	if err == nil && rows == 0 {
		return failed(tried, session.ErrNoSession)
	}
	return err
}

func (s sessions) DeleteMatching(ctx context.Context, match session.Match) (int, error) {
	rows, err := s.exec(ctx, "delete from sessions", `DELETE FROM sessions`+whereMatching,
		match.AppKey, match.Account, match.Department)
	return int(rows), err
}

// Purge also forgets login failures a day old that lock nothing any more: guesses at random names must not fill the disk.
func (s sessions) Purge(ctx context.Context, t, idle time.Time) (int, error) {
	rows, err := s.exec(ctx, "delete from sessions", `DELETE FROM sessions WHERE expires < $1 OR last_seen < $2`, stamp(t), stamp(idle))
	if err != nil {
		return 0, err
	}
	if err := s.forgetAttempts(ctx, t); err != nil {
		return int(rows), err
	}
	return int(rows), nil
}
