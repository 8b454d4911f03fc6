package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// worldFacts are what the registry of random worlds knows: names of the lines, and some of which no line speaks.
func worldFacts(services ...string) Facts {
	f := Facts{Items: []ItemFact{{"I0", []string{"A", "B"}}, {"I1", []string{"A"}}, {"I2", nil}, {"I9", []string{"Z"}}}}
	for _, code := range append(worldDepartments, "D9") {
		f.Departments = append(f.Departments, DepartmentFact{Code: code})
	}
	for _, key := range []string{"x", "y", "ghost"} {
		f.Applications = append(f.Applications, ApplicationFact{AppKey: key})
	}
	for _, name := range []string{"x", "y", "z", "ghost"} {
		f.Accounts = append(f.Accounts, AccountFact{Account: name})
	}
	for _, code := range services {
		f.ServiceItems = append(f.ServiceItems, ServiceItemFact{Code: code})
	}
	return f
}

// generousLines let much through for each service item and each subject, but for what a few lines deny.
func generousLines(r *rand.Rand) []string {
	lines := randomLines(r)
	for _, subject := range []string{"app:x", "acct:x", "role:r1"} {
		lines = append(lines, line("p", subject, pick(r, worldDepartments, []string{anyOne, anyOne, anyOne}), anyOne, anyOne, pick(r, worldServices, []string{anyOne, anyOne, anyOne}), allow))
	}
	for range r.IntN(4) {
		lines = append(lines, line("p", pick(r, worldSubjects, worldRoles), pick(r, worldDepartments, []string{anyOne}),
			pick(r, worldItems, worldGroups, []string{anyOne}), pick(r, []string{"function_call", "issue", anyOne}), pick(r, worldServices), deny))
	}
	for range r.IntN(6) {
		lines = append(lines, line("p", pick(r, worldSubjects[5:]), pick(r, worldDepartments, []string{anyOne, anyOne}), pick(r, worldItems, worldGroups, []string{anyOne}),
			"function_call", anyOne, pick(r, []string{allow, allow, allow, deny})))
	}
	return lines
}

// questions visits everything that can be asked of worldFacts; field is of a field, and "" otherwise.
func questions(f Facts, ask func(r Request, field string)) {
	services := servicesOf(f)
	for _, d := range f.Departments {
		for _, person := range f.Accounts {
			ask(Request{Account: person.Account, Department: d.Code, Item: anyOne, Interface: actOrgAdmin}, "")
			for _, app := range f.Applications {
				for _, service := range services {
					for _, item := range append(f.Items, ItemFact{Code: "OTHER"}) {
						r := Request{App: app.AppKey, Account: person.Account, Department: d.Code, Item: item.Code, ServiceItem: service}
						for _, field := range item.Fields {
							ask(r, field)
						}
						for _, r.Interface = range worldInterfaces {
							ask(r, "")
						}
					}
				}
			}
		}
	}
}

