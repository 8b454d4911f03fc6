package masking

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// Year, month, day in the notations of certificates, a time behind it or not; or year and month alone.
	birthDateForm  = regexp.MustCompile(`^([0-9]{4})(?:([-/.])([0-9]{1,2})(?:([-/.])([0-9]{1,2}))?|年([0-9]{1,2})月(?:([0-9]{1,2})日)?|([0-9]{2})([0-9]{2}))(?:[T ][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?$`)
	birthDateShown = regexp.MustCompile(`^[0-9]{4}-\*\*-\*\*$`)
)

// maskBirthDate shows the year, 1992-**-**.
func maskBirthDate(value string) (string, bool) {
	text := narrow(value)
	if birthDateShown.MatchString(text) {
		return text, true
	}
	m := birthDateForm.FindStringSubmatch(strings.ToUpper(text))
	if m == nil || m[4] != "" && m[4] != m[2] {
		return "", false
	}
	month, day := m[3]+m[6]+m[8], m[5]+m[7]+m[9]
	if day == "" {
		day = "01"
	}
	if !date("20060102", fmt.Sprintf("%s%02s%02s", m[1], month, day)) {
		return "", false
	}
	return m[1] + "-**-**", true
}
