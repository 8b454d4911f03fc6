package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	monday  = time.Date(2024, 2, 29, 23, 30, 0, 5e6, time.UTC)
	tuesday = monday.Add(24 * time.Hour)
)

func plan(t testing.TB, v Vault, current, declared *Platform, by string, now time.Time) *Planned {
	t.Helper()
	planned, err := Plan(current, declared, v, by, now)
	if err != nil {
		t.Fatalf("Plan: %v", err)
	}
	return planned
}

func spoken(changes []Change) []string {
	lines := make([]string, len(changes))
	for i, c := range changes {
		lines[i] = c.String()
	}
	return lines
}

func wantLines(t testing.TB, changes []Change, want ...string) {
	t.Helper()
	if got := spoken(changes); !slices.Equal(got, want) {
		t.Errorf("changes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPlanFirst(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	declared := load(t, "contract.yaml")
	planned := plan(t, v, nil, declared, "secadmin", monday)
	wantLines(t, planned.Changes,
		"+ 单位 11110000000021135M（北京市民政局）",
		"+ 证照目录 305018201（内地居民婚姻登记证）",
		"+ 事项 11110000000021135M/110103MZ001（婚姻登记）",
		"+ 应用 hydj（婚姻登记系统）",
		"+ 账户 110000_zhangbin",
	)
	if planned.Generated != nil {
		t.Errorf("generated %v although the file has both", planned.Generated)
	}
	app, account := planned.Next.Applications[0], planned.Next.Accounts[0]
	if app.Secret != "" || app.SecretHash != digest("hydj", "Zk4-vN8s_Qw2.xR7") {
		t.Errorf("application kept as %+v", app)
	}
	if account.Password != "" || !v.VerifyPassword(account.PasswordHash, "Mima-2024-xy") {
		t.Errorf("password kept as %q, %q", account.Password, account.PasswordHash)
	}
	num, err := v.OpenIdentity("110000_zhangbin", account.IdentitySealed)
	if err != nil || num != "11010519491231002X" || account.IdentityNum != "" {
		t.Errorf("identity number kept as %q, sealed %q, %v", account.IdentityNum, num, err)
	}
	const at = "2024-03-01 07:30:00.005" // Beijing
	if account.Creator != "secadmin" || account.LastModificator != "secadmin" || account.CreationTime != at || account.LastModificationTime != at {
		t.Errorf("account made %+v", account)
	}
	if !reflect.DeepEqual(declared.Applications, load(t, "contract.yaml").Applications) {
		t.Error("Plan changed the declaration")
	}
	if err := Check(planned.Next); err != nil {
		t.Errorf("what is to be kept does not pass Check: %v", err)
	}
	kept, err := json.Marshal(planned)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Zk4-vN8s_Qw2.xR7", "Mima-2024-xy", "11010519491231002X", "张彬"} {
		if bytes.Contains(kept, []byte(secret)) {
			t.Errorf("%s is in the plan's JSON", secret)
		}
	}
}

// Applying the same file again does nothing, whether secrets stand in it or not; so does applying an export.
func TestPlanIdempotent(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"contract.yaml", "contract_without_secrets.yaml", "everything.yaml"} {
		v := newVault(t)
		first := plan(t, v, &Platform{}, load(t, name), "a", monday)
		exported, err := Render(first.Next)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range []*Platform{load(t, name), load(t, name), parse(t, string(exported)), {}} {
			second := plan(t, v, first.Next, declared, "b", tuesday)
			if len(second.Changes) > 0 || len(second.Generated) > 0 {
				t.Errorf("%s again: %v, generated %v", name, spoken(second.Changes), second.Generated)
			}
			if !reflect.DeepEqual(second.Next, first.Next) {
				t.Errorf("%s again: next is\n%+v\nwant\n%+v", name, second.Next, first.Next)
			}
		}
	}
}

