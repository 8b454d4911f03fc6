package masking

import (
	"regexp"
	"strings"
	"time"
)

// Documents are shown with a mask of fixed length, whatever the length of the number.
var (
	identityShown = regexp.MustCompile(`^[1-9][0-9]{5}\*{8}$`)
	passportForm  = regexp.MustCompile(`^[A-Z0-9]{6,12}$`)
	passportShown = regexp.MustCompile(`^[A-Z0-9]\*{4}[A-Z0-9]{2}$`)
	bankCardForm  = regexp.MustCompile(`^[0-9]{12,19}$`)
	bankCardShown = regexp.MustCompile(`^\*{4}[0-9]{4}$`)
)

// maskIdentity shows the division of a number that is right in every digit, 110101********.
func maskIdentity(value string) (string, bool) {
	id := compact(value)
	if identityShown.MatchString(id) {
		return id, true
	}
	if !isIdentity(id) {
		return "", false
	}
	return id[:6] + "********", true
}

// isIdentity reports whether id is a 公民身份号码: 18 characters with a date and a check digit (GB 11643-1999),
// or the 15 digits without century and check that it replaced.
func isIdentity(id string) bool {
	id = strings.ToUpper(id)
	switch len(id) {
	case 18:
		return digits(id[:17]) && id[0] != '0' && date("20060102", id[6:14]) && id[17] == identityCheck(id)
	case 15:
		return digits(id) && id[0] != '0' && date("20060102", "19"+id[6:12])
	}
	return false
}

// identityCheck is ISO 7064 MOD 11-2 over the first 17 digits.
func identityCheck(id string) byte {
	sum := 0
	for i := range 17 {
		sum = (sum + int(id[i]-'0')) * 2 % 11
	}
	return "10X98765432"[sum]
}

// maskPassport shows the first character and the last two, E****78. Permits have the same form.
func maskPassport(value string) (string, bool) {
	number := strings.ToUpper(brackets.Replace(compact(value)))
	if passportShown.MatchString(number) {
		return number, true
	}
	if !passportForm.MatchString(number) || !strings.ContainsAny(number, "0123456789") {
		return "", false
	}
	return number[:1] + hidden + number[len(number)-2:], true
}

// maskBankCard shows the last four digits, ****1234. An identity number in the wrong field is not shown by its end.
func maskBankCard(value string) (string, bool) {
	number := compact(value)
	if bankCardShown.MatchString(number) {
		return number, true
	}
	if !bankCardForm.MatchString(number) || isIdentity(number) {
		return "", false
	}
	return hidden + number[len(number)-4:], true
}

func digits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// date reports whether s is a day of the calendar in the years of living people and their papers.
func date(layout, s string) bool {
	day, err := time.Parse(layout, s)
	return err == nil && day.Year() >= 1800 && day.Year() < 2100
}
