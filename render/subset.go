package render

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// subset is the part of a font that one document uses. Every character gets a glyph of its own, even where the font
// draws two alike: so that each is extracted as what it is.
type subset struct {
	font  *font
	runes []rune   // runes[i] is drawn by glyph i+1; glyph 0 is .notdef
	old   []uint16 // old[i] is glyph i's number in the font
	ids   map[rune]uint16
}

func newSubset(f *font) *subset {
	return &subset{font: f, old: []uint16{0}, ids: map[rune]uint16{}}
}

// add returns the subset's glyph for a character that the font draws by glyph old.
func (s *subset) add(r rune, old uint16) uint16 {
	if id, ok := s.ids[r]; ok {
		return id
	}
	id := uint16(len(s.old))
	s.ids[r] = id
	s.runes = append(s.runes, r)
	s.old = append(s.old, old)
	return id
}

// glyphRef is a character as a document shows it.
type glyphRef struct {
	font int // index of the document's fonts; -1: not shown
	id   uint16
}

// usedFonts are the fonts of one document, each with the characters that it uses.
type usedFonts struct {
	chain   *Fonts
	subsets []*subset
	known   map[rune]glyphRef
}

func newUsedFonts(chain *Fonts) *usedFonts {
	return &usedFonts{chain: chain, known: map[rune]glyphRef{}}
}

// glyph returns how a character is drawn.
func (t *usedFonts) glyph(r rune) glyphRef {
	if g, ok := t.known[r]; ok {
		return g
	}
	g := glyphRef{font: -1}
	if f, old, ok := t.chain.drawnAs(r); ok {
		i := 0
		for ; i < len(t.subsets) && t.subsets[i].font != f; i++ {
		}
		if i == len(t.subsets) {
			t.subsets = append(t.subsets, newSubset(f))
		}
		g = glyphRef{font: i, id: t.subsets[i].add(r, old)}
	}
	t.known[r] = g
	return g
}

// file returns the subset as a TrueType file for a PDF.
func (s *subset) file() ([]byte, error) {
	tables, err := s.tables()
	if err != nil {
		return nil, err
	}
	return sfnt(tables), nil
}

// tables are those that ISO 19005-1 6.3.4 and PDF 32000-1 9.9 want of an embedded CIDFontType2 font: no cmap, no names.
func (s *subset) tables() ([]sfntTable, error) {
	f, n := s.font, len(s.old)
	var glyf []byte
	loca := make([]byte, 0, 4*(n+1))
	hmtx := make([]byte, 0, 4*n)
	for _, id := range s.old {
		data, err := f.outlineData(id)
		if err != nil {
			return nil, fmt.Errorf("subset: %w", err)
		}
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, data...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		hmtx = binary.BigEndian.AppendUint16(hmtx, uint16(f.advance(id)))
		hmtx = binary.BigEndian.AppendUint16(hmtx, uint16(f.bearing(id)))
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))

	head := append([]byte(nil), f.head[:54]...)
	binary.BigEndian.PutUint32(head[8:], 0)  // checkSumAdjustment, set below
	binary.BigEndian.PutUint16(head[50:], 1) // long loca
	hhea := append([]byte(nil), f.hhea[:36]...)
	binary.BigEndian.PutUint16(hhea[34:], uint16(n))
	// Parts are drawn out and instructions left out: as many points as composites had, and none of the rest but zones.
	most := func(at int) int {
		return int(max(binary.BigEndian.Uint16(f.maxp[at:]), binary.BigEndian.Uint16(f.maxp[at+4:])))
	}
	maxp := appendUint16s(nil, 1, 0, n, most(6), most(8), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	return []sfntTable{
		{"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx}, {"loca", loca}, {"maxp", maxp},
	}, nil
}

// installable returns the subset as a whole TrueType font: readers of OFD, and browsers, find glyphs by the font's own cmap, and want all of
// the tables.
func (s *subset) installable() ([]byte, error) {
	tables, err := s.tables()
	if err != nil {
		return nil, err
	}
	post := make([]byte, 32)
	copy(post, s.font.post)
	binary.BigEndian.PutUint32(post, 0x00030000) // no glyph names
	tables = append(tables, sfntTable{"OS/2", s.font.os2}, sfntTable{"cmap", cmapTable(s.ids)}, sfntTable{"name", s.font.naming}, sfntTable{"post", post})
	slices.SortFunc(tables, func(a, b sfntTable) int { return strings.Compare(a.tag, b.tag) })
	return sfnt(tables), nil
}

type sfntTable struct {
	tag  string
	data []byte
}

// sfnt puts tables, sorted by tag and head among them, together to a font file.
func sfnt(tables []sfntTable) []byte {
	n := len(tables)
	power, log := searchRange(n)
	out := appendUint16s(nil, 1, 0, n, 16*power, log, 16*(n-power))
	offset, headAt := 12+16*n, 0
	for _, t := range tables {
		if t.tag == "head" {
			headAt = offset
		}
		out = append(out, t.tag...)
		out = binary.BigEndian.AppendUint32(out, checksum(t.data))
		out = binary.BigEndian.AppendUint32(out, uint32(offset))
		out = binary.BigEndian.AppendUint32(out, uint32(len(t.data)))
		offset += (len(t.data) + 3) &^ 3
	}
	for _, t := range tables {
		out = append(out, t.data...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	binary.BigEndian.PutUint32(out[headAt+8:], 0xb1b0afba-checksum(out))
	return out
}

// checksum is the sum of a table's 32-bit words.
func checksum(data []byte) uint32 {
	var sum uint32
	for ; len(data) >= 4; data = data[4:] {
		sum += binary.BigEndian.Uint32(data)
	}
	var last [4]byte
	copy(last[:], data)
	return sum + binary.BigEndian.Uint32(last[:])
}
