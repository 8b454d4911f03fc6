package seal

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Limits of OFD containers.
const (
	maxEntries  = 4096
	maxUnpacked = 128 << 20 // bytes of all files together
)

// Flags of a file.
const (
	flagLevel       = 0x0006 // how well it is packed
	flagSizesFollow = 0x0008 // sizes stand behind it too
	flagUTF8        = 0x0800 // so is its name
)

// zipEntry is a file of a container, packed.
type zipEntry struct {
	name   string
	method uint16
	flags  uint16
	crc    uint32
	size   int // unpacked, in bytes
	length int // packed; set with offset by reading
	offset int
	packed []byte
}

func zipErr(format string, args ...any) error {
	return fmt.Errorf("%w: ZIP "+format, append([]any{ErrFormat}, args...)...)
}

// readZip lists the files of a container. It is stricter than archive/zip: what two readers could take for different files is refused.
// hidden says that there are bytes which belong to no file: comments, gaps, something behind the end.
func readZip(data []byte) (entries []zipEntry, hidden bool, err error) {
	const eocdSize, centralSize = 22, 46
	at := bytes.LastIndex(data, []byte("PK\x05\x06"))
	if len(data) > maxFile || at < 0 || len(data)-at < eocdSize {
		return nil, false, zipErr("without an end, or of more than %d bytes", maxFile)
	}
	end := data[at:]
	count, size, start := int(u16(end, 10)), int(u32(end, 12)), int(u32(end, 16))
	if u32(end, 4) != 0 || u16(end, 8) != u16(end, 10) || start+size != at || count > maxEntries {
		return nil, false, zipErr("with a directory that does not fit, or in parts")
	}
	hidden = len(end) != eocdSize || u16(end, 20) != 0
	seen, unpacked := map[string]bool{}, 0
	for directory := data[start:at]; len(entries) < count; {
		if len(directory) < centralSize || string(directory[:4]) != "PK\x01\x02" {
			return nil, false, zipErr("with a broken directory")
		}
		h := directory[:centralSize]
		name, extra, comment := int(u16(h, 28)), int(u16(h, 30)), int(u16(h, 32))
		next := centralSize + name + extra + comment
		if next > len(directory) {
			return nil, false, zipErr("with a broken directory")
		}
		e := zipEntry{
			name: string(directory[centralSize:][:name]), flags: u16(h, 8), method: u16(h, 10), crc: u32(h, 16),
			length: int(u32(h, 20)), size: int(u32(h, 24)), offset: int(u32(h, 42)),
		}
		directory = directory[next:]
		hidden = hidden || comment > 0
		unpacked += e.size
		if seen[e.name] || unpacked > maxUnpacked {
			return nil, false, zipErr("with a name twice, or of more than %d bytes", maxUnpacked)
		}
		seen[e.name] = true
		entries = append(entries, e)
		if len(entries) == count && len(directory) > 0 {
			return nil, false, zipErr("with a broken directory")
		}
	}
	gaps, err := locate(data[:start], entries)
	return entries, hidden || gaps, err
}

func u16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }

func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

// locate finds the packed bytes of each entry, and holds what stands before them to what the directory says. gaps: there are bytes between
// the files.
func locate(data []byte, entries []zipEntry) (gaps bool, err error) {
	const localSize = 30
	order := make([]*zipEntry, len(entries))
	for i := range entries {
		order[i] = &entries[i]
	}
	slices.SortFunc(order, func(a, b *zipEntry) int { return cmp.Compare(a.offset, b.offset) })
	pos := 0
	for _, e := range order {
		if e.offset < pos || e.offset > len(data)-localSize || string(data[e.offset:][:4]) != "PK\x03\x04" {
			return false, zipErr("whose files overlap or are not there")
		}
		gaps = gaps || e.offset > pos
		h := data[e.offset:]
		from := e.offset + localSize + int(u16(h, 26)) + int(u16(h, 28))
		if from+e.length > len(data) || string(h[localSize:][:u16(h, 26)]) != e.name || u16(h, 8) != e.method || u16(h, 6) != e.flags {
			return false, zipErr("with a file that its directory calls otherwise")
		}
		known := (e.method == zip.Store || e.method == zip.Deflate) && e.flags&^(flagLevel|flagSizesFollow|flagUTF8) == 0
		if !known || !fs.ValidPath(strings.TrimSuffix(e.name, "/")) {
			return false, zipErr("with a file that is encrypted, packed in an unusual way or of an unusual name")
		}
		e.packed = data[from:][:e.length:e.length]
		pos = from + e.length
		if e.flags&flagSizesFollow != 0 {
			if bytes.HasPrefix(data[pos:], []byte("PK\x07\x08")) {
				pos += 4
			}
			pos += 12
		} else if u32(h, 14) != e.crc || int(u32(h, 18)) != e.length || int(u32(h, 22)) != e.size {
			return false, zipErr("with a file that its directory calls otherwise")
		}
	}
	if pos > len(data) {
		return false, zipErr("with a file that is cut off")
	}
	return gaps || pos < len(data), nil
}

// directory reports whether the entry is a folder, which needs none.
func (e zipEntry) directory() bool { return strings.HasSuffix(e.name, "/") }

// content unpacks a file. It takes no more memory than the directory says, of which readZip limits the sum.
func (e zipEntry) content() ([]byte, error) {
	out := e.packed
	if e.method == zip.Deflate {
		if e.size/1100 > len(e.packed) { // deflate packs 1032 to 1 at best
			return nil, zipErr("with a file that cannot be so large")
		}
		source := bytes.NewReader(e.packed)
		r := flate.NewReader(source)
		out = make([]byte, e.size)
		if _, err := io.ReadFull(r, out); err != nil {
			return nil, zipErr("with a damaged file %s", e.name)
		}
		if n, err := r.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) || source.Len() > 0 {
			return nil, zipErr("with a damaged file %s", e.name)
		}
	}
	if len(out) != e.size || crc32.ChecksumIEEE(out) != e.crc {
		return nil, zipErr("with a damaged file %s", e.name)
	}
	return out, nil
}

// packed returns content as an entry. What holds a picture does not get smaller, and is stored.
func packed(name string, content []byte) (zipEntry, error) {
	e := zipEntry{name: name, method: zip.Store, crc: crc32.ChecksumIEEE(content), size: len(content), packed: content}
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		e.flags = flagUTF8
	}
	if path.Ext(name) != ".xml" {
		return e, nil
	}
	var b bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	if _, err := w.Write(content); err != nil {
		return zipEntry{}, err
	}
	if err := w.Close(); err != nil {
		return zipEntry{}, err
	}
	e.method, e.packed = zip.Deflate, b.Bytes()
	return e, nil
}

// deflaters are kept: each holds most of a megabyte.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic("seal: " + err.Error()) // the level is a constant that flate knows
	}
	return w
}}

// writeZip writes a container without times of day, so that the same files give the same bytes.
func writeZip(entries []zipEntry) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		file, err := w.CreateRaw(&zip.FileHeader{
			Name: e.name, Method: e.method, CRC32: e.crc, CompressedSize64: uint64(len(e.packed)), UncompressedSize64: uint64(e.size),
			Flags: e.flags & flagUTF8,
		})
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(e.packed); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
