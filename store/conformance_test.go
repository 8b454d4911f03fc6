package store_test

import (
	"testing"

	"licgate/licence"
	"licgate/licence/licencetest"
	"licgate/registry"
	"licgate/registry/registrytest"
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

func TestLocks(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			registrytest.RunLocks(t, func(t *testing.T) registry.LockStore { return backend.Open(t).Locks() })
		})
	}
}

func TestPendings(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			registrytest.RunPending(t, func(t *testing.T) registry.PendingStore { return backend.Open(t).Pendings() })
		})
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			registrytest.RunForms(t, func(t *testing.T) registry.FormStore { return backend.Open(t).Forms() })
		})
	}
}

func TestSecretUses(t *testing.T) {
	t.Parallel()
	for _, backend := range storetest.Backends(t) {
		t.Run(backend.Name, func(t *testing.T) {
			t.Parallel()
			registrytest.RunSecretUses(t, func(t *testing.T) registry.SecretUses { return backend.Open(t).SecretUses() })
		})
	}
}
