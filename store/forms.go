package store

import (
	"context"
	"database/sql"
	"errors"

	"licgate/registry"
)

type forms struct{ *Store }

var _ registry.FormStore = forms{}

const formColumns = `SELECT number, received, entered_by, unit, digest, pending, `

func (s forms) AddForm(ctx context.Context, f registry.Form) error {
	const tried = "insert into forms"
	_, err := s.exec(ctx, tried, `INSERT INTO forms (number, received, entered_by, unit, digest, pending, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		f.Number, stamp(f.Received), f.By, f.Unit, f.Digest, f.Pending, optional(f.Sealed))
	if s.dialect.duplicate(err) {
		return failed(tried, registry.ErrFormExists)
	}
	return err
}

func (s forms) GetForm(ctx context.Context, number string) (registry.Form, error) {
	f, err := scanForm(s.reader.QueryRowContext(ctx, formColumns+`sealed FROM forms WHERE number = $1`, number))
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Form{}, failed("select from forms", registry.ErrNoForm)
	}
	return f, err
}

func (s forms) ListForms(ctx context.Context, limit int) ([]registry.Form, error) {
	return collect(ctx, s.reader, "select from forms", scanForm, formColumns+`NULL FROM forms ORDER BY received DESC, number DESC LIMIT $1`, max(limit, 0))
}

func scanForm(r row) (registry.Form, error) {
	var (
		f        registry.Form
		received int64
	)
	if err := r.Scan(&f.Number, &received, &f.By, &f.Unit, &f.Digest, &f.Pending, &f.Sealed); err != nil {
		return registry.Form{}, failed("select from forms", err)
	}
	f.Received = fromStamp(received)
	return f, nil
}
