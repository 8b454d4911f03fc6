package licence

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"licgate/beijing"
)

// unlimited is how a face writes that a licence does not expire.
const unlimited = "长期"

// dateOf returns the date in Asia/Shanghai. Dates in this form compare as text.
func dateOf(t time.Time) string { return beijing.Date(t) }

// parseDate reads yyyy-M-d, padded or not (domain.md §1), and returns yyyy-MM-dd; false when there is no such day.
func parseDate(s string) (string, bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 || len(parts[0]) != 4 {
		return "", false
	}
	var numbers [3]int
	for i, part := range parts {
		if !digits(part) || len(part) > 4 || i > 0 && len(part) > 2 {
			return "", false
		}
		n, err := strconv.Atoi(part)
		if err != nil || n == 0 {
			return "", false
		}
		numbers[i] = n
	}
	day := date(numbers[0], numbers[1], numbers[2])
	if day.Month() != time.Month(numbers[1]) || day.Day() != numbers[2] {
		return "", false
	}
	return day.Format(time.DateOnly), true
}

func date(year, month, day int) time.Time {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

// digits reports whether s is one or more ASCII digits.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// period is how long a licence is valid; the zero period has no end.
type period struct{ years, months, days int }

// parseValidity reads an item's validity: empty or 长期 (no end), N年, N个月 or N天.
func parseValidity(s string) (period, error) {
	s = strings.TrimSpace(s)
	if s == "" || s == unlimited {
		return period{}, nil
	}
	var p period
	for unit, count := range map[string]*int{"年": &p.years, "个月": &p.months, "天": &p.days} {
		number, found := strings.CutSuffix(s, unit)
		if !found || !digits(number) || len(number) > 5 {
			continue
		}
		n, err := strconv.Atoi(number)
		if err != nil || n == 0 {
			continue
		}
		*count = n
		return p, nil
	}
	return period{}, fmt.Errorf("licence: validity %q is none of 长期, N年, N个月, N天", s)
}

// lastDay returns the last valid day of a licence whose first valid day is begin (yyyy-MM-dd): the day before the
// corresponding day, or the month's last day where the month has no such day. "" for no end.
func (p period) lastDay(begin string) (string, error) {
	if p == (period{}) {
		return "", nil
	}
	first, err := time.Parse(time.DateOnly, begin)
	if err != nil {
		return "", fmt.Errorf("licence: begin of validity: %w", err)
	}
	month := date(first.Year()+p.years, int(first.Month())+p.months, 1)
	last := month.AddDate(0, 1, -1)
	if first.Day() <= last.Day() {
		last = month.AddDate(0, 0, first.Day()-2)
	}
	if p.days > 0 {
		last = first.AddDate(0, 0, p.days-1)
	}
	if last.Year() > 9999 {
		return "", fmt.Errorf("licence: validity ends after the year 9999")
	}
	return last.Format(time.DateOnly), nil
}
