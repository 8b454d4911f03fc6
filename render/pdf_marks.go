package render

import (
	"fmt"
	"math"
)

// marks are the shapes drawn under the text of every page: the tiled watermark and, on a licence that is not valid,
// its standing in large letters. PDF/A-1 knows no transparency, so they are light opaque tints.
const (
	watermarkTint  colour = 0xe7e9ec
	voidTint       colour = 0xf8d9d6
	watermarkSize         = 12.0
	watermarkSlope        = 25 * math.Pi / 180
	voidSize              = 120.0
)

// addMarks adds the shapes as forms, drawn once and placed often, and returns their XObject entries.
func addMarks(d *document, v *View) (entries string, marks func(*canvas), err error) {
	fonts := newTypesetter(v.fonts())
	c := &canvas{fonts: fonts}
	fmt.Fprintf(c, "%s rg\n", watermarkTint.operands())
	width, lines := 0.0, v.watermark()
	for i, line := range lines {
		w, err := c.outlines(0, -float64(i)*watermarkSize*1.4, watermarkSize, line)
		if err != nil {
			return "", nil, err
		}
		width = max(width, w)
	}
	height := float64(len(lines)) * watermarkSize * 1.4
	tile, err := d.packed(form(-watermarkSize, -height, width+2*watermarkSize, height+2*watermarkSize), c.Bytes())
	if err != nil {
		return "", nil, err
	}
	entries = fmt.Sprintf("/Mark %s", tile)

	voidWidth := 0.0
	if s := v.standing(); !s.Valid {
		c := &canvas{fonts: fonts}
		fmt.Fprintf(c, "%s rg\n", voidTint.operands())
		if voidWidth, err = c.outlines(0, 0, voidSize, s.Label); err != nil {
			return "", nil, err
		}
		stamp, err := d.packed(form(0, -voidSize, voidWidth, 3*voidSize), c.Bytes())
		if err != nil {
			return "", nil, err
		}
		entries += fmt.Sprintf(" /Void %s", stamp)
	}
	return entries, func(page *canvas) {
		sin, cos := math.Sincos(watermarkSlope)
		place := func(name string, x, y float64) {
			fmt.Fprintf(page, "q %.4f %.4f %.4f %.4f %s %s cm /%s Do Q\n", cos, sin, -sin, cos, number(x), number(y), name)
		}
		stepX, stepY := max(width*cos+60, 170), width*sin+height+28
		for row := -1; float64(row)*stepY < pageHeight+stepY; row++ {
			shift := 0.0
			if row%2 != 0 {
				shift = stepX / 2
			}
			for x := -stepX - shift; x < pageWidth; x += stepX {
				place("Mark", x, float64(row)*stepY)
			}
		}
		if voidWidth > 0 {
			place("Void", (pageWidth-voidWidth*cos+voidSize*sin)/2, (pageHeight-voidWidth*sin-voidSize*cos)/2)
		}
	}, nil
}

func form(x, y, w, h float64) string {
	return fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [%s %s %s %s] /Resources << >>", number(x), number(y), number(x+w), number(y+h))
}
