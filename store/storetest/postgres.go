package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// programs is where Debian puts PostgreSQL 15.
const programs = "/usr/lib/postgresql/15/bin"

// server is the one PostgreSQL of this test binary.
var server struct {
	once      sync.Once
	err       error
	folder    string // of the data and the socket
	stop      func()
	databases atomic.Int64
	hasMain   atomic.Bool
}

// Main runs the tests and then stops the server, if one was started: os.Exit(storetest.Main(m)).
func Main(m *testing.M) int {
	server.hasMain.Store(true)
	code := m.Run()
	if server.stop != nil {
		server.stop()
	}
	return code
}

// Postgres makes an empty database on the test binary's own PostgreSQL 15, started at the first call, and returns its URL.
// It fails the test when PostgreSQL is not installed.
func Postgres(t *testing.T) string {
	t.Helper()
	requireServer(t)
	name := "test" + strconv.FormatInt(server.databases.Add(1), 10)
	administer(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { administer(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return databaseURL(name)
}

func requireServer(t *testing.T) {
	t.Helper()
	if !server.hasMain.Load() {
		t.Fatal("storetest: TestMain must call os.Exit(storetest.Main(m)), or the server would be left behind")
	}
	server.once.Do(func() { server.err = start() })
	if server.err != nil {
		t.Fatal(server.err)
	}
}

func administer(t *testing.T, statement string) {
	t.Helper()
	// A cleanup runs when the test's context is over already.
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, databaseURL("postgres"))
	if err != nil {
		t.Fatalf("storetest: connect: %v", err)
	}
	_, err = conn.Exec(ctx, statement)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Fatalf("storetest: %s: %v", statement, err)
	}
}

func databaseURL(name string) string {
	options := url.Values{"host": {server.folder}, "user": {"postgres"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: options.Encode()}).String()
}

// start makes a cluster and runs it until Main ends or this process dies. It listens on a unix socket only.
func start() error {
	folder, err := os.MkdirTemp("", "licgate-postgres-")
	if err != nil {
		return fmt.Errorf("storetest: %w", err)
	}
	server.folder = folder
	server.stop = func() { os.RemoveAll(folder) }
	as, err := unprivileged(folder)
	if err != nil {
		return err
	}
	data := filepath.Join(folder, "data")
	// A locale that does not sort by bytes shows statements that lean on the server's own order.
	initdb := exec.Command(filepath.Join(programs, "initdb"), "--pgdata="+data, "--username=postgres", "--auth=trust", "--no-sync",
		"--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=zh")
	initdb.Dir = folder
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("storetest: initdb of PostgreSQL 15: %w\n%s", err, out)
	}

	var log bytes.Buffer
	postgres := exec.Command(filepath.Join(programs, "postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=400", "-c", "deadlock_timeout=100ms")
	postgres.Dir = folder
	postgres.Stdout, postgres.Stderr = &log, &log
	// The server must not outlive a test binary that is killed.
	postgres.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		// The signal is bound to the thread that started the server, so the thread is kept.
		runtime.LockOSThread()
		err := postgres.Start()
		started <- err
		if err == nil {
			_ = postgres.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("storetest: start PostgreSQL 15: %w", err)
	}
	server.stop = func() {
		_ = postgres.Process.Signal(syscall.SIGINT) // fast shutdown: clients are cut off
		<-ended
		os.RemoveAll(folder)
	}
	return awaitServer(ended, &log)
}

// unprivileged returns the user to run the server as, who then owns folder; nil when we are not root. PostgreSQL
// refuses to run as root.
func unprivileged(folder string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("storetest: PostgreSQL 15 is not installed (apt install postgresql-15): %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("storetest: uid of postgres: %w", err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("storetest: gid of postgres: %w", err)
	}
	if err := os.Chown(folder, int(uid), int(gid)); err != nil {
		return nil, fmt.Errorf("storetest: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func awaitServer(ended <-chan struct{}, log *bytes.Buffer) error {
	deadline := time.After(time.Minute)
	for {
		conn, err := pgx.Connect(context.Background(), databaseURL("postgres"))
		if err == nil {
			return conn.Close(context.Background())
		}
		select {
		case <-ended:
			return fmt.Errorf("storetest: PostgreSQL 15 ended at once:\n%s", strings.TrimSpace(log.String()))
		case <-deadline:
			return fmt.Errorf("storetest: PostgreSQL 15 does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
