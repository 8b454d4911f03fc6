package licence

import "strings"

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

// NormaliseIdentity is normaliseNumber, and an old 15-digit identity number becomes the 18-digit one of the same
// person (GB 11643). Whatever is no identity number, masked literals too, stays as it is.
func NormaliseIdentity(s string) string {
	s = normaliseNumber(s)
	if len(s) != 15 || !digits(s) {
		return s
	}
	// 996–999 were given to those over a hundred in 1984, whose century is not 19.
	if s[12:] >= "996" {
		return s
	}
	long := s[:6] + "19" + s[6:]
	long += string(identityCheck(long))
	if !ValidIdentityNumber(long) {
		return s
	}
	return long
}
