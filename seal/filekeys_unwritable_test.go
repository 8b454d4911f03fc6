package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestUpgradeInFolderOfAnother: where the folder can't be written, keys in clear serve as they are, and are reported.
func TestUpgradeInFolderOfAnother(t *testing.T) {
	t.Parallel()
	dir, w := version1(t), keyring(t)
	numbers, _ := privates(t, dir, w)
	left := filepath.Join(dir, ".maker-sm2.key.123")
	content, err := os.ReadFile(filepath.Join(dir, "maker-sm2.key"))
	if err == nil {
		err = os.WriteFile(left, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	unprivileged(t, dir, func() {
		k, err := OpenFileKeys(t.Context(), dir, newStream(), w)
		if err != nil {
			t.Error(err)
			return
		}
		said := fmt.Sprint(k.InClear())
		for file := range numbers {
			if !strings.Contains(said, file) {
				t.Errorf("%s is not reported: %s", file, said)
			}
		}
		if !strings.Contains(said, left) {
			t.Errorf("what a crash left is not reported: %s", said)
		}
		if id, err := k.Identity(t.Context(), KeyName{Role: RoleMaker}, nil); err != nil || id.Signer == nil {
			t.Errorf("the key does not serve: %v", err)
		}
		if s, err := k.Status(); err != nil || !slices.Contains(s, KeyStatus{File: "maker-sm2.key", Name: KeyName{Role: RoleMaker}}) {
			t.Errorf("%+v, error %v", s, err)
		}
		if n, err := k.Rewrap(t.Context()); n != 0 || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("wrapped %d, error %v", n, err)
		}
	})
	k := opened(t, dir, w)
	if err := k.InClear(); err != nil {
		t.Error(err)
	}
	wantWrapped(t, dir, w, numbers)
	for _, err := range []error{syscall.EROFS, syscall.EACCES, syscall.EPERM} {
		if !errors.Is(unwritable(&fs.PathError{Err: err}), errUnwritable) {
			t.Errorf("%v is not told", err)
		}
	}
	if errors.Is(unwritable(syscall.ENOSPC), errUnwritable) || unwritable(nil) != nil {
		t.Error("a full disk, or nothing, is taken for a missing right")
	}
}

// unprivileged runs do as somebody who may read a folder and its files, but not write into the folder.
func unprivileged(t *testing.T, dir string, do func()) {
	t.Helper()
	const nobody = 65534
	root := os.Geteuid() == 0
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	for _, path := range append(append(files, hidden...), dir) {
		if root && err == nil {
			err = os.Chown(path, nobody, -1)
		}
	}
	if err = errors.Join(err, os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		defer close(done)
		if root {
			runtime.LockOSThread() // for good: the thread ends with its owner of files
			if err := syscall.Setfsuid(nobody); err != nil {
				done <- err
				return
			}
		}
		do()
	}()
	if err := errors.Join(<-done, os.Chmod(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
}
