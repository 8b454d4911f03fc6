package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// spoken writes misses as: part place: member asked→needed.
func spoken(misses []Miss) []string {
	var all []string
	for _, m := range misses {
		text := fmt.Sprintf("%s %d:", m.Part, m.Place)
		for _, one := range m.Differs {
			text += fmt.Sprintf(" %s %s→%s", one.Member, one.Asked, one.Needed)
		}
		all = append(all, text)
	}
	return all
}

func TestMisses(t *testing.T) {
	t.Parallel()
	lines := []string{
		"p, role:user, *, *, auth, *, allow",                    // 1
		"p, role:kiosks, EAST, PERMIT, auth, *, allow",          // 2
		"p, role:spare, *, *, create, *, allow",                 // 3
		"g, app:kiosk, role:kiosks, WEST",                       // 4
		"g, acct:clerk, role:user, WEST",                        // 5
		"g, acct:maker, role:maker, EAST",                       // 6
		"g, role:maker, role:user, EAST",                        // 7
		"g3, EAST, CITY",                                        // 8
		"g2, PERMIT, group:open",                                // 9
		"p, app:a, CITY, PERMIT, function_call, S1, allow",      // 10
		"p, app:a, WEST, PERMIT, function_call, S1, allow",      // 11
		"p, app:a, WEST, MARRIAGE, function_call, S1, allow",    // 12
		"p, app:a, EAST, group:closed, function_call, *, allow", // 13
		"p, app:a, EAST, group:open, archive, *, allow",         // 14
		"p, app:a, EAST, PERMIT, masked_view, *, allow",         // 15
		"p, app:a, EAST, PERMIT, sensitive, *, allow",           // 16
		"p, app:a, EAST, PERMIT, auth, S9, deny",                // 17
		"p, app:b, EAST, PERMIT, auth, *, allow",                // 18
		"p, svc:S1, EAST, PERMIT, function_call, *, allow",      // 19
		"p, svc:S2, EAST, PERMIT, create, *, allow",             // 20
		"p, svc:S2, EAST, PERMIT, auth, S1, allow",              // 21
		"p, app:a, EAST, PERMIT#F, clear, *, allow",             // 22
		"p, app:a, EAST, MARRIAGE#F, clear, S1, allow",          // 23
		"p, app:a, CITY, PERMIT, function_call, S1, allow",      // 10 again
	}
	d := compile(t, lines...)
	for name, c := range map[string]struct {
		request Request
		field   string
		want    []string
	}{
		"every kind": {Request{"a", "clerk", "EAST", "PERMIT", "auth", "S2"}, "", []string{
			"application 10: service_item S2→S1",
			"application 14: interface auth→archive",
			"application 13: item PERMIT→group:closed",
			"account 1: subject acct:clerk→role:user", // held in WEST only
			"account 3: subject acct:clerk→role:spare interface auth→create",
			"service_item 19: service_item S2→S1",
		}},
		"two members, never three": {Request{"a", "maker", "NORTH", "PERMIT", "auth", "S1"}, "", []string{
			"application 10: department NORTH→CITY",
			"application 11: department NORTH→WEST",
			"application 14: interface auth→archive department NORTH→EAST",
			"account 1: subject acct:maker→role:user", // held in EAST only
			"account 3: subject acct:maker→role:spare interface auth→create",
			"service_item 19: department NORTH→EAST",
		}},
		"an application is offered its own lines before roles": {Request{"a", "maker", "EAST", "PERMIT", "get_license", "S2"}, "", []string{
			"application 10: service_item S2→S1",
			"application 14: interface get_license→archive",
			"application 13: item PERMIT→group:closed",
			"account 1: interface get_license→auth",
			"account 3: subject acct:maker→role:spare interface get_license→create",
			"service_item 19: service_item S2→S1",
		}},
		"a role is for whom it is meant": {Request{"nobody", "nobody", "EAST", "PERMIT", "auth", "S1"}, "", []string{
			"application 2: subject app:nobody→role:kiosks",
			"account 1: subject acct:nobody→role:user",
			"account 3: subject acct:nobody→role:spare interface auth→create",
		}},
		"a field is asked for with clear alone": {Request{"a", "clerk", "EAST", "PERMIT", "auth", ""}, "G", []string{
			"application 16: item PERMIT#G→PERMIT",
			"application 22: item PERMIT#G→PERMIT#F",
			"application 23: service_item →S1 item PERMIT#G→MARRIAGE#F",
		}},
		"none where it is allowed": {Request{"a", "maker", "EAST", "PERMIT", "auth", "S1"}, "", nil},
		"none for a part that a line denies": {Request{"a", "maker", "EAST", "PERMIT", "auth", "S9"}, "", []string{
			"service_item 19: service_item S9→S1",
		}},
		"none where no line is asked": {Request{"a", "maker", "EAST", "*", "auth", "S9"}, "", nil},
	} {
		var e Explanation
		if c.field != "" {
			e = ExplainClear(d, c.request, c.field)
		} else {
			e = Explain(d, c.request)
		}
		if got := spoken(e.Misses); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s", name, strings.Join(got, "\n"))
		}
	}
}

