package store_test

import (
	"testing"

	"licgate/licence"
	"licgate/licence/licencetest"
	"licgate/session"
	"licgate/session/sessiontest"
	"licgate/store/storetest"
)

func TestLicences(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			licencetest.Run(t, func(t *testing.T) licence.Store { return backend.Open(t).Licences() })
		})
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			sessiontest.Run(t, func(t *testing.T) session.Store { return backend.Open(t).Sessions() })
		})
	}
}