// servicesOf are none, the service items of facts, and those of random lines.
func servicesOf(f Facts) []string {
	all := append([]string{""}, worldServices...)
	for _, s := range f.ServiceItems {
		all = append(all, s.Code)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// yes asks a Decider as its users do.
func yes(d Decider, r Request, field string) bool {
	switch {
	case field != "":
		return d.Clear(r, []string{field}) != nil
	case r.Interface == actOrgAdmin:
		return d.Administers(r.Account, r.Department)
	}
	return d.Judge(r).Allow
}

// A told is a question with its field.
type asked struct {
	Request
	field string
}

// spread writes rows as the questions that they stand for; false is lost.
func spread(t *testing.T, f Facts, rows []Shift) map[asked]bool {
	t.Helper()
	all := map[asked]bool{}
	alike := map[string]bool{}
	for _, row := range rows {
		services := row.ServiceItems
		key := fmt.Sprintf("%q", []any{row.Gained, row.Department, row.App, row.Item, row.Interface, row.Field, services})
		if alike[key] {
			t.Fatalf("two rows for %s", key)
		}
		alike[key] = true
		if slices.Equal(services, []string{anyOne}) {
			services = servicesOf(f)
			if row.Interface == actOrgAdmin {
				services = []string{""}
			}
		}
		item := row.Item
		if item == anyOne && row.Interface != actOrgAdmin {
			item = "OTHER"
		}
		if !slices.IsSorted(row.Accounts) || !slices.IsSorted(services) || len(row.Accounts) == 0 || len(services) == 0 {
			t.Fatalf("%+v", row)
		}
		for _, service := range services {
			for _, name := range row.Accounts {
				one := asked{Request{row.App, name, row.Department, item, row.Interface, service}, row.Field}
				if _, twice := all[one]; twice {
					t.Fatalf("%+v is told twice", one)
				}
				all[one] = row.Gained
			}
		}
	}
	return all
}

// compareSides holds Differ to all questions, asked one by one. It returns how many rows there were.
func compareSides(t *testing.T, f Facts, earlier, later []string) int {
	t.Helper()
	sides := [2]Decider{compile(t, earlier...), compile(t, later...)}
	rows, err := Differ(t.Context(), Side{sides[0], f}, Side{sides[1], Facts{Items: f.Items}})
	if err != nil {
		t.Fatalf("%v\n%s\n\n%s", err, strings.Join(earlier, "\n"), strings.Join(later, "\n"))
	}
	want := map[asked]bool{}
	questions(f, func(r Request, field string) {
		if now := yes(sides[1], r, field); now != yes(sides[0], r, field) {
			want[asked{r, field}] = now
		}
	})
	if got := spread(t, f, rows); !maps.Equal(got, want) {
		t.Fatalf("got %+v\nwant %+v\n%s\n\n%s", got, want, strings.Join(earlier, "\n"), strings.Join(later, "\n"))
	}
	for i, row := range rows {
		r := row.Example.Request
		if !slices.Contains(row.Accounts, r.Account) || r.App != row.App || r.Department != row.Department || r.Interface != row.Interface {
			t.Fatalf("%+v", row)
		}
		if yes(sides[0], r, row.Field) == row.Gained || yes(sides[1], r, row.Field) != row.Gained || row.Example.Before.Allow == row.Gained {
			t.Fatalf("the example does not show it: %+v", row)
		}
		if row.Field == "" && row.Interface != actOrgAdmin && !reflect.DeepEqual([]Decision{row.Example.Before, row.Example.After}, []Decision{sides[0].Decide(r), sides[1].Decide(r)}) {
			t.Fatalf("%+v", row.Example)
		}
		if i > 0 && orderOf(rows[i-1]) > orderOf(row) {
			t.Fatalf("%+v comes before %+v", rows[i-1], row)
		}
	}
	return len(rows)
}

func orderOf(s Shift) string {
	kind := "interface " + s.Interface
	if s.Field != "" {
		kind = "of field " + s.Field
	}
	return strings.Join([]string{s.Department, s.App, s.Item, kind}, "\x00")
}

// changedLines are lines with some taken out, some put in, and some moved.
func changedLines(r *rand.Rand, lines, more []string) []string {
	next := slices.Clone(lines)
	for range 1 + r.IntN(3) {
		switch at := r.IntN(len(next)); r.IntN(3) {
		case 0:
			next = slices.Delete(next, at, at+1)
		case 1:
			next = slices.Insert(next, at, pick(r, more))
		default:
			to := r.IntN(len(next))
			next[at], next[to] = next[to], next[at]
		}
	}
	return append(next, "p, role:r0, *, *, create, *, allow")
}

// randomChange is a random world and what becomes of it: one change, some, or another policy altogether.
func randomChange(r *rand.Rand) (f Facts, earlier, later []string) {
	world := generousLines
	if r.IntN(3) == 0 {
		world = clearingLines
	}
	// Lines name S0 and S1: they may be all that there are, or a part, or the lesser part.
	f = worldFacts([][]string{nil, {"S1", "S9"}, {"S0", "S5", "S6", "S7", "S8"}}[r.IntN(3)]...)
	earlier = world(r)
	if r.IntN(5) == 0 {
		return f, earlier, world(r)
	}
	return f, earlier, changedLines(r, earlier, world(r))
}

// TestDiffer: exactly what differs, in random worlds.
func TestDiffer(t *testing.T) {
	t.Parallel()
	rows := 0
	for seed := range uint64(120) {
		f, earlier, later := randomChange(rand.New(rand.NewPCG(seed, 9)))
		rows += compareSides(t, f, earlier, later)
	}
	if rows < 2000 {
		t.Errorf("only %d rows", rows)
	}
}

// FuzzDiffer is TestDiffer without end.
func FuzzDiffer(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		facts, earlier, later := randomChange(rand.New(rand.NewPCG(a, b)))
		compareSides(t, facts, earlier, later)
	})
}

