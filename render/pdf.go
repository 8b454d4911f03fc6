package render

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"strings"
)

// PDF returns an A4 PDF/A-1b with embedded, subset fonts and extractable text: one page, more only where the text does
// not fit on one. The same View gives the same bytes. Characters that no font has are drawn as 〓; a photo that cannot
// be read is named as such in its place.
func PDF(v *View) ([]byte, error) {
	if err := v.fonts().check(); err != nil {
		return nil, err
	}
	d := &document{}
	catalog, tree := d.reserve(), d.reserve()
	title := oneLine(v.Title)

	marks, drawMarks, err := addMarks(d, v)
	if err != nil {
		return nil, fmt.Errorf("pdf watermark: %w", err)
	}
	s := &sheet{view: v, fonts: newTypesetter(v.fonts()), marks: drawMarks}
	xobjects := marks
	if len(v.Photo) > 0 {
		s.photo, _ = decodePhoto(v.Photo) // an unreadable one leaves a note on the sheet
		if s.photo != nil {
			image, err := s.photo.embed(d)
			if err != nil {
				return nil, fmt.Errorf("pdf photo: %w", err)
			}
			xobjects += fmt.Sprintf(" /Photo %s", image)
		}
	}
	s.compose()

	fonts, err := s.fonts.embed(d)
	if err != nil {
		return nil, fmt.Errorf("pdf fonts: %w", err)
	}
	resources := d.add(fmt.Sprintf("<< /Font %s /XObject << %s >> >>", fonts, xobjects))
	var kids strings.Builder
	for _, page := range s.pages {
		content, err := d.packed("", page.Bytes())
		if err != nil {
			return nil, fmt.Errorf("pdf page: %w", err)
		}
		kid := d.add(fmt.Sprintf("<< /Type /Page /Parent %s /MediaBox [0 0 %s %s] /Resources %s /Contents %s >>",
			tree, number(pageWidth), number(pageHeight), resources, content))
		fmt.Fprintf(&kids, "%s ", kid)
	}
	d.put(tree, fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(s.pages), strings.TrimSpace(kids.String())))

	profile, err := d.packed("/N 3", sRGB())
	if err != nil {
		return nil, fmt.Errorf("pdf colour profile: %w", err)
	}
	intent := d.add(fmt.Sprintf("<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB) /DestOutputProfile %s >>", profile))
	metadata := d.stream("/Type /Metadata /Subtype /XML", xmp(title, v.At)) // readable without a PDF reader: not compressed
	d.put(catalog, fmt.Sprintf("<< /Type /Catalog /Pages %s /Lang (zh-CN) /Metadata %s /OutputIntents [%s] /ViewerPreferences << /DisplayDocTitle true >> >>",
		tree, metadata, intent))
	return d.finish(catalog, d.add(info(title, v.At))), nil
}

// embed adds the photo as an image: JPEG stays JPEG, PNG becomes plain pixels.
func (p *photo) embed(d *document) (ref, error) {
	size := p.pixels.Rect.Size()
	dict := fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8", size.X, size.Y)
	if !p.jpeg {
		return d.packed(dict, p.rgb())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p.pixels, &jpeg.Options{Quality: photoQuality}); err != nil {
		return 0, fmt.Errorf("encode photo: %w", err)
	}
	return d.stream(dict+" /Filter /DCTDecode", b.Bytes()), nil
}
