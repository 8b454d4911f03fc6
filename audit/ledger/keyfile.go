package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"licgate/gm"
)

// KeyPair is what a log or a witness signs with: Ed25519, which public tools check, and SM2. It does not print its keys.
type KeyPair struct {
	name    string
	ed25519 func() ed25519.PrivateKey
	sm2     SM2Signer
}

// storedKeys is the key file, version 1.
type storedKeys struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Ed25519 []byte `json:"ed25519"` // seed (RFC 8032), base64
	SM2     []byte `json:"sm2"`     // private number, base64
}

// ErrKeyFile says that a key file is not one of a version known here, or is damaged, or is another log's.
var ErrKeyFile = errors.New("ledger: not a usable key file")

// OpenKeys reads the key pair of name at path, or makes it on first start (gm.KeyFile says what a crash leaves). A file
// of another name is ErrKeyFile: a log that changed its name would look like a fork. random gives keys and nonces; nil
// means crypto/rand.
func OpenKeys(path, name string, random io.Reader) (*KeyPair, error) {
	random = randomOr(random)
	if !validName(name) {
		return nil, fmt.Errorf("%w: the name %q is empty or has blanks or plus signs", ErrKey, name)
	}
	content, err := gm.KeyFile(path, func() ([]byte, error) { return newKeyFile(name, random) })
	if err != nil {
		return nil, err
	}
	stored, err := parseKeyFile(path, content)
	if err != nil {
		return nil, err
	}
	if stored.Name != name {
		return nil, fmt.Errorf("%w: %s is of %q, not of %q", ErrKeyFile, path, stored.Name, name)
	}
	sm2, err := gm.ParseSM2SignKey(stored.SM2, random)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	key := ed25519.NewKeyFromSeed(stored.Ed25519)
	return &KeyPair{name: name, ed25519: func() ed25519.PrivateKey { return key }, sm2: sm2}, nil
}

func parseKeyFile(path string, content []byte) (storedKeys, error) {
	var stored storedKeys
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&stored) != nil || stored.Version != 1 || len(stored.Ed25519) != ed25519.SeedSize {
		return storedKeys{}, fmt.Errorf("%w: %s", ErrKeyFile, path)
	}
	return stored, nil
}

// KeysName returns the name in the key file at path; fs.ErrNotExist when there is none.
func KeysName(path string) (string, error) {
	content, err := gm.KeyFile(path, func() ([]byte, error) { return nil, fs.ErrNotExist })
	if err != nil {
		return "", err
	}
	stored, err := parseKeyFile(path, content)
	return stored.Name, err
}

func newKeyFile(name string, random io.Reader) ([]byte, error) {
	stored := storedKeys{Version: 1, Name: name, Ed25519: make([]byte, ed25519.SeedSize)}
	if _, err := io.ReadFull(random, stored.Ed25519); err != nil {
		return nil, fmt.Errorf("ledger: making a key: %w", err)
	}
	sm2, err := gm.NewSM2SignKey(random)
	if err != nil {
		return nil, err
	}
	stored.SM2 = sm2.Bytes()
	content, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("ledger: writing keys: %w", err)
	}
	return append(content, '\n'), nil
}

// LogSigners returns the signers of a log's checkpoints: SM2 and Ed25519.
func (k *KeyPair) LogSigners() ([]Signer, error) {
	sm2, err := SM2NoteSigner(k.name, k.sm2)
	if err != nil {
		return nil, err
	}
	ed, err := Ed25519Signer(k.name, k.ed25519())
	if err != nil {
		return nil, err
	}
	return []Signer{sm2, ed}, nil
}

// Cosigners returns the signers of other logs' checkpoints: SM2 and Ed25519.
func (k *KeyPair) Cosigners(now func() time.Time) ([]Signer, error) {
	sm2, err := SM2Cosigner(k.name, k.sm2, now)
	if err != nil {
		return nil, err
	}
	ed, err := Ed25519Cosigner(k.name, k.ed25519(), now)
	if err != nil {
		return nil, err
	}
	return []Signer{sm2, ed}, nil
}

// String names the pair.
func (k KeyPair) String() string { return "ledger.KeyPair(" + k.name + ")" }

// GoString is String.
func (k KeyPair) GoString() string { return k.String() }

// Format is String for every verb.
func (k KeyPair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON is String.
func (k KeyPair) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
