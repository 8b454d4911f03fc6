package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"licgate/registry"
)

type pendings struct{ *Store }

var _ registry.PendingStore = pendings{}

const selectPendings = `SELECT id, proposed_by, why, created, expires, base, classes, changes, shifts, forced, form, state, decided_by, decided, note, version,
	declaration, mac FROM pending_changes `

// storedPending is a row of pending_changes: the change, and its lists as they are written.
type storedPending struct {
	registry.Pending
	classes, changes []byte
	mac              []byte
}

// pendingRow is frozen (docs/formats.md).
func pendingRow(p *storedPending) authenticated {
	return authenticated{rowPending, fmt.Sprint(p.ID), 0, canonical(
		p.By, p.Why, stamp(p.Created), stamp(p.Expires), p.Base, p.classes, p.changes, p.Shifts, p.Force, p.Form,
		p.State, p.DecidedBy, stamp(p.Decided), p.Note, p.Version, p.Declaration,
	)}
}

func (s pendings) AddPending(ctx context.Context, p registry.Pending, form *registry.Form) (int64, error) {
	const tried = "insert into pending_changes"
	row := storedPending{Pending: p}
	row.State, row.DecidedBy, row.Decided, row.Note, row.Version = registry.PendingOpen, "", time.Time{}, "", 0
	var err error
	if row.classes, err = json.Marshal(p.Classes); err != nil {
		return 0, failed(tried+": classes", err)
	}
	if row.changes, err = json.Marshal(p.Changes); err != nil {
		return 0, failed(tried+": changes", err)
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		var err error
		if row.ID, err = countUp(ctx, tx, countedPending); err != nil {
			return err
		}
		mac, err := s.code(pendingRow(&row))
		if err != nil {
			return failed(tried, err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO pending_changes (id, proposed_by, why, created, expires, base, classes, changes, shifts, forced, form,
			state, decided_by, decided, note, version, declaration, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', 0, '', 0, $13, $14)`,
			row.ID, p.By, p.Why, stamp(p.Created), stamp(p.Expires), p.Base, string(row.classes), string(row.changes), p.Shifts, p.Force, p.Form,
			row.State, optional(p.Declaration), mac)
		if err != nil {
			return failed(tried, err)
		}
		if form == nil {
			return nil
		}
		return s.addForm(ctx, tx, *form, row.ID)
	})
	if err != nil {
		return 0, err
	}
	return row.ID, nil
}

func (s pendings) GetPending(ctx context.Context, id int64) (registry.Pending, error) {
	p, err := readPending(s.reader.QueryRowContext(ctx, selectPendings+`WHERE id = $1`, id))
	if err == nil {
		err = s.open(&p)
	}
	return p.Pending, err
}

// ListPending reads declarations too, which the rows' codes are over, and lets go of them.
func (s pendings) ListPending(ctx context.Context, state string, limit int) ([]registry.Pending, error) {
	return collect(ctx, s.reader, "select from pending_changes", func(r row) (registry.Pending, error) {
		p, err := readPending(r)
		if err == nil {
			err = s.open(&p)
		}
		p.Declaration = nil
		return p.Pending, err
	}, selectPendings+`WHERE ($1 = '' OR state = $1) ORDER BY id DESC LIMIT $2`, state, max(limit, 0))
}

// readPending reads a row of selectPendings as it is: nobody has held it against its code yet.
func readPending(r row) (storedPending, error) {
	const tried = "select from pending_changes"
	var (
		p                         storedPending
		created, expires, decided int64
	)
	err := r.Scan(&p.ID, &p.By, &p.Why, &created, &expires, &p.Base, &p.classes, &p.changes, &p.Shifts, &p.Force, &p.Form,
		&p.State, &p.DecidedBy, &decided, &p.Note, &p.Version, &p.Declaration, &p.mac)
	if errors.Is(err, sql.ErrNoRows) {
		err = registry.ErrNoPending
	}
	if err != nil {
		return storedPending{}, failed(tried, err)
	}
	p.Created, p.Expires, p.Decided = fromStamp(created), fromStamp(expires), fromStamp(decided)
	return p, nil
}

// open holds a row against its code and reads its lists.
func (s pendings) open(p *storedPending) error {
	const tried = "select from pending_changes"
	if err := s.check(p.mac, pendingRow(p)); err != nil {
		return failed(tried, err)
	}
	if err := json.Unmarshal(p.classes, &p.Classes); err != nil {
		return failed(tried+": classes", err)
	}
	if err := json.Unmarshal(p.changes, &p.Changes); err != nil {
		return failed(tried+": changes", err)
	}
	return nil
}

func (s pendings) DecidePending(ctx context.Context, id int64, decision registry.Pending) error {
	return s.write(ctx, func(tx *sql.Tx) error { return s.decide(ctx, tx, id, decision) })
}

// decide settles an open change. A Declaration in the decision is the one that was judged: registry.ErrRedeclared when another stands there.
func (s pendings) decide(ctx context.Context, tx *sql.Tx, id int64, decision registry.Pending) error {
	if decision.State == registry.PendingOpen {
		return fmt.Errorf("store: update pending_changes: %s is no decision", registry.PendingOpen)
	}
	return s.alter(ctx, tx, id, func(p *storedPending) error {
		if decision.Declaration != nil && !bytes.Equal(decision.Declaration, p.Declaration) {
			return failed("update pending_changes", registry.ErrRedeclared)
		}
		p.State, p.DecidedBy, p.Decided, p.Note, p.Version = decision.State, decision.DecidedBy, decision.Decided, decision.Note, decision.Version
		p.Declaration = nil
		return nil
	})
}

// alter changes an open change. Of two who do so at once the later one waits at the row, and then finds what the first one made of it.
func (s pendings) alter(ctx context.Context, tx *sql.Tx, id int64, do func(*storedPending) error) error {
	const tried = "update pending_changes"
	if _, err := tx.ExecContext(ctx, `UPDATE pending_changes SET id = id WHERE id = $1`, id); err != nil {
		return failed("lock a pending change", err)
	}
	p, err := readPending(tx.QueryRowContext(ctx, selectPendings+`WHERE id = $1`, id))
	if err != nil {
		return err
	}
	if err := s.open(&p); err != nil {
		return err
	}
	if p.State != registry.PendingOpen {
		return failed(tried, registry.ErrDecided)
	}
	if err := do(&p); err != nil {
		return err
	}
	mac, err := s.code(pendingRow(&p))
	if err != nil {
		return failed(tried, err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE pending_changes SET state = $2, decided_by = $3, decided = $4, note = $5, version = $6, declaration = $7, mac = $8 WHERE id = $1`,
		id, p.State, p.DecidedBy, stamp(p.Decided), p.Note, p.Version, optional(p.Declaration), mac); err != nil {
		return failed(tried, err)
	}
	return nil
}

// SwapDeclaration puts another declaration in place of an open change's: registry.ErrRedeclared when old does not stand there any more,
// registry.ErrDecided.
func (s *Store) SwapDeclaration(ctx context.Context, id int64, old, fresh []byte) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		return pendings{s}.alter(ctx, tx, id, func(p *storedPending) error {
			if !bytes.Equal(p.Declaration, old) {
				return failed("update pending_changes", registry.ErrRedeclared)
			}
			p.Declaration = fresh
			return nil
		})
	})
}
