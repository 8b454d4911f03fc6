package store

import (
	"context"

	"licgate/registry"
)

type secretUses struct{ *Store }

var _ registry.SecretUses = secretUses{}

func (s secretUses) NoteSecretUse(ctx context.Context, use registry.SecretUse) error {
	_, err := s.exec(ctx, "insert into secret_uses", `INSERT INTO secret_uses (app_key, secret, last_used) VALUES ($1, $2, $3)
		ON CONFLICT (app_key, secret) DO UPDATE SET last_used = excluded.last_used WHERE secret_uses.last_used < excluded.last_used`,
		use.AppKey, use.Secret, stamp(use.LastUsed))
	return err
}

func (s secretUses) ListSecretUses(ctx context.Context) ([]registry.SecretUse, error) {
	const tried = "select from secret_uses"
	return collect(ctx, s.reader, tried, func(r row) (registry.SecretUse, error) {
		var (
			use  registry.SecretUse
			used int64
		)
		if err := r.Scan(&use.AppKey, &use.Secret, &used); err != nil {
			return registry.SecretUse{}, failed(tried, err)
		}
		use.LastUsed = fromStamp(used)
		return use, nil
	}, `SELECT app_key, secret, last_used FROM secret_uses ORDER BY app_key, secret`)
}
