// Package migrations holds the schema of the store, step by step, once for all databases.
//
// A step is an SQL file NNNN_name.sql. It must run on every dialect: {{.Text}} and {{.Bytes}} stand for the types whose
// names differ. Steps only go forward, and a step that was released is never edited.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"text/template"

	"github.com/pressly/goose/v3"
)

//go:embed *.sql
var files embed.FS

// types are a dialect's names of the types that have no common one.
type types struct {
	Text  string // compared and sorted by bytes, so that every backend and locale agrees
	Bytes string
}

var dialects = map[goose.Dialect]types{
	goose.DialectSQLite3:  {Text: "TEXT", Bytes: "BLOB"},
	goose.DialectPostgres: {Text: `TEXT COLLATE "C"`, Bytes: "BYTEA"},
}

// For returns every step, written for a dialect. Each step runs in one transaction.
func For(dialect goose.Dialect) ([]*goose.Migration, error) {
	names, ok := dialects[dialect]
	if !ok {
		return nil, fmt.Errorf("migrations: no type names for %s", dialect)
	}
	found, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("migrations: list steps: %w", err)
	}
	steps := make([]*goose.Migration, 0, len(found))
	for _, name := range found {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("migrations: number of %s: %w", name, err)
		}
		statements, err := render(name, names)
		if err != nil {
			return nil, err
		}
		up := func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, statements); err != nil {
				return fmt.Errorf("migrations: %s: %w", name, err)
			}
			return nil
		}
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, nil))
	}
	return steps, nil
}

func render(name string, names types) (string, error) {
	step, err := template.New(name).Option("missingkey=error").ParseFS(files, name)
	if err != nil {
		return "", fmt.Errorf("migrations: read %s: %w", name, err)
	}
	var statements strings.Builder
	if err := step.Execute(&statements, names); err != nil {
		return "", fmt.Errorf("migrations: write %s: %w", name, err)
	}
	return statements.String(), nil
}
