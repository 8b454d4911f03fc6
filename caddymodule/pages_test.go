package caddymodule

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"licgate/render"
)

// asked is what Assets answers to a GET; passed says that it left the request to the next step.
func asked(t *testing.T, fonts *render.Fonts, address, accept string) (answer *httptest.ResponseRecorder, passed bool) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.Header.Set("Accept-Encoding", accept)
	answer = httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { passed = true; return nil })
	if err := (&Assets{app: &App{fonts: fonts}}).ServeHTTP(answer, r, next); err != nil {
		t.Fatal(err)
	}
	return answer, passed
}

// TestAssets loads the style sheet, packed and not, and a slice of a font that it names.
func TestAssets(t *testing.T) {
	t.Parallel()
	fonts, err := render.OpenFonts("")
	if err != nil {
		t.Fatal(err)
	}
	plain, passed := asked(t, fonts, fonts.StylesheetPath(), "br")
	if passed || plain.Header().Get("Content-Type") != "text/css; charset=utf-8" || plain.Header().Get("Content-Encoding") != "" {
		t.Fatalf("style sheet: passed %v, %v", passed, plain.Header())
	}
	packed, _ := asked(t, fonts, fonts.StylesheetPath(), "gzip, br")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("packed style sheet: %v", packed.Header())
	}
	r, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(r); err != nil || !bytes.Equal(unpacked, plain.Body.Bytes()) {
		t.Errorf("packed it is another style sheet: %v", err)
	}
	name := regexp.MustCompile(`url\(([^)]+-2cc\.woff)\)`).FindSubmatch(plain.Body.Bytes()) // the block of 𬱖
	if name == nil {
		t.Fatal("no slice for U+2CC56")
	}
	slice, passed := asked(t, fonts, assetPrefix+string(name[1]), "gzip")
	if h := slice.Header(); passed || h.Get("Content-Type") != "font/woff" || h.Get("Content-Encoding") != "" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Cache-Control") != "public, max-age=31536000, immutable" || !bytes.HasPrefix(slice.Body.Bytes(), []byte("wOFF")) {
		t.Errorf("slice: passed %v, %v", passed, h)
	}
	for _, other := range []string{assetPrefix, assetPrefix + "nothing.woff", assetPrefix + "more/" + string(name[1]), "/license/" + string(name[1])} {
		if _, passed := asked(t, fonts, other, ""); !passed {
			t.Errorf("%s is answered", other)
		}
	}
}
