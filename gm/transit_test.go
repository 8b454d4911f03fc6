package gm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licgate/gm"
	"licgate/gm/gmtest"
)

func (v *vault) config(edits ...func(*gm.Transit)) gm.Transit {
	c := gm.Transit{Address: v.address, Key: "licgate", TokenFile: v.tokenFile(), CAFile: filepath.Join(v.dir, "ca.pem"), Timeout: time.Minute}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func (v *vault) wrapper(edits ...func(*gm.Transit)) gm.KeyWrapper {
	v.t.Helper()
	w, err := gm.TransitWrapper(v.config(edits...))
	if err != nil {
		v.t.Fatal(err)
	}
	return w
}

func TestTransitWrapper(t *testing.T) {
	t.Parallel()
	v := startVault(t)
	v.do("key other")
	gmtest.KeyWrapper(t, func(*testing.T) (gm.KeyWrapper, gm.KeyWrapper, gm.KeyWrapper) {
		return v.wrapper(), v.wrapper(), v.wrapper(func(c *gm.Transit) { c.Key = "other" })
	})
}

var (
	key     = bytes.Repeat([]byte{7, 1}, 16)
	binding = []byte("licgate/data-key/1/x")
)

func TestTransitRefusals(t *testing.T) {
	t.Parallel()
	v := startVault(t)
	w := v.wrapper()
	wrapped, err := w.Wrap(t.Context(), key, binding)
	if err != nil {
		t.Fatal(err)
	}
	both := func(name string, w gm.KeyWrapper, want error, says string) {
		t.Helper()
		_, wrap := w.Wrap(t.Context(), key, binding)
		got, unwrap := w.Unwrap(t.Context(), wrapped, binding)
		for _, err := range []error{wrap, unwrap} {
			if !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), says) || len(got) > 0 {
				t.Errorf("%s: error %v, want %v that says %q", name, err, want, says)
			}
			for _, secret := range []string{"s.first", "s.wrong", string(wrapped), "BwEHAQ", "plaintext\""} {
				if strings.Contains(fmt.Sprint(err), secret) {
					t.Errorf("%s: the error tells %q: %v", name, secret, err)
				}
			}
		}
	}
	v.writeToken("s.wrong")
	both("wrong token", w, gm.ErrKEKUnavailable, "403")
	v.writeToken("s.first")
	v.do("seal true")
	both("sealed", w, gm.ErrKEKUnavailable, "503")
	v.do("seal false")
	both("no such mount", v.wrapper(func(c *gm.Transit) { c.Mount = "a/b" }), gm.ErrKEKUnavailable, "404")
	for status, says := range map[int]string{
		307: "not followed", 429: "too many requests", 472: "472", 500: "500", 502: "502", 404: "no such mount", 403: "expired", 204: "204",
	} {
		v.do("answer %d {\"errors\":[\"ECHO\"]}", status)
		both(fmt.Sprint(status), w, gm.ErrKEKUnavailable, says)
	}
	for _, body := range []string{"", "{", "[]", "{}", `{"data":{}}`, `{"data":null}`, `{"data":{"plaintext":5,"ciphertext":5}}`, `{"data":{}} ECHO`, `{"x":"BIG"}`} {
		v.do("answer 200 %s", body)
		both(fmt.Sprintf("answer %.30q", body), w, gm.ErrKEKUnavailable, "")
	}
	v.do("answer 400 {\"errors\":[\"ECHO\"]}")
	if _, err := w.Unwrap(t.Context(), wrapped, binding); !errors.Is(err, gm.ErrWrapped) || strings.Contains(err.Error(), string(wrapped)) {
		t.Errorf("400: error %v, want ErrWrapped", err)
	}
	if _, err := w.Wrap(t.Context(), key, binding); !errors.Is(err, gm.ErrKEKUnavailable) {
		t.Errorf("400: error %v, want ErrKEKUnavailable", err)
	}
	v.do("answer 0")
	if err := os.Chmod(v.tokenFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	both("a token that others may read", w, gm.ErrKeyFileOpen, "0600")
	if err := os.Remove(v.tokenFile()); err != nil {
		t.Fatal(err)
	}
	both("no token", w, gm.ErrKEKUnavailable, "token")
	v.writeToken("s.first")
	both("an unknown authority", v.wrapper(func(c *gm.Transit) { c.CAFile = "" }), gm.ErrKEKUnavailable, "certificate")
	both("nobody there", v.wrapper(func(c *gm.Transit) { c.Address = "https://127.0.0.1:1" }), gm.ErrKEKUnavailable, "refused")
	if got, err := w.Unwrap(t.Context(), wrapped, binding); err != nil || !bytes.Equal(got, key) {
		t.Errorf("in the end: %d bytes, error %v", len(got), err)
	}
}

