package store_test

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"licgate/licence"
	"licgate/store"
	"licgate/store/migrations"
	"licgate/store/storetest"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const password = "s3cr3t/pass"
	folder := t.TempDir()
	text := filepath.Join(folder, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		name, url string
		want      error // nil: any
	}{
		{"nothing", "", store.ErrURL},
		{"a path", folder + "/licgate.db", store.ErrURL},
		{"another database", "mysql://licgate:" + password + "@db/licgate", store.ErrURL},
		{"no scheme", "licgate:" + password + "@db/licgate", store.ErrURL},
		{"no file", "sqlite:", store.ErrURL},
		{"memory", "sqlite::memory:", store.ErrURL},
		{"no folder", "sqlite:" + filepath.Join(folder, "missing", "licgate.db"), fs.ErrNotExist},
		{"a folder", "sqlite:" + folder, nil},
		{"another file", "sqlite:" + text, nil},
		{"bad port", "postgres://licgate:" + password + "@db:port/licgate", store.ErrURL},
		{"bad escape", "postgres://licgate:" + password + "%zz@db/licgate", store.ErrURL},
		{"bad option", "postgresql://licgate:" + password + "@db/licgate?connect_timeout=soon", store.ErrURL},
		{"nobody there", "postgres://licgate:" + url.QueryEscape(password) + "@127.0.0.1:1/licgate?sslmode=disable", nil},
		{"nobody there, TLS", "postgres://licgate:" + url.QueryEscape(password) + "@127.0.0.1:1/licgate", nil},
		{"no socket", "postgres:///licgate?host=" + folder + "&user=u&password=" + url.QueryEscape(password), nil},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), one.url)
			if err == nil {
				t.Fatal("opened", s.Close())
			}
			if one.want != nil && !errors.Is(err, one.want) {
				t.Errorf("error %v, want %v", err, one.want)
			}
			if !strings.HasPrefix(err.Error(), "store: ") {
				t.Errorf("error %q does not say whose it is", err)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error repeats the password: %v", err)
			}
			// These carry the password in a field, where a structured logger would find it.
			var connecting *pgconn.ConnectError
			var parsing *pgconn.ParseConfigError
			if errors.As(err, &connecting) || errors.As(err, &parsing) {
				t.Errorf("the error carries the configuration: %v", err)
			}
		})
	}
}

func TestPasswordStaysHiddenLater(t *testing.T) {
	t.Parallel()
	at := storetest.Postgres(t)
	s := storetest.Open(t, at+"&password=s3cr3t")
	// New connections fail from now on, and the old ones are cut.
	admin := storetest.Open(t, storetest.Postgres(t))
	name := scalar(t, s, `SELECT current_database()`)
	run(t, admin, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`)
	run(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+name+`'`)
	err := s.Ping(t.Context())
	var connecting *pgconn.ConnectError
	if err == nil || errors.As(err, &connecting) || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("Ping = %v, want an error without the configuration", err)
	}
}

func TestDialect(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		if got := backend.Open(t).Dialect(); got != backend.Name {
			t.Errorf("Dialect = %q, want %q", got, backend.Name)
		}
	}
}

func TestPingAndClose(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("Ping = %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Ping(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("Ping after cancel = %v, want context.Canceled", err)
		}
		if _, err := store.Open(gone, url); !errors.Is(err, context.Canceled) {
			t.Errorf("Open after cancel = %v, want context.Canceled", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Error("a closed store answers")
		}
	})
}

// Identity data are in the file, if sealed: nobody but its owner reads it.
func TestSQLiteFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"licgate.db", "a b?mode=memory&x#y%41;é证照.db", "file:odd.db"} {
		folder := t.TempDir()
		s := storetest.Open(t, "sqlite:"+filepath.Join(folder, name))
		if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{registered("L1")}}); err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			found[entry.Name()] = true
			info, err := entry.Info()
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v, want 0600", entry.Name(), info.Mode())
			}
		}
		if len(found) != 3 || !found[name] || !found[name+"-wal"] || !found[name+"-shm"] {
			t.Errorf("files %v, want %q and its -wal and -shm", found, name)
		}
	}
}

func TestSQLitePragmas(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	for query, want := range map[string]string{
		"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA foreign_keys": "1", "PRAGMA busy_timeout": "10000", "PRAGMA query_only": "0",
	} {
		var got string
		if err := s.Writer().QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("writer: %s = %q, %v; want %q", query, got, err, want)
		}
	}
	if n := s.Writer().Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d writers, want one: they queue here, not at the file", n)
	}
	// Every reader of the pool, not only the first.
	for range 3 {
		conn, err := s.Reader().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for query, want := range map[string]string{"PRAGMA journal_mode": "wal", "PRAGMA busy_timeout": "10000", "PRAGMA query_only": "1"} {
			var got string
			if err := conn.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
				t.Errorf("reader: %s = %q, %v; want %q", query, got, err, want)
			}
		}
	}
}

