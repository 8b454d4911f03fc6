package render

import (
	"math"
	"strings"
)

// drawing is a licence as it looks on any device: sheets of marks, drawn in order. Lengths are points (1/72 inch) from
// the upper left corner, y downward. What is composed once is painted as PDF, as SVG in the page, and as whatever else
// takes lines of text, figures and pictures; a painter decides nothing.
type drawing struct {
	fonts  *typesetter
	sheets []*sheet
}

// sheet is one page.
type sheet struct {
	width, height float64
	fonts         *typesetter
	marks         []mark
	seal          *box // where the issuer's seal stands; nil: not here
}

// File is a licence as a finished file.
type File struct {
	Data []byte
	// Seal is where the issuer's seal stands; nil: nowhere.
	Seal *SealPlace
}

// SealPlace is a square on a page in millimetres, from the upper left corner.
type SealPlace struct {
	Page       int // from 0
	X, Y, Size float64
}

// file is the finished file of a drawing.
func (d *drawing) file(data []byte) *File {
	const mm = 25.4 / 72
	f := &File{Data: data}
	for i, s := range d.sheets {
		if s.seal != nil && f.Seal == nil {
			f.Seal = &SealPlace{i, s.seal.x * mm, s.seal.y * mm, s.seal.w * mm}
		}
	}
	return f
}

// mark is one of *textMark, *figureMark, *pictureMark, *placeMark. Painters switch over these.
type mark interface{ isMark() }

// textMark is one line of text, its baseline beginning at x, y. It holds only characters that some font draws.
type textMark struct {
	x, y, size float64
	ink        colour
	bold       bool
	spacing    float64 // points between characters
	vertical   bool    // characters stand one below the other, x their common left edge
	width      float64 // points from the first character's edge to the last one's; of vertical text: its height
	text       string
	note       string // what a reader is told who asks about this text; ""
}

// figureMark is a figure filled with ink, or stroked when width, in points, is not 0. Insides are told by the nonzero rule.
type figureMark struct {
	figure *figure
	ink    colour
	width  float64
}

// pictureMark is a picture stretched over a box.
type pictureMark struct {
	x, y, w, h float64
	photo      *photo
	about      string // for who does not see it
}

// placeMark is a shape set somewhere.
type placeMark struct {
	shape *shape
	at    matrix
	clip  box // what lies outside is not drawn; of no width: all is
}

func (*textMark) isMark()    {}
func (*figureMark) isMark()  {}
func (*pictureMark) isMark() {}
func (*placeMark) isMark()   {}

// shape is figures drawn as one thing: made once, placed often, never changed afterwards. It bears no text: letters in it
// are outlines, neither extracted nor read aloud.
type shape struct {
	marks []*figureMark
	kept  bool // lives as long as the program: worth the work of packing it small
	cache shapeCache
}

// matrix maps x, y to a·x + c·y + e, b·x + d·y + f.
type matrix struct{ a, b, c, d, e, f float64 }

// turned is a turn counter-clockwise, as one sees it, by an angle in radians round the origin, which goes to x, y.
func turned(angle, x, y float64) matrix {
	sin, cos := math.Sincos(angle)
	return matrix{cos, -sin, sin, cos, x, y}
}

func (m matrix) apply(x, y float64) (float64, float64) {
	return m.a*x + m.c*y + m.e, m.b*x + m.d*y + m.f
}

// colour in sRGB, 0xRRGGBB.
type colour uint32

// mixed is the colour with a share of another, 0 to 1, in it.
func (c colour) mixed(other colour, share float64) colour {
	var out colour
	for shift := 0; shift < 24; shift += 8 {
		a, b := float64(c>>shift&0xff), float64(other>>shift&0xff)
		out |= colour(math.Round(a+(b-a)*share)) << shift
	}
	return out
}

// figure is straight lines and cubic curves: an operator m, l, c or h, and the points it takes.
type figure struct {
	operators []byte
	points    []float64 // x, y
}

