package store

import (
	"context"
	"database/sql"
)

// Writer and Reader give tests the connections themselves; Transaction is the loop that every write goes through.
func (s *Store) Writer() *sql.DB { return s.writer }
func (s *Store) Reader() *sql.DB { return s.reader }

func (s *Store) Transaction(ctx context.Context, do func(*sql.Tx) error) error {
	return s.write(ctx, do)
}

var (
	SQLiteDSN = sqliteDSN
	Stamp     = stamp
	FromStamp = fromStamp
)

const AttemptsPerWrite = attemptsPerWrite
