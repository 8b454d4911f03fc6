package render

import "fmt"

// ofdRun is a part of a line that one TextObject can hold.
type ofdRun struct {
	mark  *textMark
	font  int
	last  rune
	glyph uint16      // of the last character
	text  []byte      // escaped
	at    [][2]micron // the origins of its characters on the page
	edge  box         // on the page
}

// text writes one line: one object for each run of characters that are in the same font. Heavy letters have their edges
// drawn too, as in the PDF.
//
// A character beyond the BMP gets an object of its own: readers differ in whether it counts as one or as two where
// distances and glyphs are listed, and alone it has no distance, and its CGTransform says its glyph either way.
func (p *ofdPainter) text(b []byte, m *textMark) ([]byte, error) {
	run, x, y := ofdRun{mark: m}, m.x, m.y
	for _, r := range m.text {
		g := p.fonts.glyph(r)
		if g.font < 0 {
			continue
		}
		if len(run.at) > 0 && (g.font != run.font || r > 0xffff || run.beyond()) {
			b = p.run(b, &run)
			run = ofdRun{mark: m}
		}
		s := p.fonts.subsets[g.font]
		extent, err := s.font.extent(s.old[g.id])
		if err != nil {
			return nil, err
		}
		edge := box{x + extent.x*m.size, y + extent.y*m.size, extent.w * m.size, extent.h * m.size}
		if len(run.at) > 0 {
			edge = edge.around(run.edge)
		}
		run.edge, run.font, run.last, run.glyph = edge, g.font, r, g.id
		run.text = appendEscaped(run.text, string(r))
		run.at = append(run.at, [2]micron{microns(x), microns(y)})
		if m.vertical {
			y += m.size + m.spacing
		} else {
			x += float64(s.font.advance(s.old[g.id]))/float64(s.font.unitsPerEm)*m.size + m.spacing
		}
	}
	if len(run.at) > 0 {
		b = p.run(b, &run)
	}
	return b, nil
}

// beyond tells of a run that it is one character beyond the BMP.
func (r *ofdRun) beyond() bool { return r.last > 0xffff }

func (p *ofdPainter) run(b []byte, r *ofdRun) []byte {
	for len(p.fontIDs) <= r.font {
		p.fontIDs = append(p.fontIDs, p.id())
	}
	m, thick := r.mark, 0.0
	if m.bold {
		thick = m.size / 45
	}
	edge := box{r.edge.x - thick, r.edge.y - thick, r.edge.w + 2*thick, r.edge.h + 2*thick}.microns()
	b = fmt.Appendf(b, `<ofd:TextObject ID="%d" Boundary="%s" Font="%d" Size="%s"`, p.id(), edge, p.fontIDs[r.font], microns(m.size))
	if m.bold {
		b = fmt.Appendf(b, ` Stroke="true" LineWidth="%s"`, microns(thick))
	}
	b = appendColour(append(b, '>'), "FillColor", m.ink)
	if m.bold {
		b = appendColour(b, "StrokeColor", m.ink)
	}
	if r.beyond() {
		b = fmt.Appendf(b, `<ofd:CGTransform CodePosition="0" CodeCount="2" GlyphCount="1"><ofd:Glyphs>%d</ofd:Glyphs></ofd:CGTransform>`, r.glyph)
	}
	b = fmt.Appendf(b, `<ofd:TextCode X="%s" Y="%s"`, r.at[0][0]-edge.x, r.at[0][1]-edge.y)
	if len(r.at) > 1 {
		axis, name := 0, ` DeltaX="`
		if m.vertical {
			axis, name = 1, ` DeltaY="`
		}
		// Distances of rounded places, not rounded distances: those would add up.
		b = append(b, name...)
		for i := 1; i < len(r.at); i++ {
			b = append((r.at[i][axis] - r.at[i-1][axis]).append(b), ' ')
		}
		b[len(b)-1] = '"'
	}
	b = append(append(append(b, '>'), r.text...), "</ofd:TextCode></ofd:TextObject>"...)
	return b
}
