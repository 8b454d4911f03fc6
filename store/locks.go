package store

import (
	"context"
	"database/sql"
	"time"

	"licgate/registry"
)

type locks struct{ *Store }

var _ registry.LockStore = locks{}

func (s locks) PutLock(ctx context.Context, l registry.Lock) error {
	_, err := s.change(ctx, "insert into locks", `INSERT INTO locks (kind, key, reason, put_by, created, expires) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, key) DO UPDATE SET reason = excluded.reason, put_by = excluded.put_by, created = excluded.created, expires = excluded.expires`,
		l.Kind, l.Key, l.Reason, l.By, stamp(l.Created), stamp(l.Expires))
	return err
}

func (s locks) RemoveLock(ctx context.Context, kind, key string) (bool, error) {
	return s.change(ctx, "delete from locks", `DELETE FROM locks WHERE kind = $1 AND key = $2`, kind, key)
}

func (s locks) PurgeLocks(ctx context.Context, t time.Time) error {
	_, err := s.change(ctx, "delete from locks", `DELETE FROM locks WHERE expires <> 0 AND expires < $1`, stamp(t))
	return err
}

// change runs one statement that changes locks and counts it up for other nodes, together. What meets no row is no change.
func (s locks) change(ctx context.Context, tried, query string, args ...any) (bool, error) {
	var changed bool
	err := s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return failed(tried, err)
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return failed(tried, err)
		}
		if changed = rows > 0; !changed {
			return nil
		}
		_, err = countUp(ctx, tx, countedLocks)
		return err
	})
	if err != nil {
		return false, err
	}
	return changed, nil
}

func (s locks) Locks(ctx context.Context) ([]registry.Lock, error) {
	const tried = "select from locks"
	return collect(ctx, s.reader, tried, func(r row) (registry.Lock, error) {
		var (
			l                registry.Lock
			created, expires int64
		)
		if err := r.Scan(&l.Kind, &l.Key, &l.Reason, &l.By, &created, &expires); err != nil {
			return registry.Lock{}, failed(tried, err)
		}
		l.Created, l.Expires = fromStamp(created), fromStamp(expires)
		return l, nil
	}, `SELECT kind, key, reason, put_by, created, expires FROM locks ORDER BY kind, key`)
}
