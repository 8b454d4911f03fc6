package seal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"
)

func ofdErr(format string, args ...any) error {
	return fmt.Errorf("%w: OFD "+format, append([]any{ErrFormat}, args...)...)
}

// ofdTime is that of SignatureDateTime.
const ofdTime = "20060102150405Z"

// SignOFD seals an OFD (GB/T 33190-2016 17) by GB/T 38540, time-stamped. Every file of the container is signed; what is added are
// Signs/Signatures.xml and the folder Signs/Sign_0 beside the document. A reader draws the seal's picture in the box, which must not
// be empty. The same file, seal, time and randomness give the same bytes. The file must hold one document, without signatures.
func (a *Authority) SignOFD(ctx context.Context, ofd []byte, s Signing) ([]byte, error) {
	o, err := readOFD(ofd)
	if err != nil {
		return nil, err
	}
	if o.hidden {
		return nil, ofdErr("with bytes that belong to no file")
	}
	if b := s.Box; b.Width <= 0 || b.Height <= 0 || b.Width > 1000 || b.Height > 1000 || b.X < 0 || b.Y < 0 || b.X > 10_000 || b.Y > 10_000 {
		return nil, fmt.Errorf("seal: a box of %v on the page", b)
	}
	o.entries = slices.DeleteFunc(o.entries, zipEntry.directory)
	root, document, err := o.unsealed()
	if err != nil {
		return nil, err
	}
	var d ofdDocument
	if err := o.xml(document, &d); err != nil {
		return nil, err
	}
	if s.Page < 0 || s.Page >= len(d.Pages) {
		return nil, ofdErr("without the page asked for")
	}
	signs := path.Join(path.Dir(document), "Signs")
	for _, e := range o.entries {
		if path.Dir(e.name) == signs || path.Dir(path.Dir(e.name)) == signs {
			return nil, ofdErr("with a folder for signatures")
		}
	}
	if root, err = withSignatures(root, signs+"/Signatures.xml"); err != nil {
		return nil, err
	}
	if o.entries[o.index(ofdName)], err = packed(ofdName, root); err != nil {
		return nil, err
	}
	folder := signs + "/Sign_0"
	seal, err := packed(folder+"/Seal.esl", s.Seal.der)
	if err != nil {
		return nil, err
	}
	o.entries = append(o.entries, seal)

	at := a.at(s)
	description, err := o.describe(folder, d.Pages[s.Page].ID, at, s.Box)
	if err != nil {
		return nil, err
	}
	name := folder + "/Signature.xml"
	value, err := a.useSeal(ctx, s.Seal, at, SM2SM3.digest(description), "/"+name)
	if err != nil {
		return nil, fmt.Errorf("seal: sealing an OFD: %w", err)
	}
	list := fmt.Appendf(nil, `%s<ofd:Signatures xmlns:ofd="%s"><ofd:MaxSignId>1</ofd:MaxSignId>`+
		`<ofd:Signature ID="1" Type="Seal" BaseLoc="/%s"/></ofd:Signatures>`, xml.Header, ofdSpace, escaped(name))
	for _, file := range []struct {
		name    string
		content []byte
	}{{name, description}, {folder + "/SignedValue.dat", value}, {signs + "/Signatures.xml", list}} {
		e, err := packed(file.name, file.content)
		if err != nil {
			return nil, err
		}
		o.entries = append(o.entries, e)
	}
	return writeZip(o.entries)
}

const ofdSpace = "http://www.ofdspec.org/2016"

// unsealed returns OFD.xml and the name of the one document's file, if nobody signed it yet.
func (o *ofdFile) unsealed() (root []byte, document string, err error) {
	if root, err = o.content(ofdName); err != nil {
		return nil, "", err
	}
	var r ofdRoot
	if err := o.xml(ofdName, &r); err != nil {
		return nil, "", err
	}
	if len(r.Bodies) != 1 || len(r.Bodies[0].Signatures) > 0 {
		return nil, "", ofdErr("with several documents, or signed already")
	}
	document, err = resolve(ofdName, r.Bodies[0].Root)
	return root, document, err
}

// withSignatures puts the place of the signatures at the end of DocBody.
func withSignatures(root []byte, location string) ([]byte, error) {
	d := xml.NewDecoder(bytes.NewReader(root))
	for {
		before := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil, ofdErr("without a document body")
		}
		if err != nil {
			return nil, ofdErr("with a broken %s: %w", ofdName, err)
		}
		if end, ok := token.(xml.EndElement); ok && end.Name.Local == "DocBody" {
			tag := "Signatures"
			if end.Name.Space != "" {
				tag = end.Name.Space + ":" + tag
			}
			return slices.Concat(root[:before], fmt.Appendf(nil, "<%s>%s</%s>", tag, escaped(location), tag), root[before:]), nil
		}
	}
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a bytes.Buffer does not fail
	return b.String()
}

// describe writes Signature.xml: the digest of every file, and where the seal stands.
func (o *ofdFile) describe(folder, page string, at time.Time, box Box) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `%s<ofd:Signature xmlns:ofd="%s"><ofd:SignedInfo>`, xml.Header, ofdSpace)
	fmt.Fprintf(&b, `<ofd:Provider ProviderName="licgate" Version="1" Company="licgate"/>`)
	fmt.Fprintf(&b, `<ofd:SignatureMethod>%s</ofd:SignatureMethod><ofd:SignatureDateTime>%s</ofd:SignatureDateTime>`, oidSM2SM3, at.Format(ofdTime))
	fmt.Fprintf(&b, `<ofd:References CheckMethod="%s">`, oidSM3)
	for _, e := range o.entries {
		content, err := e.content()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `<ofd:Reference FileRef="/%s"><ofd:CheckValue>%s</ofd:CheckValue></ofd:Reference>`,
			escaped(e.name), base64.StdEncoding.EncodeToString(SM2SM3.digest(content)))
	}
	fmt.Fprintf(&b, `</ofd:References><ofd:StampAnnot ID="1" PageRef="%s" Boundary="%.2f %.2f %.2f %.2f"/>`,
		escaped(page), box.X, box.Y, box.Width, box.Height)
	fmt.Fprintf(&b, `<ofd:Seal><ofd:BaseLoc>/%s/Seal.esl</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>`, escaped(folder))
	fmt.Fprintf(&b, `<ofd:SignedValue>/%s/SignedValue.dat</ofd:SignedValue></ofd:Signature>`, escaped(folder))
	return b.Bytes(), nil
}
