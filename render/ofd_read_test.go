package render

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// node is a piece of XML; names are without the prefix, which has to be ofd.
type node struct {
	name     string
	attrs    map[string]string
	children []*node
	text     string
}

// find returns the elements at a path of names below this one.
func (e *node) find(names ...string) []*node {
	if len(names) == 0 {
		return []*node{e}
	}
	var out []*node
	for _, c := range e.children {
		if c.name == names[0] {
			out = append(out, c.find(names[1:]...)...)
		}
	}
	return out
}

// walk visits the element and all below it.
func (e *node) walk(visit func(*node)) {
	visit(e)
	for _, c := range e.children {
		c.walk(visit)
	}
}

func (e *node) numbers(t testing.TB, attr string) []float64 {
	t.Helper()
	return parseNumbers(t, e.attrs[attr])
}

func parseNumbers(t testing.TB, list string) []float64 {
	t.Helper()
	var out []float64
	for _, s := range strings.Fields(list) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// ofdPackage is an OFD file taken apart, by a reader that shares nothing with the painter.
type ofdPackage struct {
	names []string // in the order of the file
	files map[string][]byte
	xml   map[string]*node // those that are reached from OFD.xml
	pages []string
	used  map[string]bool // files that something names
}

// ofdNS is the namespace, which the standard spells with the prefix ofd.
const ofdNS = "http://www.ofdspec.org/2016"

// openOFD reads a file as far as OFD.xml leads, and fails at whatever is not there.
func openOFD(t testing.TB, file []byte) *ofdPackage {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	p := &ofdPackage{files: map[string][]byte{}, xml: map[string]*node{}, used: map[string]bool{}}
	for _, f := range r.File {
		plain := f.Flags == 0 && f.ReaderVersion == 20 && f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) && len(f.Extra) == 0
		if !plain || f.Comment != "" || f.UncompressedSize64 == 0 || strings.HasSuffix(f.Name, "/") || p.files[f.Name] != nil {
			t.Fatalf("zip entry %+v", f.FileHeader)
		}
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in) // checks length and CRC
		if err != nil {
			t.Fatal(err)
		}
		p.names, p.files[f.Name] = append(p.names, f.Name), content
	}
	root := p.load(t, "OFD.xml")
	document := p.follow(t, "OFD.xml", root.find("DocBody", "DocRoot")[0])
	d := p.xml[document]
	for _, kind := range []string{"PublicRes", "DocumentRes"} {
		for _, e := range d.find("CommonData", kind) {
			name := p.follow(t, document, e)
			base := path.Join(path.Dir(name), p.xml[name].attrs["BaseLoc"])
			p.xml[name].walk(func(e *node) {
				if e.name == "FontFile" || e.name == "MediaFile" {
					p.resource(t, path.Join(base, e.text))
				}
			})
		}
	}
	for _, e := range d.find("Pages", "Page") {
		name := path.Join(path.Dir(document), e.attrs["BaseLoc"])
		p.load(t, name)
		p.pages = append(p.pages, name)
	}
	for _, e := range d.find("Attachments") {
		list := p.follow(t, document, e)
		for _, e := range p.xml[list].find("Attachment", "FileLoc") {
			p.resource(t, path.Join(path.Dir(list), e.text))
		}
	}
	return p
}

// follow loads the file that an element of another one names.
func (p *ofdPackage) follow(t testing.TB, from string, e *node) string {
	t.Helper()
	name := path.Join(path.Dir(from), e.text)
	p.load(t, name)
	return name
}

func (p *ofdPackage) resource(t testing.TB, name string) {
	t.Helper()
	p.used[name] = true
	if p.files[name] == nil {
		t.Fatalf("%s is named and not there", name)
	}
}

func (p *ofdPackage) load(t testing.TB, name string) *node {
	t.Helper()
	p.resource(t, name)
	root := parseElement(t, p.files[name])
	p.xml[name] = root
	return root
}

// parseElement reads a file of the standard's own XML.
func parseElement(t testing.TB, file []byte) *node {
	t.Helper()
	if !bytes.HasPrefix(file, []byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n<ofd:")) {
		t.Fatalf("begins with %.60q", file)
	}
	d := xml.NewDecoder(bytes.NewReader(file))
	stack := []*node{{}}
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Space != ofdNS {
				t.Fatalf("element %v", token.Name)
			}
			e := &node{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				if a.Name.Space == "" {
					e.attrs[a.Name.Local] = a.Value
				}
			}
			top.children, stack = append(top.children, e), append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(token)
		}
	}
	return stack[0].children[0]
}

// letter is a character where it stands on a page: millimetres.
type letter struct {
	r          rune
	x, y, size float64
	ink        colour
	font       string
	object     *node
}

