package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// holdersByAsking is Who by asking every question one by one: question → lines.
func holdersByAsking(d Decider, f Facts, ask Ask) map[asked]string {
	all := map[asked]string{}
	f.Items = []ItemFact{{Code: ask.Item, Fields: []string{ask.Field}}}
	questions(f, func(r Request, field string) {
		restricted := ask.App != "" && r.App != ask.App || ask.Account != "" && r.Account != ask.Account || ask.Department != "" && r.Department != ask.Department ||
			ask.Interface != "" && r.Interface != ask.Interface || field != ask.Field || r.Item != ask.Item || r.Interface == actOrgAdmin
		if restricted || !yes(d, r, field) {
			return
		}
		lines := d.Decide(r).Lines
		if field != "" {
			lines = nil
			for _, step := range ExplainClear(d, r, field).Steps {
				lines = append(lines, step.Line)
			}
		}
		all[asked{r, field}] = strings.Join(lines, "\n")
	})
	return all
}

func compareHolders(t *testing.T, f Facts, lines []string, ask Ask) int {
	t.Helper()
	d := compile(t, lines...)
	rows, err := Who(t.Context(), d, f, ask)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(lines, "\n"))
	}
	got := map[asked]string{}
	for i, row := range rows {
		services := row.ServiceItems
		if slices.Equal(services, []string{anyOne}) {
			services = servicesOf(f)
		}
		for _, service := range services {
			one := asked{Request{row.App, row.Account, row.Department, ask.Item, row.Interface, service}, row.Field}
			if _, twice := got[one]; twice {
				t.Fatalf("%+v is told twice", one)
			}
			got[one] = strings.Join(row.Lines, "\n")
		}
		if i > 0 && compareRows(rows[i-1], row) >= 0 || len(services) == 0 || !slices.IsSorted(services) {
			t.Fatalf("%+v after %+v", row, rows[i-1])
		}
	}
	if want := holdersByAsking(d, f, ask); !maps.Equal(got, want) {
		t.Fatalf("%+v\ngot %+v\nwant %+v\n%s", ask, got, want, strings.Join(lines, "\n"))
	}
	return len(rows)
}

func compareRows(a, b Holder) int {
	return cmp.Or(cmp.Compare(a.Department, b.Department), cmp.Compare(a.App, b.App), cmp.Compare(a.Account, b.Account),
		cmp.Compare(a.Interface, b.Interface), slices.Compare(a.ServiceItems, b.ServiceItems))
}

// TestWho: exactly those who may, in random worlds.
func TestWho(t *testing.T) {
	t.Parallel()
	rows := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 11))
		f, lines, _ := randomChange(r)
		ask := Ask{Item: pick(r, worldItems, []string{"I9"})}
		if r.IntN(3) == 0 {
			ask.Field = pick(r, []string{"A", "A", "B"})
		} else {
			ask.Interface = pick(r, worldInterfaces, []string{"", "", "", "", "", "", "", "", ""})
		}
		if r.IntN(5) == 0 {
			ask.App = pick(r, []string{"x", "y", "stranger"})
		}
		if r.IntN(5) == 0 {
			ask.Account = pick(r, []string{"x", "y", "z", "stranger"})
		}
		if r.IntN(5) == 0 {
			ask.Department = pick(r, worldDepartments, []string{"D9", "D10"})
		}
		rows += compareHolders(t, f, lines, ask)
	}
	if rows < 1000 {
		t.Errorf("only %d rows", rows)
	}
}

