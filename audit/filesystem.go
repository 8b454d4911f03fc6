package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// fileSystem is what the journal needs of one. Tests put failures behind it; names are full paths.
type fileSystem interface {
	// create makes an empty file for writing, in place of what stood under the name.
	create(name string) (writable, error)
	// openWrite opens a file for writing as it is.
	openWrite(name string) (writable, error)
	// openRead opens a file for reading, past the page cache where the system allows it.
	openRead(name string) (readable, error)
	// openCached opens a file for reading, from the page cache where it is there.
	openCached(name string) (readable, error)
	rename(from, to string) error
	remove(name string) error
	// syncDir makes creations, renames and removals in dir durable.
	syncDir(dir string) error
	// list returns the names in dir, sorted.
	list(dir string) ([]string, error)
}

type writable interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync makes content and size durable.
	Sync() error
}

type readable interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// disk is the file system of the operating system.
type disk struct{}

type diskFile struct{ *os.File }

func (f diskFile) Sync() error { return syncData(f.File) }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (disk) create(name string) (writable, error) {
	return opened(os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600))
}

func (disk) openWrite(name string) (writable, error) {
	return opened(os.OpenFile(name, os.O_WRONLY, 0))
}

func (disk) openRead(name string) (readable, error) {
	f, err := opened(os.Open(name))
	if err != nil {
		return nil, err
	}
	dropCache(f.File)
	return f, nil
}

func (disk) openCached(name string) (readable, error) { return opened(os.Open(name)) }

func opened(f *os.File, err error) (diskFile, error) { return diskFile{f}, err }

func (disk) rename(from, to string) error { return os.Rename(from, to) }

func (disk) remove(name string) error { return os.Remove(name) }

func (disk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (disk) list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// unplaced is the suffix of a file that is not yet whole.
const unplaced = ".new"

// placeFile puts a file under dir that is whole and durable or not there: write to another name, sync, rename, sync the
// directory. A crash leaves the old state, or the new; before the rename also an unplaced file, which opening removes.
// The file stays open for writing.
func placeFile(system fileSystem, dir, name string, content []byte) (writable, error) {
	made := filepath.Join(dir, name) + unplaced
	f, err := system.create(made)
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", name, err)
	}
	if err := placeOpen(system, f, made, dir, name, content); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// placeOpen writes content to the head of the file that was made, and gives it its name.
func placeOpen(system fileSystem, f writable, made, dir, name string, content []byte) error {
	if _, err := f.WriteAt(content, 0); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", name, err)
	}
	if err := system.rename(made, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("renaming %s: %w", name, err)
	}
	if err := system.syncDir(dir); err != nil {
		return fmt.Errorf("syncing the journal's directory: %w", err)
	}
	return nil
}

// placeWhole is placeFile of a file that is not written again.
func placeWhole(system fileSystem, dir, name string, content []byte) error {
	f, err := placeFile(system, dir, name, content)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", name, err)
	}
	return nil
}

// readWhole returns the content of a small file, or nil when there is none.
func readWhole(system fileSystem, name string) ([]byte, error) { return readUpTo(system, name, 64<<10) }

// readAll returns the content of a file, or nil when there is none.
func readAll(system fileSystem, name string) ([]byte, error) {
	return readUpTo(system, name, math.MaxInt64)
}

func readUpTo(system fileSystem, name string, limit int64) ([]byte, error) {
	f, err := system.openRead(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.NewSectionReader(f, 0, limit))
	return content, errors.Join(err, f.Close())
}
