package gm

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"licgate/beijing"
)

// Errors of rotation.
var (
	// ErrKeyState says that a key may not be destroyed: it is active, or has not been retired for KeysConfig.Grace.
	ErrKeyState = errors.New("gm: key may not be destroyed yet")
	// ErrElsewhere says that a department still has values that are not sealed by its own keys: reseal them first.
	ErrElsewhere = errors.New("gm: department has values under other keys")
)

// KeyStatus says of a data key what an operator wants to know.
type KeyStatus struct {
	ID                          KeyID
	Department, Period          string
	Generation                  int
	State                       KeyState
	KEK                         string
	Created, Retired, Destroyed time.Time // zero: not yet
	Shredded                    bool
	Damaged                     bool // the record was changed; nothing that the key sealed opens
}

// KeysStatus is the state of a keyring.
type KeysStatus struct {
	Root      KeyID  // of the root key, which seals version 1
	KEK       string // KeyWrapper.ID of who wraps now
	RootClear bool   // the root key is to stand in local.key in clear
	Keys      []KeyStatus
	// Missing names generations that the store ought to have: "DEPARTMENT/GENERATION".
	Missing []string
}

// Status reads the store and returns what there is, by department and generation.
func (k *Keyring) Status(ctx context.Context) (KeysStatus, error) {
	d := k.keys().data
	if d == nil {
		return KeysStatus{}, ErrNoDataKeys
	}
	if err := d.lookNow(ctx); err != nil {
		return KeysStatus{}, err
	}
	s := KeysStatus{Root: KeyID(hex.EncodeToString(d.root.id[:])), KEK: d.Wrapper.ID(), RootClear: d.rootWrapper == nil}
	all := d.all()
	for i, key := range all {
		r := key.record
		one := KeyStatus{
			ID: r.ID, Department: r.Department, Period: r.Period, Generation: r.Generation, State: KeyActive, KEK: r.KEK,
			Created: r.Created, Destroyed: r.Destroyed, Shredded: r.Shredded, Damaged: key.damaged,
		}
		if i+1 < len(all) && all[i+1].record.Department == r.Department {
			one.State, one.Retired = KeyRetired, all[i+1].record.Created
		}
		if !r.Destroyed.IsZero() {
			one.State = KeyDestroyed
		}
		s.Keys = append(s.Keys, one)
		first := 1
		if i > 0 && all[i-1].record.Department == r.Department {
			first = all[i-1].record.Generation + 1
		}
		for g := first; g < r.Generation; g++ {
			s.Missing = append(s.Missing, fmt.Sprintf("%s/%d", r.Department, g))
		}
	}
	return s, nil
}

// Rotate gives a department its next data key, from now on the one to seal by; the key of before goes on opening. It also opens a
// department again that was shredded. All nodes seal by the new key within KeysConfig.Fresh; values of before are sealed anew by
// Resealing. When another node rotates at the same moment, its key serves both.
func (k *Keyring) Rotate(ctx context.Context, department string) (KeyID, error) {
	d := k.keys().data
	if d == nil {
		return "", ErrNoDataKeys
	}
	if err := d.lookNow(ctx); err != nil {
		return "", err
	}
	next, err := d.make(ctx, department, d.newest(department))
	if err != nil {
		return "", err
	}
	return next.record.ID, next.usable()
}

// RotateAll rotates every department that has a key and was not shredded. One that fails does not stop the others.
func (k *Keyring) RotateAll(ctx context.Context) error {
	d := k.keys().data
	if d == nil {
		return ErrNoDataKeys
	}
	if err := d.lookNow(ctx); err != nil {
		return err
	}
	var failed error
	for _, key := range d.all() {
		if key != d.newest(key.record.Department) || !key.record.Destroyed.IsZero() {
			continue
		}
		if _, err := k.Rotate(ctx, key.record.Department); err != nil {
			failed = errors.Join(failed, fmt.Errorf("department %q: %w", key.record.Department, err))
		}
	}
	return failed
}

// Destroy destroys a retired key that nothing needs any more. used must look through all that is stored, and reports whether any
// value is SealedBy the key; then the key stays: ErrKeyInUse. ErrKeyState: it is active, or was retired less than
// KeysConfig.Grace ago, when a node may not have noticed yet. A key that is destroyed already is no error.
func (k *Keyring) Destroy(ctx context.Context, id KeyID, used func(ctx context.Context, id KeyID) (bool, error)) error {
	d := k.keys().data
	if d == nil {
		return ErrNoDataKeys
	}
	raw, ok := id.bytes()
	if !ok {
		return ErrKeyUnknown
	}
	return d.change(ctx, raw, func(key *dataKey) (KeyRecord, error) {
		list := d.generations(key.record.Department)
		i := slices.IndexFunc(list, func(other *dataKey) bool { return other.record.ID == id })
		if i < 0 || i+1 == len(list) {
			return KeyRecord{}, fmt.Errorf("%w: %s is active", ErrKeyState, id)
		}
		if until := list[i+1].record.Created.Add(d.Grace); d.Now().Before(until) {
			return KeyRecord{}, fmt.Errorf("%w: %s not before %s", ErrKeyState, id, beijing.Time(until))
		}
		still, err := used(ctx, id)
		if err != nil {
			return KeyRecord{}, fmt.Errorf("gm: looking for values under key %s: %w", id, err)
		}
		if still {
			return KeyRecord{}, fmt.Errorf("%w: %s", ErrKeyInUse, id)
		}
		return d.destroyed(key.record, false), nil
	})
}

