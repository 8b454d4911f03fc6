package session_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"licgate/session"
)

// identityNum is the example number of GB 11643.
const identityNum = "11010519491231002X"

var credentialTime = time.Date(2026, 5, 22, 9, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// issuerKeys are one key of each kind; made once, because RSA takes its time.
var issuerKeys = sync.OnceValue(func() map[string]jose.JSONWebKey {
	must := func(key crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	p256, p256Err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, p384Err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsa2048, rsaErr := rsa.GenerateKey(rand.Reader, 2048)
	return map[string]jose.JSONWebKey{
		"ed":   {KeyID: "ed", Key: must(edwards, err)},
		"p256": {KeyID: "p256", Key: must(p256, p256Err), Use: "sig"},
		"p384": {KeyID: "p384", Key: must(p384, p384Err)},
		"rsa":  {KeyID: "rsa", Key: must(rsa2048, rsaErr)},
	}
})

// public returns the JWKS of some of issuerKeys.
func public(t *testing.T, names ...string) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, name := range names {
		key := issuerKeys()[name]
		set.Keys = append(set.Keys, key.Public())
	}
	content, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.jwks.json")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// fileVerifier knows all of issuerKeys.
func fileVerifier(t *testing.T, change func(*session.CredentialConfig)) *session.CredentialVerifier {
	t.Helper()
	c := session.CredentialConfig{
		JWKSFile: writeFile(t, public(t, "ed", "p256", "p384", "rsa")), Now: at(credentialTime),
		Issuer: "https://id.example", Audience: "licgate",
	}
	if change != nil {
		change(&c)
	}
	v, err := session.NewCredentialVerifier(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// claims are those of a good credential, after the changes; a nil value takes a claim away.
func claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": "https://id.example", "aud": "licgate", "sub": "opaque", "jti": "token-1",
		"iat": credentialTime.Unix(), "exp": credentialTime.Add(10 * time.Minute).Unix(), "identity_num": identityNum,
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign makes a credential by a key and algorithm of our choice.
func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, body any, options *jose.SignerOptions) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := jwt.Signed(signer).Claims(body).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// signBytes signs a body that need not be claims.
func signBytes(t *testing.T, body string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: issuerKeys()["ed"]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	credential, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

func signEd(t *testing.T, changes map[string]any) string {
	t.Helper()
	return sign(t, jose.EdDSA, issuerKeys()["ed"], claims(changes), nil)
}

func TestCredentialAlgorithms(t *testing.T) {
	t.Parallel()
	v := fileVerifier(t, nil)
	for algorithm, key := range map[jose.SignatureAlgorithm]string{
		jose.EdDSA: "ed", jose.ES256: "p256", jose.RS256: "rsa", jose.PS256: "rsa",
	} {
		for how, signingKey := range map[string]any{"kid": issuerKeys()[key], "no kid": issuerKeys()[key].Key} {
			h, err := v.Verify(t.Context(), sign(t, algorithm, signingKey, claims(nil), nil))
			if want := (session.Holder{IdentityNum: identityNum, Code: "111", TokenID: "token-1"}); err != nil || h != want {
				t.Errorf("%s, %s: holder %v %v %v, error %v", algorithm, how, h.IdentityNum == identityNum, h.Code, h.TokenID, err)
			}
		}
	}
}

func TestCredentialAlgorithmsRefused(t *testing.T) {
	t.Parallel()
	v := fileVerifier(t, nil)
	keys := issuerKeys()
	rsaPublic, err := x509.MarshalPKIXPublicKey(keys["rsa"].Key.(*rsa.PrivateKey).Public())
	if err != nil {
		t.Fatal(err)
	}
	edPublic := []byte(keys["ed"].Key.(ed25519.PrivateKey).Public().(ed25519.PublicKey))
	encode := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	good := signEd(t, nil)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strangerKey := jose.JSONWebKey{KeyID: "ed", Key: stranger}
	parts := strings.Split(good, ".")
	tampered, err := json.Marshal(claims(map[string]any{"identity_num": "11010119800229123X"}))
	if err != nil {
		t.Fatal(err)
	}
	for name, credential := range map[string]string{
		"ES384":                   sign(t, jose.ES384, keys["p384"], claims(nil), nil),
		"RS384":                   sign(t, jose.RS384, keys["rsa"], claims(nil), nil),
		"PS512":                   sign(t, jose.PS512, keys["rsa"], claims(nil), nil),
		"HS256 by RSA public key": sign(t, jose.HS256, jose.JSONWebKey{KeyID: "rsa", Key: rsaPublic}, claims(nil), nil),
		"HS256 by Ed public key":  sign(t, jose.HS256, jose.JSONWebKey{KeyID: "ed", Key: edPublic}, claims(nil), nil),
		"none":                    encode([]byte(`{"alg":"none","kid":"ed"}`)) + "." + encode(body) + ".",
		"None":                    encode([]byte(`{"alg":"None","kid":"ed"}`)) + "." + encode(body) + ".",
		"no algorithm":            encode([]byte(`{"kid":"ed"}`)) + "." + encode(body) + "." + parts[2],
		"stranger with our kid":   sign(t, jose.EdDSA, strangerKey, claims(nil), nil),
		"stranger without kid":    sign(t, jose.EdDSA, stranger, claims(nil), nil),
		"stranger's key inside":   sign(t, jose.EdDSA, stranger, claims(nil), &jose.SignerOptions{EmbedJWK: true}),
		"kid of another key":      sign(t, jose.EdDSA, jose.JSONWebKey{KeyID: "rsa", Key: keys["ed"].Key}, claims(nil), nil),
		"unknown kid":             sign(t, jose.EdDSA, jose.JSONWebKey{KeyID: "x", Key: keys["ed"].Key}, claims(nil), nil),
		"critical header": sign(t, jose.EdDSA, keys["ed"], claims(nil),
			(&jose.SignerOptions{}).WithHeader("crit", []string{"x"}).WithHeader("x", 1)),
		"changed claims":   parts[0] + "." + encode(tampered) + "." + parts[2],
		"no signature":     parts[0] + "." + parts[1] + ".",
		"two parts":        parts[0] + "." + parts[1],
		"four parts":       good + ".x",
		"blank round it":   " " + good,
		"JSON form":        fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]),
		"empty":            "",
		"not a JWT":        "hello",
		"too long":         signEd(t, map[string]any{"pad": strings.Repeat("x", 8<<10)}),
		"claims no object": signBytes(t, `["x"]`),
		"exp no number":    signEd(t, map[string]any{"exp": "tomorrow"}),
	} {
		if h, err := v.Verify(t.Context(), credential); !errors.Is(err, session.ErrCredential) || h != (session.Holder{}) {
			t.Errorf("%s: error %v, want ErrCredential", name, err)
		}
	}
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestCredentialClaims(t *testing.T) {
	t.Parallel()
	v := fileVerifier(t, nil)
	lax := fileVerifier(t, func(c *session.CredentialConfig) { c.Issuer, c.Audience = "", "" })
	unix := func(d time.Duration) int64 { return credentialTime.Add(d).Unix() }
	for _, c := range []struct {
		name     string
		verifier *session.CredentialVerifier
		changes  map[string]any
		ok       bool
	}{
		{"as is", v, nil, true},
		{"expires in a second", v, map[string]any{"exp": unix(time.Second)}, true},
		{"expires now", v, map[string]any{"exp": unix(0)}, false},
		{"expired", v, map[string]any{"exp": unix(-time.Second)}, false},
		{"exp missing", v, map[string]any{"exp": nil}, false},
		{"exp zero", v, map[string]any{"exp": 0}, false},
		{"issued a minute ahead", v, map[string]any{"iat": unix(time.Minute)}, true},
		{"issued further ahead", v, map[string]any{"iat": unix(time.Minute + time.Second)}, false},
		{"iat missing", v, map[string]any{"iat": nil}, true},
		{"not before a minute ahead", v, map[string]any{"nbf": unix(time.Minute)}, true},
		{"not before later", v, map[string]any{"nbf": unix(time.Minute + time.Second)}, false},
		{"another issuer", v, map[string]any{"iss": "https://id.example/"}, false},
		{"issuer missing", v, map[string]any{"iss": nil}, false},
		{"any issuer", lax, map[string]any{"iss": "x"}, true},
		{"another audience", v, map[string]any{"aud": "portal"}, false},
		{"audience missing", v, map[string]any{"aud": nil}, false},
		{"one of the audiences", v, map[string]any{"aud": []string{"portal", "licgate"}}, true},
		{"none of the audiences", v, map[string]any{"aud": []string{"portal", "x"}}, false},
		{"any audience", lax, map[string]any{"aud": nil}, true},
		{"expired, nothing compared", lax, map[string]any{"exp": unix(-time.Second)}, false},
		{"sub and jti missing", v, map[string]any{"sub": nil, "jti": nil}, true},
		{"jti too long", v, map[string]any{"jti": strings.Repeat("x", 257)}, false},
		{"identity_num missing", v, map[string]any{"identity_num": nil}, false},
		{"identity_num empty", v, map[string]any{"identity_num": ""}, false},
		{"identity_num a number", v, map[string]any{"identity_num": 11010519491231}, false},
		{"identity_num with blank", v, map[string]any{"identity_num": identityNum + " "}, false},
		{"identity_num with line break", v, map[string]any{"identity_num": identityNum + "\n"}, false},
		{"identity_num too long", v, map[string]any{"identity_num": strings.Repeat("1", 65)}, false},
		{"identity_num full width", v, map[string]any{"identity_num": "１１０１０５"}, false},
		{"another case of the name", v, map[string]any{"identity_num": nil, "Identity_Num": identityNum}, false},
		{"code 001", v, map[string]any{"holder_code": "001"}, true},
		{"code 10", v, map[string]any{"holder_code": "10"}, true},
		{"code 1", v, map[string]any{"holder_code": "1"}, false},
		{"code 1110", v, map[string]any{"holder_code": "1110"}, false},
		{"code with letters", v, map[string]any{"holder_code": "11a"}, false},
		{"code a number", v, map[string]any{"holder_code": 111}, false},
	} {
		h, err := c.verifier.Verify(t.Context(), signEd(t, c.changes))
		if c.ok != (err == nil) || (err != nil && !errors.Is(err, session.ErrCredential)) {
			t.Errorf("%s: error %v, want accepted %v", c.name, err, c.ok)
		}
		if err != nil && strings.Contains(err.Error(), "11010519") {
			t.Errorf("%s: the error shows the person: %v", c.name, err)
		}
		if code, given := c.changes["holder_code"].(string); given && c.ok && h.Code != code {
			t.Errorf("%s: holder code %s, want %s", c.name, h.Code, code)
		}
	}
}

// A name that occurs twice could mean one holder to the issuer's checks and another here.
func TestCredentialDuplicateClaim(t *testing.T) {
	t.Parallel()
	v := fileVerifier(t, func(c *session.CredentialConfig) { c.Issuer, c.Audience = "", "" })
	for body, want := range map[string]error{
		`{"exp":4000000000,"identity_num":"11010519491231002X"}`:                                     nil,
		`{"exp":4000000000,"identity_num":"11010519491231002X","identity_num":"11010119800229123X"}`: session.ErrCredential,
	} {
		if _, err := v.Verify(t.Context(), signBytes(t, body)); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: error %v, want %v", body, err, want)
		}
	}
}

func TestCredentialKeyNamesItsAlgorithm(t *testing.T) {
	t.Parallel()
	key := issuerKeys()["rsa"]
	key.Algorithm = "PS256"
	content, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	v := fileVerifier(t, func(c *session.CredentialConfig) { c.JWKSFile = writeFile(t, content) })
	if _, err := v.Verify(t.Context(), sign(t, jose.PS256, issuerKeys()["rsa"], claims(nil), nil)); err != nil {
		t.Errorf("PS256: %v", err)
	}
	if _, err := v.Verify(t.Context(), sign(t, jose.RS256, issuerKeys()["rsa"], claims(nil), nil)); !errors.Is(err, session.ErrCredential) {
		t.Errorf("RS256: error %v, want ErrCredential", err)
	}
}

func TestCredentialWithoutKeysRefused(t *testing.T) {
	t.Parallel()
	v, err := session.NewCredentialVerifier(session.CredentialConfig{Now: at(credentialTime)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), signEd(t, nil)); !errors.Is(err, session.ErrCredential) {
		t.Errorf("error %v, want ErrCredential", err)
	}
}

func TestKeySetFileRefusals(t *testing.T) {
	t.Parallel()
	_, err := session.NewCredentialVerifier(session.CredentialConfig{JWKSFile: filepath.Join(t.TempDir(), "none.json")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: error %v, want fs.ErrNotExist", err)
	}
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{issuerKeys()["ed"]}})
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakSet, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "weak", Key: weak.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	one := strings.TrimSuffix(strings.TrimPrefix(string(public(t, "ed")), `{"keys":[`), `]}`)
	for name, content := range map[string]string{
		"empty":           "",
		"no set":          "[]",
		"no keys":         `{"keys":[]}`,
		"key no object":   `{"keys":["x"]}`,
		"private":         string(private),
		"shared secret":   `{"keys":[` + one + `,{"kty":"oct","kid":"x","k":"c2VjcmV0"}]}`,
		"for encryption":  strings.Replace(string(public(t, "p256")), `"use":"sig"`, `"use":"enc"`, 1),
		"weak RSA":        string(weakSet),
		"other curve":     string(public(t, "p384")),
		"unknown kind":    `{"keys":[{"kty":"XYZ"}]}`,
		"too many":        `{"keys":[` + strings.Repeat(one+",", 100) + one + `]}`,
		"too long":        string(public(t, "ed")) + strings.Repeat(" ", 1<<20),
		"something after": string(public(t, "ed")) + "x",
	} {
		_, err := session.NewCredentialVerifier(session.CredentialConfig{JWKSFile: writeFile(t, []byte(content))})
		if !errors.Is(err, session.ErrKeySet) {
			t.Errorf("%s: error %v, want ErrKeySet", name, err)
		}
	}
}

func TestKeySetPassesOverUnknownKinds(t *testing.T) {
	t.Parallel()
	set := strings.Replace(string(public(t, "ed")), `[`, `[{"kty":"XYZ"},{"kty":"EC","crv":"P-256"},`, 1)
	v := fileVerifier(t, func(c *session.CredentialConfig) { c.JWKSFile = writeFile(t, []byte(set)) })
	if _, err := v.Verify(t.Context(), signEd(t, nil)); err != nil {
		t.Error(err)
	}
}
