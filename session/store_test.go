package session_test

import (
	"math"
	"testing"
	"time"

	"licgate/session"
)

func TestLockDelay(t *testing.T) {
	t.Parallel()
	const forever = time.Duration(math.MaxInt64)
	for _, c := range []struct {
		locks     int
		base, max time.Duration
		want      time.Duration
	}{
		{1, time.Minute, time.Hour, time.Minute},
		{2, time.Minute, time.Hour, 2 * time.Minute},
		{6, time.Minute, time.Hour, 32 * time.Minute},
		{7, time.Minute, time.Hour, time.Hour},
		{1000, time.Minute, time.Hour, time.Hour},
		{2, time.Minute, 2 * time.Minute, 2 * time.Minute},
		{1, time.Hour, time.Minute, time.Minute},
		{100, time.Minute, forever, forever},
		{100, 0, time.Hour, 0},
	} {
		if got := session.LockDelay(c.locks, c.base, c.max); got != c.want {
			t.Errorf("lock %d of %v up to %v lasts %v, want %v", c.locks, c.base, c.max, got, c.want)
		}
	}
}
