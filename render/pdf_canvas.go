package render

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"sync"
)

// shapeCache keeps what painters made of a shape: the face of a template is painted many times.
type shapeCache struct {
	pdf struct {
		sync.Once
		dict   string
		packed []byte
		err    error
	}
	svg     svgCache
	ofdOnce sync.Once
	ofd     ofdUnit
}

// pdfPainter paints a drawing into a document.
type pdfPainter struct {
	*document
	fonts  *usedFonts
	names  map[any]string // in the resources, of *photo, *shape, and the *figure of what is a silhouette
	listed []byte         // the XObject resources
}

// paint writes the page objects of a drawing, and says which they are.
func (d *document) paint(from *drawing, tree ref) (kids []ref, err error) {
	p := &pdfPainter{document: d, fonts: newUsedFonts(from.fonts.chain), names: map[any]string{}}
	var contents []ref
	for _, s := range from.sheets {
		c := &canvas{height: s.height, painter: p}
		for _, m := range s.marks {
			if err := c.mark(m); err != nil {
				return nil, err
			}
		}
		content, err := d.packed("", c.Bytes())
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		contents = append(contents, content)
	}
	fonts, err := p.fonts.embed(d)
	if err != nil {
		return nil, fmt.Errorf("fonts: %w", err)
	}
	resources := d.add(fmt.Sprintf("<< /Font %s /XObject <<%s >> >>", fonts, p.listed))
	for i, s := range from.sheets {
		kids = append(kids, d.add(fmt.Sprintf("<< /Type /Page /Parent %s /MediaBox [0 0 %s %s] /Resources %s /Contents %s >>",
			tree, number(s.width), number(s.height), resources, contents[i])))
	}
	return kids, nil
}

// name returns what a page calls a picture or shape, which is embedded when first named.
func (p *pdfPainter) name(of any) (string, error) {
	key := of
	if s, ok := of.(*shape); ok && s.silhouette() != nil {
		key = s.silhouette().figure
	}
	if name, ok := p.names[key]; ok {
		return name, nil
	}
	var r ref
	var err error
	switch of := of.(type) {
	case *photo:
		r = of.embed(p.document)
	case *shape:
		r, err = of.embed(p.document)
	}
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("X%d", len(p.names))
	p.names[key] = name
	p.listed = fmt.Appendf(p.listed, " /%s %s", name, r)
	return name, nil
}

// silhouette is the only figure of a shape, when it is filled; nil: there is more to the shape. Its form has no ink but takes that of the place, so that
// shapes that differ in nothing but ink share it, as the watermarks of face and sheet do.
func (s *shape) silhouette() *figureMark {
	if len(s.marks) == 1 && s.marks[0].width == 0 {
		return s.marks[0]
	}
	return nil
}

// embed adds a shape as a form, compressed once in its life.
func (s *shape) embed(d *document) (ref, error) {
	c := &s.cache.pdf
	c.Do(func() {
		var content canvas
		for _, m := range s.marks {
			if s.silhouette() == nil {
				content.ink(m)
			}
			content.path(m)
		}
		writers := &deflaters
		if s.kept {
			writers = &tightDeflaters
		}
		b := s.bounds()
		c.dict = fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [%s %s %s %s] /Resources << >> /Filter /FlateDecode",
			number(b.x), number(-b.y-b.h), number(b.x+b.w), number(-b.y))
		c.packed, c.err = deflated(content.Bytes(), writers)
	})
	if c.err != nil {
		return 0, c.err
	}
	return d.stream(c.dict, c.packed), nil
}

// canvas writes the content of a page, turning y upward round the height. A form's content has height 0.
type canvas struct {
	bytes.Buffer
	height  float64
	painter *pdfPainter
}

func (c *canvas) mark(m mark) error {
	switch m := m.(type) {
	case *textMark:
		c.text(m)
	case *figureMark:
		c.ink(m)
		c.path(m)
	case *pictureMark:
		name, err := c.painter.name(m.photo)
		if err != nil {
			return err
		}
		fmt.Fprintf(c, "q %s 0 0 %s %s %s cm /%s Do Q\n", number(m.w), number(m.h), number(m.x), number(c.height-m.y-m.h), name)
	case *placeMark:
		name, err := c.painter.name(m.shape)
		if err != nil {
			return err
		}
		at, clip := m.at, m.clip
		c.WriteString("q ")
		if s := m.shape.silhouette(); s != nil {
			c.ink(s)
		}
		if clip.w > 0 {
			fmt.Fprintf(c, "%s %s %s %s re W n ", number(clip.x), number(c.height-clip.y-clip.h), number(clip.w), number(clip.h))
		}
		fmt.Fprintf(c, "%.4f %.4f %.4f %.4f %s %s cm /%s Do Q\n", at.a, -at.b, -at.c, at.d, number(at.e), number(c.height-at.f), name)
	}
	return nil
}

