package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// level3 are the ideographs of GB 18030-2022, clause 9.4 (implementation level 3): 87,887 in all. The ranges are those of
// its clause 6 on the double-byte and four-byte parts; they end where the blocks of Unicode 11 do.
const level3 = "3400-4DB5 " + // CJK 统一汉字扩充 A, 6,582
	"4E00-9FEF " + // CJK 统一汉字, 20,976: 20,902 of 1993, 66 of level 1's four-byte part, 8 components given code points in 2022
	"20000-2A6D6 " + // 扩充 B, 42,711
	"2A700-2B734 " + // 扩充 C, 4,149
	"2B740-2B81D " + // 扩充 D, 222
	"2B820-2CEA1 " + // 扩充 E, 5,762
	"2CEB0-2EBE0 " + // 扩充 F, 7,473
	"FA0E-FA0F FA11 FA13-FA14 FA1F FA21 FA23-FA24 FA27-FA29" // unified ideographs in the compatibility block, 12

// symbols are the other characters of the single-byte and double-byte parts (levels 1 and 2), with the ten vertical forms as
// mapped in 2022 (appendix D), the 14 components of the radicals supplement and the Kangxi radicals of table 3.
const symbols = "20-7E A4 A7-A8 B0-B1 B7 D7 E0-E1 E8-EA EC-ED F2-F3 F7 F9-FA FC 101 113 11B 12B 144 148 14D 16B 1CE 1D0 1D2 1D4 1D6 " +
	"1D8 1DA 1DC 1F9 251 261 2C7 2C9-2CB 2D9 391-3A1 3A3-3A9 3B1-3C1 3C3-3C9 401 410-44F 451 1E3F 2010 2013-2016 2018-2019 201C-201D " +
	"2025-2026 2030 2032-2033 2035 203B 20AC 2103 2105 2109 2116 2121 2160-216B 2170-2179 2190-2193 2196-2199 2208 220F 2211 2215 " +
	"221A 221D-2220 2223 2225 2227-222B 222E 2234-2237 223D 2248 224C 2252 2260-2261 2264-2267 226E-226F 2295 2299 22A5 22BF 2312 " +
	"2460-2469 2474-249B 2500-254B 2550-2573 2581-258F 2593-2595 25A0-25A1 25B2-25B3 25BC-25BD 25C6-25C7 25CB 25CE-25CF 25E2-25E5 " +
	"2605-2606 2609 2640 2642 2E81 2E84 2E88 2E8B-2E8C 2E97 2EA7 2EAA 2EAE 2EB3 2EB6-2EB7 2EBB 2ECA 2F00-2FD5 2FF0-2FFB 3000-3003 " +
	"3005-3017 301D-301E 3021-3029 303E 3041-3093 309B-309E 30A1-30F6 30FC-30FE 3105-3129 3220-3229 3231 32A3 338E-338F 339C-339E " +
	"33A1 33C4 33CE 33D1-33D2 33D5 F92C F979 F995 F9E7 F9F1 FA0C-FA0D FA18 FA20 FE10-FE19 FE30-FE31 FE33-FE44 FE49-FE52 FE54-FE57 " +
	"FE59-FE66 FE68-FE6B FF01-FF5E FFE0-FFE5"

