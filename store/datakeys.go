package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"licgate/gm"
)

type dataKeys struct{ *Store }

var _ gm.KeyStore = dataKeys{}

// countedKeys is the greatest revision of data_keys. Whoever writes a key counts it up first, so that writers queue there to their
// commit: a reader never sees a revision before a smaller one.
const countedKeys = "data_keys"

const selectKeys = `SELECT id, department, period, generation, kek, wrapped, created, destroyed, shredded, mac, revision FROM data_keys `

func (s dataKeys) Changes(ctx context.Context, since int64) ([]gm.KeyRecord, error) {
	return collect(ctx, s.reader, "select from data_keys", scanKey, selectKeys+`WHERE revision > $1 ORDER BY revision`, since)
}

func (s dataKeys) Add(ctx context.Context, r gm.KeyRecord, newest int64) (gm.KeyRecord, error) {
	const tried = "insert into data_keys"
	// What can never be kept is refused before the database sees it: PostgreSQL takes no text that is none.
	if err := r.CheckNext(&gm.KeyRecord{Generation: r.Generation - 1}); err != nil {
		return gm.KeyRecord{}, failed(tried, err)
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		var err error
		if r.Revision, err = countUp(ctx, tx, countedKeys); err != nil {
			return err
		}
		before, err := keyWhere(ctx, tx, `WHERE department = $1 ORDER BY generation DESC LIMIT 1`, r.Department)
		if err != nil {
			return err
		}
		if err := r.CheckNext(before); err != nil {
			return failed(tried, err)
		}
		if revision(before) != newest {
			return failed(tried, gm.ErrKeyTaken)
		}
		if same, err := keyWhere(ctx, tx, `WHERE id = $1`, string(r.ID)); err != nil || same != nil {
			return errors.Join(err, failed(tried, gm.ErrKeyTaken))
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO data_keys (id, department, period, generation, kek, wrapped, created, destroyed, shredded, mac, revision)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, FALSE, $8, $9)`,
			string(r.ID), r.Department, r.Period, r.Generation, r.KEK, r.Wrapped, stamp(r.Created), r.MAC, r.Revision)
		if err != nil {
			return failed(tried, err)
		}
		return nil
	})
	if err != nil {
		return gm.KeyRecord{}, err
	}
	return copied(r), nil
}

func (s dataKeys) Replace(ctx context.Context, r gm.KeyRecord) (gm.KeyRecord, error) {
	const tried = "update data_keys"
	next := r
	err := s.write(ctx, func(tx *sql.Tx) error {
		var err error
		if next.Revision, err = countUp(ctx, tx, countedKeys); err != nil {
			return err
		}
		old, err := keyWhere(ctx, tx, `WHERE id = $1`, string(r.ID))
		if err != nil {
			return err
		}
		if old == nil {
			return failed(tried, gm.ErrKeyStale)
		}
		if err := r.CheckReplace(*old); err != nil {
			return failed(tried, err)
		}
		if !r.Destroyed.IsZero() && !r.Shredded {
			used, err := keyUsed(ctx, tx, r.ID)
			if err != nil {
				return err
			}
			if used {
				return failed(tried, gm.ErrKeyInUse)
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE data_keys SET kek = $2, wrapped = $3, destroyed = $4, shredded = $5, mac = $6, revision = $7 WHERE id = $1`,
			string(r.ID), r.KEK, optional(r.Wrapped), stamp(r.Destroyed), r.Shredded, r.MAC, next.Revision)
		if err != nil {
			return failed(tried, err)
		}
		return nil
	})
	if err != nil {
		return gm.KeyRecord{}, err
	}
	return copied(next), nil
}

// revision is of a record; 0: there is none.
func revision(r *gm.KeyRecord) int64 {
	if r == nil {
		return 0
	}
	return r.Revision
}

// copied shares no memory with the caller's.
func copied(r gm.KeyRecord) gm.KeyRecord {
	r.Wrapped, r.MAC = append([]byte(nil), r.Wrapped...), append([]byte(nil), r.MAC...)
	return r
}

