package gm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// The first byte of a sealed value is its version. Version 1 is sealed under the root key (seal1.go), version 2 under a
// department's data key (sealer):
//
//	1 byte   version, 0x02
//	8 bytes  id of the data key
//	16 bytes salt, random
//	n bytes  SM4-GCM of the plaintext and its 16 byte tag; the associated data are the first 9 bytes, then the caller's
//
// The sealer's key is HKDF-Expand(data key, "licgate/v2/seal", 32). Both versions are frozen.
const (
	sealVersion2 = 0x02
	headSize2    = 1 + dataIDSize
	labelSeal2   = "licgate/v2/seal"
)

// Errors of Keyring.Open.
var (
	// ErrSealed says that a sealed value was changed, is cut short, belongs to another row or column, or was never sealed.
	ErrSealed = errors.New("gm: sealed value refused")
	// ErrKeyUnknown says that a sealed value names a key that this keyring does not hold.
	ErrKeyUnknown = errors.New("gm: sealed by a key that is not in the keyring")
	// ErrShredded says that the key was destroyed: what it sealed is gone for good. Also of SealFor, for a department that was
	// shredded.
	ErrShredded = errors.New("gm: key was destroyed")
	// ErrNoDataKeys says that the keyring was opened by Open: it has no data keys.
	ErrNoDataKeys = errors.New("gm: keyring without data keys")
)

// Seal is SealFor what is no department's.
func (k *Keyring) Seal(plaintext, associated []byte) ([]byte, error) {
	return k.SealFor("", plaintext, associated)
}

// SealFor encrypts plaintext by SM4-GCM under the data key of a department, which is made when there is none for this period;
// associated binds it to its row, column and version. The result carries a format version and the key's id, and is 41 bytes longer
// than plaintext. A keyring without data keys seals under the root key, in version 1, 45 bytes longer.
//
// It may wait for the key store or the wrapper, by KeysConfig.Timeout. Errors: ErrShredded, ErrKeyRecord, ErrKEKUnavailable,
// and the store's.
func (k *Keyring) SealFor(department string, plaintext, associated []byte) ([]byte, error) {
	d := k.keys().data
	if d == nil {
		return k.keys().seal1(plaintext, associated)
	}
	key, s, err := d.sealing(department)
	if err != nil {
		return nil, fmt.Errorf("gm: sealing: %w", err)
	}
	return key.seal(s, d, plaintext, associated)
}

func (k *dataKey) seal(s *sealer, d *dataKeys, plaintext, associated []byte) ([]byte, error) {
	sealed, err := s.seal(d.Random, k.head[:], plaintext, associated)
	if errors.Is(err, errWiped) {
		err = fmt.Errorf("%w: key %s", ErrShredded, k.record.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("gm: sealing: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal or SealFor made, in every version. Any change to sealed or associated is an error: ErrSealed, or
// ErrKeyUnknown when the key's id is another one. ErrShredded: its key was destroyed. It may wait as SealFor does.
func (k *Keyring) Open(sealed, associated []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, fmt.Errorf("%w: too short", ErrSealed)
	}
	switch sealed[0] {
	case sealVersion1:
		return k.keys().open1(sealed, associated)
	case sealVersion2:
		return k.keys().open2(sealed, associated)
	}
	return nil, fmt.Errorf("%w: version %d, want 1 or 2", ErrSealed, sealed[0])
}

func (k *keys) open2(sealed, associated []byte) ([]byte, error) {
	if len(sealed) < headSize2+recordExtra {
		return nil, fmt.Errorf("%w: too short", ErrSealed)
	}
	if k.data == nil {
		return nil, ErrKeyUnknown
	}
	key, err := k.data.find([dataIDSize]byte(sealed[1:headSize2]))
	if err != nil {
		return nil, err
	}
	s, err := k.data.unwrapped(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := s.open(sealed, headSize2, associated)
	if errors.Is(err, errWiped) {
		return nil, fmt.Errorf("%w: key %s", ErrShredded, key.record.ID)
	}
	return plaintext, err
}

// SealedBy returns the id of the key that sealed needs: a data key's, or that of the root key (8 digits) for version 1. It does not look
// whether it opens.
func SealedBy(sealed []byte) (KeyID, error) {
	switch {
	case len(sealed) >= sealedExtra1 && sealed[0] == sealVersion1:
		return KeyID(hex.EncodeToString(sealed[1:headSize1])), nil
	case len(sealed) >= headSize2+recordExtra && sealed[0] == sealVersion2:
		return KeyID(hex.EncodeToString(sealed[1:headSize2])), nil
	}
	return "", fmt.Errorf("%w: no key to be seen", ErrSealed)
}

// Reseal seals the plaintext of sealed anew under the active key of department, unless it is sealed by that already: then fresh is
// sealed itself and changed is false. former are older forms of associated, tried one after another when sealed was not bound
// to associated. A keyring without data keys changes nothing.
func (k *Keyring) Reseal(department string, sealed, associated []byte, former ...[]byte) (fresh []byte, changed bool, err error) {
	d := k.keys().data
	if d == nil {
		return sealed, false, nil
	}
	by, err := SealedBy(sealed)
	if err != nil {
		return nil, false, err
	}
	key, s, err := d.sealing(department)
	if err != nil {
		return nil, false, fmt.Errorf("gm: sealing: %w", err)
	}
	if by == key.record.ID {
		return sealed, false, nil
	}
	plaintext, err := k.openAny(sealed, slices.Insert(former, 0, associated))
	if err != nil {
		return nil, false, err
	}
	defer clear(plaintext)
	fresh, err = key.seal(s, d, plaintext, associated)
	return fresh, err == nil, err
}

// openAny opens sealed by the first of associated that it is bound to.
func (k *Keyring) openAny(sealed []byte, associated [][]byte) (plaintext []byte, err error) {
	for _, a := range associated {
		if plaintext, err = k.Open(sealed, a); !errors.Is(err, ErrSealed) {
			return plaintext, err
		}
	}
	return nil, err
}
