package seal

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"licgate/beijing"
)

// maxSignatures is how many of a file are judged; one with more is refused.
const maxSignatures = 8

// pdfSignature is a signature as it stands in a PDF.
type pdfSignature struct {
	field         pdfField
	before, after int // the string with the signature is data[before:after]
	end           int // up to which the file is signed
	value         []byte
	broken        bool // it cannot be read, or leaves out more than its own value
}

// verifyPDF judges a PDF. A signature has to leave out nothing but its own value; the last one has to reach the end of the file; and
// between the ends of two there may stand nothing but what SignPDF adds for the second: that update is written again and compared.
func verifyPDF(data []byte, roots Roots) (Report, error) {
	f, err := readPDF(data)
	if err != nil {
		return Report{}, err
	}
	signatures, err := f.signatures()
	if err != nil {
		return Report{}, err
	}
	report := Report{Format: "pdf"}
	if len(signatures) == 0 {
		report.Alterations = []Alteration{{What: Unsigned}}
		return report, nil
	}
	slices.SortStableFunc(signatures, func(a, b pdfSignature) int { return cmp.Compare(a.end, b.end) })
	report.Whole = true
	for i, s := range signatures {
		judged := s.judge(data, roots)
		report.Signatures = append(report.Signatures, judged)
		report.Whole = report.Whole && judged.Intact
		end := len(data)
		what := Appended
		if i+1 < len(signatures) {
			end, what = signatures[i+1].end, Updated
		}
		if what == Appended && s.end == end || what == Updated && signatures[i+1].follows(data, s.end) {
			continue
		}
		report.Whole = false
		report.Alterations = append(report.Alterations, Alteration{What: what, Part: fmt.Sprintf("%d-%d", s.end, end)})
	}
	return report, nil
}

// signatures finds all signatures of the form.
func (f *pdfFile) signatures() ([]pdfSignature, error) {
	catalog, _, err := f.dict(f.trailer.get("Root"))
	if err != nil {
		return nil, err
	}
	value := catalog.get("AcroForm")
	if value == nil {
		return nil, nil
	}
	form, _, err := f.dict(value)
	if err != nil {
		return nil, err
	}
	fields, err := elements(form.get("Fields"))
	if err != nil {
		return nil, err
	}
	if len(fields) > maxFields {
		return nil, pdfErr("with too many fields")
	}
	var found []pdfSignature
	for _, field := range fields {
		widget, _, err := f.dict(field)
		if err != nil {
			return nil, err
		}
		if string(widget.get("FT")) != "/Sig" || widget.get("V") == nil {
			continue
		}
		number, ok := reference(widget.get("V"))
		if !ok || len(found) == maxSignatures {
			return nil, pdfErr("with too many signatures, or one in an unusual place")
		}
		s, err := f.object(number)
		if err != nil {
			return nil, err
		}
		signature, err := s.dict(0)
		if err != nil {
			return nil, err
		}
		found = append(found, f.signature(widget, signature))
	}
	return found, nil
}

// signature reads a signature and its field.
func (f *pdfFile) signature(widget, d pdfDict) (s pdfSignature) {
	name := func(key string) string { return strings.TrimPrefix(string(d.get(key)), "/") }
	s.field = pdfField{
		filter: name("Filter"), subFilter: name("SubFilter"), title: string(widget.get("T")), by: string(d.get("Name")), at: string(d.get("M")),
		rect: string(widget.get("Rect")),
	}
	s.field.page, _ = reference(widget.get("P"))
	s.broken = true
	at := slices.IndexFunc(d, func(e pdfEntry) bool { return e.key == "Contents" })
	if at < 0 {
		return s
	}
	s.before, s.after = d[at].pos, d[at].pos+len(d[at].value)
	s.field.room = len(d[at].value)/2 - 1
	numbers, err := elements(d.get("ByteRange"))
	if err != nil || len(numbers) != 4 {
		return s
	}
	var r [4]int
	for i, n := range numbers {
		if r[i], err = strconv.Atoi(string(n)); err != nil || r[i] < 0 || r[i] > len(f.data) {
			return s
		}
	}
	s.end = r[2] + r[3]
	value := d[at].value
	if r[0] != 0 || r[1] != s.before || r[2] != s.after || s.end > len(f.data) || value[0] != '<' || len(value) > 2*maxSignature {
		s.end = min(s.end, len(f.data))
		return s
	}
	s.value, err = hex.DecodeString(string(value[1 : len(value)-1]))
	s.broken = err != nil
	return s
}

// judge says what is to be said of a signature of the file.
func (s pdfSignature) judge(data []byte, roots Roots) Signature {
	before, after := data[:s.before], data[min(s.after, s.end):s.end]
	signed, err := time.ParseInLocation(pdfTime, s.field.at, beijing.Zone)
	if err == nil {
		signed = signed.UTC()
	}
	switch {
	case s.broken:
	case s.field.subFilter == subFilterSeal:
		if signature, err := parseSealSignature(s.value); err == nil {
			return signature.judge(SM2SM3.digest(before, after), roots)
		}
		return Signature{Kind: KindSeal}.broken(FaultFormat)
	case s.field.subFilter == subFilterCMS || s.field.subFilter == "adbe.pkcs7.detached":
		if m, err := parseCMS(s.value); err == nil {
			return m.judge(m.algorithms.digest(before, after), signed, roots)
		}
		return Signature{Kind: KindCMS, Signed: signed}.broken(FaultFormat)
	}
	return Signature{Signed: signed}.broken(FaultFormat)
}

// follows reports whether the file from end on, up to the signature's own end, is the update that SignPDF writes for it.
func (s pdfSignature) follows(data []byte, end int) bool {
	if s.broken || end >= s.before || !s.field.wellFormed() {
		return false
	}
	f, err := readPDF(data[:end])
	if err != nil {
		return false
	}
	again, hole, err := s.field.update(f)
	if err != nil || hole != s.before+1 || len(again) != s.end {
		return false
	}
	return bytes.Equal(again[end:s.before], data[end:s.before]) && bytes.Equal(again[s.after:], data[s.after:s.end])
}
