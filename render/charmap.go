package render

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"unicode/utf8"
)

// charMap tells which characters a font has, and their glyphs.
type charMap struct {
	groups []byte // as in a format 12 cmap: start, end, first glyph, 4 bytes each, sorted
	glyphs int    // how many the font has
}

// readCharMap reads a font's cmap (ISO/IEC 14496-22): format 12, else format 4, of Unicode.
func readCharMap(tables map[string][]byte) (m charMap, err error) {
	if len(tables["maxp"]) < 6 {
		return m, errors.New("缺少 maxp 表或其过短")
	}
	m.glyphs = int(binary.BigEndian.Uint16(tables["maxp"][4:]))
	m.groups, err = cmapGroups(tables["cmap"])
	return m, err
}

// cmapGroups returns the groups of the first subtable in format 12, or those that the first one in format 4 amounts to.
func cmapGroups(cmap []byte) ([]byte, error) {
	if len(cmap) < 4 {
		return nil, errors.New("缺少 cmap 表")
	}
	var narrow []byte
	n := int(binary.BigEndian.Uint16(cmap[2:]))
	for i := 0; i < n && len(cmap) >= 12+8*i; i++ {
		platform, encoding := binary.BigEndian.Uint16(cmap[4+8*i:]), binary.BigEndian.Uint16(cmap[6+8*i:])
		offset := uint64(binary.BigEndian.Uint32(cmap[8+8*i:]))
		if platform != 0 && (platform != 3 || encoding != 1 && encoding != 10) || offset+16 > uint64(len(cmap)) {
			continue // another encoding, such as symbols or Big5
		}
		switch sub := cmap[offset:]; {
		case binary.BigEndian.Uint16(sub) == 12:
			return wideGroups(sub)
		case binary.BigEndian.Uint16(sub) == 4 && narrow == nil:
			narrow = sub
		}
	}
	if narrow == nil {
		return nil, errors.New("没有格式 4 或格式 12 的 Unicode cmap")
	}
	return narrowGroups(narrow)
}

// wideGroups checks a format 12 subtable.
func wideGroups(sub []byte) ([]byte, error) {
	count := uint64(binary.BigEndian.Uint32(sub[12:]))
	if 12*count > uint64(len(sub)-16) {
		return nil, errors.New("cmap 子表不完整")
	}
	groups := sub[16 : 16+12*count]
	next := uint32(0)
	for g := groups; len(g) > 0; g = g[12:] {
		start, end := binary.BigEndian.Uint32(g), binary.BigEndian.Uint32(g[4:])
		if start < next || end < start || end > utf8.MaxRune {
			return nil, errors.New("cmap 子表次序混乱")
		}
		next = end + 1
	}
	return groups, nil
}

// narrowGroups reads a format 4 subtable.
func narrowGroups(sub []byte) ([]byte, error) {
	bad := errors.New("cmap 子表不完整")
	n := int(binary.BigEndian.Uint16(sub[6:])) / 2
	if len(sub) < 16+8*n {
		return nil, bad
	}
	ends, starts, deltas, offsets := sub[14:], sub[16+2*n:], sub[16+4*n:], sub[16+6*n:]
	var groups []byte
	next := 0
	for i := range n {
		start, end := int(binary.BigEndian.Uint16(starts[2*i:])), int(binary.BigEndian.Uint16(ends[2*i:]))
		delta, offset := binary.BigEndian.Uint16(deltas[2*i:]), int(binary.BigEndian.Uint16(offsets[2*i:]))
		for c := max(start, next); c <= min(end, 0xfffe); c++ {
			id := uint16(c)
			if offset != 0 {
				at := 2*i + offset + 2*(c-start)
				if at+2 > len(offsets) {
					return nil, bad
				}
				if id = binary.BigEndian.Uint16(offsets[at:]); id == 0 {
					continue
				}
			}
			groups = addToGroups(groups, rune(c), id+delta)
		}
		next = max(next, end+1)
	}
	return groups, nil
}

