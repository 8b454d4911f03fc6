package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	"licgate/gm"
	"licgate/licence"
	"licgate/policy"
	"licgate/registry"
	"licgate/session"
)

// ErrURL says that the store's URL is not understood. The error never repeats the URL: it may hold a password.
var ErrURL = errors.New("store: the URL must be sqlite: and the path of a file, or postgres:// and user, host, database")

// Store is an open database. Safe for concurrent use.
type Store struct {
	dialect dialect
	// writer runs everything that writes. On SQLite it is one connection, so that writers of this process queue here
	// and never meet SQLITE_BUSY; on PostgreSQL writer and reader are the same pool.
	writer, reader *sql.DB
	hot            hotStatements
	guard          atomic.Pointer[guard]
	faults         atomic.Int64
	scrub          func(context.Context) error // nil: nothing that a client can do
}

// dialect is all that differs between the databases once they are open.
type dialect struct {
	name  string
	goose goose.Dialect
	// duplicate reports a violated unique index or primary key.
	duplicate func(error) bool
	// transient reports that the database rolled the transaction back only because of another one.
	transient func(error) bool
	// textsOf and bytesOf are subqueries that unfold a parameter: a JSON array of texts, and one of bytes in hex.
	textsOf, bytesOf func(placeholder string) string
}

// hotStatements are the reads of every request, prepared once.
type hotStatements struct {
	licence, livingLicences, heldPage, heldCount, licenceCode       *sql.Stmt
	session, attempt                                                *sql.Stmt
	policyNumber, revisions                                         *sql.Stmt
	insertLicence, updateLicence, holders, insertHolder, insertCode *sql.Stmt
}

// Open opens the database that url names, creates its tables or brings them up to date, and checks that it answers.
// The URL is sqlite:PATH (the folder must exist; a new file gets mode 0600) or postgres://… as of libpq.
// Errors: ErrURL; ErrNewerSchema when a later licgate has already used the database.
func Open(ctx context.Context, url string) (*Store, error) {
	s, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func connect(ctx context.Context, url string) (*Store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "sqlite":
		return connectSQLite(ctx, rest)
	case "postgres", "postgresql":
		return connectPostgres(ctx, url)
	}
	return nil, ErrURL
}

func (s *Store) ready(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	for _, one := range []struct {
		target **sql.Stmt
		query  string
	}{
		{&s.hot.licence, selectLicence},
		{&s.hot.livingLicences, selectLivingLicences},
		{&s.hot.heldPage, s.dialect.selectHeldPage()},
		{&s.hot.heldCount, s.dialect.countHeld()},
		{&s.hot.licenceCode, selectCodes + `WHERE digest = $1`},
		{&s.hot.session, selectSession},
		{&s.hot.attempt, selectAttempt},
		{&s.hot.policyNumber, selectPolicyNumber},
		{&s.hot.revisions, selectRevisions},
	} {
		prepared, err := s.reader.PrepareContext(ctx, one.query)
		if err != nil {
			return failed("prepare statements", err)
		}
		*one.target = prepared
	}
	for _, one := range []struct {
		target **sql.Stmt
		query  string
	}{
		{&s.hot.insertLicence, insertLicenceText},
		{&s.hot.updateLicence, updateLicenceText},
		{&s.hot.holders, holdersText},
		{&s.hot.insertHolder, insertHolderText},
		{&s.hot.insertCode, insertCodeText},
	} {
		prepared, err := s.writer.PrepareContext(ctx, one.query)
		if err != nil {
			return failed("prepare statements", err)
		}
		*one.target = prepared
	}
	return nil
}

// Licences returns the licences and codes of this database.
func (s *Store) Licences() licence.Store { return licences{s} }

// Sessions returns the sessions and login failures of this database.
func (s *Store) Sessions() session.Store { return sessions{s} }

// Policies returns the policy versions of this database.
func (s *Store) Policies() policy.Store { return policies{s} }

// Locks returns the locks of this database.
func (s *Store) Locks() registry.LockStore { return locks{s} }

// Pendings returns the pending changes of this database.
func (s *Store) Pendings() registry.PendingStore { return pendings{s} }

// Forms returns the application forms of this database.
func (s *Store) Forms() registry.FormStore { return forms{s} }

// SecretUses returns the uses of secrets of this database.
func (s *Store) SecretUses() registry.SecretUses { return secretUses{s} }

// DataKeys returns the wrapped data keys of this database.
func (s *Store) DataKeys() gm.KeyStore { return dataKeys{s} }

// Dialect names the database: "sqlite" or "postgres".
func (s *Store) Dialect() string { return s.dialect.name }

// Ping reports whether the database answers from its tables.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.PolicyVersion(ctx)
	return err
}

// ErrBusy says that readers are in the way; they soon are not.
var ErrBusy = errors.New("store: the database is in use")

// Scrub removes from the database's files what was deleted or overwritten before. On SQLite nothing of it is left then. PostgreSQL keeps dead
// rows until VACUUM, and its log until it is recycled: that is its operator's (docs/keys.md). ErrBusy: try again.
func (s *Store) Scrub(ctx context.Context) error {
	if s.scrub == nil {
		return nil
	}
	return s.scrub(ctx)
}

// Close ends all connections. Calls under way finish first.
func (s *Store) Close() error {
	// The writer goes last: on SQLite the last connection folds the write-ahead log into the database file.
	if s.reader != s.writer {
		if err := s.reader.Close(); err != nil {
			return errors.Join(failed("close readers", err), s.writer.Close())
		}
	}
	if err := s.writer.Close(); err != nil {
		return failed("close", err)
	}
	return nil
}

// failed wraps an error of the database with what was tried.
func failed(tried string, err error) error {
	return fmt.Errorf("store: %s: %w", tried, withoutConfig(err))
}

// stamp is the stored form of a time: nanoseconds since 1970 UTC, 0 for none. Times before 1678 and after 2262 do not
// fit and become the nearest that does.
func stamp(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Before(earliest):
		return math.MinInt64
	case t.After(latest):
		return math.MaxInt64
	}
	return t.UnixNano()
}

var earliest, latest = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

func fromStamp(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
