package registry

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The three powers of one platform, each another invented person.
const threePowers = `administrators:
  - {administrator: xitong, name: 系统员, role: system, identity_num: "110105198001010016", password: "Guanli-2024-xt"}
  - {administrator: anquan, name: 安全员, role: security, identity_num: "110105198506150022", password: "Guanli-2024-aq"}
  - {administrator: shenji, name: 审计员, role: audit, identity_num: "11010119800229123X"}
`

func TestPlanAdministrators(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	first := plan(t, v, nil, parse(t, threePowers), "root", monday)
	wantLines(t, first.Changes, "+ 管理员 anquan", "+ 管理员 shenji", "+ 管理员 xitong")
	if len(first.Generated) != 1 || first.Generated[0].Kind != "administrator_password" || first.Generated[0].Key != "shenji" ||
		!v.VerifyPassword(first.Next.Administrators[2].PasswordHash, first.Generated[0].Value) {
		t.Errorf("generated %+v", first.Generated)
	}
	for i, num := range []string{"110105198001010016", "110105198506150022", "11010119800229123X"} {
		a := first.Next.Administrators[i]
		if got, err := v.OpenIdentity("administrator/"+a.Administrator, a.IdentitySealed); err != nil || got != num {
			t.Errorf("identity number of %s: %q, %v", a.Administrator, got, err)
		}
		if a.Password != "" || a.IdentityNum != "" || a.PasswordTime != "2024-03-01 07:30:00.005" {
			t.Errorf("kept %+v", a)
		}
	}
	for _, test := range []struct {
		name string
		edit []string
		want []string
	}{
		{"nothing", nil, nil},
		{"secrets left out", []string{`, identity_num: "110105198001010016", password: "Guanli-2024-xt"`, "", `, identity_num: "11010119800229123X"`, ""}, nil},
		{"a person's name", []string{"系统员", "另一人"}, []string{"~ 管理员 xitong：name 已更换"}},
		{
			"another person",
			[]string{"11010119800229123X", "11010519491231002X"},
			[]string{"~ 管理员 shenji：identity_num 已更换"},
		},
		{
			"password and certificate",
			[]string{"Guanli-2024-xt", "Guanli-2025-xt", "role: audit", "role: audit, certificates: [" + strings.Repeat("a1", 32) + "]"},
			[]string{"~ 管理员 shenji：certificates （无） → " + strings.Repeat("a1", 32), "~ 管理员 xitong：password 已更换"},
		},
		{
			"two change places",
			[]string{"role: system", "role: audit, disabled: true", "role: audit, identity", "role: system, identity"},
			[]string{"~ 管理员 shenji：role audit → system", "~ 管理员 xitong：role system → audit", "~ 管理员 xitong：停用"},
		},
		{"renamed", []string{"administrator: shenji", "administrator: shenji2"}, []string{"- 管理员 shenji", "+ 管理员 shenji2"}},
	} {
		text := threePowers
		for i := 0; i < len(test.edit); i += 2 {
			if !strings.Contains(text, test.edit[i]) {
				t.Fatalf("%s: the file does not hold %q", test.name, test.edit[i])
			}
			text = strings.Replace(text, test.edit[i], test.edit[i+1], 1)
		}
		planned := plan(t, v, first.Next, parse(t, text), "a", tuesday)
		if got := spoken(planned.Changes); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
		for i, a := range planned.Next.Administrators {
			old := first.Next.Administrators[i]
			if changed := a.PasswordHash != old.PasswordHash; changed != (a.PasswordTime == "2024-03-02 07:30:00.005") || !changed && a.PasswordTime != old.PasswordTime {
				t.Errorf("%s: password changed %t, time %s", test.name, changed, a.PasswordTime)
			}
		}
		if again := plan(t, v, planned.Next, parse(t, text), "b", tuesday); len(again.Changes) > 0 || !reflect.DeepEqual(again.Next, planned.Next) {
			t.Errorf("%s again: %v", test.name, spoken(again.Changes))
		}
	}

	// A file that says nothing of administrators leaves them, and an empty section removes them.
	silent := plan(t, v, first.Next, load(t, "contract.yaml"), "a", tuesday)
	if !reflect.DeepEqual(silent.Next.Administrators, first.Next.Administrators) {
		t.Errorf("administrators = %+v", silent.Next.Administrators)
	}
	if gone := plan(t, v, first.Next, parse(t, "administrators: []"), "a", tuesday); len(gone.Changes) != 3 || len(gone.Next.Administrators) > 0 {
		t.Errorf("left %+v", gone.Next.Administrators)
	}
	// Nor does it undo what was disabled at run time.
	first.Next.Administrators[0].Disabled = true
	if silent := plan(t, v, first.Next, parse(t, threePowers), "a", tuesday); len(silent.Changes) > 0 || !silent.Next.Administrators[0].Disabled {
		t.Errorf("changes %v", spoken(silent.Changes))
	}
}

