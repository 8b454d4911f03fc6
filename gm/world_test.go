package gm

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: goldenTime} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// node opens one more keyring on dir, as another process would.
func node(t testing.TB, dir string, c *clock, edits ...func(*KeysConfig)) *Keyring {
	t.Helper()
	config := KeysConfig{Dir: dir, Now: c.Now}
	for _, edit := range edits {
		edit(&config)
	}
	return openKeys(t, config)
}

// table is a column of sealed values: a store of many rows.
type table struct {
	mu   sync.Mutex
	rows map[string]Value
	swap func(values []Value, fresh [][]byte) error // instead, when set
}

func newTable() *table { return &table{rows: map[string]Value{}} }

func (s *table) put(v Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[v.Cursor] = v
}

func (s *table) get(cursor string) Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[cursor]
}

func (s *table) delete(cursor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, cursor)
}

func (s *table) all() []Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Value
	for _, v := range s.rows {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b Value) int { return bytes.Compare([]byte(a.Cursor), []byte(b.Cursor)) })
	return all
}

func (s *table) Count(context.Context) (int64, error) { return int64(len(s.all())), nil }

func (s *table) Next(_ context.Context, after string, limit int) ([]Value, error) {
	all := slices.DeleteFunc(s.all(), func(v Value) bool { return v.Cursor <= after })
	return all[:min(limit, len(all))], nil
}

func (s *table) Swap(_ context.Context, values []Value, fresh [][]byte) error {
	if s.swap != nil {
		return s.swap(values, fresh)
	}
	return s.doSwap(values, fresh)
}

func (s *table) doSwap(values []Value, fresh [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, v := range values {
		if now, ok := s.rows[v.Cursor]; ok && bytes.Equal(now.Sealed, v.Sealed) {
			now.Sealed = fresh[i]
			s.rows[v.Cursor] = now
		}
	}
	return nil
}

// used is what Keyring.Destroy asks.
func (s *table) used(_ context.Context, id KeyID) (bool, error) {
	for _, v := range s.all() {
		if by, err := SealedBy(v.Sealed); err == nil && by == id {
			return true, nil
		}
	}
	return false, nil
}

// text is what row i of a department holds.
func text(department string, i int) []byte { return fmt.Appendf(nil, "内容 %s %d", department, i) }

// fill seals n rows for a department.
func (s *table) fill(t testing.TB, k *Keyring, department string, n int) {
	t.Helper()
	for i := range n {
		v := Value{Cursor: fmt.Sprintf("%s/%04d", department, i), Department: department}
		v.Associated = []byte("row/" + v.Cursor)
		var err error
		if v.Sealed, err = k.SealFor(department, text(department, i), v.Associated); err != nil {
			t.Fatal(err)
		}
		s.put(v)
	}
}

// check opens every row.
func (s *table) check(t testing.TB, k *Keyring) {
	t.Helper()
	for _, v := range s.all() {
		var i int
		if _, err := fmt.Sscanf(v.Cursor[len(v.Department)+1:], "%d", &i); err != nil {
			t.Fatal(err)
		}
		plain, err := k.Open(v.Sealed, v.Associated)
		if err != nil || !bytes.Equal(plain, text(v.Department, i)) {
			t.Errorf("%s opens as %q, error %v", v.Cursor, plain, err)
		}
	}
}

func by(t testing.TB, sealed []byte) KeyID {
	t.Helper()
	id, err := SealedBy(sealed)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func seal(t testing.TB, k *Keyring, department string) []byte {
	t.Helper()
	sealed, err := k.SealFor(department, []byte(secret), []byte(column))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func wantOpen(t testing.TB, k *Keyring, sealed []byte) {
	t.Helper()
	plain, err := k.Open(sealed, []byte(column))
	if err != nil || string(plain) != secret {
		t.Errorf("opened %q, error %v", plain, err)
	}
}

// spy is a wrapper whose calls are counted, and may fail.
type spy struct {
	KeyWrapper
	mu             sync.Mutex
	wraps, unwraps int
	fail           error
}

func (s *spy) call(n *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
	return s.fail
}

func (s *spy) broken(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *spy) calls() (wraps, unwraps int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wraps, s.unwraps
}

func (s *spy) Wrap(ctx context.Context, key, binding []byte) ([]byte, error) {
	if err := s.call(&s.wraps); err != nil {
		return nil, err
	}
	return s.KeyWrapper.Wrap(ctx, key, binding)
}

func (s *spy) Unwrap(ctx context.Context, wrapped, binding []byte) ([]byte, error) {
	if err := s.call(&s.unwraps); err != nil {
		return nil, err
	}
	return s.KeyWrapper.Unwrap(ctx, wrapped, binding)
}

func newSpy(t testing.TB) *spy {
	t.Helper()
	w, err := FileWrapper(t.TempDir()+"/kek", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &spy{KeyWrapper: w}
}

func with(w KeyWrapper) func(*KeysConfig) { return func(c *KeysConfig) { c.Wrapper = w } }

func on(s KeyStore) func(*KeysConfig) { return func(c *KeysConfig) { c.Store = s } }

// shelf is a store whose calls may fail, or do something first.
type shelf struct {
	KeyStore
	changes func() error
	add     func() error
	replace func() error
}

func (s *shelf) Changes(ctx context.Context, since int64) ([]KeyRecord, error) {
	if s.changes != nil {
		if err := s.changes(); err != nil {
			return nil, err
		}
	}
	return s.KeyStore.Changes(ctx, since)
}

func (s *shelf) Add(ctx context.Context, r KeyRecord, newest int64) (KeyRecord, error) {
	if s.add != nil {
		if err := s.add(); err != nil {
			return KeyRecord{}, err
		}
	}
	return s.KeyStore.Add(ctx, r, newest)
}

func (s *shelf) Replace(ctx context.Context, r KeyRecord) (KeyRecord, error) {
	if s.replace != nil {
		if err := s.replace(); err != nil {
			return KeyRecord{}, err
		}
	}
	return s.KeyStore.Replace(ctx, r)
}

func newShelf(t testing.TB, dir string) *shelf {
	t.Helper()
	s, err := OpenFileKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &shelf{KeyStore: s}
}
