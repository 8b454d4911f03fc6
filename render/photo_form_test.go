package render

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"html"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretPlace is hidden in the metadata of pictures: nothing that goes out may have it.
const secretPlace = "N39.9042 E116.4074"

// jpegSegment is a marker and what belongs to it.
func jpegSegment(marker byte, content string) string {
	return string([]byte{0xff, marker, byte((len(content) + 2) >> 8), byte(len(content) + 2)}) + content
}

// after puts more into a file.
func after(file []byte, at int, more string) []byte {
	return []byte(string(file[:at]) + more + string(file[at:]))
}

// pngPart is a chunk with its checksum.
func pngPart(kind, content string) string {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(content))), kind+content...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
}

// exif is a block of metadata: an orientation, and a place in its second directory.
func exif(t turn) string {
	b := []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x02" + "\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00" + "\x88\x25\x00\x04\x00\x00\x00\x01\x00\x00\x00\x26" + "\x00\x00\x00\x00")
	b[19] = byte(t)
	return "Exif\x00\x00" + string(b) + secretPlace
}

// photographed is a JPEG as a camera leaves it.
func photographed(tb testing.TB, m image.Image, t turn) []byte {
	tb.Helper()
	return after(jpegFile(tb, m), 2, jpegSegment(0xe1, exif(t)))
}

// fitted is a picture as a licence keeps it.
func fitted(tb testing.TB, file []byte) []byte {
	tb.Helper()
	kept, _, fault := FitPicture(file, true, math.MaxInt)
	if fault != "" {
		tb.Fatal(fault)
	}
	return kept
}

