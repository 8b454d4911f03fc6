package render

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// FuzzPDF puts any text anywhere: a whole file comes out, and never a panic.
func FuzzPDF(f *testing.F) {
	fuzzFile(f, PDF, func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, []byte("%PDF-1.4\n")) || !bytes.HasSuffix(data, []byte("%%EOF\n")) {
			t.Fatal("not a whole file")
		}
	})
}

// FuzzOFD does the same.
func FuzzOFD(f *testing.F) {
	fuzzFile(f, OFD, func(t *testing.T, data []byte) { checkOFD(t, data) })
}

func fuzzFile(f *testing.F, draw func(*View) (*File, error), check func(*testing.T, []byte)) {
	f.Helper()
	for _, text := range hostile {
		f.Add(text, "ISSUED", []byte(text))
	}
	f.Add("张三", "ABOLISHED", jpegFile(f, portrait(8, 10)))
	f.Add("张三", "EXPIRED", pngFile(f, portrait(8, 10)))
	f.Fuzz(func(t *testing.T, text, status string, photo []byte) {
		if len(text) > 1<<14 {
			return
		}
		v := hostileView(text)
		v.Status, v.Photo = status, photo
		data, err := dataOf(draw(v))
		if err != nil {
			t.Fatal(err)
		}
		check(t, data)
	})
}

// FuzzPage puts any text anywhere: what the page's parser sees is text, never more elements than a harmless page has.
func FuzzPage(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, variant := range []Variant{Desktop, Mobile} {
			var b bytes.Buffer
			if err := Page(&b, hostileView(text), variant); err != nil {
				t.Fatal(err)
			}
			checkHarmless(t, b.String())
		}
		var b bytes.Buffer
		if err := MessagePage(&b, text, text, text, text); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, b.String())
	})
}

// FuzzParseFont breaks a font file: parsing, looking up and tracing refuse rather than panic.
func FuzzParseFont(f *testing.F) {
	whole := tinyFont(f)
	f.Add(whole)
	f.Add(ownFont(f, nil))
	for _, at := range []int{5, 20, 100, 300, len(whole) / 2, len(whole) - 8} {
		broken := bytes.Clone(whole)
		broken[at] ^= 0xff
		f.Add(broken)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		font, err := parseFont("fuzz", data)
		if err != nil {
			return
		}
		s := newSubset(font)
		_ = font.fit()
		for _, r := range "AB一𬱖" {
			id := font.glyph(r)
			s.add(r, id)
			if contours, err := font.contours(id); err == nil {
				trace(contours, &sinkRecorder{})
			}
		}
		_, _ = s.file()
	})
}

func FuzzBreakLines(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, 40.0)
	}
	f.Fuzz(func(t *testing.T, text string, width float64) {
		text = clean(text)
		lines := breakLines(text, width, func(rune) float64 { return 1 })
		if got, want := squeezed(strings.Join(lines, "")), squeezed(text); got != want {
			t.Fatalf("%q became %q", want, got)
		}
	})
}

func BenchmarkPage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := Page(io.Discard, sample(), Desktop); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPageShown is a page with a QR code, made anew for each page as the gateway does.
func BenchmarkPageShown(b *testing.B) {
	v := shownCode(b)
	for b.Loop() {
		var err error
		if v.QR, err = QRCode(checkAddress); err != nil {
			b.Fatal(err)
		}
		if err := Page(io.Discard, v, Mobile); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPagePhoto(b *testing.B) {
	v := with(func(v *View) { v.Photo = jpegFile(b, portrait(358, 441)) })
	b.ReportAllocs()
	for b.Loop() {
		if err := Page(io.Discard, v, Desktop); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPDF(b *testing.B) { benchmarkFile(b, PDF, sample()) }

func BenchmarkPDFPhoto(b *testing.B) {
	benchmarkFile(b, PDF, with(func(v *View) { v.Photo = jpegFile(b, portrait(358, 441)) }))
}

func benchmarkFile(b *testing.B, draw func(*View) (*File, error), v *View) {
	if err := embedded.check(); err != nil { // paid once a process: BenchmarkLoadFont
		b.Fatal(err)
	}
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		data, err := draw(v)
		if err != nil {
			b.Fatal(err)
		}
		size = len(data.Data)
	}
	b.ReportMetric(float64(size), "bytes/file")
}

func BenchmarkLoadFont(b *testing.B) {
	for name, packed := range map[string][]byte{"NotoSansSC": notoSansSC, "GlyphWikiMincho": glyphWikiMincho} {
		b.Run(name, func(b *testing.B) { benchmarkLoadFont(b, packed) })
		b.Run(name+"/characters", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := embeddedFace(name, packed, "").covers(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkLoadFont(b *testing.B, packed []byte) {
	b.ReportAllocs()
	for b.Loop() {
		data, err := unpack(packed)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := parseFont("font", data); err != nil {
			b.Fatal(err)
		}
	}
}