// text writes one line. Heavy letters have their edges drawn too, which thickens them without a second font.
func (c *canvas) text(m *textMark) {
	if m.text == "" {
		return
	}
	if m.bold {
		fmt.Fprintf(c, "q 2 Tr %s w %s RG\n", number(m.size/45), m.ink.operands())
	}
	fmt.Fprintf(c, "BT %s rg 1 0 0 1 %s %s Tm\n", m.ink.operands(), number(m.x), number(c.height-m.y))
	if m.spacing != 0 && !m.vertical {
		fmt.Fprintf(c, "%s Tc\n", number(m.spacing))
	}
	font, open := -1, false
	for _, r := range m.text {
		g := c.painter.fonts.glyph(r)
		if g.font < 0 {
			continue
		}
		if g.font != font {
			if open {
				c.WriteString("> Tj\n")
			}
			fmt.Fprintf(c, "/F%d %s Tf <", g.font, number(m.size))
			font, open = g.font, true
		}
		fmt.Fprintf(c, "%04X", g.id)
		if m.vertical {
			fmt.Fprintf(c, "> Tj 0 %s Td <", number(-m.size-m.spacing))
		}
	}
	if open {
		c.WriteString("> Tj\n")
	}
	if m.spacing != 0 && !m.vertical {
		c.WriteString("0 Tc\n")
	}
	c.WriteString("ET\n")
	if m.bold {
		c.WriteString("Q\n")
	}
}

// ink sets what the figure is drawn with.
func (c *canvas) ink(m *figureMark) {
	if m.width == 0 {
		fmt.Fprintf(c, "%s rg\n", m.ink.operands())
	} else {
		fmt.Fprintf(c, "%s RG %s w\n", m.ink.operands(), number(m.width))
	}
}

// path draws a figure with the ink that is set.
func (c *canvas) path(m *figureMark) {
	b, paint := c.AvailableBuffer(), "f\n"
	if m.width != 0 {
		paint = "S\n"
	}
	operators, points := m.figure.operators, m.figure.points
	for len(operators) > 0 {
		if isRectangle(operators, points) {
			// Corners are rounded, not sides: what touches goes on to.
			x, y := hundredths(points[0]), hundredths(c.height-points[1])
			for _, v := range []int64{x, y, hundredths(points[4]) - x, hundredths(c.height-points[5]) - y} {
				b = append(appendFixed(b, v, 100), ' ')
			}
			b = append(b, "re\n"...)
			operators, points = operators[5:], points[8:]
			continue
		}
		operator := operators[0]
		operators = operators[1:]
		n := operands(operator)
		for i := 0; i < n; i += 2 {
			b = append(appendNumber(b, points[i]), ' ')
			b = append(appendNumber(b, c.height-points[i+1]), ' ')
		}
		points = points[n:]
		b = append(b, operator, '\n')
	}
	c.Write(append(b, paint...))
}

// isRectangle reports whether a figure begins with a rectangle as rectangle makes them.
func isRectangle(operators []byte, p []float64) bool {
	return bytes.HasPrefix(operators, []byte("mlllh")) && p[1] == p[3] && p[2] == p[4] && p[5] == p[7] && p[6] == p[0]
}

func (c colour) operands() string {
	return number3(c>>16&0xff) + " " + number3(c>>8&0xff) + " " + number3(c&0xff)
}

func number3(v colour) string { return strconv.FormatFloat(float64(v)/255, 'g', 3, 64) }

// appendNumber writes a length with as many decimals as can be seen: two.
func appendNumber(b []byte, v float64) []byte { return appendFixed(b, hundredths(v), 100) }

func hundredths(v float64) int64 { return int64(math.Round(v * 100)) }

// appendFixed writes v/scale in full, without zeros at the end; scale is a power of ten.
func appendFixed(b []byte, v, scale int64) []byte {
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	b = strconv.AppendInt(b, v/scale, 10)
	rest := v % scale
	if rest > 0 {
		b = append(b, '.')
	}
	for rest > 0 {
		scale /= 10
		b = append(b, byte('0'+rest/scale))
		rest %= scale
	}
	return b
}

// number is appendNumber as a text.
func number(v float64) string { return string(appendNumber(nil, v)) }
