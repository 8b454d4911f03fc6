package render

import (
	"compress/gzip"
	"embed"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
)

// The licence text travels inside the program, as the OFL asks.
//
//go:embed fonts/*.ttf.gz fonts/OFL.txt
var fontFiles embed.FS

// embedded is the chain of fonts that texts are set in: the first that has a character draws it.
var embedded = fontSet{embeddedFont("fonts/NotoSansSC-Regular.ttf.gz")}

// fontSet is a chain of fonts. Each is loaded when a character first gets as far as it.
type fontSet []func() (*font, error)

// find returns the first font that has the character, and its glyph there.
func (s fontSet) find(r rune) (*font, uint16, bool) {
	for _, load := range s {
		f, err := load()
		if err != nil {
			continue // its characters are then unprintable; PDF reports the error
		}
		if id := f.glyph(r); id != 0 {
			return f, id, true
		}
	}
	return nil, 0, false
}

// check loads the first font, and says why it cannot be.
func (s fontSet) check() error {
	_, err := s[0]()
	return err
}

// embeddedFont decompresses and reads a font once, on first use: 12 MB stay in memory from then on.
func embeddedFont(file string) func() (*font, error) {
	return sync.OnceValues(func() (*font, error) {
		data, err := unpack(file)
		if err != nil {
			return nil, fmt.Errorf("embedded font %s: %w", file, err)
		}
		return parseFont(strings.TrimSuffix(path.Base(file), ".ttf.gz"), data)
	})
}

// unpack reads an embedded gzip file without a copy of the packed bytes.
func unpack(file string) ([]byte, error) {
	f, err := fontFiles.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	packed, ok := f.(io.ReadSeeker)
	if !ok {
		return nil, fmt.Errorf("%T cannot seek", f)
	}
	// The last four bytes of a gzip file are its length unpacked: one allocation instead of a doubling buffer.
	var length [4]byte
	if _, err := packed.Seek(-4, io.SeekEnd); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(packed, length[:]); err != nil {
		return nil, err
	}
	if _, err := packed.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	data := make([]byte, binary.LittleEndian.Uint32(length[:]))
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	// The end is where gzip compares its checksum.
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return nil, fmt.Errorf("not whole: %w", err)
	}
	return data, nil
}
