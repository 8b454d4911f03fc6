package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"licgate/gm"
)

// States of a KeyJob.
const (
	JobRunning = "running"
	JobWaiting = "waiting" // for NotBefore: then old keys are destroyed
	JobDone    = "done"
	JobFailed  = "failed"
)

// A KeyJob seals values anew under the active keys, or buries shredded ones, and then destroys what keys nothing needs. It is kept after each
// step, so that whoever finds it without its owner goes on.
type KeyJob struct {
	Number     int64       `json:"number"` // from 1
	Kind       string      `json:"kind"`   // rotate, shred_department, shred_licence
	Department string      `json:"department,omitempty"`
	By         string      `json:"by"`
	Why        string      `json:"why,omitempty"`
	State      string      `json:"state"`
	Phase      string      `json:"phase"`
	Progress   gm.Progress `json:"progress"` // of the phase
	Resealed   int64       `json:"resealed"` // in all
	Buried     int64       `json:"buried,omitempty"`
	Refused    int64       `json:"refused,omitempty"` // values that did not open, in all
	Rounds     int         `json:"rounds"`
	Destroyed  int         `json:"destroyed"`      // keys
	Kept       int         `json:"kept,omitempty"` // keys that something still uses
	Started    time.Time   `json:"started"`
	Changed    time.Time   `json:"changed"`
	NotBefore  time.Time   `json:"not_before,omitzero"`
	Owner      string      `json:"owner,omitempty"` // the process that works on it
	Lease      time.Time   `json:"lease,omitzero"`  // until when nobody else does
	Error      string      `json:"error,omitempty"`

	// Revision is what SaveJob compares.
	Revision int64 `json:"-"`
}

// ErrJobTaken says that somebody else changed the job meanwhile.
var ErrJobTaken = errors.New("store: the key job was changed by another process")

const countedJobs = "key_jobs"

// AddJob keeps a new job and gives it its number.
func (s *Store) AddJob(ctx context.Context, j KeyJob) (KeyJob, error) {
	err := s.write(ctx, func(tx *sql.Tx) error {
		var err error
		if j.Number, err = countUp(ctx, tx, countedJobs); err != nil {
			return err
		}
		body, err := json.Marshal(j)
		if err != nil {
			return failed("encode a key job", err)
		}
		j.Revision = 1
		if _, err := tx.ExecContext(ctx, `INSERT INTO key_jobs (number, state, body, revision) VALUES ($1, $2, $3, 1)`, j.Number, j.State, string(body)); err != nil {
			return failed("insert into key_jobs", err)
		}
		return nil
	})
	return j, err
}

// SaveJob keeps what became of a job. ErrJobTaken.
func (s *Store) SaveJob(ctx context.Context, j KeyJob) (KeyJob, error) {
	body, err := json.Marshal(j)
	if err != nil {
		return j, failed("encode a key job", err)
	}
	rows, err := s.exec(ctx, "update key_jobs", `UPDATE key_jobs SET state = $3, body = $4, revision = revision + 1 WHERE number = $1 AND revision = $2`,
		j.Number, j.Revision, j.State, string(body))
	if err == nil && rows == 0 {
		err = failed("update key_jobs", ErrJobTaken)
	}
	j.Revision++
	return j, err
}

// Jobs returns the newest jobs, newest first.
func (s *Store) Jobs(ctx context.Context, limit int) ([]KeyJob, error) {
	return s.jobs(ctx, `ORDER BY number DESC LIMIT $1`, limit)
}

// OpenJobs returns the jobs that are not over, oldest first, without those whose rows are damaged.
func (s *Store) OpenJobs(ctx context.Context) ([]KeyJob, error) {
	all, err := s.jobs(ctx, `WHERE state IN ('`+JobRunning+`', '`+JobWaiting+`') ORDER BY number`)
	return slices.DeleteFunc(all, func(j KeyJob) bool { return j.State == JobFailed }), err
}

func (s *Store) jobs(ctx context.Context, condition string, args ...any) ([]KeyJob, error) {
	const tried = "select from key_jobs"
	return collect(ctx, s.reader, tried, func(r row) (KeyJob, error) {
		var (
			j              KeyJob
			body           []byte
			number, revise int64
			state          string
		)
		if err := r.Scan(&number, &state, &body, &revise); err != nil {
			return KeyJob{}, failed(tried, err)
		}
		if json.Unmarshal(body, &j) != nil {
			// It holds nobody else up, and is nobody's any more.
			j, state = KeyJob{Error: "the job's row is damaged"}, JobFailed
		}
		j.Number, j.State, j.Revision = number, state, revise
		return j, nil
	}, `SELECT number, state, body, revision FROM key_jobs `+condition, args...)
}
