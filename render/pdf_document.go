package render

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
)

// ref is the number of an indirect object.
type ref int

func (r ref) String() string { return strconv.Itoa(int(r)) + " 0 R" }

// document collects the objects of a PDF 1.4 file (ISO 19005-1 builds on that version: no object streams).
type document struct{ objects [][]byte }

// reserve takes a number for an object whose content comes later.
func (d *document) reserve() ref {
	d.objects = append(d.objects, nil)
	return ref(len(d.objects))
}

func (d *document) put(r ref, body string) { d.objects[r-1] = []byte(body) }

func (d *document) add(body string) ref {
	r := d.reserve()
	d.put(r, body)
	return r
}

// stream adds a stream; dict holds its entries but Length, and names the filter if data are packed already.
func (d *document) stream(dict string, data []byte) ref {
	r := d.reserve()
	body := make([]byte, 0, len(dict)+len(data)+64)
	body = fmt.Appendf(body, "<< %s /Length %d >>\nstream\n", dict, len(data))
	body = append(body, data...)
	d.objects[r-1] = append(body, "\nendstream"...)
	return r
}

// packed adds a stream compressed with Flate.
func (d *document) packed(dict string, data []byte) (ref, error) {
	small, err := deflated(data, &deflaters)
	if err != nil {
		return 0, err
	}
	return d.stream(dict+" /Filter /FlateDecode", small), nil
}

// deflated compresses with Flate.
func deflated(data []byte, writers *sync.Pool) ([]byte, error) {
	var b bytes.Buffer
	w := writers.Get().(*zlib.Writer)
	defer writers.Put(w)
	w.Reset(&b)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("compress stream: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress stream: %w", err)
	}
	return b.Bytes(), nil
}

// deflaters are kept: each holds most of a megabyte.
//
// The fastest level for what is written once: it takes about a quarter of the CPU off a file and adds 7 % to it (docs/figures.md).
var deflaters, tightDeflaters = pool(zlib.BestSpeed), pool(zlib.BestCompression)

func pool(level int) sync.Pool {
	return sync.Pool{New: func() any {
		w, err := zlib.NewWriterLevel(nil, level)
		if err != nil {
			panic("render: " + err.Error()) // the level is a constant that zlib knows
		}
		return w
	}}
}

// finish writes the file. Its ID is a digest of the objects, so that the same content gives the same bytes.
func (d *document) finish(catalog, info ref) []byte {
	size := 1024
	for _, o := range d.objects {
		size += len(o) + 48
	}
	out := make([]byte, 0, size)
	// The second line tells transfer programs that the file is binary (ISO 19005-1 6.1.2).
	out = append(out, "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"...)
	offsets := make([]int, len(d.objects))
	for i, o := range d.objects {
		offsets[i] = len(out)
		out = fmt.Appendf(out, "%d 0 obj\n", i+1)
		out = append(out, o...)
		out = append(out, "\nendobj\n"...)
	}
	digest := sha256.Sum256(out)
	start := len(out)
	out = fmt.Appendf(out, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, offset := range offsets {
		out = fmt.Appendf(out, "%010d 00000 n \n", offset)
	}
	out = fmt.Appendf(out, "trailer\n<< /Size %d /Root %s /Info %s /ID [<%X> <%X>] >>\nstartxref\n%d\n%%%%EOF\n",
		len(offsets)+1, catalog, info, digest[:16], digest[:16], start)
	return out
}

// textString writes a text as a PDF text string in UTF-16 with byte order mark.
func textString(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	b.WriteByte('>')
	return b.String()
}
