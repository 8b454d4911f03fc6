package caddymodule

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"

	"licgate/gm"
)

// vault hashes and seals for the registry and for login.
type vault struct{ keys *gm.Keyring }

func (v vault) HashSecret(appKey, secret string) string {
	return "hmac-sm3$" + hex.EncodeToString(v.keys.Digest(gm.PurposeSecret, []byte(appKey+"\x00"+secret)))
}

func (v vault) VerifySecret(appKey, hash, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(hash), []byte(v.HashSecret(appKey, secret))) == 1
}

// DummyHash costs what a real password hash does, so that an unknown account is not told by time.
func (v vault) DummyHash() string { return gm.PasswordHasher{}.Dummy() }

func (v vault) HashPassword(password string) (string, error) {
	return gm.PasswordHasher{}.Hash(password)
}

func (v vault) VerifyPassword(hash, password string) bool {
	return gm.PasswordHasher{}.Verify(hash, password)
}

func identityContext(account string) []byte { return []byte("account/identity_num/" + account) }

func (v vault) SealIdentity(account, identityNum string) ([]byte, error) {
	return v.keys.Seal([]byte(identityNum), identityContext(account))
}

func (v vault) OpenIdentity(account string, sealed []byte) (string, error) {
	text, err := v.keys.Open(sealed, identityContext(account))
	return string(text), err
}

// Generate returns 144 random bits with a lower-case, an upper-case letter and a digit among them.
func (v vault) Generate() (string, error) {
	b := make([]byte, 18)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b) + "Aa1", nil
}
