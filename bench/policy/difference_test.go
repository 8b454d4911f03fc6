package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"licgate/policy"
)

// BenchmarkDiffer compares two versions that differ in one line, compiled before. rows is how much there is to tell.
func BenchmarkDiffer(b *testing.B) {
	eachSize(b, func(b *testing.B, w *world) {
		r := w.requests[0]
		last := w.facts.Departments[len(w.facts.Departments)-1].Code
		lineOf := func(beginning string) string {
			at := slices.IndexFunc(w.lines, func(line string) bool { return strings.HasPrefix(line, beginning) })
			if at < 0 {
				b.Fatalf("no line begins %q", beginning)
			}
			return w.lines[at]
		}
		changes := []struct{ name, without, with string }{
			{name: "nothing"},
			{name: "a deny for an application", with: fmt.Sprintf("p, app:%s, %s, %s, %s, *, deny", r.App, r.Department, r.Item, r.Interface)},
			{name: "a role for an account", with: fmt.Sprintf("g, acct:%s, role:approver, %s", r.Account, r.Department)},
			{name: "a service item's list", without: lineOf("p, svc:" + r.ServiceItem + ", ")},
			{name: "a department moves", without: lineOf("g3, " + last + ", ")},
			{name: "an item's group", with: fmt.Sprintf("g2, %s, group:sensitive", r.Item)},
			{name: "everything for an application", with: fmt.Sprintf("p, app:%s, *, *, *, *, allow", r.App)},
			{name: "a role loses an interface", without: "p, role:user, *, *, token, *, allow"},
			{name: "a role loses what nobody uses", without: "p, role:user, *, *, view_mobile, *, allow"},
		}
		before := compile(b, 1, w.lines)
		for _, c := range changes {
			next := slices.DeleteFunc(slices.Clone(w.lines), func(line string) bool { return line == c.without })
			if c.with != "" {
				next = append(next, c.with)
			}
			after := compile(b, 2, next)
			b.Run(c.name, func(b *testing.B) {
				rows := 0
				b.ReportAllocs()
				for b.Loop() {
					shifts, err := policy.Differ(b.Context(), policy.Side{Decider: before, Facts: w.facts}, policy.Side{Decider: after, Facts: w.facts})
					if err != nil && !errors.Is(err, policy.ErrTooMany) {
						b.Fatal(err)
					}
					rows = len(shifts)
				}
				b.ReportMetric(float64(rows), "rows")
			})
		}
	})
}