// A second store on the same database is the command line beside a running gateway.
func TestTwoStores(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		first, second := storetest.Open(t, url), storetest.Open(t, url)
		for i, s := range []*store.Store{first, second} {
			code := []string{"L1", "L2"}[i]
			if err := s.Licences().Apply(t.Context(), licence.Write{Insert: []licence.Stored{registered(code)}}); err != nil {
				t.Fatal(err)
			}
			for _, reader := range []*store.Store{first, second} {
				if _, err := reader.Licences().Find(t.Context(), code); err != nil {
					t.Errorf("Find(%s) = %v", code, err)
				}
			}
		}
		migratedOnce(t, first)
	})
}

func TestOpenAtOnceMigratesOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		var opening sync.WaitGroup
		for range 6 {
			opening.Go(func() {
				if out, err := command(t, "open", url).CombinedOutput(); err != nil {
					t.Errorf("a process could not open: %v\n%s", err, out)
				}
			})
		}
		opening.Wait()
		s := storetest.Open(t, url)
		migratedOnce(t, s)
	})
}

// migratedOnce demands that every step was done, and none twice.
func migratedOnce(t *testing.T, s *store.Store) {
	t.Helper()
	steps, err := migrations.For(goose.DialectSQLite3)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if n := count(t, s, `SELECT count(*) FROM goose_db_version WHERE version_id = $1`, step.Version); n != 1 {
			t.Errorf("step %d was done %d times, want once", step.Version, n)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		run(t, s, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, true)`)
		newer, err := store.Open(t.Context(), url)
		if !errors.Is(err, store.ErrNewerSchema) {
			if err == nil {
				err = newer.Close()
			}
			t.Errorf("Open = %v, want ErrNewerSchema", err)
		}
	})
}

func TestStamp(t *testing.T) {
	t.Parallel()
	far, old := epoch.AddDate(1000, 0, 0), epoch.AddDate(-1000, 0, 0)
	if got := store.FromStamp(store.Stamp(epoch)); !got.Equal(epoch) || got.Location() != epoch.Location() {
		t.Errorf("%v came back as %v", epoch, got)
	}
	if n := store.Stamp(epoch.In(time.FixedZone("CST", 8*3600))); n != store.Stamp(epoch) {
		t.Error("the zone changes the stamp")
	}
	if !store.FromStamp(store.Stamp(time.Time{})).IsZero() {
		t.Error("the zero time does not stay zero")
	}
	if a, b, c := store.Stamp(old), store.Stamp(epoch), store.Stamp(far); a >= b || b >= c {
		t.Errorf("times out of range are not in order: %d %d %d", a, b, c)
	}
}

// FuzzSQLiteDSN holds that no path turns into options of the driver.
func FuzzSQLiteDSN(f *testing.F) {
	for _, path := range []string{"/data/licgate.db", "/a?mode=memory", "/a#b", "/%2f%zz", "/a b&_pragma=query_only(1)", "/证照", "//host/x", "/\x00\xff"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		path = "/" + path
		parsed, err := url.Parse(store.SQLiteDSN(path, url.Values{"_txlock": {"immediate"}}))
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		if parsed.Path != path || parsed.RawQuery != "_txlock=immediate" || parsed.Fragment != "" || parsed.Host != "" {
			t.Errorf("%q became %+v", path, parsed)
		}
	})
}

// TestOpenRefusesOpenFiles: a database that others may read or write, as a backup that sqlite3 wrote, is refused until its mode is put
// right; so is one whose side files are.
func TestOpenRefusesOpenFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "licgate.db")
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		file string
		mode fs.FileMode
	}{{path, 0o644}, {path, 0o602}, {path, 0o660}, {path + "-wal", 0o644}, {path + "-shm", 0o644}} {
		if err := os.WriteFile(path+"-wal", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+"-shm", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(one.file, one.mode); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), "sqlite:"+path)
		if err == nil {
			t.Fatalf("%s with mode %o: opened, %v", one.file, one.mode, s.Close())
		}
		var open *store.OpenFileError
		if !errors.As(err, &open) || open.Path != one.file || open.Mode != one.mode {
			t.Errorf("%s with mode %o: %v", one.file, one.mode, err)
		}
		if err := os.Chmod(one.file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = store.Open(t.Context(), "sqlite:"+path); err != nil {
		t.Fatalf("put right: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
