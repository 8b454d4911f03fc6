package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"licgate/licence"
	"licgate/registry"
	"licgate/store"
	"licgate/store/storetest"
)

// rows counts everything that is written in several statements, and what it is numbered by.
func rows(t *testing.T, s *store.Store) string {
	t.Helper()
	var counted []any
	for _, table := range []string{"licences", "licence_holders", "licence_codes", "registry_objects", "policy_versions", "locks", "pending_changes"} {
		counted = append(counted, count(t, s, `SELECT count(*) FROM `+table))
	}
	return fmt.Sprint(append(counted, count(t, s, `SELECT SUM(value) FROM counters`))...)
}

const noRows = "0 0 0 0 0 0 0 0"

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	apply := func(n int) error { return s.Licences().Apply(t.Context(), crashRound(n)) }
	if err := apply(1); err != nil {
		t.Fatal(err)
	}
	// SQLite treats its page limit as the end of the disk.
	run(t, s, fmt.Sprintf(`PRAGMA max_page_count = %s`, scalar(t, s, `SELECT page_count + 3 FROM pragma_page_count`)))
	n := 2
	var before string
	var err error
	for ; ; n++ {
		before = rows(t, s)
		if err = apply(n); err != nil {
			break
		}
		if n > 1000 {
			t.Fatal("the disk never fills")
		}
	}
	var full *sqlite.Error
	if !errors.As(err, &full) || full.Code() != sqlite3.SQLITE_FULL || !strings.HasPrefix(err.Error(), "store: ") || errors.Is(err, licence.ErrDuplicate) {
		t.Errorf("Apply on a full disk = %v, want SQLITE_FULL, wrapped", err)
	}
	if after := rows(t, s); after != before {
		t.Errorf("rows %s became %s", before, after)
	}
	forerunner, err := s.Licences().Find(t.Context(), crashCode(n-1))
	if err != nil || !sameLicence(forerunner, registered(crashCode(n-1))) {
		t.Errorf("the forerunner was half changed: %+v, %v", forerunner, err)
	}
	// With room again the same write passes.
	run(t, s, `PRAGMA max_page_count = 1000000`)
	if err := apply(n); err != nil {
		t.Errorf("Apply with room again = %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		save(t, s, platform(), version(1, ""))
		if err := s.Licences().Apply(t.Context(), crashRound(1)); err != nil {
			t.Fatal(err)
		}
		before := rows(t, s)
		if s.Dialect() == "sqlite" {
			run(t, s, `PRAGMA query_only = 1`)
		} else {
			run(t, s, `ALTER DATABASE `+scalar(t, s, `SELECT current_database()`)+` SET default_transaction_read_only = on`)
			s = storetest.Open(t, url)
		}
		for what, err := range map[string]error{
			"Apply":         s.Licences().Apply(t.Context(), crashRound(2)),
			"SavePlatform":  s.SavePlatform(t.Context(), platform(), version(2, "")),
			"Clear":         s.Sessions().Clear(t.Context(), digest("key")),
			"PutLock":       putLock(t, s),
			"AddPending":    addPending(t, s),
			"AddForm":       s.Forms().AddForm(t.Context(), registry.Form{Number: "1"}),
			"NoteSecretUse": s.SecretUses().NoteSecretUse(t.Context(), registry.SecretUse{AppKey: "hydj", Secret: "0a", LastUsed: epoch}),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "store: ") || !readOnly(err) {
				t.Errorf("%s on a read-only database = %v, want that, wrapped", what, err)
			}
		}
		if after := rows(t, s); after != before {
			t.Errorf("rows %s became %s", before, after)
		}
		loads(t, s, platform(), 1)
	})
}

func putLock(t *testing.T, s *store.Store) error {
	t.Helper()
	return s.Locks().PutLock(t.Context(), registry.Lock{Kind: registry.LockAccount, Key: "zhang", Created: epoch})
}

func addPending(t *testing.T, s *store.Store) error {
	t.Helper()
	_, err := s.Pendings().AddPending(t.Context(), registry.Pending{By: "110000_安全员", Created: epoch})
	return err
}

func readOnly(err error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_READONLY || errors.As(err, &pg) && pg.Code == "25006"
}

