package licencetest_test

import (
	"testing"

	"licgate/licence"
	"licgate/licence/licencetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	licencetest.Run(t, func(*testing.T) licence.Store { return licencetest.NewMemory() })
}
