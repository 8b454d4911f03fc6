package policy

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestIndexAnswersAsCasbin holds the index, and Reference, to one Casbin enforcer with all lines.
func TestIndexAnswersAsCasbin(t *testing.T) {
	t.Parallel()
	count := map[effect]int{}
	for seed := range uint64(120) {
		compareEngines(t, rand.New(rand.NewPCG(seed, 3)), count)
	}
	for e, n := range map[effect]int{effectAllow: 500, effectDeny: 500, effectNone: 500} {
		if count[e] < n {
			t.Errorf("only %d answers were %s", count[e], e)
		}
	}
}

// FuzzIndexAgainstCasbin is TestIndexAnswersAsCasbin without end.
func FuzzIndexAgainstCasbin(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		compareEngines(t, rand.New(rand.NewPCG(a, b)), map[effect]int{})
	})
}

func compareEngines(t *testing.T, r *rand.Rand, count map[effect]int) {
	t.Helper()
	lines := randomLines(r)
	want := newPlain(t, lines)
	got := []Decider{compile(t, lines...), reference(t, lines...)}
	for range 40 {
		agree(t, want, got, randomQuery(r), count)
	}
	fields := []string{"A", "B", "Z", "A#B", ""}
	for range 30 {
		q := randomRequest(r)
		d, shown, administers := want.Decide(q), want.Clear(q, fields), want.Administers(q.Account, q.Department)
		explained := Explain(got[1], q)
		for _, one := range got {
			if g := one.Decide(q); !reflect.DeepEqual(g, d) || !reflect.DeepEqual(one.Judge(q).Decision(), d) {
				t.Fatalf("%+v: %T decides %+v, Casbin %+v\n%s", q, one.(*decider).matcher, g, d, strings.Join(lines, "\n"))
			}
			if g := one.Clear(q, fields); !slices.Equal(g, shown) {
				t.Fatalf("%+v: %T shows %q, Casbin %q\n%s", q, one.(*decider).matcher, g, shown, strings.Join(lines, "\n"))
			}
			if g := one.Administers(q.Account, q.Department); g != administers {
				t.Fatalf("%+v: %T: administers %t, Casbin %t\n%s", q, one.(*decider).matcher, g, administers, strings.Join(lines, "\n"))
			}
			if e := Explain(one, q); !reflect.DeepEqual(e, explained) {
				t.Fatalf("%+v: %T explains %+v, Reference %+v\n%s", q, one.(*decider).matcher, e, explained, strings.Join(lines, "\n"))
			}
		}
	}
}

// agree compares effect and deciding line of all parts.
func agree(t testing.TB, want Decider, got []Decider, q query, count map[effect]int) {
	t.Helper()
	right := want.(*decider).match(q)
	for _, one := range got {
		d := one.(*decider)
		for part, v := range d.match(q) {
			if v != right[part] {
				t.Fatalf("%s asks %s on %s, %+v: %T %s by line %d, Casbin %s by line %d\n%s", q.subject(part), q.act.name, q.object(),
					q.Request, d.matcher, v.effect, v.line+1, right[part].effect, right[part].line+1, strings.Join(d.lines, "\n"))
			}
			count[v.effect]++
		}
	}
}

// TestPlatformAnswersAsCasbin: the tests' platform, asked for all of its names.
func TestPlatformAnswersAsCasbin(t *testing.T) {
	t.Parallel()
	lines := append(Lines(platform()), further(t)...)
	want, got := newPlain(t, lines), []Decider{compile(t, lines...), reference(t, lines...)}
	count := map[effect]int{}
	q := query{asked: [allParts]bool{true, true, true}}
	apps := []string{"hydj", "city", "kiosk", "butone", "anywhere", "X"}
	accounts := []string{"maker", "desk", "suspended", "clerk1", "reader", "X"}
	for i := range apps {
		q.App, q.Account = apps[i], accounts[i]
		for _, q.Department = range []string{"CITY", "EAST", "EAST1", "WEST", "X"} {
			for _, q.Item = range []string{"MARRIAGE", "PERMIT", "X"} {
				for _, q.ServiceItem = range []string{"", "MZ001", "WZ001", "X"} {
					for _, name := range []string{"create", "auth", "token"} {
						q.act, q.field = acts[name], ""
						agree(t, want, got, q, count)
					}
					for _, q.field = range []string{"CZR", "CYRSFZJHM", "X"} {
						q.act = acts[actClear]
						agree(t, want, got, q, count)
					}
				}
			}
		}
	}
	if count[effectAllow] < 100 || count[effectDeny] < 100 {
		t.Errorf("%d allowed, %d denied", count[effectAllow], count[effectDeny])
	}
}

