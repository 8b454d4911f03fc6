package render

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// shownMasked is an invented person's licence as a clerk sees it: identity numbers masked.
func shownMasked(t testing.TB, name string) *View {
	v := held(t, name)
	for i := range v.Fields {
		if f := &v.Fields[i]; f.Role == "holder_identity_num" {
			f.Value, f.Masked, f.Reason, v.MaskedNote = f.Value[:6]+"********"+f.Value[14:], true, "身份证件号码仅向本人和登记机关完整显示", true
		}
	}
	return v
}

// TestPictures writes what docs/pictures shows: each shipped template as page and as PDF. make pictures runs it.
func TestPictures(t *testing.T) {
	dir := os.Getenv("LICGATE_PICTURES")
	if dir == "" {
		t.Skip("make pictures sets LICGATE_PICTURES to the folder to write to")
	}
	views := map[string]*View{}
	for _, name := range ShippedTemplates() {
		views[name] = shownMasked(t, name)
	}
	views["business-abolished"] = shownMasked(t, "business")
	views["business-abolished"].Status = "ABOLISHED"
	views["plain"] = shownCode(t)
	pages := map[string]func(http.ResponseWriter) error{"verify": func(w http.ResponseWriter) error { return CheckPage(w, found()) }}
	for name, v := range views {
		pages[name+"/desktop"] = func(w http.ResponseWriter) error { return Page(w, v, Desktop) }
		pages[name+"/mobile"] = func(w http.ResponseWriter) error { return Page(w, v, Mobile) }
	}
	address, _ := site(t, pages, embedded)
	tab := browser(t)
	look(t, tab, address+"/verify", filepath.Join(dir, "verify-390.png"), 390, false, true)
	lighten(t, filepath.Join(dir, "verify-390.png"))
	for name, v := range views {
		look(t, tab, address+"/"+name+"/desktop", filepath.Join(dir, name+"-1280.png"), 1280, false, true)
		look(t, tab, address+"/"+name+"/mobile", filepath.Join(dir, name+"-390.png"), 390, false, true)
		tool(t, "pdftoppm", "-png", "-r", "80", "-singlefile", saved(t, v), filepath.Join(dir, name+"-pdf"))
		for _, kind := range []string{"-1280", "-390", "-pdf"} {
			lighten(t, filepath.Join(dir, name+kind+".png"))
		}
	}
}

// lighten rewrites a picture with 256 colours: those of its most frequent ones, each other one by the nearest.
func lighten(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	coarse := func(c color.Color) uint32 {
		r, g, b, _ := c.RGBA()
		return (r>>8&0xf8)<<16 | (g>>8&0xf8)<<8 | b>>8&0xf8
	}
	counts, first := map[uint32]int{}, map[uint32]color.Color{}
	size := m.Bounds()
	for y := range size.Dy() {
		for x := range size.Dx() {
			c := coarse(m.At(x, y))
			if counts[c]++; counts[c] == 1 {
				first[c] = m.At(x, y)
			}
		}
	}
	frequent := slices.SortedFunc(maps.Keys(counts), func(a, b uint32) int { return cmp.Or(counts[b]-counts[a], int(a)-int(b)) })
	var palette color.Palette
	for _, c := range frequent[:min(256, len(frequent))] {
		palette = append(palette, first[c])
	}
	index := map[uint32]uint8{}
	out := image.NewPaletted(size, palette)
	for y := range size.Dy() {
		for x := range size.Dx() {
			c := coarse(m.At(x, y))
			i, known := index[c]
			if !known {
				i = uint8(palette.Index(first[c]))
				index[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
