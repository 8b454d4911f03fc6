package render

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"
)

// ofdPart is a file in the package.
type ofdPart struct {
	name    string
	content []byte
}

const zipVersion = 20 // 2.0: the first with deflate

// packOFD zips the parts in their order. Every entry has one fixed time, and says its length before its bytes, not after
// them: readers that go through the file from its start need that.
func packOFD(parts []ofdPart) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		h := &zip.FileHeader{
			Name: p.name, CreatorVersion: zipVersion, ReaderVersion: zipVersion,
			Method: zip.Store, CRC32: crc32.ChecksumIEEE(p.content), UncompressedSize64: uint64(len(p.content)),
			ModifiedDate: 1<<5 | 1, //lint:ignore SA1019 CreateRaw writes this field, 1 January 1980, and does not look at Modified
		}
		packed := p.content
		if !strings.HasSuffix(p.name, ".jpg") && !strings.HasSuffix(p.name, ".png") { // which are compressed already
			stream, err := deflated(p.content, &deflaters)
			if err != nil {
				return nil, err
			}
			// What a zip wants is the inside of a zlib stream (RFC 1950): without its head of two bytes and checksum of four.
			h.Method, packed = zip.Deflate, stream[2:len(stream)-4]
		}
		h.CompressedSize64 = uint64(len(packed))
		to, err := w.CreateRaw(h)
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", p.name, err)
		}
		if _, err := to.Write(packed); err != nil {
			return nil, fmt.Errorf("pack %s: %w", p.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return b.Bytes(), nil
}
