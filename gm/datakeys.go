package gm

import (
	"cmp"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// dataKeys are the data keys that this process knows. Their records are the store's, and are looked at anew when they are older
// than Fresh; their keys are unwrapped when they are first needed, and held.
//
// Safety of rotation on several nodes: whoever seals has seen, at most Fresh before, that his key was the newest. So no value
// is sealed by a retired key later than Fresh after the next one was there, and a key that is not used Grace after that never
// will be.
type dataKeys struct {
	KeysConfig
	wrappers    map[string]KeyWrapper // by ID: Wrapper, Former, and the root key's own
	rootWrapper KeyWrapper            // the configured one; nil: the root key stands in clear
	root        *keys
	close       func() error

	// byID and departments are written under reading. Their values do not change: they are replaced.
	byID        sync.Map // [dataIDSize]byte → *dataKey
	departments sync.Map // department → []*dataKey, by generation
	reading     sync.Mutex
	revision    int64        // the greatest that Changes returned; under reading
	looked      atomic.Int64 // when Changes was last asked, in nanoseconds since 1970

	making   sync.Map // department → *making
	calendar calendar
}

// dataKey is a key and its record.
type dataKey struct {
	record  KeyRecord
	head    [headSize2]byte // of what the key seals
	damaged bool            // the record does not fit its MAC
	held    *held
}

// held is a key in memory. All dataKeys of one id share it.
type held struct {
	sealer    atomic.Pointer[sealer]
	mu        sync.Mutex // held while unwrapping
	destroyed bool       // whoever still has an old record gets nothing from it
	failed    failure
}

// making serialises the making of a department's keys.
type making struct {
	sync.Mutex
	failed failure
}

// failure is remembered for a while, so that those who wait for a service that does not answer do not all wait for it in turn.
type failure struct {
	err error
	at  time.Time
}

// How long a failure is remembered: by whom it leaves without a key, and by whom can go on with the one of the period before.
const (
	memory       = time.Second
	memoryOfNext = time.Minute
)

func (f failure) recent(now time.Time, memory time.Duration) bool {
	return f.err != nil && now.Sub(f.at) >= 0 && now.Sub(f.at) < memory
}

// bounded returns a context for work that is shared by all who wait for it: it ends by its own time and not with one caller's.
func (d *dataKeys) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d.Timeout)
}

// look asks the store for changes when the last look is older than Fresh.
func (d *dataKeys) look(now time.Time) error {
	if d.fresh(now) {
		return nil
	}
	ctx, cancel := d.bounded()
	defer cancel()
	d.reading.Lock()
	defer d.reading.Unlock()
	if d.fresh(d.Now()) {
		return nil
	}
	return d.read(ctx)
}

func (d *dataKeys) fresh(now time.Time) bool {
	age := now.UnixNano() - d.looked.Load()
	return age >= 0 && age < int64(d.Fresh)
}

// lookNow asks the store for changes.
func (d *dataKeys) lookNow(ctx context.Context) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	return d.read(ctx)
}

func (d *dataKeys) read(ctx context.Context) error {
	now := d.Now().UnixNano() // before the store is asked: what it says is at least so fresh
	records, err := d.Store.Changes(ctx, d.revision)
	if err != nil {
		return fmt.Errorf("gm: looking for data keys: %w", err)
	}
	for _, r := range records {
		d.take(r)
		d.revision = max(d.revision, r.Revision)
	}
	d.looked.Store(now)
	return nil
}

// adopt takes a record that this process wrote.
func (d *dataKeys) adopt(r KeyRecord) {
	d.reading.Lock()
	defer d.reading.Unlock()
	d.take(r)
}

// take makes r known, under reading. An older revision than the known one changes nothing.
func (d *dataKeys) take(r KeyRecord) {
	id, ok := r.ID.bytes()
	if !ok {
		return // of nobody's value
	}
	k := &dataKey{record: r, held: new(held)}
	k.head[0] = sealVersion2
	copy(k.head[1:], id[:])
	if old, ok := d.byID.Load(id); ok {
		old := old.(*dataKey)
		if old.record.Revision >= r.Revision {
			return
		}
		k.held = old.held
	}
	signed := r
	signed.sign(d.root.integrity)
	k.damaged = r.check() != nil || !hmac.Equal(signed.MAC, r.MAC)
	d.byID.Store(id, k)
	d.list(k)
	if !k.damaged && !r.Destroyed.IsZero() {
		k.held.destroy()
	}
}

