package registry

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Each row edits the contract file.
func TestClasses(t *testing.T) {
	t.Parallel()
	const (
		rights, credentials, administrators, registered = ClassRights, ClassCredentials, ClassAdministrators, ClassRegistry

		app     = "applications:\n"
		account = "accounts:      ["
		mzj     = "department: 11110000000021135M"
	)
	for _, test := range []struct {
		name string
		edit []string // pairs of old and new text of the contract file
		want []string
	}{
		{"nothing", nil, nil},
		{"names", []string{"北京市民政局", "民政局", "婚姻登记系统", "登记系统", "张彬", "张斌", "结婚证字号", "字号"}, []string{registered}},
		{"moved below another", []string{`parent: ""}]`, `parent: 91350100M000100Y43}, {code: 91350100M000100Y43, name: 上级}]`}, []string{registered, rights}},
		{"a department", []string{`parent: ""}]`, `parent: ""}, {code: 91350100M000100Y43, name: 另一单位}]`}, []string{registered}},
		{"a department below", []string{`parent: ""}]`, `parent: ""}, {code: 91350100M000100Y43, name: 另一单位, parent: 11110000000021135M}]`}, []string{registered, rights}},
		{"unmasked", []string{"sensitive: name, ", ""}, []string{rights}},
		{"masked otherwise", []string{"sensitive: name, ", "sensitive: text, "}, []string{rights}},
		{"another role", []string{"role: issue_date", "role: begin_date"}, []string{rights}},
		{"on the face", []string{"type: date,", "type: date, hidden: true, length: 10,"}, []string{registered}},
		{"a face", []string{"fields: [", `faces: [{group: "1", template: a.b}], fields: [`}, []string{registered}},
		{"a field goes", []string{"{key: JHZZH, label: 结婚证字号, type: string, role: id_code}, ", ""}, []string{rights}},
		{"a field comes", []string{"fields: [", "fields: [{key: BZ, label: 备注}, "}, []string{rights}},
		{"an item cancelled", []string{"status: PUBLISH", "status: CANCEL"}, []string{registered}},
		{"an item closed", []string{"is_open: true", "is_open: false"}, []string{registered}},
		{"an item without fields", []string{"service_items: [{", `  - {license_item_code: "305018202", name: 离婚证, ` + mzj + ", holder_type: person}\nservice_items: [{"}, []string{registered}},
		{
			"an item with fields",
			[]string{"service_items: [{", `  - {license_item_code: "305018202", name: 离婚证, ` + mzj + ", holder_type: person, fields: [{key: A, label: 甲}]}\nservice_items: [{"},
			[]string{registered, rights},
		},
		{"items of a service", []string{`items: ["305018201"]}]` + "\napp", "items: []}]\napp"}, []string{rights}},
		{"a service without items", []string{"service_items: [", "service_items: [{code: X1, name: 事项, " + mzj + "}, "}, []string{registered}},
		{"a service with items", []string{"service_items: [", `service_items: [{code: X1, name: 事项, ` + mzj + `, items: ["305018201"]}, `}, []string{registered, rights}},
		{"limits", []string{"per_second: 200", "per_second: 100, per_minute: 1"}, []string{registered}},
		{"addresses", []string{"127.0.0.0/8", "10.0.0.0/8"}, []string{credentials}},
		{"secrets", []string{"Zk4-vN8s_Qw2.xR7", "another-secret"}, []string{credentials}},
		{"a password", []string{"Mima-2024-xy", "Mima-2025-xy"}, []string{credentials}},
		{"a number", []string{"11010519491231002X", "11010119800229123X"}, []string{registered}},
		{"needs", []string{"issue, abolish", "issue"}, []string{rights}},
		{"service items of a grant", []string{`, service_items: ["110103MZ001"]`, ""}, []string{rights}},
		{"a grant goes", []string{`{items: ["305018201"], needs: [issue, abolish, function_call, archive, web_view], service_items: ["110103MZ001"]}`, ""}, []string{rights}},
		{"roles", []string{"[issuer, user]", "[issuer, user, archivist]"}, []string{rights}},
		{"disabled", []string{"rate:", "disabled: true, rate:", "roles:", "disabled: true, roles:"}, []string{registered}},
		{"an application without rights", []string{app, app + "  - {app_key: b, name: 乙, " + mzj + ", ip_allow: [10.0.0.1]}\n"}, []string{credentials, registered}},
		{"an application with rights", []string{app, app + "  - {app_key: b, name: 乙, " + mzj + `, grants: [{items: ["*"], needs: [archive]}]}` + "\n"}, []string{credentials, registered, rights}},
		{"an account without rights", []string{account, account + "{account: b, name: 乙, " + mzj + "}, "}, []string{credentials, registered}},
		{"an account with rights", []string{account, account + "{account: b, name: 乙, " + mzj + ", roles: [user]}, "}, []string{credentials, registered, rights}},
		{"an account renamed", []string{"110000_zhangbin", "zhangbin"}, []string{credentials, registered, rights}},
		{"policy", []string{"if any\n", "if any\n  # a remark\n"}, []string{rights}},
		{"masking", []string{"policy:", `masking: [{sensitive: name, show: none}]` + "\npolicy:"}, []string{rights}},
		{"administrators", []string{"policy:", threePowers + "policy:"}, []string{administrators}},
		{
			"all of them",
			[]string{"127.0.0.0/8", "10.0.0.0/8", "[issuer, user]", "[user]", "张彬", "张斌", "policy:", threePowers + "policy:"},
			[]string{administrators, credentials, registered, rights},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			current := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
			planned := plan(t, v, current, parse(t, edited(t, test.edit)), "b", tuesday)
			if got := Classes(planned.Changes, current, planned.Next); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v, of %v", got, test.want, spoken(planned.Changes))
			}
		})
	}
}

