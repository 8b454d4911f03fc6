package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf16"
)

// pdfField is what an update of a PDF that adds one signature says. It and the bytes before determine the bytes of the update:
// Verify writes it again to know that it adds nothing else.
type pdfField struct {
	filter, subFilter string // names without slash
	title             string // of the field: pdf text string
	by, at            string // pdf text string, pdf date in brackets
	page              int    // its object
	rect              string // [x1 y1 x2 y2]
	room              int    // for the signature, in bytes
}

// Filters of the two kinds of signatures.
const (
	filterSeal    = "licgate"
	subFilterSeal = "GM.sm2seal" // SES_Signature over SM3 of the byte ranges, as products for GB/T 38540 have it
	filterCMS     = "Adobe.PPKLite"
	subFilterCMS  = "ETSI.CAdES.detached"
)

// digits is the width of each number in a byte range.
const digits = 10

// update appends the update to pdf, whose structure is f. The signature goes into out[hole:][:2*room], as hexadecimal digits.
// f may end before pdf does.
func (field pdfField) update(f *pdfFile) (out []byte, hole int, err error) {
	root := f.trailer.get("Root")
	catalog, catalogNumber, err := f.dict(root)
	if err != nil {
		return nil, 0, err
	}
	page, pageNumber, err := f.dict(fmt.Appendf(nil, "%d 0 R", field.page))
	if err != nil {
		return nil, 0, err
	}
	size, err := strconv.Atoi(string(f.trailer.get("Size")))
	if err != nil || catalogNumber == 0 || size < 1 || size > 1<<30 || string(page.get("Type")) != "/Page" || string(catalog.get("Type")) != "/Catalog" {
		return nil, 0, pdfErr("with a broken trailer, catalog or page")
	}
	signature, widget, look := size, size+1, size+2
	catalog, err = withField(catalog, widget)
	if err != nil {
		return nil, 0, err
	}
	annots, err := appended(page.get("Annots"), widget)
	if err != nil {
		return nil, 0, err
	}

	out = make([]byte, 0, len(f.data)+2*field.room+4096)
	out = append(out, f.data...)
	offsets := map[int]int{}
	object := func(number int) {
		offsets[number] = len(out)
		out = fmt.Appendf(out, "%d 0 obj\n", number)
	}

	object(signature)
	out = fmt.Appendf(out, "<< /Type /Sig /Filter /%s /SubFilter /%s /Name %s /M %s /ByteRange ", field.filter, field.subFilter, field.by, field.at)
	ranges := len(out)
	out = append(out, bytes.Repeat([]byte{' '}, len("[0   ]")+3*digits)...)
	out = append(out, " /Contents "...)
	hole = len(out) + 1
	out = append(out, '<')
	out = append(out, bytes.Repeat([]byte{'0'}, 2*field.room)...)
	out = append(out, "> >>\nendobj\n"...)

	object(widget)
	// Printed and locked. PDF/A-1 wants every annotation to have its look: an empty one, for the page shows the seal.
	out = fmt.Appendf(out, "<< /Type /Annot /Subtype /Widget /FT /Sig /T %s /V %d 0 R /P %d 0 R /F 132 /Rect %s /AP << /N %d 0 R >> >>\nendobj\n",
		field.title, signature, pageNumber, field.rect, look)
	object(look)
	out = append(out, "<< /Type /XObject /Subtype /Form /BBox [0 0 0 0] /Resources << >> /Length 0 >>\nstream\n\nendstream\nendobj\n"...)
	object(pageNumber)
	out = append(page.with("Annots", annots).appendTo(out), "\nendobj\n"...)
	object(catalogNumber)
	out = append(catalog.appendTo(out), "\nendobj\n"...)

	start := len(out)
	out = append(out, "xref\n"...)
	numbers := []int{signature, widget, look, pageNumber, catalogNumber}
	slices.Sort(numbers)
	for _, number := range slices.Compact(numbers) {
		out = fmt.Appendf(out, "%d 1\n%010d 00000 n \n", number, offsets[number])
	}
	trailer := pdfDict{{key: "Size", value: strconv.AppendInt(nil, int64(size+3), 10)}, {key: "Root", value: root}}
	for _, key := range []string{"Info", "ID"} {
		if value := f.trailer.get(key); value != nil {
			trailer = append(trailer, pdfEntry{key: key, value: value})
		}
	}
	trailer = append(trailer, pdfEntry{key: "Prev", value: strconv.AppendInt(nil, int64(f.start), 10)})
	out = trailer.appendTo(append(out, "trailer\n"...))
	out = fmt.Appendf(out, "\nstartxref\n%d\n%%%%EOF\n", start)

	before, behind := hole-1, hole+2*field.room+1
	copy(out[ranges:], byteRange(before, behind, len(out)))
	return out, hole, nil
}

// byteRange is that of a signature whose string is from before to behind, in a file of so many bytes.
func byteRange(before, behind, size int) string {
	return fmt.Sprintf("[0 %-*d %-*d %-*d]", digits, before, digits, behind, digits, size-behind)
}

// withField returns the catalog with one field more. A form that is not as update makes it is refused.
func withField(catalog pdfDict, widget int) (pdfDict, error) {
	form := pdfDict{{key: "SigFlags", value: []byte("3")}}
	if value := catalog.get("AcroForm"); value != nil {
		var err error
		s := pdfScanner{data: value}
		if form, err = s.dict(0); err != nil {
			return nil, err
		}
		if len(form) != 2 || form[0].key != "SigFlags" || form[1].key != "Fields" {
			return nil, pdfErr("with a form of another maker")
		}
	}
	fields, err := appended(form.get("Fields"), widget)
	if err != nil {
		return nil, err
	}
	return catalog.with("AcroForm", form.with("Fields", fields).appendTo(nil)), nil
}

// appended returns an array of references with one more; nil: there was none.
func appended(array []byte, number int) ([]byte, error) {
	var all [][]byte
	if array != nil {
		var err error
		if all, err = elements(array); err != nil {
			return nil, err
		}
	}
	all = append(all, fmt.Appendf(nil, "%d 0 R", number))
	return slices.Concat([]byte("["), bytes.Join(all, []byte(" ")), []byte("]")), nil
}

// textString is a PDF text string in UTF-16 with byte order mark.
func textString(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return fmt.Sprintf("<FEFF%X>", b)
}

const pdfTime = "(D:20060102150405+08'00')"

// What the members of a pdfField look like, so that nothing else gets into an update that is written again.
var (
	isTextString = regexp.MustCompile(`^<FEFF([0-9A-F]{4}){0,200}>$`)
	isPDFTime    = regexp.MustCompile(`^\(D:[0-9]{14}\+08'00'\)$`)
	isRect       = regexp.MustCompile(`^\[-?[0-9.]{1,9} -?[0-9.]{1,9} -?[0-9.]{1,9} -?[0-9.]{1,9}\]$`)
	isName       = regexp.MustCompile(`^[A-Za-z0-9.]{1,40}$`)
)

// wellFormed reports whether the members are such as SignPDF makes.
func (field pdfField) wellFormed() bool {
	return isName.MatchString(field.filter) && isName.MatchString(field.subFilter) && isTextString.MatchString(field.title) &&
		isTextString.MatchString(field.by) && isPDFTime.MatchString(field.at) && isRect.MatchString(field.rect) && field.room > 0
}

// fill puts a signature into its hole.
func fill(out []byte, hole, room int, signature []byte) error {
	if len(signature) > room {
		return fmt.Errorf("seal: a signature of %d bytes where %d were expected", len(signature), room)
	}
	hex.Encode(out[hole:], signature)
	return nil
}
