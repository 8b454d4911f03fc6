package masking

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// identityShape shows head and tail characters of a number that is right in every digit, 110101********. The mask between has the
// same length for numbers of 15 and of 18.
type identityShape struct{ head, tail int }

const identityStars = "********"

func (s identityShape) mask(dst, value []byte) ([]byte, bool) {
	if isIdentity(value) { // as most are
		return s.append(dst, value), true
	}
	if len(value) > longest {
		return dst, false
	}
	var room [64]byte
	id := upper(room[:], narrow(room[:], value, separators))
	if n := s.head + len(identityStars); len(id) == n+s.tail && id[0] != '0' && digits(id[:s.head]) &&
		stars(id[s.head:n], len(identityStars)) && identityEnd(id[n:]) {
		return append(dst, id...), true
	}
	if !isIdentity(id) {
		return dst, false
	}
	return s.append(dst, id), true
}

func (s identityShape) append(dst, id []byte) []byte {
	if s.head == 6 && s.tail == 0 { // lengths that the compiler knows
		var shown [6 + len(identityStars)]byte
		copy(shown[:6], id[:6])
		copy(shown[6:], identityStars)
		return append(dst, shown[:]...)
	}
	dst = append(dst, id[:s.head]...)
	dst = append(dst, identityStars...)
	return append(dst, id[len(id)-s.tail:]...)
}

// identityEnd reports whether b can be the end of an identity number.
func identityEnd(b []byte) bool {
	n := len(b)
	return n == 0 || digits(b[:n-1]) && (digit(b[n-1]) || b[n-1] == 'X')
}

// isIdentity reports whether id, in capital letters, is a 公民身份号码: 18 characters with a date and a check digit (GB 11643-1999),
// or the 15 digits without century and check that it replaced. The permits of foreigners, and of residents of 香港, 澳门 and 台湾, that
// have 18 digits are made in the same way.
func isIdentity(id []byte) bool {
	switch len(id) {
	case 18:
		return id[0] != '0' && digits(id[:17]) && isDate(two(id[6:])*100+two(id[8:]), two(id[10:]), two(id[12:])) && id[17] == identityCheck(id)
	case 15:
		return id[0] != '0' && digits(id) && isDate(1900+two(id[6:]), two(id[8:]), two(id[10:]))
	}
	return false
}

// identityWeights are those of ISO 7064 MOD 11-2: 2^(17-i) mod 11.
var identityWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// identityCheck is ISO 7064 MOD 11-2 over the first 17 digits.
func identityCheck(id []byte) byte {
	sum := 0
	for i, weight := range identityWeights {
		sum += int(id[i]-'0') * weight
	}
	return "10X98765432"[sum%11]
}

// number reads digits.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

// two reads the two digits at the head of b.
func two(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }

// isDate reports whether it is a day of the calendar in the years of living people and their papers.
func isDate(year, month, day int) bool {
	if year < 1800 || year >= 2100 || month < 1 || month > 12 || day < 1 {
		return false
	}
	last := 31
	switch month {
	case 4, 6, 9, 11:
		last = 30
	case 2:
		last = 28
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			last = 29
		}
	}
	return day <= last
}

// regions begin the 15-digit numbers: the first level of GB/T 2260. In a number that stands by itself any region is taken; within text,
// where other numbers of 15 digits are common, only these are.
var regions = func() (set [100]bool) {
	for _, r := range []int{
		11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46,
		50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83,
	} {
		set[r] = true
	}
	return set
}()

