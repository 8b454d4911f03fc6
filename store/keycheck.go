package store

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"fmt"

	"licgate/gm"
)

// ErrOtherKeys says that the database belongs to another root key than the one in hand: what is in it would not open, and what would be
// written no other node could read.
var ErrOtherKeys = errors.New("store: the database belongs to another root key")

// BelongsTo returns the id of the root key that the database belongs to; "": to none yet.
func (s *Store) BelongsTo(ctx context.Context) (gm.KeyID, error) {
	root, _, err := s.keyCheck(ctx, s.reader.QueryRowContext)
	return root, err
}

func (s *Store) keyCheck(ctx context.Context, query func(context.Context, string, ...any) *sql.Row) (root gm.KeyID, mac []byte, err error) {
	err = query(ctx, `SELECT root, mac FROM key_checks WHERE name = 'root'`).Scan(&root, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, failed("select from key_checks", err)
	}
	return root, mac, nil
}

// Confirm makes sure that the database belongs to keys; one that belongs to none does from then on. ErrOtherKeys.
func (s *Store) Confirm(ctx context.Context, keys *gm.Keyring) error {
	want := keys.Integrity("database", string(keys.Root()), 1, nil)
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO key_checks (name, root, mac) VALUES ('root', $1, $2) ON CONFLICT (name) DO NOTHING`,
			string(keys.Root()), want); err != nil {
			return failed("insert into key_checks", err)
		}
		root, mac, err := s.keyCheck(ctx, tx.QueryRowContext)
		if err != nil {
			return err
		}
		if root != keys.Root() || !hmac.Equal(mac, want) {
			return fmt.Errorf("%w: %s, not %s", ErrOtherKeys, root, keys.Root())
		}
		return nil
	})
}
