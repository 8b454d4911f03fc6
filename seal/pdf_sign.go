package seal

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"licgate/beijing"
)

// Signing is by whom, when and where a file is sealed.
type Signing struct {
	Seal *Seal
	At   time.Time // zero: now
	Page int       // from 0
	Box  Box       // where the seal stands on the page; zero: nowhere
}

// Box is a rectangle on a page in millimetres, from the upper left corner.
type Box struct{ X, Y, Width, Height float64 }

// pointsPerMM is of PDF.
const pointsPerMM = 72 / 25.4

// Room for what external authorities answer, and for what the rest of a signature takes, in bytes.
const (
	roomExternal = 8 << 10
	roomRest     = 640
)

// SignPDF seals a PDF by GB/T 38540 and signs all of that by an ordinary CMS signature, both time-stamped: two updates at the end of
// the file, which leave its bytes as they are and a PDF/A-1b what it is. The box gets a field, but no picture: the page shows the seal.
// The same file, seal, time and randomness give the same bytes. The file must have classical cross-reference tables and no form.
func (a *Authority) SignPDF(ctx context.Context, pdf []byte, s Signing) ([]byte, error) {
	at := a.at(s)
	f, err := readPDF(pdf)
	if err != nil {
		return nil, err
	}
	number, box, err := f.page(s.Page)
	if err != nil {
		return nil, err
	}
	rect, err := s.Box.onPage(box)
	if err != nil {
		return nil, err
	}
	field := pdfField{
		filter: filterSeal, subFilter: subFilterSeal, title: f.title("Seal"), by: textString(s.Seal.name),
		at: beijing.Format(at, pdfTime), page: number, rect: rect,
		room: len(s.Seal.der) + len(s.Seal.sm2.Certificate.DER()) + roomRest + a.stampRoom(SM2SM3),
	}
	sealed, err := field.sign(f, func(ranges string, signed ...[]byte) ([]byte, error) {
		signature, err := a.useSeal(ctx, s.Seal, at, SM2SM3.digest(signed...), "ByteRange="+ranges)
		if err != nil {
			return nil, fmt.Errorf("seal: sealing a PDF: %w", err)
		}
		return signature, nil
	})
	if err != nil {
		return nil, err
	}

	if f, err = readPDF(sealed); err != nil {
		return nil, err
	}
	field.filter, field.subFilter, field.title, field.rect = filterCMS, subFilterCMS, f.title("Signature"), "[0 0 0 0]"
	field.room = len(s.Seal.p256.Certificate.DER()) + roomRest + a.stampRoom(P256SHA256)
	return field.sign(f, func(_ string, signed ...[]byte) ([]byte, error) {
		signature, err := signCMS(a.random, s.Seal.p256, oidData, nil, P256SHA256.digest(signed...), func(value []byte) (cmsAttribute, error) {
			token, err := a.stampers[P256SHA256].Stamp(ctx, P256SHA256, P256SHA256.digest(value))
			return rawAttribute(oidTimeStampToken, token), err
		})
		if err != nil {
			return nil, fmt.Errorf("seal: signing a PDF: %w", err)
		}
		return signature, nil
	})
}

// sign appends the field's update to a file, and puts into its hole what made returns of the byte range and of the bytes in it.
func (field pdfField) sign(f *pdfFile, made func(ranges string, signed ...[]byte) ([]byte, error)) ([]byte, error) {
	out, hole, err := field.update(f)
	if err != nil {
		return nil, err
	}
	before, behind := hole-1, hole+2*field.room+1
	signature, err := made(byteRange(before, behind, len(out)), out[:before], out[behind:])
	if err != nil {
		return nil, err
	}
	return out, fill(out, hole, field.room, signature)
}

// title is a field's name that no other field of the file has.
func (f *pdfFile) title(kind string) string { return textString(kind + string(f.trailer.get("Size"))) }

// at is when something is signed: in whole seconds, as files have it.
func (a *Authority) at(s Signing) time.Time {
	at := s.At
	if at.IsZero() {
		at = a.now()
	}
	return at.UTC().Truncate(time.Second)
}

// stampRoom is how many bytes a time-stamp takes at most.
func (a *Authority) stampRoom(algorithms Algorithms) int {
	if a.stampers[algorithms] == a.builtIn {
		return len(a.builtIn.keys[algorithms].Certificate.DER()) + roomRest
	}
	return roomExternal
}

// onPage returns the box as a PDF has it, on a page whose MediaBox is given.
func (b Box) onPage(mediaBox []byte) (string, error) {
	if b == (Box{}) {
		return "[0 0 0 0]", nil
	}
	corners, err := elements(mediaBox)
	if err != nil || len(corners) != 4 {
		return "", pdfErr("without the size of the page")
	}
	left, err := strconv.ParseFloat(string(corners[0]), 64)
	if err != nil {
		return "", pdfErr("without the size of the page")
	}
	top, err := strconv.ParseFloat(string(corners[3]), 64)
	if err != nil {
		return "", pdfErr("without the size of the page")
	}
	x, y := left+b.X*pointsPerMM, top-b.Y*pointsPerMM
	rect := fmt.Sprintf("[%.2f %.2f %.2f %.2f]", x, y-b.Height*pointsPerMM, x+b.Width*pointsPerMM, y)
	if b.Width < 0 || b.Height < 0 || !isRect.MatchString(rect) {
		return "", fmt.Errorf("seal: a box of %v on the page", b)
	}
	return rect, nil
}
