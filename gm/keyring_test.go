package gm

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// counter is a random source that gives 0, 1, 2 …: what it makes can be worked out by hand.
type counter struct{ next byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

// goldenFile is the keyring of the root key 00 01 … 1f.
const goldenFile = `{"version":1,"id":"57fef0a2","root":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}` + "\n"

func golden(t *testing.T) *Keyring {
	t.Helper()
	k, err := Open(t.TempDir(), &counter{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func writeKeyring(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, keyringFile)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOpenMakesKeyringOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "keys")
	first, err := Open(dir, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, keyringFile)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != goldenFile {
		t.Errorf("key file is %q, want %q", content, goldenFile)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, dir: 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %#o, want %#o", name, info.Mode().Perm(), want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the folder holds %v, want the key file alone", entries)
	}
	again, err := Open(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if first.String() != again.String() || !bytes.Equal(first.Digest(PurposeToken, nil), again.Digest(PurposeToken, nil)) {
		t.Error("the second Open gave another keyring")
	}
}

func TestOpenDefaultRandom(t *testing.T) {
	t.Parallel()
	a, errA := Open(t.TempDir(), nil)
	b, errB := Open(t.TempDir(), nil)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if bytes.Equal(a.Digest(PurposeToken, nil), b.Digest(PurposeToken, nil)) {
		t.Error("two new keyrings are equal")
	}
}

func TestOpenAtOnceGivesOneKeyring(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	const starters = 32
	ids := make(chan string, starters)
	for range starters {
		go func() {
			k, err := Open(dir, rand.Reader)
			if err != nil {
				ids <- err.Error()
				return
			}
			ids <- k.String()
		}()
	}
	first := <-ids
	for range starters - 1 {
		if id := <-ids; id != first {
			t.Errorf("one process holds %s, another %s", first, id)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the folder holds %v, want the key file alone", entries)
	}
}

func TestOpenRefusals(t *testing.T) {
	t.Parallel()
	root := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for _, c := range []struct {
		name, content string
		mode          os.FileMode
		want          error
	}{
		{"group may read", goldenFile, 0o640, ErrKeyFileOpen},
		{"others may read", goldenFile, 0o604, ErrKeyFileOpen},
		{"group may write", goldenFile, 0o620, ErrKeyFileOpen},
		{"empty", "", 0o600, ErrKeyFileKind},
		{"too large", goldenFile + strings.Repeat(" ", maxKeyFile), 0o600, ErrKeyFileKind},
		{"cut short", goldenFile[:60], 0o600, ErrKeyring},
		{"not JSON", "hello", 0o600, ErrKeyring},
		{"unknown member", strings.Replace(goldenFile, `"id"`, `"x":1,"id"`, 1), 0o600, ErrKeyring},
		{"trailing garbage", goldenFile + "{}", 0o600, ErrKeyring},
		{"later version", strings.Replace(goldenFile, `"version":1`, `"version":3`, 1), 0o600, ErrKeyring},
		{"wrapped, but in clear", strings.Replace(goldenFile, `"version":1`, `"version":2`, 1), 0o600, ErrKeyring},
		{"in clear, but wrapped", strings.Replace(goldenFile, `"id"`, `"kek":"file:57fef0a2","id"`, 1), 0o600, ErrKeyring},
		{"wrapped", `{"version":2,"id":"57fef0a2","kek":"file:00000000","wrapped":"AAEC"}`, 0o600, ErrKEKUnknown},
		{"no version", strings.Replace(goldenFile, `"version":1,`, ``, 1), 0o600, ErrKeyring},
		{"short root", strings.Replace(goldenFile, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "AAEC", 1), 0o600, ErrKeyring},
		{"damaged root", strings.Replace(goldenFile, "AAEC", "AAED", 1), 0o600, ErrKeyring},
		{"another root", `{"version":1,"id":"57fef0a2","root":"` + root + `"}`, 0o600, ErrKeyring},
		{"damaged id", strings.Replace(goldenFile, "57fe", "57ff", 1), 0o600, ErrKeyring},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := writeKeyring(t, c.content, c.mode)
			k, err := Open(dir, rand.Reader)
			if !errors.Is(err, c.want) || k != nil {
				t.Fatalf("keyring %v, error %v, want %v", k, err, c.want)
			}
			if strings.Contains(err.Error(), "AAE") || strings.Contains(err.Error(), root) {
				t.Errorf("the error shows key material: %v", err)
			}
			if content, err := os.ReadFile(filepath.Join(dir, keyringFile)); err != nil || string(content) != c.content {
				t.Errorf("the refused file was changed: %v", err)
			}
		})
	}
}

func TestOpenRefusesFolderAsKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, keyringFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, rand.Reader); !errors.Is(err, ErrKeyFileKind) {
		t.Fatalf("error %v, want ErrKeyFileKind", err)
	}
}

func TestOpenWithoutRandomLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(dir, bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("error %v, want io.ErrUnexpectedEOF", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("the folder holds %v, want nothing", entries)
	}
}

func TestOpenPassesInterruptedCreation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "."+keyringFile+".123"), []byte(goldenFile[:40]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, &counter{}); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(filepath.Join(dir, keyringFile)); string(content) != goldenFile {
		t.Errorf("key file is %q, want a whole one", content)
	}
}

func TestKeyFilePassesOnErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("no key to be had")
	path := filepath.Join(t.TempDir(), "a", "key")
	if _, err := KeyFile(path, func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Fatalf("error %v, want %v", err, broken)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := KeyFile(filepath.Join(file, "key"), func() ([]byte, error) { return []byte("k"), nil }); err == nil {
		t.Fatal("a key file under a file was made")
	}
}

// secretForms returns root and subkeys of k in every form a careless print could give them.
func secretForms(k *Keyring) []string {
	root, _ := base64.StdEncoding.DecodeString("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	var forms []string
	for _, key := range [][]byte{root, k.keys().seal, k.keys().digests[PurposeToken]} {
		part := key[:8]
		forms = append(forms, string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
			base64.StdEncoding.EncodeToString(key)[:10], strings.Trim(fmt.Sprint(part), "[]"),
			strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}"), fmt.Sprintf("% x", part))
	}
	return forms
}

func TestKeyringDoesNotPrintKeys(t *testing.T) {
	t.Parallel()
	k := golden(t)
	secrets := secretForms(k)
	type holder struct {
		Public  *Keyring
		private *Keyring
		value   Keyring
	}
	h := holder{Public: k, private: k, value: *k}
	_ = h.private
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%08v"} {
		printed[verb] = fmt.Sprintf(verb, k)
		printed["value "+verb] = fmt.Sprintf(verb, *k)
		printed["struct "+verb] = fmt.Sprintf(verb, h)
		printed["slice "+verb] = fmt.Sprintf(verb, []any{k, *k})
		if printed[verb] != "gm.Keyring(57fef0a2)" {
			t.Errorf("%s prints %q", verb, printed[verb])
		}
	}
	for name, v := range map[string]any{"JSON": k, "JSON value": *k, "JSON struct": h} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		printed[name] = string(b)
	}
	if printed["JSON"] != `"gm.Keyring(57fef0a2)"` {
		t.Errorf("JSON is %s", printed["JSON"])
	}
	printed["String"], printed["GoString"] = k.String(), k.GoString()
	for how, text := range printed {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a key: %q", how, text)
			}
		}
	}
	if got := fmt.Sprint(Keyring{}); got != "gm.Keyring(empty)" {
		t.Errorf("the zero keyring prints %q", got)
	}
}
