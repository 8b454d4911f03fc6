package policy

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Version is one accepted state of the policy: numbered without gaps, chained by hash.
type Version struct {
	Number int64 `json:"number"`
	// At counts to the microsecond; Seal drops what is finer, since stores do.
	At time.Time `json:"at"`
	By string    `json:"by"`
	// ApprovedBy is the second administrator, who approved the change; "" where none was needed.
	ApprovedBy string   `json:"approved_by,omitempty"`
	Why        string   `json:"why,omitempty"`
	Parent     string   `json:"parent"` // Hash of Number-1; "" for 1
	Hash       string   `json:"hash"`   // hex SM3 over the canonical form of the other members
	Lines      []string `json:"lines,omitempty"`
	// Changes is the registry's difference as JSON, for people. Stores keep its very bytes: they are part of Hash.
	Changes []byte `json:"changes,omitempty"`
	// Platform is the declaration that this version was made of, without secrets: what a rollback declares again. Stores keep its
	// very bytes. Lists go without it.
	Platform []byte `json:"platform,omitempty"`
}

// ErrStale says that another change was accepted meanwhile: load again, plan again.
var ErrStale = errors.New("policy: another version was accepted meanwhile")

// ErrNoVersion says that there is no version of that number.
var ErrNoVersion = errors.New("policy: no such version")

// ErrBrokenChain says that a version is not what was sealed, or does not follow its parent.
var ErrBrokenChain = errors.New("policy: the chain of versions is broken")

// Store reads versions. They are written together with the registry, in one transaction, by whoever wires both.
type Store interface {
	// Head returns the newest version; a zero Version (Number 0) on an empty store.
	Head(ctx context.Context) (Version, error)
	// Get returns version n, or ErrNoVersion.
	Get(ctx context.Context, n int64) (Version, error)
	// List returns versions newest first, without Lines, at most limit.
	List(ctx context.Context, limit int) ([]Version, error)
}

// Seal fills Number, Parent and Hash of next as the successor of head, and brings At to UTC and whole microseconds.
// digest is SM3, given by the caller.
func Seal(head, next Version, digest func([]byte) [32]byte) Version {
	next.Number = head.Number + 1
	next.Parent = head.Hash
	next.At = next.At.UTC().Truncate(time.Microsecond)
	next.Hash = hash(next, digest)
	return next
}

// Verify checks that v is as Seal made it and follows parent (the zero Version before the first). v must have its
// Lines. The error wraps ErrBrokenChain and says what does not fit.
func Verify(v, parent Version, digest func([]byte) [32]byte) error {
	switch {
	case parent.Number < 0 || v.Number != parent.Number+1:
		return fmt.Errorf("%w: version %d does not follow version %d", ErrBrokenChain, v.Number, parent.Number)
	case v.Parent != parent.Hash:
		return fmt.Errorf("%w: version %d names another parent than version %d", ErrBrokenChain, v.Number, parent.Number)
	case v.Hash != hash(v, digest):
		return fmt.Errorf("%w: version %d was altered after it was sealed", ErrBrokenChain, v.Number)
	}
	return nil
}

func hash(v Version, digest func([]byte) [32]byte) string {
	sum := digest(canonical(v))
	return hex.EncodeToString(sum[:])
}

// A title begins every canonical form and carries its version.
const (
	titleV1 = "licgate policy version v1\n"
	titleV2 = "licgate policy version v2\n" // with ApprovedBy
)

// canonical is what Hash covers. The forms are frozen: sealed versions are checked against them for as long as they are
// kept, so a change means a new title beside these. A form is its title, then
//
//	Number, At in microseconds since 1970            8 bytes each, big-endian
//	By, Why, Parent                                  each as its length in 8 bytes, then its bytes
//	the number of Lines in 8 bytes, then each line   likewise
//	Changes, Platform                                likewise
//	ApprovedBy                                       likewise, in v2 alone
//
// v2 is for versions that somebody approved, v1 for all others: each version has one form.
func canonical(v Version) []byte {
	form := []byte(titleV1)
	if v.ApprovedBy != "" {
		form = []byte(titleV2)
	}
	number := func(n int64) { form = binary.BigEndian.AppendUint64(form, uint64(n)) }
	text := func(s string) {
		number(int64(len(s)))
		form = append(form, s...)
	}
	number(v.Number)
	number(v.At.UnixMicro())
	text(v.By)
	text(v.Why)
	text(v.Parent)
	number(int64(len(v.Lines)))
	for _, line := range v.Lines {
		text(line)
	}
	text(string(v.Changes))
	text(string(v.Platform))
	if v.ApprovedBy != "" {
		text(v.ApprovedBy)
	}
	return form
}
