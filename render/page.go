package render

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"unicode/utf8"
)

//go:embed templates/*.html
var templateFiles embed.FS

var (
	pages           = template.Must(template.ParseFS(templateFiles, "templates/*.html"))
	licencePage     = pages.Lookup("licence.html")
	messageTemplate = pages.Lookup("message.html")
)

// licenceData is what licence.html draws. Texts are clean; the template escapes them.
type licenceData struct {
	Stylesheet  string
	Mobile      bool
	Title       string
	IDCode      string
	Standing    standing
	Fields      []Field
	MaskedTag   string
	MaskedNote  string
	Faces       []template.HTML // of the View's template
	Photo       template.URL
	PhotoBad    bool
	Issuer      string
	IssueDate   string
	Particulars []item
	Until       string
	Mark        tile
	Alive       *alive // nil: nobody says what time it is
}

// tile is the repeated piece of the page's watermark, in px.
type tile struct {
	Width, Height int
	Lines         []tileLine
}

type tileLine struct {
	Y    int
	Text string
}

// Page writes the H5 page (UTF-8): no script, no inline style; the style sheet is at StylesheetPath, the photo is a data:
// address. It runs under the policy default-src 'none'; img-src 'self' data:; style-src 'self'; font-src 'self'. An error is w's, or
// the template's; then nothing was written.
func Page(w io.Writer, v *View, variant Variant) error {
	data := &licenceData{
		Stylesheet:  v.fonts().StylesheetPath(),
		Mobile:      variant == Mobile,
		Title:       oneLine(v.Title),
		IDCode:      oneLine(v.IDCode),
		Standing:    v.standing(),
		MaskedTag:   maskedTag,
		Issuer:      oneLine(v.Issuer),
		IssueDate:   oneLine(v.IssueDate),
		Particulars: v.particulars(),
		Until:       stamp(v.ExpiresAt),
		Mark:        pageTile(v.watermark()),
		Alive:       v.alive(),
	}
	if v.MaskedNote {
		data.MaskedNote = maskedNote
	}
	for _, f := range v.Fields {
		shown := Field{Label: oneLine(f.Label), Value: clean(f.Value), Masked: f.Masked}
		if f.Masked {
			shown.Reason = reason(&f)
		}
		data.Fields = append(data.Fields, shown)
	}
	if v.Template != nil {
		var err error
		if data.Faces, err = faces(v); err != nil {
			return err
		}
	}
	if len(v.Photo) > 0 && (v.Template == nil || !v.Template.pictured()) {
		address, err := photoAddress(v.Photo)
		data.Photo, data.PhotoBad = address, err != nil // a note stands in its place
	}
	size := 24<<10 + len(data.Photo)
	for _, face := range data.Faces {
		size += len(face)
	}
	return execute(w, licencePage, data, size)
}

// faces draws the pages of the View's template. Only this package's own painter is
// trusted to write markup; it escapes every text.
func faces(v *View) (drawn []template.HTML, err error) {
	d := &drawing{fonts: newTypesetter(v.fonts())}
	if err := newComposer(v, d.fonts).faces(d); err != nil {
		return nil, fmt.Errorf("draw face: %w", err)
	}
	for i, s := range d.sheets {
		name := "证面"
		if len(d.sheets) > 1 {
			name = fmt.Sprintf("证面第 %d 面", i+1)
		}
		b, err := s.svg(make([]byte, 0, s.svgSize()), name)
		if err != nil {
			return nil, fmt.Errorf("draw face: %w", err)
		}
		drawn = append(drawn, template.HTML(b))
	}
	return drawn, nil
}

// photoAddress returns the photo, as this package writes it, as a data: address. Only this package's own base64 is trusted.
func photoAddress(file []byte) (template.URL, error) {
	p, err := decodePhoto(file)
	if err != nil {
		return "", err
	}
	return template.URL("data:" + p.mediaType() + ";base64," + base64.StdEncoding.EncodeToString(p.file)), nil
}

// pageTile lays the watermark out for the page. SVG does not tell how wide a text is, so characters are reckoned full
// width; the tile then is never too narrow.
func pageTile(lines []string) tile {
	const size, leading, gap = 14, 22, 56
	t := tile{Height: leading*len(lines) + gap}
	for i, line := range lines {
		t.Width = max(t.Width, utf8.RuneCountInString(line)*size)
		t.Lines = append(t.Lines, tileLine{Y: size + 8 + i*leading, Text: line})
	}
	t.Width += gap
	return t
}

// messageData is what message.html draws.
type messageData struct {
	Stylesheet, Title, Text, Code, ResponseID string
}

// MessagePage writes a page that says why there is no licence to see, and in text what to do; code and responseID are
// for whoever helps.
func MessagePage(w io.Writer, title, text, code, responseID string) error {
	return execute(w, messageTemplate, &messageData{
		Stylesheet: embedded.StylesheetPath(), Title: oneLine(title), Text: clean(text), Code: oneLine(code), ResponseID: oneLine(responseID),
	}, 0)
}

// execute writes the whole page or, when the template fails, nothing. size is about how many bytes it takes; 0: few.
func execute(w io.Writer, t *template.Template, data any, size int) error {
	b, given := w.(*bytes.Buffer) // as the gateway's are: written without another copy
	if !given {
		b = new(bytes.Buffer)
	}
	before := b.Len()
	b.Grow(size)
	if err := t.Execute(b, data); err != nil {
		b.Truncate(before)
		return fmt.Errorf("render %s: %w", t.Name(), err)
	}
	if given {
		return nil
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
