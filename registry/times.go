package registry

import (
	"fmt"
	"time"

	"licgate/beijing"
)

// ParseTime reads a time as this package writes them into objects: Beijing time, to the millisecond (domain.md §1).
func ParseTime(text string) (time.Time, error) {
	t, err := time.ParseInLocation(beijing.MillisLayout, text, beijing.Zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("registry: reading a time: %w", err)
	}
	return t, nil
}
