package policy

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestDecisions(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	file, err := os.ReadFile("testdata/decisions.txt")
	if err != nil {
		t.Fatal(err)
	}
	decided := 0
	for i, text := range strings.Split(string(file), "\n") {
		if text == "" || text[0] == '#' {
			continue
		}
		w := strings.Fields(strings.Replace(text, "→", " ", 1))
		if len(w) != 8 {
			t.Fatalf("decisions.txt:%d: %d words, want 8", i+1, len(w))
		}
		r := Request{App: w[0], Account: w[1], Department: w[2], Item: w[3], Interface: w[4], ServiceItem: strings.Trim(w[5], "-")}
		got := d.Decide(r)
		if got.Allow != (w[6] == "allow") || got.Reason != Reason(w[7]) {
			t.Errorf("decisions.txt:%d: %s\ngot allow=%t %s", i+1, text, got.Allow, got.Reason)
		}
		if got.Version != 7 {
			t.Errorf("decisions.txt:%d: version %d, want 7", i+1, got.Version)
		}
		e := Explain(d, r)
		if e.Allow != got.Allow || e.Reason != got.Reason || e.Version != got.Version {
			t.Errorf("decisions.txt:%d: explained as allow=%t %s", i+1, e.Allow, e.Reason)
		}
		decided++
	}
	if decided < 100 {
		t.Errorf("only %d decisions read", decided)
	}
}

func TestDecisionsLines(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	for name, c := range map[string]struct {
		request Request
		want    []string
	}{
		"allowed by three": {
			Request{"hydj", "clerk", "EAST", "MARRIAGE", "auth", "MZ001"},
			[]string{
				"p, app:hydj, EAST, MARRIAGE, function_call, MZ001, allow",
				"p, role:user, *, *, auth, *, allow",
				"p, svc:MZ001, EAST, MARRIAGE, function_call, *, allow",
			},
		},
		"allowed by two": {
			Request{"hydj", "chief", "EAST", "MARRIAGE", "issue", "MZ001"},
			[]string{"p, app:hydj, EAST, MARRIAGE, issue, MZ001, allow", "p, role:approver, *, *, call:issue, *, allow"},
		},
		"denied": {
			Request{"hydj", "suspended", "EAST", "MARRIAGE", "auth", "MZ001"},
			[]string{"p, acct:suspended, *, *, *, *, deny"},
		},
		"service item denied": {
			Request{"city", "clerkw", "WEST", "MARRIAGE", "token", "WZ001"},
			[]string{"p, svc:WZ001, WEST, MARRIAGE, token, *, deny"},
		},
		"no line":         {Request{"hydj", "nobody", "EAST", "MARRIAGE", "auth", "MZ001"}, nil},
		"no grant needed": {Request{"hydj", "nobody", "EAST", "MARRIAGE", "list", ""}, nil},
	} {
		if got := d.Decide(c.request).Lines; !slices.Equal(got, c.want) {
			t.Errorf("%s: lines %q, want %q", name, got, c.want)
		}
	}
}

func TestZeroDecisionDenies(t *testing.T) {
	t.Parallel()
	if (Decision{}).Allow {
		t.Error("the zero Decision allows")
	}
	if d := compile(t, Lines(platform())...).Decide(Request{}); d.Allow {
		t.Error("the zero Request is allowed")
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	fields := []string{"CYRSFZJHM", "CZR", "UNHEARD"}
	for _, c := range []struct {
		app, account, department, item, serviceItem, want string
	}{
		{"check", "reader", "EAST", "MARRIAGE", "MZ001", "CYRSFZJHM CZR"},
		{"check", "reader", "EAST", "MARRIAGE", "MZ002", ""},  // granted for one service item only
		{"check", "reader", "EAST", "MARRIAGE", "", ""},       // and not for none
		{"check", "clerk", "EAST", "MARRIAGE", "MZ001", ""},   // the application's right alone
		{"hydj", "reader", "EAST", "MARRIAGE", "MZ001", ""},   // the account's right alone
		{"check", "reader", "WEST", "MARRIAGE", "MZ001", ""},  // foreign department
		{"check", "reader", "EAST1", "MARRIAGE", "MZ001", ""}, // the role is held in EAST only
		{"check", "clerk1", "EAST1", "MARRIAGE", "MZ001", "CYRSFZJHM CZR"},
		{"check", "clerk1", "EAST", "MARRIAGE", "MZ001", ""},
		{"check", "reader", "EAST", "RESIDENCE", "MZ001", ""},
		{"city", "reader", "EAST", "MARRIAGE", "", "CYRSFZJHM CZR"}, // granted for items "*"
		{"onefield", "reader", "EAST", "MARRIAGE", "", "CZR"},
		{"names", "reader", "EAST", "MARRIAGE", "", "CZR"},
		{"butone", "reader", "EAST", "MARRIAGE", "", "CYRSFZJHM"},
		{"viagroup", "reader", "EAST", "MARRIAGE", "", "CYRSFZJHM CZR"},
		{"wild", "reader", "EAST", "MARRIAGE", "", ""},    // * is no right to fields
		{"noclear", "reader", "EAST", "MARRIAGE", "", ""}, // but denies them
		{"city", "wild", "EAST", "MARRIAGE", "", ""},
		{"city", "nofields", "EAST", "MARRIAGE", "", ""}, // deny * sensitive reaches fields
		{"city", "suspended", "EAST", "MARRIAGE", "", ""},
		{"city", "reader", "EAST", "group:sensitive", "", ""},
		{"city", "reader", "EAST", "*", "", ""},
		{"city", "reader", "", "MARRIAGE", "", ""},
		{"city", "reader", "*", "MARRIAGE", "", ""},
	} {
		got := d.Clear(Request{c.app, c.account, c.department, c.item, "get_license", c.serviceItem}, fields)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: shown %q", c, got)
		}
	}
	shown := d.Clear(Request{"city", "reader", "EAST", "MARRIAGE", "get_license", ""}, []string{"CZR#CZR", "", "*", "group:names", "CZR, x"})
	if shown != nil {
		t.Errorf("names that are no field's were shown: %q", shown)
	}
}