// TestJudgeTakesNoMemory, however the answer comes about.
func TestJudgeTakesNoMemory(t *testing.T) {
	d := compile(t, append(Lines(platform()), further(t)...)...)
	for _, r := range []Request{
		{"hydj", "clerk", "EAST", "MARRIAGE", "auth", "MZ001"},
		{"grouped", "desk", "EAST", "MARRIAGE", "auth", "MZ001"},
		{"city", "clerk1", "EAST1", "MARRIAGE", "create", ""},
		{"hydj", "suspended", "EAST", "MARRIAGE", "auth", "MZ001"},
		{"hydj", "clerk", "民政局", "MARRIAGE", "auth", "MZ001"},
		{"ghost", "ghost", "X", "X", "auth", "X"},
		{"hydj", "clerk", "EAST", "*", "auth", "MZ001"},
	} {
		if n := testing.AllocsPerRun(100, func() { d.Judge(r) }); n != 0 {
			t.Errorf("%+v: %v allocations", r, n)
		}
	}
}

// TestLongNames: names longer than an entry holds are told apart to the last byte.
func TestLongNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 100)
	var lines []string
	for i := range 40 {
		name := long[:3*i] + "末"
		lines = append(lines, line("p", AppSubject(name), name, name, "create", anyOne, allow), line("p", AccountSubject(name), name, name, "create", name, allow))
	}
	d := compile(t, lines...)
	for i := range 40 {
		name := long[:3*i] + "末"
		r := Request{name, name, name, name, "create", name}
		if got := d.Decide(r); !got.Allow || !slices.Equal(got.Lines, lines[2*i:2*i+2]) {
			t.Errorf("%d: %+v", i, got)
		}
		for _, other := range []string{name + "x", name[:len(name)-3], long} {
			q := r
			q.Account = other
			if got := d.Judge(q); got.Allow {
				t.Errorf("%d: allowed as %s", i, other)
			}
		}
	}
}

// FuzzIndexTakesWhatReadTakes: the index is built from exactly the lines that the reader finds sound.
func FuzzIndexTakesWhatReadTakes(f *testing.F) {
	for _, seed := range []string{
		anyLine, "p, app:*, D, I, create, *, allow", "p, app:a, D, I, bad, *, allow", "p, app:a, D, I, create, *, maybe", "p, app:a, D, I, create, *",
		"p, app:a, D, *, clear, *, allow", "p, app:a, D, I#F, create, *, allow", "p, acct:, D, I, create, *, allow", "p, *, D, I, create, *, allow",
		"p, app:a,  D, I, create, *, allow", "p, app:a, D, I, create, *, allow ", "g, acct:a, role:r, *", "g, svc:a, role:r, D", "g2, I, J", "g2, I#F, I",
		"g3, A, B\ng3, B, A", "g3, A, A", "p, app:a, D, I, org_admin, *, allow", "p, app:a, D, *, org_admin, *, deny", "p, app:a, D, I, masked_view, *, deny",
		"p, app:a\u3000b, D, I, create, *, allow", `p, "app:a", D, I, create, *, allow`, "p, app:a, D*, I, create, *, allow",
	} {
		f.Add(anyLine+"\n"+seed, anyLine)
		f.Add(seed, "p, role:r, *, *, *, *, deny")
	}
	f.Fuzz(func(t *testing.T, text, more string) {
		lines := append(strings.Split(text, "\n"), more)
		_, err := read(lines)
		if took := newIndex(lines) != nil; took != (err == nil) {
			t.Errorf("%q: taken %t, read: %v", lines, took, err)
		}
	})
}
