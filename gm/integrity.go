package gm

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrIntegrity says that a row is not what was kept: it, its key, its revision or its code was changed.
var ErrIntegrity = errors.New("gm: row has been changed")

// Integrity returns the authentication code (HMAC-SM3, 32 bytes) of one version of one row: of which kind, under which key, at
// which revision, with what content. content is the row's canonical form, one form for one content, in words of its owner. The
// code fits no other kind, key or revision. Its encoding is frozen:
//
//	kind: length u32, bytes ‖ key: length u32, bytes ‖ revision u64 ‖ content
func (k *Keyring) Integrity(kind, key string, revision int64, content []byte) []byte {
	return k.keys().integrity(kind, key, revision, content)
}

// CheckIntegrity is ErrIntegrity unless code is what Integrity returns for the rest.
func (k *Keyring) CheckIntegrity(code []byte, kind, key string, revision int64, content []byte) error {
	if !hmac.Equal(code, k.Integrity(kind, key, revision, content)) {
		return fmt.Errorf("%w: %s %q", ErrIntegrity, kind, key)
	}
	return nil
}

func (k *keys) integrity(kind, key string, revision int64, content []byte) []byte {
	b := make([]byte, 0, 16+len(kind)+len(key)+len(content))
	b = appendField(b, []byte(kind))
	b = appendField(b, []byte(key))
	b = binary.BigEndian.AppendUint64(b, uint64(revision))
	return k.digest(PurposeIntegrity, append(b, content...))
}

// appendField appends field with its length before it, so that no two lists of fields give the same bytes.
func appendField(b, field []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(field))), field...)
}