// TestDifferMoves: departments, roles and groups that move take their rights along.
func TestDifferMoves(t *testing.T) {
	t.Parallel()
	common := []string{
		"p, app:x, *, *, *, *, allow", "p, role:r0, D1, I0, create, *, allow", "p, role:r0, D0, I1, create, *, allow", "p, role:r1, D0, I0, update, *, allow",
		"p, role:r1, *, group:g0, delete, *, allow", "p, acct:z, D1, I2, create, *, allow", "p, svc:S0, D1, *, function_call, *, allow",
		"p, acct:z, *, *, auth, *, allow", "g, acct:x, role:r0, D0", "g, acct:y, role:r0, D2", "g2, I1#A, I1", "p, app:y, D1, group:g1, *, *, deny", "p, app:y, *, *, issue, *, allow",
	}
	with := func(more ...string) []string { return append(slices.Clone(common), more...) }
	for name, c := range map[string]struct{ earlier, later []string }{
		"a department finds its parent":   {with(), with("g3, D0, D1")},
		"a department changes its parent": {with("g3, D0, D1", "g3, D2, D0"), with("g3, D0, D2")},
		"a role with a moving department": {with("g3, D2, D1", "g3, D0, D2", "g, acct:z, role:r0, D0"), with("g3, D2, D1", "g, acct:z, role:r0, D0")},
		"a role and the place of its lines": {
			with("g, acct:y, role:r0, D0"), with("g3, D0, D1"),
		},
		"a role of a role":            {with("g, role:r0, role:r1, D0"), with()},
		"an item joins a group":       {with(), with("g2, I0, group:g0", "g, acct:x, role:r1, D0")},
		"a group joins a group":       {with("g3, D0, D1", "g2, I0, group:g0"), with("g3, D0, D1", "g2, I0, group:g0", "g2, group:g0, group:g1")},
		"two ways, of which one goes": {with("g3, D0, D1", "g3, D0, D2", "g3, D2, D1"), with("g3, D0, D2", "g3, D2, D1")},
		"a service item's department": {with("g3, D0, D1"), with("g3, D2, D1")},
		"lines in another order":      {with("g3, D0, D1"), append([]string{"g3, D0, D1"}, common...)},
	} {
		if rows := compareSides(t, worldFacts(), c.earlier, c.later); (rows == 0) != (strings.Contains(name, "order") || strings.Contains(name, "two ways")) {
			t.Errorf("%s: %d rows", name, rows)
		}
	}
}

