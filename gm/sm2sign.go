package gm

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm2"
)

// Sizes of SM2 keys in bytes.
const (
	sm2PrivateSize = 32
	// SM2PublicSize is that of a public key as an uncompressed point: 0x04 ‖ x ‖ y.
	SM2PublicSize = 65
)

// ErrSM2Key says that bytes are no SM2 key.
var ErrSM2Key = errors.New("gm: not an SM2 key")

// SM2SignKey signs with SM2 and SM3 (GB/T 32918.2), under the default user id 1234567812345678 (GM/T 0009). It does not
// print its key. Safe for concurrent use when its random source is.
type SM2SignKey struct {
	// key is a function because fmt, asked for an odd verb, follows pointers in private fields, but never calls.
	key    func() *sm2.PrivateKey
	random io.Reader
}

// NewSM2SignKey makes a key. random gives it and the nonces of its signatures; nil means crypto/rand.
func NewSM2SignKey(random io.Reader) (*SM2SignKey, error) {
	if random == nil {
		random = rand.Reader
	}
	key, err := sm2.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("gm: making an SM2 key: %w", err)
	}
	return &SM2SignKey{key: func() *sm2.PrivateKey { return key }, random: random}, nil
}

// ParseSM2SignKey reads what Bytes gave; anything else is ErrSM2Key.
func ParseSM2SignKey(b []byte, random io.Reader) (*SM2SignKey, error) {
	if random == nil {
		random = rand.Reader
	}
	if len(b) != sm2PrivateSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrSM2Key, len(b))
	}
	key, err := sm2.NewPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: out of range", ErrSM2Key)
	}
	return &SM2SignKey{key: func() *sm2.PrivateKey { return key }, random: random}, nil
}

// Bytes returns the private number, 32 bytes: it is the secret.
func (k *SM2SignKey) Bytes() []byte {
	key, err := k.key().ECDH()
	if err != nil {
		panic("gm: encoding an SM2 key: " + err.Error()) // a key of the curve always encodes
	}
	return key.Bytes()
}

// Public returns the public key.
func (k *SM2SignKey) Public() []byte {
	key, err := sm2.PublicKeyToECDH(&k.key().PublicKey)
	if err != nil {
		panic("gm: encoding an SM2 public key: " + err.Error()) // a point of the curve always encodes
	}
	return key.Bytes()
}

// Sign returns a signature of message in ASN.1 DER (GB/T 35276).
func (k *SM2SignKey) Sign(message []byte) ([]byte, error) {
	signature, err := k.key().Sign(k.random, message, sm2.DefaultSM2SignerOpts)
	if err != nil {
		return nil, fmt.Errorf("gm: signing with SM2: %w", err)
	}
	return signature, nil
}

// String, GoString and Format print no key.
func (k SM2SignKey) String() string { return "gm.SM2SignKey" }

// GoString is String.
func (k SM2SignKey) GoString() string { return k.String() }

// Format is String for every verb.
func (k SM2SignKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// SM2VerifyKey verifies what an SM2SignKey signs.
type SM2VerifyKey struct{ key *ecdsa.PublicKey }

// ParseSM2VerifyKey reads a public key of SM2PublicSize bytes; anything else is ErrSM2Key.
func ParseSM2VerifyKey(b []byte) (SM2VerifyKey, error) {
	key, err := sm2.NewPublicKey(b)
	if err != nil || len(b) != SM2PublicSize {
		return SM2VerifyKey{}, fmt.Errorf("%w: not a point of the curve", ErrSM2Key)
	}
	return SM2VerifyKey{key: key}, nil
}

// Verify reports whether signature is one of message by the key.
func (k SM2VerifyKey) Verify(message, signature []byte) bool {
	return k.key != nil && sm2.VerifyASN1WithSM2(k.key, nil, message, signature)
}
