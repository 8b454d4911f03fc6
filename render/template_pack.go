package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strconv"
)

// Pack writes a declaration and its assets as one, to be kept: the YAML, then for each asset, by name, its name and its file; each
// with its length in decimal and a colon before it. The form is frozen: the version of a template is its SHA-256.
func Pack(yaml []byte, assets map[string][]byte) []byte {
	b := withPart(nil, yaml)
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		b = withPart(withPart(b, []byte(name)), assets[name])
	}
	return b
}

func withPart(b, part []byte) []byte {
	return append(append(strconv.AppendInt(b, int64(len(part)), 10), ':'), part...)
}

// Version names a declaration with its assets, as Template.Version does.
func Version(yaml []byte, assets map[string][]byte) string {
	sum := sha256.Sum256(Pack(yaml, assets))
	return hex.EncodeToString(sum[:])
}

// ErrPacked says that bytes are not what Pack writes.
var ErrPacked = errors.New("render: not a packed template")

// Unpack reads what Pack wrote: ErrPacked.
func Unpack(packed []byte) (yaml []byte, assets map[string][]byte, err error) {
	yaml, rest, ok := firstPart(packed)
	assets = map[string][]byte{}
	for ok && len(rest) > 0 {
		var name, file []byte
		if name, rest, ok = firstPart(rest); ok {
			file, rest, ok = firstPart(rest)
			assets[string(name)] = file
		}
	}
	// One content has one spelling.
	if !ok || !bytes.Equal(Pack(yaml, assets), packed) {
		return nil, nil, ErrPacked
	}
	return yaml, assets, nil
}

func firstPart(b []byte) (part, rest []byte, ok bool) {
	digits, rest, ok := bytes.Cut(b, []byte{':'})
	n, err := strconv.Atoi(string(digits))
	if !ok || err != nil || n < 0 || n > len(rest) {
		return nil, nil, false
	}
	return rest[:n:n], rest[n:], true
}
