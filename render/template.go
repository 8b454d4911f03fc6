package render

import "slices"

// Template is the face of the licences of one item and license_group: where what stands, on which ground. It is declared in
// YAML (docs/templates.md), read once, never changed, and safe for concurrent use.
type Template struct {
	decl    templateDecl
	pages   []facePage
	version string
	faults  faults // where things stand in the file, for Check
	seals   sealCache
	placed  int // elements that are pictures: each is written out anew on every page that is drawn
	weight  int
}

// Weight is about how many bytes of memory the template's pictures take.
func (t *Template) Weight() int { return t.weight }

// facePage is a page ready to be filled in. Lengths are points.
type facePage struct {
	width, height float64
	paper         colour
	ground, art   *shape // paper and pale ornaments, below the watermark; strong ones, above it
	grey, greyArt *shape // the same for a licence that is not valid
	pictures      []*pictureMark
	elements      []*element
}

// The declaration as YAML has it. Lengths are millimetres, sizes of type and widths of lines points.
type templateDecl struct {
	Face   int        `yaml:"face"`  // version of this form: 1
	Name   string     `yaml:"name"`  // what administrators call it
	Print  string     `yaml:"print"` // sheet: set on A4, several together; page: each on a page of its own size
	Style  styleDecl  `yaml:"style"`
	Labels styleDecl  `yaml:"labels"`
	Pages  []pageDecl `yaml:"pages"`
}

type pageDecl struct {
	Size     sizeDecl   `yaml:"size"`
	Paper    colourDecl `yaml:"paper"`
	Elements []*element `yaml:"elements"`
}

// styleDecl is how a text looks; what is not given is as in the style around it.
type styleDecl struct {
	Size    float64    `yaml:"size"`
	Min     float64    `yaml:"min"`
	Weight  string     `yaml:"weight"` // regular, bold
	Colour  colourDecl `yaml:"colour"`
	Align   string     `yaml:"align"`  // left, center, right, justify
	Valign  string     `yaml:"valign"` // top, middle, bottom
	Leading float64    `yaml:"leading"`
	Spacing float64    `yaml:"spacing"` // points between characters
}

// element is one thing on a page; exactly one of its kinds is given.
type element struct {
	Text     string      `yaml:"text"`  // the same on every licence
	Field    string      `yaml:"field"` // by key
	Role     string      `yaml:"role"`  // the first field with it
	Value    string      `yaml:"value"` // of the licence itself
	Photo    bool        `yaml:"photo"`
	Seal     bool        `yaml:"seal"`
	QR       bool        `yaml:"qr"`
	Line     []float64   `yaml:"line"` // x1, y1, x2, y2
	Frame    bool        `yaml:"frame"`
	Fill     bool        `yaml:"fill"`
	Grid     *gridDecl   `yaml:"grid"`
	Pattern  string      `yaml:"pattern"`
	Ornament string      `yaml:"ornament"`
	Outline  string      `yaml:"outline"` // letters as a picture
	Picture  string      `yaml:"picture"` // an asset
	Copies   []copyDecl  `yaml:"copies"`  // Elements, once for each
	Elements []*element  `yaml:"elements"`
	Box      []float64   `yaml:"box"` // x, y, width, height
	Look     styleDecl   `yaml:",inline"`
	Ground   *colourDecl `yaml:"ground"` // under this text, where it is not the paper

	Label      string  `yaml:"label"`
	LabelWidth float64 `yaml:"label_width"`
	Pad        float64 `yaml:"pad"` // kept free on the left of a value
	Vertical   bool    `yaml:"vertical"`
	Prefix     string  `yaml:"prefix"`
	Suffix     string  `yaml:"suffix"`
	Empty      string  `yaml:"empty"`
	Date       string  `yaml:"date"`
	Overflow   string  `yaml:"overflow"` // carry, refuse
	Optional   bool    `yaml:"optional"` // the item need not have it; where the licence has none, the label is left out too

	Width  float64 `yaml:"width"` // of lines
	Radius float64 `yaml:"radius"`
	Count  int     `yaml:"count"`
	Step   float64 `yaml:"step"`
	Depth  float64 `yaml:"depth"`

	path string // in the file
	kind string
	box  box // points
	look style
}

// gridDecl is a table's lines: column widths and row heights.
type gridDecl struct {
	Columns []float64 `yaml:"columns"`
	Rows    []float64 `yaml:"rows"`
}

// copyDecl moves a block and says which fields it shows.
type copyDecl struct {
	At   []float64         `yaml:"at"`   // x, y added to every place
	Keys map[string]string `yaml:"keys"` // what stands for a field key, text or label beginning with $
}

// style is a styleDecl with nothing left open. Lengths are points.
type style struct {
	size, min, leading, spacing float64
	bold                        bool
	ink                         colour
	align, valign               string
}

// A FieldInfo is what a template must know of an item's field (registry.Field).
type FieldInfo struct {
	Key, Label, Type, Role string
	Hidden                 bool
}

// mm is a millimetre in points.
const mm = 72 / 25.4

// Bounds of a template.
const (
	mostYAML      = 256 << 10 // bytes
	mostPages     = 8
	mostElements  = 400     // a page, copies counted
	mostPoints    = 120_000 // numbers in the figures of a page
	mostAssets    = 8
	mostAsset     = 1 << 20 // bytes
	pageLeast     = 40.0    // mm
	pageMost      = 420.0
	typeLeast     = 4.0 // points
	typeMost      = 120.0
	footRoom      = 9.0  // mm at the foot of a page of its own size, for the particulars
	assetMostSide = 1000 // pixels; larger ones are reduced
	mostPictures  = 16   // elements, over all pages
)

// Parse reads a template. assets are the picture files that it names (PNG or JPEG, up to 1 MiB each). The error is Problems:
// every fault with its line and what to do, in Chinese.
func Parse(yaml []byte, assets map[string][]byte) (*Template, error) {
	t := &Template{version: Version(yaml, assets)}
	t.faults.read(yaml, &t.decl)
	if t.faults.err() == nil {
		t.build(assets)
	}
	if err := t.faults.err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Version names the content: 64 hexadecimal digits, the SHA-256 of declaration and assets. A licence keeps the version that it
// was issued under.
func (t *Template) Version() string { return t.version }

// Name is what administrators call the template.
func (t *Template) Name() string { return t.decl.Name }

// pictured says whether the holder's photo has a place.
func (t *Template) pictured() bool {
	return slices.ContainsFunc(t.pages, func(p facePage) bool {
		return slices.ContainsFunc(p.elements, func(e *element) bool { return e.kind == "photo" })
	})
}
