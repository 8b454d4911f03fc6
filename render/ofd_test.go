package render

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// specimen is a drawing that has one of everything.
func specimen(t testing.TB) *drawing {
	t.Helper()
	d := &drawing{fonts: newTypesetter(embedded)}
	s := d.newSheet(300, 200)
	letters, err := &figure{}, error(nil)
	if _, err = letters.outlines(embedded, 20, "印", turned(0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	stamp := &shape{marks: []*figureMark{{figure: letters, ink: 0xf8d9d6}, {figure: rectangle(-4, -22, 30, 30), ink: 0xe7e9ec, width: 1}}}
	s.place(stamp, turned(math.Pi/6, 150, 60))
	s.place(stamp, matrix{a: 2, d: 1.5, e: 200, f: 80})
	s.marks = append(s.marks, &placeMark{shape: stamp, at: turned(0, 110, 150), clip: box{104, 130, 20, 18}},
		&placeMark{shape: stamp, at: turned(0, 110, 150), clip: box{10, 10, 10, 10}}) // of which nothing is seen
	s.text(20, 30, 12, ink, "证照 A<b>&\"c")
	s.text(20, 60, 12, 0x123456, "隔开").spacing = 6
	s.text(20, 90, 12, ink, "甲𬱖乙𠀀𰻞丙")
	down := s.text(270, 30, 12, ink, "竖排𬱖字")
	down.vertical, down.spacing = true, 3
	s.bold(20, 120, 20, red, "重W")
	ring := ellipse(170, 130, 30, 20)
	inner := ellipse(170, 130, 10, 8) // the same way round: filled by the nonzero rule, a hole by the other
	ring.operators, ring.points = append(ring.operators, inner.operators...), append(ring.points, inner.points...)
	s.fill(ring, gold)
	s.line(20, 150, 120, 150, 0.5, grey)
	s.frame(20, 155, 60, 30, 2, quiet)
	photo, err := decodePhoto(pngFile(t, portrait(60, 80)))
	if err != nil {
		t.Fatal(err)
	}
	s.marks = append(s.marks, &pictureMark{x: 225, y: 110, w: 60, h: 80, photo: photo})
	s.fill(rectangle(130, 160, 40, 30), 0xfaf6e9)
	s.place(stamp, turned(0, 140, 185)) // above the ground: a resource again
	d.newSheet(300, 100).text(10, 20, 9, ink, "第二页")
	return d
}

// specimenOFD and specimenPDF are the specimen on both devices.
func specimenOFD(t testing.TB) []byte {
	t.Helper()
	file, err := paintOFD(specimen(t), &ofdAbout{
		title: "样<张>", date: "2026-01-02", moment: "2026-01-02T03:04:05+08:00", data: []byte("<licence/>"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func specimenPDF(t testing.TB) []byte {
	t.Helper()
	d := &document{}
	catalog, tree := d.reserve(), d.reserve()
	kids, err := d.paint(specimen(t), tree)
	if err != nil {
		t.Fatal(err)
	}
	d.put(tree, fmt.Sprintf("<< /Type /Pages /Count %d /Kids %v >>", len(kids), kids))
	d.put(catalog, fmt.Sprintf("<< /Type /Catalog /Pages %s >>", tree))
	return d.finish(catalog, d.add(info("", time.Time{})))
}

// pair is a drawing on both devices.
type pair struct{ ofd, pdf []byte }

// pairs are the specimen, a void licence of several pages, and licences of shipped templates.
func pairs(t testing.TB, templates ...string) map[string]pair {
	t.Helper()
	all := map[string]pair{"specimen": {specimenOFD(t), specimenPDF(t)}}
	views := map[string]*View{"licence": with(func(v *View) {
		v.Status, v.Photo = "ABOLISHED", jpegFile(t, portrait(358, 441))
		v.Fields[2].Value += "𬱖与𠀀"
		v.Fields[3].Value = strings.Repeat("很长的内容需要换页，", 90)
	})}
	for _, name := range templates {
		views[name] = held(t, name)
	}
	for name, v := range views {
		ofd, err := dataOf(OFD(v))
		if err != nil {
			t.Fatal(err)
		}
		pdf, err := dataOf(PDF(v))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = pair{ofd, pdf}
	}
	return all
}

// TestOFDSpecimen compares every file of the package but fonts and pictures with testdata/ofd/specimen.txt.
func TestOFDSpecimen(t *testing.T) {
	t.Parallel()
	file := specimenOFD(t)
	p := openOFD(t, file)
	var got bytes.Buffer
	for _, name := range p.names {
		content := p.files[name]
		if !strings.HasSuffix(name, ".xml") {
			content = fmt.Appendf(nil, "%d bytes", len(content))
		}
		fmt.Fprintf(&got, "== %s\n%s\n", name, bytes.ReplaceAll(bytes.TrimSpace(content), []byte("><"), []byte(">\n<")))
	}
	const golden = "testdata/ofd/specimen.txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("not as in %s:\n%s", golden, got.Bytes())
	}
	checkOFD(t, file)
}

// checkOFD judges a package as a strict reader would.
func checkOFD(t testing.TB, file []byte) *ofdPackage {
	t.Helper()
	p := openOFD(t, file)
	kinds, greatest := map[string]string{}, 0
	for _, name := range slices.Sorted(maps.Keys(p.xml)) {
		checkSpelling(t, p.xml[name])
		p.xml[name].walk(func(e *node) {
			id := e.attrs["ID"]
			if id == "" || e.name == "Attachment" { // whose identifiers are names of another list
				return
			}
			n, err := strconv.Atoi(id)
			if err != nil || n < 1 || kinds[id] != "" {
				t.Errorf("%s: %s has the identifier %q of a %s", name, e.name, id, kinds[id])
			}
			kinds[id], greatest = e.name, max(greatest, n)
		})
	}
	if most := p.xml["Doc_0/Document.xml"].find("CommonData", "MaxUnitID")[0].text; most != strconv.Itoa(greatest) {
		t.Errorf("MaxUnitID is %s, the greatest %d", most, greatest)
	}
	wants := map[string]string{"ImageObject": "MultiMedia", "CompositeObject": "CompositeGraphicUnit", "TextObject": "Font"}
	used := map[string]bool{}
	for _, root := range p.xml {
		root.walk(func(e *node) {
			ref := e.attrs["ResourceID"] + e.attrs["Font"]
			if want := wants[e.name]; want != "" && kinds[ref] != want {
				t.Errorf("%s refers to %q, which is a %q", e.name, ref, kinds[ref])
			}
			used[ref] = true
			if e.attrs["Boundary"] != "" {
				if edge := e.numbers(t, "Boundary"); len(edge) != 4 || edge[2] <= 0 || edge[3] <= 0 {
					t.Errorf("%s has the boundary %v", e.name, edge)
				}
			}
		})
	}
	for id, kind := range kinds {
		if slices.Contains(slices.Collect(maps.Values(wants)), kind) && !used[id] {
			t.Errorf("nothing uses %s %s", kind, id)
		}
	}
	for _, name := range p.names {
		if !p.used[name] {
			t.Errorf("nothing names %s", name)
		}
	}
	id := p.xml["OFD.xml"].find("DocBody", "DocInfo", "DocID")[0].text
	if p.names[0] != "OFD.xml" || !regexp.MustCompile(`^[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}$`).MatchString(id) {
		t.Errorf("DocID %q, %q is the first file", id, p.names[0])
	}
	checkLetters(t, p)
	return p
}

// checkLetters looks every character up in the font file that its object names: it is there, drawn as the font at hand
// draws it, inside the object's boundary, and known by its glyph's number where it lies beyond the BMP.
func checkLetters(t testing.TB, p *ofdPackage) {
	t.Helper()
	fonts := map[string]*font{}
	for _, e := range p.xml["Doc_0/Document.xml"].find("CommonData", "PublicRes") {
		for _, e := range p.xml["Doc_0/"+e.text].find("Fonts", "Font") {
			f, err := parseFont(e.attrs["FontName"], p.files["Doc_0/Res/"+e.find("FontFile")[0].text])
			if err != nil {
				t.Fatal(err)
			}
			fonts[e.attrs["ID"]] = f
		}
	}
	for _, page := range p.pages {
		for _, l := range p.letters(t, page) {
			f := fonts[l.font]
			id := f.glyph(l.r)
			want, old, _ := embedded.drawnAs(l.r)
			if id == 0 || f.advance(id) != want.advance(old) {
				t.Errorf("%q is glyph %d of %s", l.r, id, f.name)
				continue
			}
			got, err := f.outlineData(id)
			if err != nil {
				t.Fatal(err)
			}
			outline, err := want.outlineData(old)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(got, outline) || len(got) > len(outline)+3 {
				t.Errorf("%q is drawn as something else", l.r)
			}
			transforms := l.object.find("CGTransform")
			if (l.r > 0xffff) != (len(transforms) == 1) {
				t.Errorf("%q has %d glyph transforms", l.r, len(transforms))
			}
			for _, e := range transforms {
				codes := l.object.find("TextCode")
				if e.find("Glyphs")[0].text != strconv.Itoa(int(id)) || e.attrs["CodePosition"] != "0" || len(codes) != 1 || codes[0].text != string(l.r) {
					t.Errorf("%q has the glyph transform %+v", l.r, e)
				}
			}
			edge, em := l.object.numbers(t, "Boundary"), l.size/float64(want.unitsPerEm)
			if len(outline) > 0 {
				x0, y0 := l.x+em*float64(signed16(outline[2:])), l.y-em*float64(signed16(outline[8:]))
				x1, y1 := l.x+em*float64(signed16(outline[6:])), l.y-em*float64(signed16(outline[4:]))
				const rounding = 0.002
				if x0 < edge[0]-rounding || y0 < edge[1]-rounding || x1 > edge[0]+edge[2]+rounding || y1 > edge[1]+edge[3]+rounding {
					t.Errorf("%q at %.3f %.3f to %.3f %.3f is cut off by %v", l.r, x0, y0, x1, y1, edge)
				}
			}
		}
	}
}

// TestOFDIsSound takes every kind of document apart.
func TestOFDIsSound(t *testing.T) {
	t.Parallel()
	views := kinds(t)
	for _, name := range ShippedTemplates() {
		views[name] = held(t, name)
	}
	for name, v := range views {
		data, err := dataOf(OFD(v))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkOFD(t, data)
		if t.Failed() {
			t.Fatalf("in %s", name)
		}
	}
}

// TestOFDCheckCanFail makes sure that the checks check.
func TestOFDCheckCanFail(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(root *node){
		"order":     func(e *node) { slices.Reverse(e.find("DocBody", "DocInfo")[0].children) },
		"missing":   func(e *node) { e.find("DocBody")[0].children = e.find("DocBody", "DocInfo") },
		"unknown":   func(e *node) { e.children = append(e.children, &node{name: "Nonsense"}) },
		"attribute": func(e *node) { e.attrs["Colour"] = "red" },
	} {
		p, spy := openOFD(t, specimenOFD(t)), &quietly{TB: t}
		breaks(p.xml["OFD.xml"])
		checkSpelling(spy, p.xml["OFD.xml"])
		if !spy.failed {
			t.Errorf("%s passes", name)
		}
	}
}

// quietly takes note of a failure that is expected.
type quietly struct {
	testing.TB
	failed bool
}

func (q *quietly) Errorf(string, ...any) { q.failed = true }

// pdfLetters asks mutool where the characters of a PDF stand: millimetres, blanks left out.
func pdfLetters(t *testing.T, file []byte, page int) []letter {
	t.Helper()
	name := filepath.Join(t.TempDir(), "page.pdf")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "mutool", "draw", "-q", "-F", "stext", "-o", name+".xml", name, strconv.Itoa(page))
	text, err := os.ReadFile(name + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	var out []letter
	d, size := xml.NewDecoder(bytes.NewReader(text)), 0.0
	for {
		token, err := d.Token()
		if err != nil {
			return out
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attrs := map[string]string{}
		for _, a := range e.Attr {
			attrs[a.Name.Local] = a.Value
		}
		number := func(name string) float64 { return parseNumbers(t, attrs[name])[0] * 25.4 / 72 }
		switch e.Name.Local {
		case "font":
			size = number("size")
		case "char":
			if r := []rune(attrs["c"])[0]; strings.TrimSpace(string(r)) != "" {
				ink, err := strconv.ParseUint(strings.TrimPrefix(attrs["color"], "#"), 16, 24)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, letter{r: r, x: number("x"), y: number("y"), size: size, ink: colour(ink)})
			}
		}
	}
}

// alike allows for a PDF's colours having three digits.
func alike(a, b colour) bool {
	for range 3 {
		if d := int(a&0xff) - int(b&0xff); d < -1 || d > 1 {
			return false
		}
		a, b = a>>8, b>>8
	}
	return true
}

// TestOFDLettersStandAsInPDF compares every character's place, size and colour with what mutool finds in the PDF.
func TestOFDLettersStandAsInPDF(t *testing.T) {
	t.Parallel()
	for name, c := range pairs(t, ShippedTemplates()...) {
		p := openOFD(t, c.ofd)
		for i, page := range p.pages {
			want, all := pdfLetters(t, c.pdf, i+1), p.letters(t, page)
			got := slices.DeleteFunc(slices.Clone(all), func(l letter) bool { return strings.TrimSpace(string(l.r)) == "" })
			if len(got) != len(want) || len(got) == 0 {
				t.Fatalf("%s page %d: %d characters, %d in the PDF", name, i+1, len(got), len(want))
			}
			for _, l := range got {
				at := slices.IndexFunc(want, func(w letter) bool {
					return w.r == l.r && alike(w.ink, l.ink) && math.Hypot(w.x-l.x, w.y-l.y) < 0.01 && math.Abs(w.size-l.size) < 0.01
				})
				if at < 0 {
					t.Errorf("%s page %d: %q at %.3f %.3f, size %.3f, %06x, is not in the PDF", name, i+1, l.r, l.x, l.y, l.size, l.ink)
					continue
				}
				want = slices.Delete(want, at, at+1)
			}
		}
	}
}

func TestOFDSameViewSameBytes(t *testing.T) {
	t.Parallel()
	checkReproducible(t, OFD, func(file []byte) string {
		return openOFD(t, file).xml["OFD.xml"].find("DocBody", "DocInfo", "DocID")[0].text
	})
}

// TestOFDAttachedData holds the attached data to version 1: what the page says, and nothing else.
func TestOFDAttachedData(t *testing.T) {
	t.Parallel()
	data, err := dataOf(OFD(with(func(v *View) {
		v.Issuer, v.Fields = "", []Field{{Key: "name", Label: "姓名", Value: "张**", Masked: true}, {Label: `备"注`, Value: "甲<乙>&\x00\n丙𬱖"}}
	})))
	if err != nil {
		t.Fatal(err)
	}
	p := openOFD(t, data)
	e := p.xml["Doc_0/Attachs/Attachments.xml"].find("Attachment")[0]
	if e.attrs["Name"] != "证照数据.xml" || e.attrs["Format"] != "xml" || e.attrs["CreationDate"] != "2026-11-23T12:05:06+08:00" {
		t.Errorf("attachment %+v", e.attrs)
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<licence version="1">
 <title>内地居民婚姻登记证</title>
 <status>ISSUED</status>
 <code>110105202000000A1B</code>
 <number>J110105-2020-001234</number>
 <holder>张**</holder>
 <issueDate>2020年2月14日</issueDate>
 <validity>2020-02-14 至 长期</validity>
 <viewer>北京市住房和城乡建设委员会 王建国</viewer>
 <purpose>仅用于办理不动产登记业务</purpose>
 <at>2026-11-23 12:05:06</at>
 <field key="name" label="姓名" masked="true">张**</field>
 <field label="备&#34;注">甲&lt;乙&gt;&amp;〓&#xA;丙𬱖</field>
</licence>
`
	if got := string(p.files["Doc_0/Attachs/licence.xml"]); got != want {
		t.Errorf("attached: %s", got)
	}
}

func TestOFDPictures(t *testing.T) {
	t.Parallel()
	for format, file := range map[string][]byte{"JPEG": jpegFile(t, portrait(358, 441)), "PNG": pngFile(t, portrait(358, 441))} {
		data, err := dataOf(OFD(with(func(v *View) { v.Photo = file })))
		if err != nil {
			t.Fatal(err)
		}
		p := openOFD(t, data)
		media := p.xml["Doc_0/DocumentRes.xml"].find("MultiMedias", "MultiMedia")
		if len(media) != 1 || media[0].attrs["Format"] != format || media[0].attrs["Type"] != "Image" {
			t.Fatalf("%s: media %+v", format, media)
		}
		photo, err := decodePhoto(p.files["Doc_0/Res/"+media[0].find("MediaFile")[0].text])
		if err != nil || photo.jpeg != (format == "JPEG") || photo.size.X != 358 {
			t.Errorf("%s: %v", format, err)
		}
		images := p.xml[p.pages[0]].find("Content", "Layer", "ImageObject")
		if len(images) != 1 {
			t.Fatalf("%s: %d pictures", format, len(images))
		}
		edge, stretch := images[0].numbers(t, "Boundary"), images[0].numbers(t, "CTM")
		if want := []float64{edge[2], 0, 0, edge[3], 0, 0}; !slices.Equal(stretch, want) || math.Abs(edge[2]/edge[3]-358.0/441) > 0.001 {
			t.Errorf("%s: in %v stretched by %v", format, edge, stretch)
		}
	}
}

func TestOFDWithoutTime(t *testing.T) {
	t.Parallel()
	data, err := dataOf(OFD(&View{}))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(openOFD(t, data).files["OFD.xml"]); strings.Contains(got, "Date") || strings.Contains(got, "Title") {
		t.Errorf("OFD.xml: %s", got)
	}
}

func BenchmarkOFD(b *testing.B) { benchmarkFile(b, OFD, sample()) }

func BenchmarkOFDPhoto(b *testing.B) {
	benchmarkFile(b, OFD, with(func(v *View) { v.Photo = jpegFile(b, portrait(358, 441)) }))
}

func BenchmarkFaceOFD(b *testing.B) {
	for _, name := range ShippedTemplates() {
		b.Run(name, func(b *testing.B) { benchmarkFile(b, OFD, held(b, name)) })
	}
}

// TestFontOfManyCharacters has more characters, no two in a row, than the cmap's first subtable can hold: the second has them all.
func TestFontOfManyCharacters(t *testing.T) {
	t.Parallel()
	fonts := newUsedFonts(embedded)
	for r := rune(0x4e00 + mostSegments + 1000); r > 0x4e00; r-- {
		fonts.glyph(r)
	}
	s := fonts.subsets[0]
	file, err := s.installable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parseFont("many", file)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.runes) <= mostSegments {
		t.Fatalf("only %d characters", len(s.runes))
	}
	for i, r := range s.runes {
		if id := f.glyph(r); int(id) != i+1 {
			t.Errorf("%q is glyph %d, want %d", r, id, i+1)
		}
	}
	cmap := cmapTable(s.ids)
	if length := int(binary.BigEndian.Uint16(cmap[22:])); length != 16+8*(mostSegments+1) {
		t.Errorf("the first subtable says that it has %d bytes", length)
	}
}
