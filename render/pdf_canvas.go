package render

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// colour in sRGB, 0xRRGGBB.
type colour uint32

func (c colour) operands() string {
	return number3(c>>16&0xff) + " " + number3(c>>8&0xff) + " " + number3(c&0xff)
}

func number3(v colour) string { return fmt.Sprintf("%.3g", float64(v)/255) }

// canvas writes the content of a page. Lengths are points, y grows downward from the top as one reads; the methods
// turn it round.
type canvas struct {
	bytes.Buffer
	height float64
	fonts  *typesetter
}

// text sets one line with its baseline at y.
func (c *canvas) text(x, y, size float64, ink colour, s string) {
	font := -1
	open := false
	fmt.Fprintf(c, "BT %s rg 1 0 0 1 %s %s Tm\n", ink.operands(), number(x), number(c.height-y))
	for _, r := range s {
		g := c.fonts.glyph(r)
		if g.font < 0 {
			continue
		}
		if g.font != font {
			if open {
				c.WriteString("> Tj\n")
			}
			fmt.Fprintf(c, "/F%d %s Tf <", g.font, number(size))
			font, open = g.font, true
		}
		fmt.Fprintf(c, "%04X", g.id)
	}
	if open {
		c.WriteString("> Tj\n")
	}
	c.WriteString("ET\n")
}

// bold sets one line with its edges drawn, which thickens it without a second font.
func (c *canvas) bold(x, y, size float64, ink colour, s string) {
	fmt.Fprintf(c, "q 2 Tr %s w %s RG\n", number(size/45), ink.operands())
	c.text(x, y, size, ink, s)
	c.WriteString("Q\n")
}

// line draws a straight line.
func (c *canvas) line(x1, y1, x2, y2, width float64, ink colour) {
	fmt.Fprintf(c, "%s RG %s w %s %s m %s %s l S\n", ink.operands(), number(width),
		number(x1), number(c.height-y1), number(x2), number(c.height-y2))
}

// frame draws a rectangle's outline, x and y its upper left corner.
func (c *canvas) frame(x, y, w, h, width float64, ink colour) {
	fmt.Fprintf(c, "%s RG %s w %s %s %s %s re S\n", ink.operands(), number(width), number(x), number(c.height-y-h), number(w), number(h))
}

// fill fills a rectangle.
func (c *canvas) fill(x, y, w, h float64, ink colour) {
	fmt.Fprintf(c, "%s rg %s %s %s %s re f\n", ink.operands(), number(x), number(c.height-y-h), number(w), number(h))
}

// picture draws a named image or form, w and h its size (a form's: 1 and 1).
func (c *canvas) picture(name string, x, y, w, h float64) {
	fmt.Fprintf(c, "q %s 0 0 %s %s %s cm /%s Do Q\n", number(w), number(h), number(x), number(c.height-y-h), name)
}

// outlines draws text as filled shapes: not extracted, so that a watermark does not run through the text proper. They
// are written in the coordinates of a form, y upward; width is how far they reach.
func (c *canvas) outlines(x, y, size float64, s string) (width float64, err error) {
	start := x
	for _, r := range s {
		if invisible(r) {
			continue
		}
		f, id, ok := c.fonts.chain.find(r)
		if !ok {
			if f, id, ok = c.fonts.chain.find(geta); !ok {
				continue
			}
		}
		contours, err := f.contours(id)
		if err != nil {
			return 0, err
		}
		scale := size / float64(f.unitsPerEm)
		fmt.Fprintf(c, "q %.5f 0 0 %.5f %s %s cm\n", scale, scale, number(x), number(y))
		trace(contours, c)
		c.WriteString("f Q\n")
		x += float64(f.advance(id)) * scale
	}
	return x - start, nil
}

// A canvas takes outlines in whole font units: finer than any device, and short to write.

func (c *canvas) moveTo(x, y float64)                  { c.operator('m', x, y) }
func (c *canvas) lineTo(x, y float64)                  { c.operator('l', x, y) }
func (c *canvas) curveTo(x1, y1, x2, y2, x, y float64) { c.operator('c', x1, y1, x2, y2, x, y) }
func (c *canvas) closePath()                           { c.operator('h') }

func (c *canvas) operator(name byte, operands ...float64) {
	b := c.AvailableBuffer()
	for _, v := range operands {
		b = append(strconv.AppendInt(b, int64(math.Round(v)), 10), ' ')
	}
	c.Write(append(b, name, '\n'))
}
