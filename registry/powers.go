package registry

import (
	"slices"
)

// Administrative reports whether changes concern administrators and nothing else: whoever looks at them learns nothing of the rights.
func Administrative(changes []Change) bool {
	return !slices.ContainsFunc(changes, func(c Change) bool { return c.Kind != kindAdministrator })
}

// Withdrawal reports whether changes disable or remove applications, accounts and administrators and do nothing else: such give nobody
// anything. To remove a line of the policy is none, since it may be one that denies.
func Withdrawal(changes []Change) bool {
	return !slices.ContainsFunc(changes, func(c Change) bool {
		return !c.withdraws() || !slices.Contains([]string{kindApplication, kindAccount, kindAdministrator}, c.Kind)
	})
}

// withdraws reports whether a change disables or removes what it is about.
func (c Change) withdraws() bool {
	return c.Action == actionRemove || c.Field == "disabled" && c.New == "true"
}

// Empowers reports whether changes between two platforms give anybody an administrator's access: another password, role, certificate or
// person, one who is new or is enabled again. To disable or to remove one takes access away alone, unless it leaves one of the three powers
// to nobody: without a security administrator whoever reaches the admin endpoint holds all of them, and step by step nobody would be left to
// object. What is not known to take away gives.
func Empowers(changes []Change, before, after *Platform) bool {
	for _, c := range changes {
		if c.Kind == kindAdministrator && !c.withdraws() {
			return true
		}
	}
	return slices.ContainsFunc(AdministratorRoles, func(role string) bool {
		return before.Enabled(role) > 0 && after.Enabled(role) == 0
	})
}

// ChosenPasswords names the administrators whom changes give a password that stands in declared, in clear or hashed: whoever declared it
// knows it. One that is made when the change takes effect is no such.
func ChosenPasswords(changes []Change, declared *Platform) []string {
	var names []string
	for i := range declared.Administrators {
		a := &declared.Administrators[i]
		if a.Renew || a.Password == "" && a.PasswordHash == "" {
			continue
		}
		if slices.ContainsFunc(changes, func(c Change) bool {
			return c.Kind == kindAdministrator && c.Key == a.Administrator && (c.Action == actionAdd || c.Field == "password")
		}) {
			names = append(names, a.Administrator)
		}
	}
	return names
}

// Others counts the enabled administrators but one, of the given roles.
func (p *Platform) Others(but string, roles ...string) int {
	n := 0
	for i := range p.Administrators {
		if a := &p.Administrators[i]; !a.Disabled && a.Administrator != but && slices.Contains(roles, a.Role) {
			n++
		}
	}
	return n
}
