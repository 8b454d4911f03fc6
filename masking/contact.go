package masking

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// phoneShape shows so many digits of a mobile number at both ends, 138****5678. The country code is dropped.
type phoneShape struct{ head, tail int }

func (s phoneShape) mask(dst, value []byte) ([]byte, bool) {
	if len(value) == 11 && mobile(value) { // as most are
		return s.append(dst, value), true
	}
	if len(value) > longest {
		return dst, false
	}
	var room [64]byte
	id := narrow(room[:], value, separators|brackets)
	if n := s.head + len(hidden); len(id) == n+s.tail && mobile(id[:s.head]) && stars(id[s.head:n], len(hidden)) && digits(id[n:]) {
		return append(dst, id...), true
	}
	at := len(id) - 11
	if at < 0 || !mobile(id[at:]) {
		return dst, false
	}
	switch string(id[:at]) {
	case "", "+86", "0086", "86", "0":
	default:
		return dst, false
	}
	return s.append(dst, id[at:]), true
}

func (s phoneShape) append(dst, id []byte) []byte {
	dst = append(append(dst, id[:s.head]...), hidden...)
	return append(dst, id[len(id)-s.tail:]...)
}

// mobile reports whether b can be the head of a mobile number: 13 to 19.
func mobile(b []byte) bool {
	return len(b) == 0 || len(b) > 2 && b[0] == '1' && b[1] >= '3' && b[1] <= '9' && digits(b)
}

// landlineShape shows area code and so many of the last digits, 010-****78.
type landlineShape struct{ tail int }

func (s landlineShape) mask(dst, value []byte) ([]byte, bool) {
	if len(value) > longest {
		return dst, false
	}
	var room [64]byte
	id := narrow(room[:], value, nothing)
	id = lower(room[:], id)
	if s.isShown(id) {
		return append(dst, id...), true
	}
	rest, country := bytes.CutPrefix(id, []byte("+86"))
	if !country {
		rest, country = bytes.CutPrefix(id, []byte("0086"))
	}
	if country {
		rest = skipJoint(rest)
	}
	area, zero, local, ok := areaAndLocal(rest)
	if !ok {
		area, zero = nil, false
		if local, ok = localNumber(rest); !ok {
			return dst, false
		}
	}
	switch {
	case area != nil && (country || zero):
		dst = append(append(append(dst, '0'), area...), '-')
	case area != nil || country: // digits that only look like an area code, or none where one must be
		return dst, false
	}
	return append(append(dst, hidden...), local[len(local)-s.tail:]...), true
}

// isShown reports whether b is what masking makes.
func (s landlineShape) isShown(b []byte) bool {
	if area, rest, ok := bytes.Cut(b, []byte("-")); ok {
		if len(area) < 3 || len(area) > 4 || area[0] != '0' || !digits(area) {
			return false
		}
		b = rest
	}
	n := len(hidden)
	return len(b) == n+s.tail && stars(b[:n], n) && digits(b[n:])
}

// skipJoint skips what joins the parts of a number: a dash, a blank before and behind it.
func skipJoint(b []byte) []byte {
	return bytes.TrimPrefix(bytes.TrimPrefix(bytes.TrimPrefix(b, []byte(" ")), []byte("-")), []byte(" "))
}

// areaAndLocal takes a number with an area code apart: 010, 02x or four digits; abroad they lose the 0.
func areaAndLocal(b []byte) (area []byte, zero bool, local []byte, ok bool) {
	b = bytes.TrimPrefix(b, []byte("("))
	b, zero = bytes.CutPrefix(b, []byte("0"))
	if len(b) < 3 || !digits(b[:2]) {
		return nil, false, nil, false
	}
	n := 2
	switch {
	case b[0] == '2', b[0] == '1' && b[1] == '0':
	case b[0] >= '3' && digit(b[2]):
		n = 3
	default:
		return nil, false, nil, false
	}
	local, ok = localNumber(skipJoint(bytes.TrimPrefix(b[n:], []byte(")"))))
	return b[:n], zero, local, ok
}

// extensions stand between a number and its extension, which is dropped.
var extensions = [][]byte{[]byte("-"), []byte("转"), []byte("分机"), []byte("#"), []byte("x"), []byte("ext."), []byte("ext")}

// localNumber takes 7 or 8 digits, with an extension of up to 6 behind them or without, and nothing else.
func localNumber(b []byte) ([]byte, bool) {
	n := skipDigits(b, 0)
	if n < 7 || n > 8 || b[0] == '0' {
		return nil, false
	}
	local, rest := b[:n], b[n:]
	if len(rest) == 0 {
		return local, true
	}
	rest = bytes.TrimPrefix(rest, []byte(" "))
	for _, word := range extensions {
		if number, ok := bytes.CutPrefix(rest, word); ok {
			number = bytes.TrimPrefix(number, []byte(" "))
			return local, len(number) > 0 && len(number) <= 6 && digits(number)
		}
	}
	return nil, false
}

// emailShape shows so many characters and the domain, z****@example.com; of a one-letter name nothing.
type emailShape struct{ head int }

func (s emailShape) mask(dst, value []byte) ([]byte, bool) {
	if len(value) > longest {
		return dst, false
	}
	var room [longest]byte
	local, domain, ok := bytes.Cut(narrow(room[:], value, nothing), []byte("@"))
	if !ok || len(local) == 0 || len(domain) > 253 || !isDomain(domain) || bytes.IndexFunc(local, notInMailbox) >= 0 {
		return dst, false
	}
	if first, size := utf8.DecodeRune(local); s.head > 0 && size < len(local) && first != '*' {
		dst = append(dst, local[:size]...)
	}
	dst = append(append(dst, hidden...), '@')
	return append(dst, domain...), true
}

func notInMailbox(r rune) bool {
	return r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) || r < utf8.RuneSelf && in(`"(),:;<>@[\]`, byte(r))
}

// isDomain reports whether b is a name of two labels or more, the last of which begins with a letter. Labels are of letters and digits of any
// script, 63 at most, with dashes inside.
func isDomain(b []byte) bool {
	for labels := 1; ; labels++ {
		label, rest, more := bytes.Cut(b, []byte("."))
		n, first, last := 0, rune(0), rune(0)
		for i := 0; i < len(label); n++ {
			r, size := utf8.DecodeRune(label[i:])
			if r != '-' && !letterOrDigit(r) {
				return false
			}
			if i += size; n == 0 {
				first = r
			}
			last = r
		}
		if n < 1 || n > 63 || first == '-' || last == '-' {
			return false
		}
		if !more {
			return labels > 1 && n > 1 && unicode.IsLetter(first)
		}
		b = rest
	}
}

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
