package caddymodule

import (
	"fmt"
	"testing"

	"licgate/masking"
	"licgate/policy"
	"licgate/registry"
)

// The leaves do not know one another, so each has its own list of words; here they are held to one another.

const wordsPlatform = `
departments: [{code: 11110000000021135M, name: 甲, parent: ""}]
items: [{license_item_code: "305018201", name: 乙, department: 11110000000021135M, holder_type: person,
  fields: [{key: A, label: 丙, sensitive: %s}]}]
applications: [{app_key: a, name: 丁, department: 11110000000021135M, grants: [{items: ["305018201"], needs: [%s]}]}]
accounts: [{account: b, name: 戊, department: 11110000000021135M, roles: [%s]}]
`

func TestLeavesSpeakOneLanguage(t *testing.T) {
	t.Parallel()
	accepted := func(kind, need, role string) error {
		p, err := registry.Parse(fmt.Appendf(nil, wordsPlatform, kind, need, role))
		if err == nil {
			err = registry.Check(p)
		}
		if err == nil {
			_, err = policyLines(p)
		}
		return err
	}
	for _, kind := range []masking.Kind{
		masking.Name, masking.IdentityNumber, masking.Phone, masking.Landline, masking.Address, masking.BirthDate,
		masking.BankCard, masking.Email, masking.Passport, masking.Photo, masking.Text,
	} {
		if err := accepted(string(kind), "issue", "user"); err != nil || !masking.Known(kind) {
			t.Errorf("sensitive %s: %v", kind, err)
		}
	}
	for _, kind := range []masking.Kind{
		masking.Name, masking.IdentityNumber, masking.Phone, masking.Landline, masking.Address, masking.BirthDate,
		masking.BankCard, masking.Email, masking.Passport, masking.Photo, masking.Text,
	} {
		for _, show := range append(masking.Options(kind), "all") {
			p, err := registry.Parse(fmt.Appendf(nil, "masking: [{sensitive: %s, show: %q}]", kind, show))
			if err == nil {
				err = registry.Check(p)
			}
			if (err == nil) != (show != "all") {
				t.Errorf("masking %s %s: %v", kind, show, err)
			}
			if err == nil {
				if rules, err := maskRules(p); err != nil || (show != masking.Options(kind)[0]) != (rules.Chosen()[kind] == show) {
					t.Errorf("masking %s %s: %v, %v", kind, show, rules, err)
				}
			}
		}
	}
	if accepted(string(masking.PublicNumber), "issue", "user") == nil || masking.Known(masking.PublicNumber) {
		t.Error("public_number is no kind for a platform file")
	}
	for need := range policy.Needs {
		if err := accepted("name", need, "user"); err != nil {
			t.Errorf("need %s: %v", need, err)
		}
	}
	for role := range policy.Roles {
		if err := accepted("name", "issue", role); err != nil {
			t.Errorf("role %s: %v", role, err)
		}
	}
}