func (p *figure) moveTo(x, y float64) { p.add('m', x, y) }
func (p *figure) lineTo(x, y float64) { p.add('l', x, y) }
func (p *figure) closePath()          { p.add('h') }
func (p *figure) curveTo(x1, y1, x2, y2, x, y float64) {
	p.add('c', x1, y1, x2, y2, x, y)
}

func (p *figure) add(operator byte, points ...float64) {
	p.operators = append(p.operators, operator)
	p.points = append(p.points, points...)
}

// operands is how many numbers an operator takes.
func operands(operator byte) int {
	switch operator {
	case 'm', 'l':
		return 2
	case 'c':
		return 6
	}
	return 0
}

// bounds is the box round all points, control points too; of nothing, it is empty.
func (p *figure) bounds() box {
	if len(p.points) == 0 {
		return box{}
	}
	x0, y0, x1, y1 := p.points[0], p.points[1], p.points[0], p.points[1]
	for i := 0; i < len(p.points); i += 2 {
		x0, x1 = min(x0, p.points[i]), max(x1, p.points[i])
		y0, y1 = min(y0, p.points[i+1]), max(y1, p.points[i+1])
	}
	return box{x0, y0, x1 - x0, y1 - y0}
}

// box is a rectangle; x and y are its upper left corner.
type box struct{ x, y, w, h float64 }

// around is the smallest box that holds both.
func (b box) around(other box) box {
	x, y := min(b.x, other.x), min(b.y, other.y)
	return box{x, y, max(b.x+b.w, other.x+other.w) - x, max(b.y+b.h, other.y+other.h) - y}
}

// bounds is the box round what is drawn.
func (m *figureMark) bounds() box {
	b := m.figure.bounds()
	return box{b.x - m.width, b.y - m.width, b.w + 2*m.width, b.h + 2*m.width}
}

func (s *shape) bounds() box {
	var all box
	for i, m := range s.marks {
		b := m.bounds()
		if i == 0 {
			all = b
		}
		all = all.around(b)
	}
	return all
}

func rectangle(x, y, w, h float64) *figure {
	return &figure{operators: []byte("mlllh"), points: []float64{x, y, x + w, y, x + w, y + h, x, y + h}}
}

func segment(x1, y1, x2, y2 float64) *figure {
	return &figure{operators: []byte("ml"), points: []float64{x1, y1, x2, y2}}
}

// curved is how far control points stand from the ends of a quarter circle of radius 1.
const curved = 0.5522847498

func ellipse(cx, cy, rx, ry float64) *figure {
	kx, ky := curved*rx, curved*ry
	p := &figure{}
	p.moveTo(cx+rx, cy)
	p.curveTo(cx+rx, cy+ky, cx+kx, cy+ry, cx, cy+ry)
	p.curveTo(cx-kx, cy+ry, cx-rx, cy+ky, cx-rx, cy)
	p.curveTo(cx-rx, cy-ky, cx-kx, cy-ry, cx, cy-ry)
	p.curveTo(cx+kx, cy-ry, cx+rx, cy-ky, cx+rx, cy)
	p.closePath()
	return p
}

// newSheet adds a page.
func (d *drawing) newSheet(width, height float64) *sheet {
	s := &sheet{width: width, height: height, fonts: d.fonts}
	d.sheets = append(d.sheets, s)
	return s
}

// text sets one line with its baseline at y. The caller may thicken, space or annotate what it gets back.
func (s *sheet) text(x, y, size float64, ink colour, text string) *textMark {
	text = s.fonts.shown(text)
	m := &textMark{x: x, y: y, size: size, ink: ink, text: text, width: s.fonts.width(text) * size}
	s.marks = append(s.marks, m)
	return m
}

// bold sets one line in heavy letters.
func (s *sheet) bold(x, y, size float64, ink colour, text string) *textMark {
	m := s.text(x, y, size, ink, text)
	m.bold = true
	return m
}

// line draws a straight line.
func (s *sheet) line(x1, y1, x2, y2, width float64, ink colour) {
	s.stroke(segment(x1, y1, x2, y2), width, ink)
}

