package masking

import "bytes"

// maskBirthDate shows the year, 1992-**-**. It takes year, month, day in the notations of certificates, a time behind it or not; or year
// and month alone.
func maskBirthDate(dst, value []byte) ([]byte, bool) {
	if len(value) == 10 && value[4] == '-' && value[7] == '-' && digits(value[:4]) && digits(value[5:7]) && digits(value[8:]) {
		year, month, day := two(value)*100+two(value[2:]), two(value[5:]), two(value[8:]) // as most are
		return append(append(dst, value[:4]...), "-**-**"...), isDate(year, month, day)
	}
	if len(value) > longest {
		return dst, false
	}
	var room [64]byte
	text := narrow(room[:], value, nothing)
	text = upper(room[:], text)
	if len(text) == 10 && digits(text[:4]) && string(text[4:]) == "-**-**" {
		return append(dst, text...), true
	}
	if len(text) < 6 || !digits(text[:4]) {
		return dst, false
	}
	month, day, rest, ok := monthAndDay(text[4:])
	if !ok || !isDate(number(text[:4]), month, day) || !isTime(rest) {
		return dst, false
	}
	return append(append(dst, text[:4]...), "-**-**"...), true
}

// monthAndDay reads what stands behind the year: -3-4, /3/4, .3.4, 年3月4日, 0304; without a day it is the first.
func monthAndDay(b []byte) (month, day int, rest []byte, ok bool) {
	if isMark(b[0]) {
		mark := b[:1]
		if month, b, ok = oneOrTwo(b[1:]); !ok {
			return 0, 0, nil, false
		}
		if len(b) == 0 || !isMark(b[0]) {
			return month, 1, b, true
		}
		if b, ok = bytes.CutPrefix(b, mark); !ok {
			return 0, 0, nil, false
		}
		day, b, ok = oneOrTwo(b)
		return month, day, b, ok
	}
	if b, ok = bytes.CutPrefix(b, []byte("年")); ok {
		if month, b, ok = oneOrTwo(b); !ok {
			return 0, 0, nil, false
		}
		if b, ok = bytes.CutPrefix(b, []byte("月")); !ok {
			return 0, 0, nil, false
		}
		if len(b) == 0 || !digit(b[0]) {
			return month, 1, b, true
		}
		if day, b, ok = oneOrTwo(b); !ok {
			return 0, 0, nil, false
		}
		b, ok = bytes.CutPrefix(b, []byte("日"))
		return month, day, b, ok
	}
	if len(b) < 4 || !digits(b[:4]) {
		return 0, 0, nil, false
	}
	return number(b[:2]), number(b[2:4]), b[4:], true
}

// oneOrTwo reads a number of one or two digits.
func oneOrTwo(b []byte) (n int, rest []byte, ok bool) {
	end := min(skipDigits(b, 0), 2)
	return number(b[:end]), b[end:], end > 0
}

// isTime reports whether b is empty or a time of day: T8:00, 08:00:00.000, with a zone or without.
func isTime(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != 'T' && b[0] != ' ' {
		return false
	}
	_, b, ok := oneOrTwo(b[1:])
	if b, ok = colonAndTwo(b, ok); !ok {
		return false
	}
	if len(b) > 0 && b[0] == ':' {
		if b, ok = colonAndTwo(b, true); !ok {
			return false
		}
		if len(b) > 0 && b[0] == '.' {
			end := skipDigits(b, 1)
			if end == 1 {
				return false
			}
			b = b[end:]
		}
	}
	switch {
	case len(b) == 0, string(b) == "Z":
		return true
	case b[0] != '+' && b[0] != '-', len(b) < 5:
		return false
	}
	zone := b[1:]
	if len(zone) == 5 && zone[2] == ':' {
		return digits(zone[:2]) && digits(zone[3:])
	}
	return len(zone) == 4 && digits(zone)
}

// colonAndTwo skips :00.
func colonAndTwo(b []byte, ok bool) ([]byte, bool) {
	if !ok || len(b) < 3 || b[0] != ':' || !digits(b[1:3]) {
		return nil, false
	}
	return b[3:], true
}

func isMark(c byte) bool { return c == '-' || c == '/' || c == '.' }
