package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"licgate/session"
	"licgate/session/sessiontest"
)

// server is the address of the Redis that TestMain started.
var server string

func TestMain(m *testing.M) {
	os.Exit(runWithServer(m))
}

// runWithServer starts a Redis of its own on a socket in a temporary folder, and ends it after the tests.
func runWithServer(m *testing.M) int {
	dir, err := os.MkdirTemp("", "redisstore")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for Redis:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "redis.sock")
	stop, err := startServer(dir, socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "these tests need redis-server (Debian package redis-server):", err)
		return 1
	}
	defer stop()
	server = "unix://" + socket
	return m.Run()
}

func startServer(dir, socket string) (stop func(), err error) {
	var output strings.Builder
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir,
		"--save", "", "--appendonly", "no", "--databases", "2")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer client.Close()
	for range 200 {
		if client.Ping(context.Background()).Err() == nil {
			return stop, nil
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("redis-server ended: %w: %s", err, output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	return nil, fmt.Errorf("redis-server does not answer: %s", output.String())
}

var prefixes atomic.Int64

// open returns a store with a prefix of its own.
func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), server, fmt.Sprintf("licgate-test-%d", prefixes.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// keys returns all keys of a store with their types.
func keys(t *testing.T, s *Store) []string {
	t.Helper()
	found, err := s.client.Keys(t.Context(), s.prefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sessiontest.Run(t, func(t *testing.T) session.Store { return open(t) })
}

func sample() session.Session {
	now := time.Now().Truncate(time.Millisecond)
	return session.Session{
		ID: "abc", AppKey: "hydj-key", Account: "110000_zhangbin", Department: "11110000000021135M", Address: "192.0.2.7",
		Created: now, LastSeen: now, Expires: now.Add(24 * time.Hour),
	}
}

func TestKeysShowNoNameAndLiveNotForEver(t *testing.T) {
	t.Parallel()
	s, v := open(t), sample()
	if err := s.Insert(t.Context(), []byte("digest"), v); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fail(t.Context(), []byte("attempt"), v.Created, 1, time.Hour, time.Hour); err != nil {
		t.Fatal(err)
	}
	found := keys(t, s)
	if len(found) != 7 { // session, attempt, expires, seen and three indexes
		t.Errorf("%d keys, want 7: %v", len(found), found)
	}
	for _, key := range found {
		for _, name := range []string{v.AppKey, v.Account, v.Department, v.Address, v.ID} {
			if strings.Contains(key, name) {
				t.Errorf("key %s shows %s", key, name)
			}
		}
		if strings.HasSuffix(key, ":expires") || strings.HasSuffix(key, ":seen") {
			continue
		}
		ttl, err := s.client.PTTL(t.Context(), key).Result()
		want := 48 * time.Hour
		if strings.Contains(key, ":f:") {
			want = 25 * time.Hour
		}
		if err != nil || ttl > want || ttl < want-time.Hour {
			t.Errorf("key %s lives %v, error %v, want %v", key, ttl, err, want)
		}
	}
}

func TestDeletingLeavesNoKey(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*Store) error{
		"Delete":         func(s *Store) error { return s.Delete(t.Context(), []byte("digest")) },
		"DeleteMatching": func(s *Store) error { _, err := s.DeleteMatching(t.Context(), session.Match{}); return err },
		"Purge": func(s *Store) error {
			_, err := s.Purge(t.Context(), time.Now().Add(48*time.Hour), time.Time{})
			return err
		},
	} {
		s := open(t)
		if err := s.Insert(t.Context(), []byte("digest"), sample()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Fail(t.Context(), []byte("key"), time.Now(), 5, time.Hour, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(remove(s), s.Clear(t.Context(), []byte("key"))); err != nil {
			t.Fatal(err)
		}
		if left := keys(t, s); len(left) != 0 {
			t.Errorf("%s leaves %v", name, left)
		}
	}
}

// A session whose key vanished by itself is gone for every method, and its index entries go with time.
func TestVanishedSession(t *testing.T) {
	t.Parallel()
	s, v := open(t), sample()
	ctx := t.Context()
	if err := s.Insert(ctx, []byte("digest"), v); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Del(ctx, s.sessionKey("646967657374")).Err(); err != nil { // hexadecimal of "digest"
		t.Fatal(err)
	}
	for _, match := range []session.Match{{}, {Account: v.Account}} {
		if all, err := s.List(ctx, match, 10); len(all) != 0 || err != nil {
			t.Errorf("List(%+v) = %+v, error %v, want none", match, all, err)
		}
	}
	if n, err := s.DeleteMatching(ctx, session.Match{Account: v.Account}); n != 0 || err != nil {
		t.Errorf("DeleteMatching removed %d, error %v, want 0", n, err)
	}
	if err := s.Touch(ctx, []byte("digest"), v.LastSeen); !errors.Is(err, session.ErrNoSession) {
		t.Errorf("Touch: error %v, want ErrNoSession", err)
	}
	for _, key := range []string{s.expiresKey(), s.seenKey()} {
		if n := s.client.ZCard(ctx, key).Val(); n != 0 {
			t.Errorf("%s still holds %d", key, n)
		}
	}
	// The index of the account is swept when a session of the account is opened after the entry's time.
	index := s.indexKey("u", v.Account)
	if err := s.client.ZAdd(ctx, index, redis.Z{Score: 1, Member: "646967657374"}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Insert(ctx, []byte("later"), v); err != nil {
		t.Fatal(err)
	}
	if members := s.client.ZRange(ctx, index, 0, -1).Val(); len(members) != 1 || members[0] != "6c61746572" {
		t.Errorf("the index holds %v, want the later session alone", members)
	}
}

func TestCorruptEntryIsNotNoSession(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	for field, value := range map[string]string{"created": "yesterday", "by_org_code": "perhaps", "expires": ""} {
		digest := []byte("digest of " + field)
		if err := s.Insert(ctx, digest, sample()); err != nil {
			t.Fatal(err)
		}
		key := s.sessionKey(fmt.Sprintf("%x", digest))
		if err := s.client.HSet(ctx, key, field, value).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Find(ctx, digest); !errors.Is(err, errCorrupt) || errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: error %v, want errCorrupt", field, err)
		}
		// It is not left out of a list either.
		if all, err := s.List(ctx, session.Match{}, 10); !errors.Is(err, errCorrupt) || all != nil {
			t.Errorf("%s: listed %+v, error %v, want errCorrupt", field, all, err)
		}
		if err := s.client.Del(ctx, key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.client.HSet(ctx, s.attemptKey([]byte("key")), "failures", "many", "locks", 0, "until", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Attempt(ctx, []byte("key")); !errors.Is(err, errCorrupt) {
		t.Errorf("Attempt: error %v, want errCorrupt", err)
	}
}

func TestPrefixesApart(t *testing.T) {
	t.Parallel()
	a, b := open(t), open(t)
	if err := a.Insert(t.Context(), []byte("digest"), sample()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Find(t.Context(), []byte("digest")); !errors.Is(err, session.ErrNoSession) {
		t.Errorf("Find under another prefix: error %v, want ErrNoSession", err)
	}
}

func TestSurvivesReopening(t *testing.T) {
	t.Parallel()
	prefix := fmt.Sprintf("licgate-test-%d", prefixes.Add(1))
	first, err := Open(t.Context(), server, prefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Insert(t.Context(), []byte("digest"), sample()), first.Close()); err != nil {
		t.Fatal(err)
	}
	second, err := Open(t.Context(), server, prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if v, err := second.Find(t.Context(), []byte("digest")); err != nil || v.Account != sample().Account {
		t.Errorf("found %+v, error %v", v, err)
	}
}

func TestOpenRefusals(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "localhost:6379", "http://user:geheim@localhost", "redis://user:ge/heim@localhost:6379", "redis://:geheim%@localhost",
		"redis://user:geheim@localhost/notanumber",
	} {
		_, err := Open(t.Context(), url, "p")
		if !errors.Is(err, errAddress) || strings.Contains(err.Error(), "heim") {
			t.Errorf("%q: error %v, want errAddress", url, err)
		}
	}
	_, err := Open(t.Context(), "unix://"+filepath.Join(t.TempDir(), "none.sock"), "p")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no server: error %v, want os.ErrNotExist", err)
	}
}

func TestServerGoneIsNotNoSession(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "redis.sock")
	stop, err := startServer(dir, socket)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "unix://"+socket, "p")
	if err != nil {
		stop()
		t.Fatal(err)
	}
	defer s.Close()
	stop()
	ctx, now := t.Context(), time.Now()
	d := []byte("digest")
	for name, call := range map[string]func() error{
		"Insert":         func() error { return s.Insert(ctx, d, sample()) },
		"Find":           func() error { _, err := s.Find(ctx, d); return err },
		"Touch":          func() error { return s.Touch(ctx, d, now) },
		"Delete":         func() error { return s.Delete(ctx, d) },
		"DeleteMatching": func() error { _, err := s.DeleteMatching(ctx, session.Match{}); return err },
		"List":           func() error { _, err := s.List(ctx, session.Match{}, 1); return err },
		"Purge":          func() error { _, err := s.Purge(ctx, now, now); return err },
		"Attempt":        func() error { _, err := s.Attempt(ctx, d); return err },
		"Fail":           func() error { _, err := s.Fail(ctx, d, now, 5, time.Second, time.Minute); return err },
		"Clear":          func() error { return s.Clear(ctx, d) },
		"Ping":           func() error { return s.Ping(ctx) },
	} {
		if err := call(); err == nil || errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: error %v, want one of the backend", name, err)
		}
	}
}
