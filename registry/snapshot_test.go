package registry

import (
	"fmt"
	"slices"
	"testing"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()
	p := load(t, "everything.yaml")
	s := NewSnapshot(p)
	if s.Platform() != p {
		t.Error("Platform is another")
	}
	if d, ok := s.Department("91350100M000100Y43"); !ok || d.Name != "下属单位" {
		t.Errorf("Department = %v, %t", d, ok)
	}
	if d, ok := s.Department("91350100M000100Y4"); ok || d != nil {
		t.Errorf("unknown department = %v, %t", d, ok)
	}
	if a, ok := s.Application("10086"); !ok || a.Name != "取证系统" {
		t.Errorf("Application = %v, %t", a, ok)
	}
	if a, ok := s.Application(""); ok || a != nil {
		t.Errorf("unknown application = %v, %t", a, ok)
	}
	if a, ok := s.Account("110000"); !ok || a.Name != "欧阳·测试" {
		t.Errorf("Account = %v, %t", a, ok)
	}
	const digest = "1111111111111111111111111111111111111111111111111111111111111111"
	if a, ok := s.Administrator("007"); !ok || a.Role != RoleSecurity || !a.Disabled {
		t.Errorf("Administrator = %v, %t", a, ok)
	}
	if a, ok := s.AdministratorByCertificate(digest); !ok || a.Administrator != "007" {
		t.Errorf("AdministratorByCertificate = %v, %t", a, ok)
	}
	for _, unknown := range []string{"", "audit", digest[1:], "110000"} {
		if a, ok := s.Administrator(unknown); ok || a != nil {
			t.Errorf("unknown administrator = %v, %t", a, ok)
		}
		if a, ok := s.AdministratorByCertificate(unknown); ok || a != nil {
			t.Errorf("unknown certificate = %v, %t", a, ok)
		}
	}
	if a, ok := s.Account("110000 "); ok || a != nil {
		t.Errorf("unknown account = %v, %t", a, ok)
	}
}

func TestSnapshotItem(t *testing.T) {
	t.Parallel()
	const (
		basic    = "305018201"
		whole    = "305018201006939684110000"
		fifteen  = "006939684110000"
		other    = "123456789006939684110000"
		shared   = "AAAAAAAAA006939684110000"
		shared2  = "AAAAAAAAA111111111110101"
		together = "BBBBBBBBB"
		over     = "BBBBBBBBB006939684110000"
	)
	var p Platform
	for _, code := range []string{basic, fifteen, other, shared, shared2, together, over} {
		p.Items = append(p.Items, Item{LicenseItemCode: code})
	}
	s := NewSnapshot(&p)
	for asked, want := range map[string]string{
		basic:                      basic,
		whole:                      basic, // any organisation's form of a basic code
		fifteen:                    fifteen,
		other:                      other,
		other[:9]:                  other, // the only one with that basic part
		"123456789111111111110101": "",    // another organisation's item is not ours
		other[9:]:                  fifteen,
		shared:                     shared,
		shared[:9]:                 "", // two share it: neither is meant
		over:                       over,
		together:                   together,
		"BBBBBBBBB111111111110101": together,
		"305018201006939":          "",
		"30501820":                 "",
		"":                         "",
	} {
		item, ok := s.Item(asked)
		if ok != (item != nil) || ok != (want != "") || (ok && item.LicenseItemCode != want) {
			t.Errorf("Item(%q) = %v, %t, want %q", asked, item, ok, want)
		}
	}
}

func TestSnapshotServiceItem(t *testing.T) {
	t.Parallel()
	s := NewSnapshot(&Platform{
		Departments: []Department{{Code: "C", Parent: "B"}, {Code: "A"}, {Code: "B", Parent: "A"}, {Code: "X"}},
		ServiceItems: []ServiceItem{
			{Code: "1", Department: "A", Name: "A1"},
			{Code: "1", Department: "C", Name: "C1"},
			{Code: "2", Department: "A", Name: "A2"},
			{Code: "3", Department: "C", Name: "C3"},
			{Code: "4", Department: "X", Name: "X4"},
		},
	})
	for asked, want := range map[[2]string]string{
		{"C", "1"}: "C1", {"B", "1"}: "A1", {"A", "1"}: "A1", {"C", "2"}: "A2", {"C", "3"}: "C3",
		{"B", "3"}: "", {"C", "4"}: "", {"X", "1"}: "", {"", "1"}: "", {"Z", "1"}: "",
	} {
		one, ok := s.ServiceItem(asked[0], asked[1])
		if ok != (one != nil) || ok != (want != "") || (ok && one.Name != want) {
			t.Errorf("ServiceItem(%q) = %v, %t, want %q", asked, one, ok, want)
		}
	}
	for department, want := range map[string][]string{"A": nil, "B": {"A"}, "C": {"B", "A"}, "Z": nil} {
		if got := s.Ancestors(department); !slices.Equal(got, want) {
			t.Errorf("Ancestors(%s) = %v, want %v", department, got, want)
		}
	}
}

// The levels that Check allows are the levels that look-ups walk.
func TestSnapshotDepth(t *testing.T) {
	t.Parallel()
	chain := func(levels int) *Platform {
		p := &Platform{}
		for i := range levels {
			body := fmt.Sprintf("11110000%09d", i)
			check, _ := creditCheck(body)
			d := Department{Code: body + string(check), Name: "单位"}
			if i > 0 {
				d.Parent = p.Departments[i-1].Code
			}
			p.Departments = append(p.Departments, d)
		}
		p.ServiceItems = []ServiceItem{{Code: "TOP", Name: "事项", Department: p.Departments[0].Code}}
		p.Items = []Item{{LicenseItemCode: "305018201", Name: "证", Department: p.Departments[0].Code, Status: "PUBLISH", HolderType: "person"}}
		p.Applications = []Application{{
			AppKey: "a", Name: "应用", Department: p.Departments[levels-1].Code,
			Grants: []Grant{{Items: []string{"*"}, Needs: []string{"archive"}, ServiceItems: []string{"TOP"}}},
		}}
		return p
	}
	p := chain(deepest)
	if err := Check(p); err != nil {
		t.Fatalf("%d levels: %v", deepest, err)
	}
	if _, ok := NewSnapshot(p).ServiceItem(p.Departments[deepest-1].Code, "TOP"); !ok {
		t.Error("the lowest department does not find the service item of the highest")
	}
	if err := Check(chain(deepest + 1)); err == nil {
		t.Errorf("%d levels pass", deepest+1)
	}
}
