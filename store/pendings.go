package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"licgate/registry"
)

type pendings struct{ *Store }

var _ registry.PendingStore = pendings{}

const (
	pendingColumns = `SELECT id, proposed_by, why, created, expires, base, classes, changes, forced, form, state, decided_by, decided, note, version, `
	selectPending  = pendingColumns + `declaration FROM pending_changes WHERE id = $1`
	// Lists go without the declaration, which is long.
	selectPendingHeads = pendingColumns + `NULL FROM pending_changes WHERE ($1 = '' OR state = $1) ORDER BY id DESC LIMIT $2`
)

func (s pendings) AddPending(ctx context.Context, p registry.Pending) (int64, error) {
	const tried = "insert into pending_changes"
	classes, err := json.Marshal(p.Classes)
	if err != nil {
		return 0, failed(tried+": classes", err)
	}
	changes, err := json.Marshal(p.Changes)
	if err != nil {
		return 0, failed(tried+": changes", err)
	}
	var id int64
	err = s.write(ctx, func(tx *sql.Tx) error {
		var err error
		if id, err = countUp(ctx, tx, countedPending); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO pending_changes (id, proposed_by, why, created, expires, base, classes, changes, forced, form,
			state, decided_by, decided, note, version, declaration) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', 0, '', 0, $12)`,
			id, p.By, p.Why, stamp(p.Created), stamp(p.Expires), p.Base, string(classes), string(changes), p.Force, p.Form,
			registry.PendingOpen, optional(p.Declaration))
		if err != nil {
			return failed(tried, err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

func (s pendings) GetPending(ctx context.Context, id int64) (registry.Pending, error) {
	p, err := scanPending(s.reader.QueryRowContext(ctx, selectPending, id))
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Pending{}, failed("select from pending_changes", registry.ErrNoPending)
	}
	return p, err
}

func (s pendings) ListPending(ctx context.Context, state string, limit int) ([]registry.Pending, error) {
	return collect(ctx, s.reader, "select from pending_changes", scanPending, selectPendingHeads, state, max(limit, 0))
}

func scanPending(r row) (registry.Pending, error) {
	const tried = "select from pending_changes"
	var (
		p                         registry.Pending
		created, expires, decided int64
		classes, changes          []byte
	)
	err := r.Scan(&p.ID, &p.By, &p.Why, &created, &expires, &p.Base, &classes, &changes, &p.Force, &p.Form,
		&p.State, &p.DecidedBy, &decided, &p.Note, &p.Version, &p.Declaration)
	if err != nil {
		return registry.Pending{}, failed(tried, err)
	}
	p.Created, p.Expires, p.Decided = fromStamp(created), fromStamp(expires), fromStamp(decided)
	if err := json.Unmarshal(classes, &p.Classes); err != nil {
		return registry.Pending{}, failed(tried+": classes", err)
	}
	if err := json.Unmarshal(changes, &p.Changes); err != nil {
		return registry.Pending{}, failed(tried+": changes", err)
	}
	return p, nil
}

func (s pendings) DecidePending(ctx context.Context, id int64, decision registry.Pending) error {
	return s.write(ctx, func(tx *sql.Tx) error { return decidePending(ctx, tx, id, decision) })
}

// decidePending compares the state and sets it in one statement: of two who decide at once the later one waits at the row,
// and then finds it decided.
func decidePending(ctx context.Context, tx *sql.Tx, id int64, decision registry.Pending) error {
	const tried = "update pending_changes"
	if decision.State == registry.PendingOpen {
		return fmt.Errorf("store: %s: %s is no decision", tried, registry.PendingOpen)
	}
	result, err := tx.ExecContext(ctx, `UPDATE pending_changes SET state = $2, decided_by = $3, decided = $4, note = $5, version = $6
		WHERE id = $1 AND state = $7`,
		id, decision.State, decision.DecidedBy, stamp(decision.Decided), decision.Note, decision.Version, registry.PendingOpen)
	if err != nil {
		return failed(tried, err)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return failed(tried, err)
	}
	if rows == 1 {
		return nil
	}
	var state string
	err = tx.QueryRowContext(ctx, `SELECT state FROM pending_changes WHERE id = $1`, id).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return failed(tried, registry.ErrNoPending)
	case err != nil:
		return failed("select from pending_changes", err)
	}
	return failed(tried, registry.ErrDecided)
}
