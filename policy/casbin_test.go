package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	stringadapter "github.com/casbin/casbin/v2/persist/string-adapter"
)

// plain asks one Casbin enforcer that holds every line, read by Casbin's own reader and asked with the names as they come.
type plain struct {
	t testing.TB
	*casbin.Enforcer
	places map[string]uint32
}

// newPlain is the naive way to decide: no line left out, nothing remembered but by Casbin.
func newPlain(t testing.TB, lines []string) Decider {
	t.Helper()
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		t.Fatal(err)
	}
	e, err := casbin.NewEnforcer(m, stringadapter.NewAdapter(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	addFunctions(e)
	held := e.GetModel()
	read := len(held["p"]["p"].Policy)
	for _, links := range held["g"] {
		read += len(links.Policy)
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(lines)))
	if read != len(distinct) {
		t.Fatalf("Casbin read %d of %d lines", read, len(distinct))
	}
	p := plain{t, e, map[string]uint32{}}
	for i, line := range slices.Backward(lines) {
		p.places[line] = uint32(i)
	}
	return &decider{p, 7, lines}
}

func (p plain) match(q query) (verdicts [allParts]verdict) {
	for part, asked := range q.asked {
		if !asked {
			continue
		}
		ok, members, err := p.EnforceEx(q.subject(part), q.Department, q.object(), q.act.name, q.ServiceItem)
		if err != nil {
			p.t.Fatal(err)
		}
		if len(members) > 0 {
			verdicts[part] = verdict{effectAllow, p.places[rule{"p", members}.text()]}
			if members[eftAt] == deny {
				verdicts[part].effect = effectDeny
			}
		}
		if ok != (verdicts[part].effect == effectAllow) {
			p.t.Fatalf("%+v: Casbin says %t with %q", q, ok, members)
		}
	}
	return verdicts
}

func (plain) via(query, int, rule) []string { return nil }

// reference is compile by Casbin.
func reference(t testing.TB, lines ...string) Decider {
	t.Helper()
	d, err := Reference(7, lines)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestMadeUpNamesLeaveNothing: names that no line mentions make no further enforcers.
func TestMadeUpNamesLeaveNothing(t *testing.T) {
	t.Parallel()
	d := reference(t, Lines(platform())...).(*decider)
	ask := func(i int) {
		name := fmt.Sprint("X", i)
		d.Decide(Request{"city", "clerk", name, name, "auth", name})
		d.Decide(Request{name, name, "EAST", name, "auth", name})
		d.Decide(Request{"city", "clerk", "EAST", name, "auth", name})
	}
	cells := func() (n int) {
		d.matcher.(*casbinMatcher).cells.Range(func(any, any) bool { n++; return true })
		return n
	}
	ask(0)
	before := cells()
	for i := range 50 {
		ask(i)
	}
	if now := cells(); now != before {
		t.Errorf("%d enforcers became %d", before, now)
	}
}

// TestReferenceRefuses: what Compile refuses, Reference refuses in the same words.
func TestReferenceRefuses(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{nil, {"p, app:a, D, I, bad, *, allow"}, {anyLine, "g3, D, E "}} {
		_, want := Compile(3, lines)
		d, err := Reference(3, lines)
		if d != nil || err == nil || errors.Unwrap(err).Error() != errors.Unwrap(want).Error() {
			t.Errorf("%q: %v; Compile: %v", lines, err, want)
		}
	}
}
