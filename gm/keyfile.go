package gm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxKeyFile is the largest key file read, in bytes.
const maxKeyFile = 64 << 10

// Errors of KeyFile.
var (
	// ErrKeyFileOpen says that a key file gives rights to its group or to others: it must have mode 0600 or less.
	ErrKeyFileOpen = errors.New("gm: key file is open to group or others, want mode 0600")
	// ErrKeyFileKind says that a key file is empty, too large or not a regular file.
	ErrKeyFileKind = errors.New("gm: not a key file")
)

// KeyFile returns the content of the private key file at path. When there is none, it keeps what fresh makes, mode
// 0600. A crash leaves either no file or a whole one, and of several processes that start at once one file wins and
// all return its content. The folder is made, mode 0700, when missing.
func KeyFile(path string, fresh func() ([]byte, error)) ([]byte, error) {
	content, err := readKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return content, err
	}
	if content, err = fresh(); err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("gm: making the folder of a key file: %w", err)
	}
	if err := createKeyFile(path, content); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("gm: making a key file: %w", err)
	}
	// The name must be on disk before anything is kept that only this key opens, whoever made the file.
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("gm: making a key file: %w", err)
	}
	return readKeyFile(path)
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gm: opening a key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("gm: opening a key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no regular file", ErrKeyFileKind, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has %#o", ErrKeyFileOpen, path, mode)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("gm: reading a key file: %w", err)
	}
	if len(content) == 0 || len(content) > maxKeyFile {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrKeyFileKind, path, len(content))
	}
	return content, nil
}

// createKeyFile gives content the name path, or returns fs.ErrExist and leaves what is there.
// open O_EXCL, write, fsync, link, unlink: link, unlike rename, never replaces a file that another process just made.
func createKeyFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
