package beijing

import (
	"testing"
	"time"
)

// TestForms: the same instant reads the same, whatever zone it comes in, and across midnight.
func TestForms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 21, 3, 20, 456_000_000, time.UTC)
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", -5*3600), Zone} {
		for got, want := range map[string]string{
			Time(at.In(zone)):     "2026-12-01 05:03:20",
			Millis(at.In(zone)):   "2026-12-01 05:03:20.456",
			Minute(at.In(zone)):   "2026-12-01 05:03",
			Date(at.In(zone)):     "2026-12-01",
			Labelled(at.In(zone)): "2026-12-01 05:03:20（北京时间）",
		} {
			if got != want {
				t.Errorf("%s: %q, want %q", zone, got, want)
			}
		}
	}
}

// TestParse: what a person writes without a zone is Beijing time.
func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-12-01":                    "2026-11-30T16:00:00Z",
		"2026-12-1":                     "2026-11-30T16:00:00Z",
		"2026-12-01 05:03":              "2026-11-30T21:03:00Z",
		"2026-12-01 05:03:20":           "2026-11-30T21:03:20Z",
		"2026-12-01 05:03:20.456":       "2026-11-30T21:03:20.456Z",
		"2026-12-01T05:03:20Z":          "2026-12-01T05:03:20Z",
		"2026-12-01T05:03:20.456+09:00": "2026-11-30T20:03:20.456Z",
	} {
		if got, err := Parse(text); err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2026-02-30", "01/12/2026", "2026-12-01T05:03:20", " 2026-12-01", "昨天"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
