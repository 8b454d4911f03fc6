package session_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"licgate/gm"
	"licgate/session"
)

func TestDevelopmentSigner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys", "credential.jwk")
	first, err := session.OpenDevelopmentSigner(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := session.OpenDevelopmentSigner(path)
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(dir, "keys", "credential.jwks.json")
	if first.PublicFile() != public || again.PublicFile() != public {
		t.Errorf("public file %s, want %s", first.PublicFile(), public)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, public: 0o644} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %#o, want %#o", name, info.Mode().Perm(), want)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 2 {
		t.Errorf("the folder holds %v, want the two files", entries)
	}
	v, err := session.NewCredentialVerifier(session.CredentialConfig{
		JWKSFile: public, Issuer: "licgate-dev", Audience: "licgate", Now: at(credentialTime.Add(10*time.Minute - time.Second)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, signer := range []*session.DevelopmentSigner{first, again} {
		for _, h := range []session.Holder{
			{IdentityNum: identityNum, Code: "414", TokenID: "jti"}, {IdentityNum: "11110000000021135M"},
		} {
			credential, err := signer.Sign(h, "licgate-dev", "licgate", credentialTime, 10*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if h.Code == "" {
				h.Code = "111"
			}
			if got, err := v.Verify(t.Context(), credential); err != nil || got != h {
				t.Errorf("holder of code %s and jti %q, error %v", got.Code, got.TokenID, err)
			}
		}
	}
	late, err := first.Sign(session.Holder{IdentityNum: identityNum}, "licgate-dev", "licgate", credentialTime.Add(-time.Minute), 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), late); !errors.Is(err, session.ErrCredential) {
		t.Errorf("after its ttl: error %v, want ErrCredential", err)
	}
}

func TestDevelopmentSignerClaims(t *testing.T) {
	t.Parallel()
	d, err := session.OpenDevelopmentSigner(filepath.Join(t.TempDir(), "k"))
	if err != nil {
		t.Fatal(err)
	}
	credential, err := d.Sign(session.Holder{IdentityNum: identityNum, TokenID: "jti"}, "iss", "", credentialTime, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(credential, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := token.UnsafeClaimsWithoutVerification(&body); err != nil {
		t.Fatal(err)
	}
	subject, _ := body["sub"].(string)
	if len(subject) != 32 || strings.Contains(subject, identityNum) {
		t.Errorf("subject %q, want 32 random digits", subject)
	}
	delete(body, "sub")
	got, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"exp":1779440460,"holder_code":"111","iat":1779440400,"identity_num":"11010519491231002X","iss":"iss","jti":"jti"}`
	if string(got) != want {
		t.Errorf("claims %s, want %s", got, want)
	}
}

func TestDevelopmentSignerHidesItsKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "k.jwk")
	d, err := session.OpenDevelopmentSigner(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var key struct{ D string }
	if err := json.Unmarshal(content, &key); err != nil || key.D == "" {
		t.Fatalf("key file without d, error %v", err)
	}
	public, err := os.ReadFile(d.PublicFile())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(public), key.D) || strings.Contains(string(public), `"d"`) {
		t.Error("the public file holds the private key")
	}
}

func TestDevelopmentSignerRefusals(t *testing.T) {
	t.Parallel()
	encode := func(key jose.JSONWebKey) string {
		content, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	ed, nameless := issuerKeys()["ed"], issuerKeys()["ed"]
	nameless.KeyID = ""
	for _, c := range []struct {
		name, content string
		mode          os.FileMode
		want          error
	}{
		{"others may read", encode(ed), 0o644, gm.ErrKeyFileOpen},
		{"not JSON", "hello", 0o600, session.ErrSigner},
		{"public key", encode(ed.Public()), 0o600, session.ErrSigner},
		{"another kind", encode(issuerKeys()["p256"]), 0o600, session.ErrSigner},
		{"no kid", encode(nameless), 0o600, session.ErrSigner},
		{"empty", "", 0o600, gm.ErrKeyFileKind},
	} {
		path := filepath.Join(t.TempDir(), "k.jwk")
		if err := errors.Join(os.WriteFile(path, []byte(c.content), 0o600), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := session.OpenDevelopmentSigner(path); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	d, err := session.OpenDevelopmentSigner(filepath.Join(t.TempDir(), "k.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]session.Holder{
		"nobody": {}, "blank": {IdentityNum: "1 2"}, "code": {IdentityNum: identityNum, Code: "x"},
	} {
		if _, err := d.Sign(h, "i", "a", credentialTime, time.Minute); !errors.Is(err, session.ErrCredential) {
			t.Errorf("%s: error %v, want ErrCredential", name, err)
		}
	}
}
