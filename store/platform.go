package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"licgate/gm"
	"licgate/policy"
	"licgate/registry"
)

// Kinds of registry objects, as stored.
const (
	kindDepartment    = "department"
	kindItem          = "item"
	kindServiceItem   = "service_item"
	kindApplication   = "application"
	kindAccount       = "account"
	kindAdministrator = "administrator"
	kindMasking       = "masking"
)

// object is one row of registry_objects.
type object struct {
	kind, code string
	place      int
	body       string
}

type objectKey struct{ kind, code string }

func (o object) key() objectKey { return objectKey{o.kind, o.code} }

// LoadPlatform returns the registry as last saved, in the order of its declaration, and the number of its policy version;
// a zero Platform and 0 on an empty store. An empty section comes back nil.
func (s *Store) LoadPlatform(ctx context.Context) (*registry.Platform, int64, error) {
	p := new(registry.Platform)
	var number int64
	err := s.read(ctx, func(tx *sql.Tx) error {
		head, err := s.checkedVersion(tx.QueryRowContext(ctx, selectHead))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		number, p.Policy = head.Number, head.text
		rows, err := selectObjects(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.checkObjects(&head, rows); err != nil {
			return err
		}
		for _, one := range rows {
			if err := appendObject(p, one.object); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return p, number, nil
}

// SavePlatform makes next the registry and v its policy version, in one transaction. next is the whole platform, never a
// declaration: what it leaves out is removed. policy.ErrStale: v is not the successor of the newest version.
func (s *Store) SavePlatform(ctx context.Context, next *registry.Platform, v policy.Version) error {
	return s.savePlatform(ctx, next, v, func(*sql.Tx) error { return nil })
}

// SaveApproved is SavePlatform of a pending change, and the decision to approve it, in one transaction: what is in force was
// approved, and what was approved is in force. DecidedBy, Decided and Note of decision are kept; its Declaration is the one
// that was judged: registry.ErrRedeclared. Further errors are those of DecidePending.
func (s *Store) SaveApproved(ctx context.Context, next *registry.Platform, v policy.Version, id int64, decision registry.Pending) error {
	decision.State, decision.Version = registry.PendingApproved, v.Number
	return s.savePlatform(ctx, next, v, func(tx *sql.Tx) error { return pendings{s}.decide(ctx, tx, id, decision) })
}

// savePlatform does also in the same transaction.
func (s *Store) savePlatform(ctx context.Context, next *registry.Platform, v policy.Version, also func(tx *sql.Tx) error) error {
	wanted, err := objects(next)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		// First, because it keeps other savers out until the end.
		if err := s.insertVersion(ctx, tx, v, next.Policy, objectsDigest(wanted)); err != nil {
			return err
		}
		rows, err := selectObjects(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.writeDifference(ctx, tx, rows, wanted); err != nil {
			return err
		}
		return also(tx)
	})
}

// checkObjects holds each object against its code, and all of them against the version that they are in force by: gm.ErrIntegrity.
func (s *Store) checkObjects(head *storedVersion, rows []storedObject) error {
	all := make([]object, len(rows))
	for i, one := range rows {
		if err := s.check(one.mac, objectRow(one.object)); err != nil {
			return failed("select from registry_objects", err)
		}
		all[i] = one.object
	}
	if !bytes.Equal(objectsDigest(all), head.objects) {
		err := fmt.Errorf("%w: the registry is not that of version %d", gm.ErrIntegrity, head.Number)
		s.alarm(err)
		return failed("select from registry_objects", err)
	}
	return nil
}

// writeDifference touches only the rows that differ.
func (s *Store) writeDifference(ctx context.Context, tx *sql.Tx, stored []storedObject, wanted []object) error {
	before := make(map[objectKey]storedObject, len(stored))
	for _, one := range stored {
		before[one.key()] = one
	}
	after := make(map[objectKey]bool, len(wanted))
	for _, one := range wanted {
		if after[one.key()] {
			return fmt.Errorf("store: registry_objects: two of kind %s have the code %s", one.kind, one.code)
		}
		after[one.key()] = true
		old, exists := before[one.key()]
		mac, err := s.code(objectRow(one))
		if err != nil {
			return failed("write registry_objects", err)
		}
		if exists && old.object == one && bytes.Equal(old.mac, mac) {
			continue
		}
		query := `INSERT INTO registry_objects (kind, code, place, body, mac) VALUES ($1, $2, $3, $4, $5)`
		if exists {
			query = `UPDATE registry_objects SET place = $3, body = $4, mac = $5 WHERE kind = $1 AND code = $2`
		}
		if _, err := tx.ExecContext(ctx, query, one.kind, one.code, one.place, one.body, mac); err != nil {
			return failed("write registry_objects", err)
		}
	}
	for _, one := range stored {
		if after[one.key()] {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM registry_objects WHERE kind = $1 AND code = $2`, one.kind, one.code); err != nil {
			return failed("delete from registry_objects", err)
		}
	}
	return nil
}

// storedObject is an object as it was read, with its authentication code.
type storedObject struct {
	object
	mac []byte
}

func selectObjects(ctx context.Context, tx *sql.Tx) ([]storedObject, error) {
	const tried = "select from registry_objects"
	return collect(ctx, tx, tried, func(r row) (storedObject, error) {
		var one storedObject
		if err := r.Scan(&one.kind, &one.code, &one.place, &one.body, &one.mac); err != nil {
			return storedObject{}, failed(tried, err)
		}
		return one, nil
	}, `SELECT kind, code, place, body, mac FROM registry_objects ORDER BY kind, place, code`)
}

// objects are the rows of a whole platform, in the order that selectObjects has.
func objects(p *registry.Platform) ([]object, error) {
	var all []object
	err := errors.Join(
		encode(&all, kindDepartment, p.Departments, func(d *registry.Department) string { return d.Code }),
		encode(&all, kindItem, p.Items, func(i *registry.Item) string { return i.LicenseItemCode }),
		// A service item's code is its department's own.
		encode(&all, kindServiceItem, p.ServiceItems, func(i *registry.ServiceItem) string { return i.Department + "/" + i.Code }),
		encode(&all, kindApplication, p.Applications, func(a *registry.Application) string { return a.AppKey }),
		encode(&all, kindAccount, p.Accounts, func(a *registry.Account) string { return a.Account }),
		encode(&all, kindAdministrator, p.Administrators, func(a *registry.Administrator) string { return a.Administrator }),
		encode(&all, kindMasking, p.Masking, func(m *registry.MaskRule) string { return m.Sensitive }),
	)
	slices.SortStableFunc(all, func(a, b object) int { return cmp.Compare(a.kind, b.kind) })
	return all, err
}

func encode[T any](all *[]object, kind string, section []T, code func(*T) string) error {
	for place := range section {
		body, err := json.Marshal(&section[place])
		if err != nil {
			return failed("encode "+kind, err)
		}
		*all = append(*all, object{kind, code(&section[place]), place, string(body)})
	}
	return nil
}

func appendObject(p *registry.Platform, one object) error {
	switch one.kind {
	case kindDepartment:
		return decode(&p.Departments, one)
	case kindItem:
		return decode(&p.Items, one)
	case kindServiceItem:
		return decode(&p.ServiceItems, one)
	case kindApplication:
		return decode(&p.Applications, one)
	case kindAccount:
		return decode(&p.Accounts, one)
	case kindAdministrator:
		return decode(&p.Administrators, one)
	case kindMasking:
		return decode(&p.Masking, one)
	}
	return fmt.Errorf("store: registry_objects: unknown kind %s", one.kind)
}

// decode refuses members that it does not know: leaving out one that restricts would widen somebody's rights.
func decode[T any](section *[]T, one object) error {
	decoder := json.NewDecoder(bytes.NewReader([]byte(one.body)))
	decoder.DisallowUnknownFields()
	var value T
	if err := decoder.Decode(&value); err != nil {
		return failed(fmt.Sprintf("registry_objects: decode %s %s", one.kind, one.code), err)
	}
	*section = append(*section, value)
	return nil
}