// TestMissesAgainstTheIndex: each member of a line is tried alone, in a line whose other members are those of the question; the index
// says whether that covers it. From what is found so for all lines, the nearest must have been named.
func TestMissesAgainstTheIndex(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 6))
		lines := randomLines(r)
		d := compile(t, lines...).(*decider)
		for range 12 {
			q := randomQuery(r)
			if q.act == acts[actOrgAdmin] || q.Item == anyOne || q.App == "" || q.Account == "" || q.Department == "" || !isName(q.ServiceItem) {
				continue // no line could say this exactly
			}
			if q.asked[serviceItem] = q.act.function; q.field != "" {
				q.asked[serviceItem] = false
			}
			for part, v := range d.match(q) {
				var open [allParts]bool
				open[part] = true
				if !q.asked[part] || v.effect != effectNone {
					continue
				}
				got := d.misses(&q, open)
				if want := trials(t, d, &q, part); !slices.EqualFunc(got, want, func(a, b Miss) bool { return reflect.DeepEqual(a, b) }) {
					t.Fatalf("seed %d, %s asks %s on %s, %+v:\ngot  %+v\nwant %+v\n%s", seed, q.subject(part), q.act.name, q.object(), q.Request, got, want, strings.Join(lines, "\n"))
				}
				for _, m := range got {
					for _, one := range m.Differs {
						found[one.Member]++
					}
				}
			}
		}
	}
	for _, member := range memberOrder {
		if found[member] < 40 {
			t.Errorf("%s differed only %d times", member, found[member])
		}
	}
}

// trials are the nearest misses of a part as the index knows them.
func trials(t *testing.T, d *decider, q *query, part int) []Miss {
	t.Helper()
	var graph []string
	for _, one := range d.lines {
		if !strings.HasPrefix(one, "p, ") {
			graph = append(graph, one)
		}
	}
	exact := []string{q.subject(part), q.Department, q.object(), actOf(q.act.name), anyOne, allow}
	known := map[[2]string]bool{}
	covered := func(at int, member string) (yes bool) {
		key := [2]string{strconv.Itoa(at), member}
		if yes, tried := known[key]; tried {
			return yes
		}
		defer func() { known[key] = yes }()
		members := slices.Clone(exact)
		members[at] = member
		one, err := Compile(1, append(slices.Clone(graph), "p, role:none, *, *, create, *, allow", line("p", members...)))
		if err != nil {
			return false // such as * for a field
		}
		return one.(*decider).match(*q)[part].effect == effectAllow
	}
	var all []Miss
	for i, text := range d.lines {
		m := apart(text).members
		if !strings.HasPrefix(text, "p, ") || m[eftAt] == deny || slices.Index(d.lines, text) < i {
			continue
		}
		subject, ours := m[subAt], strings.HasPrefix(m[subAt], parts[part].prefix)
		isRole := strings.HasPrefix(subject, rolePrefix)
		service, listed := strings.CutPrefix(subject, servicePrefix)
		foreign := part == serviceItem && listed && service != q.ServiceItem
		switch {
		case ours && !foreign && subject != q.subject(part), !ours && !isRole, isRole && part == serviceItem:
			continue
		case part == serviceItem && m[matAt] != anyOne && m[matAt] != service:
			continue
		case isRole && !covered(subAt, subject) && !meantFor(part, subject, graph):
			continue
		}
		useful := false
		for _, a := range acts {
			could := a.governed && (part != serviceItem || a.function)
			if q.act.name == actClear {
				could = a.name == actClear
			}
			useful = useful || could && covers(a.name, m[actAt], allow)
		}
		if !useful {
			continue
		}
		var differs []Difference
		add := func(member, asked, needed string) { differs = append(differs, Difference{member, asked, needed}) }
		if isRole && !covered(subAt, subject) {
			add(MemberSubject, q.subject(part), subject)
		}
		switch {
		case foreign:
			add(MemberServiceItem, q.ServiceItem, service)
		case !covered(matAt, m[matAt]):
			add(MemberServiceItem, q.ServiceItem, m[matAt])
		}
		if !covered(actAt, m[actAt]) && !covers(q.act.name, m[actAt], allow) {
			add(MemberInterface, q.act.name, m[actAt])
		}
		if !covered(objAt, m[objAt]) {
			add(MemberItem, q.object(), m[objAt])
		}
		if !covered(domAt, m[domAt]) {
			add(MemberDepartment, q.Department, m[domAt])
		}
		if len(differs) == 1 || len(differs) == 2 {
			all = append(all, Miss{parts[part].name, q.subject(part), text, i + 1, differs})
		}
	}
	slices.SortStableFunc(all, nearer)
	return all[:min(len(all), maxMisses)]
}

// meantFor tells from the g lines alone for whom a role is.
func meantFor(part int, role string, graph []string) bool {
	var holders [allParts]bool
	var up func(name string, of int, depth int)
	up = func(name string, of, depth int) {
		if name == role {
			holders[of] = true
		}
		for _, one := range graph {
			if m := apart(one).members; strings.HasPrefix(one, "g, ") && m[0] == name && depth < 8 {
				up(m[1], of, depth+1)
			}
		}
	}
	for _, name := range worldSubjects {
		switch {
		case strings.HasPrefix(name, appPrefix):
			up(name, application, 0)
		case strings.HasPrefix(name, accountPrefix):
			up(name, account, 0)
		}
	}
	return holders[part] || part == account && !holders[application]
}
