package registry

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
)

// leaves calls visit for each string, number, flag, time and byte list in v that is kept, with the member that it belongs
// to, as Type.Field.
func leaves(v reflect.Value, member string, visit func(v reflect.Value, member string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			leaves(v.Elem(), member, visit)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			visit(v, member)
			return
		}
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Tag.Get("json") != "-" {
				leaves(v.Field(i), v.Type().Name()+"."+field.Name, visit)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			visit(v, member)
			return
		}
		for i := range v.Len() {
			leaves(v.Index(i), member, visit)
		}
	default:
		visit(v, member)
	}
}

func alter(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Slice:
		v.SetBytes([]byte("x"))
	case reflect.Struct:
		v.Set(reflect.ValueOf(v.Interface().(time.Time).Add(time.Hour)))
	default:
		v.SetInt(v.Int() + 1)
	}
}

// everything is a stored platform in which every member of the format is set, a running rotation too.
func everything(t testing.TB) *Platform {
	t.Helper()
	v := newVault(t)
	full := plan(t, v, nil, load(t, "everything.yaml"), "a", monday).Next
	declared := &Platform{Applications: slices.Clone(full.Applications)}
	declared.Applications[0].Rotate("", tuesday)
	return plan(t, v, full, declared, "a", monday).Next
}

// No member of the format is forgotten: altering any of them shows in the difference and in what Render writes.
func TestEveryMemberCounts(t *testing.T) {
	t.Parallel()
	full := everything(t)
	stored, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	platform := func() *Platform {
		var p Platform
		if err := json.Unmarshal(stored, &p); err != nil {
			t.Fatal(err)
		}
		return &p
	}
	if got := platform(); !reflect.DeepEqual(got, full) {
		t.Fatalf("JSON does not keep the platform: %+v, want %+v", got, full)
	}
	before, err := Render(full)
	if err != nil {
		t.Fatal(err)
	}
	unwritten := []string{ // but told of
		"Application.SecretHash", "Application.PreviousHash", "Application.PreviousUntil", "Account.PasswordHash", "Account.IdentitySealed",
		"Administrator.PasswordHash", "Administrator.IdentitySealed",
	}
	silent := []string{
		"Application.SecretTime", "Account.Creator", "Account.CreationTime", "Account.LastModificator", "Account.LastModificationTime",
		"Administrator.PasswordTime", "Administrator.PasswordGiven",
	}
	var members []string
	leaves(reflect.ValueOf(full), "", func(_ reflect.Value, member string) { members = append(members, member) })
	for n, member := range members {
		altered, i := platform(), 0
		leaves(reflect.ValueOf(altered), "", func(v reflect.Value, _ string) {
			if i == n {
				alter(v)
			}
			i++
		})
		if got, want := len(difference(full, altered)) > 0, !slices.Contains(silent, member); got != want {
			t.Errorf("%s altered: told %t, want %t", member, got, want)
		}
		after, err := Render(altered)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(after) != string(before), !slices.Contains(silent, member) && !slices.Contains(unwritten, member); got != want {
			t.Errorf("%s altered: written %t, want %t", member, got, want)
		}
	}
	// The file must hold each member once at least, or nothing was proved of it.
	for _, one := range []any{Department{}, Item{}, Field{}, Face{}, Asset{}, ServiceItem{}, Application{}, Rate{}, Grant{}, Account{}, Administrator{}} {
		for i := range reflect.TypeOf(one).NumField() {
			field := reflect.TypeOf(one).Field(i)
			member := reflect.TypeOf(one).Name() + "." + field.Name
			nested := slices.Contains([]string{"Item.Fields", "Item.Faces", "Face.Assets", "Application.Rate", "Application.Grants"}, member)
			if field.Tag.Get("json") != "-" && !nested && !slices.Contains(members, member) {
				t.Errorf("%s was not altered", member)
			}
		}
	}
}
