package registry

import (
	"testing"
	"time"

	"licgate/beijing"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 1, 2, 3, 4e6, time.UTC)
	if got, err := ParseTime(beijing.Millis(at)); err != nil || !got.Equal(at) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := ParseTime("24.11.2026"); err == nil {
		t.Error("another form is taken")
	}
}
