package registry

import (
	"slices"
	"strings"
	"testing"
)

// Whatever gives somebody an administrator's access is told from what takes some away, however it is written.
func TestEmpowers(t *testing.T) {
	t.Parallel()
	const (
		mine    = `{administrator: anquan, name: 安全员, role: security, identity_num: "110105198506150022", password: "Guanli-2024-aq"}`
		second  = "\n  - {administrator: shenji2, name: 审计员二, role: audit, identity_num: 11010519491231002X}"
		audit   = `{administrator: shenji, name: 审计员, role: audit, identity_num: "11010119800229123X"}`
		another = "110101199003070011"
	)
	full := threePowers + strings.TrimPrefix(second, "\n") + "\n"
	for _, test := range []struct {
		name   string
		edit   []string // pairs of old and new text
		gives  bool
		chosen []string
	}{
		{name: "nothing"},
		{name: "added", edit: []string{mine, mine + "\n  - {administrator: b, name: 乙, role: audit, identity_num: " + another + "}"}, gives: true},
		{
			name:  "added with a password",
			edit:  []string{mine, mine + "\n  - {administrator: b, name: 乙, role: security, password: Known-To-Me-1, identity_num: " + another + "}"},
			gives: true, chosen: []string{"b"},
		},
		{name: "added, disabled", edit: []string{mine, mine + "\n  - {administrator: b, name: 乙, role: audit, disabled: true, identity_num: " + another + "}"}, gives: true},
		{name: "another's password", edit: []string{"11010119800229123X\"", "11010119800229123X\", password: Known-To-Me-1"}, gives: true, chosen: []string{"shenji"}},
		{name: "another person", edit: []string{"11010119800229123X", another}, gives: true},
		{name: "a certificate", edit: []string{"role: system", "role: system, certificates: [" + strings.Repeat("a1", 32) + "]"}, gives: true},
		{name: "renamed", edit: []string{"administrator: shenji,", "administrator: shenji3,"}, gives: true},
		{name: "the own power", edit: []string{"role: security", "role: audit"}, gives: true},
		{name: "one of two disabled", edit: []string{audit, strings.Replace(audit, "}", ", disabled: true}", 1)}},
		{name: "one of two removed", edit: []string{second, ""}},
		{name: "the last of a power disabled", edit: []string{"role: system", "role: system, disabled: true"}, gives: true},
		{name: "the last security administrator removed", edit: []string{"  - " + mine + "\n", ""}, gives: true},
	} {
		v := newVault(t)
		before := plan(t, v, nil, parse(t, full), "root", monday).Next
		text := full
		for i := 0; i < len(test.edit); i += 2 {
			if !strings.Contains(text, test.edit[i]) {
				t.Fatalf("%s: the file does not hold %q", test.name, test.edit[i])
			}
			text = strings.Replace(text, test.edit[i], test.edit[i+1], 1)
		}
		declared := parse(t, text)
		planned := plan(t, v, before, declared, "anquan", tuesday)
		if got := Empowers(planned.Changes, before, planned.Next); got != test.gives {
			t.Errorf("%s: %t of %v", test.name, got, spoken(planned.Changes))
		}
		if !Administrative(planned.Changes) {
			t.Errorf("%s is taken for more than a change of administrators: %v", test.name, spoken(planned.Changes))
		}
		// Waiting for approval hides no password that somebody chose.
		sealed, err := SealDeclaration(declared, before, v)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := OpenDeclaration(sealed)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range []*Platform{declared, opened} {
			if got := ChosenPasswords(planned.Changes, one); !slices.Equal(got, test.chosen) {
				t.Errorf("%s: chosen %v, want %v", test.name, got, test.chosen)
			}
		}
	}
	// Enabled again, and a password that is made when it takes effect.
	v := newVault(t)
	before := plan(t, v, nil, parse(t, strings.Replace(full, "name: 审计员二,", "name: 审计员二, disabled: true,", 1)), "root", monday).Next
	for name, edit := range map[string]func(*Administrator){
		"enabled": func(a *Administrator) { a.Disabled, a.DisabledGiven = false, true },
		"reset":   func(a *Administrator) { a.Renew = true },
	} {
		declared := &Platform{Administrators: slices.Clone(before.Administrators)}
		edit(&declared.Administrators[3])
		planned := plan(t, v, before, declared, "anquan", tuesday)
		if !Empowers(planned.Changes, before, planned.Next) || ChosenPasswords(planned.Changes, declared) != nil {
			t.Errorf("%s: %v", name, spoken(planned.Changes))
		}
	}
	for _, test := range []struct {
		change Change
		want   bool
	}{
		{Change{Action: actionRemove, Kind: kindApplication}, true},
		{Change{Action: actionChange, Kind: kindAccount, Field: "disabled", New: "true"}, true},
		{Change{Action: actionChange, Kind: kindAdministrator, Field: "disabled", New: "true"}, true},
		{Change{Action: actionChange, Kind: kindAccount, Field: "disabled", New: "false"}, false},
		{Change{Action: actionAdd, Kind: kindAccount}, false},
		{Change{Action: actionChange, Kind: kindAccount, Field: "roles"}, false},
		{Change{Action: actionRemove, Kind: kindPolicy}, false}, // it may be what denied
		{Change{Action: actionRemove, Kind: kindMasking}, false},
	} {
		if got := Withdrawal([]Change{{Action: actionRemove, Kind: kindAccount}, test.change}); got != test.want {
			t.Errorf("a withdrawal: %t of %s", got, test.change)
		}
	}
	if Administrative([]Change{{Kind: kindAdministrator}, {Kind: kindPolicy}}) {
		t.Error("a change of the policy is taken for one of administrators")
	}
	if n := before.Others("anquan", AdministratorRoles...); n != 2 { // one is disabled
		t.Errorf("%d others", n)
	}
}
