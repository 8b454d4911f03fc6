package render

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
)

// identifier is of a licence: digits, letters and what DB11 joins them with.
var identifier = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64}$`)

// maxAttached bounds what is read of the attached data of an OFD file, in bytes.
const maxAttached = 1 << 20

// CodeOf returns the 证照编码 that a file of PDF or OFD says it is of; "": it does not say. The file's word is worth what its signature is.
func CodeOf(file []byte) string {
	code := ""
	if bytes.HasPrefix(file, []byte("%PDF-")) {
		_, rest, _ := bytes.Cut(file, []byte(identifierStart))
		text, _, found := bytes.Cut(rest, []byte(identifierEnd))
		if found {
			code = string(text)
		}
	} else if z, err := zip.NewReader(bytes.NewReader(file), int64(len(file))); err == nil {
		code = attachedCode(z)
	}
	if !identifier.MatchString(code) {
		return ""
	}
	return code
}

func attachedCode(z *zip.Reader) string {
	f, err := z.Open(attachedName)
	if err != nil {
		return ""
	}
	defer f.Close()
	var data struct {
		Code string `xml:"code"`
	}
	if xml.NewDecoder(io.LimitReader(f, maxAttached)).Decode(&data) != nil {
		return ""
	}
	return data.Code
}

// attachedName is where an OFD file has its data.
const attachedName = "Doc_0/Attachs/licence.xml"
