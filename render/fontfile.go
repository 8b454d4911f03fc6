package render

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The fonts that tools/fonts makes, zstd in two frames: the small tables first, so that what a font has can be read
// without its outlines.
var (
	//go:embed fonts/NotoSansSC-Regular.ttf.zst
	notoSansSC []byte

	// The 58,011 ideographs of level 3 that the one before lacks, and U+2252.
	//go:embed fonts/GlyphWikiMincho.ttf.zst
	glyphWikiMincho []byte
)

// The licence texts travel inside the program, as the OFL asks.
//
//go:embed fonts/*.txt
var fontLicences embed.FS

// embedded is the chain of a View that names no other.
var embedded = newFonts([]*typeface{
	embeddedFace("NotoSansSC-Regular", notoSansSC, localHan),
	embeddedFace("GlyphWikiMincho", glyphWikiMincho, ""),
})

// embeddedFace is a packed font. Its outlines are unpacked once, when first drawn, and stay in memory from then on: 13 MB
// of Noto Sans SC, 21 MB of GlyphWiki Mincho.
func embeddedFace(name string, packed []byte, local string) *typeface {
	return &typeface{
		covers: sync.OnceValues(func() (charMap, error) {
			head, _, err := unpackHead(packed)
			if err != nil {
				return charMap{}, fmt.Errorf("embedded font %s: %w", name, err)
			}
			covers, err := readCharMap(head)
			if err != nil {
				return charMap{}, fmt.Errorf("embedded font %s: %w", name, err)
			}
			covers.groups = bytes.Clone(covers.groups) // the rest is not kept
			return covers, nil
		}),
		load: sync.OnceValues(func() (*font, error) {
			data, err := unpack(packed)
			if err != nil {
				return nil, fmt.Errorf("embedded font %s: %w", name, err)
			}
			f, err := parseFont(name, data)
			if err == nil {
				f.name = name // the file of Noto Sans SC calls itself by the name of its collection
			}
			return f, err
		}),
		digest: sync.OnceValue(func() [sha256.Size]byte { return sha256.Sum256(packed) }),
		local:  local,
	}
}

// unpackHead unpacks the tables of the first frame, and tells how long the whole file is.
func unpackHead(packed []byte) (tables map[string][]byte, length int, err error) {
	r, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	data := make([]byte, 12)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, 0, err
	}
	directory := make([]byte, 16*int(binary.BigEndian.Uint16(data[4:])))
	if _, err := io.ReadFull(r, directory); err != nil {
		return nil, 0, err
	}
	data = append(data, directory...)
	places := make(map[string][2]int)
	first := 0 // where the outlines begin
	for d := directory; len(d) > 0; d = d[16:] {
		from, size := int(binary.BigEndian.Uint32(d[8:])), int(binary.BigEndian.Uint32(d[12:]))
		tag := string(d[:4])
		places[tag] = [2]int{from, from + size}
		length = max(length, (from+size+3)&^3)
		if (tag == "loca" || tag == "glyf") && (first == 0 || from < first) {
			first = from
		}
	}
	if first < len(data) || length > 1<<28 {
		return nil, 0, fmt.Errorf("outlines at %d of %d bytes", first, length)
	}
	rest := make([]byte, first-len(data))
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, 0, err
	}
	data = append(data, rest...)
	tables = make(map[string][]byte)
	for tag, p := range places {
		if p[1] <= len(data) {
			tables[tag] = data[p[0]:p[1]]
		}
	}
	return tables, length, nil
}

// unpack unpacks a whole font into one piece of memory.
func unpack(packed []byte) ([]byte, error) {
	_, length, err := unpackHead(packed)
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(packed, make([]byte, 0, length))
}
