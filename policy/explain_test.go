package policy

import (
	"encoding/json"
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
				`{"part":"application","subject":"app:grouped","effect":"allow","line":"p, app:grouped, EAST, group:all, function_call, *, allow","via":["g2, MARRIAGE, group:family","g2, group:family, group:all"]},` +
				`{"part":"account","subject":"acct:desk","effect":"allow","line":"p, role:user, *, *, auth, *, allow","via":["g, acct:desk, role:desk, EAST","g, role:desk, role:user, EAST"]},` +
				`{"part":"service_item","subject":"svc:MZ001","effect":"allow","line":"p, svc:MZ001, EAST, MARRIAGE, function_call, *, allow"}],"version":7}`,
		},
		"from above": {
			Request{"city", "clerk1", "EAST1", "MARRIAGE", "create", ""},
			`{"allow":true,"reason":"allowed","steps":[` +
				`{"part":"application","subject":"app:city","effect":"allow","line":"p, app:city, CITY, *, issue, *, allow","via":["g3, EAST1, EAST","g3, EAST, CITY"]},` +
				`{"part":"account","subject":"acct:clerk1","effect":"allow","line":"p, role:issuer, *, *, create, *, allow","via":["g, acct:clerk1, role:issuer, EAST1"]}],"version":7}`,
		},
		"every failing part is shown": {
			Request{"ghost", "suspended", "EAST", "PERMIT", "auth", "MZ001"},
			`{"allow":false,"reason":"account_denied","steps":[` +
				`{"part":"application","subject":"app:ghost","effect":"none"},` +
				`{"part":"account","subject":"acct:suspended","effect":"deny","line":"p, acct:suspended, *, *, *, *, deny"},` +
				`{"part":"service_item","subject":"svc:MZ001","effect":"none"}],"version":7}`,
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

type fixed struct{ Decider }

func (fixed) Decide(Request) Decision { return Decision{Reason: ReasonAppNoGrant, Version: 3} }

// TestExplainOfAnother: a Decider that shows no steps is still explained by its answer.
func TestExplainOfAnother(t *testing.T) {
	t.Parallel()
	e := Explain(fixed{}, Request{})
	if e.Allow || e.Reason != ReasonAppNoGrant || e.Version != 3 || e.Steps == nil || len(e.Steps) != 0 {
		t.Errorf("%+v", e)
	}
}
