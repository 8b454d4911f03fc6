package gm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const second = "91350100M000100Y43"

func TestSeal2RoundTrip(t *testing.T) {
	t.Parallel()
	k := node(t, t.TempDir(), newClock())
	for _, size := range []int{0, 1, 15, 16, 17, 1024, 1 << 20} {
		plain := bytes.Repeat([]byte{0xa5}, size)
		for _, associated := range [][]byte{nil, []byte("row/column"), bytes.Repeat([]byte("x"), 10_000)} {
			for _, department := range []string{"", civil} {
				sealed, err := k.SealFor(department, plain, associated)
				if err != nil {
					t.Fatal(err)
				}
				if len(sealed) != size+41 {
					t.Errorf("%d bytes sealed are %d, want 41 more", size, len(sealed))
				}
				got, err := k.Open(sealed, associated)
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%d bytes came back as %d, error %v", size, len(got), err)
				}
			}
		}
	}
	if a, b := seal(t, k, ""), seal(t, k, ""); bytes.Equal(a[9:25], b[9:25]) || bytes.Equal(a[25:], b[25:]) {
		t.Error("the same plaintext was sealed alike twice")
	}
}

func TestOpen2RefusesEveryChange(t *testing.T) {
	t.Parallel()
	k := goldenV2(t)
	sealed := unhex(t, goldenSealed2)
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			want := ErrSealed
			if i >= 1 && i < headSize2 {
				want = ErrKeyUnknown
			}
			if plain, err := k.Open(changed, []byte(column)); !errors.Is(err, want) || plain != nil {
				t.Fatalf("byte %d bit %d changed: %q, error %v, want %v", i, bit, plain, err, want)
			}
		}
	}
	for n := range sealed {
		if _, err := k.Open(sealed[:n], []byte(column)); !errors.Is(err, ErrSealed) {
			t.Fatalf("cut to %d bytes: error %v, want ErrSealed", n, err)
		}
		if _, err := SealedBy(sealed[:n]); n < headSize2+recordExtra && !errors.Is(err, ErrSealed) {
			t.Fatalf("cut to %d bytes: SealedBy error %v, want ErrSealed", n, err)
		}
	}
	for _, other := range []string{"", "licence/2/data_fields", column[1:], column + "x"} {
		if _, err := k.Open(sealed, []byte(other)); !errors.Is(err, ErrSealed) {
			t.Errorf("associated %q: error %v, want ErrSealed", other, err)
		}
	}
}

func TestEachDepartmentAndPeriodHasItsKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	k := node(t, t.TempDir(), c)
	spring := seal(t, k, civil)
	if by(t, spring) != by(t, seal(t, k, civil)) {
		t.Error("two keys in one quarter")
	}
	for _, other := range []string{"", second} {
		if by(t, seal(t, k, other)) == by(t, spring) {
			t.Errorf("department %q shares its key", other)
		}
	}
	c.pass(30 * 24 * time.Hour) // 2026-04-04
	summer := seal(t, k, civil)
	if by(t, summer) == by(t, spring) {
		t.Error("the next quarter has no key of its own")
	}
	wantOpen(t, k, spring)
	wantOpen(t, k, summer)
	s, err := k.Status(t.Context())
	if err != nil || len(s.Keys) != 4 {
		t.Fatalf("status %+v, error %v", s, err)
	}
	for i, want := range []struct {
		department, period string
		generation         int
		state              KeyState
	}{{"", "2026Q1", 1, KeyActive}, {civil, "2026Q1", 1, KeyRetired}, {civil, "2026Q2", 2, KeyActive}, {second, "2026Q1", 1, KeyActive}} {
		got := s.Keys[i]
		if got.Department != want.department || got.Period != want.period || got.Generation != want.generation || got.State != want.state {
			t.Errorf("key %d is %+v, want %+v", i, got, want)
		}
	}
	if !s.Keys[1].Retired.Equal(s.Keys[2].Created) || !s.RootClear || s.KEK != "file:"+string(s.Root) || len(s.Missing) != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, c := range []struct {
		period Period
		at     string
		want   string
	}{
		{Quarter, "2026-03-31T15:59:59Z", "2026Q1"}, // still March in Beijing
		{Quarter, "2026-03-31T16:00:00Z", "2026Q2"},
		{Quarter, "2026-12-31T16:00:00Z", "2027Q1"},
		{Month, "2026-09-30T15:59:59Z", "2026-09"},
		{Month, "2026-09-30T16:00:00Z", "2026-10"},
		{Year, "2026-12-31T15:59:59Z", "2026"},
		{Year, "2026-12-31T16:00:00Z", "2027"},
	} {
		var today calendar
		if got := today.name(c.period, at(c.at)); got != c.want {
			t.Errorf("%s of %s is %q in the calendar, want %q", c.period, c.at, got, c.want)
		}
		if got := c.period.name(at(c.at)); got != c.want {
			t.Errorf("%s of %s is %q, want %q", c.period, c.at, got, c.want)
		}
	}
	var today calendar
	for _, when := range []string{"2026-03-31T15:59:59Z", "2026-03-31T16:00:00Z", "2026-03-31T15:59:59Z"} {
		if got, want := today.name(Quarter, at(when)), Quarter.name(at(when)); got != want {
			t.Errorf("%s is in %q in the calendar, want %q", when, got, want)
		}
	}
	for _, p := range []Period{Month, Quarter, Year} {
		if got, err := ParsePeriod(p.String()); err != nil || got != p {
			t.Errorf("%s is read as %s, error %v", p, got, err)
		}
	}
	if _, err := ParsePeriod("week"); err == nil {
		t.Error("a week is a period")
	}
}

// A clock that goes behind makes no key of a period that is over: two nodes would rotate for ever.
func TestClockBehind(t *testing.T) {
	t.Parallel()
	dir, ahead, behind := t.TempDir(), newClock(), newClock()
	ahead.pass(30 * 24 * time.Hour)
	a, b := node(t, dir, ahead), node(t, dir, behind)
	want := by(t, seal(t, a, civil))
	if got := by(t, seal(t, b, civil)); got != want {
		t.Errorf("the node behind seals by %s, want %s", got, want)
	}
	if _, err := b.Rotate(t.Context(), civil); err != nil {
		t.Fatal(err)
	}
	ahead.pass(10 * time.Second)
	seal(t, a, civil)
	if s, err := a.Status(t.Context()); err != nil || len(s.Keys) != 2 || s.Keys[1].Period != "2026Q2" {
		t.Errorf("keys %+v, error %v; want two, of 2026Q2", s.Keys, err)
	}
}

func TestKeysSurviveRestart(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	a := node(t, dir, c)
	sealed := seal(t, a, civil)
	b := node(t, dir, c)
	wantOpen(t, b, sealed)
	if by(t, seal(t, b, civil)) != by(t, sealed) {
		t.Error("another key after a restart")
	}
}