// runesOf reads ranges in hexadecimal.
func runesOf(t testing.TB, ranges string) []rune {
	t.Helper()
	var all []rune
	for _, part := range strings.Fields(ranges) {
		first, last, found := strings.Cut(part, "-")
		if !found {
			last = first
		}
		from, err := strconv.ParseInt(first, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		to, err := strconv.ParseInt(last, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		for r := from; r <= to; r++ {
			all = append(all, rune(r))
		}
	}
	return all
}

// TestFontsCoverGB18030 looks for every character of implementation level 3, and draws each: no two fonts and no blank
// stand for one. The 8,105 of 通用规范汉字表 are among the ideographs.
func TestFontsCoverGB18030(t *testing.T) {
	t.Parallel()
	ideographs := runesOf(t, level3)
	if len(ideographs) != 87_887 {
		t.Fatalf("%d ideographs, the standard has 87,887", len(ideographs))
	}
	drawn := map[string]int{}
	for _, r := range slices.Concat(ideographs, runesOf(t, symbols)) {
		f, id, ok := embedded.find(r)
		if !ok {
			t.Errorf("U+%04X %q is missing", r, r)
			continue
		}
		drawn[f.name]++
		if contours, err := f.contours(id); err != nil || len(contours) == 0 && r != ' ' && r != '\u3000' {
			t.Errorf("U+%04X is a blank: %v", r, err)
		}
		if r >= 0x3400 && r < 0xfa30 && f.advance(id) != f.unitsPerEm || r >= 0x20000 && f.advance(id) != f.unitsPerEm {
			t.Errorf("U+%04X is %d wide of %d", r, f.advance(id), f.unitsPerEm)
		}
	}
	if drawn["GlyphWikiMincho"] != 58_012 || len(drawn) != 2 {
		t.Errorf("drawn by %v", drawn)
	}
}

// TestNothingBeyondTheFonts: what is no character of theirs is not drawn.
func TestNothingBeyondTheFonts(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{0, 0x10, 0xe000, 0x1f600, 0x2ebe1, 0x323af, 0x10ffff, -1} {
		if _, _, ok := embedded.find(r); ok {
			t.Errorf("U+%04X is drawn", r)
		}
	}
	for _, r := range "㛃䶮𬱖·—“”《》（）①℃￥〓　ＡａAÀ한ㄅ" {
		if place, ok := embedded.owner(r); !ok || place != 0 {
			t.Errorf("%q (U+%04X) is not in Noto Sans SC", r, r)
		}
	}
}

// TestFontsAreLoadedWhenNeeded: to know that a name can be drawn takes no outline, and a common name no rare font.
func TestFontsAreLoadedWhenNeeded(t *testing.T) {
	t.Parallel()
	loaded := map[string]bool{}
	face := func(name string, packed []byte) *typeface {
		f := embeddedFace(name, packed, "")
		load := f.load
		f.load = func() (*font, error) { loaded[name] = true; return load() }
		return f
	}
	s := newFonts([]*typeface{face("first", notoSansSC), face("second", glyphWikiMincho)})
	if r, bad := s.Unprintable("张三𠀁\U00030000"); !bad || r != 0x30000 || len(loaded) != 0 {
		t.Errorf("unprintable: %q %v, loaded %v", r, bad, loaded)
	}
	if _, _, ok := s.find('张'); !ok || !loaded["first"] || loaded["second"] {
		t.Errorf("after a common character %v are loaded", loaded)
	}
	if _, _, ok := s.find(0x30000); ok || loaded["second"] {
		t.Errorf("after one that nobody has %v are loaded", loaded)
	}
	if _, _, ok := s.find('𠀁'); !ok || !loaded["second"] {
		t.Errorf("after a rare character %v are loaded", loaded)
	}
}

// ownFont is an operator's font as font tools write it: a format 4 cmap, hinting, and a composite glyph. It draws 一 and 二
// in its own way: 二 is twice the part that 一 has, the second moved up and half as wide.
func ownFont(t testing.TB, change func(tables map[string][]byte)) []byte {
	t.Helper()
	file := tinyFont(t)
	tables, err := sfntTables(file)
	if err != nil {
		t.Fatal(err)
	}
	// An oblong of 100 to 900 by 300 to 400, with three instructions.
	oblong := appendUint16s(nil, 1, 100, 300, 900, 400, 3, 3)
	oblong = append(oblong, 0xb0, 0x00, 0x2c) // PUSHB 0, FDEF: refused by readers that run it without its tables
	oblong = append(oblong, flagOnCurve, flagOnCurve|flagSameY, flagOnCurve|flagSameX, flagOnCurve|flagSameY)
	oblong = appendUint16s(oblong, 100, 800, -800, 300, 100)
	for len(oblong)%4 != 0 {
		oblong = append(oblong, 0)
	}
	double := appendUint16s(nil, -1, 100, 300, 900, 800)
	double = appendUint16s(double, partMore|partDistances, 1)
	double = append(double, 0, 0)
	double = appendUint16s(double, partDistances|partWords|partTwoScales, 1, 50, 400, 1<<13, 1<<14)
	glyf := slices.Concat(oblong, double)
	tables["glyf"] = glyf
	tables["loca"] = appendUint16s(nil, 0, 0, len(oblong)/2, len(glyf)/2)
	tables["hmtx"] = appendUint16s(nil, 1000, 0, 1000, 100, 900, 100)
	binary.BigEndian.PutUint16(tables["maxp"][4:], 3)
	binary.BigEndian.PutUint16(tables["hhea"][34:], 3)
	binary.BigEndian.PutUint16(tables["head"][50:], 0)
	tables["cmap"] = cmapTable(map[rune]uint16{'一': 1, '二': 2})
	tables["OS/2"] = make([]byte, 78)
	tables["name"] = appendUint16s(nil, 0, 1, 18, 3, 1, 0x409, 6, 8, 0, 'O', 'w', 'n', '(')
	if change != nil {
		change(tables)
	}
	var list []sfntTable
	for _, tag := range []string{"OS/2", "cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "name"} {
		if data, ok := tables[tag]; ok {
			list = append(list, sfntTable{tag, data})
		}
	}
	return sfnt(list)
}

// folder writes files into one.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOwnFontsComeFirst sets a licence in an operator's font, and what that lacks in the embedded ones.
func TestOwnFontsComeFirst(t *testing.T) {
	t.Parallel()
	fonts, err := OpenFonts(folder(t, map[string][]byte{"own.ttf": ownFont(t, nil), "LICENCE.txt": []byte("free")}))
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[rune]int{'一': 0, '二': 0, '三': 1, '𠀁': 2} {
		if place, ok := fonts.owner(r); !ok || place != want {
			t.Errorf("%q is drawn by font %d, want %d", r, place, want)
		}
	}
	f, id, _ := fonts.find('二')
	contours, err := f.contours(id)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(contours); got != "[[{100 300 true} {900 300 true} {900 400 true} {100 400 true}] "+
		"[{100 700 true} {500 700 true} {500 800 true} {100 800 true}]]" {
		t.Errorf("二 is drawn as %s", got)
	}
	// What goes into a document is one glyph without parts and instructions that draws the same.
	for _, r := range "一二" {
		f, id, _ := fonts.find(r)
		want, err := f.contours(id)
		if err != nil {
			t.Fatal(err)
		}
		data, err := f.outlineData(id)
		if err != nil {
			t.Fatal(err)
		}
		if at := 10 + 2*signed16(data); signed16(data) < 1 || binary.BigEndian.Uint16(data[at:]) != 0 {
			t.Errorf("%q: not a simple glyph without instructions: % x", r, data)
		}
		if got, err := simple(data); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q is drawn as %v, %v; want %v", r, got, err, want)
		}
	}
	v := with(func(v *View) { v.Fonts = fonts; v.Fields[0].Value = "一二三𠀁" })
	listed := tool(t, "pdffonts", saved(t, v))
	for _, name := range []string{"+Own ", "+NotoSansSC-Regular", "+GlyphWikiMincho"} {
		if !strings.Contains(listed, name) {
			t.Errorf("%s is not in the file:\n%s", name, listed)
		}
	}
	if got := squeezed(tool(t, "pdftotext", saved(t, v), "-")); !strings.Contains(got, "一二三𠀁") {
		t.Errorf("the text does not come out: %s", got)
	}
	if out, valid := preflight(t, saved(t, v)); !valid {
		t.Errorf("not PDF/A-1b:\n%s", out)
	}
	var page bytes.Buffer
	if err := Page(&page, v, Mobile); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), fonts.StylesheetPath()) || fonts.StylesheetPath() == embedded.StylesheetPath() {
		t.Error("the page is not set in the operator's font")
	}
	if _, ok, err := fonts.Asset(filepath.Base(embedded.StylesheetPath())); !ok || err != nil {
		t.Error("the style sheet of messages is not served")
	}
}

