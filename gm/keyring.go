package gm

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/emmansun/gmsm/sm3"
)

// keyringFile is the name of the keyring in its folder.
const keyringFile = "local.key"

// Sizes in bytes.
const (
	rootSize   = 32
	rootIDSize = 4
)

// Labels of what is derived from the root key. They are part of the format: a changed label is another key.
const (
	labelKeyID  = "licgate/v1/key-id"
	labelSeal   = "licgate/v1/seal"
	labelDigest = "licgate/v1/digest/" // and the purpose
	labelWrap   = "licgate/v1/wrap"
)

// ErrKeyring says that a key file is not a keyring of a version known here, or is damaged.
var ErrKeyring = errors.New("gm: not a usable keyring")

// Keyring holds the gateway's keys in memory. It does not print its keys. Safe for concurrent use.
type Keyring struct {
	// keys is a function because fmt, asked for an odd verb, follows pointers in private fields, but never calls.
	keys func() *keys
}

type keys struct {
	id      [rootIDSize]byte
	seal    []byte
	random  io.Reader
	digests map[Purpose][]byte
	// hashes are keyed with digests and kept: making one costs as much as hashing a short text with it.
	hashes map[Purpose]*sync.Pool
	data   *dataKeys // nil: Open, which knows the root key alone
}

// Open loads the root key under dir, or makes a new one on first start: file 0600, whole on disk before it gets its
// name, so that a crash leaves either no keyring or a whole one, and of two processes that start at once the second
// takes the first one's (KeyFile). A key file that others may read is ErrKeyFileOpen; one that is damaged is
// ErrKeyring. dir is made when missing. random gives the root key and the nonces of Seal; it must be safe for
// concurrent use; nil means crypto/rand.
//
// The keyring has no data keys: it seals under the root key, in version 1. OpenKeys gives the whole of it.
func Open(dir string, random io.Reader) (*Keyring, error) {
	if random == nil {
		random = rand.Reader
	}
	root, err := plainRoot(filepath.Join(dir, keyringFile), random)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	k, err := newKeys(root, random)
	if err != nil {
		return nil, err
	}
	return &Keyring{keys: func() *keys { return k }}, nil
}

// newKeys derives all that hangs on the root key, which the caller may erase afterwards.
func newKeys(root []byte, random io.Reader) (*keys, error) {
	id, err := derive(root, labelKeyID, rootIDSize)
	if err != nil {
		return nil, err
	}
	k := &keys{id: [rootIDSize]byte(id), random: random, digests: map[Purpose][]byte{}, hashes: map[Purpose]*sync.Pool{}}
	if k.seal, err = derive(root, labelSeal, sm3.Size); err != nil {
		return nil, err
	}
	for _, p := range purposes {
		key, err := derive(root, labelDigest+string(p), sm3.Size)
		if err != nil {
			return nil, err
		}
		k.digests[p] = key
		k.hashes[p] = &sync.Pool{New: func() any { return hmac.New(sm3.New, key) }}
	}
	return k, nil
}

// derive makes a subkey: HKDF-Expand (RFC 5869) over HMAC-SM3. The root key is uniform, so it needs no extract step.
func derive(key []byte, label string, size int) ([]byte, error) {
	sub, err := hkdf.Expand(sm3.New, key, label, size)
	if err != nil {
		return nil, fmt.Errorf("gm: deriving %s: %w", label, err)
	}
	return sub, nil
}

// mac returns HMAC-SM3 (RFC 2104) of the parts, one after another.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sm3.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// String names the keyring by its key id, which is no secret.
func (k Keyring) String() string {
	if k.keys == nil {
		return "gm.Keyring(empty)"
	}
	return "gm.Keyring(" + hex.EncodeToString(k.keys().id[:]) + ")"
}

// GoString is String: no verb prints a key.
func (k Keyring) GoString() string { return k.String() }

// Format is String for every verb.
func (k Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON is String: a keyring in a dumped structure shows its id only.
func (k Keyring) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
