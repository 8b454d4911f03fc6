package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Receipt says which record was kept: its place, counted from 1, and its leaf. It goes to whom the record is about, and
// commits the log at once; the proof follows with the next checkpoint.
type Receipt struct {
	Sequence uint64 `json:"sequence"`
	Leaf     Hash   `json:"leaf"`
}

// ErrReceipt says that a text is no receipt.
var ErrReceipt = errors.New("ledger: not a receipt: want SEQUENCE:HEX")

// String returns SEQUENCE:HEX, fit for a header.
func (r Receipt) String() string { return fmt.Sprintf("%d:%s", r.Sequence, r.Leaf) }

// ParseReceipt reads what String writes.
func ParseReceipt(text string) (Receipt, error) {
	number, leaf, _ := strings.Cut(text, ":")
	sequence, err := strconv.ParseUint(number, 10, 63)
	b, leafErr := hex.DecodeString(leaf)
	if err != nil || leafErr != nil || sequence == 0 || len(b) != HashSize {
		return Receipt{}, fmt.Errorf("%w: %q", ErrReceipt, text)
	}
	r := Receipt{Sequence: sequence, Leaf: Hash(b)}
	if r.String() != text {
		return Receipt{}, fmt.Errorf("%w: %q", ErrReceipt, text)
	}
	return r, nil
}
