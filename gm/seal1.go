package gm

import (
	"crypto/cipher"
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
	sealVersion1 = 0x01
	headSize1    = 1 + rootIDSize
	saltSize     = 12
	nonceSize    = 12
	tagSize      = 16
	sealedExtra1 = headSize1 + saltSize + nonceSize + tagSize
)

// SealRoot encrypts as Seal does, but under the root key, in version 1: 45 bytes longer than plaintext. It is for what leaves the
// gateway and can't be sealed anew when a data key is destroyed after rotation. Open decrypts it as long as there is a keyring.
func (k *Keyring) SealRoot(plaintext, associated []byte) ([]byte, error) {
	return k.keys().seal1(plaintext, associated)
}

// seal1 seals under the root key, in version 1.
func (k *keys) seal1(plaintext, associated []byte) ([]byte, error) {
	sealed := make([]byte, headSize1+saltSize+nonceSize, len(plaintext)+sealedExtra1)
	sealed[0] = sealVersion1
	copy(sealed[1:], k.id[:])
	if _, err := io.ReadFull(k.random, sealed[headSize1:]); err != nil {
		return nil, fmt.Errorf("gm: sealing: making a nonce: %w", err)
	}
	salt, nonce := sealed[headSize1:headSize1+saltSize], sealed[headSize1+saltSize:]
	aead, err := k.recordAEAD(salt)
	if err != nil {
		return nil, fmt.Errorf("gm: sealing: %w", err)
	}
	return aead.Seal(sealed, nonce, plaintext, bind(sealed, associated)), nil
}

// open1 opens what seal1 made.
func (k *keys) open1(sealed, associated []byte) ([]byte, error) {
	if len(sealed) < sealedExtra1 {
		return nil, fmt.Errorf("%w: too short", ErrSealed)
	}
	if [rootIDSize]byte(sealed[1:headSize1]) != k.id {
		return nil, ErrKeyUnknown
	}
	rest := sealed[headSize1:]
	aead, err := k.recordAEAD(rest[:saltSize])
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
	return append(append(make([]byte, 0, headSize1+len(associated)), sealed[:headSize1]...), associated...)
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
