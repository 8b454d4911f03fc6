package seal

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"

	"licgate/gm"
)

// Role is what a key is for.
type Role string

// The roles.
const (
	RoleRoot   Role = "root"   // certifies all others of its algorithms
	RoleMaker  Role = "maker"  // makes seals (制章者)
	RoleStamps Role = "stamps" // signs time-stamps
	RoleSeal   Role = "seal"   // uses a seal (印章使用者)
)

// KeyName names a key. SealCode, Name and Department are those of a seal, for RoleSeal alone.
type KeyName struct {
	Role                       Role
	Algorithms                 Algorithms
	SealCode, Name, Department string
}

// Keys keeps private keys and their certificates. FileKeys does in files; what speaks to a device takes its place. All methods
// are safe for concurrent use, also by other processes.
type Keys interface {
	// Identity returns the key of a name and its certificate. When there is none it makes the key, and has it certified; of
	// several callers that do so at once, on one node or several, all get the same.
	Identity(ctx context.Context, name KeyName, certify func(key crypto.Signer) (*gm.Certificate, error)) (Identity, error)
}

// ErrKey says that a key file is damaged, or is not what its name says.
var ErrKey = errors.New("seal: not a usable key file")

// parsePrivate returns the key with the private number b.
func parsePrivate(a Algorithms, b []byte) (crypto.Signer, error) {
	if a == SM2SM3 {
		key, err := gm.ParseSM2SignKey(b, rand.Reader)
		if err != nil {
			return nil, err
		}
		return key.Signer(), nil
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	if err != nil {
		return nil, err
	}
	return p256Signer{func() *ecdsa.PrivateKey { return key }}, nil
}

// p256Signer signs as RFC 6979 says: the same digest gives the same signature. It does not print its key.
type p256Signer struct{ key func() *ecdsa.PrivateKey }

// Public implements crypto.Signer.
func (s p256Signer) Public() crypto.PublicKey { return &s.key().PublicKey }

// Sign implements crypto.Signer.
func (s p256Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key().Sign(nil, digest, opts)
}
