package gm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Names in the keys folder.
const (
	keysFileName = "data.keys"
	keysLockName = "data.keys.lock"
)

// maxKeysFile is the largest file of data keys read, in bytes: about 200,000 keys.
const maxKeysFile = 64 << 20

// FileKeyStore is a KeyStore in one file, for a gateway of one node. Each write makes the file anew, so that a crash leaves the old
// records or the new ones. Several processes of one machine may use it at once.
type FileKeyStore struct {
	path string
	disk disk
	mu   sync.Mutex
	// read is the file that known was read from. It is kept open so that no other file gets its inode: as long as it is the one at
	// path, known is the truth. nil: there was none yet.
	read  *os.File
	known keysFile
}

// OpenFileKeys opens the data keys in dir, which is made, mode 0700, when missing. The file is made by the first Add; one that others
// may read is ErrKeyFileOpen, a damaged one ErrKeyRecord.
func OpenFileKeys(dir string) (*FileKeyStore, error) { return openFileKeys(dir, osDisk{}) }

func openFileKeys(dir string, d disk) (*FileKeyStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("gm: making the folder of data keys: %w", err)
	}
	s := &FileKeyStore{path: filepath.Join(dir, keysFileName), disk: d}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.locked(s.clean); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// Close gives the file back.
func (s *FileKeyStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.close()
}

func (s *FileKeyStore) close() error {
	if s.read == nil {
		return nil
	}
	err := s.read.Close()
	s.read = nil
	return err
}

// Changes implements KeyStore.
func (s *FileKeyStore) Changes(ctx context.Context, since int64) ([]KeyRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, err
	}
	return s.known.since(since), nil
}

// Add implements KeyStore.
func (s *FileKeyStore) Add(ctx context.Context, r KeyRecord, newest int64) (KeyRecord, error) {
	return s.write(ctx, func() (keysFile, KeyRecord, error) { return s.known.add(r.clone(), newest) })
}

// Replace implements KeyStore.
func (s *FileKeyStore) Replace(ctx context.Context, r KeyRecord) (KeyRecord, error) {
	return s.write(ctx, func() (keysFile, KeyRecord, error) { return s.known.replace(r.clone()) })
}

// write keeps what change makes of the newest records.
func (s *FileKeyStore) write(ctx context.Context, change func() (keysFile, KeyRecord, error)) (r KeyRecord, err error) {
	if err := ctx.Err(); err != nil {
		return KeyRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.locked(func() error {
		if err := s.load(); err != nil {
			return err
		}
		var next keysFile
		if next, r, err = change(); err != nil {
			return err
		}
		content, err := encodeKeys(next)
		if err != nil {
			return err
		}
		if err := replaceKeyFile(s.disk, s.path, content); err != nil {
			return fmt.Errorf("gm: writing data keys: %w", err)
		}
		return nil
	})
	if err != nil {
		return KeyRecord{}, err
	}
	return r.clone(), nil
}

// load makes known what the file holds now. The file's name may have been given by a writer that died before it was durable; so
// the folder is synced before anybody seals by a key that is read here.
func (s *FileKeyStore) load() error {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) && s.read == nil {
		s.known = keysFile{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("gm: reading data keys: %w", err)
	}
	if s.read != nil {
		old, err := s.read.Stat()
		if err != nil {
			return fmt.Errorf("gm: reading data keys: %w", err)
		}
		if os.SameFile(info, old) {
			return nil
		}
	}
	f, err := openKeyFile(s.path)
	if err != nil {
		return err
	}
	known, err := s.parse(f)
	if err != nil {
		return errors.Join(fmt.Errorf("reading %s: %w", s.path, err), f.Close())
	}
	if known.revision < s.known.revision {
		return errors.Join(fmt.Errorf("%w: %s is older than it was: keys are missing", ErrKeyRecord, s.path), f.Close())
	}
	err = s.close()
	s.read, s.known = f, known
	return err
}

func (s *FileKeyStore) parse(f *os.File) (keysFile, error) {
	content, err := io.ReadAll(io.LimitReader(f, maxKeysFile+1))
	if err != nil {
		return keysFile{}, err
	}
	if len(content) > maxKeysFile {
		return keysFile{}, fmt.Errorf("%w: more than %d bytes", ErrKeyRecord, maxKeysFile)
	}
	known, err := parseKeys(content)
	if err != nil {
		return keysFile{}, err
	}
	return known, s.disk.syncDir(filepath.Dir(s.path))
}

// locked does do while no other process writes. The lock ends with the process, however it ends.
func (s *FileKeyStore) locked(do func() error) error {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(s.path), keysLockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("gm: locking data keys: %w", err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("gm: locking data keys: %w", os.NewSyscallError("flock", err))
	}
	return do()
}

// clean removes what a writer that died left aside. It holds wrapped keys, of which some may have been destroyed since.
func (s *FileKeyStore) clean() error {
	dir := filepath.Dir(s.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("gm: cleaning the folder of data keys: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), asidePrefix(s.path)) {
			continue
		}
		if err := s.disk.remove(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("gm: cleaning the folder of data keys: %w", err)
		}
	}
	return nil
}
