package render

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"slices"
)

//go:embed assets/licgate.css
var stylesheet []byte

// assetPrefix is the folder, on the gateway's own origin, that assets are served from.
const assetPrefix = "/license/assets/"

// Asset is a static file of the pages. Its name carries a digest of what is in it, so it may be cached for good.
type Asset struct {
	Type    string // media type
	Content []byte
	Gzip    []byte // the same packed; nil when that is no use
}

// styleSheet is that of pages in a chain of fonts.
type styleSheet struct {
	name  string
	asset Asset
}

// newStyleSheet puts the rules of a chain's slices before the style sheet proper.
func newStyleSheet(faces []byte) styleSheet {
	content := slices.Concat(faces, stylesheet)
	digest := sha256.Sum256(content)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed) // writing to memory does not fail
	_, _ = w.Write(content)
	_ = w.Close()
	return styleSheet{
		name:  "licgate-" + hex.EncodeToString(digest[:6]) + ".css",
		asset: Asset{Type: "text/css; charset=utf-8", Content: content, Gzip: packed.Bytes()},
	}
}

// StylesheetPath is the path that pages in these fonts load their style sheet from.
func (s *Fonts) StylesheetPath() string { return assetPrefix + s.web().sheet.name }

// Asset returns a static file of the pages by its base name, and whether there is one: a style sheet, or a slice of a font.
// The first call for a slice makes it. An error says that a font cannot be cut.
func (s *Fonts) Asset(name string) (a Asset, ok bool, err error) {
	w := s.web()
	if name == w.sheet.name {
		return w.sheet.asset, true, nil
	}
	if slice, known := w.slices[name]; known {
		content, err := slice()
		if err != nil {
			return Asset{}, false, err
		}
		return Asset{Type: "font/woff", Content: content}, true, nil
	}
	if s != embedded {
		return embedded.Asset(name) // of pages that are drawn without a View
	}
	return Asset{}, false, nil
}
