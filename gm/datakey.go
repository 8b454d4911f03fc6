package gm

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// A KeyID names the key that a sealed value needs: 16 hexadecimal digits for a data key, 8 for a root key. It is no secret.
type KeyID string

// dataIDSize is the size of a data key's id in bytes.
const dataIDSize = 8

// bytes returns the id as sealed values have it; not ok: it is no data key's.
func (id KeyID) bytes() (raw [dataIDSize]byte, ok bool) {
	if len(id) != hex.EncodedLen(dataIDSize) {
		return raw, false
	}
	_, err := hex.Decode(raw[:], []byte(id))
	return raw, err == nil && hex.EncodeToString(raw[:]) == string(id)
}

// KeyState is where a data key is in its life. It only goes forward.
type KeyState string

// The states. A key is active as long as it is the newest of its department, and retired from the moment that the next one is
// there: no write retires a key, so no crash leaves a department with two active keys or none.
const (
	KeyActive    KeyState = "active"    // seals and opens
	KeyRetired   KeyState = "retired"   // opens
	KeyDestroyed KeyState = "destroyed" // gone for good; a record is left of it
)

// KeyRecord is a data key as it is stored: wrapped. It holds no secret that its key-encryption key does not guard.
type KeyRecord struct {
	ID         KeyID
	Department string    // its code; "" for what is no department's
	Period     string    // for which it was made: 2026Q1
	Generation int       // from 1, without gaps in its department
	KEK        string    // KeyWrapper.ID of who wrapped it
	Wrapped    []byte    // nil when destroyed
	Created    time.Time // to the millisecond, UTC
	Destroyed  time.Time // likewise; zero: it is not
	Shredded   bool      // destroyed so that what it sealed can never be opened; else nothing used it any more
	MAC        []byte    // Keyring.Integrity of all above
	// Revision is given by the store: each write gets a greater one than all writes before it had.
	Revision int64
}

// Errors of a KeyStore.
var (
	// ErrKeyTaken says that another key of the department came first, or that the id is in use.
	ErrKeyTaken = errors.New("gm: another key came first")
	// ErrKeyStale says that the key's record was changed meanwhile.
	ErrKeyStale = errors.New("gm: key record was changed meanwhile")
	// ErrKeyInUse says that values are still sealed by the key.
	ErrKeyInUse = errors.New("gm: key is in use")
	// ErrKeyRecord says that a record of a key, or what holds the records, is damaged or was changed.
	ErrKeyRecord = errors.New("gm: key record refused")
)

// KeyStore keeps wrapped data keys. Several nodes may share one; gmtest.KeyStore is its conformance suite. All methods are safe
// for concurrent use, also by other processes. Each write is done whole and durably before it returns; one that fails may have
// been done or not. A record that Changes returned is durable: values are sealed by its key from then on. Nothing is ever removed.
type KeyStore interface {
	// Changes returns the records whose Revision is greater than since, by Revision. Each record shows in its newest revision
	// only. Whoever asks again with the greatest revision seen misses no write.
	Changes(ctx context.Context, since int64) ([]KeyRecord, error)
	// Add keeps a new record and returns it with its Revision. It does so only if, in the same step, the newest record of the
	// department is at revision newest (0: the department has none), and CheckNext holds. Otherwise ErrKeyTaken: of two nodes
	// that make the same generation one wins.
	Add(ctx context.Context, r KeyRecord, newest int64) (KeyRecord, error)
	// Replace keeps r in place of the record of the same ID, and returns it with its new Revision. It does so only if, in the same
	// step, the stored one is at r.Revision, and CheckReplace holds. Otherwise ErrKeyStale.
	//
	// A store that also keeps the sealed values makes sure, in the same step, that none is sealed by a key that is to be Destroyed but not
	// Shredded, otherwise ErrKeyInUse. A store that does not relies on KeysConfig.Grace.
	Replace(ctx context.Context, r KeyRecord) (KeyRecord, error)
}

// CheckNext reports whether r may follow the newest record of its department; nil: there is none. For stores: the rule in one
// place. It is ErrKeyTaken when the generation has been given, ErrKeyRecord when r can never be kept.
func (r KeyRecord) CheckNext(newest *KeyRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	generation := 1
	if newest != nil {
		generation = newest.Generation + 1
	}
	switch {
	case r.Generation < generation:
		return fmt.Errorf("%w: generation %d", ErrKeyTaken, r.Generation)
	case r.Generation > generation:
		return fmt.Errorf("%w: generation %d leaves a gap", ErrKeyRecord, r.Generation)
	case !r.Destroyed.IsZero():
		return fmt.Errorf("%w: a new key is destroyed", ErrKeyRecord)
	}
	return nil
}

