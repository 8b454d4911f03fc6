package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"licgate/gm"
	"licgate/licence"
)

// LicenceValues are the sealed licences of a department ("": of all), for one gm.Resealing.
func (s *Store) LicenceValues(department string) gm.Values {
	return &licenceValues{licences: licences{s}, department: department}
}

type licenceValues struct {
	licences
	department string
	batch      map[string]licence.Stored // what Next returned last, by code; without rows that were changed
}

const (
	sealedLicences = ` FROM licences WHERE sealed IS NOT NULL AND ($1 = '' OR department = $1)`
	licencesBehind = selectLicences + ` FROM (SELECT code` + sealedLicences + ` AND code > $2 ORDER BY code LIMIT $3) AS page
		JOIN licences AS l ON l.code = page.code` + joinHolders + `ORDER BY l.code, h.place`
)

func (v *licenceValues) Count(ctx context.Context) (int64, error) {
	var n int64
	if err := v.reader.QueryRowContext(ctx, `SELECT count(*)`+sealedLicences, v.department).Scan(&n); err != nil {
		return 0, failed("count licences", err)
	}
	return n, nil
}

func (v *licenceValues) Next(ctx context.Context, after string, limit int) ([]gm.Value, error) {
	rows, err := v.reader.QueryContext(ctx, licencesBehind, v.department, after, limit)
	found, err := readLicences(rows, err)
	if err != nil {
		return nil, err
	}
	v.batch = make(map[string]licence.Stored, len(found))
	values := make([]gm.Value, len(found))
	for i, l := range found {
		err := v.check(l.mac, licenceRow(&l.Stored))
		if err != nil && !errors.Is(err, gm.ErrIntegrity) {
			return nil, failed("select from licences", err)
		}
		if err != nil {
			// It gets no new code, and stops nobody else's: a value without content is refused.
			values[i] = gm.Value{Cursor: l.Code, Department: l.Department}
			continue
		}
		values[i], v.batch[l.Code] = l.Value(), l.Stored
	}
	return values, nil
}

func (v *licenceValues) Swap(ctx context.Context, values []gm.Value, fresh [][]byte) error {
	return v.write(ctx, func(tx *sql.Tx) error {
		for i, value := range values {
			l := v.batch[value.Cursor]
			l.Sealed = fresh[i]
			mac, err := v.code(licenceRow(&l))
			if err != nil {
				return failed("update licences", err)
			}
			if _, err := tx.ExecContext(ctx, `UPDATE licences SET sealed = $3, mac = $4 WHERE code = $1 AND sealed = $2 AND revision = $5`,
				value.Cursor, value.Sealed, fresh[i], mac, l.Revision); err != nil {
				return failed("update licences", err)
			}
		}
		return nil
	})
}

// FormValues are the sealed application forms. associated is what binds one to its number.
func (s *Store) FormValues(associated func(number string) []byte) gm.Values {
	return formValues{s, associated}
}

type formValues struct {
	*Store
	associated func(number string) []byte
}

func (v formValues) Count(ctx context.Context) (int64, error) {
	var n int64
	if err := v.reader.QueryRowContext(ctx, `SELECT count(*) FROM forms WHERE sealed IS NOT NULL`).Scan(&n); err != nil {
		return 0, failed("count forms", err)
	}
	return n, nil
}

func (v formValues) Next(ctx context.Context, after string, limit int) ([]gm.Value, error) {
	const tried = "select from forms"
	return collect(ctx, v.reader, tried, func(r row) (gm.Value, error) {
		var value gm.Value
		if err := r.Scan(&value.Cursor, &value.Sealed); err != nil {
			return gm.Value{}, failed(tried, err)
		}
		value.Associated = v.associated(value.Cursor)
		return value, nil
	}, `SELECT number, sealed FROM forms WHERE sealed IS NOT NULL AND number > $1 ORDER BY number LIMIT $2`, after, limit)
}

func (v formValues) Swap(ctx context.Context, values []gm.Value, fresh [][]byte) error {
	return v.write(ctx, func(tx *sql.Tx) error {
		for i, value := range values {
			if _, err := tx.ExecContext(ctx, `UPDATE forms SET sealed = $3 WHERE number = $1 AND sealed = $2`, value.Cursor, value.Sealed, fresh[i]); err != nil {
				return failed("update forms", err)
			}
		}
		return nil
	})
}