// TestWhoInOrder: accounts that are asked as one stand where their names belong.
func TestWhoInOrder(t *testing.T) {
	t.Parallel()
	f := platform()
	f.Accounts = []AccountFact{{"c", "EAST", []string{"user"}}, {"a", "EAST", []string{"user"}}, {"b", "EAST", []string{"user", "issuer"}}}
	rows, err := Who(t.Context(), compile(t, Lines(f)...), f, Ask{Item: "MARRIAGE", App: "portal", Department: "EAST"})
	if err != nil || len(rows) != 0 {
		t.Fatalf("%+v, %v", rows, err)
	}
	rows, err = Who(t.Context(), compile(t, Lines(f)...), f, Ask{Item: "PERMIT", App: "hydj"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		got = append(got, row.Account+" "+row.Interface)
	}
	want := "a auth, a get_license, a get_license, a token, a token, b auth, b get_license, b get_license, b token, b token, c auth, c get_license, c get_license, c token, c token"
	if strings.Join(got, ", ") != want || !slices.IsSortedFunc(rows, compareRows) {
		t.Errorf("%q", got)
	}
}

// TestWhoJSON holds what the administrator's tools print.
func TestWhoJSON(t *testing.T) {
	t.Parallel()
	lines := append(Lines(platform()), "p, svc:MZ003, EAST, MARRIAGE, function_call, *, allow")
	for name, c := range map[string]struct {
		ask  Ask
		want []string
	}{
		"a field": {Ask{Item: "MARRIAGE", Field: "CZR", App: "check"}, []string{
			`{"department":"EAST","app":"check","account":"reader","field":"CZR","service_items":["MZ001"],"lines":["p, app:check, EAST, MARRIAGE, sensitive, MZ001, allow","p, role:sensitive_reader, *, group:sensitive, clear, *, allow"]}`,
			`{"department":"EAST1","app":"check","account":"clerk1","field":"CZR","service_items":["MZ001"],"lines":["p, app:check, EAST, MARRIAGE, sensitive, MZ001, allow","p, role:sensitive_reader, *, group:sensitive, clear, *, allow"]}`,
		}},
		"an interface": {Ask{Item: "MARRIAGE", Interface: "create", Department: "EAST"}, []string{
			`{"department":"EAST","app":"city","account":"maker","interface":"create","service_items":["*"],"lines":["p, app:city, CITY, *, issue, *, allow","p, role:issuer, *, *, create, *, allow"]}`,
			`{"department":"EAST","app":"hydj","account":"maker","interface":"create","service_items":["MZ001"],"lines":["p, app:hydj, EAST, MARRIAGE, issue, MZ001, allow","p, role:issuer, *, *, create, *, allow"]}`,
		}},
		"a function call, by the lists that allow it": {Ask{Item: "MARRIAGE", Interface: "get_license", Account: "clerk", App: "city"}, []string{
			`{"department":"EAST","app":"city","account":"clerk","interface":"get_license","service_items":[""],"lines":["p, app:city, CITY, *, function_call, *, allow","p, role:user, *, *, get_license, *, allow"]}`,
			`{"department":"EAST","app":"city","account":"clerk","interface":"get_license","service_items":["MZ001"],"lines":["p, app:city, CITY, *, function_call, *, allow","p, role:user, *, *, get_license, *, allow","p, svc:MZ001, EAST, MARRIAGE, function_call, *, allow"]}`,
			`{"department":"EAST","app":"city","account":"clerk","interface":"get_license","service_items":["MZ003"],"lines":["p, app:city, CITY, *, function_call, *, allow","p, role:user, *, *, get_license, *, allow","p, svc:MZ003, EAST, MARRIAGE, function_call, *, allow"]}`,
		}},
		"nobody": {Ask{Item: "MARRIAGE", Interface: "archive", Account: "maker"}, nil},
	} {
		rows, err := Who(t.Context(), compile(t, lines...), platform(), c.ask)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range rows {
			form, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(form))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s", name, strings.Join(got, "\n"))
		}
	}
}

func TestWhoRefuses(t *testing.T) {
	t.Parallel()
	d := compile(t, Lines(platform())...)
	for _, ask := range []Ask{
		{},
		{Item: "*"},
		{Item: "group:sensitive"},
		{Item: "MARRIAGE#CZR"},
		{Item: "MARRIAGE", Field: "CZR#X"},
		{Item: "MARRIAGE", Field: "CZR", Interface: "create"},
		{Item: "MARRIAGE", Interface: "list"},
		{Item: "MARRIAGE", Interface: "clear"},
		{Item: "MARRIAGE", Interface: "issuing"},
	} {
		if rows, err := Who(t.Context(), d, platform(), ask); !errors.Is(err, ErrAsk) || rows != nil {
			t.Errorf("%+v: %d rows, %v", ask, len(rows), err)
		}
	}
	if _, err := Who(t.Context(), fixed{}, platform(), Ask{Item: "MARRIAGE"}); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Who(ctx, d, platform(), Ask{Item: "MARRIAGE"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	all, err := Who(t.Context(), d, platform(), Ask{Item: "MARRIAGE"})
	if err != nil || len(all) < 20 {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	for _, most := range []bounds{{len(all) - 1, 1000}, {1000, 9}} {
		rows, err := who(t.Context(), d, platform(), Ask{Item: "MARRIAGE"}, most)
		if !errors.Is(err, ErrTooMany) || len(rows) == 0 || len(rows) >= len(all) || !slices.IsSortedFunc(rows, compareRows) {
			t.Errorf("%d rows of %d: %v", len(rows), len(all), err)
		}
		for _, row := range rows {
			if !slices.ContainsFunc(all, func(one Holder) bool { return reflect.DeepEqual(one, row) }) {
				t.Errorf("%+v", row)
			}
		}
	}
}
