package render

import (
	"crypto/sha256"
	"encoding/xml"
	"fmt"

	"licgate/beijing"
)

// OFD returns the licence as an OFD file (GB/T 33190-2016): the pages that PDF returns, with the same fonts embedded
// and every character in the same place, and the fields of the View attached as data. What PDF refuses, OFD refuses
// with the same error. The same View gives the same bytes.
//
// The file is not signed. Who signs it adds Doc_0/Signs and names it in OFD.xml after DocRoot; the entries of the
// package can be copied as they are.
func OFD(v *View) (*File, error) {
	if err := v.fonts().check(); err != nil {
		return nil, err
	}
	face, err := compose(v)
	if err != nil {
		return nil, err
	}
	about := &ofdAbout{title: oneLine(v.Title)}
	if !v.At.IsZero() {
		at := v.At.In(beijing.Zone)
		about.date, about.moment = at.Format("2006-01-02"), at.Format("2006-01-02T15:04:05-07:00")
	}
	if about.data, err = attachedData(v); err != nil {
		return nil, fmt.Errorf("ofd: %w", err)
	}
	data, err := paintOFD(face, about)
	if err != nil {
		return nil, fmt.Errorf("ofd: %w", err)
	}
	return face.file(data), nil
}

// ofdAbout is what an OFD file says beside its pages.
type ofdAbout struct {
	title        string
	date, moment string // when it was made, as xs:date and xs:dateTime; ""
	data         []byte // of the licence, attached
}

const (
	ofdHead      = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	ofdNamespace = `xmlns:ofd="http://www.ofdspec.org/2016"`
)

// paintOFD writes a drawing as an OFD package. Its parts refer to one another by paths from where they stand.
func paintOFD(from *drawing, about *ofdAbout) ([]byte, error) {
	p := &ofdPainter{fonts: newUsedFonts(from.fonts.chain), named: map[any]int{}}
	pages, contents := []byte(nil), []ofdPart(nil)
	for i, s := range from.sheets {
		content, err := p.page(s)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", i+1, err)
		}
		at := fmt.Sprintf("Pages/Page_%d/Content.xml", i)
		pages = fmt.Appendf(pages, `<ofd:Page ID="%d" BaseLoc="%s"/>`, p.id(), at)
		contents = append(contents, ofdPart{"Doc_0/" + at, content})
	}
	fonts, err := p.fontParts()
	if err != nil {
		return nil, fmt.Errorf("fonts: %w", err)
	}
	resources := ""
	if len(p.fontList) > 0 {
		resources += "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes>"
		contents = append(contents, ofdResources("PublicRes.xml", ofdList("Fonts", p.fontList)))
	}
	if len(p.media)+len(p.units) > 0 {
		resources += "<ofd:DocumentRes>DocumentRes.xml</ofd:DocumentRes>"
		contents = append(contents, ofdResources("DocumentRes.xml", ofdList("MultiMedias", p.media)+ofdList("CompositeGraphicUnits", p.units)))
	}
	document := fmt.Appendf(nil, ofdHead+`<ofd:Document %s><ofd:CommonData><ofd:MaxUnitID>%d</ofd:MaxUnitID>%s%s</ofd:CommonData>`+
		`<ofd:Pages>%s</ofd:Pages><ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments></ofd:Document>`,
		ofdNamespace, p.last, ofdArea("PageArea", from.sheets[0]), resources, pages)
	parts := append([]ofdPart{{"Doc_0/Document.xml", document}}, contents...)
	parts = append(append(parts, fonts...), p.pictures...)
	parts = append(parts, about.attachments()...)
	return packOFD(append([]ofdPart{{"OFD.xml", about.entry(parts)}}, parts...))
}

func ofdResources(name, lists string) ofdPart {
	return ofdPart{"Doc_0/" + name, fmt.Appendf(nil, ofdHead+`<ofd:Res %s BaseLoc="Res">%s</ofd:Res>`, ofdNamespace, lists)}
}

func ofdList(name string, entries []byte) string {
	if len(entries) == 0 {
		return ""
	}
	return "<ofd:" + name + ">" + string(entries) + "</ofd:" + name + ">"
}

