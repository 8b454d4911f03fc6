package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"licgate/gm"
)

// sealKeyFile is a file under keys/seals as docs/formats.md describes it.
type sealKeyFile struct {
	Version     int    `json:"version"`
	Role        string `json:"role"`
	Algorithms  string `json:"algorithms"`
	SealCode    string `json:"seal_code,omitempty"`
	Name        string `json:"name,omitempty"`
	Department  string `json:"department,omitempty"`
	Private     []byte `json:"private,omitempty"`
	KEK         string `json:"kek,omitempty"`
	Wrapped     []byte `json:"wrapped,omitempty"`
	Certificate []byte `json:"certificate"`
}

// sealKeys reads the sealing keys of a gateway, by file; each must be wrapped by kek.
func (g *gateway) sealKeys(kek string) map[string]sealKeyFile {
	g.t.Helper()
	dir := filepath.Join(g.dir, "data", "keys", "seals")
	entries, err := os.ReadDir(dir)
	if err != nil {
		g.t.Fatal(err)
	}
	all := map[string]sealKeyFile{}
	for _, e := range entries {
		if !strings.Contains(e.Name(), ".key") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			g.t.Fatal(err)
		}
		var f sealKeyFile
		if err := json.Unmarshal(content, &f); err != nil || f.Version != 2 || f.Private != nil || f.KEK != kek || len(f.Wrapped) == 0 {
			g.t.Errorf("%s: %s, error %v; want it under %s", e.Name(), content, err, kek)
		}
		all[e.Name()] = f
	}
	return all
}

// unwrapSealKeys returns the private numbers of files that are under the root key.
func (g *gateway) unwrapSealKeys(files map[string]sealKeyFile) map[string][]byte {
	g.t.Helper()
	dir := g.t.TempDir()
	root, err := os.ReadFile(filepath.Join(g.dir, "data", "keys", "local.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "local.key"), root, 0o600)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	keys, err := gm.OpenKeys(g.t.Context(), gm.KeysConfig{Dir: dir})
	if err != nil {
		g.t.Fatal(err)
	}
	defer keys.Close()
	numbers := map[string][]byte{}
	for name, f := range files {
		binding := "seal/"
		for _, part := range []string{f.Role, f.Algorithms, f.SealCode, f.Name, f.Department} {
			binding += fmt.Sprintf("%d:%s", len(part), part)
		}
		number, err := keys.UnwrapKey(g.t.Context(), f.KEK, f.Wrapped, []byte(binding))
		if err != nil {
			g.t.Fatalf("%s: %v", name, err)
		}
		c, err := gm.ParseCertificate(f.Certificate)
		if err != nil {
			g.t.Fatal(err)
		}
		var public crypto.PublicKey
		if c.SM2() {
			key, err := gm.ParseSM2SignKey(number, nil)
			if err != nil {
				g.t.Fatal(err)
			}
			public = key.Signer().Public()
		} else {
			key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), number)
			if err != nil {
				g.t.Fatal(err)
			}
			public = key.Public()
		}
		if !c.PublicKey().(*ecdsa.PublicKey).Equal(public) {
			g.t.Fatalf("%s: not the number of the certificate's key", name)
		}
		numbers[name] = number
	}
	return numbers
}

// hides holds every file of a folder against numbers that must not be seen there.
func (g *gateway) hides(folder string, numbers map[string][]byte) {
	g.t.Helper()
	files := 0
	if err := filepath.WalkDir(filepath.Join(g.dir, folder), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		for name, n := range numbers {
			for _, form := range [][]byte{n, []byte(hex.EncodeToString(n)), []byte(base64.StdEncoding.EncodeToString(n)), []byte(base64.RawURLEncoding.EncodeToString(n))} {
				if bytes.Contains(content, form) {
					g.t.Errorf("%s shows the private number of %s", path, name)
				}
			}
		}
		return err
	}); err != nil {
		g.t.Fatal(err)
	}
	if files < len(numbers) {
		g.t.Errorf("%d files looked at", files)
	}
}

// sealedUnder asks for the state of the sealing keys.
func (g *gateway) sealedUnder() (rows []struct {
	KEK     string
	Keys    int
	Damaged []string
},
) {
	g.t.Helper()
	s := struct{ Seals any }{&rows}
	if err := json.Unmarshal([]byte(g.must("keys", "status", "--json")), &s); err != nil {
		g.t.Fatal(err)
	}
	return rows
}

