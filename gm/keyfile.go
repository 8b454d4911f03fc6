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
	content, err := ReadKeyFile(path)
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
	if err := createKeyFile(osDisk{}, path, content); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("gm: making a key file: %w", err)
	}
	// The name must be on disk before anything is kept that only this key opens, whoever made the file.
	if err := (osDisk{}).syncDir(dir); err != nil {
		return nil, fmt.Errorf("gm: making a key file: %w", err)
	}
	return ReadKeyFile(path)
}

// ReadKeyFile returns the content of the private key file at path: ErrKeyFileOpen, ErrKeyFileKind, fs.ErrNotExist, or that of the disk.
func ReadKeyFile(path string) ([]byte, error) {
	f, err := openKeyFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("gm: reading a key file: %w", err)
	}
	if len(content) == 0 || len(content) > maxKeyFile {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrKeyFileKind, path, len(content))
	}
	return content, nil
}

// openKeyFile opens a key file for reading, or refuses it.
func openKeyFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gm: opening a key file: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("gm: opening a key file: %w", err)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: %s is no regular file", ErrKeyFileKind, path)
	case info.Mode().Perm()&0o077 != 0:
		err = fmt.Errorf("%w: %s has %#o", ErrKeyFileOpen, path, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// createKeyFile gives content the name path, or returns fs.ErrExist and leaves what is there.
// open O_EXCL, write, fsync, link, unlink: link, unlike rename, never replaces a file that another process just made.
func createKeyFile(d disk, path string, content []byte) error {
	aside, err := writeAside(d, path, content)
	if err != nil {
		return err
	}
	defer d.remove(aside)
	return d.link(aside, path)
}

// ReplaceKeyFile puts content, mode 0600, in place of what the private key file at path held. A crash leaves the old content or the
// new, and who reads meanwhile gets one of them whole.
func ReplaceKeyFile(path string, content []byte) error {
	if err := replaceKeyFile(osDisk{}, path, content); err != nil {
		return fmt.Errorf("gm: writing %s: %w", path, err)
	}
	return nil
}

// replaceKeyFile puts content in place of what the file at path held. A crash leaves the old content or the new.
// open O_EXCL, write, fsync, rename, fsync of the folder.
func replaceKeyFile(d disk, path string, content []byte) error {
	aside, err := writeAside(d, path, content)
	if err != nil {
		return err
	}
	if err := d.rename(aside, path); err != nil {
		return errors.Join(err, d.remove(aside))
	}
	return d.syncDir(filepath.Dir(path))
}
