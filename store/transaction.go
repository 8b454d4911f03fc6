package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	attemptsPerWrite = 8
	firstPause       = 5 * time.Millisecond // doubled after each attempt
)

// write runs do in one durable transaction: all of it, or nothing. do may run several times.
//
// READ COMMITTED is named, so that a server's own default does not change what is tested.
func (s *Store) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	return s.retry(ctx, func() error {
		tx, err := s.writer.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if err != nil {
			return failed("begin a transaction", err)
		}
		if err := do(tx); err != nil {
			// What do met matters more than a rollback that fails: the connection is then dropped, which rolls back too.
			_ = tx.Rollback()
			return err
		}
		err = tx.Commit()
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			err = ctx.Err() // it was rolled back because the caller gave up
		}
		if err != nil {
			return failed("commit", err)
		}
		return nil
	})
}

// read runs do on one snapshot of the database.
func (s *Store) read(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return failed("begin reading", err)
	}
	err = do(tx)
	// Nothing was written: ending the snapshot either way is the same.
	_ = tx.Rollback()
	return err
}

// exec runs one statement as its own transaction and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, tried, query string, args ...any) (int64, error) {
	var rows int64
	err := s.retry(ctx, func() error {
		result, err := s.writer.ExecContext(ctx, query, args...)
		if err != nil {
			return failed(tried, err)
		}
		if rows, err = result.RowsAffected(); err != nil {
			return failed(tried, err)
		}
		return nil
	})
	return rows, err
}

// retry repeats do while the database rolls it back for another transaction's sake (a deadlock, a serialization failure).
func (s *Store) retry(ctx context.Context, do func() error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || attempt == attemptsPerWrite || !s.dialect.transient(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return failed("repeat a transaction", ctx.Err())
		case <-timer.C:
		}
		pause *= 2
	}
}
