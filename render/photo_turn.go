package render

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
)

// turn is one of the eight ways that a camera may have been held, as Exif counts them (Orientation, tag 0x0112): 1 is upright, from 5 on width and
// height change places.
type turn uint16

const upright turn = 1

// turnOf finds how a JPEG wants to be turned when it is shown. Metadata does not stay with a picture, so what it says of this is done.
func turnOf(file []byte) turn {
	for rest := file[min(2, len(file)):]; len(rest) >= 4 && rest[0] == 0xff; {
		marker, n := rest[1], int(binary.BigEndian.Uint16(rest[2:]))
		if marker == 0xda || n < 2 || 2+n > len(rest) { // the pixels begin, or it is no segment
			break
		}
		if tiff, ok := bytes.CutPrefix(rest[4:2+n], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return turnIn(tiff)
		}
		rest = rest[2+n:]
	}
	return upright
}

// turnIn finds the turn in the first directory of an Exif block (TIFF 6.0).
func turnIn(tiff []byte) turn {
	var order binary.ByteOrder = binary.BigEndian
	if bytes.HasPrefix(tiff, []byte("II")) {
		order = binary.LittleEndian
	}
	if len(tiff) < 8 {
		return upright
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return upright
	}
	const entry = 12 // tag, type, count, value
	entries := tiff[at+2:]
	for n := order.Uint16(tiff[at:]); n > 0 && len(entries) >= entry; n, entries = n-1, entries[entry:] {
		if order.Uint16(entries) != 0x0112 {
			continue
		}
		if t := turn(order.Uint16(entries[8:])); t >= upright && t <= 8 {
			return t
		}
		break
	}
	return upright
}

// of is a picture turned upright, at the origin.
func (t turn) of(picture image.Image) image.Image {
	if t == upright {
		return picture
	}
	b := picture.Bounds()
	w, h := t.bounds(b.Dx(), b.Dy())
	turned, row := image.NewRGBA(image.Rect(0, 0, w, h)), image.NewRGBA(image.Rect(0, 0, b.Dx(), 1))
	for y := range b.Dy() { // row by row: another whole copy would be much memory
		draw.Draw(row, row.Rect, picture, b.Min.Add(image.Pt(0, y)), draw.Src)
		for x := range b.Dx() {
			to := t.place(image.Pt(x, y), b.Size())
			copy(turned.Pix[turned.PixOffset(to.X, to.Y):], row.Pix[4*x:4*x+4])
		}
	}
	return turned
}

// place is where a pixel of a picture of some size comes to stand.
func (t turn) place(p, size image.Point) image.Point {
	switch t { // where the first column is on the right
	case 2, 3, 7, 8:
		p.X = size.X - 1 - p.X
	}
	switch t { // where the first row is below
	case 3, 4, 6, 7:
		p.Y = size.Y - 1 - p.Y
	}
	if t >= 5 {
		p.X, p.Y = p.Y, p.X
	}
	return p
}

// bounds are those that a picture must keep to so that, turned, it keeps to width and height.
func (t turn) bounds(width, height int) (int, int) {
	if t >= 5 {
		return height, width
	}
	return width, height
}
