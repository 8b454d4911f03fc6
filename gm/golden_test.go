package gm

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The files in testdata were worked out apart from this code, by implementations of SM3, SM4 and GCM that the RFC 8998 and GB/T
// vectors hold: the root key is 00 … 1f; the data key's id, the data key and its salt are 20 … 57, the value's salt is 58 … 67. They
// are frozen: stored data are in these forms.
const (
	civil  = "11110000000021135M"
	column = "licence/1/data_fields"
	secret = `{"CZR":"测试"}`
)

// goldenTime is when the golden data key was made, 2026-03-05 12:00 in Beijing.
var goldenTime = time.UnixMilli(1_772_683_200_123)

const goldenSealed2 = "022021222324252627" + "58595a5b5c5d5e5f6061626364656667" + "9bf760ecc56beab8c241a452a0d1be43" + "dd91158fcfbb20d0ccdcdd928d165f06"

func goldenFileOf(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// folder makes a keys folder of golden files: pairs of a file in testdata and its name in the folder.
func folder(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i+1]), goldenFileOf(t, files[i]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openKeys(t testing.TB, c KeysConfig) *Keyring {
	t.Helper()
	k, err := OpenKeys(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// goldenV2 is a keyring of the golden files.
func goldenV2(t testing.TB) *Keyring {
	t.Helper()
	return openKeys(t, KeysConfig{Dir: folder(t, "local-1.key", keyringFile, "data-1.keys", keysFileName), Now: func() time.Time { return goldenTime }})
}

func TestSealGolden2(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openKeys(t, KeysConfig{Dir: dir, Random: &counter{}, Now: func() time.Time { return goldenTime }})
	sealed, err := k.SealFor(civil, []byte(secret), []byte(column))
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(sealed) != goldenSealed2 {
		t.Errorf("sealed = %x\n want %s", sealed, goldenSealed2)
	}
	if string(goldenFileOf(t, "sealed-2.hex")) != goldenSealed2+"\n" || string(goldenFileOf(t, "sealed-1.hex")) != goldenSealed+"\n" {
		t.Error("the golden files are others than the golden values")
	}
	for golden, name := range map[string]string{"local-1.key": keyringFile, "data-1.keys": keysFileName} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, goldenFileOf(t, golden)) {
			t.Errorf("%s is, error %v\n%s\nwant\n%s", name, err, got, goldenFileOf(t, golden))
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, error %v", name, info.Mode(), err)
		}
	}
}

// A folder that knew nothing but a root key, and what was sealed by it, need no step.
func TestFolderOfVersion1(t *testing.T) {
	t.Parallel()
	dir := folder(t, "local-1.key", keyringFile)
	k := openKeys(t, KeysConfig{Dir: dir})
	sealed := unhex(t, goldenSealed)
	plain, err := k.Open(sealed, []byte(column))
	if err != nil || string(plain) != secret {
		t.Fatalf("opened %q, error %v", plain, err)
	}
	if by, err := SealedBy(sealed); err != nil || by != "57fef0a2" {
		t.Errorf("sealed by %q, error %v", by, err)
	}
	old, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range purposes {
		if !bytes.Equal(old.Digest(p, []byte("x")), k.Digest(p, []byte("x"))) {
			t.Errorf("digests for %s differ", p)
		}
	}
	fresh, changed, err := k.Reseal(civil, sealed, []byte(column))
	if err != nil || !changed || fresh[0] != sealVersion2 {
		t.Fatalf("resealed: %v, %x, error %v", changed, fresh, err)
	}
	if plain, err = k.Open(fresh, []byte(column)); err != nil || string(plain) != secret {
		t.Errorf("opened %q, error %v", plain, err)
	}
	if _, err := old.Open(fresh, []byte(column)); !errors.Is(err, ErrKeyUnknown) {
		t.Errorf("a keyring without data keys: error %v, want ErrKeyUnknown", err)
	}
}

func TestOpenGolden2(t *testing.T) {
	t.Parallel()
	k := goldenV2(t)
	plain, err := k.Open(unhex(t, goldenSealed2), []byte(column))
	if err != nil || string(plain) != secret {
		t.Errorf("opened %q, error %v", plain, err)
	}
	shredded := openKeys(t, KeysConfig{Dir: folder(t, "local-1.key", keyringFile, "data-1-shredded.keys", keysFileName)})
	if _, err := shredded.Open(unhex(t, goldenSealed2), []byte(column)); !errors.Is(err, ErrShredded) {
		t.Errorf("shredded: error %v, want ErrShredded", err)
	}
	if s, err := shredded.Status(t.Context()); err != nil || len(s.Keys) != 1 || s.Keys[0].Damaged || s.Keys[0].State != KeyDestroyed || !s.Keys[0].Shredded {
		t.Errorf("status %+v, error %v", s, err)
	}
}

func TestGoldenWrappedRoot(t *testing.T) {
	t.Parallel()
	dir := folder(t, "local-2.key", keyringFile)
	kek, err := FileWrapper(filepath.Join(folder(t, "local-1.key", "kek"), "kek"), nil)
	if err != nil {
		t.Fatal(err)
	}
	k := openKeys(t, KeysConfig{Dir: dir, Wrapper: kek})
	if k.String() != "gm.Keyring(cb6b6943)" {
		t.Errorf("root key is that of %s", k)
	}
	if _, err := OpenKeys(t.Context(), KeysConfig{Dir: dir}); !errors.Is(err, ErrKEKUnknown) || !strings.Contains(err.Error(), "file:57fef0a2") {
		t.Errorf("without its wrapper: error %v, want ErrKEKUnknown that names it", err)
	}
	if _, err := Open(dir, nil); !errors.Is(err, ErrKEKUnknown) {
		t.Errorf("Open: error %v, want ErrKEKUnknown", err)
	}
}

func TestIntegrityGolden(t *testing.T) {
	t.Parallel()
	k := golden(t)
	const number, content = "110000202600000001", "内容"
	code := k.Integrity("licence", number, 7, []byte(content))
	if want := "bbe2838388ede71a6a9a61bd0f5f3ff1889960e40469a9d23c03d559695a14b8"; hex.EncodeToString(code) != want {
		t.Errorf("code = %x, want %s", code, want)
	}
	if err := k.CheckIntegrity(code, "licence", number, 7, []byte(content)); err != nil {
		t.Error(err)
	}
	other, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.CheckIntegrity(code, "licence", number, 7, []byte(content)); !errors.Is(err, ErrIntegrity) {
		t.Errorf("another keyring: error %v", err)
	}
	for name, err := range map[string]error{
		"kind":      k.CheckIntegrity(code, "policy", number, 7, []byte(content)),
		"key":       k.CheckIntegrity(code, "licence", number[1:], 7, []byte(content)),
		"moved":     k.CheckIntegrity(code, "licence1", number[1:], 7, []byte(content)),
		"revision":  k.CheckIntegrity(code, "licence", number, 8, []byte(content)),
		"content":   k.CheckIntegrity(code, "licence", number, 7, []byte(content+" ")),
		"code":      k.CheckIntegrity(code[:31], "licence", number, 7, []byte(content)),
		"no code":   k.CheckIntegrity(nil, "licence", number, 7, []byte(content)),
		"plain MAC": k.CheckIntegrity(k.Digest(PurposeIntegrity, []byte(content)), "licence", number, 7, []byte(content)),
	} {
		if !errors.Is(err, ErrIntegrity) || strings.Contains(err.Error(), content) {
			t.Errorf("%s: error %v, want ErrIntegrity without the content", name, err)
		}
	}
}
