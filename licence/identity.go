package licence

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// halfWidth turns full-width forms (U+FF01–U+FF5E, U+3000) into ASCII, which is how forms mix them.
func halfWidth(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xFF01 && r <= 0xFF5E:
			return r - 0xFEE0
		case r == 0x3000:
			return ' '
		}
		return r
	}, s)
}

// normaliseNumber gives one form to the ways a number is written: half-width, no outer blanks, upper case.
func normaliseNumber(s string) string {
	return strings.ToUpper(strings.TrimSpace(halfWidth(s)))
}

// NormaliseIdentity is normaliseNumber, and a 公民身份号码 (GB 11643) gets its one form however it was typed: without blanks, hyphens
// and invisible characters between, with the letter X for what looks like it, and with 18 digits for the old 15 of the same
// person. Whatever is no identity number, masked literals and other papers too, stays as normaliseNumber gives it.
func NormaliseIdentity(s string) string {
	s = normaliseNumber(s)
	typed := strings.Map(joined, s)
	if end, size := utf8.DecodeLastRuneInString(typed); strings.ContainsRune(likeX, end) {
		typed = typed[:len(typed)-size] + "X"
	}
	switch {
	case ValidIdentityNumber(typed):
		return typed
	case len(typed) == 15 && digits(typed):
		if long, ok := longIdentity(typed); ok {
			return long
		}
	}
	return s
}

// likeX are upper case letters and signs that are typed for the check character X: Cyrillic, Greek, Roman ten, times.
const likeX = "\u0425\u03a7\u2169\u00d7"

// joined drops what may stand between the digits of a number: blanks, hyphens, and characters that nobody sees (soft hyphen,
// zero-width ones, direction marks, byte order mark).
func joined(r rune) rune {
	if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

// longIdentity returns the 18 digits of an old number of 15.
func longIdentity(old string) (string, bool) {
	// 996–999 were given to those over a hundred in 1984, whose century is not 19.
	if old[12:] >= "996" {
		return "", false
	}
	long := old[:6] + "19" + old[6:]
	long += string(identityCheck(long))
	return long, ValidIdentityNumber(long)
}
