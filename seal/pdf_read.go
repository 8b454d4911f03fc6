package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Limits of PDF files.
const (
	maxFile      = 64 << 20 // bytes; of OFD too
	maxObject    = 1 << 20  // bytes of an object that is read
	maxRevisions = 32
	maxTables    = 1000 // sections of cross-reference tables
	maxDepth     = 32
	maxKeys      = 200 // of a dictionary
	maxFields    = 100 // of a form
	maxPages     = 10_000
)

// ErrFormat says that a file is not one that can be judged or sealed here.
var ErrFormat = errors.New("seal: not a usable file")

// pdfFile is a PDF with classical cross-reference tables, as PDF/A-1 wants it. It is read from its end, and no more of it than is asked for.
type pdfFile struct {
	data    []byte
	trailer pdfDict // the newest
	tables  []pdfTable
	start   int // of the newest table
}

// pdfTable is a section of a cross-reference table: count entries of 20 bytes at pos, for the objects from first.
type pdfTable struct{ first, count, pos int }

// pdfDict is a dictionary in the order of the file. Values are what stands there.
type pdfDict []pdfEntry

type pdfEntry struct {
	key   string // without the slash
	value []byte
	pos   int // of the value in the file; set by reading
}

func (d pdfDict) get(key string) []byte {
	for _, e := range d {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// with returns the dictionary with a value in place of the former one, or at the end.
func (d pdfDict) with(key string, value []byte) pdfDict {
	d = slices.Clone(d)
	for i := range d {
		if d[i].key == key {
			d[i].value = value
			return d
		}
	}
	return append(d, pdfEntry{key: key, value: value})
}

func (d pdfDict) appendTo(out []byte) []byte {
	out = append(out, "<<"...)
	for _, e := range d {
		out = append(append(append(append(out, " /"...), e.key...), ' '), e.value...)
	}
	return append(out, " >>"...)
}

func pdfErr(format string, args ...any) error {
	return fmt.Errorf("%w: PDF "+format, append([]any{ErrFormat}, args...)...)
}

// readPDF reads the cross-reference tables.
func readPDF(data []byte) (*pdfFile, error) {
	if len(data) > maxFile {
		return nil, pdfErr("of %d bytes", len(data))
	}
	const tail = 1024 // where readers look for startxref
	from := max(0, len(data)-tail)
	at := bytes.LastIndex(data[from:], []byte("startxref"))
	if !bytes.HasPrefix(data, []byte("%PDF-")) || at < 0 {
		return nil, pdfErr("without head or end")
	}
	s := pdfScanner{data: data, pos: from + at + len("startxref")}
	start, err := s.integer()
	if err != nil {
		return nil, err
	}
	f := &pdfFile{data: data, start: start}
	seen := map[int]bool{}
	for offset := start; ; {
		if seen[offset] || len(seen) == maxRevisions {
			return nil, pdfErr("with too many cross-reference tables")
		}
		seen[offset] = true
		trailer, err := f.readTable(offset)
		if err != nil {
			return nil, err
		}
		if f.trailer == nil {
			f.trailer = trailer
		}
		previous := trailer.get("Prev")
		if previous == nil {
			return f, nil
		}
		if offset, err = strconv.Atoi(string(previous)); err != nil {
			return nil, pdfErr("with a broken chain of tables")
		}
	}
}

// readTable reads the table at offset, older than those already read, and its trailer.
func (f *pdfFile) readTable(offset int) (pdfDict, error) {
	s, err := f.scanner(offset)
	if err != nil {
		return nil, err
	}
	if !s.keyword("xref") {
		return nil, pdfErr("without a classical cross-reference table at %d", offset)
	}
	const entry = 20
	for !s.keyword("trailer") {
		first, err := s.integer()
		if err != nil {
			return nil, err
		}
		count, err := s.integer()
		if err != nil {
			return nil, err
		}
		s.space()
		if count > (len(f.data)-s.pos)/entry || first > 1<<30 || len(f.tables) == maxTables {
			return nil, pdfErr("with a table that is cut off, or too many")
		}
		f.tables = append(f.tables, pdfTable{first, count, s.pos})
		s.pos += count * entry
	}
	trailer, err := s.dict(0)
	if err != nil {
		return nil, err
	}
	if trailer.get("XRefStm") != nil || trailer.get("Encrypt") != nil {
		return nil, pdfErr("that is encrypted or has cross-reference streams")
	}
	return trailer, nil
}

func (f *pdfFile) scanner(offset int) (*pdfScanner, error) {
	if offset < 0 || offset >= len(f.data) {
		return nil, pdfErr("with an offset of %d", offset)
	}
	return &pdfScanner{data: f.data, pos: offset}, nil
}

// object returns where the value of an object begins.
func (f *pdfFile) object(number int) (*pdfScanner, error) {
	for _, t := range f.tables {
		if number < t.first || number-t.first >= t.count {
			continue
		}
		entry := f.data[t.pos+20*(number-t.first):][:20]
		if entry[17] != 'n' || string(entry[10:17]) != " 00000 " {
			return nil, pdfErr("without object %d", number)
		}
		offset, err := strconv.ParseUint(string(entry[:10]), 10, 40)
		if err != nil {
			return nil, pdfErr("with a broken table")
		}
		s, err := f.scanner(int(offset))
		if err != nil {
			return nil, err
		}
		s.data = s.data[:min(len(s.data), s.pos+maxObject)]
		if n, err := s.integer(); err != nil || n != number {
			return nil, pdfErr("with something else for object %d", number)
		}
		if g, err := s.integer(); err != nil || g != 0 || !s.keyword("obj") {
			return nil, pdfErr("with something else for object %d", number)
		}
		return s, nil
	}
	return nil, pdfErr("without object %d", number)
}

// dict returns the dictionary that value is or refers to, and the object's number; 0: it is direct.
func (f *pdfFile) dict(value []byte) (pdfDict, int, error) {
	number, ok := reference(value)
	if !ok {
		s := pdfScanner{data: value}
		d, err := s.dict(0)
		return d, 0, err
	}
	s, err := f.object(number)
	if err != nil {
		return nil, 0, err
	}
	d, err := s.dict(0)
	return d, number, err
}

// page finds the object of a page, counted from 0, and the box that it has or inherits.
func (f *pdfFile) page(index int) (number int, box []byte, err error) {
	catalog, _, err := f.dict(f.trailer.get("Root"))
	if err != nil {
		return 0, nil, err
	}
	visited := 0
	var walk func(node, inherited []byte, depth int) (bool, error)
	walk = func(node, inherited []byte, depth int) (bool, error) {
		if visited++; depth > maxDepth || visited > maxPages {
			return false, pdfErr("with too many pages")
		}
		d, n, err := f.dict(node)
		if err != nil {
			return false, err
		}
		if own := d.get("MediaBox"); own != nil {
			inherited = own
		}
		switch string(d.get("Type")) {
		case "/Page":
			if index == 0 {
				number, box = n, inherited
			}
			index--
			return index < 0, nil
		case "/Pages":
			kids, err := elements(d.get("Kids"))
			if err != nil {
				return false, err
			}
			for _, kid := range kids {
				if found, err := walk(kid, inherited, depth+1); found || err != nil {
					return found, err
				}
			}
			return false, nil
		}
		return false, pdfErr("with a page that is none")
	}
	found, err := walk(catalog.get("Pages"), nil, 0)
	if err != nil {
		return 0, nil, err
	}
	if !found || number == 0 {
		return 0, nil, pdfErr("without the page asked for")
	}
	return number, box, nil
}

// reference reads "N 0 R".
func reference(value []byte) (number int, ok bool) {
	s := pdfScanner{data: value}
	number, err := s.integer()
	if err != nil {
		return 0, false
	}
	generation, err := s.integer()
	return number, err == nil && generation == 0 && s.keyword("R") && s.end()
}

// elements splits an array.
func elements(value []byte) ([][]byte, error) {
	s := pdfScanner{data: value}
	if !s.keyword("[") {
		return nil, pdfErr("without an array")
	}
	var out [][]byte
	for !s.keyword("]") {
		v, err := s.value(0)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if !s.end() {
		return nil, pdfErr("with a broken array")
	}
	return out, nil
}
