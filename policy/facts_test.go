package policy

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// platform is the small world of the tests: a city, a district under it with an office under that, and a neighbour.
func platform() Facts {
	return Facts{
		Departments: []DepartmentFact{{"CITY", ""}, {"EAST", "CITY"}, {"EAST1", "EAST"}, {"WEST", "CITY"}},
		Items:       []ItemFact{{"MARRIAGE", []string{"CZR", "CYRSFZJHM"}}, {"RESIDENCE", []string{"ADDR"}}, {"PERMIT", nil}},
		ServiceItems: []ServiceItemFact{
			{"MZ001", "EAST", []string{"MARRIAGE"}},
			{"MZ002", "EAST", []string{"PERMIT"}},
			{"WZ001", "WEST", []string{"MARRIAGE"}},
		},
		Applications: []ApplicationFact{
			{"hydj", "EAST", []GrantFact{
				{[]string{"MARRIAGE"}, []string{"issue", "abolish", "function_call", "archive", "mobile_search", "web_view", "masked_view"}, []string{"MZ001"}},
				{[]string{"PERMIT"}, []string{"function_call"}, nil},
			}},
			{"check", "EAST", []GrantFact{{[]string{"MARRIAGE"}, []string{"function_call", "sensitive"}, []string{"MZ001"}}}},
			{"city", "CITY", []GrantFact{{[]string{"*"}, []string{"issue", "function_call", "sensitive"}, nil}}},
			{"portal", "WEST", []GrantFact{{[]string{"MARRIAGE"}, []string{"mobile_search", "function_call"}, nil}}},
		},
		Accounts: []AccountFact{
			{"maker", "EAST", []string{"issuer", "user"}},
			{"chief", "EAST", []string{"approver"}},
			{"clerk", "EAST", []string{"user"}},
			{"filer", "EAST", []string{"archivist"}},
			{"reader", "EAST", []string{"user", "sensitive_reader"}},
			{"head", "EAST", []string{"org_admin"}},
			{"nobody", "EAST", nil},
			{"clerk1", "EAST1", []string{"user", "issuer", "sensitive_reader"}},
			{"clerkw", "WEST", []string{"user"}},
		},
	}
}

// further are lines that an administrator wrote beside the facts.
func further(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/further.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func compile(t testing.TB, lines ...string) Decider {
	t.Helper()
	d, err := Compile(7, lines)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestLines holds every line that facts make: a change of the file is a change of everybody's rights.
func TestLines(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("testdata/lines.csv")
	if err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(strings.Split(string(golden), "\n"), func(s string) bool { return s == "" || s[0] == '#' })
	got := Lines(platform())
	if !slices.Equal(got, want) {
		t.Errorf("lines differ from testdata/lines.csv; now:\n%s", strings.Join(got, "\n"))
	}
	parsed, err := Parse(strings.Join(got, "\n"))
	if err != nil || !slices.Equal(parsed, got) {
		t.Errorf("the lines are not canonical: %v", err)
	}
}

func TestLinesDoNotDependOnOrder(t *testing.T) {
	t.Parallel()
	f := platform()
	slices.Reverse(f.Departments)
	slices.Reverse(f.Items)
	slices.Reverse(f.Items[0].Fields)
	slices.Reverse(f.ServiceItems)
	slices.Reverse(f.Applications)
	slices.Reverse(f.Accounts)
	for _, a := range f.Applications {
		slices.Reverse(a.Grants)
		for _, g := range a.Grants {
			slices.Reverse(g.Needs)
		}
	}
	if !slices.Equal(Lines(f), Lines(platform())) {
		t.Error("the order of the facts shows in the lines")
	}
}

func TestLinesComeOnce(t *testing.T) {
	t.Parallel()
	f := platform()
	f.Departments = append(f.Departments, f.Departments...)
	f.Applications = append(f.Applications, f.Applications...)
	f.Accounts = append(f.Accounts, f.Accounts...)
	if !slices.Equal(Lines(f), Lines(platform())) {
		t.Error("repeated facts repeat lines")
	}
}

// TestNamesCannotForgeLines: what a name smuggles in is refused as a malformed line.
func TestNamesCannotForgeLines(t *testing.T) {
	t.Parallel()
	names := []string{
		"x, role:org_admin", "x\np, app:x, *, *, *, *, allow", "x, *, *, create, *, allow", `x"`, "x,", " x", "x ", "", "*", "a*b",
		"x\u200b", "x\u3000", "\xff",
	}
	for _, name := range names {
		for what, change := range map[string]func(*Facts){
			"account":      func(f *Facts) { f.Accounts[0].Account = name },
			"application":  func(f *Facts) { f.Applications[0].AppKey = name },
			"department":   func(f *Facts) { f.Departments[1].Code = name },
			"service item": func(f *Facts) { f.ServiceItems[0].Code = name },
			"field":        func(f *Facts) { f.Items[0].Fields[0] = name },
			"role":         func(f *Facts) { f.Accounts[0].Roles = []string{name} },
		} {
			f := platform()
			change(&f)
			if _, err := Compile(1, Lines(f)); err == nil {
				t.Errorf("%s %q was taken", what, name)
			}
		}
	}
}
