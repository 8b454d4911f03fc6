package masking

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	phoneForm  = regexp.MustCompile(`^(?:\+86|0086|86|0)?(1[3-9][0-9]{9})$`)
	phoneShown = regexp.MustCompile(`^1[3-9][0-9]\*{4}[0-9]{4}$`)

	// Area codes are 010, 02x or four digits; abroad they lose the 0. An extension is dropped.
	landlineForm  = regexp.MustCompile(`^(?:(\+86|0086) ?-? ?)?(?:\(?(0?)(10|2[0-9]|[3-9][0-9]{2})\)? ?-? ?)?([1-9][0-9]{6,7})(?: ?(?:-|转|分机|#|x|ext\.?) ?[0-9]{1,6})?$`)
	landlineShown = regexp.MustCompile(`^(?:0[0-9]{2,3}-)?\*{4}[0-9]{2}$`)

	emailDomain = regexp.MustCompile(`^(?:[\pL\pN](?:[\pL\pN-]{0,61}[\pL\pN])?\.)+\pL[\pL\pN-]{0,61}[\pL\pN]$`)
)

// maskPhone shows 3 + 4 digits of a mobile number, 138****5678. The country code is dropped.
func maskPhone(value string) (string, bool) {
	number := brackets.Replace(compact(value))
	if phoneShown.MatchString(number) {
		return number, true
	}
	m := phoneForm.FindStringSubmatch(number)
	if m == nil {
		return "", false
	}
	return m[1][:3] + hidden + m[1][7:], true
}

// maskLandline shows area code and the last two digits, 010-****78.
func maskLandline(value string) (string, bool) {
	number := strings.ToLower(narrow(value))
	if landlineShown.MatchString(number) {
		return number, true
	}
	m := landlineForm.FindStringSubmatch(number)
	if m == nil {
		return "", false
	}
	country, zero, area, local := m[1], m[2], m[3], m[4]
	end := hidden + local[len(local)-2:]
	switch {
	case area == "" && country == "":
		return end, true
	case area == "", country == "" && zero == "": // digits that only look like an area code
		return "", false
	}
	return "0" + area + "-" + end, true
}

// maskEmail shows the first character and the domain, z****@example.com; of a one-letter name nothing.
func maskEmail(value string) (string, bool) {
	address := narrow(value)
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || len(domain) > 253 || !emailDomain.MatchString(domain) || strings.IndexFunc(local, notInMailbox) >= 0 {
		return "", false
	}
	first, size := utf8.DecodeRuneInString(local)
	if size == len(local) || first == '*' {
		return hidden + "@" + domain, true
	}
	return string(first) + hidden + "@" + domain, true
}

func notInMailbox(r rune) bool {
	return r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`"(),:;<>@[\]`, r)
}