// TestDifferJSON holds the rows that the administrator's tools print.
func TestDifferJSON(t *testing.T) {
	t.Parallel()
	f := platform()
	earlier := Lines(f)
	f.Accounts[2].Roles = append(f.Accounts[2].Roles, "sensitive_reader", "org_admin")
	f.ServiceItems[1].Items = nil
	later, err := Compile(8, Lines(f))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Differ(t.Context(), Side{compile(t, earlier...), platform()}, Side{later, f})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"gained":true,"department":"EAST","app":"","item":"*","interface":"org_admin","service_items":["*"],"accounts":["clerk"],"example":{` +
			`"request":{"app":"","account":"clerk","department":"EAST","item":"*","interface":"org_admin","service_item":""},` +
			`"before":{"allow":false,"reason":"account_no_role","version":7},` +
			`"after":{"allow":true,"reason":"allowed","lines":["p, role:org_admin, *, *, org_admin, *, allow"],"version":8}}}`,
		`{"gained":true,"department":"EAST","app":"check","item":"MARRIAGE","field":"CYRSFZJHM","service_items":["MZ001"],"accounts":["clerk"],"example":{` +
			`"request":{"app":"check","account":"clerk","department":"EAST","item":"MARRIAGE","interface":"","service_item":"MZ001"},` +
			`"before":{"allow":false,"reason":"account_no_role","version":7},` +
			`"after":{"allow":true,"reason":"allowed","lines":["p, app:check, EAST, MARRIAGE, sensitive, MZ001, allow","p, role:sensitive_reader, *, group:sensitive, clear, *, allow"],"version":8}}}`,
		`{"gained":false,"department":"EAST","app":"city","item":"PERMIT","interface":"auth","service_items":["MZ002"],"accounts":["clerk","maker","reader"],"example":{` +
			`"request":{"app":"city","account":"clerk","department":"EAST","item":"PERMIT","interface":"auth","service_item":"MZ002"},` +
			`"before":{"allow":true,"reason":"allowed","lines":["p, app:city, CITY, *, function_call, *, allow","p, role:user, *, *, auth, *, allow","p, svc:MZ002, EAST, PERMIT, function_call, *, allow"],"version":7},` +
			`"after":{"allow":false,"reason":"service_item","version":8}}}`,
	}
	if len(rows) != 18 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, at := range []int{0, 1, 5} {
		if form, err := json.Marshal(rows[at]); err != nil || string(form) != want[i] {
			t.Errorf("row %d: %s, %v", at, form, err)
		}
	}
}

// TestDifferUndeclaredItems: items that only lines name show, and one for all that nobody mentions, with an example of that kind.
func TestDifferUndeclaredItems(t *testing.T) {
	t.Parallel()
	common := []string{"p, acct:x, *, *, *, *, allow", "p, app:y, *, OTHER, create, *, allow", "g2, LINKED, group:g"}
	more := append(common, "p, app:x, D0, *, create, *, allow", "p, app:x, D0, group:g, delete, *, allow")
	rows, err := Differ(t.Context(), Side{compile(t, common...), worldFacts()}, Side{compile(t, more...), worldFacts()})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		got = append(got, row.Item+" "+row.Interface+" "+row.Example.Request.Item)
	}
	want := []string{
		"* create OTHER_", "I0 create I0", "I1 create I1", "I2 create I2", "I9 create I9", "LINKED create LINKED", "LINKED delete LINKED", "OTHER create OTHER",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestDifferStops(t *testing.T) {
	t.Parallel()
	f := platform()
	sides := [2]Side{{compile(t, anyLine), f}, {compile(t, Lines(f)...), f}}
	all, err := Differ(t.Context(), sides[0], sides[1])
	if err != nil || len(all) < 20 {
		t.Fatalf("%d rows: %v", len(all), err)
	}
	for _, most := range []bounds{{7, 1000}, {1000, 2 * 9}} {
		rows, err := differ(t.Context(), sides[0], sides[1], most)
		if !errors.Is(err, ErrTooMany) || len(rows) == 0 || len(rows) > 9 || !reflect.DeepEqual(rows, all[:len(rows)]) {
			t.Errorf("%d rows: %v", len(rows), err)
		}
	}
	if rows, err := differ(t.Context(), sides[0], sides[1], bounds{len(all), 1000}); err != nil || len(rows) != len(all) {
		t.Errorf("%d rows: %v", len(rows), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if rows, err := Differ(ctx, sides[0], sides[1]); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %d rows, %v", len(rows), err)
	}
	if _, err := Differ(t.Context(), Side{fixed{}, f}, sides[1]); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	shadow := Shadow(sides[1].Decider, sides[0].Decider, 1, always, func(Request, Decision, Decision) { t.Error("a comparison is no request") })
	if rows, err := Differ(t.Context(), sides[0], Side{shadow, f}); err != nil || !reflect.DeepEqual(rows, all) {
		t.Errorf("%d rows: %v", len(rows), err)
	}
}
