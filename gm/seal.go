package gm

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm4"
)

// A sealed value, version 1, frozen:
//
//	1 byte   version, 0x01
//	4 bytes  id of the root key
//	12 bytes salt, random: the record's SM4 key is the first 16 bytes of HMAC-SM3(seal key, salt)
//	12 bytes GCM nonce, random
//	n bytes  SM4-GCM of the plaintext and its 16 byte tag; the associated data are the first 5 bytes, then the caller's
//
// Each record has a key of its own because random nonces of 96 bits under one key would carry no more than 2^32
// records safely; salt and nonce together are 192 bits, which no store ever exhausts.
const (
	sealVersion = 0x01
	headSize    = 1 + keyIDSize
	saltSize    = 12
	nonceSize   = 12
	tagSize     = 16
	sealedExtra = headSize + saltSize + nonceSize + tagSize
)

// Errors of Keyring.Open.
var (
	// ErrSealed says that a sealed value was changed, is cut short, belongs to another row or column, or was never sealed.
	ErrSealed = errors.New("gm: sealed value refused")
	// ErrKeyUnknown says that a sealed value names a key that this keyring does not hold.
	ErrKeyUnknown = errors.New("gm: sealed by a key that is not in the keyring")
)

// Seal encrypts plaintext by SM4-GCM; associated binds it to its row and column. The result carries a format
// version and the key's id, and is 45 bytes longer than plaintext.
func (k *Keyring) Seal(plaintext, associated []byte) ([]byte, error) {
	sealed := make([]byte, headSize+saltSize+nonceSize, len(plaintext)+sealedExtra)
	sealed[0] = sealVersion
	copy(sealed[1:], k.keys().id[:])
	if _, err := io.ReadFull(k.keys().random, sealed[headSize:]); err != nil {
		return nil, fmt.Errorf("gm: sealing: making a nonce: %w", err)
	}
	salt, nonce := sealed[headSize:headSize+saltSize], sealed[headSize+saltSize:]
	aead, err := k.keys().recordAEAD(salt)
	if err != nil {
		return nil, fmt.Errorf("gm: sealing: %w", err)
	}
	return aead.Seal(sealed, nonce, plaintext, bind(sealed, associated)), nil
}

// Open decrypts what Seal made. Any change to sealed or associated is an error: ErrSealed, or ErrKeyUnknown when the
// key's id is another one.
func (k *Keyring) Open(sealed, associated []byte) ([]byte, error) {
	if len(sealed) < sealedExtra {
		return nil, fmt.Errorf("%w: too short", ErrSealed)
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrSealed, sealed[0], sealVersion)
	}
	if [keyIDSize]byte(sealed[1:headSize]) != k.keys().id {
		return nil, ErrKeyUnknown
	}
	rest := sealed[headSize:]
	aead, err := k.keys().recordAEAD(rest[:saltSize])
	if err != nil {
		return nil, fmt.Errorf("gm: opening: %w", err)
	}
	rest = rest[saltSize:]
	plaintext, err := aead.Open(nil, rest[:nonceSize], rest[nonceSize:], bind(sealed, associated))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// bind puts version and key id before the caller's associated data, so that they cannot be exchanged either.
func bind(sealed, associated []byte) []byte {
	return append(append(make([]byte, 0, headSize+len(associated)), sealed[:headSize]...), associated...)
}

func (k *keys) recordAEAD(salt []byte) (cipher.AEAD, error) {
	return sm4GCM(mac(k.seal, salt)[:sm4.BlockSize])
}

// sm4GCM returns SM4 (GB/T 32907) in Galois/Counter mode with nonces of 12 and tags of 16 bytes, as in RFC 8998.
func sm4GCM(key []byte) (cipher.AEAD, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