// From any platform to any other: the plan leads there, once.
func TestPlanGenerated(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	current, applied := &Platform{}, 0
	for seed := range uint64(300) {
		declared := generate(rand.New(rand.NewPCG(seed, 2)))
		planned, err := Plan(current, declared, v, "a", monday)
		var problems Problems
		if errors.As(err, &problems) {
			continue // sections that were left as they are do not fit the new ones
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := bare(overlay(current, declared)); !reflect.DeepEqual(bare(planned.Next), want) {
			t.Fatalf("seed %d: next %+v, want %+v", seed, bare(planned.Next), want)
		}
		again := plan(t, v, planned.Next, declared, "b", tuesday)
		if len(again.Changes) > 0 || len(again.Generated) > 0 || !reflect.DeepEqual(again.Next, planned.Next) {
			t.Fatalf("seed %d: again %v", seed, spoken(again.Changes))
		}
		if got := len(planned.Changes) > 0; got == reflect.DeepEqual(ordered(planned.Next), ordered(current)) {
			t.Fatalf("seed %d: told as %v: from %+v to %+v", seed, spoken(planned.Changes), bare(current), bare(planned.Next))
		}
		current = planned.Next
		applied++
	}
	if applied < 50 {
		t.Errorf("%d declarations were applied: too few to prove anything", applied)
	}
}

// ordered is a bare copy of p with everything in order whose order means nothing, and no empty lists.
func ordered(p *Platform) *Platform {
	p = bare(p)
	inOrder := func(codes []string) []string { return slices.Sorted(slices.Values(codes)) }
	for i := range p.Items {
		p.Items[i].LicenseGroups = inOrder(p.Items[i].LicenseGroups)
	}
	for i := range p.ServiceItems {
		p.ServiceItems[i].Items = inOrder(p.ServiceItems[i].Items)
	}
	for i := range p.Applications {
		a := &p.Applications[i]
		a.IPAllow, a.Grants = inOrder(a.IPAllow), slices.Clone(a.Grants)
		for j, g := range a.Grants {
			a.Grants[j] = Grant{inOrder(g.Items), inOrder(g.Needs), inOrder(g.ServiceItems), g.Form}
		}
		slices.SortFunc(a.Grants, func(a, b Grant) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	for i := range p.Accounts {
		p.Accounts[i].Roles = inOrder(p.Accounts[i].Roles)
	}
	for i := range p.Administrators {
		p.Administrators[i].Certificates = inOrder(p.Administrators[i].Certificates)
	}
	policy := ""
	if p.Policy != nil {
		policy = *p.Policy
	}
	return &Platform{
		Departments: byKey(p.Departments, departmentKey), Items: byKey(p.Items, itemKey), ServiceItems: byKey(p.ServiceItems, serviceItemKey),
		Applications: byKey(p.Applications, applicationKey), Accounts: byKey(p.Accounts, accountKey),
		Administrators: byKey(p.Administrators, administratorKey), Policy: &policy,
	}
}

func byKey[T any](all []T, key func(*T) string) []T {
	return slices.SortedFunc(slices.Values(all), func(a, b T) int { return strings.Compare(key(&a), key(&b)) })
}

func TestPlanGenerates(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	first := plan(t, v, nil, load(t, "contract_without_secrets.yaml"), "a", monday)
	if len(first.Generated) != 2 {
		t.Fatalf("generated %v", first.Generated)
	}
	secret, password := first.Generated[0], first.Generated[1]
	if secret.Kind != "app_secret" || secret.Key != "hydj" || !v.VerifySecret("hydj", first.Next.Applications[0].SecretHash, secret.Value) {
		t.Errorf("generated %+v", secret)
	}
	if password.Kind != "password" || password.Key != "110000_zhangbin" || !v.VerifyPassword(first.Next.Accounts[0].PasswordHash, password.Value) {
		t.Errorf("generated %+v", password)
	}
	if secret.Value == password.Value {
		t.Error("one value for both")
	}
	if first.Next.Accounts[0].IdentitySealed != nil {
		t.Error("an identity number out of nothing")
	}
}

func TestPlanSecrets(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	first := plan(t, v, nil, load(t, "contract.yaml"), "a", monday)

	changed := load(t, "contract.yaml")
	changed.Applications[0].Secret = "another secret of the system"
	changed.Accounts[0].Password = "Another-word-1"
	changed.Accounts[0].IdentityNum = "11010119800229123X"
	second := plan(t, v, first.Next, changed, "b", tuesday)
	wantLines(t, second.Changes,
		"~ 应用 hydj：secret 已更换",
		"~ 账户 110000_zhangbin：identity_num 已更换",
		"~ 账户 110000_zhangbin：password 已更换",
	)
	if want := (Change{Action: "change", Kind: "application", Key: "hydj", Field: "secret", Old: "(已设置)", New: "(已设置)"}); second.Changes[0] != want {
		t.Errorf("change = %+v", second.Changes[0])
	}
	account := second.Next.Accounts[0]
	if !v.VerifySecret("hydj", second.Next.Applications[0].SecretHash, "another secret of the system") || !v.VerifyPassword(account.PasswordHash, "Another-word-1") {
		t.Error("the new secrets do not verify")
	}
	if num, err := v.OpenIdentity("110000_zhangbin", account.IdentitySealed); err != nil || num != "11010119800229123X" {
		t.Errorf("identity number %q, %v", num, err)
	}
	if account.Creator != "a" || account.CreationTime != "2024-03-01 07:30:00.005" || account.LastModificator != "b" || account.LastModificationTime != "2024-03-02 07:30:00.005" {
		t.Errorf("account = %+v", account)
	}

	// An identity number comes in later, and stays when the file leaves it out.
	without := plan(t, v, nil, load(t, "contract_without_secrets.yaml"), "a", monday)
	with := plan(t, v, without.Next, load(t, "contract.yaml"), "b", tuesday)
	wantLines(t, with.Changes,
		"~ 应用 hydj：secret 已更换",
		"~ 账户 110000_zhangbin：identity_num 已设置",
		"~ 账户 110000_zhangbin：password 已更换",
	)
	after := plan(t, v, with.Next, load(t, "contract_without_secrets.yaml"), "c", tuesday)
	if len(after.Changes) > 0 || !bytes.Equal(after.Next.Accounts[0].IdentitySealed, with.Next.Accounts[0].IdentitySealed) {
		t.Errorf("changes %v", spoken(after.Changes))
	}

	// A sealed number of somebody else is not taken.
	forged := load(t, "contract_without_secrets.yaml")
	sealed, err := v.SealIdentity("another", "11010519491231002X")
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range [][]byte{sealed, []byte("x")} {
		forged.Accounts[0].IdentitySealed = number
		if planned, err := Plan(first.Next, forged, v, "c", tuesday); err == nil {
			t.Errorf("next = %+v", planned.Next)
		}
	}
}

// A declaration that was kept sealed has hashes and sealed numbers in place of what was in clear; who made an object and when stays ours
// to say.
func TestPlanTakesHashes(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	first := plan(t, v, nil, load(t, "everything.yaml"), "a", monday)
	other := func(context string) []byte {
		sealed, err := v.SealIdentity(context, "11010119800229123X")
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	declared := load(t, "everything.yaml")
	app, account, administrator := &declared.Applications[0], &declared.Accounts[0], &declared.Administrators[0]
	app.SecretHash, app.SecretTime = "hash1", "long ago"
	account.PasswordHash, account.IdentitySealed, account.Creator = "hash2", other(account.Account), "somebody"
	administrator.Password, administrator.PasswordHash, administrator.PasswordTime = "", "hash3", "long ago"
	administrator.IdentityNum, administrator.IdentitySealed = "", other("administrator/"+administrator.Administrator)
	for name, current := range map[string]*Platform{"new": nil, "known": first.Next} {
		got := plan(t, v, current, declared, "b", tuesday)
		app, account, administrator := got.Next.Applications[0], got.Next.Accounts[0], got.Next.Administrators[0]
		const at = "2024-03-02 07:30:00.005"
		if app.SecretHash != "hash1" || app.SecretTime != at {
			t.Errorf("%s: application = %+v", name, app)
		}
		if account.PasswordHash != "hash2" || account.Creator == "somebody" || account.LastModificationTime != at {
			t.Errorf("%s: account = %+v", name, account)
		}
		if num, err := v.OpenIdentity(account.Account, account.IdentitySealed); err != nil || num != "11010119800229123X" {
			t.Errorf("%s: identity number %q, %v", name, num, err)
		}
		if administrator.PasswordHash != "hash3" || administrator.PasswordTime != at {
			t.Errorf("%s: administrator = %+v", name, administrator)
		}
		if num, err := v.OpenIdentity("administrator/007", administrator.IdentitySealed); err != nil || num != "11010119800229123X" {
			t.Errorf("%s: identity number %q, %v", name, num, err)
		}
		// Another sealing of the number that is stored is no change.
		declared := &Platform{Accounts: slices.Clone(got.Next.Accounts), Administrators: slices.Clone(got.Next.Administrators)}
		declared.Accounts[0].IdentitySealed, declared.Administrators[0].IdentitySealed = other(account.Account), other("administrator/007")
		if again := plan(t, v, got.Next, declared, "c", tuesday); len(again.Changes) > 0 || !reflect.DeepEqual(again.Next, got.Next) {
			t.Errorf("%s: sealed anew: %v", name, spoken(again.Changes))
		}
	}
}

func TestPlanVaultFails(t *testing.T) {
	t.Parallel()
	good := newVault(t)
	first := plan(t, good, nil, load(t, "contract.yaml"), "a", monday)
	for _, test := range []struct {
		fail, file string
		current    *Platform
		want       error
	}{
		{"HashPassword", "contract.yaml", nil, errVault},
		{"HashPassword", "contract_without_secrets.yaml", nil, errVault}, // of the generated one
		{"HashPassword", "contract.yaml", first.Next, nil},               // it verifies
		{"SealIdentity", "contract.yaml", nil, errVault},
		{"SealIdentity", "contract.yaml", first.Next, nil},
		{"OpenIdentity", "contract.yaml", first.Next, errVault},
		{"OpenIdentity", "contract_without_secrets.yaml", first.Next, nil},
		{"Generate", "contract_without_secrets.yaml", nil, errVault},
		{"Generate", "contract_without_secrets.yaml", first.Next, nil},
		{"Generate", "contract.yaml", nil, nil},
		{"Generate", "account.yaml", nil, errVault},
		{"HashPassword", "administrator.yaml", nil, errVault},
		{"SealIdentity", "administrator.yaml", nil, errVault},
		{"OpenIdentity", "administrator.yaml", nil, errVault},
		{"Generate", "administrator.yaml", nil, errVault},
	} {
		planned, err := Plan(test.current, load(t, test.file), &testVault{fail: test.fail, opened: good.opened}, "a", monday)
		if !errors.Is(err, test.want) || (planned == nil) != (test.want != nil) {
			t.Errorf("%s fails, %s, from nothing %t: got %v, want %v", test.fail, test.file, test.current == nil, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "Mima") || strings.Contains(err.Error(), "19491231")) {
			t.Errorf("a secret in %v", err)
		}
	}
}
