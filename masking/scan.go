package masking

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// A fault is why a text is no JSON to us. Faults are values, so that a text in a string can fail without taking memory.
type fault uint8

const (
	sound fault = iota
	cutOff
	notJSON
	duplicateName
	tooDeep
	dataBehind
	badText  // invalid UTF-8, a lone surrogate, a control character
	tooLarge // a value that has to be read whole
)

var faultTexts = [...]string{
	"", "cut off", "not JSON", "duplicate member", "nested deeper than 32", "data after the JSON text", "a bad string",
	"a value over the limit",
}

// What a string holds beside plain ASCII.
const (
	holdsEscape = 1 << iota
	holdsWide
)

// Eight bytes at a time.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	// Two characters of three bytes each, as most Chinese ones are: 1110xxxx 10xxxxxx 10xxxxxx, twice.
	pairMask = 0x0000C0C0F0C0C0F0
	pairForm = 0x00008080E08080E0
)

// scanString looks for the quote that ends a string, from i within it on, and checks every byte before it (RFC 8259 §7, RFC 7493 §2.1):
// valid UTF-8, whole surrogate pairs, no control characters. Without a quote it returns cutOff and the place up to which the text is
// whole: in no escape, pair or character.
func scanString(b []byte, i int) (end int, holds uint8, f fault) {
	for {
		for i >= 0 && i <= len(b)-8 {
			if m := special(binary.LittleEndian.Uint64(b[i : i+8])); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return i, holds, cutOff
		}
		switch c := b[i]; {
		case c == '"':
			return i, holds, sound
		case c >= utf8.RuneSelf:
			holds |= holdsWide
			if i, f = scanWide(b, i); f != sound || i >= 0 && i < len(b) && b[i] == '"' {
				return i, holds, f
			}
		case c == '\\':
			holds |= holdsEscape
			n, f := scanEscape(b[i:])
			if f != sound {
				return i, holds, f
			}
			i += n
		case c < ' ':
			return i, holds, badText
		default:
			i++
		}
	}
}

// special marks bytes by their high bits: the lowest one marked is below 0x20, a quote, a backslash, or not ASCII.
func special(x uint64) uint64 {
	return ((x - 0x20*ones) | ((x ^ 0x22*ones) - ones) | ((x ^ 0x5C*ones) - ones) | x) & highs
}

// scanWide skips characters beyond ASCII.
func scanWide(b []byte, i int) (int, fault) {
	for i >= 0 && i < len(b) && b[i] >= utf8.RuneSelf {
		if i <= len(b)-8 {
			x := binary.LittleEndian.Uint64(b[i : i+8])
			if x&pairMask == pairForm && ordinaryLeads>>(x&15)&(ordinaryLeads>>(x>>24&15))&1 != 0 {
				i += 6
				continue
			}
		}
		if c := b[i]; i <= len(b)-3 && c&0xF0 == 0xE0 && ordinary(c) && b[i+1]&0xC0 == 0x80 && b[i+2]&0xC0 == 0x80 {
			i += 3
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			if !utf8.FullRune(b[i:]) {
				return i, cutOff
			}
			return i, badText
		}
		i += size
	}
	return i, sound
}

// ordinaryLeads has a bit for the lower half of every ordinary lead byte.
const ordinaryLeads = 0xFFFF &^ (1<<0x0 | 1<<0xD)

// ordinary reports whether any two continuation bytes may follow a lead byte E0 to EF: not E0 (overlong forms) nor ED (surrogates).
func ordinary(lead byte) bool { return lead != 0xE0 && lead != 0xED }

// scanEscape returns the length of the escape at the head of b, both halves of a surrogate pair together.
func scanEscape(b []byte) (int, fault) {
	if len(b) < 2 {
		return 0, cutOff
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, sound
	case 'u':
	default:
		return 0, badText
	}
	r, f := unit(b)
	switch {
	case f != sound:
		return 0, f
	case r < 0xD800 || r > 0xDFFF:
		return 6, sound
	case r > 0xDBFF:
		return 0, badText
	}
	low, f := unit(b[6:])
	switch {
	case f != sound:
		return 0, f
	case low < 0xDC00 || low > 0xDFFF:
		return 0, badText
	}
	return 12, sound
}

// unit reads \uXXXX.
func unit(b []byte) (rune, fault) {
	var r rune
	for i := range 6 {
		if i >= len(b) {
			return 0, cutOff
		}
		c := b[i]
		switch {
		case i == 0 && c == '\\', i == 1 && c == 'u':
		case i < 2:
			return 0, badText
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, badText
		}
	}
	return r, sound
}

// scanNumber returns the end of the number at i (RFC 8259 §6). One that reaches the end of b may go on.
func scanNumber(b []byte, i int) (int, fault) {
	if b[i] == '-' {
		i++
	}
	switch {
	case i == len(b):
		return i, cutOff
	case b[i] == '0':
		i++
	case b[i] >= '1' && b[i] <= '9':
		i = skipDigits(b, i)
	default:
		return i, notJSON
	}
	if i < len(b) && b[i] == '.' {
		from := i + 1
		if i = skipDigits(b, from); i == from {
			return i, missing(b, i)
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		if i = skipDigits(b, from); i == from {
			return i, missing(b, i)
		}
	}
	return i, sound
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// missing says whether a digit is wanting at i, or may still come.
func missing(b []byte, i int) fault {
	if i == len(b) {
		return cutOff
	}
	return notJSON
}

// scanLiteral returns the end of true, false or null at i.
func scanLiteral(b []byte, i int) (int, fault) {
	word := "null"
	switch b[i] {
	case 'n':
	case 't':
		word = "true"
	case 'f':
		word = "false"
	default:
		return i, notJSON
	}
	rest := b[i:]
	switch {
	case hasPrefix(rest, word):
		return i + len(word), sound
	case len(rest) < len(word) && string(rest) == word[:len(rest)]:
		return len(b), cutOff
	}
	return i, notJSON
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// appendUnquoted appends what the inside of a checked string says.
func appendUnquoted(dst, inside []byte) []byte {
	for i := 0; i < len(inside); {
		if inside[i] != '\\' {
			from := i
			for i < len(inside) && inside[i] != '\\' {
				i++
			}
			dst = append(dst, inside[from:i]...)
			continue
		}
		switch c := inside[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := unit(inside[i:])
			i += 4
			if r >= 0xD800 && r <= 0xDFFF {
				low, _ := unit(inside[i+2:])
				r = (r-0xD800)<<10 | (low - 0xDC00) + 0x10000
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends s, valid UTF-8, as a JSON string that escapes no more than it must.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
