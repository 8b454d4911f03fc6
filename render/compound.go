package render

import (
	"encoding/binary"
	"errors"
	"math"
)

// contours decodes a glyph's outline, parts of a composite glyph included; none for a blank.
func (f *font) contours(id uint16) ([][]point, error) {
	left := maxParts
	out, err := f.outline(id, &left)
	if err != nil && !errors.Is(err, errFont) {
		err = f.fault(err)
	}
	return out, err
}

// maxParts bounds the parts of a glyph, and of its parts: a font may nest them without end.
const maxParts = 256

func (f *font) outline(id uint16, left *int) ([][]point, error) {
	data, err := f.description(id)
	switch {
	case err != nil || len(data) == 0:
		return nil, err
	case signed16(data) < 0:
		return f.parts(data[10:], left)
	}
	return simple(data)
}

// Flags of a part (ISO/IEC 14496-22, glyf, composite glyph description).
const (
	partWords        = 0x1 // two bytes for each distance
	partDistances    = 0x2 // else they are numbers of points to lay upon one another
	partScale        = 0x8
	partMore         = 0x20
	partTwoScales    = 0x40
	partMatrix       = 0x80
	partScaledOffset = 0x800
)

// parts puts the outline of a composite glyph together.
func (f *font) parts(data []byte, left *int) ([][]point, error) {
	bad := errors.New("复合字形不完整")
	var out [][]point
	for more := true; more; {
		if *left--; *left < 0 {
			return nil, errors.New("复合字形的部件过多")
		}
		if len(data) < 4 {
			return nil, bad
		}
		flags, id := binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
		data, more = data[4:], flags&partMore != 0
		need := 2
		if flags&partWords != 0 {
			need = 4
		}
		matrix := 0
		switch {
		case flags&partScale != 0:
			matrix = 2
		case flags&partTwoScales != 0:
			matrix = 4
		case flags&partMatrix != 0:
			matrix = 8
		}
		switch {
		case len(data) < need+matrix || int(id) >= f.glyphs:
			return nil, bad
		case flags&partDistances == 0:
			return nil, errors.New("复合字形按点对齐部件，不支持")
		}
		dx, dy := float64(int8(data[0])), float64(int8(data[1]))
		if flags&partWords != 0 {
			dx, dy = float64(signed16(data)), float64(signed16(data[2:]))
		}
		a, b, c, d := transform(data[need : need+matrix])
		if flags&partScaledOffset != 0 {
			dx, dy = dx*math.Hypot(a, b), dy*math.Hypot(c, d)
		}
		data = data[need+matrix:]
		part, err := f.outline(id, left)
		if err != nil {
			return nil, err
		}
		for _, contour := range part {
			moved := make([]point, len(contour))
			for i, p := range contour {
				moved[i] = point{math.Round(a*p.x + c*p.y + dx), math.Round(b*p.x + d*p.y + dy), p.on}
			}
			out = append(out, moved)
		}
	}
	return out, nil
}

// transform reads a part's matrix of 2.14 numbers.
func transform(data []byte) (a, b, c, d float64) {
	at := func(i int) float64 { return float64(signed16(data[2*i:])) / (1 << 14) }
	switch len(data) {
	case 2:
		return at(0), 0, 0, at(0)
	case 4:
		return at(0), 0, 0, at(1)
	case 8:
		return at(0), at(1), at(2), at(3)
	}
	return 1, 0, 0, 1
}

// outlineData returns a glyph as a simple description without instructions, which are nothing without the tables that
// they call; empty for a blank. What tools/fonts makes is so already.
func (f *font) outlineData(id uint16) ([]byte, error) {
	data, err := f.description(id)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	count := signed16(data)
	if at := 10 + 2*count; count > 0 && at+2 <= len(data) && binary.BigEndian.Uint16(data[at:]) == 0 {
		return data, nil
	}
	contours, err := f.contours(id)
	if err != nil {
		return nil, err
	}
	encoded, err := describe(contours)
	if err != nil {
		return nil, f.fault(err)
	}
	return encoded, nil
}

var errFar = errors.New("轮廓超出字体坐标范围")

// describe encodes an outline as a simple glyph description.
func describe(contours [][]point) ([]byte, error) {
	var ends, flags, xs, ys []byte
	box := [4]float64{math.MaxInt16, math.MaxInt16, math.MinInt16, math.MinInt16}
	lastX, lastY := 0.0, 0.0
	for _, contour := range contours {
		for _, p := range contour {
			box = [4]float64{min(box[0], p.x), min(box[1], p.y), max(box[2], p.x), max(box[3], p.y)}
			flag := byte(0)
			if p.on {
				flag = flagOnCurve
			}
			dx, dy := p.x-lastX, p.y-lastY
			if math.Abs(dx) > math.MaxInt16 || math.Abs(dy) > math.MaxInt16 {
				return nil, errFar
			}
			xs, flag = coordinate(xs, flag, int(dx), flagShortX, flagSameX)
			ys, flag = coordinate(ys, flag, int(dy), flagShortY, flagSameY)
			flags = append(flags, flag)
			lastX, lastY = p.x, p.y
		}
		if len(flags) > math.MaxUint16 {
			return nil, errors.New("轮廓的点过多")
		}
		if len(contour) > 0 {
			ends = binary.BigEndian.AppendUint16(ends, uint16(len(flags)-1))
		}
	}
	if len(ends) == 0 {
		return nil, nil
	}
	if box[0] < math.MinInt16 || box[1] < math.MinInt16 || box[2] > math.MaxInt16 || box[3] > math.MaxInt16 {
		return nil, errFar
	}
	out := appendUint16s(nil, len(ends)/2, int(box[0]), int(box[1]), int(box[2]), int(box[3]))
	out = append(append(out, ends...), 0, 0) // no instructions
	return append(append(append(out, flags...), xs...), ys...), nil
}

// coordinate encodes one axis of a step from point to point.
func coordinate(out []byte, flag byte, step int, short, same byte) ([]byte, byte) {
	switch {
	case step == 0:
		return out, flag | same
	case step > 0 && step < 256:
		return append(out, byte(step)), flag | short | same
	case step < 0 && step > -256:
		return append(out, byte(-step)), flag | short
	}
	return binary.BigEndian.AppendUint16(out, uint16(step)), flag
}

// fit says why a font cannot serve: not everything that PDF and pages need of it is there, or a glyph is broken.
func (f *font) fit() error {
	if len(f.os2) < 78 {
		return f.fault(errTable("OS/2"))
	}
	// fsType (ISO/IEC 14496-22, OS/2): restricted licence without a milder right, no subsetting, bitmaps only.
	if kind := binary.BigEndian.Uint16(f.os2[8:]); kind&0xf == 2 || kind&0x300 != 0 {
		return f.fault(errors.New("字体的授权标记（fsType）不允许嵌入或取子集"))
	}
	empty := true
	for _, id := range f.all() {
		empty = false
		if _, err := f.outlineData(id); err != nil {
			return err
		}
		if _, err := f.contours(id); err != nil {
			return err
		}
	}
	if _, err := f.outlineData(0); err != nil {
		return err
	}
	if empty {
		return f.fault(errors.New("没有任何字符"))
	}
	return nil
}
