package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// SQLSTATE codes, PostgreSQL 15 appendix A.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// postgresConnections bounds the pool: a server allows 100 by default, to be shared by several gateways.
const postgresConnections = 16

var postgresDialect = dialect{
	name:      "postgres",
	goose:     goose.DialectPostgres,
	duplicate: func(err error) bool { return sqlState(err) == uniqueViolation },
	transient: func(err error) bool {
		state := sqlState(err)
		return state == serializationFailure || state == deadlockDetected
	},
	textsOf: func(placeholder string) string {
		return `SELECT jsonb_array_elements_text(CAST(` + placeholder + ` AS JSONB))`
	},
	bytesOf: func(placeholder string) string {
		return `SELECT decode(jsonb_array_elements_text(CAST(` + placeholder + ` AS JSONB)), 'hex')`
	},
}

func sqlState(err error) string {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}

func connectPostgres(ctx context.Context, url string) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The parser's error holds the URL, password included, so it is not passed on.
		return nil, fmt.Errorf("%w: check host, port and options; percent-encode special characters of the password", ErrURL)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "licgate"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s := &Store{dialect: postgresDialect, writer: db, reader: db}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(failed("connect to PostgreSQL", err), s.Close())
	}
	return s, nil
}

// withoutConfig takes the layer off a connection error that carries the whole configuration, password included.
func withoutConfig(err error) error {
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return connecting.Unwrap()
	}
	return err
}