// SealedElsewhere reports whether a licence of the department is sealed by a key that is none of own.
func (s *Store) SealedElsewhere(ctx context.Context, department string, own []gm.KeyID) (bool, error) {
	heads := make([][]byte, len(own))
	for i, id := range own {
		var err error
		if heads[i], err = sealedHead(id); err != nil {
			return false, err
		}
	}
	list, _, err := jsonArrays(heads, nil)
	if err != nil {
		return false, err
	}
	var elsewhere bool
	err = s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1`+sealedLicences+` AND substr(sealed, 1, 9) NOT IN (`+s.dialect.bytesOf("$2")+`))`,
		department, list).Scan(&elsewhere)
	if err != nil {
		return false, failed("look for licences under other keys", err)
	}
	return elsewhere, nil
}

// ErrNotShredded says that a licence would be buried whose key still opens it.
var ErrNotShredded = errors.New("store: the key was not shredded")

// Bury leaves of up to limit licences sealed by a shredded key nothing but their numbers, as of deleted ones, and returns how many it
// did. ErrNotShredded.
func (s *Store) Bury(ctx context.Context, id gm.KeyID, limit int) (int, error) {
	head, err := sealedHead(id)
	if err != nil {
		return 0, err
	}
	buried := 0
	err = s.write(ctx, func(tx *sql.Tx) error {
		key, err := keyWhere(ctx, tx, `WHERE id = $1`, string(id))
		if err != nil {
			return err
		}
		if key == nil || !key.Shredded {
			return fmt.Errorf("%w: %s", ErrNotShredded, hex.EncodeToString(head[1:]))
		}
		const tried = "select from licences"
		codes, err := collect(ctx, tx, tried, func(r row) (code string, err error) {
			if err := r.Scan(&code); err != nil {
				return "", failed(tried, err)
			}
			return code, nil
		}, `SELECT code FROM licences WHERE substr(sealed, 1, 9) = $1 LIMIT $2`, head, limit)
		if err != nil {
			return err
		}
		for _, code := range codes {
			if err := (licences{s}).bury(ctx, tx, code); err != nil {
				return err
			}
		}
		buried = len(codes)
		return nil
	})
	return buried, err
}

// LicenceKey returns the id of the key that a licence is sealed by, whatever was done to its row. licence.ErrNotFound; gm.ErrSealed: no key is
// to be seen.
func (s *Store) LicenceKey(ctx context.Context, code string) (gm.KeyID, error) {
	var sealed []byte
	err := s.reader.QueryRowContext(ctx, `SELECT sealed FROM licences WHERE code = $1 AND sealed IS NOT NULL`, code).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		err = licence.ErrNotFound
	}
	if err != nil {
		return "", failed("select from licences", err)
	}
	return gm.SealedBy(sealed)
}

// BuryLicence does so with one licence, whatever was done to its row. One that was deleted stays as it is. licence.ErrNotFound.
func (s *Store) BuryLicence(ctx context.Context, code string) error {
	return s.write(ctx, func(tx *sql.Tx) error { return licences{s}.bury(ctx, tx, code) })
}

// bury turns a row into what licence.Service leaves of a deleted one.
func (s licences) bury(ctx context.Context, tx *sql.Tx, code string) error {
	l, err := s.lockedLicence(ctx, tx, code)
	if err != nil || l.State == licence.Deleted {
		return err
	}
	return s.updateLicence(ctx, tx, &licence.Stored{
		Code: l.Code, Item: l.Item, Department: l.Department, State: licence.Deleted, Revision: l.Revision + 1, Created: l.Created,
	})
}

// lockedLicence reads a licence that nobody changes until the end of the transaction. It looks at no authentication code: nothing but the
// number of a licence that is buried stays.
func (s licences) lockedLicence(ctx context.Context, tx *sql.Tx, code string) (licence.Stored, error) {
	if _, err := tx.ExecContext(ctx, `UPDATE licences SET code = code WHERE code = $1`, code); err != nil {
		return licence.Stored{}, failed("lock a licence", err)
	}
	rows, err := tx.QueryContext(ctx, selectLicence, code)
	found, err := readLicences(rows, err)
	if err != nil {
		return licence.Stored{}, err
	}
	if len(found) == 0 {
		return licence.Stored{}, failed("select from licences", licence.ErrNotFound)
	}
	return found[0].Stored, nil
}
