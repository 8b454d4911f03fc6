package registry

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// people is a declaration with identity numbers of three persons, and what is kept of it.
func people(t *testing.T, v Vault) *Platform {
	t.Helper()
	p := &Platform{Departments: []Department{{Code: "11110000000021135M", Name: "甲"}}}
	for _, name := range []string{"a", "b", "none"} {
		account := Account{Account: name, Name: "某", Department: "11110000000021135M"}
		if name != "none" {
			account.IdentityNum = "11010519491231002X"
		}
		p.Accounts = append(p.Accounts, account)
	}
	p.Administrators = []Administrator{{Administrator: "a", Name: "某", Role: RoleSecurity, IdentityNum: "11010119800229123X"}}
	return plan(t, v, nil, p, "x", monday).Next
}

func TestResealPlatform(t *testing.T) {
	t.Parallel()
	before := people(t, newVault(t))
	var contexts []string
	next, n, err := ResealPlatform(before, func(context string, sealed []byte) ([]byte, bool, error) {
		contexts = append(contexts, context)
		return fmt.Append(nil, "fresh ", context), context != "b", nil
	})
	if err != nil || n != 2 || !slices.Equal(contexts, []string{"a", "b", "administrator/a"}) {
		t.Fatalf("%d of %v, %v", n, contexts, err)
	}
	if string(next.Accounts[0].IdentitySealed) != "fresh a" || string(next.Administrators[0].IdentitySealed) != "fresh administrator/a" {
		t.Error("not sealed anew")
	}
	if !reflect.DeepEqual(next.Accounts[1], before.Accounts[1]) || next.Accounts[2].IdentitySealed != nil {
		t.Error("what was not changed is")
	}
	if string(before.Accounts[0].IdentitySealed) == "fresh a" {
		t.Error("the platform of before was changed")
	}
	fault := errors.New("no key")
	if _, _, err := ResealPlatform(before, func(string, []byte) ([]byte, bool, error) { return nil, false, fault }); !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}
}

func TestResealDeclaration(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	text, err := SealDeclaration(load(t, "everything.yaml"), nil, v)
	if err != nil {
		t.Fatal(err)
	}
	before, err := OpenDeclaration(text)
	if err != nil {
		t.Fatal(err)
	}
	fresh, n, err := ResealDeclaration(text, func(context string, sealed []byte) ([]byte, bool, error) {
		return append([]byte("fresh "), sealed...), true, nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d, %v", n, err)
	}
	after, err := OpenDeclaration(fresh)
	if err != nil {
		t.Fatalf("it does not open any more: %v", err)
	}
	resealed := 0
	for i := range before.Accounts {
		if old := before.Accounts[i].IdentitySealed; old != nil {
			before.Accounts[i].IdentitySealed = append([]byte("fresh "), old...)
			resealed++
		}
	}
	for i := range before.Administrators {
		if old := before.Administrators[i].IdentitySealed; old != nil {
			before.Administrators[i].IdentitySealed = append([]byte("fresh "), old...)
			resealed++
		}
	}
	if resealed != n || !reflect.DeepEqual(after, before) {
		t.Errorf("%d sealed anew, said %d; or something else differs", resealed, n)
	}
	if same, n, err := ResealDeclaration(text, func(_ string, sealed []byte) ([]byte, bool, error) { return sealed, false, nil }); err != nil || n != 0 || string(same) != string(text) {
		t.Errorf("nothing to do: %d, %v", n, err)
	}
	if _, _, err := ResealDeclaration([]byte("{}"), nil); !errors.Is(err, ErrDeclaration) {
		t.Errorf("no declaration: error %v", err)
	}
}
