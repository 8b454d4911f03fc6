package registry

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// edited is the contract file with the first of each pair replaced by the second.
func edited(t testing.TB, pairs []string) string {
	t.Helper()
	file, err := os.ReadFile("testdata/accepted/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the file does not hold %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// Each row edits the contract file, and leads back from there.
func TestPlanChanges(t *testing.T) {
	t.Parallel()
	const second = `  - {license_item_code: "305018202", name: 离婚证, department: 11110000000021135M, holder_type: person}`
	for _, test := range []struct {
		name string
		edit []string // pairs of old and new text of the contract file
		want []string
	}{
		{"nothing", nil, nil},
		{"rewritten", []string{`"305018201", name`, `305018201, name`, "127.0.0.0/8", "127.0.0.0/8", "[issuer, user]", "[user, issuer]"}, nil},
		{
			"department",
			[]string{"name: 北京市民政局, division: 北京市, ", "name: 民政局, "},
			[]string{"~ 单位 11110000000021135M：name 北京市民政局 → 民政局", "~ 单位 11110000000021135M：division 北京市 → （无）"},
		},
		{
			"item",
			[]string{"status: PUBLISH, is_open: true", "status: CANCEL, is_open: false, version: 2, description: \"甲\\n乙\"", `["1"]`, `[2, "1"]`, "validity: 长期", "validity: 5年"},
			[]string{
				"~ 证照目录 305018201：status PUBLISH → CANCEL",
				"~ 证照目录 305018201：is_open true → false",
				"~ 证照目录 305018201：version （无） → 2",
				"~ 证照目录 305018201：description （无） → 甲⏎乙",
				"~ 证照目录 305018201：validity 长期 → 5年",
				"~ 证照目录 305018201：license_groups 1 → 1、2",
			},
		},
		{
			"groups with a comma of their own",
			[]string{`["1"]`, `["a、b"]`},
			[]string{"~ 证照目录 305018201：license_groups 1 → a、b"},
		},
		{
			"faces",
			[]string{"     fields: [", `     faces: [{group: "1", template: marriage}, {declaration: "face: 1", assets: {a.png: YQ==}}]` + ",\n     fields: ["},
			[]string{
				"~ 证照目录 305018201：faces.1 （无） → 模板 marriage",
				"~ 证照目录 305018201：faces.* （无） → 自定义模板 (7 字节，SHA-256 ea36b4fea2daa322b04ba1f5355bafd8)，a.png (1 字节，SHA-256 ca978112ca1bbdcafac231b39a23dc4d)",
			},
		},
		{
			"field members",
			[]string{"label: 持证人, type: string, required: true, sensitive: name,", "label: 姓名, type: string, length: 50, hidden: true,"},
			[]string{
				"~ 证照目录 305018201：fields.CZR.label 持证人 → 姓名",
				"~ 证照目录 305018201：fields.CZR.length （无） → 50",
				"~ 证照目录 305018201：fields.CZR.required true → false",
				"~ 证照目录 305018201：fields.CZR.hidden false → true",
				"~ 证照目录 305018201：fields.CZR.sensitive name → （无）",
			},
		},
		{
			"field renamed",
			[]string{"key: CZR,", "key: XM,"},
			[]string{
				"~ 证照目录 305018201：fields.CZR 持证人（string，sensitive name，role holder_name，required） → （无）",
				"~ 证照目录 305018201：fields.XM （无） → 持证人（string，sensitive name，role holder_name，required）",
			},
		},
		{
			"fields in another order",
			[]string{
				"{key: JHZZH, label: 结婚证字号, type: string, role: id_code}, {key: FZRQ, label: 发证日期, type: date, role: issue_date}",
				"{key: FZRQ, label: 发证日期, type: date, role: issue_date}, {key: JHZZH, label: 结婚证字号, type: string, role: id_code}",
			},
			[]string{"~ 证照目录 305018201：fields CZR、CYRSFZJHM、JHZZH、FZRQ → CZR、CYRSFZJHM、FZRQ、JHZZH"},
		},
		{
			"item added and granted",
			[]string{"service_items: [{", second + "\nservice_items: [{", `grants: [{items: ["305018201"]`, `grants: [{items: ["305018202", "305018201"]`},
			[]string{
				"+ 证照目录 305018202（离婚证）",
				"~ 应用 hydj：grants[0] （无） → items 305018201、305018202；needs abolish、archive、function_call、issue、web_view；service_items 110103MZ001",
				"~ 应用 hydj：grants[0] items 305018201；needs abolish、archive、function_call、issue、web_view；service_items 110103MZ001 → （无）",
			},
		},
		{
			"service item",
			[]string{"name: 婚姻登记, department: 11110000000021135M, items: [\"305018201\"]", "name: 登记, department: 11110000000021135M, items: []"},
			[]string{"~ 事项 11110000000021135M/110103MZ001：name 婚姻登记 → 登记", "~ 事项 11110000000021135M/110103MZ001：items 305018201 → （无）"},
		},
		{
			"application",
			[]string{"婚姻登记系统", "登记系统", `ip_allow: ["127.0.0.0/8"], rate: {per_second: 200}`, "ip_allow: [10.0.0.0/8, 10.1.1.1], rate: {per_minute: 9}, disabled: true"},
			[]string{
				"~ 应用 hydj：name 婚姻登记系统 → 登记系统",
				"~ 应用 hydj：ip_allow 127.0.0.0/8 → 10.0.0.0/8、10.1.1.1",
				"~ 应用 hydj：rate.per_second 200 → （无）",
				"~ 应用 hydj：rate.per_minute （无） → 9",
				"~ 应用 hydj：停用",
			},
		},
		{
			"restrictions lifted",
			[]string{`ip_allow: ["127.0.0.0/8"], `, "", `, service_items: ["110103MZ001"]`, ""},
			[]string{"~ 应用 hydj：ip_allow 127.0.0.0/8 → （不限）", "~ 应用 hydj：grants[0].service_items 110103MZ001 → （不限）"},
		},
		{
			"needs",
			[]string{"needs: [issue, abolish,", "needs: [sensitive,"},
			[]string{"~ 应用 hydj：grants[0].needs abolish、archive、function_call、issue、web_view → archive、function_call、sensitive、web_view"},
		},
		{
			"grants repeated",
			[]string{"service_items: [\"110103MZ001\"]}]}", "service_items: [\"110103MZ001\"]}, {items: [\"*\"], needs: [archive]}, {items: [\"*\"], needs: [archive]}]}"},
			[]string{"~ 应用 hydj：grants[1] （无） → items *；needs archive", "~ 应用 hydj：grants[2] （无） → items *；needs archive"},
		},
		{
			"account",
			[]string{"name: 张彬", "name: 张斌", "[issuer, user]", "[user]", "roles:", "disabled: true, roles:"},
			[]string{"~ 账户 110000_zhangbin：name 已更换", "~ 账户 110000_zhangbin：roles issuer、user → user", "~ 账户 110000_zhangbin：停用"},
		},
		{
			"account renamed",
			[]string{"account: 110000_zhangbin", "account: zhangbin"},
			[]string{"- 账户 110000_zhangbin", "+ 账户 zhangbin"},
		},
		{
			"application removed",
			[]string{"app_key: hydj", "app_key: abcd"},
			[]string{"+ 应用 abcd（婚姻登记系统）", "- 应用 hydj（婚姻登记系统）"},
		},
		{
			"policy",
			[]string{"if any\n", "if any\n  # why\n  p, role:x, *, *, list, *, allow\n"},
			[]string{"+ 策略 # why", "+ 策略 p, role:x, *, *, list, *, allow"},
		},
		{"section left out", []string{"policy: |      # further Casbin lines, if any\n", ""}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			current := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
			planned := plan(t, v, current, parse(t, edited(t, test.edit)), "b", tuesday)
			wantLines(t, planned.Changes, test.want...)
			if again := plan(t, v, planned.Next, parse(t, edited(t, test.edit)), "c", tuesday); len(again.Changes) > 0 {
				t.Errorf("again: %v", spoken(again.Changes))
			}
			back := plan(t, v, planned.Next, load(t, "contract.yaml"), "d", tuesday)
			// The contract's file does not say who is disabled, so that stays.
			for i := range current.Applications {
				current.Applications[i].Disabled = planned.Next.Applications[i].Disabled
			}
			for i := range current.Accounts {
				current.Accounts[i].Disabled = planned.Next.Accounts[i].Disabled
			}
			if (len(back.Changes) > 0) != (len(test.want) > 0) || !reflect.DeepEqual(bare(back.Next), bare(current)) {
				t.Errorf("the way back, %v, leads to %+v", spoken(back.Changes), bare(back.Next))
			}
		})
	}
}

func TestPlanPolicyText(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	text := func(s string) *Platform { return &Platform{Policy: &s} }
	for _, test := range []struct {
		from, to *Platform
		want     []string
	}{
		{&Platform{}, text(""), nil},
		{text("a\nb\n"), text("a\nb\n"), nil},
		{text("a\nb\na\n"), text("b\nc\na\n"), []string{"- 策略 a", "+ 策略 c"}},
		{text("a\nb\n"), text("b\n\n  a\n"), []string{"~ 策略：只有行的次序、空白有改动"}},
		{text("a\n"), text(""), []string{"- 策略 a"}},
		{text("a\n"), &Platform{}, nil},
	} {
		planned := plan(t, v, test.from, test.to, "a", monday)
		wantLines(t, planned.Changes, test.want...)
		if test.to.Policy != nil && *planned.Next.Policy != *test.to.Policy {
			t.Errorf("kept %q, declared %q", *planned.Next.Policy, *test.to.Policy)
		}
	}
}

// The order of changes does not hang on the order of the file.
func TestPlanStableOrder(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	declared := load(t, "everything.yaml")
	want := plan(t, v, nil, declared, "a", monday)
	slices.Reverse(declared.Items)
	slices.Reverse(declared.ServiceItems)
	slices.Reverse(declared.Departments)
	if got := plan(t, v, nil, declared, "a", monday); !reflect.DeepEqual(got.Changes, want.Changes) {
		t.Errorf("got %v, want %v", spoken(got.Changes), spoken(want.Changes))
	}
	if got := plan(t, v, want.Next, declared, "a", monday); len(got.Changes) > 0 {
		t.Errorf("another order is told as %v", spoken(got.Changes))
	}
}

func TestRemovedItems(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	current := plan(t, v, nil, load(t, "everything.yaml"), "a", monday).Next
	planned := plan(t, v, current, parse(t, "applications: []\nservice_items: []\nitems: []\naccounts: []"), "a", tuesday)
	want := []string{"006939684110000", "123456789006939684110000", "12345E678", "305018201"}
	if got := RemovedItems(planned.Changes); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(planned.Changes) != 4+3+1+1 {
		t.Errorf("changes %v", spoken(planned.Changes))
	}
	if got := RemovedItems(plan(t, v, nil, current, "a", monday).Changes); got != nil {
		t.Errorf("items added are told as removed: %v", got)
	}
}

// What the file leaves as it is may not fit it any more: then the fault names the object, and a line where there is one.
func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	current := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
	for _, test := range []struct {
		name, file, want string
	}{
		{
			"department still in use", "departments: [{code: 91350100M000100Y43, name: 另一单位}]",
			`items[305018201].department：没有单位 "11110000000021135M"，请先在 departments 中登记
service_items[11110000000021135M/110103MZ001].department：没有单位 "11110000000021135M"，请先在 departments 中登记
applications[hydj].department：没有单位 "11110000000021135M"，请先在 departments 中登记
accounts[110000_zhangbin].department：没有单位 "11110000000021135M"，请先在 departments 中登记`,
		},
		{
			"item still granted", "# the items go\nitems: []",
			`service_items[11110000000021135M/110103MZ001].items[0]：没有证照目录 "305018201"，请先在 items 中登记
applications[hydj].grants[0].items[0]：没有证照目录 "305018201"，请先在 items 中登记`,
		},
		{
			"unknown reference", "accounts:\n  - account: a\n    name: 甲\n    department: 91350100M000100Y43",
			`第 4 行 accounts[0].department：没有单位 "91350100M000100Y43"，请先在 departments 中登记`,
		},
		{
			"role of a policy that goes", "accounts:\n  - {account: a, name: 甲, department: 11110000000021135M, roles: [clerk]}\npolicy: \"\"",
			`第 2 行 accounts[0].roles[0]：未知的账户角色 "clerk"，可用 issuer、approver、user、archivist、sensitive_reader、org_admin；自定义角色请先在 policy 中以 role:clerk 写明权限`,
		},
	} {
		planned, err := Plan(current, parse(t, test.file), v, "a", monday)
		var problems Problems
		if planned != nil || !errors.As(err, &problems) || err.Error() != test.want {
			t.Errorf("%s: got\n%v\nwant\n%s", test.name, err, test.want)
		}
	}
	// A role may stand on a policy that is there already.
	withPolicy := plan(t, v, current, parse(t, "policy: |\n  p, role:clerk, *, *, list, *, allow\n"), "a", monday)
	plan(t, v, withPolicy.Next, parse(t, "accounts: [{account: a, name: 甲, department: 11110000000021135M, roles: [clerk]}]"), "a", monday)
}

