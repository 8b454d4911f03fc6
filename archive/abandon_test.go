package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAbandon: a folder that was made for nothing goes; one that was there, or that holds a licence, stays.
func TestAbandon(t *testing.T) {
	t.Parallel()
	open := func(dir string) *Folder {
		t.Helper()
		f, err := OpenFolder(dir, About{Department: "D", FileType: "PDF"}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	dir := filepath.Join(t.TempDir(), "a")
	f := open(dir)
	gone, err := f.Abandon()
	if _, missing := os.Lstat(dir); err != nil || !gone || !errors.Is(missing, fs.ErrNotExist) {
		t.Errorf("an empty one: %v, %v, %v", gone, err, missing)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, fill := range []func(){
		func() {
			f := open(dir)
			if err := f.Put(Entry{Code: "110000202000000001"}, File{Data: []byte("%PDF-1.4")}); err != nil {
				t.Fatal(err)
			}
			if gone, err := f.Abandon(); gone || err != nil {
				t.Errorf("one with a licence: %v, %v", gone, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		},
		func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		fill()
		f := open(dir)
		if gone, err := f.Abandon(); gone || err != nil {
			t.Errorf("one that was there: %v, %v", gone, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
