package render

import (
	"fmt"
	"strings"
)

// fontParts writes the font files and their list.
func (p *ofdPainter) fontParts() ([]ofdPart, error) {
	var parts []ofdPart
	for i, s := range p.fonts.subsets {
		file, err := s.installable()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("Font_%d.ttf", p.fontIDs[i])
		parts = append(parts, ofdPart{"Doc_0/Res/" + name, file})
		p.fontList = fmt.Appendf(p.fontList, `<ofd:Font ID="%d" FontName="%s" FamilyName="%s"><ofd:FontFile>%s</ofd:FontFile></ofd:Font>`,
			p.fontIDs[i], s.font.name, s.font.family(), name)
	}
	return parts, nil
}

// family is the PostScript name without the style.
func (f *font) family() string {
	family, _, _ := strings.Cut(f.name, "-")
	return family
}

// extent is the box round a glyph and round the room that its line takes there, in em from its origin, y downward.
func (f *font) extent(id uint16) (box, error) {
	outline, err := f.outlineData(id)
	if err != nil {
		return box{}, err
	}
	em := float64(f.unitsPerEm)
	all := box{0, -float64(f.ascent) / em, float64(f.advance(id)) / em, float64(f.ascent-f.descent) / em}
	if len(outline) > 0 {
		x0, y0, x1, y1 := signed16(outline[2:]), signed16(outline[4:]), signed16(outline[6:]), signed16(outline[8:])
		all = all.around(box{float64(x0) / em, -float64(y1) / em, float64(x1-x0) / em, float64(y1-y0) / em})
	}
	return all, nil
}