func TestClassesOfState(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	current := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
	declared := func(disabled bool) *Platform {
		p := load(t, "contract.yaml")
		p.Applications[0].Disabled, p.Applications[0].DisabledGiven = disabled, true
		p.Accounts[0].Disabled, p.Accounts[0].DisabledGiven = disabled, true
		return p
	}
	off := plan(t, v, current, declared(true), "a", monday)
	if got := Classes(off.Changes, current, off.Next); !slices.Equal(got, []string{ClassRegistry}) {
		t.Errorf("disabled: %v", got)
	}
	on := plan(t, v, off.Next, declared(false), "a", monday)
	for _, c := range on.Changes {
		if got := Classes([]Change{c}, off.Next, on.Next); !slices.Equal(got, []string{ClassRights}) {
			t.Errorf("%s: %v", c, got)
		}
	}

	// Whoever publishes or opens an item lets its licences be made and used.
	shut := parse(t, edited(t, []string{"status: PUBLISH", "status: DRAFT", "is_open: true", "is_open: false"}))
	drafted := plan(t, v, nil, shut, "a", monday).Next
	opened := plan(t, v, drafted, load(t, "contract.yaml"), "a", monday)
	for _, c := range opened.Changes {
		if got := Classes([]Change{c}, drafted, opened.Next); !slices.Equal(got, []string{ClassRights}) {
			t.Errorf("%s: %v", c, got)
		}
	}
	if len(opened.Changes) != 2 {
		t.Errorf("opened: %v", spoken(opened.Changes))
	}

	// Removal looks at what was there; a rotation is about credentials.
	gone := plan(t, v, current, parse(t, "applications: []\naccounts: []\nservice_items: []\nitems: []\ndepartments: []"), "a", monday)
	if got := Classes(gone.Changes, current, gone.Next); !slices.Equal(got, []string{ClassRegistry, ClassRights}) {
		t.Errorf("removed: %v", got)
	}
	bare := plan(t, v, nil, parse(t, "departments: [{code: 11110000000021135M, name: 甲}]\naccounts: [{account: a, name: 甲, department: 11110000000021135M}]"), "a", monday).Next
	gone = plan(t, v, bare, parse(t, "accounts: []"), "a", monday)
	if got := Classes(gone.Changes, bare, gone.Next); !slices.Equal(got, []string{ClassRegistry}) {
		t.Errorf("an account without rights removed: %v", got)
	}

	// Nor does it take roles or grants where the policy text speaks of somebody already.
	const known = `policy: |
  g, "acct:b", role:user, 11110000000021135M
  # g, acct:c, role:user, 11110000000021135M
  p, app:b, *, *, get_license, *, allow
  p, svc:B1, *, *, function_call, *, allow
`
	stated := plan(t, v, current, parse(t, known), "a", monday).Next
	for object, want := range map[string][]string{
		"accounts.b": {ClassCredentials, ClassRegistry, ClassRights}, "accounts.c": {ClassCredentials, ClassRegistry},
		"applications.b": {ClassCredentials, ClassRegistry, ClassRights}, "applications.c": {ClassCredentials, ClassRegistry}, "service_items.B1": {ClassRegistry, ClassRights}, "service_items.C1": {ClassRegistry},
	} {
		declared := &Platform{}
		switch section, name, _ := strings.Cut(object, "."); section {
		case "accounts":
			declared.Accounts = append(slices.Clone(stated.Accounts), Account{Account: name, Name: "甲", Department: "11110000000021135M"})
		case "applications":
			declared.Applications = append(slices.Clone(stated.Applications), Application{AppKey: name, Name: "甲", Department: "11110000000021135M"})
		case "service_items":
			declared.ServiceItems = append(slices.Clone(stated.ServiceItems), ServiceItem{Code: name, Name: "甲", Department: "11110000000021135M"})
		}
		added := plan(t, v, stated, declared, "a", monday)
		if got := Classes(added.Changes, stated, added.Next); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", object, got, want)
		}
	}

	rotated := plan(t, v, current, edit(current, func(a *Application) { a.Rotate("", tuesday) }), "a", monday)
	if got := Classes(rotated.Changes, current, rotated.Next); !slices.Equal(got, []string{ClassCredentials}) {
		t.Errorf("rotated: %v", got)
	}
}