// TestSealKeysAreWrapped: no private number of the sealing authority and of a department's seal stands in clear, under the root key or
// under a master key of its own; what an older gateway left in clear is wrapped at the first start; a new master key takes them over with
// `keys rewrap`, and files are sealed before, between and after, which all verify.
func TestSealKeysAreWrapped(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	c.made("S-1")
	archive := func(kind string) {
		t.Helper()
		auth, _ := c.authCode(nil)
		path, _ := c.archived(auth, kind)
		if out, stderr, code := g.command("verify", path); code != 0 || !strings.Contains(out, "完整，签章可信") {
			t.Errorf("verify: exit %d, %s%s", code, out, stderr)
		}
	}
	archive("PDF")
	var status struct{ Root, KEK string }
	if err := json.Unmarshal([]byte(g.must("keys", "status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	files := g.sealKeys(status.KEK)
	if len(files) != 7 {
		t.Fatalf("%d files of sealing keys", len(files))
	}
	numbers := g.unwrapSealKeys(files)
	g.hides("data", numbers)
	if rows := g.sealedUnder(); len(rows) != 1 || rows[0].KEK != status.KEK || rows[0].Keys != 7 {
		t.Errorf("status: %+v", rows)
	}
	roots, err := os.ReadFile(filepath.Join(g.dir, "data", "seal-roots.pem"))
	if err != nil {
		t.Fatal(err)
	}

	// As an older gateway left them.
	g.stop()
	for name, f := range files {
		f.Version, f.Private, f.KEK, f.Wrapped = 1, numbers[name], "", nil
		content, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{name, "." + name + ".123"} { // and what a crash of it left aside
			if err := os.WriteFile(filepath.Join(g.dir, "data", "keys", "seals", name), append(content, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A key service that is down at that moment: the gateway says so, and no key is lost.
	shipped, token := g.config, filepath.Join(g.dir, "token")
	write(t, token, "token\n")
	withKeys(t, "wrapper transit https://127.0.0.1:1 licgate {\n token_file "+token+"\n }")(g)
	g.log = nil
	if log := g.failsToStart(); !strings.Contains(log, "seals: 主密钥现在不可用") {
		t.Errorf("with a key service that is down: %s", log)
	}
	g.config, g.log = shipped, nil
	g.run()
	files = g.sealKeys(status.KEK)
	if again := g.unwrapSealKeys(files); !maps.EqualFunc(again, numbers, bytes.Equal) {
		t.Error("other keys after the upgrade")
	}
	g.hides("data", numbers)
	archive("OFD")

	// A master key of its own, while the gateway serves.
	kek := filepath.Join(g.dir, "kek")
	withKeys(t, "wrapper file "+kek)(g)
	reload := func() {
		t.Helper()
		if _, stderr, code := g.command("reload", "--config", g.config, "--address", "unix/"+filepath.Join(g.dir, "data", "admin.sock")); code != 0 {
			t.Fatalf("reload: %s", stderr)
		}
	}
	reload()
	if rows := g.sealedUnder(); len(rows) != 1 || rows[0].KEK != status.KEK {
		t.Errorf("status before rewrap: %+v", rows)
	}
	archive("PDF")
	rewrap := func() (kek string) {
		t.Helper()
		var done struct {
			Keys, Seals int
			KEK         string
		}
		if err := json.Unmarshal([]byte(g.must("keys", "rewrap", "--json")), &done); err != nil || done.Seals != 7 {
			t.Fatalf("rewrap: %+v, %v", done, err)
		}
		if rows := g.sealedUnder(); len(rows) != 1 || rows[0].KEK != done.KEK || rows[0].Keys != 7 {
			t.Errorf("status after rewrap: %+v", rows)
		}
		if len(g.sealKeys(done.KEK)) != 7 {
			t.Error("files are missing")
		}
		return done.KEK
	}
	first := rewrap()
	if out := g.must("keys", "status"); !strings.Contains(out, "签章密钥 7 个，由 "+first+" 加密") {
		t.Errorf("status: %s", out)
	}
	archive("OFD")

	// The next one: the former must be there until rewrap, and not afterwards.
	g.stop()
	next := filepath.Join(g.dir, "kek2")
	withKeys(t, "wrapper file "+next, "former file "+kek)(g)
	g.run()
	archive("PDF")
	second := rewrap()
	if second == first {
		t.Error("the same master key")
	}
	archive("OFD")
	g.stop()
	withKeys(t, "wrapper file "+next)(g)
	g.run()
	archive("PDF")
	g.hides(".", numbers)
	if again, err := os.ReadFile(filepath.Join(g.dir, "data", "seal-roots.pem")); err != nil || !bytes.Equal(again, roots) {
		t.Errorf("other roots, error %v", err)
	}

	// A sealing key under a master key that is not configured is told at start, as that of data keys is.
	g.stop()
	const name = "maker-sm2.key"
	f := g.sealKeys(second)[name]
	f.KEK = first
	content, err := json.Marshal(f)
	if err == nil {
		err = os.WriteFile(filepath.Join(g.dir, "data", "keys", "seals", name), content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.log = nil
	if log := g.failsToStart(); !strings.Contains(log, "未配置的主密钥") || !strings.Contains(log, name) {
		t.Errorf("a sealing key under an unknown master key: %s", log)
	}
}
