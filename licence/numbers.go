package licence

import (
	"fmt"
	"io"
	"strings"
	"time"

	"licgate/beijing"
)

const base36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// ValidNumber reports whether code has the form of a licence number (证照唯一编码): 18 characters = 6 digits of
// division, 4 of year, 8 base-36; or the old form of 15 (domain.md §4).
func ValidNumber(code string) bool {
	switch len(code) {
	case 18:
		return digits(code[:10]) && strings.Trim(code[10:], base36) == ""
	case 15:
		return strings.Trim(code, base36) == ""
	}
	return false
}

// ValidDivision reports whether code has the form of a division code (GB/T 2260): 6 or 12 digits.
func ValidDivision(code string) bool {
	return (len(code) == 6 || len(code) == 12) && digits(code)
}

// newNumber makes a licence number. Whether it is free is for the store to say.
func newNumber(random io.Reader, divisionCode string, now time.Time) (string, error) {
	division := "000000"
	if ValidDivision(divisionCode) {
		division = divisionCode[:6]
	}
	tail, err := randomBase36(random, 8)
	if err != nil {
		return "", err
	}
	return division + beijing.Format(now, "2006") + tail, nil
}

// randomBase36 returns n characters, all equally likely: bytes from 252 up would favour the first four.
func randomBase36(random io.Reader, n int) (string, error) {
	out := make([]byte, 0, n)
	var pool [16]byte
	for range 64 { // a good source needs one or two rounds
		if _, err := io.ReadFull(random, pool[:]); err != nil {
			return "", fmt.Errorf("licence: read random bytes: %w", err)
		}
		for _, b := range pool {
			if b >= 252 {
				continue
			}
			out = append(out, base36[b%36])
			if len(out) == n {
				return string(out), nil
			}
		}
	}
	return "", fmt.Errorf("licence: random source repeats itself")
}

// ItemCode is a catalogue item code taken apart (domain.md §4). Parts that its form leaves out are empty.
type ItemCode struct{ Basic, Organisation, Division string }

// ParseItemCode takes an item code apart: 24 = 9 basic + 9 organisation + 6 division, 15 = 9 organisation + 6 division,
// 9 = basic. It does not verify the organisation's check digit: that is ValidOrganisationCode.
func ParseItemCode(code string) (ItemCode, bool) {
	if strings.Trim(code, base36) != "" {
		return ItemCode{}, false
	}
	var c ItemCode
	switch len(code) {
	case 24:
		c = ItemCode{Basic: code[:9], Organisation: code[9:18], Division: code[18:]}
	case 15:
		c = ItemCode{Organisation: code[:9], Division: code[9:]}
	case 9:
		return ItemCode{Basic: code}, true
	default:
		return ItemCode{}, false
	}
	if !ValidDivision(c.Division) {
		return ItemCode{}, false
	}
	return c, true
}
