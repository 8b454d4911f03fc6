package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"licgate/gm"
)

// TestNodesStartTogether: of several that open one empty folder at once, all get the same keys and seals.
func TestNodesStartTogether(t *testing.T) {
	t.Parallel()
	dir, w := filepath.Join(t.TempDir(), "keys", "seals"), keyring(t)
	const nodes = 8
	var group sync.WaitGroup
	authorities, seals := make([]*Authority, nodes), make([]*Seal, nodes)
	for i := range nodes {
		group.Go(func() {
			a, err := openIn(t.Context(), dir, w, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if seals[i], err = a.Seal(t.Context(), spec(t)); err != nil {
				t.Error(err)
			}
			authorities[i] = a
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	for i := range nodes {
		if !bytes.Equal(authorities[i].Roots().PEM(), authorities[0].Roots().PEM()) || !bytes.Equal(seals[i].DER(), seals[0].DER()) {
			t.Errorf("node %d has keys or a seal of its own", i)
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %#o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSealIsFoundAgain(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	if again := newSeal(t, a); again != s {
		t.Error("the seal is made twice")
	}
	later, err := again(t, a, noon.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if again := newSeal(t, later); !bytes.Equal(again.DER(), s.DER()) || !again.p256.Certificate.Equal(s.p256.Certificate) {
		t.Error("the seal is another after a restart")
	}
	for name, change := range map[string]func(*Spec){
		"code":       func(s *Spec) { s.Code = "SEAL-2" },
		"name":       func(s *Spec) { s.Name = "北京市朝阳区另一局" },
		"department": func(s *Spec) { s.Department = "" },
		"picture":    func(s *Spec) { s.Picture = stampPicture(t, 63) },
		"width":      func(s *Spec) { s.Width = 40 },
	} {
		changed := spec(t)
		change(&changed)
		other, err := a.Seal(t.Context(), changed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameKey := other.sm2.Certificate.Equal(s.sm2.Certificate)
		if bytes.Equal(other.DER(), s.DER()) || sameKey != (name == "picture" || name == "width") {
			t.Errorf("%s changed: the same seal %v, the same key %v", name, bytes.Equal(other.DER(), s.DER()), sameKey)
		}
	}
}

func TestSealRefusals(t *testing.T) {
	t.Parallel()
	a := open(t)
	for name, change := range map[string]func(*Spec){
		"no code":     func(s *Spec) { s.Code = "" },
		"no name":     func(s *Spec) { s.Name = "" },
		"long":        func(s *Spec) { s.Name = strings.Repeat("局", 65) },
		"control":     func(s *Spec) { s.Code = "a\nb" },
		"not text":    func(s *Spec) { s.Department = "\xff" },
		"no picture":  func(s *Spec) { s.Picture = nil },
		"SVG":         func(s *Spec) { s.Picture = []byte("<svg/>") },
		"large":       func(s *Spec) { s.Picture = append(s.Picture, make([]byte, maxPicture)...) },
		"wide":        func(s *Spec) { s.Width = 201 },
		"upside down": func(s *Spec) { s.Height = -1 },
	} {
		changed := spec(t)
		change(&changed)
		if _, err := a.Seal(t.Context(), changed); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedKeyFiles: what is not whole, or is another's, or is open to others, is refused.
func TestDamagedKeyFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   error
	}{
		"open to others": {func(dir string) error { return os.Chmod(filepath.Join(dir, "root-sm2.key"), 0o640) }, gm.ErrKeyFileOpen},
		"another's": {func(dir string) error {
			content, err := os.ReadFile(filepath.Join(dir, "stamps-sm2.key"))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "maker-sm2.key"), content, 0o600))
		}, ErrKey},
		"another version":  {replaceIn("root-p256.key", `"version":2`, `"version":3`), ErrKey},
		"as version 1":     {replaceIn("root-p256.key", `"version":2`, `"version":1`), ErrKey},
		"also in clear":    {replaceIn("root-p256.key", `"kek"`, `"private":"AAAA","kek"`), ErrKey},
		"without a key":    {replaceIn("root-p256.key", `"wrapped":"`, `"wrapped":"","department":"`), ErrKey},
		"unknown member":   {replaceIn("root-p256.key", `"role"`, `"roll"`), ErrKey},
		"something after":  {replaceIn("root-p256.key", "}\n", "}{}"), ErrKey},
		"another key":      {replaceIn("maker-sm2.key", `"wrapped":"`, `"wrapped":"AQID`), ErrKey},
		"not a key at all": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "maker-sm2.key"), []byte("x"), 0o600) }, ErrKey},
	} {
		a := open(t)
		if err := c.damage(a.dir); err != nil {
			t.Fatal(err)
		}
		if _, err := again(t, a, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := open(t)
	if _, err := again(t, a, noon.AddDate(rootYears+1, 0, 0)); !errors.Is(err, ErrExpired) {
		t.Errorf("an expired root: %v", err)
	}
	newSeal(t, a)
	esl, err := filepath.Glob(filepath.Join(a.dir, "*.esl"))
	if err != nil || len(esl) != 1 {
		t.Fatalf("%v: %v", esl, err)
	}
	content, err := os.ReadFile(esl[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1
	if err := os.WriteFile(esl[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if reopened, err := again(t, a, noon); err != nil {
		t.Error(err)
	} else if _, err := reopened.Seal(t.Context(), spec(t)); !errors.Is(err, ErrKey) {
		t.Errorf("a damaged seal: %v", err)
	}
}

func replaceIn(file, old, replacement string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, file)
		content, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(content, []byte(old)) {
			err = fmt.Errorf("%s has no %s", file, old)
		}
		return errors.Join(err, os.WriteFile(path, bytes.Replace(content, []byte(old), []byte(replacement), 1), 0o600))
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	s := newSeal(t, open(t))
	private := bytes.Repeat([]byte{7}, 32)
	for _, a := range []Algorithms{SM2SM3, P256SHA256} {
		signer, err := parsePrivate(a, private)
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
			text := fmt.Sprintf(verb, signer) + fmt.Sprintf(verb, Identity{Signer: signer}) + fmt.Sprintf(verb, *s)
			if strings.Contains(text, "07070707") || strings.Contains(text, "7 7 7 7") || strings.Contains(text, "0x7, 0x7") {
				t.Errorf("%s of %s prints the key", verb, a)
			}
		}
	}
}

func TestRootsAsText(t *testing.T) {
	t.Parallel()
	roots := open(t).Roots()
	again, err := ParseRoots(append([]byte("# trusted\n"), roots.PEM()...))
	if err != nil || !bytes.Equal(again.PEM(), roots.PEM()) || len(again.CAs) != 2 || len(again.Makers) != 1 {
		t.Errorf("%d authorities, %d makers: %v", len(again.CAs), len(again.Makers), err)
	}
	for _, text := range []string{
		"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", strings.ReplaceAll(string(roots.PEM()), "CERTIFICATE", "PRIVATE KEY"),
	} {
		if _, err := ParseRoots([]byte(text)); err == nil {
			t.Errorf("%.40q is taken", text)
		}
	}
}
