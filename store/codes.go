package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"licgate/gm"
	"licgate/licence"
)

// rowBatch is how many rows are looked at, or given their codes, at once.
const rowBatch = 200

// completeCodes is the kind of the statement, in key_checks, that every row has its code.
const completeCodes = "database-codes"

// CodesComplete reports whether every row has its authentication code, so that one without is refused. gm.ErrIntegrity: the statement is
// not ours.
func (s *Store) CodesComplete(ctx context.Context) (bool, error) {
	var (
		root string
		mac  []byte
	)
	err := s.reader.QueryRowContext(ctx, `SELECT root, mac FROM key_checks WHERE name = 'codes'`).Scan(&root, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, failed("select from key_checks", err)
	}
	return true, s.holds(mac, authenticated{completeCodes, root, 1, nil})
}

// Empty reports whether there is neither a licence nor a policy version.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	var filled bool
	err := s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM licences) OR EXISTS (SELECT 1 FROM policy_versions) OR EXISTS (SELECT 1 FROM registry_objects)`).Scan(&filled)
	if err != nil {
		return false, failed("look for rows", err)
	}
	return !filled, nil
}

// WriteCodes computes the codes of rows that have none, from before rows had any, and then states for root that all have. Whatever stands in
// the rows is trusted by that, but for licences, which opens must open; one that it does not is told of and stays without. It may be broken
// off, and run by several nodes at once: no other licgate may write meanwhile.
func (s *Store) WriteCodes(ctx context.Context, root gm.KeyID, opens func(licence.Stored) error, refused func(code string, err error)) error {
	for after := ""; ; {
		rows, err := s.licencesBehind(ctx, after, ` AND mac IS NULL`)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].Code
		if err := s.write(ctx, func(tx *sql.Tx) error {
			for i := range rows {
				l := &rows[i].Stored
				if err := opens(*l); err != nil {
					refused(l.Code, err)
					continue
				}
				mac, err := s.code(licenceRow(l))
				if err != nil {
					return failed("update licences", err)
				}
				if _, err := tx.ExecContext(ctx, `UPDATE licences SET mac = $2 WHERE code = $1 AND mac IS NULL AND revision = $3`, l.Code, mac, l.Revision); err != nil {
					return failed("update licences", err)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if err := s.writeCodesOfCodes(ctx); err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.writeVersionCodes(ctx, tx); err != nil {
			return err
		}
		if err := s.writePendingCodes(ctx, tx); err != nil {
			return err
		}
		mac, err := s.code(authenticated{completeCodes, string(root), 1, nil})
		if err != nil {
			return failed("insert into key_checks", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO key_checks (name, root, mac) VALUES ('codes', $1, $2) ON CONFLICT (name) DO NOTHING`, string(root), mac); err != nil {
			return failed("insert into key_checks", err)
		}
		return nil
	})
}