// A failing statement names its table and what was tried, and never a value.
func TestErrorsNameTheTable(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		for table, try := range map[string]func(s *store.Store) error{
			"licences":         func(s *store.Store) error { return s.Licences().Apply(t.Context(), crashRound(1)) },
			"licence_holders":  func(s *store.Store) error { return s.Licences().Apply(t.Context(), crashRound(1)) },
			"licence_codes":    func(s *store.Store) error { return s.Licences().Apply(t.Context(), crashRound(1)) },
			"registry_objects": func(s *store.Store) error { return s.SavePlatform(t.Context(), platform(), version(1, "")) },
			"policy_versions":  func(s *store.Store) error { return s.SavePlatform(t.Context(), platform(), version(1, "")) },
			"attempts": func(s *store.Store) error {
				_, err := s.Sessions().Fail(t.Context(), digest("key"), epoch, 5, time.Second, time.Minute)
				return err
			},
			"sessions":        func(s *store.Store) error { return s.Sessions().Touch(t.Context(), digest("a"), epoch) },
			"locks":           func(s *store.Store) error { return putLock(t, s) },
			"counters":        func(s *store.Store) error { return errors.Join(putLock(t, s), addPending(t, s)) },
			"pending_changes": func(s *store.Store) error { return addPending(t, s) },
			"forms":           func(s *store.Store) error { return s.Forms().AddForm(t.Context(), registry.Form{Number: "1"}) },
			"secret_uses": func(s *store.Store) error {
				return s.SecretUses().NoteSecretUse(t.Context(), registry.SecretUse{AppKey: "hydj", Secret: "0a", LastUsed: epoch})
			},
		} {
			s := storetest.Open(t, url)
			run(t, s, `ALTER TABLE `+table+` RENAME TO hidden`)
			err := try(s)
			if err == nil || !strings.HasPrefix(err.Error(), "store: ") || !strings.Contains(err.Error(), table+": ") {
				t.Errorf("without %s: %v", table, err)
			}
			run(t, s, `ALTER TABLE hidden RENAME TO `+table)
			if n := rows(t, s); n != noRows {
				t.Errorf("without %s rows were left: %s", table, n)
			}
		}
	})
}

// Two transactions that lock two rows crosswise: the server ends one of them, which is run again.
func TestDeadlockIsRepeated(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.Postgres(t))
	if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{registered("L1"), registered("L2")}}); err != nil {
		t.Fatal(err)
	}
	var (
		bothLocked  sync.WaitGroup
		writers     sync.WaitGroup
		attempts    [2]int
		lockedFirst [2]sync.Once
	)
	bothLocked.Add(2)
	for i, order := range [][]string{{"L1", "L2"}, {"L2", "L1"}} {
		writers.Go(func() {
			err := s.Transaction(t.Context(), func(tx *sql.Tx) error {
				attempts[i]++
				for _, code := range order {
					if _, err := tx.ExecContext(t.Context(), `UPDATE licences SET revision = revision + 1 WHERE code = $1`, code); err != nil {
						return fmt.Errorf("update: %w", err)
					}
					lockedFirst[i].Do(func() {
						bothLocked.Done()
						bothLocked.Wait()
					})
				}
				return nil
			})
			if err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	writers.Wait()
	if attempts[0]+attempts[1] < 3 {
		t.Errorf("attempts %v: there was no deadlock to repeat", attempts)
	}
	for _, code := range []string{"L1", "L2"} {
		if l, err := s.Licences().Find(t.Context(), code); err != nil || l.Revision != 3 {
			t.Errorf("%s has revision %d, %v; want both updates", code, l.Revision, err)
		}
	}
}

func TestRepeatingIsBounded(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.Postgres(t))
	conflict := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$`)
		return err
	}
	attempts := 0
	err := s.Transaction(t.Context(), func(tx *sql.Tx) error { attempts++; return conflict(tx) })
	var pg *pgconn.PgError
	if attempts != store.AttemptsPerWrite || !errors.As(err, &pg) || pg.Code != "40001" {
		t.Errorf("%d attempts, %v; want %d and the last failure", attempts, err, store.AttemptsPerWrite)
	}

	ctx, cancel := context.WithCancel(t.Context())
	attempts = 0
	err = s.Transaction(ctx, func(tx *sql.Tx) error {
		if attempts++; attempts == 2 {
			defer cancel()
		}
		return conflict(tx)
	})
	if attempts != 2 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d attempts, %v; want 2, then the caller's cancellation", attempts, err)
	}

	attempts = 0
	other := errors.New("other")
	if err := s.Transaction(t.Context(), func(*sql.Tx) error { attempts++; return other }); attempts != 1 || !errors.Is(err, other) {
		t.Errorf("%d attempts, %v; want one: only conflicts are repeated", attempts, err)
	}
}

// A caller that gives up in the middle of a transaction leaves nothing, and the store works on.
func TestCancelInTransaction(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Transaction(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO licence_codes (digest, kind, licence_code, app, account, department, service_item,
				service_item_name, biz_num, sensitive, created, expires, revision) VALUES ($1, '', '', '', '', '', '', '', '', false, 0, 0, 1)`, digest("c"))
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Transaction = %v, want context.Canceled", err)
		}
		if n := rows(t, s); n != noRows {
			t.Errorf("rows were left: %s", n)
		}
		if err := s.Licences().Apply(t.Context(), crashRound(1)); err != nil {
			t.Errorf("Apply afterwards = %v", err)
		}
	})
}

// A restarted server costs its open connections, not the store.
func TestServerDropsConnections(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	s, admin := storetest.Open(t, url), storetest.Open(t, storetest.Postgres(t))
	if err := s.Licences().Apply(t.Context(), crashRound(1)); err != nil {
		t.Fatal(err)
	}
	run(t, admin, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '`+scalar(t, s, `SELECT current_database()`)+`'`)
	// The prepared reads and the writes come back, at the latest with the second call of each.
	for what, call := range map[string]func() error{
		"Find": func() error { _, err := s.Licences().Find(t.Context(), crashCode(1)); return err },
		"Apply": func() error {
			return s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{registered("L1")}})
		},
	} {
		err := call()
		if err != nil {
			err = call()
		}
		if err != nil {
			t.Errorf("%s after the server dropped all connections: %v", what, err)
		}
	}
}