// Nobody holds two of the powers, however the two names came to be there.
func TestPlanRefusesTwoPowers(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	stored := plan(t, v, nil, parse(t, threePowers), "root", monday).Next
	const (
		same    = "第 %d 行 administrators[%d].identity_num：管理员 %s 与 %s 的证件号码相同，一人只能担任一名管理员，请改正或删去一个"
		missing = "第 %d 行 administrators[%d]%s：缺少公民身份号码，新增管理员必须填写，用以确认一人只担任一名管理员"
	)
	exported, err := Render(stored)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		current *Platform
		file    string
		want    string
	}{
		{
			"both in the file", nil,
			`administrators:
  - {administrator: a, name: 甲, role: audit, identity_num: "11010519491231002X"}
  - {administrator: b, name: 甲, role: system, identity_num: 11010519491231002X}`,
			fmt.Sprintf(same, 3, 1, "a", "b"),
		},
		{
			"one stored", stored,
			`administrators:
  - {administrator: other, name: 甲, role: audit, identity_num: 110105198001010016}
  - {administrator: xitong, name: 系统员, role: system}`,
			fmt.Sprintf("第 3 行 administrators[1].identity_num：管理员 %s 与 %s 的证件号码相同，一人只能担任一名管理员，请改正或删去一个", "other", "xitong"),
		},
		{
			"one disabled, of one role", stored,
			threePowers + `  - {administrator: shenji2, name: 审计员, role: audit, identity_num: 11010119800229123X, disabled: true}`,
			fmt.Sprintf(same, 5, 3, "shenji", "shenji2"),
		},
		{
			"number changed to another's", stored,
			strings.Replace(threePowers, "11010119800229123X", "110105198506150022", 1),
			fmt.Sprintf(same, 4, 2, "anquan", "shenji"),
		},
		{
			"none given", nil, "administrators:\n  - {administrator: a, name: 甲, role: audit}",
			fmt.Sprintf(missing, 2, 0, ".identity_num"),
		},
		{
			"an export on an empty store", nil, string(exported),
			fmt.Sprintf(missing+"\n"+missing+"\n"+missing, 2, 0, ".identity_num", 5, 1, ".identity_num", 8, 2, ".identity_num"),
		},
	} {
		planned, err := Plan(test.current, parse(t, test.file), v, "a", tuesday)
		var problems Problems
		if planned != nil || !errors.As(err, &problems) || err.Error() != test.want {
			t.Errorf("%s: got\n%v\nwant\n%s", test.name, err, test.want)
		}
	}
	// The platform in force stays as it is when the number of somebody cannot be read: nobody can tell who that is.
	broken := &testVault{fail: "OpenIdentity", opened: v.opened}
	if _, err := Plan(stored, parse(t, threePowers), broken, "a", tuesday); !errors.Is(err, errVault) {
		t.Errorf("got %v", err)
	}
	// A person may follow himself under another name, and two may change places.
	plan(t, v, stored, parse(t, strings.Replace(threePowers, "administrator: shenji", "administrator: jicha", 1)), "a", tuesday)
}

func TestEnabled(t *testing.T) {
	t.Parallel()
	p := parse(t, threePowers+`  - {administrator: a, name: 甲, role: audit, identity_num: 11010519491231002X}
  - {administrator: b, name: 乙, role: security, disabled: true}`)
	for role, want := range map[string]int{RoleSystem: 1, RoleSecurity: 1, RoleAudit: 2, "": 0, "root": 0} {
		if got := p.Enabled(role); got != want {
			t.Errorf("Enabled(%q) = %d, want %d", role, got, want)
		}
	}
	for _, role := range powers.words {
		if RoleNames[role] == "" {
			t.Errorf("%s has no name", role)
		}
	}
}
