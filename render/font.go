package render

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// errFont is wrapped by every complaint about a font file.
var errFont = errors.New("字体文件不能使用")

// font is a TrueType font (ISO/IEC 14496-22) with glyf outlines. It keeps slices of the file; safe for concurrent use.
type font struct {
	charMap
	file                   string // for errors
	name                   string // PostScript name
	unitsPerEm             int
	xMin, yMin, xMax, yMax int
	ascent, descent        int
	metrics                int // how many advances; further glyphs share the last
	head, hhea, maxp, hmtx []byte
	loca, glyf             []byte
	naming, os2, post      []byte // for web slices; may be missing
	longLoca               bool
}

// parseFont reads a font file; file is what errors call it, and its PostScript name when it has none within.
func parseFont(file string, data []byte) (*font, error) {
	f := &font{file: file}
	if err := f.parse(data); err != nil {
		return nil, f.fault(err)
	}
	return f, nil
}

// fault names the file.
func (f *font) fault(err error) error { return fmt.Errorf("%w：%s：%w", errFont, f.file, err) }

func (f *font) parse(data []byte) error {
	tables, err := sfntTables(data)
	if err != nil {
		return err
	}
	for _, t := range []struct {
		tag   string
		least int
		into  *[]byte
	}{
		{"head", 54, &f.head},
		{"hhea", 36, &f.hhea},
		{"maxp", 32, &f.maxp},
		{"hmtx", 4, &f.hmtx},
		{"loca", 4, &f.loca},
		{"glyf", 0, &f.glyf},
		{"name", 0, &f.naming},
		{"OS/2", 0, &f.os2},
		{"post", 0, &f.post},
	} {
		if *t.into = tables[t.tag]; len(*t.into) < t.least {
			return errTable(t.tag)
		}
	}
	f.name = postScriptName(f.naming, f.file)
	f.unitsPerEm = int(binary.BigEndian.Uint16(f.head[18:]))
	f.xMin, f.yMin = signed16(f.head[36:]), signed16(f.head[38:])
	f.xMax, f.yMax = signed16(f.head[40:]), signed16(f.head[42:])
	f.longLoca = binary.BigEndian.Uint16(f.head[50:]) == 1
	f.ascent, f.descent = signed16(f.hhea[4:]), signed16(f.hhea[6:])
	f.metrics = int(binary.BigEndian.Uint16(f.hhea[34:]))
	if f.charMap, err = readCharMap(tables); err != nil {
		return err
	}
	entry := 2
	if f.longLoca {
		entry = 4
	}
	switch {
	case f.unitsPerEm < 16 || f.unitsPerEm > 16384:
		return fmt.Errorf("每 em %d 单位，应为 16 至 16384", f.unitsPerEm)
	case f.metrics < 1 || f.metrics > f.glyphs || len(f.hmtx) < 4*f.metrics+2*(f.glyphs-f.metrics):
		return errTable("hmtx")
	case len(f.loca) < (f.glyphs+1)*entry:
		return errTable("loca")
	}
	return nil
}

// postScriptName reads name record 6 (ISO/IEC 14496-22, name) of the Windows platform. Without a usable one the file's
// name stands in.
func postScriptName(table []byte, file string) string {
	if len(table) >= 6 {
		n, storage := int(binary.BigEndian.Uint16(table[2:])), int(binary.BigEndian.Uint16(table[4:]))
		for i := 0; i < n && len(table) >= 18+12*i; i++ {
			r := table[6+12*i:]
			length, offset := int(binary.BigEndian.Uint16(r[8:])), storage+int(binary.BigEndian.Uint16(r[10:]))
			if binary.BigEndian.Uint16(r) != 3 || binary.BigEndian.Uint16(r[6:]) != 6 || offset+length > len(table) {
				continue
			}
			var text []rune
			for b := table[offset : offset+length]; len(b) >= 2; b = b[2:] {
				text = append(text, rune(binary.BigEndian.Uint16(b)))
			}
			if name := nameToken(string(text)); name != "" {
				return name
			}
		}
	}
	base := filepath.Base(file)
	if name := nameToken(strings.TrimSuffix(base, filepath.Ext(base))); name != "" {
		return name
	}
	return "Font"
}

// nameToken keeps what may stand in a PDF name without escapes.
func nameToken(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_') {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 63)]
}

// sfntTables finds the tables of a font file.
func sfntTables(data []byte) (map[string][]byte, error) {
	if len(data) < 12 || binary.BigEndian.Uint32(data) != 0x00010000 {
		return nil, errors.New("不是 TrueType（glyf 轮廓）字体")
	}
	n := int(binary.BigEndian.Uint16(data[4:]))
	if len(data) < 12+16*n {
		return nil, errors.New("文件不完整")
	}
	tables := make(map[string][]byte, n)
	for i := range n {
		d := data[12+16*i:]
		tag := string(d[:4])
		offset, length := uint64(binary.BigEndian.Uint32(d[8:])), uint64(binary.BigEndian.Uint32(d[12:]))
		if offset+length > uint64(len(data)) {
			return nil, fmt.Errorf("文件不完整：%q 表在文件之外", tag)
		}
		tables[tag] = data[offset : offset+length]
	}
	return tables, nil
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

// description returns a glyph's entry in the glyf table; empty for a blank.
func (f *font) description(id uint16) ([]byte, error) {
	var from, to uint64
	if i := int(id); f.longLoca {
		from, to = uint64(binary.BigEndian.Uint32(f.loca[4*i:])), uint64(binary.BigEndian.Uint32(f.loca[4*i+4:]))
	} else {
		from, to = 2*uint64(binary.BigEndian.Uint16(f.loca[2*i:])), 2*uint64(binary.BigEndian.Uint16(f.loca[2*i+2:]))
	}
	if from > to || to > uint64(len(f.glyf)) || to-from > 0 && to-from < 10 {
		return nil, f.fault(fmt.Errorf("字形 %d 在 glyf 表之外", id))
	}
	return f.glyf[from:to], nil
}

func signed16(b []byte) int { return int(int16(binary.BigEndian.Uint16(b))) }
