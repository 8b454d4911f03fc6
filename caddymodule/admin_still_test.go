package caddymodule

import (
	"net/http"
	"testing"

	"licgate/registry"
)

// TestStillAnAdministrator: a change that took its time is held against the administrators of when it takes effect.
func TestStillAnAdministrator(t *testing.T) {
	t.Parallel()
	someone := func(name, role string, disabled bool) registry.Administrator {
		return registry.Administrator{Administrator: name, Role: role, Disabled: disabled, PasswordHash: "h-" + name}
	}
	none := &registry.Platform{}
	three := &registry.Platform{Administrators: []registry.Administrator{
		someone("sec", registry.RoleSecurity, false), someone("gone", registry.RoleSecurity, true), someone("aud", registry.RoleAudit, false),
	}}
	for _, test := range []struct {
		name    string
		by      administrator
		c       change
		current *registry.Platform
		refused bool
	}{
		{"nobody is declared", administrator{whole: true}, change{}, none, false},
		{"the powers were separated meanwhile", administrator{whole: true}, change{}, three, true},
		{"he is who he was", administrator{name: "sec", role: powerSecurity}, change{}, three, false},
		{"disabled meanwhile", administrator{name: "gone", role: powerSecurity}, change{}, three, true},
		{"removed meanwhile", administrator{name: "sec", role: powerSecurity}, change{}, none, true},
		{"of another power by now", administrator{name: "aud", role: powerSecurity}, change{}, three, true},
		{"the own password", administrator{name: "aud"}, change{own: true, proved: "h-aud"}, three, false},
		{"the own password, which was reset meanwhile", administrator{name: "aud"}, change{own: true, proved: "h-before"}, three, true},
	} {
		if err := test.by.still(test.current, test.c); (err != nil) != test.refused || err != nil && adminStatus(err) != http.StatusUnauthorized {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
