package render

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// errFont is wrapped by every complaint about a font file.
var errFont = errors.New("render: unusable font")

// font is a TrueType font (ISO/IEC 14496-22) with simple glyf outlines and a format 12 cmap, as tools/fonts makes them.
// It keeps slices of the file; safe for concurrent use.
type font struct {
	name                   string // PostScript name
	unitsPerEm             int
	xMin, yMin, xMax, yMax int
	ascent, descent        int
	glyphs, metrics        int // how many; glyphs past metrics share the last advance
	head, hhea, maxp, hmtx []byte
	loca, glyf             []byte
	longLoca               bool
	groups                 []byte // of the cmap: start, end, first glyph, 4 bytes each, sorted
}

// parseFont reads a font file; name is its PostScript name.
func parseFont(name string, data []byte) (*font, error) {
	tables, err := sfntTables(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errFont, name, err)
	}
	f := &font{
		name: name,
		head: tables["head"], hhea: tables["hhea"], maxp: tables["maxp"], hmtx: tables["hmtx"],
		loca: tables["loca"], glyf: tables["glyf"],
	}
	switch {
	case len(f.head) < 54 || len(f.hhea) < 36 || len(f.maxp) < 32:
		return nil, fmt.Errorf("%w: %s: a head, hhea or maxp table is missing or short", errFont, name)
	}
	f.unitsPerEm = int(binary.BigEndian.Uint16(f.head[18:]))
	f.xMin, f.yMin = signed16(f.head[36:]), signed16(f.head[38:])
	f.xMax, f.yMax = signed16(f.head[40:]), signed16(f.head[42:])
	f.longLoca = binary.BigEndian.Uint16(f.head[50:]) == 1
	f.ascent, f.descent = signed16(f.hhea[4:]), signed16(f.hhea[6:])
	f.metrics = int(binary.BigEndian.Uint16(f.hhea[34:]))
	f.glyphs = int(binary.BigEndian.Uint16(f.maxp[4:]))
	entry := 2
	if f.longLoca {
		entry = 4
	}
	switch {
	case f.unitsPerEm < 16 || f.unitsPerEm > 16384:
		return nil, fmt.Errorf("%w: %s: %d units per em", errFont, name, f.unitsPerEm)
	case f.metrics < 1 || f.metrics > f.glyphs || len(f.hmtx) < 4*f.metrics+2*(f.glyphs-f.metrics):
		return nil, fmt.Errorf("%w: %s: short hmtx table", errFont, name)
	case len(f.loca) < (f.glyphs+1)*entry:
		return nil, fmt.Errorf("%w: %s: short loca table", errFont, name)
	}
	if f.groups, err = cmapGroups(tables["cmap"]); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errFont, name, err)
	}
	return f, nil
}

// sfntTables finds the tables of a font file.
func sfntTables(data []byte) (map[string][]byte, error) {
	if len(data) < 12 || binary.BigEndian.Uint32(data) != 0x00010000 {
		return nil, errors.New("not a TrueType file")
	}
	n := int(binary.BigEndian.Uint16(data[4:]))
	if len(data) < 12+16*n {
		return nil, errors.New("short table directory")
	}
	tables := make(map[string][]byte, n)
	for i := range n {
		d := data[12+16*i:]
		tag := string(d[:4])
		offset, length := uint64(binary.BigEndian.Uint32(d[8:])), uint64(binary.BigEndian.Uint32(d[12:]))
		if offset+length > uint64(len(data)) {
			return nil, fmt.Errorf("table %q lies outside the file", tag)
		}
		tables[tag] = data[offset : offset+length]
	}
	return tables, nil
}

// cmapGroups returns the groups of the first format 12 subtable.
func cmapGroups(cmap []byte) ([]byte, error) {
	if len(cmap) < 4 {
		return nil, errors.New("no cmap table")
	}
	n := int(binary.BigEndian.Uint16(cmap[2:]))
	for i := 0; i < n && len(cmap) >= 12+8*i; i++ {
		offset := uint64(binary.BigEndian.Uint32(cmap[8+8*i:]))
		if offset+16 > uint64(len(cmap)) {
			continue
		}
		sub := cmap[offset:]
		if binary.BigEndian.Uint16(sub) != 12 {
			continue
		}
		count := uint64(binary.BigEndian.Uint32(sub[12:]))
		if 12*count > uint64(len(sub)-16) {
			return nil, errors.New("short cmap subtable")
		}
		return sub[16 : 16+12*count], nil
	}
	return nil, errors.New("no format 12 cmap")
}

// glyph returns the glyph of a character; 0, .notdef, when the font has none.
func (f *font) glyph(r rune) uint16 {
	n := len(f.groups) / 12
	i := sort.Search(n, func(i int) bool { return binary.BigEndian.Uint32(f.groups[12*i+4:]) >= uint32(r) })
	if i == n {
		return 0
	}
	g := f.groups[12*i:]
	start := binary.BigEndian.Uint32(g)
	if uint32(r) < start {
		return 0
	}
	id := uint64(binary.BigEndian.Uint32(g[8:])) + uint64(uint32(r)-start)
	if id >= uint64(f.glyphs) {
		return 0
	}
	return uint16(id)
}

// advance returns a glyph's width in font units.
func (f *font) advance(id uint16) int {
	i := min(int(id), f.metrics-1)
	return int(binary.BigEndian.Uint16(f.hmtx[4*i:]))
}

// bearing returns a glyph's left side bearing in font units.
func (f *font) bearing(id uint16) int {
	if i := int(id); i >= f.metrics {
		return signed16(f.hmtx[4*f.metrics+2*(i-f.metrics):])
	}
	return signed16(f.hmtx[4*int(id)+2:])
}

// outlineData returns a glyph's entry in the glyf table; empty for a blank. Composite glyphs are refused: tools/fonts
// makes none, and a subset of one would have to carry its parts.
func (f *font) outlineData(id uint16) ([]byte, error) {
	var from, to uint64
	if i := int(id); f.longLoca {
		from, to = uint64(binary.BigEndian.Uint32(f.loca[4*i:])), uint64(binary.BigEndian.Uint32(f.loca[4*i+4:]))
	} else {
		from, to = 2*uint64(binary.BigEndian.Uint16(f.loca[2*i:])), 2*uint64(binary.BigEndian.Uint16(f.loca[2*i+2:]))
	}
	if from > to || to > uint64(len(f.glyf)) || to-from > 0 && to-from < 12 {
		return nil, fmt.Errorf("%w: %s: glyph %d lies outside the glyf table", errFont, f.name, id)
	}
	data := f.glyf[from:to]
	if len(data) > 0 && signed16(data) < 0 {
		return nil, fmt.Errorf("%w: %s: glyph %d is composite", errFont, f.name, id)
	}
	return data, nil
}

func signed16(b []byte) int { return int(int16(binary.BigEndian.Uint16(b))) }