// CheckReplace reports whether r may take the place of old: the same key, wrapped anew or destroyed. It is ErrKeyStale when old has
// gone on, ErrKeyRecord when r can never be kept.
func (r KeyRecord) CheckReplace(old KeyRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	switch {
	case r.Revision != old.Revision:
		return fmt.Errorf("%w: %s", ErrKeyStale, r.ID)
	case !old.Destroyed.IsZero():
		return fmt.Errorf("%w: %s is destroyed", ErrKeyRecord, r.ID)
	case r.ID != old.ID || r.Department != old.Department || r.Period != old.Period || r.Generation != old.Generation || !r.Created.Equal(old.Created):
		return fmt.Errorf("%w: %s is another key", ErrKeyRecord, r.ID)
	}
	return nil
}

// check holds a record to its own rules.
func (r KeyRecord) check() error {
	_, idOK := r.ID.bytes()
	destroyed := !r.Destroyed.IsZero()
	switch {
	case !idOK:
		return fmt.Errorf("%w: no id", ErrKeyRecord)
	case !utf8.ValidString(r.Department) || !utf8.ValidString(r.Period) || !utf8.ValidString(r.KEK):
		return fmt.Errorf("%w: %s is no text", ErrKeyRecord, r.ID)
	case r.Generation < 1 || r.Period == "" || r.KEK == "" || r.Created.IsZero() || len(r.MAC) == 0:
		return fmt.Errorf("%w: %s is incomplete", ErrKeyRecord, r.ID)
	case destroyed && len(r.Wrapped) > 0:
		return fmt.Errorf("%w: %s is destroyed, but its key is there", ErrKeyRecord, r.ID)
	case !destroyed && (len(r.Wrapped) == 0 || r.Shredded):
		return fmt.Errorf("%w: %s has no key", ErrKeyRecord, r.ID)
	}
	return nil
}

// binding is what the wrapped key is bound to.
func (r KeyRecord) binding() []byte {
	return []byte("licgate/data-key/1/" + string(r.ID) + "/" + strconv.Itoa(r.Generation) + "/" + r.Department)
}

// sign puts the authentication code of all other members, but Revision, into r. Its content, frozen, is
//
//	department ‖ period ‖ KEK ‖ wrapped: each length u32, bytes ‖ created u64 ‖ destroyed u64 (milliseconds since 1970) ‖ shredded u8
//
// under the kind "data-key", the id, and the generation for a revision.
func (r *KeyRecord) sign(integrity func(kind, key string, revision int64, content []byte) []byte) {
	r.MAC = integrity("data-key", string(r.ID), int64(r.Generation), r.content())
}

func (r KeyRecord) content() []byte {
	var b []byte
	for _, field := range [][]byte{[]byte(r.Department), []byte(r.Period), []byte(r.KEK), r.Wrapped} {
		b = appendField(b, field)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(millis(r.Created)))
	b = binary.BigEndian.AppendUint64(b, uint64(millis(r.Destroyed)))
	if r.Shredded {
		return append(b, 1)
	}
	return append(b, 0)
}

// millis is a time in milliseconds since 1970 UTC; 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// newDataKey returns a new key and its record, wrapped but without MAC.
func newDataKey(ctx context.Context, random io.Reader, w KeyWrapper, r KeyRecord) (key []byte, _ KeyRecord, err error) {
	id := make([]byte, dataIDSize)
	if _, err := io.ReadFull(random, id); err != nil {
		return nil, KeyRecord{}, fmt.Errorf("gm: making a data key: %w", err)
	}
	key = make([]byte, rootSize)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, KeyRecord{}, fmt.Errorf("gm: making a data key: %w", err)
	}
	r.ID, r.KEK = KeyID(hex.EncodeToString(id)), w.ID()
	if r.Wrapped, err = wrapChecked(ctx, w, key, r.binding()); err != nil {
		clear(key)
		return nil, KeyRecord{}, fmt.Errorf("gm: wrapping a data key: %w", err)
	}
	return key, r, nil
}
