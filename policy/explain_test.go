package policy

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestExplain holds the JSON that `licgate policy explain --json` prints.
func TestExplain(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	for name, c := range map[string]struct {
		request Request
		want    string
	}{
		"allowed, with all ways that lead there": {
			Request{"grouped", "desk", "EAST", "MARRIAGE", "auth", "MZ001"},
			`{"allow":true,"reason":"allowed","steps":[` +
				`{"part":"application","subject":"app:grouped","effect":"allow","line":"p, app:grouped, EAST, group:all, function_call, *, allow","place":71,"via":["g2, MARRIAGE, group:family","g2, group:family, group:all"]},` +
				`{"part":"account","subject":"acct:desk","effect":"allow","line":"p, role:user, *, *, auth, *, allow","place":10,"via":["g, acct:desk, role:desk, EAST","g, role:desk, role:user, EAST"]},` +
				`{"part":"service_item","subject":"svc:MZ001","effect":"allow","line":"p, svc:MZ001, EAST, MARRIAGE, function_call, *, allow","place":31}],"version":7}`,
		},
		"from above": {
			Request{"city", "clerk1", "EAST1", "MARRIAGE", "create", ""},
			`{"allow":true,"reason":"allowed","steps":[` +
				`{"part":"application","subject":"app:city","effect":"allow","line":"p, app:city, CITY, *, issue, *, allow","place":37,"via":["g3, EAST1, EAST","g3, EAST, CITY"]},` +
				`{"part":"account","subject":"acct:clerk1","effect":"allow","line":"p, role:issuer, *, *, create, *, allow","place":1,"via":["g, acct:clerk1, role:issuer, EAST1"]}],"version":7}`,
		},
		"every failing part is shown": {
			Request{"ghost", "suspended", "EAST", "PERMIT", "auth", "MZ001"},
			`{"allow":false,"reason":"account_denied","steps":[` +
				`{"part":"application","subject":"app:ghost","effect":"none"},` +
				`{"part":"account","subject":"acct:suspended","effect":"deny","line":"p, acct:suspended, *, *, *, *, deny","place":62},` +
				`{"part":"service_item","subject":"svc:MZ001","effect":"none"}],"version":7,"misses":[` +
				`{"part":"service_item","subject":"svc:MZ001","line":"p, svc:MZ002, EAST, PERMIT, function_call, *, allow","place":32,"differs":[{"member":"service_item","asked":"MZ001","needed":"MZ002"}]},` +
				`{"part":"service_item","subject":"svc:MZ001","line":"p, svc:MZ001, EAST, MARRIAGE, function_call, *, allow","place":31,"differs":[{"member":"item","asked":"PERMIT","needed":"MARRIAGE"}]}]}`,
		},
		"no grant needed": {
			Request{"hydj", "maker", "EAST", "", "list", ""},
			`{"allow":true,"reason":"no_grant_needed","steps":[],"version":7}`,
		},
	} {
		got, err := json.Marshal(Explain(d, c.request))
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n%s\n%v", name, got, err)
		}
	}
}

// TestExplainClear: a field's explanation names the lines and the nearest misses of application and account.
func TestExplainClear(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	for name, c := range map[string]struct {
		request Request
		field   string
		want    string
	}{
		"shown": {
			Request{"names", "reader", "EAST", "MARRIAGE", "", ""},
			"CZR",
			`{"allow":true,"reason":"allowed","steps":[` +
				`{"part":"application","subject":"app:names","effect":"allow","line":"p, app:names, EAST, group:names, clear, *, allow","place":94,"via":["g2, MARRIAGE#CZR, group:names"]},` +
				`{"part":"account","subject":"acct:reader","effect":"allow","line":"p, role:sensitive_reader, *, group:sensitive, clear, *, allow","place":21,"via":["g, acct:reader, role:sensitive_reader, EAST","g2, MARRIAGE#CZR, MARRIAGE","g2, MARRIAGE, group:sensitive"]}],"version":7}`,
		},
		"denied": {
			Request{"butone", "reader", "EAST", "MARRIAGE", "", ""},
			"CZR",
			`{"allow":false,"reason":"app_denied","steps":[` +
				`{"part":"application","subject":"app:butone","effect":"deny","line":"p, app:butone, EAST, MARRIAGE#CZR, clear, *, deny","place":88},` +
				`{"part":"account","subject":"acct:reader","effect":"allow","line":"p, role:sensitive_reader, *, group:sensitive, clear, *, allow","place":21,"via":["g, acct:reader, role:sensitive_reader, EAST","g2, MARRIAGE#CZR, MARRIAGE","g2, MARRIAGE, group:sensitive"]}],"version":7}`,
		},
		"for another service item, by another role": {
			Request{"check", "clerk", "EAST", "MARRIAGE", "", "MZ002"},
			"CZR",
			`{"allow":false,"reason":"app_no_grant","steps":[` +
				`{"part":"application","subject":"app:check","effect":"none"},{"part":"account","subject":"acct:clerk","effect":"none"}],"version":7,"misses":[` +
				`{"part":"application","subject":"app:check","line":"p, app:check, EAST, MARRIAGE, sensitive, MZ001, allow","place":35,"differs":[{"member":"service_item","asked":"MZ002","needed":"MZ001"}]},` +
				`{"part":"account","subject":"acct:clerk","line":"p, role:sensitive_reader, *, group:sensitive, clear, *, allow","place":21,"differs":[{"member":"subject","asked":"acct:clerk","needed":"role:sensitive_reader"}]}]}`,
		},
		"no field": {
			Request{"check", "reader", "EAST", "MARRIAGE", "", "MZ001"},
			"CZR#X",
			`{"allow":false,"reason":"app_no_grant","steps":[],"version":7}`,
		},
	} {
		got, err := json.Marshal(ExplainClear(d, c.request, c.field))
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n%s\n%v", name, got, err)
		}
	}
}

