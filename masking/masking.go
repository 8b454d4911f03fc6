// Package masking decides what a value looks like to somebody who may not see it (domain.md §6), and masks whole bodies: JSON as it
// streams by, and HTML. It knows no HTTP and no rights: the caller says which fields are sensitive, of which kind, and which of them
// are clear.
//
// Masking fails closed. A value that is not certainly of its declared kind is hidden whole, and a body that cannot
// be read with certainty does not leave.
package masking

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// Kind is the type of a sensitive value.
type Kind string

// The kinds of platform.yaml's "sensitive". An unknown kind is masked whole.
const (
	Name           Kind = "name"
	IdentityNumber Kind = "identity_number"
	Phone          Kind = "phone"
	Landline       Kind = "landline"
	Address        Kind = "address"
	BirthDate      Kind = "birth_date"
	BankCard       Kind = "bank_card"
	Email          Kind = "email"
	Passport       Kind = "passport"
	Photo          Kind = "photo"
	Text           Kind = "text"
)

// hidden stands for a value of which nothing is shown.
const hidden = "****"

// PublicNumber is shown but for the identity numbers in it, as Number does. It is for plans; no field declares it.
const PublicNumber Kind = "public_number"

// Known reports whether kind is one of the list.
func Known(kind Kind) bool {
	_, ok := shapes[kind]
	return ok
}

// Mask returns what is shown of value under the rules that hold when nobody says otherwise. Lengths of masks are fixed per kind; values
// of one or two characters are never shown whole; a value that does not fit its kind is masked whole. The empty string stays empty,
// and a photo given as text becomes empty. Mask(kind, Mask(kind, v)) equals Mask(kind, v).
func Mask(kind Kind, value string) string { return (*Rules)(nil).Mask(kind, value) }

// Number masks the identity numbers in a value that is public otherwise (a 证照号码 that is one, a remark that holds one).
// What is public is returned as it is.
func Number(value string) string { return Mask(PublicNumber, value) }

// A masker appends what is shown of a value that has more than two characters (but for names). It reports false
// when the value does not fit its kind: what it returns then is of no use. Each takes its own results as fitting and returns them unchanged, so that masking twice, by
// two gateways in a row, is masking once.
type masker func(dst, value []byte) ([]byte, bool)

// A treatment is how the values of a field are hidden.
type treatment struct {
	kind  Kind
	mask  masker // nil: whole
	short bool   // mask takes values of one or two characters too
	photo bool
	// public says that all of a value is shown but for identity numbers in it.
	public bool
}

func newTreatment(kind Kind, mask masker) *treatment {
	public := kind == PublicNumber
	return &treatment{kind: kind, mask: mask, short: kind == Name || public, photo: kind == Photo, public: public}
}

// show appends what is shown of value, plain text.
func (t *treatment) show(dst, value []byte) []byte {
	if t.mask != nil && len(value) > 0 && (t.short || len(value) > 2*utf8.UTFMax || characters(value) > 2) {
		if shown, ok := t.mask(dst, value); ok {
			return shown
		}
	}
	return t.whole(dst, value)
}

// nextRune is utf8.DecodeRune, quick for Chinese.
func nextRune(b []byte) (rune, int) {
	if len(b) > 2 && b[0]&0xF0 == 0xE0 && ordinary(b[0]) && b[1]&0xC0 == 0x80 && b[2]&0xC0 == 0x80 {
		return rune(b[0]&0x0F)<<12 | rune(b[1]&0x3F)<<6 | rune(b[2]&0x3F), 3
	}
	return utf8.DecodeRune(b)
}

// characters is how many b has, if it is UTF-8.
func characters(b []byte) int {
	n := 0
	for _, c := range b {
		if c&0xC0 != 0x80 {
			n++
		}
	}
	return n
}

// whole appends what is shown of value when nothing of it is.
func (t *treatment) whole(dst, value []byte) []byte {
	if len(value) == 0 || t.photo {
		return dst
	}
	return append(dst, hidden...)
}

// longest is how many bytes a number, a date or an address of electronic mail may have, blanks included.
const longest = 512

// A drop says which ASCII characters numbers are compared without.
type drop uint8

const (
	nothing    drop = 0
	separators drop = 1 << iota // blanks and dashes
	brackets
)

// narrow returns value with full-width forms turned into ASCII, dashes into -, blanks into spaces, and without what does not show:
// format characters and outer blanks. It is written into room, or it is value itself.
func narrow(room, value []byte, without drop) []byte {
	for _, c := range value {
		if narrowing[c]&(1|uint8(without)) != 0 {
			return narrowed(room[:0], value, without)
		}
	}
	return value
}

// narrowing says of each byte whether narrow may have to change something: always (1), or when it drops such characters.
var narrowing = func() (table [256]uint8) {
	for c := range table {
		switch {
		case c <= ' ' || c >= utf8.RuneSelf:
			table[c] = 1
		case c == '-':
			table[c] = uint8(separators)
		case c == '(' || c == ')':
			table[c] = uint8(brackets)
		}
	}
	table[' '] |= uint8(separators)
	return table
}()

func narrowed(dst, value []byte, without drop) []byte {
	for i := 0; i < len(value); {
		r, size := rune(value[i]), 1
		if r >= utf8.RuneSelf {
			r, size = nextRune(value[i:])
		}
		i += size
		switch {
		case r >= 0xFF01 && r <= 0xFF5E:
			r -= 0xFEE0
		case r > ' ' && r < utf8.RuneSelf:
		case unicode.IsSpace(r):
			r = ' '
		case r < utf8.RuneSelf:
		case unicode.Is(unicode.Cf, r):
			continue
		case unicode.Is(unicode.Pd, r), r == 0x2212: // dashes and the minus sign
			r = '-'
		}
		if r == ' ' && len(dst) == 0 || r < utf8.RuneSelf && narrowing[r]&uint8(without) != 0 {
			continue
		}
		dst = utf8.AppendRune(dst, r)
	}
	for len(dst) > 0 && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func in(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// upper returns b in capital letters; what it changes is a copy in room.
func upper(room, b []byte) []byte { return cased(room, b, 'a', 'z') }

// lower returns b in small letters; what it changes is a copy in room.
func lower(room, b []byte) []byte { return cased(room, b, 'A', 'Z') }

func cased(room, b []byte, first, last byte) []byte {
	for i, c := range b {
		if c < first || c > last {
			continue
		}
		b = append(room[:0], b...)
		for ; i < len(b); i++ {
			if c := b[i]; c >= first && c <= last {
				b[i] = c ^ 0x20
			}
		}
		break
	}
	return b
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// digits reports whether b is of nothing else.
func digits(b []byte) bool {
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		if x&(0xF0*ones)|(x+0x06*ones)&(0xF0*ones)>>4 != 0x33*ones {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if !digit(c) {
			return false
		}
	}
	return true
}

// stars reports whether b is n of them.
func stars(b []byte, n int) bool {
	for _, c := range b {
		if c != '*' {
			return false
		}
	}
	return len(b) == n
}
