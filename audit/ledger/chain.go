package ledger

import (
	"encoding/hex"
	"fmt"
)

// Chain is the value that ties a record to all before it: SM3(0x01 ‖ previous ‖ SM3(0x00 ‖ frame)), where frame is the
// record as it is stored. The first previous is 32 zero bytes. The prefixes keep leaves and nodes apart, as in
// RFC 6962, section 2.1; the inner hash is the record's leaf in the tree. Frozen: stored journals depend on it.
type Chain [HashSize]byte

// Next returns the chain value after frame.
func (c Chain) Next(frame []byte) Chain { return c.After(Leaf(frame)) }

// After returns the chain value after the record of a leaf.
func (c Chain) After(leaf Hash) Chain { return Chain(node((*Hash)(&c), &leaf)) }

// String returns the value in hex.
func (c Chain) String() string { return hex.EncodeToString(c[:]) }

// MarshalText writes the value in hex.
func (c Chain) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (c *Chain) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(c)) {
		return fmt.Errorf("ledger: reading a chain value: %d characters", len(text))
	}
	if _, err := hex.Decode(c[:], text); err != nil {
		return fmt.Errorf("ledger: reading a chain value: %w", err)
	}
	return nil
}
