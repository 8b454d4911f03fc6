package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"licgate/gm"
)

// States of a KeyJob.
const (
	JobProposed = "proposed" // waits for a second administrator
	JobRejected = "rejected" // by that one, or withdrawn by who proposed it
	JobRunning  = "running"
	JobWaiting  = "waiting" // for NotBefore: then old keys are destroyed
	JobDone     = "done"
	JobFailed   = "failed"
)

// A KeyJob seals values anew under the active keys, or buries shredded ones, and then destroys what keys nothing needs. It is kept after each
// step, so that whoever finds it without its owner goes on.
type KeyJob struct {
	Number     int64       `json:"number"` // from 1
	Kind       string      `json:"kind"`   // rotate, shred_department, shred_licence
	Department string      `json:"department,omitempty"`
	Licence    string      `json:"licence,omitempty"` // the code of one that is to be shredded, until it is
	By         string      `json:"by"`
	DecidedBy  string      `json:"decided_by,omitempty"` // the second administrator
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

// ErrJobTaken says that somebody else changed the job meanwhile; ErrNoJob that there is none of that number.
var (
	ErrJobTaken = errors.New("store: the key job was changed by another process")
	ErrNoJob    = errors.New("store: no such key job")
)

const countedJobs = "key_jobs"

// writtenJob is a job as it is to be kept, and its authentication code.
func (s *Store) writtenJob(j *KeyJob) (body string, mac []byte, err error) {
	text, err := json.Marshal(j)
	if err != nil {
		return "", nil, failed("encode a key job", err)
	}
	mac, err = s.code(jobRow(&storedJob{number: j.Number, revision: j.Revision, state: j.State, body: text}))
	if err != nil {
		return "", nil, failed("write key_jobs", err)
	}
	return string(text), mac, nil
}

// AddJob keeps a new job and gives it its number.
func (s *Store) AddJob(ctx context.Context, j KeyJob) (KeyJob, error) {
	err := s.write(ctx, func(tx *sql.Tx) error {
		var err error
		if j.Number, err = countUp(ctx, tx, countedJobs); err != nil {
			return err
		}
		j.Revision = 1
		body, mac, err := s.writtenJob(&j)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO key_jobs (number, state, body, revision, mac) VALUES ($1, $2, $3, 1, $4)`, j.Number, j.State, body, mac); err != nil {
			return failed("insert into key_jobs", err)
		}
		return nil
	})
	return j, err
}

// SaveJob keeps what became of a job. ErrJobTaken.
func (s *Store) SaveJob(ctx context.Context, j KeyJob) (KeyJob, error) {
	j.Revision++
	body, mac, err := s.writtenJob(&j)
	if err != nil {
		return j, err
	}
	rows, err := s.exec(ctx, "update key_jobs", `UPDATE key_jobs SET state = $3, body = $4, revision = revision + 1, mac = $5 WHERE number = $1 AND revision = $2`,
		j.Number, j.Revision-1, j.State, body, mac)
	if err == nil && rows == 0 {
		err = failed("update key_jobs", ErrJobTaken)
	}
	return j, err
}

// Jobs returns the newest jobs, newest first.
func (s *Store) Jobs(ctx context.Context, limit int) ([]KeyJob, error) {
	return s.jobs(ctx, `ORDER BY number DESC LIMIT $1`, limit)
}

// Job returns one job. ErrNoJob.
func (s *Store) Job(ctx context.Context, number int64) (KeyJob, error) {
	found, err := s.jobs(ctx, `WHERE number = $1`, number)
	if err != nil {
		return KeyJob{}, err
	}
	if len(found) == 0 {
		return KeyJob{}, failed("select from key_jobs", ErrNoJob)
	}
	return found[0], nil
}

// OpenJobs returns the jobs that are not over, oldest first, without those whose rows were altered.
func (s *Store) OpenJobs(ctx context.Context) ([]KeyJob, error) {
	all, err := s.jobs(ctx, `WHERE state IN ('`+JobRunning+`', '`+JobWaiting+`') ORDER BY number`)
	return slices.DeleteFunc(all, func(j KeyJob) bool { return j.State == JobFailed }), err
}

const selectJobs = `SELECT number, state, body, revision, mac FROM key_jobs `

// storedJob is a row of key_jobs as it was read.
type storedJob struct {
	number, revision int64
	state            string
	body, mac        []byte
}

func readJob(r row) (j storedJob, err error) {
	if err := r.Scan(&j.number, &j.state, &j.body, &j.revision, &j.mac); err != nil {
		return storedJob{}, failed("select from key_jobs", err)
	}
	return j, nil
}

// jobRow is frozen (docs/formats.md).
func jobRow(j *storedJob) authenticated {
	return authenticated{rowJob, fmt.Sprint(j.number), j.revision, canonical(j.state, j.body)}
}

func (s *Store) jobs(ctx context.Context, condition string, args ...any) ([]KeyJob, error) {
	return collect(ctx, s.reader, "select from key_jobs", func(r row) (KeyJob, error) {
		kept, err := readJob(r)
		if err != nil {
			return KeyJob{}, err
		}
		var j KeyJob
		if s.check(kept.mac, jobRow(&kept)) != nil || json.Unmarshal(kept.body, &j) != nil {
			// It holds nobody else up, and is nobody's any more.
			j = KeyJob{Number: kept.number, State: JobFailed, Error: "the job's row was altered"}
		}
		j.Revision = kept.revision
		return j, nil
	}, selectJobs+condition, args...)
}
