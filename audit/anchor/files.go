package anchor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"licgate/audit/ledger"
)

// File appends checkpoints to a file, each a JSON string a line: on another system's disk, or one that only appends.
type File struct{ Path string }

// Keep appends the checkpoint and syncs. It begins a new line when a crash left half of one.
func (f File) Keep(_ context.Context, _ Log, c *ledger.Signed) (Kept, error) {
	line, err := json.Marshal(string(c.Note))
	if err != nil {
		return Kept{}, err
	}
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return Kept{}, fmt.Errorf("opening the anchor's file: %w", err)
	}
	err = appendLine(file, line)
	if err = errors.Join(err, file.Close()); err != nil {
		return Kept{}, fmt.Errorf("writing the anchor's file: %w", err)
	}
	return Kept{}, nil
}

func appendLine(f *os.File, line []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if size := info.Size(); size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	return f.Sync()
}

// readFile returns the content of a file, or nil when there is none.
func readFile(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// writeAt writes b at offset of the file at path, and syncs it, and its folder when it is new.
func writeAt(path string, b []byte, offset int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, offset); err == nil {
		err = f.Truncate(offset + int64(len(b))) // what a crash left behind
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replace puts content in place of the file at path: write aside, sync, rename, sync the folder.
func replace(path string, content []byte) error {
	if err := writeAt(path+".new", content, 0); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
