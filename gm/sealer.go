package gm

import (
	"crypto/cipher"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// A sealer seals values under one 32-byte key. Each value has a key and a nonce of its own, made from the sealer's key and a
// random salt:
//
//	head ‖ 16 bytes salt ‖ SM4-GCM of the plaintext, and its 16 byte tag
//
//	m = HMAC-SM3(key, salt): SM4 key m[0:16], GCM nonce m[16:28]; associated data: head ‖ the caller's
//
// Two values meet only when their salts do, and those are 128 random bits: 2^48 values under one key meet with a
// probability of 2^-33. What stands before the salt, the head, is bound and not secret.
//
// HMAC's two inner states take the place of the key, so that wipe can erase all that the key left in memory.
type sealer struct {
	mu           sync.RWMutex // held for reading while the states are used
	inner, outer []byte       // states of SM3 after the key's block; nil: wiped
}

const (
	recordSalt  = 16
	recordExtra = recordSalt + tagSize
)

// errWiped says that the key of a sealer was erased.
var errWiped = errors.New("gm: key was erased")

// newSealer makes a sealer of key, which the caller may erase afterwards.
func newSealer(key []byte) (*sealer, error) {
	pad := make([]byte, sm3.BlockSize)
	defer clear(pad)
	state := func(with byte) ([]byte, error) {
		clear(pad)
		copy(pad, key)
		for i := range pad {
			pad[i] ^= with
		}
		h := sm3.New()
		h.Write(pad)
		return h.(encoding.BinaryMarshaler).MarshalBinary()
	}
	inner, err := state(0x36)
	if err != nil {
		return nil, fmt.Errorf("gm: preparing a key: %w", err)
	}
	outer, err := state(0x5c)
	if err != nil {
		return nil, fmt.Errorf("gm: preparing a key: %w", err)
	}
	return &sealer{inner: inner, outer: outer}, nil
}

// wipe erases the key. Who is sealing or opening ends first; whoever comes later gets errWiped.
func (s *sealer) wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.inner)
	clear(s.outer)
	s.inner, s.outer = nil, nil
}

// scratch is what making a record's key needs of memory.
type scratch struct {
	hash  hash.Hash
	sum   []byte
	bound []byte // head ‖ associated
}

var scratches = sync.Pool{New: func() any { return &scratch{hash: sm3.New(), sum: make([]byte, 0, sm3.Size)} }}

func (w *scratch) bind(head, associated []byte) []byte {
	w.bound = append(append(w.bound[:0], head...), associated...)
	return w.bound
}

// release erases what the key left and gives w back.
func (w *scratch) release() {
	w.hash.Reset()
	clear(w.sum[:cap(w.sum)])
	if cap(w.bound) > 4096 {
		w.bound = nil // one huge text must not be kept for ever
	}
	scratches.Put(w)
}

// record returns cipher and nonce of the value with this salt; the nonce is good until w is released.
func (s *sealer) record(w *scratch, salt []byte) (cipher.AEAD, []byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.inner == nil {
		return nil, nil, errWiped
	}
	state := w.hash.(encoding.BinaryUnmarshaler)
	if err := state.UnmarshalBinary(s.inner); err != nil {
		return nil, nil, err
	}
	w.hash.Write(salt)
	w.sum = w.hash.Sum(w.sum[:0])
	if err := state.UnmarshalBinary(s.outer); err != nil {
		return nil, nil, err
	}
	w.hash.Write(w.sum)
	w.sum = w.hash.Sum(w.sum[:0])
	aead, err := sm4GCM(w.sum[:sm4.BlockSize])
	return aead, w.sum[sm4.BlockSize : sm4.BlockSize+nonceSize], err
}

// seal returns head, salt and sealed plaintext.
func (s *sealer) seal(random io.Reader, head, plaintext, associated []byte) ([]byte, error) {
	out := make([]byte, len(head)+recordSalt, len(head)+recordExtra+len(plaintext))
	salt := out[copy(out, head):]
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("making a salt: %w", err)
	}
	w := scratches.Get().(*scratch)
	defer w.release()
	aead, nonce, err := s.record(w, salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, nonce, plaintext, w.bind(head, associated)), nil
}

// open returns the plaintext of what seal made with a head of this size; ErrSealed when it is not that.
func (s *sealer) open(sealed []byte, head int, associated []byte) ([]byte, error) {
	if len(sealed) < head+recordExtra {
		return nil, fmt.Errorf("%w: too short", ErrSealed)
	}
	w := scratches.Get().(*scratch)
	defer w.release()
	aead, nonce, err := s.record(w, sealed[head:head+recordSalt])
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nonce, sealed[head+recordSalt:], w.bind(sealed[:head], associated))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}
