package render

import (
	"encoding/binary"
	"errors"
)

// point is a corner or control point of an outline, in font units.
type point struct {
	x, y float64
	on   bool
}

// simple decodes an outline that has no parts (ISO/IEC 14496-22, glyf, simple glyph description).
func simple(data []byte) ([][]point, error) {
	bad := errors.New("轮廓数据不完整")
	count, at := signed16(data), 10
	if count == 0 {
		return nil, nil
	}
	if len(data) < at+2*count+2 {
		return nil, bad
	}
	ends := make([]int, count)
	points := 0
	for i := range ends {
		ends[i] = int(binary.BigEndian.Uint16(data[at:]))
		at += 2
		if ends[i] < points {
			return nil, bad
		}
		points = ends[i] + 1
	}
	at += 2 + int(binary.BigEndian.Uint16(data[at:])) // instructions
	flags := make([]byte, 0, points)
	for len(flags) < points {
		if at >= len(data) {
			return nil, bad
		}
		flag, repeat := data[at], 0
		at++
		if flag&flagRepeat != 0 {
			if at >= len(data) {
				return nil, bad
			}
			repeat = int(data[at])
			at++
		}
		for ; repeat >= 0 && len(flags) < points; repeat-- {
			flags = append(flags, flag)
		}
	}
	xs, at, ok := coordinates(data, at, flags, flagShortX, flagSameX)
	if !ok {
		return nil, bad
	}
	ys, _, ok := coordinates(data, at, flags, flagShortY, flagSameY)
	if !ok {
		return nil, bad
	}
	out := make([][]point, count)
	first := 0
	for c, end := range ends {
		for i := first; i <= end; i++ {
			out[c] = append(out[c], point{x: float64(xs[i]), y: float64(ys[i]), on: flags[i]&flagOnCurve != 0})
		}
		first = end + 1
	}
	return out, nil
}

const (
	flagOnCurve = 1 << iota
	flagShortX
	flagShortY
	flagRepeat
	flagSameX // or, with flagShortX, positive
	flagSameY
)

// coordinates decodes one axis of an outline from data[at:], and returns where it ends.
func coordinates(data []byte, at int, flags []byte, short, same byte) (values []int, end int, ok bool) {
	values = make([]int, len(flags))
	v := 0
	for i, flag := range flags {
		switch {
		case flag&short != 0:
			if at >= len(data) {
				return nil, at, false
			}
			if flag&same != 0 {
				v += int(data[at])
			} else {
				v -= int(data[at])
			}
			at++
		case flag&same == 0:
			if at+2 > len(data) {
				return nil, at, false
			}
			v += signed16(data[at:])
			at += 2
		}
		values[i] = v
	}
	return values, at, true
}

// pathSink takes an outline as cubic curves.
type pathSink interface {
	moveTo(x, y float64)
	lineTo(x, y float64)
	curveTo(x1, y1, x2, y2, x, y float64)
	closePath()
}

// trace draws contours into a sink. Between two control points a corner is implied halfway.
func trace(contours [][]point, to pathSink) {
	for _, c := range contours {
		if len(c) == 0 {
			continue
		}
		at := func(i int) point { return c[i%len(c)] }
		start, first := at(0), 1
		if !start.on {
			if last := at(len(c) - 1); last.on {
				start, first = last, 0
			} else {
				start, first = middle(start, last), 0
			}
		}
		to.moveTo(start.x, start.y)
		pen := start
		for i := first; i < first+len(c); i++ {
			p := at(i)
			if p.on {
				if p.x != pen.x || p.y != pen.y {
					to.lineTo(p.x, p.y)
				}
				pen = p
				continue
			}
			end := at(i + 1)
			switch {
			case i+1 >= first+len(c):
				end = start
			case end.on:
				i++
			default:
				end = middle(p, end)
			}
			to.curveTo(pen.x+2*(p.x-pen.x)/3, pen.y+2*(p.y-pen.y)/3, end.x+2*(p.x-end.x)/3, end.y+2*(p.y-end.y)/3, end.x, end.y)
			pen = end
		}
		to.closePath()
	}
}

func middle(a, b point) point { return point{(a.x + b.x) / 2, (a.y + b.y) / 2, true} }
