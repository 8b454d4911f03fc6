package gm

import (
	"context"
	"fmt"
)

// otherBinding stands before the binding of a key that somebody else keeps: nobody who asks for one gets the root key or a data key.
const otherBinding = "licgate/other-key/1/"

// WrapKey wraps a key of 32 bytes, which its owner keeps somewhere else, by the key-encryption key of now, whose id comes along:
// both go to UnwrapKey. binding, no secret, says which key it is: it opens as no other. Errors: ErrKEKUnavailable, ErrNoDataKeys.
func (k *Keyring) WrapKey(ctx context.Context, key, binding []byte) (kek string, wrapped []byte, err error) {
	d := k.keys().data
	if d == nil {
		return "", nil, ErrNoDataKeys
	}
	if wrapped, err = wrapChecked(ctx, d.Wrapper, key, append([]byte(otherBinding), binding...)); err != nil {
		return "", nil, fmt.Errorf("gm: wrapping a key: %w", err)
	}
	return d.Wrapper.ID(), wrapped, nil
}

// UnwrapKey returns the key that WrapKey wrapped, by the wrapper of now or a former one. The caller erases it. ErrWrapped: it was
// not wrapped so, with this binding; ErrKEKUnknown: its key-encryption key is not configured; ErrKEKUnavailable: ask again later.
func (k *Keyring) UnwrapKey(ctx context.Context, kek string, wrapped, binding []byte) ([]byte, error) {
	d := k.keys().data
	if d == nil {
		return nil, ErrNoDataKeys
	}
	w, ok := d.wrappers[kek]
	if !ok {
		return nil, fmt.Errorf("%w: a key is wrapped by %q", ErrKEKUnknown, kek)
	}
	key, err := w.Unwrap(ctx, wrapped, append([]byte(otherBinding), binding...))
	if err != nil {
		return nil, fmt.Errorf("gm: unwrapping a key: %w", err)
	}
	return key, nil
}
