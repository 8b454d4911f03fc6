package render

import (
	"fmt"
	"math"
)

const (
	watermarkTint  colour = 0xe7e9ec
	voidTint       colour = 0xf8d9d6
	watermarkSize         = 12.0
	watermarkSlope        = 25 * math.Pi / 180
	voidSize              = 120.0
)

// marks are the shapes drawn under the text of every page: the tiled watermark and, on a licence that is not valid,
// its standing in large letters. PDF/A-1 knows no transparency, so they are light opaque tints.
type marks struct {
	tile, void               *shape // void is nil on a valid licence
	width, height, voidWidth float64
}

// newMarks makes the marks of a View, with the watermark in a tint that suits the ground.
func newMarks(v *View, tint colour) (*marks, error) {
	m, letters, lines := &marks{}, &figure{}, v.watermark()
	for i, line := range lines {
		w, err := letters.outlines(watermarkSize, line, turned(0, 0, float64(i)*watermarkSize*1.4))
		if err != nil {
			return nil, fmt.Errorf("watermark: %w", err)
		}
		m.width = max(m.width, w)
	}
	m.height = float64(len(lines)) * watermarkSize * 1.4
	if len(letters.operators) > 0 {
		m.tile = &shape{marks: []*figureMark{{figure: letters, ink: tint}}}
	}
	if s := v.standing(); !s.Valid {
		letters, err := &figure{}, error(nil)
		if m.voidWidth, err = letters.outlines(voidSize, s.Label, turned(0, 0, 0)); err != nil {
			return nil, fmt.Errorf("standing: %w", err)
		}
		m.void = &shape{marks: []*figureMark{{figure: letters, ink: voidTint}}}
	}
	return m, nil
}

// draw sets the marks on a page.
func (m *marks) draw(page *sheet) {
	sin, cos := math.Sincos(watermarkSlope)
	if m.tile != nil {
		stepX, stepY := max(m.width*cos+60, 170), m.width*sin+m.height+28
		for row := -1; float64(row)*stepY < page.height+stepY; row++ {
			shift := 0.0
			if row%2 != 0 {
				shift = stepX / 2
			}
			for x := -stepX - shift; x < page.width; x += stepX {
				page.place(m.tile, turned(watermarkSlope, x, page.height-float64(row)*stepY))
			}
		}
	}
	if m.void != nil {
		page.place(m.void, turned(watermarkSlope, (page.width-m.voidWidth*cos+voidSize*sin)/2,
			(page.height+m.voidWidth*sin+voidSize*cos)/2))
	}
}
