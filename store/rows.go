package store

import (
	"context"
	"database/sql"
)

// row is what one row is read from: *sql.Row or *sql.Rows.
type row interface{ Scan(columns ...any) error }

// source is what is asked for rows: *sql.DB or *sql.Tx.
type source interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect reads all rows of a query, each by scan, whose errors are passed on as they are.
func collect[T any](ctx context.Context, from source, tried string, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, failed(tried, err)
	}
	defer rows.Close()
	var found []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	if err := rows.Err(); err != nil {
		return nil, failed(tried, err)
	}
	return found, nil
}
