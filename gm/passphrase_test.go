package gm

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const phrase = "测试用的口令一共十二个字"

func says(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }

// The wrapped key was worked out apart from this code: the data key 28 … 47 with the salt 10 … 1f.
func TestPassphraseGolden(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek")
	w, err := PassphraseWrapper(path, says(phrase), 1000, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, goldenFileOf(t, "passphrase-1.kek")) {
		t.Errorf("the file is %s, error %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, error %v", info.Mode(), err)
	}
	wrapped := unhex(t, "01101112131415161718191a1b1c1d1e1fa944c6a8401830992f4432f7caf29e48f72d97a36063e194ee499381194bd5111af08efeea6ddff4decabe87db2ca5f1")
	key, err := w.Unwrap(t.Context(), wrapped, []byte("binding"))
	if err != nil || !bytes.Equal(key, unhex(t, "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f4041424344454647")) {
		t.Errorf("unwrapped %x, error %v", key, err)
	}
	if again, err := w.Wrap(t.Context(), key, []byte("binding")); err != nil || !bytes.Equal(again, wrapped) {
		t.Errorf("wrapped %x, error %v", again, err)
	}
	if w.ID() != "passphrase:51f6ed3f" {
		t.Errorf("id %s", w.ID())
	}
}

func TestPassphraseRefusals(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t, "passphrase-1.kek", "kek"), "kek")
	for wrong, want := range map[string]error{
		phrase + "字":                      ErrPassphrase,
		"another passphrase":              ErrPassphrase,
		"":                                ErrPassphraseShort,
		"elf Zeichen":                     ErrPassphraseShort,
		strings.Repeat("字", 11):           ErrPassphraseShort,
		"correct horse" + "\x00" + phrase: ErrPassphrase,
	} {
		_, err := PassphraseWrapper(path, says(wrong), 0, nil)
		if !errors.Is(err, want) || wrong != "" && strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: error %v, want %v", wrong, err, want)
		}
	}
	broken := errors.New("no terminal")
	if _, err := PassphraseWrapper(path, func() ([]byte, error) { return nil, broken }, 0, nil); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	for _, n := range []int{-1, maxIterations + 1} {
		if _, err := PassphraseWrapper(path, says(phrase), n, nil); !errors.Is(err, ErrIterations) {
			t.Errorf("%d iterations: error %v, want ErrIterations", n, err)
		}
	}
	fresh := filepath.Join(t.TempDir(), "kek")
	if _, err := PassphraseWrapper(fresh, says(phrase), 1, strings.NewReader("short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := PassphraseWrapper(path, says(phrase), 0, nil); !errors.Is(err, ErrKeyFileOpen) {
		t.Errorf("error %v, want ErrKeyFileOpen", err)
	}
}

func TestParsePassphraseRefusals(t *testing.T) {
	t.Parallel()
	golden := string(goldenFileOf(t, "passphrase-1.kek"))
	for name, change := range map[string][2]string{
		"version":          {`"version":1`, `"version":2`},
		"kdf":              {"hmac-sm3", "hmac-sha256"},
		"no iterations":    {"1000", "0"},
		"negative":         {"1000", "-1"},
		"too many":         {"1000", "10000001"},
		"salt short":       {"AAEC", ""},
		"id short":         {"51f6ed3f", "51f6"},
		"unknown member":   {`"kdf"`, `"x":1,"kdf"`},
		"another order":    {`"version":1,"kdf":"pbkdf2-hmac-sm3"`, `"kdf":"pbkdf2-hmac-sm3","version":1`},
		"blank":            {`":1`, `": 1`},
		"something behind": {"}\n", "}\n{}"},
		"no line break":    {"}\n", "}"},
		"nothing":          {golden, ""},
	} {
		if _, err := parsePassphrase([]byte(strings.Replace(golden, change[0], change[1], 1))); !errors.Is(err, ErrKeyring) {
			t.Errorf("%s: error %v, want ErrKeyring", name, err)
		}
	}
}

func TestPassphraseSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for content, want := range map[string]string{phrase: phrase, phrase + "\n": phrase, phrase + "\r\n": phrase, " " + phrase + "\n\n": " " + phrase + "\n"} {
		got, err := PassphraseFile(write("phrase", content, 0o600))()
		if err != nil || string(got) != want {
			t.Errorf("%q is read as %q, error %v", content, got, err)
		}
	}
	if _, err := PassphraseFile(write("open", phrase, 0o644))(); !errors.Is(err, ErrKeyFileOpen) || strings.Contains(err.Error(), phrase) {
		t.Errorf("error %v, want ErrKeyFileOpen", err)
	}
	if _, err := PassphraseFile(write("long", strings.Repeat("x", maxPassphrase+1), 0o600))(); err == nil {
		t.Error("a huge passphrase was read")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString(phrase + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// The source takes a descriptor over and closes it: it gets one of its own.
	fd, err := unix.Dup(int(r.Fd()))
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := PassphraseFD(uintptr(fd))(); err != nil || string(got) != phrase {
		t.Errorf("read %q, error %v", got, err)
	}
	if _, err := PassphraseFD(1 << 20)(); err == nil {
		t.Error("a descriptor that is not open was read")
	}
}

func TestEnvFile(t *testing.T) {
	const name = "LICGATE_TEST_KEK"
	file := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(file, []byte(goldenFile), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(name, file)
	path, err := EnvFile(name)
	if err != nil || path != file {
		t.Errorf("path %q, error %v", path, err)
	}
	if w, err := FileWrapper(path, nil); err != nil || w.ID() != "file:57fef0a2" {
		t.Errorf("wrapper %v, error %v", w, err)
	}
	for _, direct := range []string{phrase, strings.TrimSpace(goldenFile), "AAECAwQFBgcICQoLDA0ODw==", "kek", "./kek", filepath.Dir(file), file + "x", "/AAECAwQFBgcICQoLDA0ODw=="} {
		t.Setenv(name, direct)
		path, err := EnvFile(name)
		if !errors.Is(err, ErrDirectSecret) || path != "" || strings.Contains(err.Error(), direct) || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: path %q, error %v, want ErrDirectSecret that names the variable alone", direct, path, err)
		}
	}
	t.Setenv(name, "")
	if _, err := EnvFile(name); err == nil || errors.Is(err, ErrDirectSecret) {
		t.Errorf("empty: error %v", err)
	}
	if _, err := EnvFile(name + "_NOT_SET"); err == nil {
		t.Error("a variable that is not set names a file")
	}
}

func FuzzParsePassphrase(f *testing.F) {
	f.Add(goldenFileOf(f, "passphrase-1.kek"))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		stored, err := parsePassphrase(content)
		if err != nil {
			if !errors.Is(err, ErrKeyring) {
				t.Fatalf("error %v, want ErrKeyring", err)
			}
			return
		}
		if stored.Iterations < 1 || stored.Iterations > maxIterations || len(stored.Salt) != passwordSalt {
			t.Fatalf("read %+v", stored)
		}
	})
}