// addToGroups adds a character after all that are there.
func addToGroups(groups []byte, r rune, id uint16) []byte {
	if len(groups) > 0 {
		last := groups[len(groups)-12:]
		start, end := binary.BigEndian.Uint32(last), binary.BigEndian.Uint32(last[4:])
		if uint32(r) == end+1 && uint32(id) == binary.BigEndian.Uint32(last[8:])+end+1-start {
			binary.BigEndian.PutUint32(last[4:], uint32(r))
			return groups
		}
	}
	groups = binary.BigEndian.AppendUint32(groups, uint32(r))
	groups = binary.BigEndian.AppendUint32(groups, uint32(r))
	return binary.BigEndian.AppendUint32(groups, uint32(id))
}

// glyph returns the glyph of a character; 0, .notdef, when the font has none.
func (m charMap) glyph(r rune) uint16 {
	n := len(m.groups) / 12
	i := sort.Search(n, func(i int) bool { return binary.BigEndian.Uint32(m.groups[12*i+4:]) >= uint32(r) })
	if i == n {
		return 0
	}
	g := m.groups[12*i:]
	start := binary.BigEndian.Uint32(g)
	if uint32(r) < start {
		return 0
	}
	return m.inside(binary.BigEndian.Uint32(g[8:]), uint32(r)-start)
}

// inside is 0 for a glyph that the font does not have.
func (m charMap) inside(first, more uint32) uint16 {
	id := uint64(first) + uint64(more)
	if id >= uint64(m.glyphs) {
		return 0
	}
	return uint16(id)
}

// all yields the characters of the font in order, with their glyphs.
func (m charMap) all() iter.Seq2[rune, uint16] {
	return func(yield func(rune, uint16) bool) {
		for g := m.groups; len(g) > 0; g = g[12:] {
			start, end, first := binary.BigEndian.Uint32(g), binary.BigEndian.Uint32(g[4:]), binary.BigEndian.Uint32(g[8:])
			for r := start; r <= end; r++ {
				if id := m.inside(first, r-start); id != 0 && !yield(rune(r), id) {
					return
				}
			}
		}
	}
}

// mostSegments is how many segments fit into a format 4 subtable, whose length is a 16-bit number.
const mostSegments = 8000

// cmapTable writes a cmap that says by which glyph each character is drawn. Format 12 comes with a format 4 that has what lies in the
// BMP: some systems look for no other.
func cmapTable(glyphs map[rune]uint16) []byte {
	var groups, wide []byte
	for _, r := range slices.Sorted(maps.Keys(glyphs)) {
		wide = addToGroups(wide, r, glyphs[r])
		if r < 0xffff {
			groups = addToGroups(groups, r, glyphs[r])
		}
	}
	groups = groups[:min(len(groups), 12*mostSegments)]
	n := len(groups)/12 + 1
	ends, starts, deltas := make([]byte, 0, 2*n), make([]byte, 0, 2*n), make([]byte, 0, 2*n)
	for g := groups; len(g) > 0; g = g[12:] {
		start := binary.BigEndian.Uint16(g[2:])
		starts = binary.BigEndian.AppendUint16(starts, start)
		ends = binary.BigEndian.AppendUint16(ends, binary.BigEndian.Uint16(g[6:]))
		deltas = binary.BigEndian.AppendUint16(deltas, binary.BigEndian.Uint16(g[10:])-start)
	}
	ends, starts, deltas = append(ends, 0xff, 0xff), append(starts, 0xff, 0xff), append(deltas, 0, 1)
	power, log := searchRange(n)
	narrow := appendUint16s(nil, 4, 16+8*n, 0, 2*n, 2*power, log, 2*(n-power))
	narrow = append(append(append(append(narrow, ends...), 0, 0), starts...), deltas...)
	narrow = append(narrow, make([]byte, 2*n)...)

	out := appendUint16s(nil, 0, 1, 3, 1, 0, 12)
	if len(wide) == len(groups) {
		return append(out, narrow...)
	}
	out = appendUint16s(nil, 0, 2, 3, 1, 0, 20, 3, 10, 0, 20+len(narrow))
	out = append(out, narrow...)
	out = appendUint16s(out, 12, 0, 0, 16+len(wide), 0, 0, 0, len(wide)/12)
	return append(out, wide...)
}

// searchRange returns the greatest power of two that is not above n, and its logarithm.
func searchRange(n int) (power, log int) {
	power = 1
	for power*2 <= n {
		power, log = power*2, log+1
	}
	return power, log
}

func appendUint16s(b []byte, values ...int) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// errTable says that a table is missing or cut off.
func errTable(tag string) error { return fmt.Errorf("缺少 %s 表或其不完整", tag) }
