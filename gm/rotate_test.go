package gm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const graceAndMore = time.Hour + time.Minute

func rotate(t testing.TB, k *Keyring, department string) KeyID {
	t.Helper()
	id, err := k.Rotate(t.Context(), department)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRotate(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	a, b := node(t, dir, c), node(t, dir, c)
	old, elsewhere := seal(t, a, civil), seal(t, a, second)
	wantOpen(t, b, old)
	id := rotate(t, a, civil)
	if got := by(t, seal(t, a, civil)); got != id {
		t.Errorf("sealed by %s after the rotation to %s", got, id)
	}
	c.pass(a.keys().data.Fresh)
	if got := by(t, seal(t, b, civil)); got != id {
		t.Errorf("the other node seals by %s after the rotation to %s", got, id)
	}
	if by(t, seal(t, a, second)) != by(t, elsewhere) {
		t.Error("another department was rotated")
	}
	for _, k := range []*Keyring{a, b} {
		wantOpen(t, k, old)
	}
	if first := rotate(t, a, "new"); by(t, seal(t, a, "new")) != first {
		t.Error("rotation gives a department its first key, but it seals by another")
	}
}

func TestRotateAll(t *testing.T) {
	t.Parallel()
	dir, c, store := t.TempDir(), newClock(), newShelf(t, t.TempDir())
	k := node(t, dir, c, on(store))
	before := map[string]KeyID{"": by(t, seal(t, k, "")), civil: by(t, seal(t, k, civil)), second: by(t, seal(t, k, second))}
	if err := k.Shred(t.Context(), second, nobody); err != nil {
		t.Fatal(err)
	}
	if err := k.RotateAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, department := range []string{"", civil} {
		if by(t, seal(t, k, department)) == before[department] {
			t.Errorf("department %q was not rotated", department)
		}
	}
	if _, err := k.SealFor(second, nil, nil); !errors.Is(err, ErrShredded) {
		t.Errorf("rotation of all opened a shredded department again: error %v", err)
	}
	// One that fails does not stop the others.
	broken := errors.New("now and then")
	calls := 0
	store.add = func() error {
		if calls++; calls == 1 {
			return broken
		}
		return nil
	}
	if err := k.RotateAll(t.Context()); !errors.Is(err, broken) || calls != 2 {
		t.Errorf("error %v after %d calls, want %v after 2", err, calls, broken)
	}
}

func TestDestroy(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	a, b := node(t, dir, c), node(t, dir, c)
	values := newTable()
	values.fill(t, a, civil, 1)
	old := values.all()[0]
	id := by(t, old.Sealed)
	wantOpen := func(want error) {
		t.Helper()
		for _, k := range []*Keyring{a, b} {
			if _, err := k.Open(old.Sealed, old.Associated); !errors.Is(err, want) {
				t.Errorf("open: error %v, want %v", err, want)
			}
		}
	}
	destroy := func(what string, id KeyID, used func(context.Context, KeyID) (bool, error), want error) {
		t.Helper()
		if err := a.Destroy(t.Context(), id, used); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
	}
	never := func(context.Context, KeyID) (bool, error) {
		t.Error("asked for values before the key may be destroyed")
		return false, nil
	}
	destroy("no such key", "0000000000000000", never, ErrKeyUnknown)
	destroy("the root key", "57fef0a2", never, ErrKeyUnknown)
	destroy("active", id, never, ErrKeyState)
	next := rotate(t, a, civil)
	destroy("just retired", id, never, ErrKeyState)
	c.pass(time.Hour - time.Millisecond)
	destroy("retired for less than an hour", id, never, ErrKeyState)
	c.pass(graceAndMore)
	destroy("in use", id, values.used, ErrKeyInUse)
	broken := errors.New("no answer")
	destroy("not known whether in use", id, func(context.Context, KeyID) (bool, error) { return false, broken }, broken)
	wantOpen(nil)
	values.delete(old.Cursor)
	destroy("unused", id, values.used, nil)
	destroy("again", id, never, nil)
	destroy("its successor", next, never, ErrKeyState)
	c.pass(a.keys().data.Fresh)
	wantOpen(ErrShredded)
	s, err := b.Status(t.Context())
	if err != nil || s.Keys[0].State != KeyDestroyed || s.Keys[0].Shredded || s.Keys[0].Destroyed.IsZero() || s.Keys[1].State != KeyActive {
		t.Errorf("status %+v, error %v", s, err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, keysFileName)); err != nil || bytes.Count(content, []byte(`"wrapped"`)) != 1 {
		t.Errorf("the file still holds the key, error %v: %s", err, content)
	}
}

// A node that had the key in hand when it was destroyed neither seals nor opens by it, nor unwraps it again.
func TestDestroyedKeyIsErased(t *testing.T) {
	t.Parallel()
	c := newClock()
	k := node(t, t.TempDir(), c)
	sealed := seal(t, k, civil)
	d := k.keys().data
	key, s, err := d.sealing(civil)
	if err != nil {
		t.Fatal(err)
	}
	inner, outer := s.inner, s.outer
	if err := k.Shred(t.Context(), civil, nobody); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(inner, make([]byte, len(inner))) || !bytes.Equal(outer, make([]byte, len(outer))) {
		t.Error("the key is still in memory")
	}
	if _, err := key.seal(s, d, nil, nil); !errors.Is(err, ErrShredded) {
		t.Errorf("seal with what was in hand: error %v, want ErrShredded", err)
	}
	if _, err := d.unwrapped(key); !errors.Is(err, ErrShredded) {
		t.Errorf("unwrap from an old record: error %v, want ErrShredded", err)
	}
	if _, err := k.Open(sealed, []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("open: error %v, want ErrShredded", err)
	}
}

func TestShredDepartment(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	a, b := node(t, dir, c), node(t, dir, c)
	old := seal(t, a, civil)
	rotate(t, a, civil)
	values := [][]byte{old, seal(t, a, civil)}
	foreign, none := seal(t, a, second), seal(t, a, "")
	for _, v := range append(values, foreign, none) {
		wantOpen(t, b, v)
	}
	broken := errors.New("no answer")
	for name, c := range map[string]struct {
		department string
		elsewhere  func(context.Context) (bool, error)
		want       error
	}{
		"values elsewhere": {civil, func(context.Context) (bool, error) { return true, nil }, ErrElsewhere},
		"not known":        {civil, func(context.Context) (bool, error) { return false, broken }, broken},
		"no keys":          {"nobody", nobody, ErrKeyUnknown},
	} {
		if err := a.Shred(t.Context(), c.department, c.elsewhere); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	if err := a.Shred(t.Context(), "", nobody); err == nil {
		t.Error("the key of no department was shredded")
	}
	wantOpen(t, a, values[0])
	if err := a.Shred(t.Context(), civil, nobody); err != nil {
		t.Fatal(err)
	}
	c.pass(a.keys().data.Fresh)
	restarted := node(t, dir, c)
	for _, k := range []*Keyring{a, b, restarted} {
		for _, v := range values {
			if _, err := k.Open(v, []byte(column)); !errors.Is(err, ErrShredded) || errors.Is(err, ErrSealed) {
				t.Errorf("open: error %v, want ErrShredded", err)
			}
		}
		if _, err := k.SealFor(civil, nil, nil); !errors.Is(err, ErrShredded) {
			t.Errorf("seal: error %v, want ErrShredded", err)
		}
		wantOpen(t, k, foreign)
		wantOpen(t, k, none)
	}
	c.pass(92 * 24 * time.Hour)
	if _, err := a.SealFor(civil, nil, nil); !errors.Is(err, ErrShredded) {
		t.Errorf("a new period opened the department again: error %v", err)
	}
	if err := a.Shred(t.Context(), civil, nobody); err != nil {
		t.Errorf("again: %v", err)
	}
	// Only an administrator opens it again, and nothing of before comes back.
	rotate(t, b, civil)
	c.pass(a.keys().data.Fresh)
	wantOpen(t, a, seal(t, b, civil))
	if _, err := a.Open(old, []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("open: error %v, want ErrShredded", err)
	}
}

// A period ends at one node while another shreds the department: the first gives it no key that nobody shreds.
func TestShredWhilePeriodEnds(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	a := node(t, dir, c)
	store := newShelf(t, dir)
	b := node(t, dir, c, on(store))
	seal(t, a, civil)
	wantOpen(t, b, seal(t, b, civil))
	store.add = func() error {
		store.add = nil
		return a.Shred(t.Context(), civil, nobody)
	}
	c.pass(92 * 24 * time.Hour)
	if _, err := b.SealFor(civil, nil, nil); !errors.Is(err, ErrShredded) {
		t.Errorf("seal: error %v, want ErrShredded", err)
	}
	for _, key := range must(a.Status(t.Context())).Keys {
		if key.State != KeyDestroyed {
			t.Errorf("%+v outlives the shredding", key)
		}
	}
}

// The other way round: while one node shreds, another adds a key. It is shredded too.
func TestPeriodEndsWhileShredding(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	store := newShelf(t, dir)
	a, b := node(t, dir, c, on(store)), node(t, dir, c)
	seal(t, a, civil)
	var late []byte
	store.replace = func() error {
		store.replace = nil
		if _, err := b.Rotate(t.Context(), civil); err != nil {
			return err
		}
		late = seal(t, b, civil)
		return nil
	}
	if err := a.Shred(t.Context(), civil, nobody); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Open(late, []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("open: error %v, want ErrShredded", err)
	}
	if s := must(a.Status(t.Context())); len(s.Keys) != 2 || s.Keys[0].State != KeyDestroyed || s.Keys[1].State != KeyDestroyed {
		t.Errorf("keys %+v, want two, destroyed", s.Keys)
	}
}

// What this node wrote is taken up after it has read what came later: the later stays.
func TestOldRecordTakesNoPlace(t *testing.T) {
	t.Parallel()
	k := node(t, t.TempDir(), newClock())
	sealed := seal(t, k, civil)
	d := k.keys().data
	old := d.newest(civil).record
	if err := k.Shred(t.Context(), civil, nobody); err != nil {
		t.Fatal(err)
	}
	d.adopt(old)
	if _, err := k.Open(sealed, []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("open: error %v, want ErrShredded", err)
	}
	if s := must(k.Status(t.Context())); s.Keys[0].State != KeyDestroyed {
		t.Errorf("status %+v", s)
	}
}

func TestShredIsResumed(t *testing.T) {
	t.Parallel()
	dir, c, broken := t.TempDir(), newClock(), errors.New("power cut")
	store := newShelf(t, dir)
	k := node(t, dir, c, on(store))
	values := [][]byte{seal(t, k, civil)}
	for range 3 {
		rotate(t, k, civil)
		values = append(values, seal(t, k, civil))
	}
	calls := 0
	store.replace = func() error {
		if calls++; calls > 1 {
			return broken
		}
		return nil
	}
	if err := k.Shred(t.Context(), civil, nobody); !errors.Is(err, broken) {
		t.Fatalf("error %v, want %v", err, broken)
	}
	// The newest is gone first: no new value can appear.
	if _, err := k.SealFor(civil, nil, nil); !errors.Is(err, ErrShredded) {
		t.Errorf("seal: error %v, want ErrShredded", err)
	}
	wantOpen(t, k, values[0])
	store.replace = nil
	if err := k.Shred(t.Context(), civil, nobody); err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if _, err := k.Open(v, []byte(column)); !errors.Is(err, ErrShredded) {
			t.Errorf("open: error %v, want ErrShredded", err)
		}
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	dir, c, w := t.TempDir(), newClock(), newSpy(t)
	plain := node(t, dir, c)
	values := [][]byte{seal(t, plain, civil), seal(t, plain, second)}
	digest := plain.Digest(PurposeToken, nil)
	rotate(t, plain, civil)
	values = append(values, seal(t, plain, civil))
	if err := plain.Shred(t.Context(), second, nobody); err != nil {
		t.Fatal(err)
	}
	// From the file to a wrapper that holds its key elsewhere: the root key is wrapped too.
	k := node(t, dir, c, with(w))
	if n, err := k.Rewrap(t.Context()); err != nil || n != 2 {
		t.Fatalf("wrapped %d keys, error %v, want 2", n, err)
	}
	content, err := os.ReadFile(filepath.Join(dir, keyringFile))
	if err != nil || bytes.Contains(content, []byte(`"root"`)) || !bytes.Contains(content, []byte(w.ID())) {
		t.Errorf("local.key is %s, error %v", content, err)
	}
	if info, err := os.Stat(filepath.Join(dir, keyringFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("local.key has mode %v, error %v", info.Mode(), err)
	}
	if _, err := OpenKeys(t.Context(), KeysConfig{Dir: dir, Now: c.Now}); !errors.Is(err, ErrKEKUnknown) {
		t.Errorf("without the wrapper: error %v, want ErrKEKUnknown", err)
	}
	check := func(k *Keyring, kek string) {
		t.Helper()
		wantOpen(t, k, values[0])
		wantOpen(t, k, values[2])
		if !bytes.Equal(k.Digest(PurposeToken, nil), digest) {
			t.Error("another root key")
		}
		s, err := k.Status(t.Context())
		if err != nil || s.KEK != kek {
			t.Fatalf("status %+v, error %v", s, err)
		}
		for _, key := range s.Keys {
			if key.State != KeyDestroyed && key.KEK != kek {
				t.Errorf("%+v is not wrapped by %s", key, kek)
			}
		}
	}
	check(node(t, dir, c, with(w)), w.ID())
	// And back.
	back := node(t, dir, c, func(c *KeysConfig) { c.Former = []KeyWrapper{w} })
	if _, err := back.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.broken(errors.New("must not be asked any more"))
	check(node(t, dir, c), "file:"+string(must(back.Status(t.Context())).Root))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Rewrap and Destroy change the same records from two nodes; neither is lost.
func TestRewrapWhileDestroying(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir, c := t.TempDir(), newClock()
		a, b := node(t, dir, c), node(t, dir, c)
		old := seal(t, a, civil)
		rotate(t, a, civil)
		fresh := seal(t, a, civil)
		c.pass(graceAndMore)
		var all sync.WaitGroup
		all.Go(func() {
			if err := a.Destroy(t.Context(), by(t, old), func(context.Context, KeyID) (bool, error) { return false, nil }); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := b.Rewrap(t.Context()); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		c.pass(10 * time.Second)
		for _, k := range []*Keyring{a, b} {
			wantOpen(t, k, fresh)
			if _, err := k.Open(old, []byte(column)); !errors.Is(err, ErrShredded) {
				t.Errorf("open: error %v, want ErrShredded", err)
			}
		}
	}
}

func TestWithoutDataKeys(t *testing.T) {
	t.Parallel()
	k := golden(t)
	_, status := k.Status(t.Context())
	_, rotate := k.Rotate(t.Context(), civil)
	_, rewrap := k.Rewrap(t.Context())
	for name, err := range map[string]error{
		"status": status, "rotate": rotate, "rewrap": rewrap, "all": k.RotateAll(t.Context()),
		"shred": k.Shred(t.Context(), civil, nobody), "destroy": k.Destroy(t.Context(), "0000000000000000", nil),
	} {
		if !errors.Is(err, ErrNoDataKeys) {
			t.Errorf("%s: error %v, want ErrNoDataKeys", name, err)
		}
	}
	sealed := seal(t, k, civil)
	if sealed[0] != sealVersion1 {
		t.Errorf("sealed in version %d", sealed[0])
	}
	if fresh, changed, err := k.Reseal(civil, sealed, []byte(column)); err != nil || changed || !bytes.Equal(fresh, sealed) {
		t.Errorf("resealed: %v, error %v", changed, err)
	}
}

// Three nodes seal, open, change and reseal while keys are rotated, rewrapped and destroyed. Every value opens at every moment.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	dir, c, values := t.TempDir(), newClock(), newTable()
	var nodes []*Keyring
	for range 3 {
		nodes = append(nodes, node(t, dir, c))
	}
	departments := []string{"", civil, second}
	for _, department := range departments {
		values.fill(t, nodes[0], department, 8)
	}
	// The clock stands still while a value is being written: no write takes as long as Grace.
	var writing sync.RWMutex
	var stop atomic.Bool
	var all sync.WaitGroup
	for i := range 6 {
		k := nodes[i%len(nodes)]
		all.Go(func() {
			for n := 0; !stop.Load(); n++ {
				writing.RLock()
				department := departments[n%len(departments)]
				row := n % 8
				v := values.get(fmt.Sprintf("%s/%04d", department, row))
				if plain, err := k.Open(v.Sealed, v.Associated); err != nil || !bytes.Equal(plain, text(department, row)) {
					t.Errorf("%s opens as %q, error %v", v.Cursor, plain, err)
				}
				if i < 3 {
					sealed, err := k.SealFor(department, text(department, row), v.Associated)
					if err != nil {
						t.Error(err)
					}
					old := v
					if err := values.doSwap([]Value{old}, [][]byte{sealed}); err != nil {
						t.Error(err)
					}
				}
				writing.RUnlock()
			}
		})
	}
	destroyed := 0
	for round := range 6 {
		k := nodes[round%len(nodes)]
		if err := k.RotateAll(t.Context()); err != nil {
			t.Error(err)
		}
		if round%4 == 3 {
			if _, err := k.Rewrap(t.Context()); err != nil {
				t.Error(err)
			}
		}
		writing.Lock()
		c.pass(10 * time.Second) // all nodes look anew
		writing.Unlock()
		if p, err := (&Resealing{Keys: k, Values: values, Batch: 5}).Run(t.Context(), Progress{}); err != nil || p.Refused+p.Shredded > 0 {
			t.Errorf("progress %+v, error %v", p, err)
		}
		writing.Lock()
		c.pass(graceAndMore)
		writing.Unlock()
		s, err := k.Status(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, key := range s.Keys {
			if key.State != KeyRetired {
				continue
			}
			switch err := k.Destroy(t.Context(), key.ID, values.used); {
			case err == nil:
				destroyed++
			case !errors.Is(err, ErrKeyInUse):
				t.Error(err)
			}
		}
	}
	stop.Store(true)
	all.Wait()
	values.check(t, node(t, dir, c))
	if destroyed == 0 {
		t.Error("no key was destroyed")
	}
}
