package gm

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// Errors of a KeyWrapper.
var (
	// ErrWrapped says that a wrapped key was changed, belongs to another record, or was wrapped by another key-encryption key.
	ErrWrapped = errors.New("gm: wrapped key refused")
	// ErrKEKUnavailable says that the key-encryption key cannot be used now: its device or service does not answer, is sealed, or
	// refuses us. The same call may go through later.
	ErrKEKUnavailable = errors.New("gm: key-encryption key cannot be used now")
	// ErrKEKUnknown says that a key was wrapped by a key-encryption key that is not configured.
	ErrKEKUnknown = errors.New("gm: key-encryption key is not configured")
)

// A KeyWrapper holds a key-encryption key, which wraps the keys that we store: a file's, one made of a passphrase, or one that
// never leaves its device or service (PKCS#11, SDF, Vault Transit). Implementations are safe for concurrent use, and are held
// to gmtest.KeyWrapper.
type KeyWrapper interface {
	// ID names the key-encryption key, as long as it is the same key, whatever version of it is in use. It is no secret: it is
	// kept beside each wrapped key, to find who can unwrap it. Never empty.
	ID() string
	// Wrap encrypts a key of 32 bytes and binds it to binding, which is no secret. It keeps neither. Its error is
	// ErrKEKUnavailable, or the context's.
	Wrap(ctx context.Context, key, binding []byte) ([]byte, error)
	// Unwrap returns the key that Wrap was given with the same binding. ErrWrapped: it was not wrapped so;
	// ErrKEKUnavailable: ask again later. The caller erases the key.
	Unwrap(ctx context.Context, wrapped, binding []byte) ([]byte, error)
}

// wrapChecked wraps key and holds the result against it: what does not unwrap must never be the only copy of a key.
func wrapChecked(ctx context.Context, w KeyWrapper, key, binding []byte) ([]byte, error) {
	wrapped, err := w.Wrap(ctx, key, binding)
	if err != nil {
		return nil, err
	}
	again, err := w.Unwrap(ctx, wrapped, binding)
	defer clear(again)
	if err != nil {
		return nil, fmt.Errorf("trying the wrapped key: %w", err)
	}
	if subtle.ConstantTimeCompare(key, again) != 1 {
		return nil, fmt.Errorf("%w: %q does not give back what it wrapped", ErrWrapped, w.ID())
	}
	return wrapped, nil
}

// wrapVersion is the head of a key wrapped by fileKEK: a sealed value (sealer) whose plaintext is the key.
const wrapVersion = 0x01

// fileKEK wraps under a key that a file holds, or that a passphrase makes.
type fileKEK struct {
	id     string
	random io.Reader
	// sealer is a function for the reason that Keyring.keys is one.
	sealer func() *sealer
}

// newFileKEK derives the wrapping key from root. kind stands before the id, which root gives.
func newFileKEK(kind string, root []byte, random io.Reader) (*fileKEK, error) {
	id, err := rootID(root)
	if err != nil {
		return nil, err
	}
	key, err := derive(root, labelWrap, rootSize)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	s, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	return &fileKEK{id: kind + ":" + id, random: random, sealer: func() *sealer { return s }}, nil
}

// FileWrapper wraps keys under the one in the file at path, which is made when missing. The file has the form and the rules of
// keys/local.key (mode 0600 or it is refused), and belongs somewhere else than that, so that a backup of one is not one of the
// other. random is crypto/rand when nil.
func FileWrapper(path string, random io.Reader) (KeyWrapper, error) {
	if random == nil {
		random = rand.Reader
	}
	root, err := plainRoot(path, random)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	return newFileKEK("file", root, random)
}

func (f *fileKEK) ID() string { return f.id }

func (f *fileKEK) Wrap(ctx context.Context, key, binding []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	wrapped, err := f.sealer().seal(f.random, []byte{wrapVersion}, key, binding)
	if err != nil {
		return nil, fmt.Errorf("gm: wrapping a key: %w", err)
	}
	return wrapped, nil
}

func (f *fileKEK) Unwrap(ctx context.Context, wrapped, binding []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(wrapped) == 0 || wrapped[0] != wrapVersion {
		return nil, fmt.Errorf("%w: unknown version", ErrWrapped)
	}
	key, err := f.sealer().open(wrapped, 1, binding)
	if errors.Is(err, ErrSealed) {
		return nil, ErrWrapped
	}
	if err != nil {
		return nil, fmt.Errorf("gm: unwrapping a key: %w", err)
	}
	return key, nil
}

// Format prints the id for every verb.
func (f *fileKEK) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "gm.KeyWrapper("+f.id+")") }