// Nodes that make a department's key at once agree on one. While it is made, the one of the period before may still seal.
func TestNodesAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	var nodes []*Keyring
	for range 4 {
		nodes = append(nodes, node(t, dir, c))
	}
	for round := range 3 {
		sealed := make([][]byte, 32)
		var all sync.WaitGroup
		for i := range sealed {
			all.Go(func() {
				var err error
				if sealed[i], err = nodes[i%len(nodes)].SealFor(civil, []byte(secret), []byte(column)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s, err := nodes[0].Status(t.Context())
		if err != nil || len(s.Keys) != round+1 {
			t.Fatalf("round %d: keys %+v, error %v; want %d", round, s.Keys, err, round+1)
		}
		for i, value := range sealed {
			id := by(t, value)
			if id != s.Keys[round].ID && (round == 0 || id != s.Keys[round-1].ID) {
				t.Errorf("round %d: sealed by %s, which is neither the newest nor the one before", round, id)
			}
			wantOpen(t, nodes[(i+1)%len(nodes)], value)
		}
		c.pass(10 * time.Second)
		for i, k := range nodes {
			if id := by(t, seal(t, k, civil)); id != s.Keys[round].ID {
				t.Errorf("round %d: node %d seals by %s, want %s", round, i, id, s.Keys[round].ID)
			}
		}
		c.pass(92 * 24 * time.Hour)
	}
}

// What another node has just sealed opens, though its key is new to us.
func TestKeyOfAnotherNode(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	a, b := node(t, dir, c), node(t, dir, c)
	wantOpen(t, b, seal(t, a, civil))
	if _, err := b.Open(append([]byte{2, 1, 2, 3, 4, 5, 6, 7, 8}, make([]byte, 40)...), nil); !errors.Is(err, ErrKeyUnknown) {
		t.Errorf("a key of nobody: error %v, want ErrKeyUnknown", err)
	}
}

func TestUnwrappedOnce(t *testing.T) {
	t.Parallel()
	dir, c, w := t.TempDir(), newClock(), newSpy(t)
	sealed := seal(t, node(t, dir, c, with(w)), civil)
	k := node(t, dir, c, with(w))
	_, before := w.calls()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { wantOpen(t, k, sealed) })
	}
	all.Wait()
	seal(t, k, civil)
	if _, after := w.calls(); after != before+1 {
		t.Errorf("unwrapped %d times, want once", after-before)
	}
}

func TestWrapperOutOfReach(t *testing.T) {
	t.Parallel()
	dir, c, w := t.TempDir(), newClock(), newSpy(t)
	k := node(t, dir, c, with(w))
	sealed := seal(t, k, civil)
	w.broken(fmt.Errorf("%w: unplugged", ErrKEKUnavailable))
	wantOpen(t, k, sealed) // held
	if by(t, seal(t, k, civil)) != by(t, sealed) {
		t.Error("another key")
	}
	if _, err := k.SealFor(second, nil, nil); !errors.Is(err, ErrKEKUnavailable) {
		t.Errorf("a new department: error %v, want ErrKEKUnavailable", err)
	}
	if _, err := OpenKeys(t.Context(), KeysConfig{Dir: dir, Wrapper: w, Now: c.Now}); !errors.Is(err, ErrKEKUnavailable) {
		t.Errorf("starting: error %v, want ErrKEKUnavailable", err)
	}
	// The period ends: the department goes on with the key that it has, and asks again now and then.
	c.pass(30 * 24 * time.Hour)
	wraps, _ := w.calls()
	for range 5 {
		if by(t, seal(t, k, civil)) != by(t, sealed) {
			t.Error("another key")
		}
	}
	if now, _ := w.calls(); now != wraps+1 {
		t.Errorf("the wrapper was asked %d times, want once a minute", now-wraps)
	}
	w.broken(nil)
	c.pass(memoryOfNext)
	if by(t, seal(t, k, civil)) == by(t, sealed) {
		t.Error("no key for the new period though the wrapper is back")
	}
	seal(t, k, second)
}

func TestFailureToUnwrapIsNotForEver(t *testing.T) {
	t.Parallel()
	dir, c, w := t.TempDir(), newClock(), newSpy(t)
	sealed := seal(t, node(t, dir, c, with(w)), civil)
	k := node(t, dir, c, with(w))
	w.broken(fmt.Errorf("%w: unplugged", ErrKEKUnavailable))
	_, before := w.calls()
	for range 5 {
		if _, err := k.Open(sealed, []byte(column)); !errors.Is(err, ErrKEKUnavailable) {
			t.Errorf("error %v, want ErrKEKUnavailable", err)
		}
	}
	if _, now := w.calls(); now != before+1 {
		t.Errorf("asked %d times within a second, want once", now-before)
	}
	w.broken(nil)
	c.pass(memory)
	wantOpen(t, k, sealed)
}

// A wrapper that does not give back what it wrapped must never be the only holder of a key.
func TestWrapperThatLies(t *testing.T) {
	t.Parallel()
	w := liar{newSpy(t)}
	dir := t.TempDir()
	if _, err := OpenKeys(t.Context(), KeysConfig{Dir: dir, Wrapper: w}); !errors.Is(err, ErrWrapped) {
		t.Errorf("root key: error %v, want ErrWrapped", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("the folder holds %v", entries)
	}
	k := node(t, folder(t, "local-1.key", keyringFile), newClock(), with(w))
	if _, err := k.SealFor(civil, nil, nil); !errors.Is(err, ErrWrapped) {
		t.Errorf("data key: error %v, want ErrWrapped", err)
	}
	if s, err := k.Status(t.Context()); err != nil || len(s.Keys) != 0 {
		t.Errorf("kept %+v, error %v", s.Keys, err)
	}
}

type liar struct{ *spy }

func (l liar) Unwrap(ctx context.Context, wrapped, binding []byte) ([]byte, error) {
	key, err := l.spy.Unwrap(ctx, wrapped, binding)
	if err == nil {
		key[0] ^= 1
	}
	return key, err
}

func TestFormerWrapper(t *testing.T) {
	t.Parallel()
	dir, c, old, w := t.TempDir(), newClock(), newSpy(t), newSpy(t)
	sealed := seal(t, node(t, dir, c, with(old)), civil)
	if _, err := OpenKeys(t.Context(), KeysConfig{Dir: dir, Wrapper: w, Now: c.Now}); !errors.Is(err, ErrKEKUnknown) || !strings.Contains(err.Error(), old.ID()) {
		t.Errorf("error %v, want ErrKEKUnknown that names %s", err, old.ID())
	}
	k := node(t, dir, c, with(w), func(c *KeysConfig) { c.Former = []KeyWrapper{old} })
	wantOpen(t, k, sealed)
}

// Whoever writes to the store without the root key is found out.
func TestChangedRecord(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*KeyRecord){
		"KEK":        func(r *KeyRecord) { r.KEK = "file:00000000" },
		"wrapped":    func(r *KeyRecord) { r.Wrapped[len(r.Wrapped)-1] ^= 1 },
		"MAC":        func(r *KeyRecord) { r.MAC[0] ^= 1 },
		"department": func(r *KeyRecord) { r.Department = "" },
		"period":     func(r *KeyRecord) { r.Period = "2027Q1" },
		"created":    func(r *KeyRecord) { r.Created = r.Created.Add(time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, c := t.TempDir(), newClock()
			k := node(t, dir, c)
			sealed := seal(t, k, civil)
			elsewhere := seal(t, k, second)
			path := filepath.Join(dir, keysFileName)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := parseKeys(content)
			if err != nil {
				t.Fatal(err)
			}
			spoil(&f.records[0])
			f.revision++
			f.records[0].Revision = f.revision
			if content, err = encodeKeys(f); err != nil {
				t.Fatal(err)
			}
			if err := replaceKeyFile(osDisk{}, path, content); err != nil {
				t.Fatal(err)
			}
			c.pass(10 * time.Second)
			for _, k := range []*Keyring{k, node(t, dir, c)} {
				if _, err := k.Open(sealed, []byte(column)); !errors.Is(err, ErrKeyRecord) {
					t.Errorf("open: error %v, want ErrKeyRecord", err)
				}
				if _, err := k.SealFor(f.records[0].Department, nil, nil); !errors.Is(err, ErrKeyRecord) {
					t.Errorf("seal: error %v, want ErrKeyRecord", err)
				}
				wantOpen(t, k, elsewhere)
				if s, err := k.Status(t.Context()); err != nil || !s.Keys[0].Damaged {
					t.Errorf("status %+v, error %v", s, err)
				}
				if _, err := k.Rewrap(t.Context()); !errors.Is(err, ErrKeyRecord) {
					t.Errorf("rewrap: error %v, want ErrKeyRecord", err)
				}
			}
		})
	}
}

// Another root key does not take part: its codes fit no record.
func TestForeignRoot(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	sealed := seal(t, node(t, dir, c), civil)
	stranger := node(t, t.TempDir(), c, on(newShelf(t, dir)))
	if _, err := stranger.Open(sealed, []byte(column)); !errors.Is(err, ErrKeyRecord) {
		t.Errorf("open: error %v, want ErrKeyRecord", err)
	}
	if _, err := stranger.SealFor(civil, nil, nil); !errors.Is(err, ErrKeyRecord) {
		t.Errorf("seal: error %v, want ErrKeyRecord", err)
	}
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	dir, c, broken := t.TempDir(), newClock(), errors.New("the disk is gone")
	store := newShelf(t, dir)
	k := node(t, dir, c, on(store))
	sealed := seal(t, k, civil)
	store.changes = func() error { return broken }
	wantOpen(t, k, sealed) // looked at within Fresh
	c.pass(k.keys().data.Fresh)
	if _, err := k.Open(sealed, []byte(column)); !errors.Is(err, broken) {
		t.Errorf("open: error %v, want %v", err, broken)
	}
	if _, err := k.SealFor(civil, nil, nil); !errors.Is(err, broken) {
		t.Errorf("seal: error %v, want %v", err, broken)
	}
	for name, err := range map[string]error{
		"rotate":  func() error { _, err := k.Rotate(t.Context(), civil); return err }(),
		"all":     k.RotateAll(t.Context()),
		"status":  func() error { _, err := k.Status(t.Context()); return err }(),
		"rewrap":  func() error { _, err := k.Rewrap(t.Context()); return err }(),
		"shred":   k.Shred(t.Context(), civil, nobody),
		"destroy": k.Destroy(t.Context(), by(t, sealed), nil),
	} {
		if !errors.Is(err, broken) {
			t.Errorf("%s: error %v, want %v", name, err, broken)
		}
	}
	if _, err := OpenKeys(t.Context(), KeysConfig{Dir: dir, Store: store}); !errors.Is(err, broken) {
		t.Errorf("start: error %v, want %v", err, broken)
	}
	store.changes, store.add = nil, func() error { return broken }
	if _, err := k.SealFor(second, nil, nil); !errors.Is(err, broken) {
		t.Errorf("a new department: error %v, want %v", err, broken)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	k, err := OpenKeys(t.Context(), KeysConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, k, civil)
	id, _ := by(t, sealed).bytes()
	key, err := k.keys().data.find(id)
	if err != nil {
		t.Fatal(err)
	}
	s := key.held.sealer.Load()
	inner := s.inner
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(inner, make([]byte, len(inner))) || s.inner != nil || s.outer != nil {
		t.Error("the key is still in memory")
	}
	if _, err := k.Open(sealed, []byte(column)); err == nil {
		t.Error("a closed keyring opens")
	}
	root, err := Open(t.TempDir(), nil)
	if err != nil || root.Close() != nil {
		t.Errorf("a keyring without data keys: %v", err)
	}
}

func TestKeysConfigRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]KeysConfig{
		"grace too short": {Fresh: time.Minute, Grace: time.Minute},
		"negative":        {Fresh: -1},
		"no time":         {Timeout: -1},
	} {
		c.Dir = t.TempDir()
		if _, err := OpenKeys(t.Context(), c); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// A keyring with data keys prints as little as one without.
func TestDataKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	k := goldenV2(t)
	wantOpen(t, k, unhex(t, goldenSealed2))
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		if got := fmt.Sprintf(verb, k); got != "gm.Keyring(57fef0a2)" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	s, err := k.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %#v", s, s); strings.Contains(text, "28292a2b") || strings.Contains(text, "AUhJSkt") {
		t.Errorf("the status shows a key: %s", text)
	}
}

func nobody(context.Context) (bool, error) { return false, nil }

// What is sealed under the root key opens when every data key of its department is gone.
func TestSealRootOutlivesDataKeys(t *testing.T) {
	t.Parallel()
	k := node(t, t.TempDir(), newClock())
	lasting, err := k.SealRoot([]byte("x"), []byte("code"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, k, civil)
	if err := k.Shred(t.Context(), civil, nobody); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(sealed, []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("by a data key: %v", err)
	}
	if plain, err := k.Open(lasting, []byte("code")); err != nil || string(plain) != "x" || lasting[0] != sealVersion1 {
		t.Errorf("by the root key: %q, %v", plain, err)
	}
}