func TestAdministers(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	for _, c := range []struct {
		account, department string
		want                bool
	}{
		{"head", "EAST", true},
		{"head", "EAST1", false},
		{"head", "CITY", false},
		{"head", "WEST", false},
		{"head", "", false},
		{"head", "*", false},
		{"maker", "EAST", false},
		{"wild", "EAST", false}, // allow * covers interfaces only
		{"formerhead", "EAST", false},
		{"everyhead", "WEST", true},
		{"everyhead", "*", false},
		{"everyhead", "", false},
		{"", "EAST", false},
		{"ghost", "EAST", false},
	} {
		if got := d.Administers(c.account, c.department); got != c.want {
			t.Errorf("Administers(%q, %q) = %t", c.account, c.department, got)
		}
	}
}

// TestTables: the needs and roles are the policy of the form; a slip in them is a leak.
func TestTables(t *testing.T) {
	t.Parallel()
	if len(roleOrder) != len(Roles) {
		t.Errorf("%d roles are written, %d known", len(roleOrder), len(Roles))
	}
	for role, acts := range Roles {
		if !slices.Contains(roleOrder, role) {
			t.Errorf("role %s is never written", role)
		}
		for _, act := range acts {
			if got := coverage[actOf(act)]; !slices.Equal(got, []string{act}) {
				t.Errorf("role %s: the line for %s covers %q", role, act, got)
			}
		}
	}
	interfaces := []string{
		"create", "update", "delete", "sign", "change", "abolish", "batch_create", "batch_sign", "psn_holder", "auth", "token",
		"get_license", "view_license", "get_license_qr", "get_token_qr", "archive_qr", "view_mobile", "archive", "issue",
		"archive_list",
	}
	for _, name := range interfaces {
		if !governed[name] {
			t.Errorf("interface %s is not governed", name)
		}
	}
	if len(governed) != len(interfaces) {
		t.Errorf("%d interfaces are governed, want %d", len(governed), len(interfaces))
	}
	for written, acts := range coverage {
		for _, act := range acts {
			if !governed[act] && act != actClear && act != actOrgAdmin {
				t.Errorf("%s covers %s, which no request asks for", written, act)
			}
		}
	}
}

// TestEverything: a wildcard allows items, and denies fields as well. Lines that would allow fields so are refused
// before; the model holds it by itself.
func TestEverything(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		requested, written, effect string
		want                       bool
	}{
		{"I", "*", allow, true},
		{"I", "*", deny, true},
		{"I#F", "*", allow, false},
		{"I#F", "*", deny, true},
		{"I", "I", allow, false},
		{"*", "group:g", allow, false},
	} {
		if got := everything(c.requested, c.written, c.effect); got != c.want {
			t.Errorf("everything(%q, %q, %q) = %t", c.requested, c.written, c.effect, got)
		}
	}
}

// TestDecideConcurrently is for the race detector: cells are built while others are asked.
func TestDecideConcurrently(t *testing.T) {
	t.Parallel()
	d := compile(t, append(Lines(platform()), further(t)...)...)
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := range 60 {
				department := []string{"EAST", "EAST1", "WEST", "NOWHERE"}[(i+worker)%4]
				want := department == "EAST"
				if got := d.Decide(Request{"hydj", "clerk", department, "MARRIAGE", "auth", "MZ001"}); got.Allow != want {
					t.Errorf("%s: allow=%t %s", department, got.Allow, got.Reason)
				}
				if got := d.Clear(Request{"check", "reader", department, "MARRIAGE", "auth", "MZ001"}, []string{"CZR"}); (got != nil) != want {
					t.Errorf("%s: shown %q", department, got)
				}
				if got := d.Administers("head", department); got != want {
					t.Errorf("%s: administers=%t", department, got)
				}
			}
		})
	}
	group.Wait()
}
