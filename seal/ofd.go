package seal

import (
	"encoding/xml"
	"io/fs"
	"path"
	"strings"
)

// maxXML is the largest file that is read as XML, in bytes.
const maxXML = 4 << 20

// ofdName is the file in which an OFD begins (GB/T 33190-2016 7.2).
const ofdName = "OFD.xml"

// ofdFile is the container of an OFD.
type ofdFile struct {
	entries []zipEntry
	hidden  bool
}

func readOFD(data []byte) (*ofdFile, error) {
	entries, hidden, err := readZip(data)
	return &ofdFile{entries, hidden}, err
}

// index finds a file; -1: there is none.
func (o *ofdFile) index(name string) int {
	for i, e := range o.entries {
		if e.name == name {
			return i
		}
	}
	return -1
}

// content unpacks a file.
func (o *ofdFile) content(name string) ([]byte, error) {
	i := o.index(name)
	if i < 0 {
		return nil, ofdErr("without %q", name)
	}
	return o.entries[i].content()
}

// xml reads a file into a structure. Namespaces are not looked at: their prefix differs from maker to maker.
func (o *ofdFile) xml(name string, into any) error {
	if i := o.index(name); i >= 0 && o.entries[i].size > maxXML {
		return ofdErr("with a %s of more than %d bytes", name, maxXML)
	}
	content, err := o.content(name)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(content, into); err != nil {
		return ofdErr("with a broken %s: %w", name, err)
	}
	return nil
}

// resolve returns the name in the container of a location (ST_Loc) that stands in the file from.
func resolve(from, location string) (string, error) {
	location = strings.TrimSpace(location)
	name, absolute := strings.CutPrefix(location, "/")
	if !absolute {
		name = path.Join(path.Dir(from), location)
	}
	if !fs.ValidPath(name) || name == "." {
		return "", ofdErr("with the location %.80q", location)
	}
	return name, nil
}

// ofdRoot is OFD.xml.
type ofdRoot struct {
	XMLName xml.Name  `xml:"OFD"`
	Bodies  []ofdBody `xml:"DocBody"`
}

type ofdBody struct {
	Root       string   `xml:"DocRoot"`
	Signatures []string `xml:"Signatures"`
}

// ofdDocument is as much of Document.xml as is needed to place a seal.
type ofdDocument struct {
	XMLName xml.Name `xml:"Document"`
	Pages   []struct {
		ID string `xml:"ID,attr"`
	} `xml:"Pages>Page"`
}

// ofdSignatures is Signatures.xml (GB/T 33190-2016 17.1).
type ofdSignatures struct {
	XMLName    xml.Name `xml:"Signatures"`
	Signatures []struct {
		ID       string `xml:"ID,attr"`
		Type     string `xml:"Type,attr"`
		Location string `xml:"BaseLoc,attr"`
	} `xml:"Signature"`
}

// ofdSignature is Signature.xml (17.2).
type ofdSignature struct {
	XMLName    xml.Name      `xml:"Signature"`
	Method     string        `xml:"SignedInfo>SignatureMethod"`
	References ofdReferences `xml:"SignedInfo>References"`
	Seal       string        `xml:"SignedInfo>Seal>BaseLoc"`
	Value      string        `xml:"SignedValue"`
}

type ofdReferences struct {
	Method     string `xml:"CheckMethod,attr"`
	References []struct {
		File  string `xml:"FileRef,attr"`
		Value string `xml:"CheckValue"`
	} `xml:"Reference"`
}
