package gm

import (
	"errors"
	"os"
	"path/filepath"
)

// disk is what writing key files needs of a file system. Tests put failures behind it; names are full paths.
type disk interface {
	// writeAside puts content, whole and synced, into a new file (mode 0600) in the folder of path, and returns its name.
	writeAside(path string, content []byte) (string, error)
	// rename replaces what is at to.
	rename(from, to string) error
	// link does not: fs.ErrExist.
	link(from, to string) error
	remove(name string) error
	// syncDir makes links, renames and removals in dir durable.
	syncDir(dir string) error
}

// osDisk is the file system of the operating system.
type osDisk struct{}

func (osDisk) writeAside(path string, content []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), asidePrefix(path)+"*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// asidePrefix begins the names of files written aside for path, which a crash may leave.
func asidePrefix(path string) string { return "." + filepath.Base(path) + "." }

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
