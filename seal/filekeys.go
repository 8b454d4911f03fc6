package seal

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"licgate/gm"
)

// FileKeys keeps keys in a folder, one file each, mode 0600 (gm.KeyFile says what a crash leaves), their private numbers under a
// Wrapper. A file that others may read is refused.
type FileKeys struct {
	dir     string
	random  io.Reader
	wrapper Wrapper
	inClear error // InClear
}

// errUnwritable says that a file stays as it is, with a private number in clear, for its folder does not let this process write.
var errUnwritable = errors.New("seal: a key stays in clear")

// OpenFileKeys opens the keys in dir; random gives new ones, and is safe for concurrent use. Files that have a private number in clear
// (version 1) are written anew, one by one: a crash leaves each the old or the new, and the next opening goes on. Where the folder
// can't be written, they stay, and serve as they are (InClear). Each master key is
// tried on one of the files: seals that will not open are found now. Its errors are the wrapper's, and those of gm.ReadKeyFile; a file
// that is damaged stands in nobody's way but that of who needs it.
func OpenFileKeys(ctx context.Context, dir string, random io.Reader, wrapper Wrapper) (*FileKeys, error) {
	k := &FileKeys{dir: dir, random: random, wrapper: wrapper}
	if err := k.note(k.removeClear()); err != nil {
		return nil, err
	}
	tried := map[string]bool{}
	if err := k.each(func(name string, f keyFile, err error) error {
		if err == nil && !tried[f.KEK] {
			if _, err = k.open(ctx, name, f); err == nil && f.Version > 1 {
				tried[f.KEK] = true
			}
		}
		if errors.Is(err, ErrKey) {
			return nil
		}
		return k.note(err)
	}); err != nil {
		return nil, err
	}
	return k, nil
}

// InClear says which files OpenFileKeys found with a private number in clear that it was not let to write anew or remove: a folder that is
// mounted read-only, or another's. nil: none.
func (k *FileKeys) InClear() error { return k.inClear }

// note keeps an errUnwritable for InClear, and returns any other error.
func (k *FileKeys) note(err error) error {
	if !errors.Is(err, errUnwritable) {
		return err
	}
	k.inClear = errors.Join(k.inClear, err)
	return nil
}

// unwritable makes an errUnwritable of an error of writing that a right or a read-only file system is the cause of.
func unwritable(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", errUnwritable, err)
	}
	return err
}

// Identity implements Keys.
func (k *FileKeys) Identity(ctx context.Context, name KeyName, certify func(crypto.Signer) (*gm.Certificate, error)) (Identity, error) {
	file := name.fileName()
	path := filepath.Join(k.dir, file)
	content, err := gm.KeyFile(path, func() ([]byte, error) {
		private, signer, err := newPrivate(k.random, name.Algorithms)
		if err != nil {
			return nil, err
		}
		defer clear(private)
		certificate, err := certify(signer)
		if err != nil {
			return nil, err
		}
		return newKeyFile(ctx, k.wrapper, name, private, certificate.DER())
	})
	if err != nil {
		return Identity{}, err
	}
	defer clear(content)
	f, err := parseKeyFile(content)
	if err == nil && f.name() != name {
		err = fmt.Errorf("%w: it is another's key", ErrKey)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("reading %s: %w", path, err)
	}
	defer clear(f.Private)
	id, err := k.open(ctx, file, f)
	if errors.Is(err, errUnwritable) {
		err = nil // the key is good
	}
	return id, err
}

// open returns the key of a file, and writes the file anew when the private number stands in clear; errUnwritable comes with the key.
func (k *FileKeys) open(ctx context.Context, file string, f keyFile) (Identity, error) {
	private, id, err := k.unwrap(ctx, f)
	if err != nil {
		return Identity{}, fmt.Errorf("reading %s: %w", filepath.Join(k.dir, file), err)
	}
	defer clear(private)
	if f.Version == 1 {
		err = k.rewrite(ctx, file, f, private)
	}
	return id, err
}

