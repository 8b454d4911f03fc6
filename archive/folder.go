package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"licgate/beijing"
)

// Folder is an archive on disk, open for writing by one process. Safe for concurrent use.
//
// A file is written aside, synced and renamed, then a line of the index says so: a crash leaves a file aside, which goes when the folder is next
// opened, or a whole file that the index does not know, which is fetched again, or half a line of the index, which is cut off.
type Folder struct {
	dir   string
	about About
	now   func() time.Time
	lock  *os.File
	made  bool // by OpenFolder: nothing was there

	mu    sync.Mutex
	index *index
}

// asideMark ends the names of files that are being written.
const asideMark = ".part"

// OpenFolder makes the folder, whose parent must be there, or takes an archive up again. ErrForeign: there is something else. ErrOther: an
// archive of something else. ErrInUse: another process has it.
func OpenFolder(dir string, about About, now func() time.Time) (*Folder, error) {
	made := false
	if err := os.Mkdir(dir, 0o700); err == nil {
		made = true
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, about: about, now: now, lock: lock, made: made}
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockDir takes the folder. The lock ends with the process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%w: %s is no folder", ErrForeign, dir), err, f.Close())
	}
	// Who else may write there could put links in the way, or take the files.
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return nil, errors.Join(os.NewSyscallError("fstat", err), f.Close())
	}
	if int(stat.Uid) != os.Geteuid() || stat.Mode&0o022 != 0 {
		return nil, errors.Join(fmt.Errorf("%w: %s belongs to another user, or others may write there", ErrForeign, dir), f.Close())
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrInUse, dir), f.Close())
	case err != nil:
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	return f, nil
}

func (f *Folder) open() error {
	path := filepath.Join(f.dir, indexName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := f.begin(path); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	var err error
	if f.index, err = openIndex(path, f.about); err != nil {
		return err
	}
	return f.sweep()
}

// begin writes the index of a folder that holds nothing but what an interrupted begin left.
func (f *Folder) begin(path string) error {
	found, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, one := range found {
		if one.Name() != aside(indexName) {
			return fmt.Errorf("%w: %s", ErrForeign, f.dir)
		}
	}
	head, err := jsonLine(indexHead{indexVersion, f.about})
	if err != nil {
		return err
	}
	return f.write(filepath.Base(path), head)
}

// sweep removes files that were never finished.
func (f *Folder) sweep() error {
	found, err := filepath.Glob(filepath.Join(f.dir, aside("*")))
	if err != nil {
		return err
	}
	for _, path := range found {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func aside(name string) string { return "." + name + asideMark }

// write puts a file in its place, whole or not at all.
func (f *Folder) write(name string, content []byte) error {
	return f.place(name, filepath.Join(f.dir, name), func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// place puts what fill writes at a path on the same disk, whole or not at all. Until then it has the name of something aside.
func (f *Folder) place(name, path string, fill func(io.Writer) error) (err error) {
	part := filepath.Join(f.dir, aside(name))
	file, err := createAside(part)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	if err = fill(file); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(part, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// createAside makes a file anew, never through a link. What a process that died left there goes.
func createAside(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Abandon removes a folder that was made for nothing: that was not there before, and has no licence in it. It reports whether it did.
func (f *Folder) Abandon() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.made || len(f.index.lines) > 0 {
		return false, nil
	}
	if err := os.RemoveAll(f.dir); err != nil {
		return false, fmt.Errorf("archive: remove an empty folder: %w", err)
	}
	return true, nil
}

// Has reports whether a licence is there, as the index says it is.
func (f *Folder) Has(code string) (bool, error) {
	f.mu.Lock()
	line, known := f.index.lines[code]
	f.mu.Unlock()
	if !known || line.Name != f.name(code) {
		return false, nil
	}
	file, err := os.Open(filepath.Join(f.dir, line.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return false, err
	}
	return n == line.Size && hex.EncodeToString(sum.Sum(nil)) == line.SHA256, nil
}

// name is that of a licence's file.
func (f *Folder) name(code string) string { return code + "." + strings.ToLower(f.about.FileType) }

// magic is how files of a type begin.
var magic = map[string]string{"PDF": "%PDF-", "OFD": "PK\x03\x04"}

// Put keeps a licence, in place of what was there of it.
func (f *Folder) Put(e Entry, file File) error {
	if !validCode(e.Code) {
		return errors.New("archive: the code of a licence can't be the name of a file")
	}
	if !bytes.HasPrefix(file.Data, []byte(magic[f.about.FileType])) || len(file.Data) == 0 {
		return &Refusal{Message: "收到的不是 " + f.about.FileType + " 文件", ResponseID: file.ResponseID}
	}
	if err := f.write(f.name(e.Code), file.Data); err != nil {
		return fmt.Errorf("archive: keep %s: %w", e.Code, err)
	}
	sum := sha256.Sum256(file.Data)
	line := indexLine{
		Item: e.Item, Code: e.Code, IssueDate: e.IssueDate, Name: f.name(e.Code), Size: int64(len(file.Data)), SHA256: hex.EncodeToString(sum[:]),
		At: beijing.Format(f.now(), time.RFC3339), ResponseID: file.ResponseID,
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.index.add(line); err != nil {
		return fmt.Errorf("archive: note %s: %w", e.Code, err)
	}
	return nil
}

// Close gives the folder back.
func (f *Folder) Close() error {
	var err error
	if f.index != nil {
		err = f.index.file.Close()
	}
	return errors.Join(err, f.lock.Close())
}