// TestExplainClearAnswersAsClear, whoever answers: index, Casbin, or both where they differ.
func TestExplainClearAnswersAsClear(t *testing.T) {
	t.Parallel()
	count := map[Reason]int{}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 5))
		lines, other := clearingLines(r), clearingLines(r)
		d, silent := compile(t, lines...), func(Request, Decision, Decision) {}
		engines := []Decider{d, Shadow(d, compile(t, other...), 1, always, silent)}
		if seed%8 == 0 { // Casbin takes its time
			casbin := reference(t, lines...)
			engines = append(engines, casbin, Shadow(d, casbin, 1, always, silent))
		}
		for range 80 {
			q, field := randomRequest(r), pick(r, []string{"A", "A", "A", "B", "B", "Z", "A#B", ""})
			for _, one := range engines {
				shown := len(one.Clear(q, []string{field})) > 0
				e := ExplainClear(one, q, field)
				if e.Allow != shown || e.Allow != (e.Reason == ReasonAllowed) || e.Version != 7 {
					t.Fatalf("%+v, %s: shown %t, explained %+v\n%s", q, field, shown, e, strings.Join(lines, "\n"))
				}
				count[e.Reason]++
				checkSteps(t, e, lines)
				if one == Decider(d) {
					checkWhyMasked(t, d, q, field, e)
				}
			}
		}
	}
	for _, reason := range []Reason{ReasonAllowed, ReasonAppDenied, ReasonAppNoGrant, ReasonAccountDenied, ReasonAccountNoRole, ReasonUnsure} {
		if count[reason] < 20 {
			t.Errorf("%s came %d times", reason, count[reason])
		}
	}
}

// checkWhyMasked holds the quick answer to the whole explanation.
func checkWhyMasked(t *testing.T, d Decider, q Request, field string, e Explanation) {
	t.Helper()
	reason, denying := WhyMasked(d, q, field)
	want, line := e.Reason, ""
	if e.Allow {
		want = ReasonUnsure
	}
	for _, step := range e.Steps {
		if !e.Allow && step.Effect == deny && line == "" {
			line = step.Line
		}
	}
	if reason != want || denying != line {
		t.Fatalf("%+v, %s: masked for %s by %q, explained as %s by %q", q, field, reason, denying, want, line)
	}
}

// clearingLines are random lines of which many let fields out in clear.
func clearingLines(r *rand.Rand) []string {
	lines := randomLines(r)
	for _, subject := range worldSubjects[:5] {
		for _, item := range worldItems {
			if r.IntN(2) == 0 {
				lines = append(lines, line("p", subject, anyOne, item, pick(r, []string{actClear, "sensitive"}), pick(r, worldServices, []string{anyOne, anyOne}), allow))
			}
		}
		if r.IntN(3) == 0 {
			lines = append(lines, line("p", subject, pick(r, worldDepartments), pick(r, worldFields), actClear, anyOne, deny))
		}
	}
	return lines
}

// checkSteps: an explanation's steps and misses fit its answer.
func checkSteps(t *testing.T, e Explanation, lines []string) {
	t.Helper()
	for _, s := range e.Steps {
		if (s.Line == "") != (s.Effect == "none") || (s.Line == "") != (s.Place == 0) || s.Place > 0 && lines[s.Place-1] != s.Line {
			t.Fatalf("%+v", s)
		}
		if e.Allow && s.Effect != allow {
			t.Fatalf("allowed by %+v", s)
		}
	}
	for i, m := range e.Misses {
		open := slices.ContainsFunc(e.Steps, func(s Step) bool { return s.Part == m.Part && s.Subject == m.Subject && s.Effect == "none" })
		if e.Allow || !open || lines[m.Place-1] != m.Line || len(m.Differs) < 1 || len(m.Differs) > maxDiffers {
			t.Fatalf("%+v", e)
		}
		if i >= maxMisses && e.Misses[i-maxMisses].Part == m.Part {
			t.Fatalf("more than %d misses: %+v", maxMisses, e.Misses)
		}
	}
}

type fixed struct{ Decider }

func (fixed) Version() int64 { return 3 }

func (fixed) Clear(_ Request, fields []string) []string {
	return slices.DeleteFunc(fields, func(f string) bool { return f != "A" })
}

func (fixed) Decide(Request) Decision { return Decision{Reason: ReasonAppNoGrant, Version: 3} }

// TestExplainOfAnother: a Decider that shows no steps is still explained by its answer.
func TestExplainOfAnother(t *testing.T) {
	t.Parallel()
	e := Explain(fixed{}, Request{})
	if e.Allow || e.Reason != ReasonAppNoGrant || e.Version != 3 || e.Steps == nil || len(e.Steps) != 0 {
		t.Errorf("%+v", e)
	}
	for field, want := range map[string]Reason{"A": ReasonAllowed, "B": ReasonUnsure} {
		e := ExplainClear(fixed{}, Request{}, field)
		if e.Allow != (field == "A") || e.Reason != want || e.Version != 3 || e.Steps == nil || len(e.Steps) != 0 {
			t.Errorf("%s: %+v", field, e)
		}
	}
}