// unwrap returns the private number, which the caller erases, and the key that it is.
func (k *FileKeys) unwrap(ctx context.Context, f keyFile) ([]byte, Identity, error) {
	private, err := f.private(ctx, k.wrapper)
	if err != nil {
		return nil, Identity{}, err
	}
	id, err := f.identity(private)
	if err != nil {
		clear(private)
		return nil, Identity{}, err
	}
	return private, id, nil
}

// rewrite wraps the private number of a file by the master key of now.
func (k *FileKeys) rewrite(ctx context.Context, file string, f keyFile, private []byte) error {
	content, err := newKeyFile(ctx, k.wrapper, f.name(), private, f.Certificate)
	if err != nil {
		return err
	}
	return unwritable(gm.ReplaceKeyFile(filepath.Join(k.dir, file), content))
}

// Rewrap wraps all private numbers anew by the master key of now, and returns how many. Each file is replaced in one step, while
// others may read it; a crash leaves some under the former master key, and Rewrap again does all once more. A damaged file is left,
// and reported at the end (ErrKey).
func (k *FileKeys) Rewrap(ctx context.Context) (n int, err error) {
	var damaged error
	err = k.each(func(file string, f keyFile, err error) error {
		var private []byte
		if err == nil {
			private, _, err = k.unwrap(ctx, f)
			defer clear(private)
		}
		switch {
		case errors.Is(err, ErrKey):
			damaged = errors.Join(damaged, fmt.Errorf("reading %s: %w", filepath.Join(k.dir, file), err))
			return nil
		case err == nil:
			err = k.rewrite(ctx, file, f, private)
		}
		if err == nil {
			n++
		}
		return err
	})
	return n, errors.Join(err, damaged)
}

// KeyStatus says of a key file what an operator wants to know.
type KeyStatus struct {
	File    string // within the folder
	Name    KeyName
	KEK     string // the name of the master key; "": it is in clear, until it is next opened
	Damaged bool   // not a key file, or another's; then the rest is empty
}

// Status lists the files. It opens none of the keys.
func (k *FileKeys) Status() (all []KeyStatus, err error) {
	err = k.each(func(file string, f keyFile, err error) error {
		switch {
		case errors.Is(err, ErrKey):
			all = append(all, KeyStatus{File: file, Damaged: true})
			return nil
		case err == nil:
			all = append(all, KeyStatus{File: file, Name: f.name(), KEK: f.KEK})
		}
		return err
	})
	return all, err
}

// each calls do for every key file, in the order of their names, until it returns an error. It gives ErrKey for a file that is damaged
// or has another's name, and what else kept it from being read.
func (k *FileKeys) each(do func(file string, f keyFile, err error) error) error {
	entries, err := k.entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); filepath.Ext(name) == suffixKey && !strings.HasPrefix(name, ".") {
			f, err := k.read(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // taken away meanwhile
			}
			err = do(name, f, err)
			clear(f.Private)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

const suffixKey = ".key"

func (k *FileKeys) entries() ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(k.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("seal: looking for keys: %w", err)
	}
	return entries, nil
}

func (k *FileKeys) read(name string) (keyFile, error) {
	content, err := gm.ReadKeyFile(filepath.Join(k.dir, name))
	if err != nil {
		return keyFile{}, err
	}
	defer clear(content)
	f, err := parseKeyFile(content)
	if err == nil && f.name().fileName() != name {
		clear(f.Private)
		return keyFile{}, fmt.Errorf("%w: it is another's key", ErrKey)
	}
	return f, err
}

// removeClear removes what a crash in the making of a file of version 1 left aside (gm.KeyFile): a private number in clear. No text of
// version 2 has this member's name between quotes.
func (k *FileKeys) removeClear() error {
	entries, err := k.entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") || !strings.Contains(name, suffixKey+".") {
			continue
		}
		path := filepath.Join(k.dir, e.Name())
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte(`"private":`)) {
			err = unwritable(os.Remove(path))
		}
		clear(content)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("seal: removing what a crash left: %w", err)
		}
	}
	return nil
}
