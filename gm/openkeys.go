package gm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// KeysConfig says what a keyring with data keys is made of. Only Dir is needed.
type KeysConfig struct {
	// Dir is the folder of local.key, and of data.keys unless Store is given.
	Dir string
	// Wrapper wraps data keys, and a root key that is made new. nil: data keys are wrapped under the root key, and that stands in
	// local.key in clear, mode 0600.
	Wrapper KeyWrapper
	// Former are wrappers of before: they unwrap what Rewrap has not yet wrapped anew.
	Former []KeyWrapper
	// Store keeps the wrapped data keys; nil: a FileKeyStore in Dir, which is for one node only. The keyring's Close closes that.
	Store KeyStore
	// Period is how long a department seals under one key.
	Period Period
	// Random gives keys and salts; nil: crypto/rand. Safe for concurrent use.
	Random io.Reader
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Fresh is for how long a node goes on by what it last read from the store: so late it learns of rotation and shredding at
	// other nodes. 0: 5 s.
	Fresh time.Duration
	// Grace is how long a key must have been retired before it may be destroyed as unused. It must be longer than Fresh, a
	// node's slowest write, and the difference of the nodes' clocks, together. 0: 1 h.
	Grace time.Duration
	// Timeout bounds the work on the store and at the wrapper that a Seal or Open waits for. 0: 10 s.
	Timeout time.Duration
}

// complete returns the configuration with its defaults, or says what is wrong with it.
func (c KeysConfig) complete() (KeysConfig, error) {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, v := range []struct {
		span     *time.Duration
		standard time.Duration
	}{{&c.Fresh, 5 * time.Second}, {&c.Grace, time.Hour}, {&c.Timeout, 10 * time.Second}} {
		if *v.span == 0 {
			*v.span = v.standard
		}
	}
	if c.Fresh < 0 || c.Timeout < 0 || c.Grace < 2*c.Fresh {
		return c, errors.New("gm: Grace must be at least twice Fresh, and none of the spans negative")
	}
	return c, nil
}

// OpenKeys opens the keyring of c.Dir with its data keys. A folder that only Open has used so far needs no step: its root key
// stays, and what it sealed opens. Keys that are missing are made: the root key now, data keys when they are first needed. It
// fails when a wrapper that is needed is not configured (ErrKEKUnknown) or cannot be used.
func OpenKeys(ctx context.Context, c KeysConfig) (_ *Keyring, err error) {
	if c, err = c.complete(); err != nil {
		return nil, err
	}
	d := &dataKeys{KeysConfig: c, wrappers: make(map[string]KeyWrapper), rootWrapper: c.Wrapper, close: func() error { return nil }}
	for _, w := range append([]KeyWrapper{c.Wrapper}, c.Former...) {
		if w != nil {
			d.wrappers[w.ID()] = w
		}
	}
	root, err := d.openRoot(ctx)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	if d.root, err = newKeys(root, c.Random); err != nil {
		return nil, err
	}
	// What is wrapped under the root key stays readable when another wrapper is configured.
	under, err := newFileKEK("file", root, c.Random)
	if err != nil {
		return nil, err
	}
	d.wrappers[under.ID()] = under
	if c.Wrapper == nil {
		d.Wrapper = under
	}
	if c.Store == nil {
		store, err := OpenFileKeys(c.Dir)
		if err != nil {
			return nil, err
		}
		d.Store, d.close = store, store.Close
	}
	if err := d.begin(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.root.data = d
	return &Keyring{keys: func() *keys { return d.root }}, nil
}

// openRoot reads the root key, or makes it on first start: in clear, or wrapped when there is a Wrapper.
func (d *dataKeys) openRoot(ctx context.Context) ([]byte, error) {
	path := filepath.Join(d.Dir, keyringFile)
	content, err := KeyFile(path, func() ([]byte, error) {
		root, err := newRoot(d.Random)
		if err != nil {
			return nil, err
		}
		defer clear(root)
		return encodeRoot(ctx, root, d.rootWrapper)
	})
	if err != nil {
		return nil, err
	}
	defer clear(content)
	return d.readRoot(ctx, path, content)
}

// readRoot returns the root key, which the caller erases.
func (d *dataKeys) readRoot(ctx context.Context, path string, content []byte) ([]byte, error) {
	stored, err := parseRoot(content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	root, err := stored.unwrap(ctx, d.wrappers)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return root, nil
}

// begin reads the store, and tries each key-encryption key on one of its keys: a platform whose licences will not open does not
// start.
func (d *dataKeys) begin(ctx context.Context) error {
	if err := d.lookNow(ctx); err != nil {
		return err
	}
	tried := make(map[string]bool)
	for _, k := range d.all() {
		if k.usable() != nil || tried[k.record.KEK] {
			continue
		}
		key, err := d.key(ctx, k.record)
		clear(key)
		if err != nil {
			return err
		}
		tried[k.record.KEK] = true
	}
	return nil
}

// Close erases the data keys in memory and gives the keys folder back. The keyring opens and seals nothing afterwards.
func (k *Keyring) Close() error {
	d := k.keys().data
	if d == nil {
		return nil
	}
	for _, key := range d.all() {
		key.held.destroy()
	}
	return d.close()
}

// keepRoot writes local.key anew: the root key wrapped by the wrapper, or in clear when there is none.
func (d *dataKeys) keepRoot(ctx context.Context) error {
	path := filepath.Join(d.Dir, keyringFile)
	content, err := ReadKeyFile(path)
	if err != nil {
		return err
	}
	defer clear(content)
	root, err := d.readRoot(ctx, path, content)
	if err != nil {
		return err
	}
	defer clear(root)
	fresh, err := encodeRoot(ctx, root, d.rootWrapper)
	if err != nil {
		return err
	}
	defer clear(fresh)
	return ReplaceKeyFile(path, fresh)
}
