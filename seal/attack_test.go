package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"licgate/beijing"
)

// An insider has a seal of the same authority, and signs what he likes with it. He must not get his changes under another's seal.

// insider adds his ordinary signature to a file that was sealed, in an update that he changes before he signs. ranges makes the
// byte range; nil: the right one.
func insider(t *testing.T, a *Authority, pdf []byte, change func(update []byte) []byte, ranges func(field pdfField, hole, size int) string) []byte {
	t.Helper()
	f, err := readPDF(pdf)
	if err != nil {
		t.Fatal(err)
	}
	other, err := a.Seal(t.Context(), Spec{Code: "OTHER", Name: "别的局", Picture: stampPicture(t, 64)})
	if err != nil {
		t.Fatal(err)
	}
	page, _, err := f.page(0)
	if err != nil {
		t.Fatal(err)
	}
	field := pdfField{
		filter: filterCMS, subFilter: subFilterCMS, title: textString("X"), by: textString("别的局"), at: beijing.Format(noon, pdfTime),
		page: page, rect: "[0 0 0 0]", room: 3000,
	}
	out, hole, err := field.update(f)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		out = append(bytes.Clone(pdf), change(out[len(pdf):])...)
		hole = bytes.LastIndex(out, []byte("/Contents <000")) + len("/Contents <")
	}
	if ranges == nil {
		ranges = func(f pdfField, hole, size int) string { return byteRange(hole-1, hole+2*f.room+1, size) }
	}
	at := bytes.LastIndex(out, []byte("/ByteRange ")) + len("/ByteRange ")
	copy(out[at:], ranges(field, hole, len(out)))
	if f, err = readPDF(out); err != nil {
		t.Fatal(err)
	}
	all, err := f.signatures()
	if err != nil {
		t.Fatal(err)
	}
	s := all[len(all)-1]
	digest := P256SHA256.digest(out[:s.before], out[min(s.after, s.end):s.end])
	value, err := signCMS(a.random, other.p256, oidData, nil, digest, func(value []byte) (cmsAttribute, error) {
		token, err := a.builtIn.Stamp(t.Context(), P256SHA256, P256SHA256.digest(value))
		return rawAttribute(oidTimeStampToken, token), err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(out, hole, field.room, value); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInsiderChangesAPDF(t *testing.T) {
	t.Parallel()
	a := open(t)
	sealed := signedPDF(t, a)
	fair := insider(t, a, sealed, nil, nil)
	if r := verified(t, fair, a.Roots()); !r.Good() || len(r.Signatures) != 3 || r.Signatures[2].Name != "别的局" {
		t.Fatalf("a further signature: %+v", r)
	}
	in := func(old, replacement string) func([]byte) []byte {
		return func(update []byte) []byte {
			if !bytes.Contains(update, []byte(old)) {
				t.Fatalf("the update has no %q", old)
			}
			return bytes.Replace(update, []byte(old), []byte(replacement), 1)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"another content, of the same length": in("/Contents 11 0 R", "/Contents 10 0 R"),
		"a look that is not empty":            in("/Length 0 >>\nstream\n\n", "/Length 1>>\nstream\nf\n"),
		"a box with a look":                   in("/BBox [0 0 0 0]", "/BBox [0 0 9 9]"),
		"another action":                      in("/Lang (zh-CN)", "/Lang (zh-TW)"),
		"a widget that is hidden":             in("/F 132", "/F 130"),
		"another title":                       in("<FEFF0058>", "(\\130    )"),
		"a comment":                           in("\nstartxref", "\n%x\nstartxref"),
	} {
		r := verified(t, insider(t, a, sealed, change, nil), a.Roots())
		if r.Whole || len(r.Alterations) != 1 || r.Alterations[0].What != Updated {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestInsiderLeavesSomethingOut: a signature over less than the file is none.
func TestInsiderLeavesSomethingOut(t *testing.T) {
	t.Parallel()
	a := open(t)
	sealed := signedPDF(t, a)
	for name, c := range map[string]struct {
		ranges func(f pdfField, hole, size int) string
		want   []Fault
	}{
		"something before the value": {func(f pdfField, hole, size int) string { return byteRange(hole-20, hole+2*f.room+1, size) }, []Fault{FaultFormat}},
		"something behind the value": {func(f pdfField, hole, size int) string { return byteRange(hole-1, hole+2*f.room+9, size) }, []Fault{FaultFormat}},
		"the end":                    {func(f pdfField, hole, size int) string { return byteRange(hole-1, hole+2*f.room+1, size-9) }, nil},
	} {
		r := verified(t, insider(t, a, sealed, nil, c.ranges), a.Roots())
		at := slices.IndexFunc(r.Signatures, func(s Signature) bool { return len(s.Faults) > 0 })
		if r.Whole || (at < 0) != (c.want == nil) || at >= 0 && !slices.Equal(r.Signatures[at].Faults, c.want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestForeignForm: a file with a form that may show anything is not sealed.
func TestForeignForm(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		"<< /NeedAppearances true /Fields [] >>", "<< /Fields [] /SigFlags 3 >>", "<< /SigFlags 3 /Fields [] /XFA 1 >>", "4 0 R", "[]",
	} {
		catalog := pdfDict{{key: "Type", value: []byte("/Catalog")}, {key: "AcroForm", value: []byte(form)}}
		if _, err := withField(catalog, 9); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", form, err)
		}
	}
	if c, err := withField(pdfDict{}, 9); err != nil || string(c.get("AcroForm")) != "<< /SigFlags 3 /Fields [9 0 R] >>" {
		t.Errorf("%s: %v", c.get("AcroForm"), err)
	}
}

// TestStampBySomebodyElse: a signer of documents is no time-stamp authority.
func TestStampBySomebodyElse(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	forger := &builtIn{random: a.random, now: a.now, keys: [2]Identity{s.sm2, s.p256}}
	b := open(t, func(o *Options) { o.Stampers = [2]Stamper{forger, forger} })
	signed, err := b.SignPDF(t.Context(), licence(t), Signing{Seal: newSeal(t, b)})
	if err != nil {
		t.Fatal(err)
	}
	roots := b.Roots()
	roots.CAs = append(roots.CAs, a.Roots().CAs...)
	for _, s := range verified(t, signed, roots).Signatures {
		if !slices.Equal(s.Faults, []Fault{FaultStamp}) || !s.Stamped.IsZero() {
			t.Errorf("%+v", s)
		}
	}
}

// TestAttachedContent: a message that brings a content of its own says nothing about the file.
func TestAttachedContent(t *testing.T) {
	t.Parallel()
	a := open(t)
	der, err := signCMS(a.random, newSeal(t, a).p256, oidData, document, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseCMS(der)
	if err != nil {
		t.Fatal(err)
	}
	if s := m.judge(P256SHA256.digest(document), noon, a.Roots()); s.Intact || !slices.Equal(s.Faults, []Fault{FaultContent, FaultStamp}) {
		t.Errorf("%+v", s)
	}
}

// TestGapInAZip: bytes between two files are told.
func TestGapInAZip(t *testing.T) {
	t.Parallel()
	a := open(t)
	signed := signedOFD(t, a)
	second := bytes.Index(signed[4:], []byte("PK\x03\x04")) + 4
	const gap = "hidden"
	out := slices.Concat(signed[:second], []byte(gap), signed[second:])
	end := bytes.LastIndex(out, []byte("PK\x05\x06"))
	start := binary.LittleEndian.Uint32(out[end+16:]) + uint32(len(gap))
	binary.LittleEndian.PutUint32(out[end+16:], start)
	for at := int(start); at < end; { // the directory's entries behind the gap
		if offset := binary.LittleEndian.Uint32(out[at+42:]); offset > 0 {
			binary.LittleEndian.PutUint32(out[at+42:], offset+uint32(len(gap)))
		}
		at += 46 + int(u16(out, at+28)) + int(u16(out, at+30)) + int(u16(out, at+32))
	}
	if r := verified(t, out, a.Roots()); r.Whole || !slices.Equal(r.Alterations, []Alteration{{What: Hidden}}) {
		t.Errorf("%+v", r)
	}
}