// What nobody has thought about is of the class that is looked at most.
func TestClassesUnknown(t *testing.T) {
	t.Parallel()
	for _, c := range []Change{
		{Action: actionAdd, Kind: kindAccount, Key: "not there"},
		{Action: actionRemove, Kind: kindItem, Key: "not there"},
		{Action: actionAdd, Kind: kindDepartment, Key: "not there"},
		{Action: actionAdd, Kind: kindServiceItem, Key: "not/there"},
		{Action: actionRemove, Kind: kindApplication, Key: "not there"},
		{Action: actionAdd, Kind: "robot", Key: "a"},
		{Action: "move", Kind: kindAccount, Key: "a"},
		{Action: actionChange, Kind: kindAccount, Key: "a", Field: "charm"},
		{Action: actionChange, Kind: kindItem, Key: "a", Field: "fields.A.charm"},
		{Action: actionChange, Kind: "robot", Key: "a", Field: "name"},
	} {
		if got := Classes([]Change{c}, nil, nil); !slices.Contains(got, ClassRights) {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if got := slices.Sorted(maps.Keys(ClassNames)); !slices.Equal(got, []string{ClassAdministrators, ClassCredentials, ClassRegistry, ClassRights}) {
		t.Errorf("named are %v", got)
	}
}

// No member of the format is forgotten: each has the class that stands here.
func TestEveryMemberHasAClass(t *testing.T) {
	t.Parallel()
	const (
		both           = ClassRegistry + " " + ClassRights
		credentialsToo = ClassCredentials + " " + both
	)
	want := map[string]string{
		"Department.Code": both, "Department.Name": ClassRegistry, "Department.Division": ClassRegistry, "Department.DivisionCode": ClassRegistry,
		"Department.Parent": ClassRights,

		"Item.LicenseItemCode": both, "Item.Name": ClassRegistry, "Item.ShortName": ClassRegistry, "Item.Department": ClassRights,
		"Item.Status": ClassRegistry, "Item.IsOpen": ClassRights, "Item.HolderType": ClassRegistry, "Item.Type": ClassRegistry,
		"Item.Version": ClassRegistry, "Item.PublishDate": ClassRegistry, "Item.Description": ClassRegistry, "Item.Validity": ClassRegistry,
		"Item.LicenseGroups": ClassRegistry, "Item.SealCode": ClassRegistry,

		"Face.Group": ClassRegistry, "Face.Template": ClassRegistry, "Face.Declaration": ClassRegistry, "Asset.Name": ClassRegistry, "Asset.Data": ClassRegistry,

		"Field.Key": ClassRights, "Field.Label": ClassRegistry, "Field.Type": ClassRegistry, "Field.Length": ClassRegistry,
		"Field.Required": ClassRegistry, "Field.Hidden": ClassRegistry, "Field.Sensitive": ClassRights, "Field.Role": ClassRights,

		"ServiceItem.Code": both, "ServiceItem.Name": ClassRegistry, "ServiceItem.Department": both, "ServiceItem.Items": ClassRights,

		"Application.AppKey": credentialsToo, "Application.Name": ClassRegistry, "Application.Department": ClassRights,
		"Application.SecretHash": ClassCredentials, "Application.PreviousHash": ClassCredentials, "Application.PreviousUntil": ClassCredentials,
		"Application.IPAllow": ClassCredentials, "Rate.PerSecond": ClassRegistry, "Rate.PerMinute": ClassRegistry,
		"Application.Disabled": ClassRights, // it is disabled in the file, so that this enables it; the account too
		"Grant.Items":          ClassRights, "Grant.Needs": ClassRights, "Grant.ServiceItems": ClassRights, "Grant.Form": ClassRights,

		"Account.Account": credentialsToo, "Account.Name": ClassRegistry, "Account.IdentitySealed": ClassRegistry, "Account.Department": ClassRights,
		"Account.PasswordHash": ClassCredentials, "Account.Roles": ClassRights, "Account.Disabled": ClassRights,

		"MaskRule.Sensitive": ClassRights, "MaskRule.Show": ClassRights, "Platform.Policy": ClassRights,
	}
	full := everything(t)
	stored, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	leaves(reflect.ValueOf(full), "", func(_ reflect.Value, member string) { members = append(members, member) })
	for n, member := range members {
		var altered Platform
		if err := json.Unmarshal(stored, &altered); err != nil {
			t.Fatal(err)
		}
		i := 0
		leaves(reflect.ValueOf(&altered), "", func(v reflect.Value, _ string) {
			if i == n {
				alter(v)
			}
			i++
		})
		changes := difference(full, &altered)
		if len(changes) == 0 {
			continue // a time that is not told of: TestEveryMemberCounts knows which
		}
		class, listed := want[member], true
		if strings.HasPrefix(member, "Administrator.") {
			class = ClassAdministrators
		} else if class == "" {
			listed = false
		}
		got := strings.Join(Classes(changes, full, &altered), " ")
		// Objects that carry no rights stand in the file too, and items that are closed by this.
		narrower := (class == both || member == "Item.IsOpen") && got == ClassRegistry || class == credentialsToo && got == ClassCredentials+" "+ClassRegistry
		if !listed || got != class && !narrower {
			t.Errorf("%s: %q, want %q, of %v", member, got, class, spoken(changes))
		}
	}
}