// TestFitPicture: by content, reduced, with the suffix of what it is.
func TestFitPicture(t *testing.T) {
	t.Parallel()
	clear := image.NewNRGBA(image.Rect(0, 0, 900, 100))
	for _, c := range []struct {
		name   string
		file   []byte
		holder bool
		suffix string
		size   image.Point
	}{
		{"JPEG", jpegFile(t, portrait(358, 441)), true, "jpg", image.Pt(358, 441)},
		{"large JPEG", jpegFile(t, portrait(960, 1280)), true, "jpg", image.Pt(480, 640)},
		{"grey JPEG", jpegFile(t, image.NewGray(image.Rect(0, 0, 9, 9))), true, "jpg", image.Pt(9, 9)},
		{"large PNG", pngFile(t, portrait(960, 1280)), true, "png", image.Pt(480, 640)},
		{"see-through PNG", pngFile(t, clear), true, "png", image.Pt(480, 53)},
		{"another picture", jpegFile(t, portrait(960, 1280)), false, "jpg", image.Pt(960, 1280)},
		{"another see-through picture", pngFile(t, clear), false, "png", image.Pt(900, 100)},
	} {
		kept, suffix, fault := FitPicture(c.file, c.holder, math.MaxInt)
		if fault != "" {
			t.Errorf("%s: %s", c.name, fault)
			continue
		}
		if size := pixelsOf(t, kept).Bounds().Size(); size != c.size || suffix != c.suffix {
			t.Errorf("%s: %v, .%s", c.name, size, suffix)
		}
	}
	if kept, _, _ := FitPicture(pngFile(t, clear), false, math.MaxInt); pixelsOf(t, kept).At(5, 5) != (color.NRGBA{}) {
		t.Error("a picture that is no photo is see-through no more")
	}
	for name, file := range map[string][]byte{"empty": nil, "GIF": []byte("GIF89a\x01\x00\x01\x00"), "BMP": []byte("BM\x46\x00"), "cut": jpegFile(t, portrait(20, 20))[:300]} {
		if kept, _, fault := FitPicture(file, false, math.MaxInt); kept != nil || !strings.Contains(fault, "PNG 或 JPEG") {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// TestFitPictureTwice: what came out comes out the same again, however often a licence is changed; and it is drawn as it is.
func TestFitPictureTwice(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"JPEG": jpegFile(t, portrait(358, 441)), "large JPEG": photographed(t, portrait(1200, 900), 6), "odd JPEG": jpegFile(t, noise(33, 17)),
		"tiny JPEG": jpegFile(t, noise(1, 1)), "noisy JPEG": jpegFile(t, noise(480, 640)), "grey JPEG": jpegFile(t, image.NewGray(image.Rect(0, 0, 40, 30))),
		"PNG": pngFile(t, portrait(358, 441)), "large PNG": pngFile(t, noise(700, 900)), "few colours": pngFile(t, image.NewPaletted(image.Rect(0, 0, 50, 20), color.Palette{color.Black, color.White})),
	} {
		for _, holder := range []bool{true, false} {
			once, _, fault := FitPicture(file, holder, math.MaxInt)
			if fault != "" {
				t.Fatal(name, fault)
			}
			twice, _, _ := FitPicture(once, holder, math.MaxInt)
			if !bytes.Equal(once, twice) {
				t.Errorf("%s (holder %v): %d bytes become %d", name, holder, len(once), len(twice))
			}
			if p := asWritten(once, photoWidth, photoHeight); holder && (p == nil || &p.file[0] != &once[0]) {
				t.Errorf("%s: not known again", name)
			}
		}
	}
}

// noise is a picture whose pixels, as a JPEG, hold every byte.
func noise(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	state := uint32(w*h) | 1
	for i := range m.Pix {
		state = state*1664525 + 1013904223
		m.Pix[i] = byte(state >> 24)
		if i%4 == 3 {
			m.Pix[i] = 0xff
		}
	}
	return m
}

// TestPhotoIsTurned: what the camera's note said is done, for the note does not stay.
func TestPhotoIsTurned(t *testing.T) {
	t.Parallel()
	corner := func(m image.Image) string { // of quarters red, green, blue, white: which is where
		b, out := m.Bounds(), ""
		for _, at := range []image.Point{{b.Dx() / 4, b.Dy() / 4}, {b.Dx() * 3 / 4, b.Dy() / 4}, {b.Dx() / 4, b.Dy() * 3 / 4}, {b.Dx() * 3 / 4, b.Dy() * 3 / 4}} {
			r, g, b, _ := m.At(b.Min.X+at.X, b.Min.Y+at.Y).RGBA()
			switch {
			case r > 0x8000 && g > 0x8000 && b > 0x8000:
				out += "w"
			case r > 0x8000:
				out += "r"
			case g > 0x8000:
				out += "g"
			default:
				out += "b"
			}
		}
		return out
	}
	m := image.NewRGBA(image.Rect(0, 0, 64, 32))
	for y := range 32 {
		for x := range 64 {
			m.SetRGBA(x, y, [][]color.RGBA{{{255, 0, 0, 255}, {0, 200, 0, 255}}, {{0, 0, 255, 255}, {255, 255, 255, 255}}}[y/16][x/32])
		}
	}
	for i, want := range []string{"rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"} {
		kept := pixelsOf(t, fitted(t, photographed(t, m, turn(i+1))))
		wide := i < 4
		if got := corner(kept); got != want || (kept.Bounds().Dx() > kept.Bounds().Dy()) != wide {
			t.Errorf("orientation %d: %s in %v, want %s", i+1, got, kept.Bounds(), want)
		}
	}
	if size := pixelsOf(t, fitted(t, photographed(t, portrait(1280, 960), 6))).Bounds().Size(); size != image.Pt(480, 640) {
		t.Errorf("a large one: %v", size)
	}
	for name, block := range map[string]string{
		"no directory": "Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff", "cut": exif(6)[:20], "of no turn": exif(9), "little-endian, none": "Exif\x00\x00II\x2a\x00\x08\x00\x00\x00\x01\x00",
	} {
		if got := turnOf(after(jpegFile(t, m), 2, jpegSegment(0xe1, block))); got != upright {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestTurningIsNoWorkForEachPixel: a turned picture is drawn once, and not asked for each of its pixels, which took most of a second for a photo.
func TestTurningIsNoWorkForEachPixel(t *testing.T) {
	file := photographed(t, portrait(600, 400), 6)
	if n := testing.AllocsPerRun(1, func() { FitPicture(file, false, math.MaxInt) }); n > 1000 {
		t.Errorf("%.0f pieces of memory", n)
	}
}

// foreign are files with something else in them, or of a form that this package does not write.
func foreign(tb testing.TB) map[string][]byte {
	tb.Helper()
	own, plain := fitted(tb, jpegFile(tb, portrait(60, 80))), fitted(tb, pngFile(tb, portrait(60, 80)))
	progressive, err := os.ReadFile(filepath.Join("testdata", "photo", "progressive.jpg"))
	if err != nil {
		tb.Fatal(err)
	}
	var coarse bytes.Buffer
	if err := jpeg.Encode(&coarse, portrait(60, 80), &jpeg.Options{Quality: photoQualities[0] - 1}); err != nil {
		tb.Fatal(err)
	}
	var deep bytes.Buffer
	if err := png.Encode(&deep, image.NewRGBA64(image.Rect(0, 0, 9, 9))); err != nil {
		tb.Fatal(err)
	}
	scanAt, idat := bytes.Index(own, scan), 8+25
	interlaced := bytes.Clone(plain)
	interlaced[28] = 1
	binary.BigEndian.PutUint32(interlaced[29:], crc32.ChecksumIEEE(interlaced[12:29]))
	markup, zip := "<script>alert(1)</script>", "PK\x05\x06"+strings.Repeat("\x00", 18)
	return map[string][]byte{
		"JPEG with a place":                 after(own, 2, jpegSegment(0xe1, exif(1))),
		"JPEG with JFIF":                    after(own, 2, jpegSegment(0xe0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")),
		"JPEG with a profile":               after(own, scanAt, jpegSegment(0xe2, "ICC_PROFILE\x00\x01\x01"+secretPlace)),
		"JPEG with a comment":               after(own, scanAt, jpegSegment(0xfe, markup)),
		"JPEG with restarts":                after(own, scanAt, jpegSegment(0xdd, "\xff\xff")),
		"JPEG with restarts of none":        after(own, scanAt, jpegSegment(0xdd, "\x00\x00")),
		"JPEG with fill bytes":              after(own, len(own)-2, "\xff\xff\xff"),
		"JPEG then HTML":                    append(bytes.Clone(own), markup...),
		"JPEG then ZIP":                     append(bytes.Clone(own), zip...),
		"JPEG then JPEG":                    append(bytes.Clone(own), own...),
		"JPEG with a restart in it":         after(own, len(own)-2, "\xff\xd0"),
		"JPEG with HTML behind pixels":      after(own, len(own)-2, markup),
		"JPEG with ZIP behind pixels":       after(own, len(own)-2, zip),
		"JPEG with tables for a thousandth": after(own, scanAt, jpegSegment(0xdb, "\x00"+strings.Repeat("\x01", 64))),
		"progressive JPEG":                  progressive,
		"JPEG of other quality":             coarse.Bytes(),
		"PNG with a place":                  after(plain, idat, pngPart("eXIf", exif(1)[6:])),
		"PNG with text":                     after(plain, idat, pngPart("tEXt", "Comment\x00"+secretPlace)),
		"PNG with text at the end":          after(plain, len(plain)-12, pngPart("tEXt", "Comment\x00"+markup)),
		"PNG with moves":                    after(plain, idat, pngPart("acTL", "\x00\x00\x00\x01\x00\x00\x00\x00")),
		"PNG then HTML":                     append(bytes.Clone(plain), markup...),
		"PNG then ZIP":                      append(bytes.Clone(plain), zip...),
		"interlaced PNG":                    interlaced,
		"PNG of 16 bits":                    deep.Bytes(),
		"grey PNG":                          pngFile(tb, image.NewGray(image.Rect(0, 0, 9, 9))),
	}
}

// TestForeignFormIsWrittenAnew: nothing but this package's own form is ever taken as it is, neither when a licence is made nor when it is drawn.
func TestForeignFormIsWrittenAnew(t *testing.T) {
	t.Parallel()
	for name, file := range foreign(t) {
		behind := strings.HasSuffix(name, "behind pixels")
		if p := asWritten(file, photoWidth, photoHeight); p != nil && !behind {
			t.Errorf("%s: taken for our own", name)
		}
		kept, _, fault := FitPicture(file, true, math.MaxInt)
		if bytes.Equal(kept, file) {
			t.Errorf("%s: kept as it is", name)
		}
		if fault != "" { // what the decoder does not read is not drawn either
			continue
		}
		for _, secret := range []string{secretPlace, "<script", "PK\x05\x06", "Exif", "ICC_"} {
			if bytes.Contains(kept, []byte(secret)) {
				t.Errorf("%s: %q travels on", name, secret)
			}
		}
		if asWritten(kept, photoWidth, photoHeight) == nil {
			t.Errorf("%s: not in our own form afterwards", name)
		}
	}
	own := fitted(t, jpegFile(t, portrait(60, 80)))
	if asWritten(own, 59, 80) != nil || asWritten(own, 60, 79) != nil {
		t.Error("larger than the bounds, and taken as it is")
	}
	broken := fitted(t, pngFile(t, portrait(60, 80)))
	broken[len(broken)-20] ^= 1
	if asWritten(broken, 60, 80) != nil {
		t.Error("a wrong checksum, and taken as it is")
	}
}

// TestMetadataIsNotDrawn: of a licence that was kept before pictures were cleaned, too, nothing hidden reaches a page or a file.
func TestMetadataIsNotDrawn(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"jpeg": photographed(t, portrait(358, 441), 1), "png": after(pngFile(t, portrait(358, 441)), 33, pngPart("tEXt", "Comment\x00"+secretPlace)),
	} {
		for _, view := range []*View{
			with(func(v *View) { v.Photo = file }), with(func(v *View) { v.Photo = file; v.Template = shipped(t, "marriage") }),
		} {
			if p, err := decodePhoto(file); err != nil || bytes.Contains(p.file, []byte(secretPlace)) {
				t.Errorf("%s: %v", name, err)
			}
			var page bytes.Buffer
			if err := Page(&page, view, Desktop); err != nil {
				t.Fatal(err)
			}
			kept, err := decodePhoto(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(html.UnescapeString(page.String()), "data:"+kept.mediaType()+";base64,"+base64.StdEncoding.EncodeToString(kept.file)) {
				t.Errorf("%s: the page has another picture", name)
			}
			pdf, err := dataOf(PDF(view))
			if err != nil {
				t.Fatal(err)
			}
			ofd, err := dataOf(OFD(view))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(pdf, []byte(secretPlace)) || bytes.Contains(ofd, []byte(secretPlace)) || !bytes.Contains(ofd, kept.file) {
				t.Errorf("%s: metadata in a file, or not the clean picture", name)
			}
			if kept.jpeg && !bytes.Contains(pdf, kept.file) {
				t.Error("the PDF has another picture")
			}
		}
	}
}

// FuzzAsWritten breaks pictures. What is taken as it is has the size that it says; what FitPicture returns can be read whole, is in our form and stays.
func FuzzAsWritten(f *testing.F) {
	for _, file := range foreign(f) {
		f.Add(file)
	}
	f.Add(fitted(f, jpegFile(f, noise(40, 30))))
	f.Add(fitted(f, pngFile(f, noise(40, 30))))
	f.Fuzz(func(t *testing.T, file []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(file)); err == nil && c.Width*c.Height > 1<<18 {
			return
		}
		if p := asWritten(file, photoWidth, photoHeight); p != nil {
			c, kind, err := image.DecodeConfig(bytes.NewReader(file))
			if err != nil || image.Pt(c.Width, c.Height) != p.size || p.mediaType() != "image/"+kind {
				t.Fatalf("%v of %v %s: %v", c, p.size, kind, err)
			}
		}
		kept, suffix, fault := FitPicture(file, true, math.MaxInt)
		if fault != "" {
			return
		}
		p := asWritten(kept, photoWidth, photoHeight)
		if p == nil || p.size != pixelsOf(t, kept).Bounds().Size() || p.jpeg != (suffix == "jpg") {
			t.Fatalf("kept in another form: %+v", p)
		}
		if again, _, _ := FitPicture(kept, true, math.MaxInt); !bytes.Equal(again, kept) {
			t.Fatal("not the same again")
		}
	})
}

// TestPictureForm: pictures that licences keep are known again by the form that was written before. Should the encoder ever write another one,
// all of before are encoded anew at each look (docs/formats.md).
func TestPictureForm(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kept.jpg", "kept-60.jpg", "kept-40.jpg", "kept-25.jpg"} {
		golden, err := os.ReadFile(filepath.Join("testdata", "photo", name))
		if err != nil {
			t.Fatal(err)
		}
		if p := asWritten(golden, 60, 80); p == nil || p.size != image.Pt(60, 80) || !p.jpeg {
			t.Errorf("%s, which a licence keeps, is not known: %+v", name, p)
		}
		if again, _, _ := FitPicture(golden, true, len(golden)); !bytes.Equal(again, golden) {
			t.Errorf("%s, which a licence keeps, is changed", name)
		}
	}
}

// TestFitPictureInRoom: where there is too little room for a JPEG it is encoded more coarsely, no more than need be.
func TestFitPictureInRoom(t *testing.T) {
	t.Parallel()
	file := jpegFile(t, noise(60, 80))
	longer, _, _ := FitPicture(file, true, math.MaxInt)
	for range photoQualities[1:] {
		if same, _, _ := FitPicture(file, true, len(longer)); !bytes.Equal(same, longer) {
			t.Errorf("what has %d bytes is not kept where there is room for them", len(longer))
		}
		kept, _, _ := FitPicture(file, true, len(longer)-1)
		if len(kept) >= len(longer) {
			t.Fatalf("%d bytes where there is room for %d", len(kept), len(longer)-1)
		}
		if again, _, _ := FitPicture(kept, true, len(kept)); !bytes.Equal(again, kept) {
			t.Errorf("what has %d bytes does not come out the same again", len(kept))
		}
		longer = kept
	}
}
