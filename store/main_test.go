package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"licgate/licence"
	"licgate/store"
	"licgate/store/storetest"
)

// The test binary is its own child process: task says what the child does with the store of url.
const (
	childTask = "LICGATE_STORE_TEST_TASK"
	childURL  = "LICGATE_STORE_TEST_URL"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(childTask); task != "" {
		if err := child(task, os.Getenv(childURL)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(storetest.Main(m))
}

func child(task, url string) error {
	s, err := store.Open(context.Background(), url)
	if err != nil {
		return err
	}
	s.Guard(storetest.Keys{}, nil)
	switch task {
	case "open":
		return s.Close()
	case "write":
		return writeForever(s)
	}
	return errors.New("unknown task " + task)
}

// command is the test binary as a child with a task.
func command(t *testing.T, task, url string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childTask+"="+task, childURL+"="+url)
	return cmd
}

// onEach runs a test on a fresh database of every kind.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			test(t, backend.URL(t))
		})
	}
}

var epoch = time.Date(2026, 3, 1, 9, 30, 0, 123456789, time.UTC)

func digest(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// registered is a licence with two holders and an id_code of its own.
func registered(code string) licence.Stored {
	return licence.Stored{
		Code: code, Item: "item", Department: "D1", DivisionCode: "110105", BizNum: "B-1",
		State: licence.Registered, Revision: 1, IDCodeDigest: digest("id " + code),
		HolderDigests: [][]byte{digest("b " + code), digest("a " + code)},
		Created:       epoch, Sealed: []byte(strings.Repeat("sealed "+code, 50)),
	}
}

// issued is the next revision of a licence, signed.
func issued(l licence.Stored) licence.Stored {
	l.State, l.IssueTime = licence.Issued, epoch.Add(time.Hour)
	l.Revision++
	return l
}

func count(t *testing.T, s *store.Store, query string, args ...any) int {
	t.Helper()
	var n int
	if err := s.Reader().QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func run(t *testing.T, s *store.Store, statement string) {
	t.Helper()
	if _, err := s.Writer().ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func scalar(t *testing.T, s *store.Store, query string) string {
	t.Helper()
	var text string
	if err := s.Reader().QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}
