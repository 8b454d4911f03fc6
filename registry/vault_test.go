package registry

import (
	"slices"
	"testing"
)

// A password or secret that is to be renewed is made when the change takes effect, also after it waited for approval: who proposes it
// never knows it. One that somebody else set is marked so.
func TestRenew(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	text := edited(t, []string{"policy:", threePowers + "policy:"})
	current := plan(t, v, nil, parse(t, text), "os:root", monday).Next
	for i := range current.Administrators {
		if !current.Administrators[i].PasswordGiven {
			t.Errorf("%s chose the first password", current.Administrators[i].Administrator)
		}
	}
	declared := &Platform{
		Applications: slices.Clone(current.Applications), Accounts: slices.Clone(current.Accounts), Administrators: slices.Clone(current.Administrators),
	}
	declared.Applications[0].Renew, declared.Accounts[0].Renew, declared.Administrators[0].Renew = true, true, true
	sealed, err := SealDeclaration(declared, current, v)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenDeclaration(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]*Platform{"at once": declared, "after approval": opened} {
		planned := plan(t, v, current, one, "second", tuesday)
		made := map[string]string{}
		for _, g := range planned.Generated {
			made[g.Kind] = g.Value
		}
		next := planned.Next
		if len(planned.Changes) != 3 || len(made) != 3 ||
			!v.VerifySecret(next.Applications[0].AppKey, next.Applications[0].SecretHash, made["app_secret"]) ||
			!v.VerifyPassword(next.Accounts[0].PasswordHash, made["password"]) ||
			!v.VerifyPassword(next.Administrators[0].PasswordHash, made["administrator_password"]) {
			t.Errorf("%s: made %v, changes %v", name, made, spoken(planned.Changes))
		}
		if next.Applications[0].Renew || next.Accounts[0].Renew || next.Administrators[0].Renew || !next.Administrators[0].PasswordGiven {
			t.Errorf("%s: %+v", name, next.Administrators[0])
		}
	}
	// The own choice is nobody's gift.
	own := slices.Clone(current.Administrators)
	own[0].Password = "My-own-choice-1"
	if next := plan(t, v, current, &Platform{Administrators: slices.Clone(own)}, own[0].Administrator, tuesday).Next; !next.Administrators[0].PasswordGiven {
		t.Error("what somebody else chose and its owner approved is taken for the own choice")
	}
	own[0].Own = true
	if next := plan(t, v, current, &Platform{Administrators: own}, own[0].Administrator, tuesday).Next; next.Administrators[0].PasswordGiven || !next.Administrators[1].PasswordGiven {
		t.Errorf("after the own choice: %+v", next.Administrators[:2])
	}
}
