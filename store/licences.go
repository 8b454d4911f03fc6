package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"licgate/gm"
	"licgate/licence"
)

type licences struct{ *Store }

var _ licence.Store = licences{}

// A licence comes with one row for each holder. Only the first row carries the sealed part, which may be large.
const (
	selectLicences = `SELECT l.code, l.item, l.department, l.division_code, l.biz_num, l.state, l.revision, l.id_code_digest, l.created, l.issue_time,
		CASE WHEN h.place IS NULL OR h.place = 0 THEN l.sealed END, l.mac, h.digest`
	joinHolders = ` LEFT JOIN licence_holders AS h ON h.code = l.code `

	selectLicence = selectLicences + ` FROM licences AS l` + joinHolders +
		`WHERE l.code = $1 ORDER BY h.place`
	selectLivingLicences = selectLicences + ` FROM licences AS l` + joinHolders +
		`WHERE l.item = $1 AND l.id_code_digest = $2 AND l.state IN ('REGISTERED', 'ISSUED') ORDER BY l.created, l.code, h.place`
)

// Apply updates before it inserts, so that a successor may take the id_code of the licence it replaces.
func (s licences) Apply(ctx context.Context, w licence.Write) error {
	if len(w.Update)+len(w.Insert)+len(w.UpdateCodes)+len(w.InsertCodes) == 0 {
		return nil
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		for i := range w.Update {
			if err := s.updateLicence(ctx, tx, &w.Update[i]); err != nil {
				return err
			}
		}
		for i := range w.UpdateCodes {
			if err := s.updateCode(ctx, tx, &w.UpdateCodes[i]); err != nil {
				return err
			}
		}
		for i := range w.Insert {
			if err := s.insertLicence(ctx, tx, &w.Insert[i]); err != nil {
				return err
			}
		}
		for i := range w.InsertCodes {
			if err := s.insertCode(ctx, tx, &w.InsertCodes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s licences) insertLicence(ctx context.Context, tx *sql.Tx, l *licence.Stored) error {
	fresh := *l
	fresh.Revision = 1 // as the statement has it
	mac, err := s.code(licenceRow(&fresh))
	if err != nil {
		return failed("insert into licences", err)
	}
	_, err = tx.StmtContext(ctx, s.hot.insertLicence).ExecContext(ctx,
		l.Code, l.Item, l.Department, l.DivisionCode, l.BizNum, string(l.State), optional(l.IDCodeDigest), stamp(l.Created), stamp(l.IssueTime), optional(l.Sealed), mac)
	if err != nil {
		return s.refused("insert into licences", err)
	}
	return s.insertHolders(ctx, tx, l.Code, distinct(l.HolderDigests))
}

func (s licences) updateLicence(ctx context.Context, tx *sql.Tx, l *licence.Stored) error {
	mac, err := s.code(licenceRow(l))
	if err != nil {
		return failed("update licences", err)
	}
	result, err := tx.StmtContext(ctx, s.hot.updateLicence).ExecContext(ctx,
		l.Code, l.Revision-1, l.Item, l.Department, l.DivisionCode, l.BizNum, string(l.State), l.Revision,
		optional(l.IDCodeDigest), stamp(l.Created), stamp(l.IssueTime), optional(l.Sealed), mac)
	if err := s.oneRow("update licences", result, err); err != nil {
		return err
	}
	// Most changes keep the holders: comparing is cheaper than writing them again.
	before, err := s.holders(ctx, tx, l.Code)
	if err != nil {
		return err
	}
	after := distinct(l.HolderDigests)
	if slices.EqualFunc(before, after, bytes.Equal) {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM licence_holders WHERE code = $1`, l.Code); err != nil {
		return failed("delete from licence_holders", err)
	}
	return s.insertHolders(ctx, tx, l.Code, after)
}

// oneRow turns the result of an update by revision into ErrStale when no row had that revision.
func (s licences) oneRow(tried string, result sql.Result, err error) error {
	if err != nil {
		return s.refused(tried, err)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return failed(tried, err)
	}
	if rows != 1 {
		return failed(tried, licence.ErrStale)
	}
	return nil
}

// refused tells a value that is in use from a failure.
func (s licences) refused(tried string, err error) error {
	if s.dialect.duplicate(err) {
		return failed(tried, licence.ErrDuplicate)
	}
	return failed(tried, err)
}

func (s licences) holders(ctx context.Context, tx *sql.Tx, code string) ([][]byte, error) {
	const tried = "select from licence_holders"
	rows, err := tx.StmtContext(ctx, s.hot.holders).QueryContext(ctx, code)
	if err != nil {
		return nil, failed(tried, err)
	}
	defer rows.Close()
	var found [][]byte
	for rows.Next() {
		var digest []byte
		if err := rows.Scan(&digest); err != nil {
			return nil, failed(tried, err)
		}
		found = append(found, digest)
	}
	if err := rows.Err(); err != nil {
		return nil, failed(tried, err)
	}
	return found, nil
}

func (s licences) insertHolders(ctx context.Context, tx *sql.Tx, code string, digests [][]byte) error {
	for place, digest := range digests {
		if _, err := tx.StmtContext(ctx, s.hot.insertHolder).ExecContext(ctx, digest, code, place); err != nil {
			return failed("insert into licence_holders", err)
		}
	}
	return nil
}

// distinct drops repetitions: who is named twice on a licence holds it once.
func distinct(digests [][]byte) [][]byte {
	var kept [][]byte
	for _, digest := range digests {
		if !slices.ContainsFunc(kept, func(one []byte) bool { return bytes.Equal(one, digest) }) {
			kept = append(kept, digest)
		}
	}
	return kept
}

// optional stores an empty value as NULL, which unique indexes pass over. SQLite gives back nil for both.
func optional(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func (s licences) Find(ctx context.Context, code string) (licence.Stored, error) {
	rows, err := s.hot.licence.QueryContext(ctx, code)
	found, err := s.scanLicences(rows, err)
	if err != nil {
		return licence.Stored{}, err
	}
	if len(found) == 0 {
		return licence.Stored{}, failed("select from licences", licence.ErrNotFound)
	}
	return found[0], nil
}

func (s licences) FindByIDCode(ctx context.Context, item string, digest []byte) ([]licence.Stored, error) {
	rows, err := s.hot.livingLicences.QueryContext(ctx, item, digest)
	return s.scanLicences(rows, err)
}

// scanLicences reads the rows of selectLicences and holds each licence against its authentication code: licence.ErrTampered. Columns
// beyond those are read into more.
func (s licences) scanLicences(rows *sql.Rows, err error, more ...any) ([]licence.Stored, error) {
	found, err := readLicences(rows, err, more...)
	if err != nil {
		return nil, err
	}
	var all []licence.Stored
	for i := range found {
		if err := s.check(found[i].mac, licenceRow(&found[i].Stored)); err != nil {
			return nil, failed("select from licences", tampered(err))
		}
		all = append(all, found[i].Stored)
	}
	return all, nil
}

// tampered says gm.ErrIntegrity in the licence service's words too.
func tampered(err error) error {
	if errors.Is(err, gm.ErrIntegrity) {
		return fmt.Errorf("%w: %w", licence.ErrTampered, err)
	}
	return err
}

// storedLicence is a licence as it was read, with its authentication code, against which nobody has held it yet.
type storedLicence struct {
	licence.Stored
	mac []byte
}

// readLicences reads the rows of selectLicences, which keep each licence's rows together, and closes them.
func readLicences(rows *sql.Rows, err error, more ...any) ([]storedLicence, error) {
	const tried = "select from licences"
	if err != nil {
		return nil, failed(tried, err)
	}
	defer rows.Close()
	var found []storedLicence
	for rows.Next() {
		var (
			l               storedLicence
			created, issued int64
			holder          []byte
		)
		columns := []any{
			&l.Code, &l.Item, &l.Department, &l.DivisionCode, &l.BizNum, &l.State, &l.Revision, &l.IDCodeDigest,
			&created, &issued, &l.Sealed, &l.mac, &holder,
		}
		if err := rows.Scan(append(columns, more...)...); err != nil {
			return nil, failed(tried, err)
		}
		if n := len(found); n > 0 && found[n-1].Code == l.Code {
			found[n-1].HolderDigests = append(found[n-1].HolderDigests, holder)
			continue
		}
		l.Created, l.IssueTime = fromStamp(created), fromStamp(issued)
		if holder != nil {
			l.HolderDigests = [][]byte{holder}
		}
		found = append(found, l)
	}
	if err := rows.Err(); err != nil {
		return nil, failed(tried, err)
	}
	return found, nil
}

// The holders' digests and the items come as JSON arrays, so that one statement serves any number of them.
func (d dialect) selectHeld() string {
	return ` FROM licences WHERE state = 'ISSUED' AND item IN (` + d.textsOf("$2") + `)
		AND code IN (SELECT code FROM licence_holders WHERE digest IN (` + d.bytesOf("$1") + `))`
}

func (d dialect) countHeld() string { return `SELECT count(*)` + d.selectHeld() }

// selectHeldPage cuts the page from narrow rows; only then are the licences themselves fetched.
func (d dialect) selectHeldPage() string {
	return selectLicences + `, page.total FROM (SELECT code, count(*) OVER () AS total` + d.selectHeld() + `
		ORDER BY issue_time DESC, code LIMIT $3 OFFSET $4) AS page
		JOIN licences AS l ON l.code = page.code` + joinHolders + `ORDER BY l.issue_time DESC, l.code, h.place`
}

func (s licences) ListByHolder(ctx context.Context, digests [][]byte, items []string, limit, offset int) ([]licence.Stored, int, error) {
	if len(digests) == 0 || len(items) == 0 {
		return nil, 0, nil
	}
	holders, wanted, err := jsonArrays(digests, items)
	if err != nil {
		return nil, 0, err
	}
	var total int
	rows, err := s.hot.heldPage.QueryContext(ctx, holders, wanted, max(limit, 0), max(offset, 0))
	found, err := s.scanLicences(rows, err, &total)
	if err != nil {
		return nil, 0, err
	}
	if len(found) == 0 {
		// No row, no total: nothing is held, or the page lies beyond the end.
		if err := s.hot.heldCount.QueryRowContext(ctx, holders, wanted).Scan(&total); err != nil {
			return nil, 0, failed("count licences", err)
		}
	}
	return found, total, nil
}

func (s licences) ListEverHeld(ctx context.Context, digest []byte, after string, limit int) ([]licence.Stored, error) {
	rows, err := s.reader.QueryContext(ctx, selectLicences+` FROM (SELECT code FROM licence_holders WHERE digest = $1 AND code > $2 ORDER BY code LIMIT $3) AS page
		JOIN licences AS l ON l.code = page.code`+joinHolders+`ORDER BY l.code, h.place`, digest, after, max(limit, 0))
	return s.scanLicences(rows, err)
}

func jsonArrays(digests [][]byte, items []string) (hexDigests, texts string, err error) {
	inHex := make([]string, len(digests))
	for i, digest := range digests {
		inHex[i] = hex.EncodeToString(digest)
	}
	first, err := json.Marshal(inHex)
	if err != nil {
		return "", "", failed("encode digests", err)
	}
	second, err := json.Marshal(items)
	if err != nil {
		return "", "", failed("encode items", err)
	}
	return string(first), string(second), nil
}

func (s licences) ListRegistered(ctx context.Context, item, department, bizNum, divisionCode string, limit int) ([]string, error) {
	const tried = "select from licences"
	rows, err := s.reader.QueryContext(ctx, `SELECT code FROM licences WHERE item = $1 AND state = 'REGISTERED' AND department = $2
		AND ($3 = '' OR biz_num = $3) AND ($4 = '' OR division_code = $4) ORDER BY created, code LIMIT $5`,
		item, department, bizNum, divisionCode, max(limit, 0))
	if err != nil {
		return nil, failed(tried, err)
	}
	defer rows.Close()
	var codes []string
	for rows.Next() {
		var code string
		if err := rows.Scan(&code); err != nil {
			return nil, failed(tried, err)
		}
		codes = append(codes, code)
	}
	if err := rows.Err(); err != nil {
		return nil, failed(tried, err)
	}
	return codes, nil
}

// issuedBy is the place in the order of issue behind which a list goes on, as one comparison of rows: the index licences_by_issue answers it.
const issuedBy = ` FROM licences WHERE item = $1 AND department = $2 AND state = 'ISSUED' AND (issue_time, code) > ($3, $4)`

func (s licences) ListIssued(ctx context.Context, item, department string, from time.Time, after string, limit int) ([]licence.Stored, error) {
	rows, err := s.reader.QueryContext(ctx, selectLicences+` FROM (SELECT code`+issuedBy+` ORDER BY issue_time, code LIMIT $5) AS page
		JOIN licences AS l ON l.code = page.code`+joinHolders+`ORDER BY l.issue_time, l.code, h.place`,
		item, department, stamp(from), after, max(limit, 0))
	return s.scanLicences(rows, err)
}

func (s licences) CountIssued(ctx context.Context, item, department string, from time.Time, after string) (int, error) {
	var n int
	if err := s.reader.QueryRowContext(ctx, `SELECT count(*)`+issuedBy, item, department, stamp(from), after).Scan(&n); err != nil {
		return 0, failed("count licences", err)
	}
	return n, nil
}

func (s licences) HasLicences(ctx context.Context, item string) (bool, error) {
	var has bool
	if err := s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM licences WHERE item = $1 AND state <> 'DELETED')`, item).Scan(&has); err != nil {
		return false, failed("select from licences", err)
	}
	return has, nil
}

const (
	insertLicenceText = `INSERT INTO licences (code, item, department, division_code, biz_num, state, revision, id_code_digest, created, issue_time, sealed, mac)
		VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11)`
	updateLicenceText = `UPDATE licences SET item = $3, department = $4, division_code = $5, biz_num = $6, state = $7, revision = $8,
		id_code_digest = $9, created = $10, issue_time = $11, sealed = $12, mac = $13 WHERE code = $1 AND revision = $2`
	holdersText      = `SELECT digest FROM licence_holders WHERE code = $1 ORDER BY place`
	insertHolderText = `INSERT INTO licence_holders (digest, code, place) VALUES ($1, $2, $3)`
)
