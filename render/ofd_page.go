package render

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// micron is a length in OFD files, which count in millimetres: a thousandth of one.
type micron int64

const micronsInPoint = 25400.0 / 72

// microns rounds a length in points.
func microns(points float64) micron { return micron(math.Round(points * micronsInPoint)) }

func (v micron) String() string { return string(v.append(nil)) }

func (v micron) append(b []byte) []byte { return appendFixed(b, int64(v), 1000) }

// ofdBox is a rectangle in microns; x and y are its upper left corner.
type ofdBox struct{ x, y, w, h micron }

// microns is the smallest such box that holds this one.
func (b box) microns() ofdBox {
	x, y := math.Floor(b.x*micronsInPoint), math.Floor(b.y*micronsInPoint)
	right, bottom := math.Ceil((b.x+b.w)*micronsInPoint), math.Ceil((b.y+b.h)*micronsInPoint)
	return ofdBox{micron(x), micron(y), micron(right - x), micron(bottom - y)}
}

// within is what two boxes share; of nothing, width or height is not above 0.
func (b ofdBox) within(other ofdBox) ofdBox {
	x, y := max(b.x, other.x), max(b.y, other.y)
	return ofdBox{x, y, min(b.x+b.w, other.x+other.w) - x, min(b.y+b.h, other.y+other.h) - y}
}

func (b ofdBox) String() string { return fmt.Sprintf("%s %s %s %s", b.x, b.y, b.w, b.h) }

// ofdPainter paints a drawing as the pages and resources of an OFD document. What it draws is numbered in the order of
// drawing, resources before what uses them.
type ofdPainter struct {
	last     int // identifier given
	fonts    *usedFonts
	fontIDs  []int          // of the fonts
	named    map[any]int    // identifiers of *photo and *shape
	placed   map[*shape]int // on this page: the last identifier when it was
	pictures []ofdPart
	// Entries of the resource lists.
	fontList, media, units []byte
}

func (p *ofdPainter) id() int {
	p.last++
	return p.last
}

