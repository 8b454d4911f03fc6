package render

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func notoSans(t testing.TB) *font {
	t.Helper()
	f, err := embedded[0]()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestEmbeddedFontIsTheOneMade holds the font to the digest that tools/fonts/make.sh wrote, and its licence beside it.
func TestEmbeddedFontIsTheOneMade(t *testing.T) {
	t.Parallel()
	packed, err := fontFiles.ReadFile("fonts/NotoSansSC-Regular.ttf.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) > 10<<20 {
		t.Errorf("the font has %d bytes, more than 10 MiB", len(packed))
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, r); err != nil {
		t.Fatal(err)
	}
	sums, err := fontSums()
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(digest.Sum(nil)); !strings.Contains(sums, got+"  NotoSansSC-Regular.ttf") {
		t.Errorf("digest %s is not in SHA256SUMS", got)
	}
	licence, err := fontFiles.ReadFile("fonts/OFL.txt")
	if err != nil || !bytes.Contains(licence, []byte("SIL OPEN FONT LICENSE Version 1.1")) || !bytes.Contains(licence, []byte("Adobe")) {
		t.Errorf("licence text: %v", err)
	}
}

func fontSums() (string, error) {
	data, err := os.ReadFile("fonts/SHA256SUMS")
	return string(data), err
}

// TestFontCovers names what Chinese licences need.
func TestFontCovers(t *testing.T) {
	t.Parallel()
	f := notoSans(t)
	missing := 0
	for r := rune(0x4e00); r <= 0x9fef; r++ { // GB 18030-2022 level 1
		if f.glyph(r) == 0 {
			missing++
		}
	}
	if missing != 0 {
		t.Errorf("%d characters of U+4E00–9FEF are missing", missing)
	}
	for _, r := range "㛃䶮𬱖·—“”《》（）①℃￥〓　ＡａAÀ한ㄅ" {
		if f.glyph(r) == 0 {
			t.Errorf("%q (U+%04X) is missing", r, r)
		}
	}
	for _, r := range []rune{0, 0x10, 0xe000, 0x1f600, 0x10ffff, -1} {
		if id := f.glyph(r); id != 0 {
			t.Errorf("U+%04X has glyph %d", r, id)
		}
	}
}

// TestEveryGlyphIsUsable decodes every outline: a broken or composite one would fail a document at run time.
func TestEveryGlyphIsUsable(t *testing.T) {
	t.Parallel()
	f := notoSans(t)
	for id := range f.glyphs {
		if _, err := f.contours(uint16(id)); err != nil {
			t.Fatal(err)
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
	groups := []byte{}
	for _, r := range "AB一" {
		id := s.add(r, f.glyph(r))
		groups = append(groups, be32(uint32(r), uint32(r), uint32(id))...)
	}
	file, err := s.file()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := sfntTables(file)
	if err != nil {
		t.Fatal(err)
	}
	cmap := append([]byte{0, 0, 0, 1, 0, 3, 0, 10, 0, 0, 0, 12, 0, 12, 0, 0}, be32(uint32(16+len(groups)), 0, uint32(len(groups)/12))...)
	list := []sfntTable{{"cmap", append(cmap, groups...)}}
	for _, tag := range []string{"glyf", "head", "hhea", "hmtx", "loca", "maxp"} {
		list = append(list, sfntTable{tag, tables[tag]})
	}
	return sfnt(list)
}

func be32(values ...uint32) (b []byte) {
	for _, v := range values {
		b = append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return b
}

func TestParseFontRefuses(t *testing.T) {
	t.Parallel()
	whole := tinyFont(t)
	f, err := parseFont("tiny", whole)
	if err != nil {
		t.Fatal(err)
	}
	if f.glyph('A') != 1 || f.glyph('一') != 3 || f.glyph('C') != 0 {
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
	s := fontSet{embeddedFont("fonts/none.ttf.gz")}
	if err := s.check(); err == nil {
		t.Error("no error")
	}
	if _, _, ok := s.find('一'); ok {
		t.Error("a font that is not there has a character")
	}
}
