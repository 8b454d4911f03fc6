package render

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"time"

	"licgate/beijing"
)

const producer = "licgate"

// info writes the document information dictionary. ISO 19005-1 6.7.3 wants it to say the same as the XMP metadata.
func info(title string, at time.Time) string {
	dates := ""
	if !at.IsZero() {
		stamp := beijing.Format(at, "D:20060102150405+08'00'")
		dates = fmt.Sprintf(" /CreationDate (%s) /ModDate (%s)", stamp, stamp)
	}
	return fmt.Sprintf("<< /Title %s /Producer (%s)%s >>", textString(title), producer, dates)
}

// The element that names the licence, as XMP of a PDF writes it.
const identifierStart, identifierEnd = "<dc:identifier>", "</dc:identifier>"

// xmp writes the metadata packet, with the claim of PDF/A-1b; code, if any, names the licence.
func xmp(title, code string, at time.Time) []byte {
	var escaped, identifier bytes.Buffer
	xml.EscapeText(&escaped, []byte(title)) // a bytes.Buffer does not fail
	if code != "" {
		identifier.WriteString("\n" + identifierStart)
		xml.EscapeText(&identifier, []byte(code))
		identifier.WriteString(identifierEnd)
	}
	dates := ""
	if !at.IsZero() {
		stamp := beijing.Format(at, "2006-01-02T15:04:05-07:00")
		dates = fmt.Sprintf("<xmp:CreateDate>%s</xmp:CreateDate>\n<xmp:ModifyDate>%s</xmp:ModifyDate>\n", stamp, stamp)
	}
	return fmt.Appendf(nil, `<?xpacket begin="%s" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>1</pdfaid:part>
<pdfaid:conformance>B</pdfaid:conformance>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:format>application/pdf</dc:format>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">%s</rdf:li></rdf:Alt></dc:title>%s
</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">
<pdf:Producer>%s</pdf:Producer>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/">
%s</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>`, "\ufeff", escaped.Bytes(), identifier.Bytes(), producer, dates)
}
