package render

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
)

//go:embed assets/licgate.css
var stylesheet []byte

// assetPrefix is the folder, on the gateway's own origin, that assets are served from.
const assetPrefix = "/license/assets/"

// stylesheetName carries a digest of the content: a new style sheet has a new address, so any may be cached for good.
var stylesheetName = func() string {
	digest := sha256.Sum256(stylesheet)
	return "licgate-" + hex.EncodeToString(digest[:6]) + ".css"
}()

// StylesheetPath is the path that pages load their style sheet from.
func StylesheetPath() string { return assetPrefix + stylesheetName }

// Asset returns a static file of the pages by its base name, its content type, and whether there is one.
func Asset(name string) (content []byte, contentType string, ok bool) {
	if name != stylesheetName {
		return nil, "", false
	}
	return stylesheet, "text/css; charset=utf-8", true
}
