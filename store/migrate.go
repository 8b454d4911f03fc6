package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"licgate/store/migrations"
)

// ErrNewerSchema says that a later version of licgate has changed the tables: run that version.
var ErrNewerSchema = errors.New("store: the database was upgraded by a newer licgate; run that version or restore a backup")

// migrate brings the tables up to date. Of several processes that start at once one does each step.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := migrations.For(s.dialect.goose)
	if err != nil {
		return failed("migrate", err)
	}
	newest := steps[len(steps)-1].Version

	// PostgreSQL serializes the processes by a lock. SQLite cannot hold one across goose's transactions: there the loser
	// of a step fails whole and finds it done on the next look. It can lose each step and the version table once.
	for range len(steps) + 1 {
		var current int64
		if current, err = s.migrateOnce(ctx, steps, newest); err == nil {
			if current > newest {
				return fmt.Errorf("%w (schema %d, known %d)", ErrNewerSchema, current, newest)
			}
			return nil
		}
		if ctx.Err() != nil || s.dialect.goose != goose.DialectSQLite3 {
			break
		}
	}
	return failed("migrate", err)
}

// migrateOnce applies what is missing and returns the schema version found. A newer schema is left alone.
func (s *Store) migrateOnce(ctx context.Context, steps []*goose.Migration, newest int64) (int64, error) {
	options := []goose.ProviderOption{goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true)}
	if s.dialect.goose == goose.DialectPostgres {
		// Asks each second, for at most five minutes.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return 0, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.writer, nil, options...)
	if err != nil {
		return 0, err
	}
	current, err := provider.GetDBVersion(ctx)
	if err != nil || current >= newest {
		return current, err
	}
	if _, err := provider.Up(ctx); err != nil {
		return current, err
	}
	return provider.GetDBVersion(ctx)
}