// TestDisabledStaysUnlessGiven: what an administrator disabled at run time is not undone by a file that says nothing of it.
func TestDisabledStaysUnlessGiven(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	current := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
	current.Applications[0].Disabled, current.Accounts[0].Disabled = true, true
	silent := plan(t, v, current, load(t, "contract.yaml"), "b", tuesday)
	if len(silent.Changes) > 0 || !silent.Next.Applications[0].Disabled || !silent.Next.Accounts[0].Disabled {
		t.Errorf("a file that says nothing: %v", spoken(silent.Changes))
	}
	declared := load(t, "contract.yaml")
	declared.Applications[0].DisabledGiven, declared.Accounts[0].DisabledGiven = true, true
	told := plan(t, v, current, declared, "b", tuesday)
	if len(told.Changes) != 2 || told.Next.Applications[0].Disabled || told.Next.Accounts[0].Disabled {
		t.Errorf("a file that says false: %v", spoken(told.Changes))
	}
}

// Whoever approves an added application must see what it may do, and what a removed one took with it.
func TestAddedObjectsSayWhatTheyHold(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	full := plan(t, v, nil, load(t, "contract.yaml"), "a", monday)
	byKind := map[string]Change{}
	for _, c := range full.Changes {
		byKind[c.Kind] = c
	}
	for kind, want := range map[string][]string{
		kindApplication: {"department 11110000000021135M", "secret (已设置)", "ip_allow 127.0.0.0/8", "grants[0] items 305018201；needs abolish、archive", "rate.per_second 200"},
		kindAccount:     {"identity_num (已设置)", "department 11110000000021135M", "password (已设置)", "roles issuer、user"},
		kindItem:        {"status PUBLISH", "is_open true", "sensitive name"},
		kindServiceItem: {"items 305018201"},
	} {
		for _, text := range want {
			if !strings.Contains(byKind[kind].Detail, text) {
				t.Errorf("%s lacks %q: %s", kind, text, byKind[kind].Detail)
			}
		}
		for _, never := range []string{"张彬", "11010519491231002X", "Mima-2024-xy", "Zk4-vN8s"} {
			if strings.Contains(byKind[kind].Detail, never) {
				t.Errorf("%s shows %s: %s", kind, never, byKind[kind].Detail)
			}
		}
	}
	open := plan(t, v, nil, parse(t, edited(t, []string{`ip_allow: ["127.0.0.0/8"], `, ""})), "a", monday)
	if i := slices.IndexFunc(open.Changes, func(c Change) bool { return c.Kind == kindApplication }); !strings.Contains(open.Changes[i].Detail, "ip_allow （不限）") {
		t.Errorf("open to every address: %s", open.Changes[i].Detail)
	}
	gone := plan(t, v, full.Next, parse(t, "applications: []"), "a", monday).Changes
	if len(gone) != 1 || gone[0].Detail != byKind[kindApplication].Detail {
		t.Errorf("removed: %+v", gone)
	}
}
