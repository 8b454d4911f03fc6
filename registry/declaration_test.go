package registry

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// sealed seals and opens a declaration, and looks for what must not stand in between.
func sealed(t testing.TB, v Vault, declared, current *Platform) *Platform {
	t.Helper()
	text, err := SealDeclaration(declared, current, v)
	if err != nil {
		t.Fatalf("SealDeclaration: %v", err)
	}
	var clear []string
	for _, a := range declared.Applications {
		clear = append(clear, a.Secret)
	}
	for _, a := range declared.Accounts {
		clear = append(clear, a.Password, a.IdentityNum)
	}
	for _, a := range declared.Administrators {
		clear = append(clear, a.Password, a.IdentityNum)
	}
	for _, one := range clear {
		if one != "" && bytes.Contains(text, []byte(one)) {
			t.Fatalf("%q stands in\n%s", one, text)
		}
	}
	opened, err := OpenDeclaration(text)
	if err != nil {
		t.Fatalf("OpenDeclaration: %v\nof\n%s", err, text)
	}
	return opened
}

// samePlan plans a declaration as it is and as it comes back from waiting.
func samePlan(t testing.TB, v *testVault, declared, current *Platform) {
	t.Helper()
	opened := sealed(t, v, declared, current)
	want, wantErr := Plan(current, declared, v, "a", tuesday)
	got, gotErr := Plan(current, opened, v, "a", tuesday)
	if (wantErr == nil) != (gotErr == nil) {
		t.Fatalf("planned as it is: %v\nas it comes back: %v", wantErr, gotErr)
	}
	if wantErr != nil {
		return
	}
	if !reflect.DeepEqual(got.Changes, want.Changes) {
		t.Fatalf("changes as it is:\n%v\nas it comes back:\n%v", spoken(want.Changes), spoken(got.Changes))
	}
	if !reflect.DeepEqual(bare(got.Next), bare(want.Next)) {
		t.Fatalf("next as it is:\n%+v\nas it comes back:\n%+v", bare(want.Next), bare(got.Next))
	}
	if !slices.EqualFunc(got.Generated, want.Generated, func(a, b Generated) bool { return a.Kind == b.Kind && a.Key == b.Key }) {
		t.Fatalf("generated as it is %v, as it comes back %v", want.Generated, got.Generated)
	}
	for i := range got.Next.Applications {
		a, b := &got.Next.Applications[i], &want.Next.Applications[i]
		generated := slices.ContainsFunc(got.Generated, func(g Generated) bool { return g.Kind == "app_secret" && g.Key == a.AppKey })
		if !generated && a.SecretHash != b.SecretHash || a.PreviousHash != b.PreviousHash || !a.PreviousUntil.Equal(b.PreviousUntil) || a.SecretTime != b.SecretTime {
			t.Fatalf("secrets as it is %+v, as it comes back %+v", b, a)
		}
	}
	// What was declared in clear is what logs in.
	for i, a := range declared.Accounts {
		if a.Password != "" && !v.VerifyPassword(got.Next.Accounts[i].PasswordHash, a.Password) {
			t.Fatalf("the password of %s is another", a.Account)
		}
		sameNumber(t, v, a.Account, got.Next.Accounts[i].IdentitySealed, want.Next.Accounts[i].IdentitySealed)
	}
	for i, a := range declared.Administrators {
		if a.Password != "" && !v.VerifyPassword(got.Next.Administrators[i].PasswordHash, a.Password) {
			t.Fatalf("the password of %s is another", a.Administrator)
		}
		sameNumber(t, v, "administrator/"+a.Administrator, got.Next.Administrators[i].IdentitySealed, want.Next.Administrators[i].IdentitySealed)
	}
	rotated := slices.ContainsFunc(opened.Applications, func(a Application) bool { return !a.PreviousUntil.IsZero() })
	if again, err := Plan(got.Next, opened, v, "b", tuesday); !rotated && (err != nil || len(again.Changes) > 0) {
		t.Fatalf("approved twice: %v", spoken(again.Changes))
	}
}