// keyWhere returns the one record that meets a condition; nil: none does.
func keyWhere(ctx context.Context, tx *sql.Tx, condition string, arg any) (*gm.KeyRecord, error) {
	r, err := scanKey(tx.QueryRowContext(ctx, selectKeys+condition, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &r, err
}

func scanKey(r row) (gm.KeyRecord, error) {
	var (
		k                  gm.KeyRecord
		created, destroyed int64
	)
	err := r.Scan(&k.ID, &k.Department, &k.Period, &k.Generation, &k.KEK, &k.Wrapped, &created, &destroyed, &k.Shredded, &k.MAC, &k.Revision)
	if err != nil {
		return gm.KeyRecord{}, failed("select from data_keys", err)
	}
	k.Created, k.Destroyed = fromStamp(created), fromStamp(destroyed)
	return k, nil
}

// sealedHead is how values sealed by a data key begin.
func sealedHead(id gm.KeyID) ([]byte, error) {
	raw, err := hex.DecodeString(string(id))
	if err != nil {
		return nil, fmt.Errorf("store: key id: %w", gm.ErrKeyRecord)
	}
	return append([]byte{2}, raw...), nil
}

// KeyUsed reports whether anything stored is sealed by a data key: a licence, a form, an identity number of the registry or of a
// change that waits for approval. What was decided is opened by nobody.
func (s *Store) KeyUsed(ctx context.Context, id gm.KeyID) (bool, error) {
	var used bool
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		used, err = keyUsed(ctx, tx, id)
		return err
	})
	return used, err
}

func keyUsed(ctx context.Context, tx *sql.Tx, id gm.KeyID) (bool, error) {
	head, err := sealedHead(id)
	if err != nil {
		return false, err
	}
	var used bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM licences WHERE substr(sealed, 1, 9) = $1)
		OR EXISTS (SELECT 1 FROM forms WHERE substr(sealed, 1, 9) = $1)`, head).Scan(&used); err != nil {
		return false, failed("look for values of a key", err)
	}
	if used {
		return true, nil
	}
	bodies, err := identities(ctx, tx)
	if err != nil {
		return false, err
	}
	for _, sealed := range bodies {
		if by, err := gm.SealedBy(sealed); err == nil && by == id {
			return true, nil
		}
	}
	return false, nil
}

// identities are the sealed identity numbers of the registry and of open changes.
func identities(ctx context.Context, tx *sql.Tx) ([][]byte, error) {
	const tried = "look for sealed identity numbers"
	type person struct {
		Sealed []byte `json:"identity_sealed"`
	}
	bodies, err := collect(ctx, tx, tried, func(r row) ([]byte, error) {
		var body []byte
		if err := r.Scan(&body); err != nil {
			return nil, failed(tried, err)
		}
		return body, nil
	}, `SELECT body FROM registry_objects WHERE kind IN ('`+kindAccount+`', '`+kindAdministrator+`')`)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, body := range bodies {
		var one person
		if err := json.Unmarshal(body, &one); err != nil {
			return nil, failed(tried, errors.New("an object of the registry is damaged"))
		}
		all = append(all, one.Sealed)
	}
	declarations, err := collect(ctx, tx, tried, func(r row) ([]byte, error) {
		var declaration []byte
		if err := r.Scan(&declaration); err != nil {
			return nil, failed(tried, err)
		}
		return declaration, nil
	}, `SELECT declaration FROM pending_changes WHERE state = 'open' AND declaration IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	for _, declaration := range declarations {
		var d struct {
			Accounts       []person `json:"accounts"`
			Administrators []person `json:"administrators"`
		}
		if err := json.Unmarshal(declaration, &d); err != nil {
			return nil, failed(tried, errors.New("an open change is damaged"))
		}
		for _, one := range append(d.Accounts, d.Administrators...) {
			all = append(all, one.Sealed)
		}
	}
	return all, nil
}
