package render

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
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

// installable returns the subset as a whole TrueType font: OFD readers find glyphs by the font's own cmap, and some hand
// the file to the system, which wants all of the tables.
func (s *subset) installable() ([]byte, error) {
	tables, err := s.tables()
	if err != nil {
		return nil, err
	}
	tables = append(tables, sfntTable{"OS/2", s.os2()}, sfntTable{"cmap", s.cmap()}, sfntTable{"name", s.names()}, sfntTable{"post", postWithoutNames()})
	slices.SortFunc(tables, func(a, b sfntTable) int { return strings.Compare(a.tag, b.tag) })
	return sfnt(tables), nil
}

// be puts 16-bit numbers together.
func be(numbers ...int) []byte {
	b := make([]byte, 0, 2*len(numbers))
	for _, v := range numbers {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// cmapMost is how many segments fit into a format 4 subtable, whose length is a 16-bit number.
const cmapMost = 8000

// cmap maps characters to glyphs twice: those of the BMP in format 4, and all in format 12.
func (s *subset) cmap() []byte {
	type entry struct{ r, id int }
	all := make([]entry, 0, len(s.runes))
	for i, r := range s.runes {
		all = append(all, entry{int(r), i + 1})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.r, b.r) })

	var ends, starts, deltas []int
	var groups []byte
	for _, e := range all {
		if e.r < 0xffff && len(ends) < cmapMost {
			ends, starts, deltas = append(ends, e.r), append(starts, e.r), append(deltas, e.id-e.r)
		}
		for _, v := range []int{e.r, e.r, e.id} {
			groups = binary.BigEndian.AppendUint32(groups, uint32(v))
		}
	}
	ends, starts, deltas = append(ends, 0xffff), append(starts, 0xffff), append(deltas, 1)
	n, power, log := len(ends), 1, 0
	for power*2 <= n {
		power, log = power*2, log+1
	}
	four := slices.Concat(be(4, 16+8*n, 0, 2*n, 2*power, log, 2*n-2*power), be(ends...), be(0), be(starts...), be(deltas...), make([]byte, 2*n))
	twelve := be(12, 0, 0, 16+len(groups), 0, 0, 0, len(all))
	binary.BigEndian.PutUint32(twelve[4:], uint32(16+len(groups)))
	// Platform 3 is Windows, its encodings 1 the BMP and 10 all of Unicode. Each offset is 32 bits.
	head := be(0, 2, 3, 1, 0, 20, 3, 10, 0, 0)
	binary.BigEndian.PutUint32(head[16:], uint32(20+len(four)))
	return slices.Concat(head, four, twelve, groups)
}

// names says what the font is called: family, style, full name, PostScript name.
func (s *subset) names() []byte {
	f := s.font
	records := []struct {
		id   int
		text string
	}{{1, f.family()}, {2, "Regular"}, {4, f.name}, {6, f.name}}
	head, texts := be(0, len(records), 6+12*len(records)), []byte(nil)
	for _, r := range records {
		from := len(texts)
		for _, u := range utf16.Encode([]rune(r.text)) {
			texts = binary.BigEndian.AppendUint16(texts, u)
		}
		head = append(head, be(3, 1, 0x409, r.id, len(texts)-from, from)...) // Windows, BMP, English
	}
	return append(head, texts...)
}

// os2 is the OS/2 table, version 0.
func (s *subset) os2() []byte {
	f := s.font
	first, last := 0xffff, 0
	for _, r := range s.runes {
		first, last = min(first, int(r)), max(last, min(int(r), 0xffff))
	}
	em := f.unitsPerEm
	// Version, average width, regular weight, medium width, no restriction on embedding; then sub-, superscript, strikeout
	// and class of family; then PANOSE, Unicode ranges and maker, which are not said.
	b := be(0, em, 400, 5, 0)
	b = append(b, be(em*65/100, em*60/100, 0, em*7/100, em*65/100, em*60/100, 0, em*35/100, em*5/100, em*25/100, 0)...)
	b = append(b, make([]byte, 10+16+4)...)
	return append(b, be(0x40, first, last, f.ascent, f.descent, 0, f.yMax, max(0, -f.yMin))...)
}

// postWithoutNames is the post table, version 3: glyphs have no names.
func postWithoutNames() []byte { return append([]byte{0, 3, 0, 0}, make([]byte, 28)...) }