func sameNumber(t testing.TB, v Vault, context string, a, b []byte) {
	t.Helper()
	if len(a) == 0 && len(b) == 0 {
		return
	}
	num, err := v.OpenIdentity(context, a)
	other, err2 := v.OpenIdentity(context, b)
	if err != nil || err2 != nil || num != other {
		t.Fatalf("identity numbers of %s: %q, %v and %q, %v", context, num, err, other, err2)
	}
}

func TestDeclaration(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	stored := everything(t)
	contract := plan(t, v, nil, load(t, "contract.yaml"), "a", monday).Next
	for _, name := range []string{"contract.yaml", "contract_without_secrets.yaml", "everything.yaml", "administrator.yaml"} {
		for _, current := range []*Platform{nil, {}, contract, stored} {
			samePlan(t, v, load(t, name), current)
		}
	}
	for _, file := range []string{
		"{}", "applications: []", "accounts: []", "administrators: []", "departments: []\nitems: []\nservice_items: []", `policy: ""`, "masking: []", "masking: [{sensitive: name, show: none}]", threePowers,
	} {
		samePlan(t, v, parse(t, file), contract)
		opened := sealed(t, v, parse(t, file), contract)
		declared := parse(t, file)
		if (opened.Applications == nil) != (declared.Applications == nil) || (opened.Accounts == nil) != (declared.Accounts == nil) ||
			(opened.Administrators == nil) != (declared.Administrators == nil) || (opened.Policy == nil) != (declared.Policy == nil) || (opened.Masking == nil) != (declared.Masking == nil) ||
			(opened.Items == nil) != (declared.Items == nil) {
			t.Errorf("%q: sections came or went: %+v", file, opened)
		}
	}
	// What calls on one object declare: copies of sections.
	for _, change := range []func(*Application){
		func(*Application) {},
		func(a *Application) { a.Secret = "another secret" },
		func(a *Application) { a.Rotate("another secret", tuesday.Add(time.Hour)) },
		func(a *Application) { a.Rotate("", tuesday.Add(time.Hour)) },
		func(a *Application) { a.Rotate("", monday) },
		func(a *Application) { a.Disabled, a.DisabledGiven = false, true },
		func(a *Application) { a.Disabled, a.DisabledGiven = true, true },
	} {
		for _, current := range []*Platform{contract, stored} {
			declared := edit(current, change)
			declared.Accounts = slices.Clone(current.Accounts)
			declared.Administrators = slices.Clone(current.Administrators)
			samePlan(t, v, declared, current)
		}
	}
	edits := [][]string{
		{"Zk4-vN8s_Qw2.xR7", "another secret"},
		{"Mima-2024-xy", "Mima-2025-xy"},
		{"11010519491231002X", "11010119800229123X"},
		{"[issuer, user]", "[user]", "Mima-2024-xy", "Mima-2025-xy", "rate:", "disabled: true, rate:"},
	}
	for _, pairs := range edits {
		samePlan(t, v, parse(t, edited(t, pairs)), contract)
	}
}

// From any platform to any other, and to one that differs a little.
func TestDeclarationGenerated(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		declared := generate(r)
		samePlan(t, v, declared, nil)
		current := plan(t, v, nil, declared, "a", monday).Next
		samePlan(t, v, declared, current)
		for i := range declared.Applications {
			a := &declared.Applications[i]
			switch r.IntN(4) {
			case 0:
				a.Secret = "another secret"
			case 1:
				a.Rotate("", tuesday.Add(time.Hour))
			case 2:
				a.Secret = ""
			}
			a.DisabledGiven = r.IntN(2) == 0
		}
		for i := range declared.Accounts {
			if a := &declared.Accounts[i]; r.IntN(2) == 0 {
				a.Password, a.IdentityNum = maker{r}.password(), ""
			}
		}
		for i := range declared.Administrators {
			if a := &declared.Administrators[i]; r.IntN(2) == 0 {
				a.Password, a.IdentityNum = "", ""
			}
		}
		samePlan(t, v, declared, current)
		samePlan(t, v, generate(r), current)
	}
}

