// Package masking decides what a value looks like to somebody who may not see it (domain.md §6). It knows no HTTP
// and no rights: the caller says which fields are sensitive, of which kind, and which of them are clear.
//
// Masking fails closed. A value that is not certainly of its declared kind is hidden whole, and a body that cannot
// be read with certainty does not leave at all.
package masking

import (
	"strings"
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

// PublicNumber is shown unless it validates as an identity number, as Number does. It is for plans; no field declares it.
const PublicNumber Kind = "public_number"

// maskers gives what is shown of a value that has more than two characters. They report false for a value that does
// not fit their kind. Each takes its own results as fitting and returns them unchanged, so that masking twice, by two
// gateways in a row, is masking once.
var maskers = map[Kind]func(string) (string, bool){
	Name:           maskName,
	IdentityNumber: maskIdentity,
	Phone:          maskPhone,
	Landline:       maskLandline,
	Address:        maskAddress,
	BirthDate:      maskBirthDate,
	BankCard:       maskBankCard,
	Email:          maskEmail,
	Passport:       maskPassport,
	Photo:          nil,
	Text:           nil,
}

// Known reports whether kind is one of the list.
func Known(kind Kind) bool {
	_, ok := maskers[kind]
	return ok
}

// Mask returns what is shown of value. Lengths of masks are fixed per kind; values of one or two characters are never
// shown whole; a value that does not fit its kind is masked whole. The empty string stays empty, and a photo given
// as text becomes empty. Mask(kind, Mask(kind, v)) equals Mask(kind, v).
func Mask(kind Kind, value string) string {
	if kind == PublicNumber {
		return Number(value)
	}
	if mask := maskers[kind]; mask != nil && (utf8.RuneCountInString(value) > 2 || kind == Name) {
		if shown, ok := mask(value); ok {
			return shown
		}
	}
	return whole(kind, value)
}

// Number masks a value that is public unless it validates as an identity number (a 证照号码 that is one).
// A public value is returned as it is.
func Number(value string) string {
	if isIdentity(compact(value)) {
		return Mask(IdentityNumber, value)
	}
	return value
}

// whole hides all of value.
func whole(kind Kind, value string) string {
	if value == "" || kind == Photo {
		return ""
	}
	return hidden
}

// narrow turns full-width forms into ASCII and drops what does not show: format characters and outer blanks.
func narrow(value string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r >= 0xFF01 && r <= 0xFF5E:
			return r - 0xFEE0
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Pd, r), r == 0x2212: // dashes and the minus sign
			return '-'
		}
		return r
	}, value))
}

// separators and brackets are made once: making a Replacer costs more than using it.
var (
	separators = strings.NewReplacer(" ", "", "-", "")
	brackets   = strings.NewReplacer("(", "", ")", "")
)

// compact is narrow without any blanks and dashes, as numbers are compared.
func compact(value string) string {
	return separators.Replace(narrow(value))
}
