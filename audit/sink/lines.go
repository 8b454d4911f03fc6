package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Lines appends records to a file, one a line, and syncs. It opens the file anew for each batch, so that the file may be
// moved away at any time.
type Lines struct{ Path string }

// Send appends the records.
func (l Lines) Send(_ context.Context, records [][]byte) error {
	f, err := os.OpenFile(l.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening %s: %w", l.Path, err)
	}
	err = appendLines(f, records)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", l.Path, err)
	}
	return nil
}

// appendLines begins a new line when a crash or a full disk left half of one.
func appendLines(f *os.File, records [][]byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var b []byte
	if size := info.Size(); info.Mode().IsRegular() && size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil && err != io.EOF {
			return err
		}
		if last[0] != '\n' {
			b = append(b, '\n')
		}
	}
	for _, r := range records {
		b = append(append(b, r...), '\n')
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	return f.Sync()
}

// Close has nothing to close.
func (Lines) Close() error { return nil }
