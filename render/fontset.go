package render

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Fonts is a chain of fonts that texts are set in: the first that has a character draws it. The embedded ones together
// have every character of GB 18030-2022 implementation level 3. Safe for concurrent use.
type Fonts struct {
	chain []*typeface
	web   func() *webFonts
}

// typeface is a font of a chain. What it has is known without its outlines; those are unpacked when first drawn.
type typeface struct {
	covers func() (charMap, error)
	load   func() (*font, error)
	digest func() [sha256.Size]byte // of the file
	local  string                   // for CSS: where the faces of common characters are found on readers' devices, or ""
}

// OpenFonts returns the embedded fonts, and before them those of the operator: every .ttf file of a folder, in the order
// of their names. They have to be whole TrueType fonts with glyf outlines, and stay in memory. "" is no folder.
func OpenFonts(folder string) (*Fonts, error) {
	if folder == "" {
		return embedded, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("render: font folder: %w", err)
	}
	var chain []*typeface
	for _, e := range entries {
		file := filepath.Join(folder, e.Name())
		switch ext := strings.ToLower(filepath.Ext(file)); {
		case e.IsDir() || ext != ".ttf" && ext != ".otf" && ext != ".ttc" && ext != ".woff" && ext != ".woff2":
			continue // licence texts and the like
		case ext != ".ttf":
			return nil, fmt.Errorf("%w：%s：只接受 .ttf（TrueType，glyf 轮廓）文件，请先转换", errFont, file)
		}
		face, err := openTypeface(file)
		if err != nil {
			return nil, err
		}
		chain = append(chain, face)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w：%s：文件夹中没有 .ttf 文件", errFont, folder)
	}
	return newFonts(append(chain, embedded.chain...)), nil
}

func newFonts(chain []*typeface) *Fonts {
	f := &Fonts{chain: chain}
	f.web = sync.OnceValue(func() *webFonts { return newWebFonts(f) })
	return f
}

// openTypeface reads a font file of the operator's, and every outline in it: a bad one is refused now, not when a
// licence needs it.
func openTypeface(file string) (*typeface, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("render: font: %w", err)
	}
	f, err := parseFont(file, data)
	if err != nil {
		return nil, err
	}
	if err := f.fit(); err != nil {
		return nil, err
	}
	return &typeface{
		covers: func() (charMap, error) { return f.charMap, nil },
		load:   func() (*font, error) { return f, nil },
		digest: func() [sha256.Size]byte { return sha256.Sum256(data) },
	}, nil
}

// glyph returns the face's glyph of a character, 0 when it has none.
func (t *typeface) glyph(r rune) uint16 {
	covers, err := t.covers()
	if err != nil {
		return 0 // its characters are then unprintable; check reports the error
	}
	return covers.glyph(r)
}

// owner returns the place in the chain of the font that draws a character.
func (s *Fonts) owner(r rune) (place int, ok bool) {
	for i, face := range s.chain {
		if face.glyph(r) != 0 {
			return i, true
		}
	}
	return 0, false
}

// find returns the first font that has the character, and its glyph there.
func (s *Fonts) find(r rune) (*font, uint16, bool) {
	for _, face := range s.chain {
		id := face.glyph(r)
		if id == 0 {
			continue
		}
		if f, err := face.load(); err == nil {
			return f, id, true
		}
	}
	return nil, 0, false
}

// check loads the first font, and says why it cannot be, or why another's characters are not known.
func (s *Fonts) check() error {
	for _, face := range s.chain {
		if _, err := face.covers(); err != nil {
			return err
		}
	}
	_, err := s.chain[0].load()
	return err
}

// Unprintable returns the first character of text that no font can draw, and whether there is one. Line ends and tabs
// are drawn as such. Invisible characters count as unprintable: what cannot be seen on a licence has no place in it.
// Invalid UTF-8 is reported as U+FFFD. No outline is unpacked for it.
func (s *Fonts) Unprintable(text string) (rune, bool) {
	for _, r := range text {
		if r == '\n' || r == '\r' || r == '\t' {
			continue
		}
		if r == utf8.RuneError || unicode.IsControl(r) || invisible(r) {
			return r, true
		}
		if _, ok := s.owner(r); !ok {
			return r, true
		}
	}
	return 0, false
}
