package ledger

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"licgate/gm"
)

// Hash is a node of the tree: SM3(0x00 ‖ record) of a leaf, SM3(0x01 ‖ left ‖ right) of an inner node (RFC 6962, section
// 2.1, with SM3).
type Hash [HashSize]byte

// HashSize is the size of a Hash in bytes.
const HashSize = 32

// Prefixes keep leaves and inner nodes apart.
const (
	leafPrefix = 0
	nodePrefix = 1
)

// Leaf returns the leaf hash of a record.
func Leaf(record []byte) Hash {
	b := make([]byte, 1+len(record))
	copy(b[1:], record)
	return LeafBehind(b)
}

// LeafBehind returns the leaf hash of the record that stands behind the first byte of b. It writes the prefix into
// that byte: who has room before a record needs no copy of it.
func LeafBehind(b []byte) Hash {
	b[0] = leafPrefix
	return gm.SM3(b)
}

// node returns the hash of an inner node.
func node(left, right *Hash) Hash {
	var b [1 + 2*HashSize]byte
	b[0] = nodePrefix
	copy(b[1:], left[:])
	copy(b[1+HashSize:], right[:])
	return gm.SM3(b[:])
}

// String returns the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Noted is the hash in base64, as notes have it: what people compare with one.
func (h Hash) Noted() string { return base64.StdEncoding.EncodeToString(h[:]) }

// MarshalText writes the hash in base64, as notes do.
func (h Hash) MarshalText() ([]byte, error) { return base64.StdEncoding.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText writes, and nothing else.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("ledger: reading a hash: %w", err)
	}
	if len(b) != HashSize || len(text) != base64.StdEncoding.EncodedLen(HashSize) {
		return fmt.Errorf("ledger: reading a hash: %d bytes", len(b))
	}
	*h = Hash(b)
	return nil
}
