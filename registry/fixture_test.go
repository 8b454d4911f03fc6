package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// load parses one of the accepted files.
func load(t testing.TB, name string) *Platform {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "accepted", name))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(file))
}

func parse(t testing.TB, file string) *Platform {
	t.Helper()
	p, err := Parse([]byte(file))
	if err != nil {
		t.Fatalf("Parse: %v\nof:\n%s", err, file)
	}
	return p
}

// bare returns p without what a file carries in clear, what a store adds, and the file itself: what Render keeps.
func bare(p *Platform) *Platform {
	copied := overlay(p, &Platform{})
	for i := range copied.Applications {
		a := &copied.Applications[i]
		a.Secret, a.SecretHash, a.SecretTime, a.PreviousHash, a.PreviousUntil = "", "", "", "", time.Time{}
		a.DisabledGiven = false
	}
	for i := range copied.Accounts {
		a := &copied.Accounts[i]
		*a = Account{Account: a.Account, Name: a.Name, Department: a.Department, Roles: a.Roles, Disabled: a.Disabled}
	}
	for i := range copied.Administrators {
		a := &copied.Administrators[i]
		*a = Administrator{Administrator: a.Administrator, Name: a.Name, Role: a.Role, Certificates: a.Certificates, Disabled: a.Disabled}
	}
	return copied
}

// A testVault hashes with SHA-256 and seals with AES-GCM. fail makes the named method fail.
type testVault struct {
	fail      string
	generated int
	opened    cipher.AEAD
}

var errVault = errors.New("vault is broken")

func newVault(t testing.TB) *testVault {
	t.Helper()
	block, err := aes.NewCipher([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return &testVault{opened: aead}
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

func (v *testVault) HashSecret(appKey, secret string) string { return digest(appKey, secret) }

func (v *testVault) VerifySecret(appKey, hash, secret string) bool {
	return hash == digest(appKey, secret)
}

func (v *testVault) HashPassword(password string) (string, error) {
	if v.fail == "HashPassword" {
		return "", errVault
	}
	salt := rand.Text()
	return salt + "$" + digest(salt, password), nil
}

func (v *testVault) VerifyPassword(hash, password string) bool {
	salt, sum, _ := strings.Cut(hash, "$")
	return sum == digest(salt, password)
}

func (v *testVault) SealIdentity(account, num string) ([]byte, error) {
	if v.fail == "SealIdentity" {
		return nil, errVault
	}
	nonce := []byte(rand.Text()[:v.opened.NonceSize()])
	return v.opened.Seal(nonce, nonce, []byte(num), []byte(account)), nil
}

func (v *testVault) OpenIdentity(account string, sealed []byte) (string, error) {
	if v.fail == "OpenIdentity" {
		return "", errVault
	}
	size := v.opened.NonceSize()
	if len(sealed) < size {
		return "", errVault
	}
	num, err := v.opened.Open(nil, sealed[:size], sealed[size:], []byte(account))
	return string(num), err
}

func (v *testVault) Generate() (string, error) {
	if v.fail == "Generate" {
		return "", errVault
	}
	v.generated++
	return "Aa1-" + rand.Text(), nil
}
