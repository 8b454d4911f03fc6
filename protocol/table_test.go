package protocol

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestTableHasEveryTableOfTheStandardOnce(t *testing.T) {
	t.Parallel()
	rows := Endpoints()
	if len(rows) != 25 {
		t.Fatalf("%d rows, want 21 and four extra calls", len(rows))
	}
	for i, e := range rows {
		want := i + 1
		if i >= 21 {
			want = 0
		}
		if e.Table != want {
			t.Errorf("row %d (%s) is table %d, want %d", i, e.Interface, e.Table, want)
		}
		if Find(e.Interface) != e {
			t.Errorf("Find(%s) finds another row", e.Interface)
		}
	}
	if Find("no_such") != nil {
		t.Error("an unknown interface was found")
	}
}

func TestTableRowsAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range Endpoints() {
		if e.Name == "" || len(e.Methods) == 0 {
			t.Errorf("%s lacks a name or methods", e.Interface)
		}
		for _, p := range append([]string{e.Path}, e.Aliases...) {
			if seen[p] {
				t.Errorf("path %s stands twice", p)
			}
			seen[p] = true
			if !strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") {
				t.Errorf("path %s", p)
			}
		}
		all := slices.Concat(e.Required, e.Optional)
		slices.Sort(all)
		if len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("%s names a member twice: %v", e.Interface, all)
		}
		for _, name := range all {
			if members[name].read == nil {
				t.Errorf("%s names %s, which has no shape", e.Interface, name)
			}
		}
		if e.Page != (e.Access == PageAccess || e.Access == PublicAccess) || e.Page && !slices.Equal(e.Methods, onlyGet) {
			t.Errorf("%s: pages are GET only and need a page token, or nothing", e.Interface)
		}
		if (e.Access == PublicAccess) != (e.Interface == Verify) {
			t.Errorf("%s: only verify is public", e.Interface)
		}
		if (e.Access == Anyone) != (e.Interface == Login) {
			t.Errorf("%s: only login is for anyone", e.Interface)
		}
		if e.Batch != strings.HasPrefix(string(e.Interface), "batch_") {
			t.Errorf("%s: batch is %v", e.Interface, e.Batch)
		}
	}
	for name := range members {
		if !memberNames[name] {
			t.Errorf("%s has a shape but no interface", name)
		}
	}
}

// The mandatory members as the tables print them, with the three exceptions that the table's comment gives reasons for.
func TestRequiredMembers(t *testing.T) {
	t.Parallel()
	want := map[Interface]string{
		Login:       "app_key app_secret account password",
		Logout:      "",
		List:        "",
		Create:      "data_fields operator service_item_code service_item_name",
		Update:      "license_code data_fields operator service_item_code service_item_name",
		Delete:      "license_code operator service_item_code service_item_name",
		Sign:        "service_item_code service_item_name operator",
		Change:      "license_code data_fields service_item_code service_item_name operator",
		Abolish:     "license_code service_item_code service_item_name operator",
		BatchCreate: "licenses service_item_code service_item_name operator",
		BatchSign:   "operator service_item_code service_item_name",
		PsnHolder:   "credential",
		Auth:        "service_item_code service_item_name operator identity_number",
		Token:       "auth_code", GetLicense: "auth_code", Archive: "auth_code",
		ViewLicense: "license_access_token", ViewMobile: "license_access_token",
		GetLicenseQR: "auth_code_qr service_item_code service_item_name operator",
		GetTokenQR:   "auth_code_qr operator service_item_code service_item_name",
		ArchiveQR:    "auth_code_qr service_item_code service_item_name operator",
		Issue:        "data_fields operator service_item_code service_item_name",
		ArchiveList:  "service_item_code",
		Verify:       "",
	}
	for i, names := range want {
		if got := strings.Join(Find(i).Required, " "); got != names {
			t.Errorf("%s requires %q, want %q", i, got, names)
		}
	}
}

func TestSensitiveDataCanBeAskedFor(t *testing.T) {
	t.Parallel()
	with := []Interface{PsnHolder, Auth, Token, GetLicense, GetLicenseQR, GetTokenQR, ArchiveQR, Archive}
	for _, e := range Endpoints() {
		if got := e.names("show_sensitive_data"); got != slices.Contains(with, e.Interface) {
			t.Errorf("%s takes show_sensitive_data: %v", e.Interface, got)
		}
	}
}

func TestEndpointsIsACopy(t *testing.T) {
	t.Parallel()
	Endpoints()[0] = nil
	if Endpoints()[0] == nil {
		t.Error("a caller can take a row out of the table")
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for _, e := range Endpoints() {
		var want []string
		switch e.Interface {
		case GetCurrentUser, List, Token, GetLicense, ViewLicense, ViewMobile, Verify:
			want = []string{http.MethodGet}
		case GetLicenseQR, Archive, ArchiveList:
			want = []string{http.MethodGet, http.MethodPost}
		default:
			want = []string{http.MethodPost}
		}
		if !slices.Equal(e.Methods, want) {
			t.Errorf("%s: %v, want %v", e.Interface, e.Methods, want)
		}
	}
}