// page writes the content of a page: one layer. Every object stands in a box, its Boundary, that readers clip it to,
// and counts from that box's upper left corner.
func (p *ofdPainter) page(s *sheet) ([]byte, error) {
	p.placed = map[*shape]int{}
	b := fmt.Appendf(nil, ofdHead+`<ofd:Page %s>%s<ofd:Content><ofd:Layer ID="%d" Type="Body">`, ofdNamespace, ofdArea("Area", s), p.id())
	var err error
	for _, m := range s.marks {
		switch m := m.(type) {
		case *textMark:
			b, err = p.text(b, m)
		case *figureMark:
			edge := m.bounds().microns()
			b = p.path(b, m, 1, edge, m.abbreviated(1, edge))
		case *pictureMark:
			b, err = p.picture(b, m)
		case *placeMark:
			b = p.place(b, m)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(b, "</ofd:Layer></ofd:Content></ofd:Page>"...), nil
}

func (p *ofdPainter) picture(b []byte, m *pictureMark) ([]byte, error) {
	id, ok := p.named[m.photo]
	if !ok {
		id = p.id()
		p.named[m.photo] = id
		name, format := fmt.Sprintf("Image_%d.png", id), "PNG"
		if m.photo.jpeg {
			name, format = fmt.Sprintf("Image_%d.jpg", id), "JPEG"
		}
		p.pictures = append(p.pictures, ofdPart{"Doc_0/Res/" + name, m.photo.file})
		p.media = fmt.Appendf(p.media, `<ofd:MultiMedia ID="%d" Type="Image" Format="%s"><ofd:MediaFile>%s</ofd:MediaFile></ofd:MultiMedia>`,
			id, format, name)
	}
	// A picture is a square with sides of 1, which CTM stretches.
	w, h := microns(m.w), microns(m.h)
	return fmt.Appendf(b, `<ofd:ImageObject ID="%d" Boundary="%s" CTM="%s 0 0 %s 0 0" ResourceID="%d"/>`,
		p.id(), ofdBox{microns(m.x), microns(m.y), w, h}, w, h, id), nil
}

// place writes a shape, which is a resource and drawn into its own box from 0, 0 on.
//
// A shape that returns to a page after something else was drawn becomes a resource again. The standard does not ask for that, but
// readers built on ofd.js draw by identifiers, those inside resources too: the ground of a second card would hide its watermark.
func (p *ofdPainter) place(b []byte, m *placeMark) []byte {
	unit := m.shape.ofdUnit()
	// The box's corners on the page, the first of them where its 0, 0 goes.
	at := matrix{m.at.a / unit.zoom, m.at.b / unit.zoom, m.at.c / unit.zoom, m.at.d / unit.zoom, m.at.e * micronsInPoint, m.at.f * micronsInPoint}
	from := box{float64(unit.edge.x), float64(unit.edge.y), float64(unit.edge.w), float64(unit.edge.h)}
	x, y := at.apply(from.x, from.y)
	all := box{x, y, 0, 0}
	for _, corner := range [][2]float64{{from.w, 0}, {0, from.h}, {from.w, from.h}} {
		x, y := at.apply(from.x+corner[0], from.y+corner[1])
		all = all.around(box{x, y, 0, 0})
	}
	left, top := micron(math.Floor(all.x)), micron(math.Floor(all.y))
	onPage := ofdBox{left, top, micron(math.Ceil(all.x+all.w)) - left, micron(math.Ceil(all.y+all.h)) - top}
	if m.clip.w > 0 {
		onPage = onPage.within(m.clip.microns())
	}
	if onPage.w <= 0 || onPage.h <= 0 {
		return b
	}
	id, ok := p.named[m.shape]
	if last, here := p.placed[m.shape]; here && last != p.last {
		ok = false
	}
	if !ok {
		id = p.id()
		p.named[m.shape] = id
		p.units = fmt.Appendf(p.units, `<ofd:CompositeGraphicUnit ID="%d" Width="%s" Height="%s"><ofd:Content>`, id, unit.edge.w, unit.edge.h)
		for i, path := range unit.paths {
			p.units = p.path(p.units, m.shape.marks[i], unit.zoom, ofdBox{0, 0, unit.edge.w, unit.edge.h}, path)
		}
		p.units = append(p.units, "</ofd:Content></ofd:CompositeGraphicUnit>"...)
	}
	b = fmt.Appendf(b, `<ofd:CompositeObject ID="%d" Boundary="%s" CTM="`, p.id(), onPage)
	for _, v := range []float64{at.a, at.b, at.c, at.d} {
		b = append(appendFixed(b, int64(math.Round(v*1e6)), 1e6), ' ')
	}
	p.placed[m.shape] = p.last
	return fmt.Appendf(b, `%s %s" ResourceID="%d"/>`, micron(math.Round(x))-onPage.x, micron(math.Round(y))-onPage.y, id)
}

// ofdUnit is a shape as a resource.
type ofdUnit struct {
	zoom  float64  // how much larger or smaller it is there
	edge  ofdBox   // round it, zoomed
	paths [][]byte // of its figures
}

// ofdUnit is made once in a shape's life. As a resource, the shape's longer side has 50 to 500 mm, however it is placed: paths have
// steps of a hundredth, and readers may think of the resource as of a picture. A shape of whole numbers keeps their digits.
func (s *shape) ofdUnit() *ofdUnit {
	s.cache.ofdOnce.Do(func() {
		u, all := &s.cache.ofd, s.bounds()
		side := max(all.w, all.h)
		u.zoom = 1000 / micronsInPoint // a point becomes a millimetre
		for k := 0; k < 4 && side > 0 && side < 50; k++ {
			u.zoom, side = u.zoom*10, side*10
		}
		for side >= 500 {
			u.zoom, side = u.zoom/10, side/10
		}
		u.edge = box{all.x * u.zoom, all.y * u.zoom, all.w * u.zoom, all.h * u.zoom}.microns()
		for _, m := range s.marks {
			u.paths = append(u.paths, m.abbreviated(u.zoom, u.edge))
		}
	})
	return &s.cache.ofd
}

// abbreviated writes a figure, zoomed, as AbbreviatedData counted from the corner of a box. It keeps hundredths of a millimetre:
// 2,540 to the inch.
func (m *figureMark) abbreviated(zoom float64, edge ofdBox) []byte {
	var b []byte
	hundredth := func(b []byte, v float64, from micron) []byte {
		return appendFixed(append(b, ' '), int64(math.Round((v*zoom*micronsInPoint-float64(from))/10)), 100)
	}
	points := m.figure.points
	for _, operator := range m.figure.operators {
		n := operands(operator)
		b = append(b, "MLBC"[strings.IndexByte("mlch", operator)])
		for i := 0; i < n; i += 2 {
			b = hundredth(hundredth(b, points[i], edge.x), points[i+1], edge.y)
		}
		b, points = append(b, ' '), points[n:]
	}
	return bytes.TrimSuffix(b, []byte(" "))
}

// path writes a figure, zoomed, whose AbbreviatedData are at hand.
func (p *ofdPainter) path(b []byte, m *figureMark, zoom float64, edge ofdBox, data []byte) []byte {
	if len(data) == 0 {
		return b
	}
	b = fmt.Appendf(b, `<ofd:PathObject ID="%d" Boundary="%s"`, p.id(), edge)
	if m.width == 0 {
		b = append(b, ` Stroke="false" Fill="true">`...)
		b = appendColour(b, "FillColor", m.ink)
	} else {
		b = fmt.Appendf(b, ` LineWidth="%s">`, microns(m.width*zoom))
		b = appendColour(b, "StrokeColor", m.ink)
	}
	b = append(append(b, "<ofd:AbbreviatedData>"...), data...)
	return append(b, "</ofd:AbbreviatedData></ofd:PathObject>"...)
}

func appendColour(b []byte, element string, ink colour) []byte {
	b = append(append(append(b, "<ofd:"...), element...), ` Value="`...)
	b = append(strconv.AppendUint(b, uint64(ink>>16&0xff), 10), ' ')
	b = append(strconv.AppendUint(b, uint64(ink>>8&0xff), 10), ' ')
	return append(strconv.AppendUint(b, uint64(ink&0xff), 10), `"/>`...)
}

// appendEscaped writes a text as XML character data.
func appendEscaped(b []byte, text string) []byte {
	escaped := bytes.NewBuffer(b)
	xml.EscapeText(escaped, []byte(text)) // a bytes.Buffer does not fail
	return escaped.Bytes()
}
