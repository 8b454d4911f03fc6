package gm

import (
	"fmt"
	"sync/atomic"
	"time"

	"licgate/beijing"
)

// A Period is how long a department seals under one data key before it gets the next, by the calendar of Beijing.
type Period int

// The periods. A quarter is the default.
const (
	Quarter Period = iota
	Month
	Year
)

// ParsePeriod reads "month", "quarter" or "year".
func ParsePeriod(s string) (Period, error) {
	for _, p := range []Period{Month, Quarter, Year} {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("gm: a period is month, quarter or year, not %q", s)
}

func (p Period) String() string {
	switch p {
	case Month:
		return "month"
	case Year:
		return "year"
	}
	return "quarter"
}

// name returns the period that t is in: 2026-03, 2026Q1 or 2026. Later periods have greater names; where the length of a period
// was changed, the next greater name comes soon.
func (p Period) name(t time.Time) string {
	t = t.In(beijing.Zone)
	switch p {
	case Month:
		return t.Format("2006-01")
	case Year:
		return t.Format("2006")
	}
	return fmt.Sprintf("%04dQ%d", t.Year(), (int(t.Month())+2)/3)
}

// calendar names the period of the present without working it out each time. Its zero value is ready; safe for concurrent use.
type calendar struct {
	today atomic.Pointer[day]
}

type day struct {
	number int64 // since 1970, in Beijing
	period string
}

// name is p.name(t).
func (c *calendar) name(p Period, t time.Time) string {
	const hours = 60 * 60
	number := (t.Unix() + 8*hours) / (24 * hours)
	today := c.today.Load()
	if today == nil || today.number != number {
		today = &day{number, p.name(t)}
		c.today.Store(today)
	}
	return today.period
}
