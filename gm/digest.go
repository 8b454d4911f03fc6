package gm

import (
	"hash"

	"github.com/emmansun/gmsm/sm3"
)

// A Purpose separates the uses of one root key: a digest made for one purpose never equals a digest of the
// same bytes made for another.
type Purpose string

// The closed list of purposes. Adding one is a format change: see docs/formats.md.
const (
	PurposeSecret    Purpose = "app-secret" // app_secret at rest
	PurposeToken     Purpose = "token"      // session tokens, access tokens, codes at rest
	PurposeIdentity  Purpose = "identity"   // lookup of holders by identity number
	PurposeIDCode    Purpose = "id-code"    // lookup of licences by 证照号码
	PurposeAudit     Purpose = "audit"      // keyed hashes in audit records
	PurposeIntegrity Purpose = "integrity"  // authentication codes of rows; Integrity puts it into words
)

var purposes = []Purpose{PurposeSecret, PurposeToken, PurposeIdentity, PurposeIDCode, PurposeAudit, PurposeIntegrity}

// Digest returns HMAC-SM3 (32 bytes) of data under the key of purpose. A purpose off the list is a mistake in the
// program: Digest panics.
func (k *Keyring) Digest(purpose Purpose, data []byte) []byte { return k.keys().digest(purpose, data) }

func (k *keys) digest(purpose Purpose, data []byte) []byte {
	pool, ok := k.hashes[purpose]
	if !ok {
		panic("gm: no such purpose: " + string(purpose))
	}
	h := pool.Get().(hash.Hash)
	defer pool.Put(h)
	h.Reset()
	h.Write(data)
	return h.Sum(nil)
}

// SM3 returns the digest of data (GB/T 32905).
func SM3(data []byte) [32]byte { return sm3.Sum(data) }

// NewSM3 returns SM3 for data that comes in parts.
func NewSM3() hash.Hash { return sm3.New() }
