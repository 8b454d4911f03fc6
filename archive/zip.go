package archive

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// SpoolOf is the folder beside a zip file in which it is gathered.
func SpoolOf(path string) string { return path + ".spool" }

// Vacant reports whether a zip file may be written: ErrExists when something is there.
func Vacant(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return fmt.Errorf("%w: %s", ErrExists, path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// Zip writes everything of the folder, the index too, into a zip file at path, on the same disk, and removes the folder. The zip file is written
// in the folder and renamed when it is whole: a crash leaves the folder, or the zip file and what is left of the folder. A file that is not as the
// index says stops it.
func (f *Folder) Zip(path string) error {
	if err := Vacant(path); err != nil {
		return err
	}
	if err := f.place("zip", path, f.writeZip); err != nil {
		return fmt.Errorf("archive: write %s: %w", path, err)
	}
	return os.RemoveAll(f.dir)
}

func (f *Folder) writeZip(out io.Writer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	z := zip.NewWriter(out)
	for _, code := range slices.Sorted(maps.Keys(f.index.lines)) {
		line := f.index.lines[code]
		at, err := time.Parse(time.RFC3339, line.At)
		if err != nil {
			return fmt.Errorf("%w: the time of %s", ErrDamaged, code)
		}
		// Stored: PDF and OFD are compressed.
		if err := f.zipFile(z, zip.FileHeader{Name: line.Name, Method: zip.Store, Modified: at}, line.SHA256); err != nil {
			return err
		}
	}
	if err := f.zipFile(z, zip.FileHeader{Name: indexName, Method: zip.Deflate, Modified: f.now()}, ""); err != nil {
		return err
	}
	return z.Close()
}

// zipFile copies one file; sum is what it must have, "" for any.
func (f *Folder) zipFile(z *zip.Writer, header zip.FileHeader, sum string) error {
	in, err := os.Open(filepath.Join(f.dir, header.Name))
	if err != nil {
		return err
	}
	defer in.Close()
	header.SetMode(0o600)
	out, err := z.CreateHeader(&header)
	if err != nil {
		return err
	}
	seen := sha256.New()
	if _, err := io.Copy(out, io.TeeReader(in, seen)); err != nil {
		return err
	}
	if sum != "" && hex.EncodeToString(seen.Sum(nil)) != sum {
		return fmt.Errorf("%w: %s is not what it says", ErrDamaged, header.Name)
	}
	return nil
}
