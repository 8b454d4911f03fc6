package gm

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// storedRoot is a file that holds a root key. Version 1 has it in clear; version 2 has it wrapped by a key-encryption key that
// is kept elsewhere. The id repeats what the root key gives: a damaged file is found before anything is sealed by a key that
// nobody has again.
type storedRoot struct {
	Version int    `json:"version"`
	ID      string `json:"id"`                // hexadecimal
	Root    []byte `json:"root,omitempty"`    // base64; version 1
	KEK     string `json:"kek,omitempty"`     // KeyWrapper.ID; version 2
	Wrapped []byte `json:"wrapped,omitempty"` // base64; version 2
}

// newRoot returns a new root key.
func newRoot(random io.Reader) ([]byte, error) {
	root := make([]byte, rootSize)
	if _, err := io.ReadFull(random, root); err != nil {
		return nil, fmt.Errorf("gm: making a root key: %w", err)
	}
	return root, nil
}

func rootID(root []byte) (string, error) {
	id, err := derive(root, labelKeyID, rootIDSize)
	return hex.EncodeToString(id), err
}

// rootBinding is what a wrapped root key is bound to.
func rootBinding(id string) []byte { return []byte("licgate/root-key/1/" + id) }

// encodeRoot returns the file for root: wrapped by w, or in clear when w is nil.
func encodeRoot(ctx context.Context, root []byte, w KeyWrapper) ([]byte, error) {
	id, err := rootID(root)
	if err != nil {
		return nil, err
	}
	stored := storedRoot{Version: 1, ID: id, Root: root}
	if w != nil {
		wrapped, err := wrapChecked(ctx, w, root, rootBinding(id))
		if err != nil {
			return nil, fmt.Errorf("gm: wrapping the root key: %w", err)
		}
		stored = storedRoot{Version: 2, ID: id, KEK: w.ID(), Wrapped: wrapped}
	}
	content, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("gm: writing a keyring: %w", err)
	}
	return append(content, '\n'), nil
}

// parseRoot reads the file, but does not unwrap. Its errors never repeat the content.
func parseRoot(content []byte) (storedRoot, error) {
	var stored storedRoot
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&stored) != nil {
		return storedRoot{}, fmt.Errorf("%w: not the JSON of a keyring", ErrKeyring)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return storedRoot{}, fmt.Errorf("%w: something follows the keyring", ErrKeyring)
	}
	switch stored.Version {
	case 1:
		if len(stored.Root) != rootSize {
			return storedRoot{}, fmt.Errorf("%w: root key of %d bytes, want %d", ErrKeyring, len(stored.Root), rootSize)
		}
		if stored.KEK != "" || stored.Wrapped != nil {
			return storedRoot{}, fmt.Errorf("%w: root key in clear and wrapped", ErrKeyring)
		}
		if err := stored.check(stored.Root); err != nil {
			return storedRoot{}, err
		}
	case 2:
		if stored.Root != nil || stored.KEK == "" || len(stored.Wrapped) == 0 {
			return storedRoot{}, fmt.Errorf("%w: no wrapped root key", ErrKeyring)
		}
	default:
		return storedRoot{}, fmt.Errorf("%w: version %d, want 1 or 2", ErrKeyring, stored.Version)
	}
	return stored, nil
}

// check reports whether root is the key whose id the file has.
func (s storedRoot) check(root []byte) error {
	if len(root) != rootSize {
		return fmt.Errorf("%w: root key of %d bytes, want %d", ErrKeyring, len(root), rootSize)
	}
	id, err := rootID(root)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(s.ID), []byte(id)) != 1 {
		return fmt.Errorf("%w: root key and id do not belong together", ErrKeyring)
	}
	return nil
}

// unwrap returns the root key: that in clear, or what the one of wrappers that wrapped it gives.
func (s storedRoot) unwrap(ctx context.Context, wrappers map[string]KeyWrapper) ([]byte, error) {
	if s.Version == 1 {
		return s.Root, nil
	}
	w, ok := wrappers[s.KEK]
	if !ok {
		return nil, fmt.Errorf("%w: the root key is wrapped by %q", ErrKEKUnknown, s.KEK)
	}
	root, err := w.Unwrap(ctx, s.Wrapped, rootBinding(s.ID))
	if err != nil {
		return nil, fmt.Errorf("gm: unwrapping the root key: %w", err)
	}
	if err := s.check(root); err != nil {
		return nil, err
	}
	return root, nil
}

// plainRoot returns the root key that the file at path has in clear, and makes the file when there is none.
func plainRoot(path string, random io.Reader) ([]byte, error) {
	content, err := KeyFile(path, func() ([]byte, error) {
		root, err := newRoot(random)
		if err != nil {
			return nil, err
		}
		defer clear(root)
		return encodeRoot(context.Background(), root, nil)
	})
	if err != nil {
		return nil, err
	}
	defer clear(content)
	stored, err := parseRoot(content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if stored.Version != 1 {
		return nil, fmt.Errorf("reading %s: %w: the root key is wrapped by %q", path, ErrKEKUnknown, stored.KEK)
	}
	return stored.Root, nil
}
