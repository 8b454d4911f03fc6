package seal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"licgate/gm"
)

// version1 returns a folder as it was before private numbers were wrapped: that of open and newSeal.
func version1(t testing.TB) (dir string) { return copied(t, "testdata/keys-1") }

// copied returns a copy of a folder of keys.
func copied(t testing.TB, from string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f.Name()), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// privates returns the private numbers of a folder, by file, and what version each file has.
func privates(t testing.TB, dir string, w Wrapper) (numbers map[string]string, versions []int) {
	t.Helper()
	numbers = map[string]string{}
	k := &FileKeys{dir: dir, wrapper: w}
	if err := k.each(func(file string, f keyFile, err error) error {
		if err != nil {
			return err
		}
		private, _, err := k.unwrap(t.Context(), f)
		numbers[file] = string(private)
		versions = append(versions, f.Version)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return numbers, versions
}

// wantWrapped holds all that is in a folder against the numbers that must not be seen there, and looks whether they all are there.
func wantWrapped(t testing.TB, dir string, w Wrapper, want map[string]string) {
	t.Helper()
	got, versions := privates(t, dir, w)
	if slices.ContainsFunc(versions, func(v int) bool { return v != 2 }) {
		t.Errorf("key files of versions %v", versions)
	}
	for file, number := range want {
		if got[file] != number {
			t.Errorf("%s has another key", file)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for file, number := range want {
			if shows(content, number) {
				t.Errorf("%s shows the key of %s", d.Name(), file)
			}
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v", d.Name(), info.Mode(), err)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// shows reports whether content holds a number, or a part of it, in one of the usual forms.
func shows(content []byte, number string) bool {
	n := []byte(number)
	for _, form := range [][]byte{n[:12], n[20:], []byte(hex.EncodeToString(n[:12])), []byte(base64.StdEncoding.EncodeToString(n)[:40])} {
		if bytes.Contains(content, form) {
			return true
		}
	}
	return false
}

// stopper fails at its call at, from 1, and all later ones, as if the process had ended there.
type stopper struct {
	Wrapper
	mu        sync.Mutex
	calls, at int
	err       error
}

var errStopped = errors.New("stopped")

func (s *stopper) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.at == 0 || s.calls < s.at {
		return nil
	}
	return s.err
}

func (s *stopper) WrapKey(ctx context.Context, key, binding []byte) (string, []byte, error) {
	if err := s.stop(); err != nil {
		return "", nil, err
	}
	return s.Wrapper.WrapKey(ctx, key, binding)
}

func (s *stopper) UnwrapKey(ctx context.Context, kek string, wrapped, binding []byte) ([]byte, error) {
	if err := s.stop(); err != nil {
		return nil, err
	}
	return s.Wrapper.UnwrapKey(ctx, kek, wrapped, binding)
}

func TestPrivateNumbersAreWrapped(t *testing.T) {
	t.Parallel()
	w := keyring(t)
	a, err := openIn(t.Context(), t.TempDir(), w, Options{})
	if err != nil {
		t.Fatal(err)
	}
	newSeal(t, a)
	numbers, _ := privates(t, a.dir, w)
	if len(numbers) != 7 {
		t.Fatalf("%d keys", len(numbers))
	}
	wantWrapped(t, a.dir, w, numbers)
	if !shows([]byte(`{"private":"`+base64.StdEncoding.EncodeToString([]byte(numbers["root-sm2.key"]))+`"}`), numbers["root-sm2.key"]) {
		t.Error("this test would not see a key in clear")
	}
}

// TestMovedPrivateNumber: the wrapped number of one key opens in no other's file, whatever is written beside it.
func TestMovedPrivateNumber(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*keyFile){
		"role":       func(f *keyFile) { f.Role = RoleMaker },
		"algorithms": func(f *keyFile) { f.Algorithms = "p256" },
		"code":       func(f *keyFile) { f.SealCode += "1" },
		"name":       func(f *keyFile) { f.Name = "别的局" },
		"department": func(f *keyFile) { f.Department = "" },
		// The same letters, cut elsewhere.
		"frames": func(f *keyFile) { f.SealCode, f.Name = f.SealCode+f.Name[:3], f.Name[3:] },
	} {
		a := open(t)
		newSeal(t, a)
		from := KeyName{RoleSeal, SM2SM3, plainSpec.Code, plainSpec.Name, plainSpec.Department}.fileName()
		content, err := os.ReadFile(filepath.Join(a.dir, from))
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseKeyFile(content)
		if err != nil {
			t.Fatal(err)
		}
		change(&f)
		if content, err = json.Marshal(f); err == nil {
			err = os.WriteFile(filepath.Join(a.dir, f.name().fileName()), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.keys.Identity(t.Context(), f.name(), nil)
		if !errors.Is(err, ErrKey) || !errors.Is(err, gm.ErrWrapped) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	// Of two platforms under one folder's file names, neither opens the other's.
	a := open(t)
	if _, err := openIn(t.Context(), a.dir, keyring(t, func(c *gm.KeysConfig) { c.Random = nil }), Options{}); !errors.Is(err, gm.ErrKEKUnknown) {
		t.Errorf("under another platform's master key: %v", err)
	}
}

// TestUpgradeOfKeysInClear: keys of version 1 stay the same keys, and nothing in the folder shows them any more.
func TestUpgradeOfKeysInClear(t *testing.T) {
	t.Parallel()
	dir, w := version1(t), keyring(t)
	numbers, versions := privates(t, dir, w)
	if len(numbers) != 7 || slices.Contains(versions, 2) {
		t.Fatalf("%d keys of versions %v", len(numbers), versions)
	}
	old, err := os.ReadFile(filepath.Join(dir, "maker-sm2.key"))
	if err != nil {
		t.Fatal(err)
	}
	// What the making of a key may have left, which died before or after the key had its name.
	for _, name := range []string{".maker-sm2.key.123", ".00000000000000000000000000000000-seal-sm2.key.45"} {
		if err := os.WriteFile(filepath.Join(dir, name), old, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenFileKeys(t.Context(), dir, newStream(), w); err != nil {
		t.Fatal(err)
	}
	wantWrapped(t, dir, w, numbers)
	fresh := open(t) // by the same randomness
	want := newSeal(t, fresh)
	a, err := openIn(t.Context(), dir, w, Options{Now: fresh.now})
	if err != nil {
		t.Fatal(err)
	}
	if got := newSeal(t, a); !bytes.Equal(got.DER(), want.DER()) || !bytes.Equal(a.Roots().PEM(), fresh.Roots().PEM()) {
		t.Error("the seals or the roots are others")
	}
	// A backup of before that is put back while the gateway runs.
	if err := os.WriteFile(filepath.Join(dir, "maker-sm2.key"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := a.keys.(*FileKeys).Status(); err != nil || !slices.Contains(s, KeyStatus{File: "maker-sm2.key", Name: KeyName{Role: RoleMaker}}) {
		t.Errorf("%+v, error %v", s, err)
	}
	if _, err := again(t, a, noon); err != nil {
		t.Fatal(err)
	}
	wantWrapped(t, dir, w, numbers)
}

// TestUpgradeStopsAnywhere: wherever it ends, each key is there, in the old form or the new; the next opening goes on.
func TestUpgradeStopsAnywhere(t *testing.T) {
	t.Parallel()
	w := keyring(t)
	numbers, _ := privates(t, version1(t), w)
	for at := 1; ; at++ {
		dir := version1(t)
		_, err := OpenFileKeys(t.Context(), dir, newStream(), &stopper{Wrapper: w, at: at, err: errStopped})
		if err == nil {
			if at < len(numbers) {
				t.Errorf("it went through in %d steps", at-1)
			}
			break
		}
		left, versions := privates(t, dir, w)
		wrapped := 0
		for _, v := range versions {
			wrapped += v - 1
		}
		if !errors.Is(err, errStopped) || len(left) != len(numbers) || wrapped != at-1 {
			t.Fatalf("stopped at %d: %v, versions %v", at, err, versions)
		}
		for file, number := range numbers {
			if left[file] != number {
				t.Errorf("stopped at %d: %s has another key", at, file)
			}
		}
		if _, err := OpenFileKeys(t.Context(), dir, newStream(), w); err != nil {
			t.Fatal(err)
		}
		wantWrapped(t, dir, w, numbers)
	}
}

// TestNodesUpgradeTogether: several that open one folder of version 1 at once, and one that seals meanwhile, all have the same keys.
func TestNodesUpgradeTogether(t *testing.T) {
	t.Parallel()
	dir, w := version1(t), keyring(t)
	numbers, _ := privates(t, dir, w)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			a, err := openIn(t.Context(), dir, w, Options{Now: open(t).now})
			if err == nil {
				_, err = a.Seal(t.Context(), spec(t))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wantWrapped(t, dir, w, numbers)
}

// rewrapping is a folder under one master key, and the keyrings of before and after another one was configured.
func rewrapping(t *testing.T) (a *Authority, before, during, after *gm.Keyring, kek gm.KeyWrapper) {
	t.Helper()
	keys := t.TempDir()
	place := func(name string) gm.KeyWrapper {
		w, err := gm.FileWrapper(filepath.Join(t.TempDir(), name), nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	old, kek := place("old"), place("new")
	with := func(w gm.KeyWrapper, former ...gm.KeyWrapper) *gm.Keyring {
		return keyring(t, func(c *gm.KeysConfig) { c.Dir, c.Wrapper, c.Former = keys, w, former })
	}
	before = with(old)
	a, err := openIn(t.Context(), t.TempDir(), before, Options{})
	if err != nil {
		t.Fatal(err)
	}
	newSeal(t, a)
	during = with(kek, old)
	if _, err := during.Rewrap(t.Context()); err != nil { // its own root key
		t.Fatal(err)
	}
	return a, before, during, with(kek), kek
}

func opened(t *testing.T, dir string, w Wrapper) *FileKeys {
	t.Helper()
	k, err := OpenFileKeys(t.Context(), dir, newStream(), w)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestRewrapOfSealKeys: the former master key is needed until all files are wrapped anew, and not from then on; who reads meanwhile, and who
// seals, notices nothing.
func TestRewrapOfSealKeys(t *testing.T) {
	t.Parallel()
	a, before, during, after, kek := rewrapping(t)
	numbers, _ := privates(t, a.dir, before)
	if _, err := OpenFileKeys(t.Context(), a.dir, newStream(), after); !errors.Is(err, gm.ErrKEKUnknown) {
		t.Errorf("without the former one: %v", err)
	}
	k := opened(t, a.dir, during)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				reader, err := openIn(t.Context(), a.dir, during, Options{})
				if err == nil {
					_, err = reader.Seal(t.Context(), spec(t))
				}
				if err != nil {
					t.Errorf("a reader: %v", err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 20 {
		if n, err := k.Rewrap(t.Context()); err != nil || n != len(numbers) {
			t.Errorf("%d keys, error %v", n, err)
		}
	}
	close(done)
	readers.Wait()
	wantWrapped(t, a.dir, after, numbers)
	status, err := k.Status()
	if err != nil || len(status) != len(numbers) {
		t.Errorf("%+v, error %v", status, err)
	}
	for _, s := range status {
		if s.KEK != kek.ID() || s.Damaged {
			t.Errorf("%+v", s)
		}
	}
	if _, err := OpenFileKeys(t.Context(), a.dir, newStream(), before); !errors.Is(err, gm.ErrKEKUnknown) {
		t.Errorf("by the former one alone: %v", err)
	}
}

// TestRewrapStopsAnywhere: wherever it ends, each key is there, under the former master key or that of now; Rewrap again goes through.
func TestRewrapStopsAnywhere(t *testing.T) {
	t.Parallel()
	a, before, during, after, kek := rewrapping(t)
	numbers, _ := privates(t, a.dir, before)
	for at := 1; ; at++ {
		dir := copied(t, a.dir)
		s := &stopper{Wrapper: during}
		k := opened(t, dir, s)
		s.calls, s.at, s.err = 0, at, errStopped
		n, err := k.Rewrap(t.Context())
		if err == nil {
			if n != len(numbers) || at < 2*n {
				t.Errorf("%d keys in %d steps", n, at-1)
			}
			break
		}
		// Each key takes an unwrapping and a wrapping.
		if !errors.Is(err, errStopped) || n != (at-1)/2 {
			t.Fatalf("stopped at %d: %d keys, error %v", at, n, err)
		}
		status, err := k.Status()
		if err != nil {
			t.Fatal(err)
		}
		anew := 0
		for _, s := range status {
			if s.KEK == kek.ID() {
				anew++
			}
		}
		if anew != n {
			t.Errorf("stopped at %d: %d files under the new master key, %d reported", at, anew, n)
		}
		wantWrapped(t, dir, during, numbers)
		if _, err := opened(t, dir, during).Rewrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantWrapped(t, dir, after, numbers)
	}
}

// TestDamagedKeyIsNotRewrapped: it is left as it is and reported; the others are wrapped anew.
func TestDamagedKeyIsNotRewrapped(t *testing.T) {
	t.Parallel()
	a, _, during, after, _ := rewrapping(t)
	k := opened(t, a.dir, during)
	damaged := KeyName{RoleSeal, SM2SM3, plainSpec.Code, plainSpec.Name, plainSpec.Department}.fileName()
	if err := replaceIn(damaged, `"wrapped":"`, `"wrapped":"AQID`)(a.dir); err != nil {
		t.Fatal(err)
	}
	foreign := strings.Repeat("0", 32) + "-seal-sm2.key"
	if err := os.WriteFile(filepath.Join(a.dir, foreign), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := k.Rewrap(t.Context())
	if n != 6 || !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), damaged) || !strings.Contains(err.Error(), foreign) {
		t.Errorf("%d keys, error %v", n, err)
	}
	if s, err := k.Status(); err != nil || !slices.Contains(s, KeyStatus{File: foreign, Damaged: true}) {
		t.Errorf("%+v, error %v", s, err)
	}
	// Who does not need it starts.
	if _, err := openIn(t.Context(), a.dir, during, Options{}); err != nil {
		t.Error(err)
	}
	if _, err := OpenFileKeys(t.Context(), a.dir, newStream(), after); !errors.Is(err, gm.ErrKEKUnknown) {
		t.Errorf("the damaged one is still under the former master key: %v", err)
	}
}

// TestMasterKeyIsDown: nothing opens and no key is made while the master key can't be used, and the error says so.
func TestMasterKeyIsDown(t *testing.T) {
	t.Parallel()
	w := keyring(t)
	s := &stopper{Wrapper: w, err: gm.ErrKEKUnavailable}
	a, err := openIn(t.Context(), t.TempDir(), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.at = 1
	if _, err := a.Seal(t.Context(), spec(t)); !errors.Is(err, gm.ErrKEKUnavailable) || errors.Is(err, ErrKey) {
		t.Errorf("a new seal: %v", err)
	}
	if _, err := openIn(t.Context(), a.dir, s, Options{}); !errors.Is(err, gm.ErrKEKUnavailable) || errors.Is(err, ErrKey) {
		t.Errorf("at start: %v", err)
	}
	if numbers, _ := privates(t, a.dir, w); len(numbers) != 5 {
		t.Errorf("%d keys: one was kept that nobody can open", len(numbers))
	}
	s.at = 0
	newSeal(t, a)
}

func FuzzParseKeyFile(f *testing.F) {
	for _, name := range []string{"maker-sm2-2.key", "keys-1/root-p256.key", "keys-1/0b536a79ea9c46c27e822cbc2b991c6a-seal-sm2.key"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte(`{"version":2,"role":"seal","algorithms":"sm2","kek":"x","wrapped":"AA==","private":null}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		k, err := parseKeyFile(content)
		if err != nil {
			if !errors.Is(err, ErrKey) {
				t.Fatalf("error %v, want ErrKey", err)
			}
			return
		}
		if (k.Version == 1) != (k.Private != nil) || (k.Version == 2) != (k.KEK != "" && len(k.Wrapped) > 0) {
			t.Errorf("version %d with a key in clear %v, wrapped %v", k.Version, k.Private != nil, k.Wrapped != nil)
		}
		if k.name().Algorithms.String() != k.Algorithms {
			t.Errorf("algorithms %q", k.Algorithms)
		}
	})
}