func ofdArea(name string, s *sheet) string {
	return fmt.Sprintf("<ofd:%s><ofd:PhysicalBox>0 0 %s %s</ofd:PhysicalBox></ofd:%s>", name, microns(s.width), microns(s.height), name)
}

// entry writes OFD.xml. The document's identifier is a UUID of version 8 (RFC 9562) made of a digest of everything in
// the package: the same content, the same identifier.
func (about *ofdAbout) entry(parts []ofdPart) []byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%s %d\n", p.name, len(p.content))
		h.Write(p.content)
	}
	fmt.Fprintf(h, "%s\n%s", about.moment, about.title)
	id := h.Sum(nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	b := fmt.Appendf(nil, ofdHead+`<ofd:OFD %s Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>%x</ofd:DocID>`, ofdNamespace, id)
	if about.title != "" {
		b = append(appendEscaped(append(b, "<ofd:Title>"...), about.title), "</ofd:Title>"...)
	}
	if about.date != "" {
		b = fmt.Appendf(b, "<ofd:CreationDate>%s</ofd:CreationDate>", about.date)
	}
	return fmt.Appendf(b, "<ofd:Creator>%s</ofd:Creator></ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>\n", producer)
}

// attachments writes the list of attachments (GB/T 33190-2016, 附件) and the one that is in it.
func (about *ofdAbout) attachments() []ofdPart {
	created := ""
	if about.moment != "" {
		created = ` CreationDate="` + about.moment + `"`
	}
	list := fmt.Appendf(nil, ofdHead+`<ofd:Attachments %s><ofd:Attachment ID="A1" Name="证照数据.xml" Format="xml"%s>`+
		`<ofd:FileLoc>licence.xml</ofd:FileLoc></ofd:Attachment></ofd:Attachments>`, ofdNamespace, created)
	return []ofdPart{{"Doc_0/Attachs/Attachments.xml", list}, {attachedName, about.data}}
}

// ofdData is the attached data, version 1 (docs/formats.md): the texts of the View, masked as they are there. What is
// empty is left out.
type ofdData struct {
	XMLName   xml.Name       `xml:"licence"`
	Version   int            `xml:"version,attr"`
	Title     string         `xml:"title,omitempty"`
	Status    string         `xml:"status,omitempty"`
	Code      string         `xml:"code,omitempty"`
	Number    string         `xml:"number,omitempty"`
	Holder    string         `xml:"holder,omitempty"`
	Issuer    string         `xml:"issuer,omitempty"`
	IssueDate string         `xml:"issueDate,omitempty"`
	Validity  string         `xml:"validity,omitempty"`
	Viewer    string         `xml:"viewer,omitempty"`
	Purpose   string         `xml:"purpose,omitempty"`
	At        string         `xml:"at,omitempty"`
	Fields    []ofdDataField `xml:"field"`
}

type ofdDataField struct {
	Key    string `xml:"key,attr,omitempty"`
	Label  string `xml:"label,attr"`
	Masked bool   `xml:"masked,attr,omitempty"`
	Value  string `xml:",chardata"`
}

func attachedData(v *View) ([]byte, error) {
	data := ofdData{
		Version: 1, Title: clean(v.Title), Status: clean(v.Status), Code: clean(v.Code), Number: clean(v.IDCode),
		Holder: clean(v.Holder), Issuer: clean(v.Issuer), IssueDate: clean(v.IssueDate), Validity: clean(v.Validity),
		Viewer: clean(v.Viewer), Purpose: clean(v.Purpose), At: stamp(v.At),
	}
	for _, f := range v.Fields {
		data.Fields = append(data.Fields, ofdDataField{Key: clean(f.Key), Label: clean(f.Label), Masked: f.Masked, Value: clean(f.Value)})
	}
	b, err := xml.MarshalIndent(data, "", " ")
	if err != nil {
		return nil, fmt.Errorf("data of the licence: %w", err)
	}
	return append([]byte(ofdHead), append(b, '\n')...), nil
}
