package render

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"unicode/utf16"
)

// embed writes the fonts into the document and returns the Font resource dictionary.
func (t *usedFonts) embed(d *document) (string, error) {
	var resources bytes.Buffer
	resources.WriteString("<<")
	for i, s := range t.subsets {
		r, err := s.embed(d)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&resources, " /F%d %s", i, r)
	}
	resources.WriteString(" >>")
	return resources.String(), nil
}

// embed writes a composite font (ISO 32000-1 9.7): Identity-H codes are the subset's glyph numbers.
func (s *subset) embed(d *document) (ref, error) {
	file, err := s.file()
	if err != nil {
		return 0, err
	}
	program, err := d.packed(fmt.Sprintf("/Length1 %d", len(file)), file)
	if err != nil {
		return 0, err
	}
	n := len(s.old)
	// ISO 19005-1 6.3.5: a CIDSet names the glyphs present, here all, .notdef included.
	set := make([]byte, (n+7)/8)
	for i := range n {
		set[i/8] |= 0x80 >> (i % 8)
	}
	cidSet, err := d.packed("", set)
	if err != nil {
		return 0, err
	}
	unicodes, err := d.packed("", s.toUnicode())
	if err != nil {
		return 0, err
	}
	f := s.font
	scaled := func(v int) int { return (v*1000 + f.unitsPerEm/2) / f.unitsPerEm }
	var widths bytes.Buffer
	for _, id := range s.old {
		fmt.Fprintf(&widths, "%d ", scaled(f.advance(id)))
	}
	name := s.tag(file) + "+" + f.name
	// Flags 4: symbolic, i.e. not limited to the standard Latin set.
	descriptor := d.add(fmt.Sprintf("<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%d %d %d %d] /ItalicAngle 0 "+
		"/Ascent %d /Descent %d /CapHeight %d /StemV 80 /FontFile2 %s /CIDSet %s >>",
		name, scaled(f.xMin), scaled(f.yMin), scaled(f.xMax), scaled(f.yMax), scaled(f.ascent), scaled(f.descent), scaled(f.ascent), program, cidSet))
	descendant := d.add(fmt.Sprintf("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s "+
		"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor %s /DW 1000 /W [0 [%s]] /CIDToGIDMap /Identity >>",
		name, descriptor, bytes.TrimSpace(widths.Bytes())))
	return d.add(fmt.Sprintf("<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%s] /ToUnicode %s >>",
		name, descendant, unicodes)), nil
}

// tag is the six letters that mark a subset's name (ISO 32000-1 9.6.4): the same subset, the same tag.
func (s *subset) tag(file []byte) string {
	digest := sha256.Sum256(file)
	var tag [6]byte
	for i := range tag {
		tag[i] = 'A' + digest[i]%26
	}
	return string(tag[:])
}

// toUnicode writes the CMap by which text is extracted and searched (ISO 32000-1 9.10.3).
func (s *subset) toUnicode() []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n" +
		"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	const most = 100 // entries allowed in one block
	for from := 0; from < len(s.runes); from += most {
		block := s.runes[from:min(from+most, len(s.runes))]
		fmt.Fprintf(&b, "%d beginbfchar\n", len(block))
		for i, r := range block {
			fmt.Fprintf(&b, "<%04X> <", from+i+1)
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "%04X", u)
			}
			b.WriteString(">\n")
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}
