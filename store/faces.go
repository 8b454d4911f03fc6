package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrNoFace says that no face of that version is kept.
var ErrNoFace = errors.New("store: no such face")

// KeepFaces keeps faces by their version, each the hex SHA-256 of its body. What is there stays: a face is never changed or removed.
func (s *Store) KeepFaces(ctx context.Context, faces map[string][]byte) error {
	const tried = "insert into faces"
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, version := range slices.Sorted(maps.Keys(faces)) {
			f := face{version: version, body: faces[version]}
			if !f.genuine() {
				return failed(tried, fmt.Errorf("%s is not the version of its body", version))
			}
			mac, err := s.code(faceRow(&f))
			if err != nil {
				return failed(tried, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO faces (version, body, mac) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING`,
				f.version, f.body, mac); err != nil {
				return failed(tried, err)
			}
		}
		return nil
	})
}

// Face returns the body of a face. ErrNoFace; gm.ErrIntegrity.
func (s *Store) Face(ctx context.Context, version string) ([]byte, error) {
	const tried = "select from faces"
	f, err := readFace(s.reader.QueryRowContext(ctx, selectFaces+`WHERE version = $1`, version))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, failed(tried, ErrNoFace)
	}
	if err != nil {
		return nil, err
	}
	if err := s.check(f.mac, faceRow(&f)); err != nil {
		return nil, failed(tried, err)
	}
	return f.body, nil
}

// face is a row of faces.
type face struct {
	version   string
	body, mac []byte
}

const selectFaces = `SELECT version, body, mac FROM faces `

func readFace(r row) (face, error) {
	var f face
	if err := r.Scan(&f.version, &f.body, &f.mac); err != nil {
		return face{}, failed("select from faces", err)
	}
	return f, nil
}

// genuine reports whether the version is that of the body.
func (f *face) genuine() bool {
	sum := sha256.Sum256(f.body)
	return f.version == hex.EncodeToString(sum[:])
}

func faceRow(f *face) authenticated { return authenticated{rowFace, f.version, 0, canonical(f.body)} }

// checkFaces holds every face against its code, one after the other: they are large.
func (s *Store) checkFaces(ctx context.Context, check func([]byte, authenticated) (bool, error), seen *int64) error {
	for after := ""; ; {
		f, err := readFace(s.reader.QueryRowContext(ctx, selectFaces+`WHERE version > $1 ORDER BY version LIMIT 1`, after))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := check(f.mac, faceRow(&f)); err != nil {
			return err
		}
		after = f.version
		*seen++
	}
}
