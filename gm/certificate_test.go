package gm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var certificateTime = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

func specOf(name string, use CertificateUse) CertificateSpec {
	return CertificateSpec{
		Subject: pkix.Name{Country: []string{"CN"}, CommonName: name}, Use: use,
		NotBefore: certificateTime.Add(-time.Hour), NotAfter: certificateTime.Add(time.Hour),
	}
}

// signers are of the two kinds that certificates have.
var signers = map[string]func(t *testing.T) crypto.Signer{
	"sm2": func(t *testing.T) crypto.Signer {
		key, err := NewSM2SignKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		return key.Signer()
	},
	"p256": func(t *testing.T) crypto.Signer {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	},
}

func certify(t *testing.T, spec CertificateSpec, key crypto.Signer, issuer *Certificate, by crypto.Signer) *Certificate {
	t.Helper()
	c, err := Certify(rand.Reader, spec, key.Public(), issuer, by)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	for kind, fresh := range signers {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rootKey, key := fresh(t), fresh(t)
			root := certify(t, specOf("根", UseCA), rootKey, nil, rootKey)
			leaf := certify(t, specOf("签章人", UseSign), key, root, rootKey)
			stamps := certify(t, specOf("时间戳", UseStamps), key, root, rootKey)
			for _, c := range []struct {
				c                 *Certificate
				ca, signs, stamps bool
			}{{root, true, false, false}, {leaf, false, true, false}, {stamps, false, false, true}} {
				if c.c.CA() != c.ca || c.c.Signs() != c.signs || c.c.Stamps() != c.stamps || c.c.SM2() != (kind == "sm2") {
					t.Errorf("%s: CA %v, signs %v, stamps %v, SM2 %v", c.c.Subject().CommonName, c.c.CA(), c.c.Signs(), c.c.Stamps(), c.c.SM2())
				}
				if err := c.c.ChainTo([]*Certificate{root}, nil, certificateTime); err != nil {
					t.Error(err)
				}
				again, err := ParseCertificate(c.c.DER())
				if err != nil || !again.Equal(c.c) || again.Equal(certify(t, specOf("x", UseCA), rootKey, nil, rootKey)) {
					t.Errorf("parsed again: %v", err)
				}
			}
			other := certify(t, specOf("根", UseCA), key, nil, key)
			for name, err := range map[string]error{
				"another root": leaf.ChainTo([]*Certificate{other}, nil, certificateTime),
				"no root":      leaf.ChainTo(nil, []*Certificate{root}, certificateTime),
				"too early":    leaf.ChainTo([]*Certificate{root}, nil, certificateTime.Add(-2*time.Hour)),
				"too late":     leaf.ChainTo([]*Certificate{root}, nil, certificateTime.Add(2*time.Hour)),
				"under a leaf": certify(t, specOf("y", UseSign), key, leaf, key).ChainTo([]*Certificate{root}, []*Certificate{leaf}, certificateTime),
			} {
				if !errors.Is(err, ErrCertificate) {
					t.Errorf("%s: %v", name, err)
				}
			}
			signature, err := SignMessage(nil, key, []byte("message"))
			if err != nil || !leaf.Verify([]byte("message"), signature) {
				t.Fatalf("a signature fails: %v", err)
			}
			if leaf.Verify([]byte("massage"), signature) || root.Verify([]byte("message"), signature) || leaf.Verify([]byte("message"), nil) {
				t.Error("a wrong signature passes")
			}
		})
	}
}

func TestCertificateRefusals(t *testing.T) {
	t.Parallel()
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SignMessage(nil, foreign, []byte("m")); !errors.Is(err, ErrSigner) {
		t.Errorf("an Ed25519 key signs: %v", err)
	}
	key := signers["sm2"](t)
	good := certify(t, specOf("根", UseCA), key, nil, key).DER()
	for _, der := range [][]byte{nil, good[:len(good)-1], append(bytes.Clone(good), 0), make([]byte, maxCertificate+1)} {
		if _, err := ParseCertificate(der); !errors.Is(err, ErrCertificate) {
			t.Errorf("%d bytes: %v", len(der), err)
		}
	}
	if _, err := Certify(rand.Reader, specOf("x", 9), key.Public(), nil, key); !errors.Is(err, ErrCertificate) {
		t.Errorf("an unknown use: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v %d", key, key, key, key); text != "gm.SM2SignKey gm.SM2SignKey gm.SM2SignKey gm.SM2SignKey" {
		t.Errorf("a signer prints %s", text)
	}
}

// TestCertificatesInOpenSSL: another implementation accepts the chains.
func TestCertificatesInOpenSSL(t *testing.T) {
	t.Parallel()
	for kind, fresh := range signers {
		dir, rootKey, key := t.TempDir(), fresh(t), fresh(t)
		root := certify(t, specOf("根", UseCA), rootKey, nil, rootKey)
		leaf := certify(t, specOf("签章人", UseSign), key, root, rootKey)
		for name, c := range map[string]*Certificate{"root.pem": root, "leaf.pem": leaf} {
			content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER()})
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		arguments := []string{"verify", "-attime", fmt.Sprint(certificateTime.Unix()), "-x509_strict", "-CAfile", "root.pem", "leaf.pem"}
		if kind == "sm2" {
			arguments = append([]string{"verify", "-vfyopt", "distid:1234567812345678"}, arguments[1:]...)
		}
		cmd := exec.CommandContext(t.Context(), "openssl", arguments...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", kind, err, out)
		}
	}
}
