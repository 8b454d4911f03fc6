package registry

import (
	"regexp"
	"strings"
	"time"
)

// The alphabet of GB 32100: digits and capitals without I, O, S, V, Z; a character's value is its place.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// creditCheck returns the check character (GB 32100: weights 3^(i-1), modulo 31) of the first 17 characters of a
// 统一社会信用代码; false when one is outside the alphabet.
func creditCheck(body string) (byte, bool) {
	sum, weight := 0, 1
	for i := range len(body) {
		value := strings.IndexByte(creditAlphabet, body[i])
		if value < 0 {
			return 0, false
		}
		sum += value * weight
		weight = weight * 3 % 31
	}
	return creditAlphabet[(31-sum%31)%31], true
}

// validCreditCode reports whether code is a 统一社会信用代码 whose check character is right.
func validCreditCode(code string) bool {
	if len(code) != 18 {
		return false
	}
	check, ok := creditCheck(code[:17])
	return ok && code[17] == check
}

// identityCheck returns the check character (GB 11643, ISO 7064 MOD 11-2) of the first 17 characters of a
// 公民身份号码; false when one is no digit.
func identityCheck(body string) (byte, bool) {
	sum := 0
	for i := range len(body) {
		if body[i] < '0' || body[i] > '9' {
			return 0, false
		}
		sum = (sum + int(body[i]-'0')) * 2 % 11
	}
	return "0123456789X"[(12-sum)%11], true
}

// validIdentity reports whether num is an 18-character 公民身份号码 with a real birth date and the right check character.
func validIdentity(num string) bool {
	if len(num) != 18 {
		return false
	}
	check, ok := identityCheck(num[:17])
	if !ok || num[17] != check {
		return false
	}
	_, err := time.Parse("20060102", num[6:14])
	return err == nil
}

// Shapes of the codes of domain.md §4 and of names that stand in policy lines and URLs.
var (
	divisionShape    = regexp.MustCompile(`^\d{6}(\d{6})?$`)
	itemShape        = regexp.MustCompile(`^([0-9A-Z]{9}|[0-9A-Z]{15}|[0-9A-Z]{24})$`)
	serviceItemShape = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	nameShape        = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,64}$`)
	fieldKeyShape    = regexp.MustCompile(`^[A-Za-z_][0-9A-Za-z_]{0,63}$`)
	roleShape        = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,31}$`)
	digestShape      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	phoneShape       = regexp.MustCompile(`^[0-9+][0-9 ()+-]{4,31}$`)
	emailShape       = regexp.MustCompile(`^[^@\s]{1,64}@[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+$`)
	validityShape    = regexp.MustCompile(`^(长期|[1-9]\d{0,3}(年|个月|天))$`)
)
