package gm

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// disk is what writing key files needs of a file system. Tests put failures behind it; names are full paths.
type disk interface {
	// create makes an empty file, mode 0600, with a name of its own that begins with prefix.
	create(dir, prefix string) (diskFile, error)
	// rename replaces what is at to.
	rename(from, to string) error
	// link does not: fs.ErrExist.
	link(from, to string) error
	remove(name string) error
	// syncDir makes creations, links, renames and removals in dir durable.
	syncDir(dir string) error
}

type diskFile interface {
	io.WriteCloser
	Name() string
	// Sync makes what was written durable.
	Sync() error
}

// asidePrefix begins the names of files written aside for path, which a crash may leave.
func asidePrefix(path string) string { return "." + filepath.Base(path) + "." }

// writeAside puts content, whole and durable, into a new file in the folder of path, and returns its name.
func writeAside(d disk, path string, content []byte) (string, error) {
	f, err := d.create(filepath.Dir(path), asidePrefix(path))
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, d.remove(f.Name()))
	}
	return f.Name(), nil
}

// osDisk is the file system of the operating system.
type osDisk struct{}

func (osDisk) create(dir, prefix string) (diskFile, error) {
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) link(from, to string) error { return os.Link(from, to) }

func (osDisk) remove(name string) error { return os.Remove(name) }

func (osDisk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