// frame draws a rectangle's outline.
func (s *sheet) frame(x, y, w, h, width float64, ink colour) {
	s.stroke(rectangle(x, y, w, h), width, ink)
}

// fill fills a figure.
func (s *sheet) fill(p *figure, ink colour) {
	s.marks = append(s.marks, &figureMark{figure: p, ink: ink})
}

// stroke draws along a figure.
func (s *sheet) stroke(p *figure, width float64, ink colour) {
	s.marks = append(s.marks, &figureMark{figure: p, ink: ink, width: width})
}

// place sets a shape.
func (s *sheet) place(what *shape, at matrix) {
	s.marks = append(s.marks, &placeMark{shape: what, at: at})
}

// round moves all points to whole multiples of step: fewer digits to write.
func (p *figure) round(step float64) {
	for i, v := range p.points {
		p.points[i] = math.Round(v/step) * step
	}
}

// outlines adds a line of text to a figure, its baseline along the x axis from the origin of at. It returns
// how far the line reaches, in points along that axis.
func (p *figure) outlines(chain *Fonts, size float64, text string, at matrix) (width float64, err error) {
	for _, r := range text {
		f, id, ok := chain.drawnAs(r)
		if !ok {
			continue
		}
		contours, err := f.contours(id)
		if err != nil {
			return 0, err
		}
		scale := size / float64(f.unitsPerEm)
		trace(contours, &outliner{figure: p, scale: scale, from: width, at: at})
		width += float64(f.advance(id)) * scale
	}
	return width, nil
}

// outliner puts an outline in font units, y upward, in its place.
type outliner struct {
	figure      *figure
	scale, from float64
	at          matrix
}

func (o *outliner) set(x, y float64) (float64, float64) {
	return o.at.apply(o.from+x*o.scale, -y*o.scale)
}

func (o *outliner) moveTo(x, y float64) { o.figure.moveTo(o.set(x, y)) }
func (o *outliner) lineTo(x, y float64) { o.figure.lineTo(o.set(x, y)) }
func (o *outliner) closePath()          { o.figure.closePath() }
func (o *outliner) curveTo(x1, y1, x2, y2, x, y float64) {
	x1, y1 = o.set(x1, y1)
	x2, y2 = o.set(x2, y2)
	x, y = o.set(x, y)
	o.figure.curveTo(x1, y1, x2, y2, x, y)
}

// typesetter measures texts in the fonts that they are drawn in. Not for concurrent use.
type typesetter struct {
	chain    *Fonts
	advances map[rune]float64
}

func newTypesetter(chain *Fonts) *typesetter {
	return &typesetter{chain: chain, advances: map[rune]float64{}}
}

// drawnAs finds the font and glyph that show a character: 〓 when none has it, nothing when it is invisible.
func (s *Fonts) drawnAs(r rune) (*font, uint16, bool) {
	if invisible(r) {
		return nil, 0, false
	}
	if f, id, ok := s.find(r); ok {
		return f, id, true
	}
	return s.find(geta)
}

// advance is a character's width in em.
func (t *typesetter) advance(r rune) float64 {
	if w, ok := t.advances[r]; ok {
		return w
	}
	w := 0.0
	if f, id, ok := t.chain.drawnAs(r); ok {
		w = float64(f.advance(id)) / float64(f.unitsPerEm)
	}
	t.advances[r] = w
	return w
}

// shown is a text as the fonts can show it: without invisible characters, and with 〓 for those that no font has.
func (t *typesetter) shown(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		if _, _, ok := t.chain.find(r); !ok {
			return geta
		}
		return r
	}, s)
}

// width of a text in em.
func (t *typesetter) width(s string) float64 {
	w := 0.0
	for _, r := range s {
		w += t.advance(r)
	}
	return w
}

// lines breaks a text to a width in points at a size in points.
func (t *typesetter) lines(s string, size, width float64) []string {
	return breakLines(s, width/size, t.advance)
}
