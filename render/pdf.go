package render

import (
	"fmt"
)

// PDF returns a PDF/A-1b with embedded, subset fonts and extractable text: A4, or pages of the size of the template's faces; more
// only where the text does not fit. A value that a template refuses to continue elsewhere is ErrOverflow. The same View gives the same bytes. Characters that no font has are drawn as 〓; a photo that cannot
// be read is named as such in its place.
func PDF(v *View) (*File, error) {
	if err := v.fonts().check(); err != nil {
		return nil, err
	}
	face, err := compose(v)
	if err != nil {
		return nil, err
	}
	d := &document{}
	catalog, tree := d.reserve(), d.reserve()
	title := oneLine(v.Title)
	kids, err := d.paint(face, tree)
	if err != nil {
		return nil, fmt.Errorf("pdf: %w", err)
	}
	d.put(tree, fmt.Sprintf("<< /Type /Pages /Count %d /Kids %v >>", len(kids), kids))

	profile, err := d.packed("/N 3", sRGB())
	if err != nil {
		return nil, fmt.Errorf("pdf colour profile: %w", err)
	}
	intent := d.add(fmt.Sprintf("<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB) /DestOutputProfile %s >>", profile))
	metadata := d.stream("/Type /Metadata /Subtype /XML", xmp(title, oneLine(v.Code), v.At)) // readable without a PDF reader: not compressed
	d.put(catalog, fmt.Sprintf("<< /Type /Catalog /Pages %s /Lang (zh-CN) /Metadata %s /OutputIntents [%s] /ViewerPreferences << /DisplayDocTitle true >> >>",
		tree, metadata, intent))
	return face.file(d.finish(catalog, d.add(info(title, v.At)))), nil
}

// embed adds the photo as an image, its pixels compressed as they are in its file.
func (p *photo) embed(d *document) ref {
	dict := fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8", p.size.X, p.size.Y)
	if p.jpeg {
		return d.stream(dict+" /Filter /DCTDecode", p.file)
	}
	_, pixels := writtenPNG(p.file)
	// Predictor: rows are filtered as PNG filters them (ISO 32000-1 7.4.4.4).
	return d.stream(fmt.Sprintf("%s /Filter /FlateDecode /DecodeParms << /Predictor 15 /Colors 3 /BitsPerComponent 8 /Columns %d >>", dict, p.size.X), pixels)
}