// letters decodes the texts of a page as the standard has it (11.3, TextCode).
func (p *ofdPackage) letters(t testing.TB, page string) []letter {
	t.Helper()
	var out []letter
	for _, o := range p.xml[page].find("Content", "Layer", "TextObject") {
		rgb := o.find("FillColor")[0].numbers(t, "Value")
		ink := colour(rgb[0])<<16 | colour(rgb[1])<<8 | colour(rgb[2])
		edge, size := o.numbers(t, "Boundary"), o.numbers(t, "Size")[0]
		for _, code := range o.find("TextCode") {
			x, y := code.numbers(t, "X")[0], code.numbers(t, "Y")[0]
			dx, dy := code.numbers(t, "DeltaX"), code.numbers(t, "DeltaY")
			runes := []rune(code.text)
			if n := len(runes) - 1; len(dx) != 0 && len(dx) != n || len(dy) != 0 && len(dy) != n || n > 0 && len(dx)+len(dy) != n {
				t.Fatalf("%q has %d and %d distances", code.text, len(dx), len(dy))
			}
			for i, r := range runes {
				if i > 0 && len(dx) > 0 {
					x += dx[i-1]
				}
				if i > 0 && len(dy) > 0 {
					y += dy[i-1]
				}
				out = append(out, letter{r, edge[0] + x, edge[1] + y, size, ink, o.attrs["Font"], o})
			}
		}
	}
	return out
}

// spelling is how the standard spells each element that we use: its children, in this order unless they are the free
// ones of a page block or a resource list, and its attributes; those with a ! have to be there.
var spelling = map[string]struct{ children, attrs string }{
	"OFD":         {"DocBody!", "Version! DocType!"},
	"DocBody":     {"DocInfo! DocRoot! Versions Signatures", ""},
	"DocInfo":     {"DocID! Title Author Subject Abstract CreationDate ModDate DocUsage Cover Keywords Creator CreatorVersion CustomDatas", ""},
	"Document":    {"CommonData! Pages! Outlines Permissions Actions VPreferences Bookmarks Annotations CustomTags Attachments Extensions", ""},
	"CommonData":  {"MaxUnitID! PageArea! PublicRes DocumentRes TemplatePage DefaultCS", ""},
	"PageArea":    {"PhysicalBox! ApplicationBox ContentBox BleedBox", ""},
	"Area":        {"PhysicalBox! ApplicationBox ContentBox BleedBox", ""},
	"Pages":       {"Page!", ""},
	"Page":        {"Template PageRes Area Content Actions", "ID BaseLoc"}, // of the document, or a page file
	"Res":         {"ColorSpaces DrawParams Fonts MultiMedias CompositeGraphicUnits", "BaseLoc!"},
	"Fonts":       {"Font!", ""},
	"Font":        {"FontFile", "ID! FontName! FamilyName Charset Italic Bold Serif FixedWidth"},
	"MultiMedias": {"MultiMedia!", ""},
	"MultiMedia":  {"MediaFile!", "ID! Type! Format"},

	"CompositeGraphicUnits": {"CompositeGraphicUnit!", ""},
	"CompositeGraphicUnit":  {"Thumbnail Substitution Content!", "ID! Width! Height!"},
	"Content":               {"*", ""}, // layers of a page, objects of a unit
	"Layer":                 {"*", "ID! Type DrawParam"},
	"TextObject":            {"Actions Clips FillColor StrokeColor CGTransform TextCode!", "ID! Boundary! Font! Size! CTM Stroke Fill LineWidth"},
	"CGTransform":           {"Glyphs", "CodePosition! CodeCount GlyphCount"},
	"TextCode":              {"", "X Y DeltaX DeltaY"},
	"PathObject":            {"Actions Clips StrokeColor FillColor AbbreviatedData!", "ID! Boundary! CTM Stroke Fill Rule LineWidth"},
	"ImageObject":           {"Actions Clips Border", "ID! Boundary! CTM ResourceID!"},
	"CompositeObject":       {"Actions Clips", "ID! Boundary! CTM ResourceID!"},
	"FillColor":             {"", "Value"},
	"StrokeColor":           {"", "Value"},
	"Attachments":           {"Attachment", ""},
	"Attachment":            {"FileLoc!", "ID! Name! Format CreationDate ModDate Size Visible Usage"},
}

// checkSpelling compares an element and all below it with the standard.
func checkSpelling(t testing.TB, root *node) {
	t.Helper()
	words := func(list string) (names, needed []string) {
		for _, w := range strings.Fields(list) {
			name, must := strings.CutSuffix(w, "!")
			names = append(names, name)
			if must {
				needed = append(needed, name)
			}
		}
		return names, needed
	}
	root.walk(func(e *node) {
		s, known := spelling[e.name]
		if !known && (len(e.attrs) > 0 || len(e.children) > 0 || e.text == "") {
			t.Errorf("%s is not an element of the standard with a text alone", e.name)
			return
		}
		names, needed := words(s.children)
		at := 0
		for _, c := range e.children {
			i := slices.Index(names, c.name)
			if s.children != "*" && (i < 0 || i < at) {
				t.Errorf("%s has a %s where none may be", e.name, c.name)
			}
			at = max(at, i)
		}
		for _, name := range needed {
			if len(e.find(name)) == 0 {
				t.Errorf("%s has no %s", e.name, name)
			}
		}
		if len(e.children) > 0 && e.text != "" {
			t.Errorf("%s has text between its elements", e.name)
		}
		names, needed = words(s.attrs)
		for name := range e.attrs {
			if !slices.Contains(names, name) {
				t.Errorf("%s has an attribute %s", e.name, name)
			}
		}
		for _, name := range needed {
			if e.attrs[name] == "" {
				t.Errorf("%s has no attribute %s", e.name, name)
			}
		}
	})
}
