package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

func notoSans(t testing.TB) *font {
	t.Helper()
	f, err := embedded.chain[0].load()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestEmbeddedFontsAreThoseMade holds the fonts to the digests that tools/fonts/make.sh wrote, and their licences beside them.
func TestEmbeddedFontsAreThoseMade(t *testing.T) {
	t.Parallel()
	sums, err := os.ReadFile("fonts/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for name, packed := range map[string][]byte{"NotoSansSC-Regular": notoSansSC, "GlyphWikiMincho": glyphWikiMincho} {
		total += len(packed)
		data, err := unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(data)
		if want := hex.EncodeToString(digest[:]) + "  " + name + ".ttf\n"; !strings.Contains(string(sums), want) {
			t.Errorf("not in SHA256SUMS: %s", want)
		}
	}
	if total > 16<<20 {
		t.Errorf("the fonts have %d bytes, more than 16 MiB", total)
	}
	for file, words := range map[string][]string{
		"fonts/OFL.txt":              {"SIL OPEN FONT LICENSE Version 1.1", "Adobe", "NotoSansSC-Regular.ttf"},
		"fonts/HANAZONO-LICENCE.txt": {"Unlimited permission is granted to use, copy, and distribute it", "GlyphWiki Project", "GlyphWikiMincho.ttf"},
	} {
		text, err := fontLicences.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		for _, word := range words {
			if !bytes.Contains(text, []byte(word)) {
				t.Errorf("%s lacks %q", file, word)
			}
		}
	}
}

// TestEveryGlyphIsUsable decodes every outline: a broken or composite one would fail a document at run time.
func TestEveryGlyphIsUsable(t *testing.T) {
	t.Parallel()
	for _, face := range embedded.chain {
		f, err := face.load()
		if err != nil {
			t.Fatal(err)
		}
		if err := f.fit(); err != nil {
			t.Error(err)
		}
		for id := range f.glyphs {
			data, err := f.description(uint16(id))
			if err != nil || len(data) > 0 && signed16(data) < 0 {
				t.Fatalf("%s: glyph %d is composite or broken: %v", f.name, id, err)
			}
		}
	}
}

func TestSubset(t *testing.T) {
	t.Parallel()
	f := notoSans(t)
	s := newSubset(f)
	ids := map[uint16]rune{}
	for _, r := range "一一丶\u00a0 ⼀" { // U+2F00 shares the glyph of U+4E00, and blank that of no-break blank
		id := s.add(r, f.glyph(r))
		if other, ok := ids[id]; ok && other != r {
			t.Errorf("%q and %q share glyph %d", r, other, id)
		}
		ids[id] = r
	}
	if len(ids) != 5 {
		t.Errorf("%d glyphs for 5 characters", len(ids))
	}
	file, err := s.file()
	if err != nil {
		t.Fatal(err)
	}
	if sum := checksum(file); sum != 0xb1b0afba {
		t.Errorf("the file's checksum is %08x", sum)
	}
	tables, err := sfntTables(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(tables["loca"]); got != 4*(len(ids)+2) {
		t.Errorf("loca has %d bytes", got)
	}
	if len(tables["cmap"]) != 0 || len(tables["hmtx"]) != 4*(len(ids)+1) {
		t.Errorf("tables: cmap %d, hmtx %d bytes", len(tables["cmap"]), len(tables["hmtx"]))
	}
}

// sinkRecorder keeps where an outline goes.
type sinkRecorder struct{ corners [][2]float64 }

func (s *sinkRecorder) moveTo(x, y float64)              { s.corners = append(s.corners, [2]float64{x, y}) }
func (s *sinkRecorder) lineTo(x, y float64)              { s.moveTo(x, y) }
func (s *sinkRecorder) curveTo(_, _, _, _, x, y float64) { s.moveTo(x, y) }
func (s *sinkRecorder) closePath()                       {}

func TestTrace(t *testing.T) {
	t.Parallel()
	off := func(x, y float64) point { return point{x, y, false} }
	on := func(x, y float64) point { return point{x, y, true} }
	for _, c := range []struct {
		name string
		in   []point
		want [][2]float64
	}{
		{"corners", []point{on(0, 0), on(10, 0), on(10, 10)}, [][2]float64{{0, 0}, {10, 0}, {10, 10}, {0, 0}}},
		{"one curve", []point{on(0, 0), off(10, 0), on(10, 10)}, [][2]float64{{0, 0}, {10, 10}, {0, 0}}},
		{"curve home", []point{on(0, 0), on(10, 0), off(10, 10)}, [][2]float64{{0, 0}, {10, 0}, {0, 0}}},
		{"implied corner", []point{on(0, 0), off(10, 0), off(10, 10), on(0, 10)}, [][2]float64{{0, 0}, {10, 5}, {0, 10}, {0, 0}}},
		{"only controls", []point{off(0, 0), off(10, 0), off(10, 10), off(0, 10)}, [][2]float64{{0, 5}, {5, 0}, {10, 5}, {5, 10}, {0, 5}}},
		{"starts on a control", []point{off(10, 0), on(10, 10), on(0, 0)}, [][2]float64{{0, 0}, {10, 10}, {0, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s sinkRecorder
			trace([][]point{c.in, nil}, &s)
			if len(s.corners) != len(c.want) {
				t.Fatalf("corners %v, want %v", s.corners, c.want)
			}
			for i := range c.want {
				if s.corners[i] != c.want[i] {
					t.Fatalf("corners %v, want %v", s.corners, c.want)
				}
			}
		})
	}
}

// tinyFont is a whole font file with a few glyphs, small enough to break in every place.
func tinyFont(t testing.TB) []byte {
	t.Helper()
	f := notoSans(t)
	s := newSubset(f)
	for _, r := range "AB一𬱖" {
		s.add(r, f.glyph(r))
	}
	file, err := s.file()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := sfntTables(file)
	if err != nil {
		t.Fatal(err)
	}
	list := []sfntTable{{"cmap", cmapTable(s.ids)}}
	for _, tag := range []string{"glyf", "head", "hhea", "hmtx", "loca", "maxp"} {
		list = append(list, sfntTable{tag, tables[tag]})
	}
	return sfnt(list)
}

func TestParseFontRefuses(t *testing.T) {
	t.Parallel()
	whole := tinyFont(t)
	f, err := parseFont("tiny", whole)
	if err != nil {
		t.Fatal(err)
	}
	if f.glyph('A') != 1 || f.glyph('一') != 3 || f.glyph('𬱖') != 4 || f.glyph('C') != 0 {
		t.Errorf("glyphs %d %d %d", f.glyph('A'), f.glyph('一'), f.glyph('C'))
	}
	if _, err := parseFont("tiny", nil); !errors.Is(err, errFont) {
		t.Errorf("no file: %v", err)
	}
	if _, err := parseFont("tiny", []byte("OTTO"+string(whole[4:]))); !errors.Is(err, errFont) {
		t.Errorf("CFF file: %v", err)
	}
	tables, err := sfntTables(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"cmap", "head", "hhea", "hmtx", "loca", "maxp"} {
		var list []sfntTable
		for _, tag := range []string{"cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp"} {
			data := tables[tag]
			if tag == broken {
				data = data[:len(data)/2]
			}
			list = append(list, sfntTable{tag, data})
		}
		if broken == "head" { // sfnt writes into it
			list[2].data = make([]byte, 12)
		}
		if _, err := parseFont("tiny", sfnt(list)); !errors.Is(err, errFont) {
			t.Errorf("half a %s table: %v", broken, err)
		}
	}
}

func TestMissingFontIsAnError(t *testing.T) {
	t.Parallel()
	for name, packed := range map[string][]byte{"none": nil, "half": notoSansSC[:len(notoSansSC)/2], "other": []byte("no zstd, and long enough")} {
		s := newFonts([]*typeface{embeddedFace(name, packed, "")})
		if err := s.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, _, ok := s.find('一'); ok {
			t.Errorf("%s: a font that is not there has a character", name)
		}
		if r, bad := s.Unprintable("一"); name != "half" && (!bad || r != '一') {
			t.Errorf("%s: printable without a font", name)
		}
	}
}
