package policy

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// The names that random policies are made of. Requests use some more, that no line mentions.
var (
	worldDepartments = []string{"D0", "D1", "D2", "D3", "D4", "D5"}
	worldItems       = []string{"I0", "I1", "I2"}
	worldFields      = []string{"I0#A", "I0#B", "I1#A"}
	worldGroups      = []string{"group:g0", "group:g1", "group:g2"}
	worldRoles       = []string{"role:r0", "role:r1", "role:r2", "role:r3"}
	worldSubjects    = []string{"app:x", "app:y", "acct:x", "acct:y", "acct:z", "svc:S0", "svc:S1"}
	worldServices    = []string{"S0", "S1"}
	worldInterfaces  = slices.Sorted(maps.Keys(governed))
)

func pick(r *rand.Rand, from ...[]string) string {
	all := slices.Concat(from...)
	return all[r.IntN(len(all))]
}

// randomLines makes a policy of our shape that Compile takes. Links go from a lower to a higher number: no circles.
func randomLines(r *rand.Rand) []string {
	acts := slices.Sorted(maps.Keys(coverage))
	var lines []string
	try := func(kind string, members ...string) {
		one := rule{kind, members}
		if forms[kind].check(members) == nil && !slices.Contains(lines, one.text()) {
			lines = append(lines, one.text())
		}
	}
	upward := func(kind string, names []string, domain ...string) {
		if i, j := r.IntN(len(names)), r.IntN(len(names)); i < j {
			try(kind, append([]string{names[i], names[j]}, domain...)...)
		}
	}
	for range r.IntN(8) {
		upward("g3", worldDepartments)
		upward("g2", worldGroups)
		upward("g", worldRoles, pick(r, worldDepartments))
		try("g", pick(r, worldSubjects), pick(r, worldRoles), pick(r, worldDepartments))
		try("g2", pick(r, worldItems, worldFields), pick(r, worldGroups))
	}
	for _, name := range worldFields {
		item, _, _ := strings.Cut(name, fieldMark)
		try("g2", name, item)
	}
	try("p", "role:r0", anyOne, anyOne, "create", anyOne, allow) // never empty
	star := []string{anyOne, anyOne, anyOne, anyOne}
	for range 1 + r.IntN(1+r.IntN(120)) {
		effect := allow
		if r.IntN(4) == 0 {
			effect = deny
		}
		try("p", pick(r, worldSubjects, worldRoles), pick(r, worldDepartments, star), pick(r, worldItems, worldFields, worldGroups, star),
			pick(r, acts, star, star, []string{actClear, actClear, "sensitive", "issue", "function_call"}), pick(r, worldServices, star, star), effect)
	}
	for range r.IntN(6) {
		lines = append(lines, pick(r, lines)) // again
	}
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return lines
}

func randomRequest(r *rand.Rand) Request {
	return Request{
		App: pick(r, []string{"x", "x", "y", "ghost", ""}), Account: pick(r, []string{"x", "y", "z", "z", "ghost", ""}),
		Department: pick(r, worldDepartments, []string{"D9", ""}), Item: pick(r, worldItems, worldItems, []string{"I9", "group:g0", "I0#A", anyOne}),
		Interface:   pick(r, worldInterfaces, []string{"get_license", "create", "auth", "token", "list", actClear, actAny}),
		ServiceItem: pick(r, worldServices, worldServices, []string{"", "S9", anyOne}),
	}
}

// randomQuery asks things that Decide does not let through, too: departments without a name, every act on the item *.
func randomQuery(r *rand.Rand) query {
	q := query{Request: randomRequest(r), asked: [allParts]bool{true, true, true}}
	q.Item = pick(r, worldItems, []string{"I9", anyOne})
	q.act = acts[pick(r, worldInterfaces, []string{"create", "get_license", "get_license", actClear, actOrgAdmin})]
	if r.IntN(2) == 0 {
		q.act = acts[actClear]
		q.Item, q.field, _ = strings.Cut(pick(r, worldFields, worldFields, []string{"I0#Z", "I9#A"}), fieldMark)
	}
	return q
}
