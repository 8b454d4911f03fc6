package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// geta stands, as in print, for a character that cannot be set.
const geta = '〓'

// clean makes foreign text safe to draw. Line ends become \n, tabs blanks. Invisible characters that do nothing here
// are dropped. Control characters, and those that turn the direction of writing and so make a text read otherwise than
// it is stored, are shown as 〓 rather than dropped: a doctored value must not look whole.
func clean(s string) string {
	if !needsCleaning(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch {
		case r == '\r':
			if strings.HasPrefix(s[i+1:], "\n") {
				continue
			}
			b.WriteByte('\n')
		case r == '\n' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			b.WriteByte('\n')
		case r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError || unicode.IsControl(r) || turnsDirection(r) || nonCharacter(r):
			b.WriteRune(geta)
		case r == '\u200b' || r == '\u2060' || r == '\ufeff' || r>>8 == 0xe00:
			// zero-width blanks and tags
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// needsCleaning is false for nearly every text: then nothing is copied.
func needsCleaning(s string) bool {
	for _, r := range s {
		if r < ' ' || r >= 0x7f && (r < 0xa0 || r >= 0x2000 && r < 0x2070 || r == 0x061c || r >= 0xe000) {
			return true
		}
	}
	return s != strings.TrimSpace(s)
}

func turnsDirection(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

func nonCharacter(r rune) bool {
	return r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef
}

// oneLine is clean for a place that has room for a single line.
func oneLine(s string) string {
	return strings.ReplaceAll(clean(s), "\n", " ")
}

// invisible characters take no room in a PDF: joiners, variation selectors, soft hyphens.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r)
}
