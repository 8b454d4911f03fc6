// Package beijing writes and reads times as people do here: all of them in Beijing time, whatever zone the machine is set to. One instant
// must not be shown as two: what a page, a command and a file say of it is compared, and is evidence.
//
// Machines read RFC 3339 with an offset, and never come here.
package beijing

import (
	"fmt"
	"time"
)

// Zone is Asia/Shanghai, which has had one offset since 1991; fixed, so that no zone file is needed.
var Zone = time.FixedZone("Asia/Shanghai", 8*60*60)

// Label names the zone: behind a time that stands alone, and in the head of a column of times.
const Label = "（北京时间）"

// Time is 2006-01-02 15:04:05. Where it stands alone, use Labelled.
func Time(t time.Time) string { return Format(t, time.DateTime) }

// Millis is 2006-01-02 15:04:05.000.
func Millis(t time.Time) string { return Format(t, MillisLayout) }

// Minute is 2006-01-02 15:04.
func Minute(t time.Time) string { return Format(t, "2006-01-02 15:04") }

// Date is 2006-01-02.
func Date(t time.Time) string { return Format(t, time.DateOnly) }

// Labelled is Time with its zone: for a time that is evidence, or that somebody shall act by.
func Labelled(t time.Time) string { return Time(t) + Label }

// Format writes t by a layout of package time.
func Format(t time.Time, layout string) string { return t.In(Zone).Format(layout) }

// MillisLayout is the form of times in objects and answers (domain.md §1).
const MillisLayout = "2006-01-02 15:04:05.000"

// Parse reads what Time, Millis, Minute and Date write, and RFC 3339, whose own offset holds. A day is its beginning, with or without noughts (domain.md §1).
func Parse(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", "2006-1-2"} { // a fraction needs no layout
		if t, err := time.ParseInLocation(layout, text, Zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("beijing: %q is no time", text)
}