// list puts k into its department's list.
func (d *dataKeys) list(k *dataKey) {
	old := d.generations(k.record.Department)
	i, found := slices.BinarySearchFunc(old, k.record.Generation, func(o *dataKey, generation int) int { return o.record.Generation - generation })
	next := slices.Clone(old)
	if found {
		next[i] = k
	} else {
		next = slices.Insert(next, i, k)
	}
	d.departments.Store(k.record.Department, next)
}

func (d *dataKeys) generations(department string) []*dataKey {
	list, ok := d.departments.Load(department)
	if !ok {
		return nil
	}
	return list.([]*dataKey)
}

// all returns every key, by department and generation.
func (d *dataKeys) all() []*dataKey {
	var all []*dataKey
	d.departments.Range(func(_, list any) bool {
		all = append(all, list.([]*dataKey)...)
		return true
	})
	slices.SortFunc(all, func(a, b *dataKey) int {
		return cmp.Or(cmp.Compare(a.record.Department, b.record.Department), cmp.Compare(a.record.Generation, b.record.Generation))
	})
	return all
}

// newest returns the department's newest key; nil: it has none.
func (d *dataKeys) newest(department string) *dataKey {
	list := d.generations(department)
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// destroy erases the key and keeps it from being unwrapped again.
func (h *held) destroy() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.destroyed = true
	h.wipe()
}

// wipe erases the key, under mu.
func (h *held) wipe() {
	if s := h.sealer.Swap(nil); s != nil {
		s.wipe()
	}
}

// usable is nil when k can seal or open.
func (k *dataKey) usable() error {
	switch {
	case k.damaged:
		return fmt.Errorf("%w: %s", ErrKeyRecord, k.record.ID)
	case !k.record.Destroyed.IsZero():
		return fmt.Errorf("%w: key %s", ErrShredded, k.record.ID)
	}
	return nil
}

// over reports whether a new period has begun since k was made.
func (d *dataKeys) over(k *dataKey, now time.Time) bool {
	return k.usable() == nil && d.calendar.name(d.Period, now) > k.record.Period
}

// sealing returns the key to seal by for a department, and makes it when there is none for this period.
func (d *dataKeys) sealing(department string) (*dataKey, *sealer, error) {
	now := d.Now()
	if err := d.look(now); err != nil {
		return nil, nil, err
	}
	k := d.newest(department)
	if k == nil || d.over(k, now) {
		var err error
		if k, err = d.next(department); err != nil {
			return nil, nil, err
		}
	}
	s, err := d.unwrapped(k)
	return k, s, err
}

// next returns the department's key of this period. While the key-encryption key cannot be used, the department goes on with the
// key that it has: a period that is a little longer does less harm than a platform that stands still.
func (d *dataKeys) next(department string) (*dataKey, error) {
	value, _ := d.making.LoadOrStore(department, new(making))
	m := value.(*making)
	newest := d.newest(department)
	if newest == nil {
		m.Lock()
	} else if !m.TryLock() {
		return newest, nil
	}
	defer m.Unlock()
	if newest = d.newest(department); newest != nil && !d.over(newest, d.Now()) {
		return newest, nil
	}
	span := memory
	if newest != nil {
		span = memoryOfNext
	}
	if !m.failed.recent(d.Now(), span) {
		ctx, cancel := d.bounded()
		defer cancel()
		made, err := d.make(ctx, department, newest)
		if err == nil {
			return made, nil
		}
		m.failed = failure{err, d.Now()}
	}
	if newest != nil {
		return newest, nil
	}
	return nil, m.failed.err
}

// attempts is how often a key is made when other writers come between.
const attempts = 5

