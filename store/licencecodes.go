package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"licgate/licence"
)

const selectCodes = `SELECT digest, kind, licence_code, app, account, department, service_item, service_item_name, biz_num, sensitive,
	created, expires, revision, redeemer, mac FROM licence_codes `

// storedCode is a row of licence_codes: the code, and its redeemer as it is written.
type storedCode struct {
	licence.StoredCode
	redeemer sql.NullString
	mac      []byte
}

// codeRow is frozen (docs/formats.md).
func codeRow(c *storedCode) authenticated {
	g := &c.Grant
	return authenticated{rowCode, hex.EncodeToString(c.Digest), c.Revision, canonical(
		string(c.Kind), c.LicenceCode, g.App, g.Account, g.Department, g.ServiceItem, g.ServiceItemName, g.BizNum, g.Sensitive,
		stamp(c.Created), stamp(c.Expires), c.redeemer.Valid, c.redeemer.String,
	)}
}

// written is a code as it is to be kept.
func (s licences) written(c *licence.StoredCode) (*storedCode, error) {
	row := &storedCode{StoredCode: *c}
	if c.Redeemer != nil {
		text, err := json.Marshal(c.Redeemer)
		if err != nil {
			return nil, failed("encode the redeemer", err)
		}
		row.redeemer = sql.NullString{String: string(text), Valid: true}
	}
	var err error
	row.mac, err = s.code(codeRow(row))
	return row, err
}

func (s licences) insertCode(ctx context.Context, tx *sql.Tx, c *licence.StoredCode) error {
	fresh := *c
	fresh.Revision = 1 // as the statement has it
	row, err := s.written(&fresh)
	if err != nil {
		return failed("insert into licence_codes", err)
	}
	_, err = tx.StmtContext(ctx, s.hot.insertCode).ExecContext(ctx,
		c.Digest, string(c.Kind), c.LicenceCode, c.Grant.App, c.Grant.Account, c.Grant.Department, c.Grant.ServiceItem, c.Grant.ServiceItemName, c.Grant.BizNum,
		c.Grant.Sensitive, stamp(c.Created), stamp(c.Expires), row.redeemer, row.mac)
	if err != nil {
		return s.refused("insert into licence_codes", err)
	}
	return nil
}

func (s licences) updateCode(ctx context.Context, tx *sql.Tx, c *licence.StoredCode) error {
	row, err := s.written(c)
	if err != nil {
		return failed("update licence_codes", err)
	}
	result, err := tx.ExecContext(ctx, `UPDATE licence_codes SET kind = $3, licence_code = $4, app = $5, account = $6, department = $7, service_item = $8,
		service_item_name = $9, biz_num = $10, sensitive = $11, created = $12, expires = $13, revision = $14, redeemer = $15, mac = $16
		WHERE digest = $1 AND revision = $2`,
		c.Digest, c.Revision-1, string(c.Kind), c.LicenceCode, c.Grant.App, c.Grant.Account, c.Grant.Department, c.Grant.ServiceItem,
		c.Grant.ServiceItemName, c.Grant.BizNum, c.Grant.Sensitive, stamp(c.Created), stamp(c.Expires), c.Revision, row.redeemer, row.mac)
	return s.oneRow("update licence_codes", result, err)
}

func (s licences) FindCode(ctx context.Context, digest []byte) (licence.StoredCode, error) {
	c, err := readCode(s.hot.licenceCode.QueryRowContext(ctx, digest))
	if errors.Is(err, sql.ErrNoRows) {
		err = licence.ErrNoCode
	}
	if err == nil {
		err = tampered(s.check(c.mac, codeRow(&c)))
	}
	if err == nil && c.redeemer.Valid {
		c.Redeemer = new(licence.Redeemer)
		err = json.Unmarshal([]byte(c.redeemer.String), c.Redeemer)
	}
	if err != nil {
		return licence.StoredCode{}, failed("select from licence_codes", err)
	}
	return c.StoredCode, nil
}

// readCode reads a row of selectCodes as it is; the redeemer stays a text.
func readCode(r row) (storedCode, error) {
	var (
		c                storedCode
		created, expires int64
	)
	if err := r.Scan(&c.Digest, &c.Kind, &c.LicenceCode,
		&c.Grant.App, &c.Grant.Account, &c.Grant.Department, &c.Grant.ServiceItem, &c.Grant.ServiceItemName, &c.Grant.BizNum, &c.Grant.Sensitive,
		&created, &expires, &c.Revision, &c.redeemer, &c.mac); err != nil {
		return storedCode{}, err
	}
	c.Created, c.Expires = fromStamp(created), fromStamp(expires)
	return c, nil
}

func (s licences) PurgeCodes(ctx context.Context, t time.Time) (int, error) {
	rows, err := s.exec(ctx, "delete from licence_codes", `DELETE FROM licence_codes WHERE expires < $1`, stamp(t))
	return int(rows), err
}

const insertCodeText = `INSERT INTO licence_codes (digest, kind, licence_code, app, account, department, service_item, service_item_name, biz_num,
		sensitive, created, expires, revision, redeemer, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14)`
