package gm

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/smx509"
)

func TestSM2SignKey(t *testing.T) {
	t.Parallel()
	key, err := NewSM2SignKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSM2SignKey(key.Bytes(), nil)
	if err != nil || !bytes.Equal(again.Public(), key.Public()) {
		t.Fatalf("%v", err)
	}
	public, err := ParseSM2VerifyKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	signature, err := again.Sign(message)
	if err != nil || !public.Verify(message, signature) {
		t.Fatalf("%v", err)
	}
	if public.Verify([]byte("massage"), signature) || public.Verify(message, nil) || (SM2VerifyKey{}).Verify(message, signature) {
		t.Error("a wrong signature passes")
	}
	for i := range signature {
		changed := bytes.Clone(signature)
		changed[i] ^= 1
		if public.Verify(message, changed) {
			t.Errorf("a change at %d passes", i)
		}
	}
	for _, b := range [][]byte{nil, make([]byte, 31), make([]byte, 32), bytes.Repeat([]byte{0xFF}, 32)} {
		if _, err := ParseSM2SignKey(b, nil); !errors.Is(err, ErrSM2Key) {
			t.Errorf("%x: %v", b, err)
		}
	}
	off := key.Public()
	off[40] ^= 1
	for _, b := range [][]byte{nil, make([]byte, 65), off, key.Public()[:64], append(key.Public(), 0)} {
		if _, err := ParseSM2VerifyKey(b); !errors.Is(err, ErrSM2Key) {
			t.Errorf("%x: %v", b, err)
		}
	}
	secret := fmt.Sprintf("%x", key.Bytes())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if text := fmt.Sprintf(verb, key) + fmt.Sprintf(verb, *key); strings.Contains(strings.ToLower(text), secret[:16]) || !strings.Contains(text, "SM2SignKey") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

// TestSM2SignKeyInOpenSSL: another implementation accepts the signatures.
func TestSM2SignKeyInOpenSSL(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewSM2SignKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := smx509.MarshalPKIXPublicKey(&key.key().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"pub.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "sig": signature, "msg": []byte("message"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(openssl, "dgst", "-sm3", "-verify", "pub.pem", "-signature", "sig", "-sigopt", "distid:1234567812345678", "msg")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
