package store

import (
	"context"
	"database/sql"
	"errors"

	"licgate/store/migrations"
)

// Writer and Reader give tests the connections themselves; Transaction is the loop that every write goes through.
func (s *Store) Writer() *sql.DB { return s.writer }
func (s *Store) Reader() *sql.DB { return s.reader }

func (s *Store) Transaction(ctx context.Context, do func(*sql.Tx) error) error {
	return s.write(ctx, do)
}

// ConnectAt opens the database of url with the schema as of an earlier step: what that licgate left behind. Nothing of the
// store works on it but Writer and Close.
func ConnectAt(ctx context.Context, url string, step int64) (*Store, error) {
	s, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	steps, err := migrations.For(s.dialect.goose)
	if err == nil {
		_, err = s.migrateOnce(ctx, steps[:step], step)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

var (
	SQLiteDSN = sqliteDSN
	Stamp     = stamp
	FromStamp = fromStamp
)

const AttemptsPerWrite = attemptsPerWrite