// destroyed is the record of a key without the key.
func (d *dataKeys) destroyed(r KeyRecord, shredded bool) KeyRecord {
	r.Wrapped, r.Destroyed, r.Shredded = nil, d.Now().UTC().Truncate(time.Millisecond), shredded
	return r
}

// Shred destroys all data keys of a department, used or not: from then on every value that they sealed is ErrShredded, wherever a
// copy of it lies, once no copy of the wrapped keys is left in backups of the key store. Nothing is sealed for the department until
// Rotate opens it again. Other nodes follow within KeysConfig.Fresh.
//
// elsewhere must look through all that is stored and report whether a value of the department is sealed by any other key: the root
// key's version 1, or that of no department. Such values would outlive it: ErrElsewhere, and nothing is destroyed.
//
// The newest key goes first, so that no other node can give the department a next one meanwhile. A crash leaves some keys; Shred again
// destroys the rest.
func (k *Keyring) Shred(ctx context.Context, department string, elsewhere func(ctx context.Context) (bool, error)) error {
	d := k.keys().data
	if d == nil {
		return ErrNoDataKeys
	}
	if department == "" {
		return errors.New("gm: a department must be named: the key of none seals what all of them need")
	}
	if err := d.lookNow(ctx); err != nil {
		return err
	}
	list := slices.Clone(d.generations(department))
	if len(list) == 0 {
		return fmt.Errorf("%w: department %q has none", ErrKeyUnknown, department)
	}
	left, err := elsewhere(ctx)
	if err != nil {
		return fmt.Errorf("gm: looking for values of department %q: %w", department, err)
	}
	if left {
		return fmt.Errorf("%w: %q", ErrElsewhere, department)
	}
	for len(list) > 0 {
		var failed error
		for _, key := range slices.Backward(list) {
			raw, _ := key.record.ID.bytes()
			failed = errors.Join(failed, d.change(ctx, raw, func(key *dataKey) (KeyRecord, error) { return d.destroyed(key.record, true), nil }))
		}
		if err := errors.Join(failed, d.lookNow(ctx)); err != nil {
			return err
		}
		// A node that came between may have made one more before the newest was gone.
		list = slices.DeleteFunc(slices.Clone(d.generations(department)), func(key *dataKey) bool { return !key.record.Destroyed.IsZero() })
	}
	return nil
}

// Rewrap wraps every data key, and the root key in local.key, anew by the wrapper of now: after another was configured, or after the
// key-encryption key got a new version at its service. It returns how many data keys it wrapped. A crash leaves some under the
// former; Rewrap again does all once more. Each node has a local.key of its own: Rewrap runs on each.
func (k *Keyring) Rewrap(ctx context.Context) (int, error) {
	d := k.keys().data
	if d == nil {
		return 0, ErrNoDataKeys
	}
	if err := d.lookNow(ctx); err != nil {
		return 0, err
	}
	n := 0
	for _, key := range d.all() {
		raw, _ := key.record.ID.bytes()
		if err := d.change(ctx, raw, func(key *dataKey) (KeyRecord, error) {
			return d.rewrapped(ctx, key.record)
		}); err != nil {
			return n, err
		}
		if key.record.Destroyed.IsZero() {
			n++
		}
	}
	return n, d.keepRoot(ctx)
}

func (d *dataKeys) rewrapped(ctx context.Context, r KeyRecord) (KeyRecord, error) {
	plain, err := d.key(ctx, r)
	if err != nil {
		return KeyRecord{}, err
	}
	defer clear(plain)
	if r.Wrapped, err = wrapChecked(ctx, d.Wrapper, plain, r.binding()); err != nil {
		return KeyRecord{}, fmt.Errorf("gm: wrapping data key %s: %w", r.ID, err)
	}
	r.KEK = d.Wrapper.ID()
	return r, nil
}

// change replaces the record of a key by what to makes of it, and does so again when another writer came between. A destroyed key
// is left as it is, one whose record was changed behind our back is ErrKeyRecord.
func (d *dataKeys) change(ctx context.Context, raw [dataIDSize]byte, to func(*dataKey) (KeyRecord, error)) error {
	for range attempts {
		if err := d.lookNow(ctx); err != nil {
			return err
		}
		value, ok := d.byID.Load(raw)
		if !ok {
			return ErrKeyUnknown
		}
		key := value.(*dataKey)
		if key.damaged {
			return key.usable()
		}
		if !key.record.Destroyed.IsZero() {
			return nil
		}
		r, err := to(key)
		if err != nil {
			return err
		}
		r.sign(d.root.integrity)
		r, err = d.Store.Replace(ctx, r)
		if errors.Is(err, ErrKeyStale) {
			continue
		}
		if err != nil {
			return fmt.Errorf("gm: keeping data key %s: %w", key.record.ID, err)
		}
		d.adopt(r)
		return nil
	}
	return fmt.Errorf("%w: in %d attempts", ErrKeyStale, attempts)
}
