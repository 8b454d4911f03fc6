package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long, in milliseconds, a statement waits for another process that writes the same file.
const busyTimeout = "busy_timeout(10000)"

var sqliteDialect = dialect{
	name:  "sqlite",
	goose: goose.DialectSQLite3,
	duplicate: func(err error) bool {
		code := sqliteCode(err)
		return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	},
	// Writers take the lock at BEGIN and wait for it, so nothing is rolled back for another's sake.
	transient: func(error) bool { return false },
	textsOf:   func(placeholder string) string { return `SELECT value FROM json_each(` + placeholder + `)` },
	bytesOf:   func(placeholder string) string { return `SELECT unhex(value) FROM json_each(` + placeholder + `)` },
}

func sqliteCode(err error) int {
	var failure *sqlite.Error
	if errors.As(err, &failure) {
		return failure.Code()
	}
	return sqlite3.SQLITE_OK
}

func connectSQLite(ctx context.Context, path string) (*Store, error) {
	if path == "" || path == ":memory:" {
		return nil, fmt.Errorf("%w: SQLite needs the path of a file", ErrURL)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, failed("find the database file", err)
	}
	if err := errors.Join(createPrivate(path), CheckPrivate(path)); err != nil {
		return nil, err
	}
	// Pragmas stand in the DSN so that every connection of the pool has them.
	writer, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		// What is deleted or overwritten is overwritten with zeros: a shredded key must not stay in a free page.
		"_pragma": {busyTimeout, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)"},
		"_txlock": {"immediate"},
	}))
	if err != nil {
		return nil, failed("open the database file", err)
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"_pragma": {busyTimeout, "query_only(1)"},
	}))
	if err != nil {
		return nil, errors.Join(failed("open the database file", err), writer.Close())
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	s := &Store{dialect: sqliteDialect, writer: writer, reader: reader}
	s.scrub = func(ctx context.Context) error { return foldLog(ctx, path) }
	// The writer comes first: it turns the write-ahead log on, which readers rely on.
	if err := writer.PingContext(ctx); err != nil {
		return nil, errors.Join(failed("open the database file", err), s.Close())
	}
	return s, nil
}

// foldLog moves the write-ahead log into the file and empties it: what was deleted lies in the log still. A connection of its own waits
// for readers only briefly: the writer of the store would hold up everybody.
func foldLog(ctx context.Context, path string) error {
	const tried = "empty the write-ahead log"
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{"_pragma": {"busy_timeout(500)", "secure_delete(1)"}}))
	if err != nil {
		return failed(tried, err)
	}
	defer db.Close()
	var busy, pages, moved int
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved); err != nil {
		return failed(tried, err)
	}
	if busy != 0 {
		return failed(tried, ErrBusy)
	}
	return nil
}

// createPrivate makes a missing database file that only its owner can read; SQLite gives its side files the same mode.
// An existing file is not opened here: closing it would drop the locks that SQLite holds on it for this process.
func createPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return failed("create the database file", err)
	}
	if err := file.Close(); err != nil {
		return failed("create the database file", err)
	}
	return nil
}

// OpenFileError says that somebody beside the owner may read or write a file of the database.
type OpenFileError struct {
	Path string
	Mode fs.FileMode // permission bits
}

func (e *OpenFileError) Error() string {
	return fmt.Sprintf("store: %s is open to group or others (mode %04o)", e.Path, e.Mode)
}

// CheckPrivate returns an *OpenFileError for the first file of the SQLite database at path that group or others may read or write: the
// file, its write-ahead log or that one's index. What is missing is private.
func CheckPrivate(path string) error {
	for _, side := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + side) // opening would drop locks, see createPrivate
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return failed("look at the database file", err)
		case info.Mode().Perm()&0o077 != 0 && info.Mode().IsRegular(): // what is no file can't be opened, and says so
			return &OpenFileError{Path: path + side, Mode: info.Mode().Perm()}
		}
	}
	return nil
}

// sqliteDSN escapes the path, so that no character of it is taken for an option.
func sqliteDSN(path string, options url.Values) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String()
}