// TestOwnFontsAreRefused: with the file and the reason, when the gateway starts and not when a licence needs them.
func TestOwnFontsAreRefused(t *testing.T) {
	t.Parallel()
	for reason, file := range map[string][]byte{
		"不是 TrueType":  append([]byte("OTTO"), ownFont(t, nil)[4:]...),
		"缺少 OS/2 表":    ownFont(t, func(tables map[string][]byte) { delete(tables, "OS/2") }),
		"fsType":       ownFont(t, func(tables map[string][]byte) { tables["OS/2"][9] = 2 }),
		"Unicode cmap": ownFont(t, func(tables map[string][]byte) { tables["cmap"][7] = 0 }), // a symbol font
		"没有任何字符":       ownFont(t, func(tables map[string][]byte) { tables["cmap"] = cmapTable(nil) }),
		"轮廓数据不完整":      ownFont(t, func(tables map[string][]byte) { tables["glyf"][10] = 0x7f }),
		"部件过多": ownFont(t, func(tables map[string][]byte) { // a part of itself
			tables["glyf"][len(tables["glyf"])-9] = 2
		}),
		"按点对齐": ownFont(t, func(tables map[string][]byte) {
			glyf := tables["glyf"]
			glyf[len(glyf)-11] &^= partDistances
		}),
	} {
		_, err := OpenFonts(folder(t, map[string][]byte{"机构字体.ttf": file}))
		if !errors.Is(err, errFont) || !strings.Contains(err.Error(), "机构字体.ttf") || !strings.Contains(err.Error(), reason) {
			t.Errorf("want %q: %v", reason, err)
		}
	}
	if _, err := OpenFonts(folder(t, map[string][]byte{"a.otf": nil})); !errors.Is(err, errFont) || !strings.Contains(err.Error(), "a.otf") {
		t.Errorf("another kind of file: %v", err)
	}
	if _, err := OpenFonts(t.TempDir()); !errors.Is(err, errFont) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := OpenFonts(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestCharMaps reads back what cmapTable writes, in both formats.
func TestCharMaps(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "A", "ABC一丁三", "A\uffff", "𠀀𠀁𬱖", "Aÿ一𠀀"} {
		runes, glyphs := []rune(text), map[rune]uint16{}
		for i, r := range runes {
			glyphs[r] = uint16(i + 1)
		}
		table := cmapTable(glyphs)
		groups, err := cmapGroups(table)
		if err != nil {
			t.Fatal(err)
		}
		m := charMap{groups, len(runes) + 1}
		var all []rune
		for r, id := range m.all() {
			all = append(all, r)
			if m.glyph(r) != id || int(id) != len(all) {
				t.Errorf("%q: %q has glyphs %d and %d", text, r, id, m.glyph(r))
			}
		}
		if string(all) != text {
			t.Errorf("%q became %q", text, string(all))
		}
		narrow, err := narrowGroups(table[binary.BigEndian.Uint32(table[8:]):])
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for r := range (charMap{narrow, len(runes) + 1}).all() {
			if n++; r > 0xffff || !strings.ContainsRune(text, r) {
				t.Errorf("%q: format 4 has %q", text, r)
			}
		}
		if n == 0 && len(runes) > 0 && runes[0] < 0x10000 {
			t.Errorf("%q: format 4 is empty", text)
		}
	}
	// Format 4 with a glyph array, as most fonts have it: U+41 → 7, U+42 → none, U+43 → 5+2.
	sub := appendUint16s(nil, 4, 38, 0, 4, 4, 1, 0, 0x43, 0xffff, 0, 0x41, 0xffff, 2, 1, 4, 0, 5, 0, 5)
	groups, err := narrowGroups(sub)
	if err != nil {
		t.Fatal(err)
	}
	m := charMap{groups, 100}
	if m.glyph('A') != 7 || m.glyph('B') != 0 || m.glyph('C') != 7 || m.glyph('D') != 0 {
		t.Errorf("glyphs %d %d %d %d", m.glyph('A'), m.glyph('B'), m.glyph('C'), m.glyph('D'))
	}
}
