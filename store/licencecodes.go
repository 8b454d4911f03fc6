package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"licgate/licence"
)

const selectLicenceCode = `SELECT digest, kind, licence_code, app, account, department, service_item, service_item_name, biz_num, sensitive,
	created, expires, revision, redeemer FROM licence_codes WHERE digest = $1`

func (s licences) insertCode(ctx context.Context, tx *sql.Tx, c *licence.StoredCode) error {
	redeemer, err := encodeRedeemer(c.Redeemer)
	if err != nil {
		return err
	}
	_, err = tx.StmtContext(ctx, s.hot.insertCode).ExecContext(ctx,
		c.Digest, string(c.Kind), c.LicenceCode, c.Grant.App, c.Grant.Account, c.Grant.Department, c.Grant.ServiceItem, c.Grant.ServiceItemName, c.Grant.BizNum,
		c.Grant.Sensitive, stamp(c.Created), stamp(c.Expires), redeemer)
	if err != nil {
		return s.refused("insert into licence_codes", err)
	}
	return nil
}

func (s licences) updateCode(ctx context.Context, tx *sql.Tx, c *licence.StoredCode) error {
	redeemer, err := encodeRedeemer(c.Redeemer)
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `UPDATE licence_codes SET kind = $3, licence_code = $4, app = $5, account = $6, department = $7, service_item = $8,
		service_item_name = $9, biz_num = $10, sensitive = $11, created = $12, expires = $13, revision = $14, redeemer = $15
		WHERE digest = $1 AND revision = $2`,
		c.Digest, c.Revision-1, string(c.Kind), c.LicenceCode, c.Grant.App, c.Grant.Account, c.Grant.Department, c.Grant.ServiceItem,
		c.Grant.ServiceItemName, c.Grant.BizNum, c.Grant.Sensitive, stamp(c.Created), stamp(c.Expires), c.Revision, redeemer)
	return s.oneRow("update licence_codes", result, err)
}

func (s licences) FindCode(ctx context.Context, digest []byte) (licence.StoredCode, error) {
	const tried = "select from licence_codes"
	var (
		c                licence.StoredCode
		created, expires int64
		redeemer         sql.NullString
	)
	err := s.hot.licenceCode.QueryRowContext(ctx, digest).Scan(&c.Digest, &c.Kind, &c.LicenceCode,
		&c.Grant.App, &c.Grant.Account, &c.Grant.Department, &c.Grant.ServiceItem, &c.Grant.ServiceItemName, &c.Grant.BizNum, &c.Grant.Sensitive,
		&created, &expires, &c.Revision, &redeemer)
	if errors.Is(err, sql.ErrNoRows) {
		err = licence.ErrNoCode
	}
	if err != nil {
		return licence.StoredCode{}, failed(tried, err)
	}
	c.Created, c.Expires = fromStamp(created), fromStamp(expires)
	if redeemer.Valid {
		c.Redeemer = new(licence.Redeemer)
		if err := json.Unmarshal([]byte(redeemer.String), c.Redeemer); err != nil {
			return licence.StoredCode{}, failed(tried+": redeemer", err)
		}
	}
	return c, nil
}

func (s licences) PurgeCodes(ctx context.Context, t time.Time) (int, error) {
	rows, err := s.exec(ctx, "delete from licence_codes", `DELETE FROM licence_codes WHERE expires < $1`, stamp(t))
	return int(rows), err
}

func encodeRedeemer(r *licence.Redeemer) (sql.NullString, error) {
	if r == nil {
		return sql.NullString{}, nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return sql.NullString{}, failed("encode the redeemer", err)
	}
	return sql.NullString{String: string(text), Valid: true}, nil
}

const insertCodeText = `INSERT INTO licence_codes (digest, kind, licence_code, app, account, department, service_item, service_item_name, biz_num,
		sensitive, created, expires, revision, redeemer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13)`
