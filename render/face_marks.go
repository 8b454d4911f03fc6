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
	tileUnits             = 20.0 // of a point; the tile's outlines are whole ones
)

// marks are the shapes drawn under the text of every page: the tiled watermark and, on a licence that is not valid,
// its standing in large letters. PDF/A-1 knows no transparency, so they are light opaque tints.
type marks struct {
	letters                  *figure // of one tile
	tiles                    map[colour]*shape
	void                     *shape // nil on a valid licence
	width, height, voidWidth float64
}

// newMarks makes the marks of a View.
func newMarks(v *View) (*marks, error) {
	m, lines := &marks{letters: &figure{}, tiles: map[colour]*shape{}}, v.watermark()
	for i, line := range lines {
		w, err := m.letters.outlines(v.fonts(), watermarkSize, line, matrix{tileUnits, 0, 0, tileUnits, 0, float64(i) * watermarkSize * 1.4 * tileUnits})
		if err != nil {
			return nil, fmt.Errorf("watermark: %w", err)
		}
		m.width = max(m.width, w)
	}
	m.letters.round(1)
	m.height = float64(len(lines)) * watermarkSize * 1.4
	if s := v.standing(); !s.Valid {
		letters, err := &figure{}, error(nil)
		if m.voidWidth, err = letters.outlines(v.fonts(), voidSize, s.Label, turned(0, 0, 0)); err != nil {
			return nil, fmt.Errorf("standing: %w", err)
		}
		m.void = &shape{marks: []*figureMark{{figure: letters, ink: voidTint}}}
	}
	return m, nil
}

// tile is the watermark's piece in a tint.
func (m *marks) tile(tint colour) *shape {
	if m.tiles[tint] == nil {
		m.tiles[tint] = &shape{marks: []*figureMark{{figure: m.letters, ink: tint}}}
	}
	return m.tiles[tint]
}

// draw sets the watermark on an area of a page, and nowhere else.
func (m *marks) draw(page *sheet, area box, tint colour) {
	if len(m.letters.operators) == 0 {
		return
	}
	sin, cos := math.Sincos(watermarkSlope)
	const s = 1.0 / tileUnits
	tile := m.tile(tint)
	stepX, stepY := max(m.width*cos+60, 170), m.width*sin+m.height+28
	for row := -1; float64(row)*stepY < area.h+stepY; row++ {
		shift := 0.0
		if row%2 != 0 {
			shift = stepX / 2
		}
		for x := -stepX - shift; x < area.w; x += stepX {
			page.marks = append(page.marks, &placeMark{
				shape: tile, at: matrix{cos * s, -sin * s, sin * s, cos * s, area.x + x, area.y + area.h - float64(row)*stepY}, clip: area,
			})
		}
	}
}

// drawVoid sets the standing of a licence that is not valid across a page.
func (m *marks) drawVoid(page *sheet) {
	if m.void != nil {
		sin, cos := math.Sincos(watermarkSlope)
		page.place(m.void, turned(watermarkSlope, (page.width-m.voidWidth*cos+voidSize*sin)/2,
			(page.height+m.voidWidth*sin+voidSize*cos)/2))
	}
}

// whole is the area of a sheet.
func (s *sheet) whole() box { return box{0, 0, s.width, s.height} }

// tintOn is the watermark's tint on a paper: a little darker than light paper, a little lighter than dark.
func tintOn(paper colour) colour {
	if paper.luminance() < 0.2 {
		return paper.mixed(0xffffff, 0.1)
	}
	return paper.mixed(0x3a4a5c, 0.12)
}
