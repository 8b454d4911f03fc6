package policy

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSubjects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines                  string
		applications, accounts int
	}{
		"nothing":                          {"", 0, 0},
		"roles that nobody has":            {strings.Join(Lines(Facts{}), "\n"), 0, 0},
		"own lines count once":             {"p, app:a, D, I, create, *\np, app:a, D, I, update, *\np, app:b, D, I, *, *\np, acct:a, D, I, create, *", 2, 1},
		"denials give nothing":             {"p, app:a, D, I, create, *, deny\np, acct:a, D, I, create, *, deny", 0, 0},
		"masked_view gives nothing":        {"p, app:a, D, I, masked_view, *", 0, 0},
		"service items are no subjects":    {"p, svc:a, D, I, function_call, *", 0, 0},
		"roles":                            {"p, role:r, D, I, create, *\ng, acct:a, role:r, D\ng, acct:a, role:r, E\ng, app:a, role:r, D", 1, 1},
		"a role without lines":             {"p, role:r, D, I, create, *\ng, acct:a, role:s, D", 0, 0},
		"a role's role":                    {"p, role:r, D, I, create, *\ng, role:s, role:r, D\ng, acct:a, role:s, D", 0, 1},
		"a role's role in its own place":   {"p, role:r, D, I, create, *\ng, role:s, role:r, D\ng, acct:a, role:s, E", 0, 0},
		"a role of denials":                {"p, role:r, D, I, create, *, deny\ng, acct:a, role:r, D", 0, 0},
		"the platform of the tests' facts": {strings.Join(Lines(platform()), "\n"), 4, 8},
	} {
		lines, err := Parse(c.lines)
		if err != nil {
			t.Fatal(err)
		}
		if applications, accounts := Subjects(lines); applications != c.applications || accounts != c.accounts {
			t.Errorf("%s: %d applications, %d accounts", name, applications, accounts)
		}
	}
}

// TestSubjectsCountsWhoMayDoAnything: whoever the index allows anything is counted.
func TestSubjectsCountsWhoMayDoAnything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		lines := randomLines(rand.New(rand.NewPCG(seed, 8)))
		d := compile(t, lines...).(*decider)
		counted := [2]int{}
		counted[application], counted[account] = Subjects(lines)
		for part, names := range [][]string{{"x", "y"}, {"x", "y", "z"}} {
			could := 0
			for _, name := range names {
				if allowedAnything(d, part, name) {
					could++
				}
			}
			if could > counted[part] {
				t.Fatalf("%d are allowed something, %d counted\n%s", could, counted[part], strings.Join(lines, "\n"))
			}
		}
	}
}

func allowedAnything(d *decider, part int, name string) bool {
	q := query{Request: Request{App: name, Account: name}}
	q.asked[part] = true
	for _, q.Department = range worldDepartments {
		for _, object := range append([]string{anyOne}, append(worldItems, worldFields...)...) {
			q.Item, q.field, _ = strings.Cut(object, fieldMark)
			for _, q.ServiceItem = range []string{"", "S0", "S1"} {
				for _, q.act = range acts {
					if d.match(q)[part].effect == effectAllow {
						return true
					}
				}
			}
		}
	}
	return false
}
