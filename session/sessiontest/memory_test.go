package sessiontest

import (
	"testing"

	"licgate/session"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) session.Store { return NewMemory() })
}