// What happened until the approval stays: a declaration that waits says nothing of what it did not change.
func TestDeclarationUndoesNoReset(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	current := plan(t, v, nil, load(t, "everything.yaml"), "a", monday).Next
	waiting := sealed(t, v, &Platform{
		Applications: slices.Clone(current.Applications), Accounts: slices.Clone(current.Accounts), Administrators: slices.Clone(current.Administrators),
	}, current)
	reset := edit(current, func(a *Application) { a.Secret = "another secret" })
	reset.Accounts, reset.Administrators = slices.Clone(current.Accounts), slices.Clone(current.Administrators)
	reset.Accounts[0].Password, reset.Administrators[0].Password = "Mima-2025-xy", "Guanli-2025-xy"
	reset.Accounts[0].IdentityNum = "11010119800229123X"
	after := plan(t, v, current, reset, "b", monday)
	if len(after.Changes) != 4 {
		t.Fatalf("changes %v", spoken(after.Changes))
	}
	if approved := plan(t, v, after.Next, waiting, "c", tuesday); len(approved.Changes) > 0 || !reflect.DeepEqual(approved.Next, after.Next) {
		t.Errorf("undone: %v", spoken(approved.Changes))
	}
}

// The bytes are frozen: what waits for approval while the program is replaced must be read by the new one.
func TestDeclarationGolden(t *testing.T) {
	t.Parallel()
	v, policy := newVault(t), "# none\n"
	number := func(context string) []byte {
		nonce := []byte("0123456789ab")
		return v.opened.Seal(nonce, nonce, []byte("11010519491231002X"), []byte(context))
	}
	want := &Platform{
		Departments:  []Department{{Code: "11110000000021135M", Name: "北京市民政局", Division: "北京市", DivisionCode: "110000"}},
		ServiceItems: []ServiceItem{},
		Items: []Item{{
			LicenseItemCode: "305018201", Name: "证 <1> & 2", ShortName: "证", Department: "11110000000021135M", Status: "PUBLISH", IsOpen: true,
			HolderType: "person", Type: "1", Version: "2", PublishDate: "2020-02-29", Description: "一\n二", Validity: "长期",
			LicenseGroups: []string{"1"}, SealCode: "S1",
			Fields: []Field{{Key: "A", Label: "甲", Type: "string", Length: 5, Required: true, Hidden: true, Sensitive: "name", Role: "holder_name"}},
		}},
		Applications: []Application{
			{
				AppKey: "a", Name: "应用", Department: "11110000000021135M", SecretHash: "hmac-sm3$00", IPAllow: []string{"10.0.0.0/8"},
				PreviousUntil: time.Date(2024, 3, 9, 0, 0, 0, 5, time.UTC), Rate: Rate{PerSecond: 1, PerMinute: 2}, Disabled: true, DisabledGiven: true,
				Grants: []Grant{{Items: []string{"305018201"}, Needs: []string{"archive"}, ServiceItems: []string{"X1"}, Form: "2024-1"}},
			},
			{AppKey: "b", Name: "应用", Department: "11110000000021135M", DisabledGiven: true},
		},
		Accounts: []Account{{
			Account: "a", Name: "甲", Department: "11110000000021135M", IdentitySealed: number("a"), PasswordHash: "$pbkdf2-sm3$i=1$$",
			Roles: []string{"user"}, Disabled: true, DisabledGiven: true,
		}},
		Administrators: []Administrator{{
			Administrator: "x", Name: "乙", Role: RoleAudit, IdentitySealed: number("administrator/x"), PasswordHash: "$pbkdf2-sm3$i=1$$",
			Certificates: []string{digest("x")}, Disabled: true, DisabledGiven: true,
		}},
		Policy: &policy,
	}
	frozenDeclaration(t, v, "declaration-1.json", want)
	faces := []Face{{Group: "1", Declaration: "face: 1\n", Assets: []Asset{{"a.png", []byte("a")}}}, {Template: "marriage"}}
	frozenDeclaration(t, v, "declaration-2.json", &Platform{Items: []Item{{LicenseItemCode: "305018201", Faces: faces}}})
}

func frozenDeclaration(t *testing.T, v *testVault, name string, want *Platform) {
	t.Helper()
	frozen, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	frozen = bytes.TrimSuffix(frozen, []byte("\n"))
	if got, err := OpenDeclaration(frozen); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("OpenDeclaration: %v\n%+v\nwant\n%+v", err, got, want)
	}
	if text, err := SealDeclaration(want, nil, v); err != nil || !bytes.Equal(text, frozen) {
		t.Errorf("SealDeclaration: %v\n%s\nwant\n%s", err, text, frozen)
	}
}

func TestOpenDeclarationRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"v":1,"items":[{"license_item_code":"1","name":"","department":"","status":"","is_open":false,"holder_type":"","fields":null,"faces":[{}]}]}`,
		"", "null", "{}", "[]", `{"v":0}`, `{"v":2}`, `{"v":"1"}`, `{"v":1} `, `{ "v":1}`, `{"v":1}{}`, `{"v":1,"v":1}`, `{"V":1}`,
		`{"v":1,"policy":null}`, `{"policy":"","v":1}`, `{"v":1,"colour":"red"}`, `{"v":1,"departments":null}`, `{"v":1,"departments":[{}]}`,
		`{"v":1,"applications":[],"departments":[]}`, "{\"v\":1,\"policy\":\"\xff\"}",
		`{"v":1,"applications":[{"app_key":"a","name":"","department":"","secret":"x"}]}`,
		`{"v":1,"accounts":[{"account":"a","name":"","department":"","identity_num":"11010519491231002X"}]}`,
		`{"v":1,"accounts":[{"account":11010519491231002,"name":"","department":""}]}`,
		`{"v":1,"departments":[{"code":"","name":"a","parent":""}],"departments":[{"code":"","parent":""}]}`,
	} {
		if p, err := OpenDeclaration([]byte(text)); p != nil || !errors.Is(err, ErrDeclaration) || bytes.Contains([]byte(err.Error()), []byte("19491231")) {
			t.Errorf("%s: got %+v, %v", text, p, err)
		}
	}
	if p, err := OpenDeclaration([]byte(`{"v":1}`)); err != nil || !reflect.DeepEqual(p, &Platform{}) {
		t.Errorf("an empty one: %+v, %v", p, err)
	}
}

func TestSealDeclarationVaultFails(t *testing.T) {
	t.Parallel()
	good := newVault(t)
	stored := plan(t, good, nil, load(t, "everything.yaml"), "a", monday).Next
	changed := load(t, "everything.yaml")
	changed.Administrators[0].IdentityNum, changed.Administrators[0].Password = "11010119800229123X", "Guanli-2025-xy"
	for _, test := range []struct {
		fail              string
		declared, current *Platform
	}{
		{"HashPassword", load(t, "contract.yaml"), nil},
		{"SealIdentity", load(t, "contract.yaml"), nil},
		{"HashPassword", changed, stored},
		{"SealIdentity", changed, stored},
		{"OpenIdentity", changed, stored},
	} {
		text, err := SealDeclaration(test.declared, test.current, &testVault{fail: test.fail, opened: good.opened})
		if text != nil || !errors.Is(err, errVault) {
			t.Errorf("%s fails: %s, %v", test.fail, text, err)
		}
	}
}

// FuzzOpenDeclaration: no bytes make it panic; what is opened can be planned or is refused, and is written as it was read.
func FuzzOpenDeclaration(f *testing.F) {
	v := newVault(f)
	for _, name := range []string{"contract.yaml", "contract_without_secrets.yaml", "everything.yaml", "administrator.yaml"} {
		text, err := SealDeclaration(load(f, name), nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	frozen, err := os.ReadFile(filepath.Join("testdata", "declaration-1.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.TrimSuffix(frozen, []byte("\n")))
	for _, text := range []string{`{"v":1}`, `{"v":1,"policy":""}`, `{"v":1,"applications":[]}`, `{"v":2}`} {
		f.Add([]byte(text))
	}
	current := plan(f, v, nil, load(f, "contract.yaml"), "a", monday).Next
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := OpenDeclaration(text)
		if err != nil {
			if p != nil || !errors.Is(err, ErrDeclaration) {
				t.Fatalf("refused with %v beside %+v", err, p)
			}
			return
		}
		again, err := SealDeclaration(p, nil, v)
		if err == nil {
			if _, err = OpenDeclaration(again); err != nil {
				t.Fatalf("%v\nof\n%s\nonce\n%s", err, again, text)
			}
		}
		planned, err := Plan(current, p, v, "a", tuesday)
		if err != nil {
			return
		}
		Classes(planned.Changes, current, planned.Next)
		if _, err := Render(planned.Next); err != nil {
			t.Fatalf("Render: %v", err)
		}
	})
}