// make adds a key after newest, or returns what another node did with the department meanwhile.
func (d *dataKeys) make(ctx context.Context, department string, newest *dataKey) (*dataKey, error) {
	for range attempts {
		k, err := d.add(ctx, department, newest)
		if !errors.Is(err, ErrKeyTaken) {
			return k, err
		}
		if err := d.lookNow(ctx); err != nil {
			return nil, err
		}
		now := d.newest(department)
		if now != nil && (newest == nil || now.record.Generation > newest.record.Generation || now.usable() != nil && newest.usable() == nil) {
			return now, nil
		}
		newest = now
	}
	return nil, fmt.Errorf("%w: no key for department %q in %d attempts", ErrKeyTaken, department, attempts)
}

func (d *dataKeys) add(ctx context.Context, department string, newest *dataKey) (*dataKey, error) {
	now := d.Now().UTC().Truncate(time.Millisecond)
	r := KeyRecord{Department: department, Period: d.Period.name(now), Generation: 1, Created: now}
	var revision int64
	if newest != nil {
		r.Generation, revision = newest.record.Generation+1, newest.record.Revision
		r.Period = max(r.Period, newest.record.Period) // another node's clock may go before ours
	}
	key, r, err := newDataKey(ctx, d.Random, d.Wrapper, r)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	r.sign(d.root.integrity)
	if r, err = d.Store.Add(ctx, r, revision); err != nil {
		return nil, fmt.Errorf("gm: keeping a data key: %w", err)
	}
	d.adopt(r)
	id, _ := r.ID.bytes()
	k, _ := d.byID.Load(id)
	return k.(*dataKey), nil
}

// unwrapped returns the key itself, and unwraps it when it is first needed.
func (d *dataKeys) unwrapped(k *dataKey) (*sealer, error) {
	if err := k.usable(); err != nil {
		return nil, err
	}
	if s := k.held.sealer.Load(); s != nil {
		return s, nil
	}
	k.held.mu.Lock()
	defer k.held.mu.Unlock()
	if s := k.held.sealer.Load(); s != nil {
		return s, nil
	}
	if k.held.destroyed {
		return nil, fmt.Errorf("%w: key %s", ErrShredded, k.record.ID)
	}
	if k.held.failed.recent(d.Now(), memory) {
		return nil, k.held.failed.err
	}
	ctx, cancel := d.bounded()
	defer cancel()
	s, err := d.unwrap(ctx, k.record)
	if err != nil {
		k.held.failed = failure{err, d.Now()}
		return nil, err
	}
	k.held.sealer.Store(s)
	return s, nil
}

func (d *dataKeys) unwrap(ctx context.Context, r KeyRecord) (*sealer, error) {
	key, err := d.key(ctx, r)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	seal, err := derive(key, labelSeal2, rootSize)
	if err != nil {
		return nil, err
	}
	defer clear(seal)
	return newSealer(seal)
}

// key returns the data key, which the caller erases.
func (d *dataKeys) key(ctx context.Context, r KeyRecord) ([]byte, error) {
	w, ok := d.wrappers[r.KEK]
	if !ok {
		return nil, fmt.Errorf("%w: data key %s is wrapped by %q", ErrKEKUnknown, r.ID, r.KEK)
	}
	key, err := w.Unwrap(ctx, r.Wrapped, r.binding())
	if err != nil {
		return nil, fmt.Errorf("gm: unwrapping data key %s: %w", r.ID, err)
	}
	if len(key) != rootSize {
		clear(key)
		return nil, fmt.Errorf("%w: data key %s has not %d bytes", ErrWrapped, r.ID, rootSize)
	}
	return key, nil
}

// find returns the key with this id. One that another node has just made is looked for.
func (d *dataKeys) find(id [dataIDSize]byte) (*dataKey, error) {
	if err := d.look(d.Now()); err != nil {
		return nil, err
	}
	k, ok := d.byID.Load(id)
	if !ok {
		ctx, cancel := d.bounded()
		defer cancel()
		if err := d.lookNow(ctx); err != nil {
			return nil, err
		}
		if k, ok = d.byID.Load(id); !ok {
			return nil, ErrKeyUnknown
		}
	}
	return k.(*dataKey), nil
}
