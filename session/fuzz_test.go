package session

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const edPublic = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}` // RFC 8037 A.2

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(edPublic))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := parseKeySet(content)
		if err != nil && !errors.Is(err, ErrKeySet) {
			t.Fatalf("error %v, want ErrKeySet", err)
		}
		for _, k := range keys {
			if !k.IsPublic() || !usable(k) {
				t.Fatal("a key that must not verify")
			}
		}
	})
}

func FuzzVerifyCredential(f *testing.F) {
	keys, err := parseKeySet([]byte(edPublic))
	if err != nil {
		f.Fatal(err)
	}
	v := &CredentialVerifier{now: time.Now, fromFile: keys}
	f.Add("eyJhbGciOiJFZERTQSJ9.eyJleHAiOjF9.AAAA")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, credential string) {
		if _, err := v.Verify(t.Context(), credential); !errors.Is(err, ErrCredential) {
			t.Fatalf("error %v, want ErrCredential: nobody signed this", err)
		}
	})
}

func FuzzWellFormedToken(f *testing.F) {
	f.Add("lgs1_" + strings.Repeat("A", 43))
	f.Add("lgs1_" + strings.Repeat("A", 42) + "B")
	f.Add("lgs1_" + strings.Repeat("A", 42) + "\n")
	f.Fuzz(func(t *testing.T, token string) {
		if !wellFormed(token) {
			return
		}
		random, err := tokenEncoding.DecodeString(token[len(tokenPrefix):])
		if err != nil || len(random) != tokenBytes || tokenPrefix+tokenEncoding.EncodeToString(random) != token {
			t.Fatalf("%q has another spelling", token)
		}
	})
}