// writeVersionCodes does the registry and the versions. The newest version gets the digest of the registry.
func (s *Store) writeVersionCodes(ctx context.Context, tx *sql.Tx) error {
	objects, err := selectObjects(ctx, tx)
	if err != nil {
		return err
	}
	all := make([]object, len(objects))
	for i, one := range objects {
		all[i] = one.object
		if one.mac != nil {
			continue
		}
		mac, err := s.code(objectRow(one.object))
		if err != nil {
			return failed("update registry_objects", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE registry_objects SET mac = $3 WHERE kind = $1 AND code = $2`, one.kind, one.code, mac); err != nil {
			return failed("update registry_objects", err)
		}
	}
	versions, err := collect(ctx, tx, "select from policy_versions", readVersion, selectVersions+`WHERE mac IS NULL ORDER BY number`)
	if err != nil || len(versions) == 0 {
		return err
	}
	for i := range versions {
		v := &versions[i]
		if i == len(versions)-1 {
			v.objects = objectsDigest(all)
		}
		mac, err := s.code(versionRow(v))
		if err != nil {
			return failed("update policy_versions", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE policy_versions SET objects = $2, mac = $3 WHERE number = $1`, v.Number, optional(v.objects), mac); err != nil {
			return failed("update policy_versions", err)
		}
	}
	return nil
}

// writeCodesOfCodes does the licence codes, a batch at a time.
func (s *Store) writeCodesOfCodes(ctx context.Context) error {
	for {
		done := 0
		err := s.write(ctx, func(tx *sql.Tx) error {
			const tried = "update licence_codes"
			bare, err := collect(ctx, tx, tried, readCode, selectCodes+`WHERE mac IS NULL LIMIT $1`, rowBatch)
			if err != nil {
				return err
			}
			for i := range bare {
				mac, err := s.code(codeRow(&bare[i]))
				if err != nil {
					return failed(tried, err)
				}
				if _, err := tx.ExecContext(ctx, `UPDATE licence_codes SET mac = $3 WHERE digest = $1 AND revision = $2`, bare[i].Digest, bare[i].Revision, mac); err != nil {
					return failed(tried, err)
				}
			}
			done = len(bare)
			return nil
		})
		if err != nil || done == 0 {
			return err
		}
	}
}

// writePendingCodes does the changes that wait or waited for approval.
func (s *Store) writePendingCodes(ctx context.Context, tx *sql.Tx) error {
	const tried = "update pending_changes"
	bare, err := collect(ctx, tx, tried, readPending, selectPendings+`WHERE mac IS NULL`)
	if err != nil {
		return err
	}
	for i := range bare {
		mac, err := s.code(pendingRow(&bare[i]))
		if err != nil {
			return failed(tried, err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE pending_changes SET mac = $2 WHERE id = $1`, bare[i].ID, mac); err != nil {
			return failed(tried, err)
		}
	}
	return nil
}

// licencesBehind reads a batch of licences behind a code, as they are.
func (s *Store) licencesBehind(ctx context.Context, after, condition string) ([]storedLicence, error) {
	rows, err := s.reader.QueryContext(ctx, selectLicences+` FROM (SELECT code FROM licences WHERE code > $1`+condition+` ORDER BY code LIMIT $2) AS page
		JOIN licences AS l ON l.code = page.code`+joinHolders+`ORDER BY l.code, h.place`, after, rowBatch)
	return readLicences(rows, err)
}

// RowFault names a row that is not what was kept.
type RowFault struct {
	Kind  string `json:"kind"` // licence, licence-code, registry/…, policy-version, pending-change, key-job, face
	Key   string `json:"key"`
	Cause string `json:"cause"`
}

// CheckRows holds every row against its code, and each licence that is there against opens. progress is told after each batch.
func (s *Store) CheckRows(ctx context.Context, opens func(licence.Stored) error, progress func(seen, total int64), fault func(RowFault)) error {
	var total, seen int64
	if err := s.reader.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM licences) + (SELECT count(*) FROM registry_objects) + (SELECT count(*) FROM policy_versions)
		+ (SELECT count(*) FROM pending_changes) + (SELECT count(*) FROM licence_codes) + (SELECT count(*) FROM key_jobs) + (SELECT count(*) FROM faces)`).
		Scan(&total); err != nil {
		return failed("count rows", err)
	}
	check := func(mac []byte, r authenticated) (bool, error) {
		err := s.holds(mac, r)
		if errors.Is(err, gm.ErrIntegrity) {
			fault(RowFault{r.kind, r.key, "校验码不符：该行被改动，或不是由本网关写入"})
			return false, nil
		}
		return true, err
	}
	if err := s.checkRegistry(ctx, check, fault, &seen); err != nil {
		return err
	}
	if err := s.checkFaces(ctx, check, &seen); err != nil {
		return err
	}
	progress(seen, max(total, seen))
	for after := []byte{}; ; {
		found, err := collect(ctx, s.reader, "select from licence_codes", readCode, selectCodes+`WHERE digest > $1 ORDER BY digest LIMIT $2`, after, rowBatch)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			break
		}
		for i := range found {
			if _, err := check(found[i].mac, codeRow(&found[i])); err != nil {
				return err
			}
		}
		after = found[len(found)-1].Digest
		seen += int64(len(found))
		progress(seen, max(total, seen))
	}
	for after := ""; ; {
		rows, err := s.licencesBehind(ctx, after, "")
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		for i := range rows {
			l := &rows[i]
			good, err := check(l.mac, licenceRow(&l.Stored))
			if err != nil {
				return err
			}
			if good && l.State != licence.Deleted {
				if err := opens(l.Stored); err != nil && !errors.Is(err, licence.ErrNotFound) {
					fault(RowFault{rowLicence, l.Code, "无法打开：" + err.Error()})
				}
			}
		}
		after = rows[len(rows)-1].Code
		seen += int64(len(rows))
		progress(seen, max(total, seen))
	}
}

// checkRegistry does so with the registry, all policy versions, the changes that wait or waited for approval and the key jobs, on one snapshot.
func (s *Store) checkRegistry(ctx context.Context, check func([]byte, authenticated) (bool, error), fault func(RowFault), seen *int64) error {
	return s.read(ctx, func(tx *sql.Tx) error {
		objects, err := selectObjects(ctx, tx)
		if err != nil {
			return err
		}
		all := make([]object, len(objects))
		for i, one := range objects {
			all[i] = one.object
			if _, err := check(one.mac, objectRow(one.object)); err != nil {
				return err
			}
		}
		versions, err := collect(ctx, tx, "select from policy_versions", readVersion, selectVersions+`ORDER BY number`)
		if err != nil {
			return err
		}
		for i := range versions {
			v := &versions[i]
			good, err := check(v.mac, versionRow(v))
			if err != nil {
				return err
			}
			if good && i == len(versions)-1 && !bytes.Equal(v.objects, objectsDigest(all)) {
				fault(RowFault{rowVersion, fmt.Sprint(v.Number), "现有登记不是这个版本的登记：有行被增删，或换成了旧的"})
			}
		}
		waiting, err := collect(ctx, tx, "select from pending_changes", readPending, selectPendings+`ORDER BY id`)
		if err != nil {
			return err
		}
		for i := range waiting {
			if _, err := check(waiting[i].mac, pendingRow(&waiting[i])); err != nil {
				return err
			}
		}
		jobs, err := collect(ctx, tx, "select from key_jobs", readJob, selectJobs+`ORDER BY number`)
		if err != nil {
			return err
		}
		for i := range jobs {
			if _, err := check(jobs[i].mac, jobRow(&jobs[i])); err != nil {
				return err
			}
		}
		*seen += int64(len(objects) + len(versions) + len(waiting) + len(jobs))
		return nil
	})
}