// maskNumber masks the identity numbers in a value that is public otherwise: the value itself, however it is written, or runs of digits in
// it, full-width ones included.
func maskNumber(dst, value []byte) ([]byte, bool) {
	if noIdentityIn(value) {
		return append(dst, value...), true
	}
	identity := identityShape{6, 0}
	if shown, ok := identity.mask(dst, value); ok {
		return shown, true
	}
	copied, start := 0, -1 // how much of value is in dst; where the run of digits began
	var room [32]byte
	run := room[:0]
	for i := 0; i <= len(value); {
		r, size := rune(0), 1
		if i < len(value) {
			if r = rune(value[i]); r >= utf8.RuneSelf {
				r, size = nextRune(value[i:])
			}
		}
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFEE0
		}
		if start >= 0 && r >= utf8.RuneSelf && unicode.Is(unicode.Cf, r) {
			i += size
			continue
		}
		end := i
		if isDigit := r >= '0' && r <= '9'; isDigit || r|0x20 == 'x' && len(run) == 17 {
			if start < 0 {
				start = i
			}
			if len(run) < len(room) {
				run = append(run, byte(r))
			}
			if i += size; isDigit {
				continue
			}
			run[17] = 'X'
			end = i
		} else {
			i += size
		}
		if start >= 0 && isIdentity(run) && (len(run) == 18 || regions[two(run)]) {
			dst = append(append(append(dst, value[copied:start]...), run[:6]...), identityStars...)
			copied = end
		}
		start, run = -1, room[:0]
	}
	return append(dst, value[copied:]...), true
}

// noIdentityIn reports whether it can be seen at a glance that value, or the inside of a JSON string, is no identity number, however
// written, and holds none.
func noIdentityIn(value []byte) bool {
	if len(value) < 15 {
		return true
	}
	// Digits of eight bytes at once; full-width ones begin with EF, and escapes may say digits.
	all, odd := 0, uint64(0)
	rest := value
	for len(rest) >= 8 {
		x := binary.LittleEndian.Uint64(rest)
		low := x &^ highs
		all += bits.OnesCount64((low + 0x50*ones) &^ (low + 0x46*ones) &^ x & highs)
		wide, escape := x^0xEF*ones, x^0x5C*ones
		odd |= ((wide-ones)&^wide | (escape-ones)&^escape) & highs
		rest = rest[8:]
	}
	for _, c := range rest {
		if digit(c) {
			all++
		}
		if c == 0xEF || c == '\\' {
			odd = 1
		}
	}
	if odd != 0 || all < 15 {
		return odd == 0
	}
	run, others := 0, false
	for _, c := range value {
		switch {
		case digit(c):
			run++
			continue
		case c >= utf8.RuneSelf:
			continue // a run goes on: there may be format characters in it
		case run == 15, run == 18, run == 17 && c|0x20 == 'x':
			return false
		case c != ' ' && c != '-' && c|0x20 != 'x':
			others = true
		}
		run = 0
	}
	return others && run != 15 && run != 18
}

// maskPassport shows the first character and the last two, E****78. Permits have the same form; those of foreigners that have 15 characters
// are three letters and twelve digits.
func maskPassport(dst, value []byte) ([]byte, bool) {
	if len(value) > longest {
		return dst, false
	}
	var room [64]byte
	id := narrow(room[:], value, separators|brackets)
	id = upper(room[:], id)
	n, numbers := len(id), 0
	if n == 7 && plainCharacter(id[0]) && stars(id[1:5], 4) && plainCharacter(id[5]) && plainCharacter(id[6]) {
		return append(dst, id...), true
	}
	for _, c := range id {
		switch {
		case !plainCharacter(c):
			return dst, false
		case digit(c):
			numbers++
		}
	}
	if numbers == 0 || n < 6 || n > 12 && (n != 15 || numbers != 12 || !digits(id[3:])) {
		return dst, false
	}
	dst = append(append(dst, id[0]), hidden...)
	return append(dst, id[n-2:]...), true
}

// plainCharacter reports whether c may stand in the number of a document.
func plainCharacter(c byte) bool { return digit(c) || c >= 'A' && c <= 'Z' }

// maskBankCard shows the last four digits, ****1234. An identity number in the wrong field is not shown by its end.
func maskBankCard(dst, value []byte) ([]byte, bool) {
	if len(value) > longest {
		return dst, false
	}
	var room [64]byte
	id := narrow(room[:], value, separators)
	n := len(id)
	if n == 8 && stars(id[:4], 4) && digits(id[4:]) {
		return append(dst, id...), true
	}
	if n < 12 || n > 19 || !digits(id) || isIdentity(id) {
		return dst, false
	}
	return append(append(dst, hidden...), id[n-4:]...), true
}