func TestTransitTokenIsRenewed(t *testing.T) {
	t.Parallel()
	v := startVault(t)
	w := v.wrapper()
	wrapped, err := w.Wrap(t.Context(), key, binding)
	if err != nil {
		t.Fatal(err)
	}
	v.do("token s.second")
	if _, err := w.Unwrap(t.Context(), wrapped, binding); !errors.Is(err, gm.ErrKEKUnavailable) {
		t.Errorf("error %v, want ErrKEKUnavailable", err)
	}
	v.writeToken("s.second\n")
	if got, err := w.Unwrap(t.Context(), wrapped, binding); err != nil || !bytes.Equal(got, key) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
}

func TestTransitIsSlow(t *testing.T) {
	t.Parallel()
	v := startVault(t)
	w := v.wrapper(func(c *gm.Transit) { c.Timeout = 50 * time.Millisecond })
	v.do("delay 1h")
	if _, err := w.Wrap(t.Context(), key, binding); !errors.Is(err, gm.ErrKEKUnavailable) {
		t.Errorf("error %v, want ErrKEKUnavailable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := v.wrapper().Wrap(ctx, key, binding); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want context.DeadlineExceeded", err)
	}
}

func TestTransitConfigRefusals(t *testing.T) {
	t.Parallel()
	good := gm.Transit{Address: "https://vault.example:8200", Key: "licgate", TokenFile: "/run/token"}
	if w, err := gm.TransitWrapper(good); err != nil || w.ID() != "transit:transit/licgate" {
		t.Errorf("wrapper %v, error %v", w, err)
	}
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*gm.Transit){
		"http":            func(c *gm.Transit) { c.Address = "http://vault.example:8200" },
		"no host":         func(c *gm.Transit) { c.Address = "https://" },
		"password":        func(c *gm.Transit) { c.Address = "https://u:geheim@vault.example" },
		"path":            func(c *gm.Transit) { c.Address = "https://vault.example/v1" },
		"query":           func(c *gm.Transit) { c.Address = "https://vault.example?geheim" },
		"no address":      func(c *gm.Transit) { c.Address = "" },
		"no key":          func(c *gm.Transit) { c.Key = "" },
		"key is a path":   func(c *gm.Transit) { c.Key = "../sys/seal" },
		"mount goes up":   func(c *gm.Transit) { c.Mount = "transit/../sys" },
		"no token":        func(c *gm.Transit) { c.TokenFile = "" },
		"negative":        func(c *gm.Transit) { c.Timeout = -1 },
		"no CA file":      func(c *gm.Transit) { c.CAFile = junk + "x" },
		"no certificates": func(c *gm.Transit) { c.CAFile = junk },
	} {
		c := good
		edit(&c)
		if w, err := gm.TransitWrapper(c); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: wrapper %v, error %v", name, w, err)
		}
	}
}

// The whole of it: root key and data keys wrapped by the service; its key gets a new version; the old one is forbidden.
func TestKeyringOnTransit(t *testing.T) {
	t.Parallel()
	v, dir := startVault(t), t.TempDir()
	open := func() (*gm.Keyring, error) {
		return gm.OpenKeys(t.Context(), gm.KeysConfig{Dir: dir, Wrapper: v.wrapper()})
	}
	mustOpen := func() *gm.Keyring {
		t.Helper()
		k, err := open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.Close() })
		return k
	}
	k := mustOpen()
	sealed, err := k.SealFor("11110000000021135M", []byte("内容"), []byte("row"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(k *gm.Keyring) {
		t.Helper()
		if plain, err := k.Open(sealed, []byte("row")); err != nil || string(plain) != "内容" {
			t.Errorf("opened %q, error %v", plain, err)
		}
	}
	for _, name := range []string{"local.key", "data.keys"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Contains(content, []byte("transit:transit/licgate")) || bytes.Contains(content, []byte(`"root"`)) {
			t.Errorf("%s is not wrapped by the service, error %v: %s", name, err, content)
		}
	}
	check(mustOpen())
	v.do("seal true")
	check(k) // held
	if _, err := open(); !errors.Is(err, gm.ErrKEKUnavailable) {
		t.Errorf("starting while the service is sealed: error %v, want ErrKEKUnavailable", err)
	}
	v.do("seal false")
	v.do("key licgate")
	check(mustOpen())
	if n, err := k.Rewrap(t.Context()); err != nil || n != 1 {
		t.Fatalf("wrapped %d, error %v", n, err)
	}
	v.do("min 2")
	check(mustOpen())
	v.do("min 3")
	if _, err := open(); !errors.Is(err, gm.ErrWrapped) {
		t.Errorf("starting when the key's version is forbidden: error %v, want ErrWrapped", err)
	}
}
