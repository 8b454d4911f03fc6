package gm

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
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
	rootSize  = 32
	keyIDSize = 4
)

// Labels of what is derived from the root key. They are part of the format: a changed label is another key.
const (
	labelKeyID  = "licgate/v1/key-id"
	labelSeal   = "licgate/v1/seal"
	labelDigest = "licgate/v1/digest/" // and the purpose
)

// ErrKeyring says that a key file is not a keyring of a version known here, or is damaged.
var ErrKeyring = errors.New("gm: not a usable keyring")

// Keyring holds the gateway's keys in memory. It does not print its keys. Safe for concurrent use.
type Keyring struct {
	// keys is a function because fmt, asked for an odd verb, follows pointers in private fields, but never calls.
	keys func() *keys
}

type keys struct {
	id      [keyIDSize]byte
	seal    []byte
	random  io.Reader
	digests map[Purpose][]byte
	// hashes are keyed with digests and kept: making one costs as much as hashing a short text with it.
	hashes map[Purpose]*sync.Pool
}

// storedKeyring is the key file, version 1. The id repeats what the root key gives: a damaged file is found before
// anything is sealed by a key that nobody has again.
type storedKeyring struct {
	Version int    `json:"version"`
	ID      string `json:"id"`   // hexadecimal
	Root    []byte `json:"root"` // base64
}

// Open loads the keyring under dir, or makes a new one on first start: file 0600, whole on disk before it gets its
// name, so that a crash leaves either no keyring or a whole one, and of two processes that start at once the second
// takes the first one's (KeyFile). A key file that others may read is ErrKeyFileOpen; one that is damaged is
// ErrKeyring. dir is made when missing. random gives the root key and the nonces of Seal; it must be safe for
// concurrent use; nil means crypto/rand.
func Open(dir string, random io.Reader) (*Keyring, error) {
	if random == nil {
		random = rand.Reader
	}
	path := filepath.Join(dir, keyringFile)
	content, err := KeyFile(path, func() ([]byte, error) { return newKeyringFile(random) })
	if err != nil {
		return nil, err
	}
	k, err := parseKeyring(content, random)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return k, nil
}

func newKeyringFile(random io.Reader) ([]byte, error) {
	root := make([]byte, rootSize)
	if _, err := io.ReadFull(random, root); err != nil {
		return nil, fmt.Errorf("gm: making a root key: %w", err)
	}
	id, err := derive(root, labelKeyID, keyIDSize)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(storedKeyring{Version: 1, ID: hex.EncodeToString(id), Root: root})
	if err != nil {
		return nil, fmt.Errorf("gm: writing a keyring: %w", err)
	}
	return append(content, '\n'), nil
}

// parseKeyring reads a key file. Its errors never repeat the content.
func parseKeyring(content []byte, random io.Reader) (*Keyring, error) {
	var stored storedKeyring
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&stored) != nil {
		return nil, fmt.Errorf("%w: not the JSON of a keyring", ErrKeyring)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the keyring", ErrKeyring)
	}
	if stored.Version != 1 {
		return nil, fmt.Errorf("%w: version %d, want 1", ErrKeyring, stored.Version)
	}
	if len(stored.Root) != rootSize {
		return nil, fmt.Errorf("%w: root key of %d bytes, want %d", ErrKeyring, len(stored.Root), rootSize)
	}
	id, err := derive(stored.Root, labelKeyID, keyIDSize)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(stored.ID), []byte(hex.EncodeToString(id))) != 1 {
		return nil, fmt.Errorf("%w: root key and id do not belong together", ErrKeyring)
	}
	k := &keys{id: [keyIDSize]byte(id), random: random, digests: map[Purpose][]byte{}, hashes: map[Purpose]*sync.Pool{}}
	if k.seal, err = derive(stored.Root, labelSeal, sm3.Size); err != nil {
		return nil, err
	}
	for _, p := range purposes {
		key, err := derive(stored.Root, labelDigest+string(p), sm3.Size)
		if err != nil {
			return nil, err
		}
		k.digests[p] = key
		k.hashes[p] = &sync.Pool{New: func() any { return hmac.New(sm3.New, key) }}
	}
	return &Keyring{keys: func() *keys { return k }}, nil
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
