package policy

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSwaps: while 1,000 swaps bring 1,001 versions, 100,000 concurrent decisions are each that of a whole version, and not one is wrong. Odd
// versions allow get_license to the application and deny create, even ones turn it round; update is allowed in all.
func TestSwaps(t *testing.T) {
	t.Parallel()
	const versions, decisions, askers = 1001, 100_000, 8
	common := append(Lines(platform()),
		"p, app:x, EAST, MARRIAGE, update, *, allow", "p, acct:x, *, *, *, *, allow", "p, svc:S, EAST, MARRIAGE, *, *, allow")
	build := func(version int64) Decider {
		yes, no := "get_license", "create"
		if version%2 == 0 {
			yes, no = no, yes
		}
		d, err := Compile(version, append(common[:len(common):len(common)],
			fmt.Sprintf("p, app:x, EAST, MARRIAGE, %s, *, allow", yes), fmt.Sprintf("p, app:x, EAST, MARRIAGE, %s, *, deny", no)))
		if err != nil {
			t.Error(err)
		}
		return d
	}
	var (
		held  atomic.Pointer[Decider]
		count atomic.Int64
		right atomic.Int64
		seen  [versions + 1]atomic.Bool
		group sync.WaitGroup
	)
	next := make([]Decider, versions+1)
	for version := range next[1:] {
		next[version+1] = build(int64(version + 1))
	}
	held.Store(&next[1])
	for range askers {
		group.Go(func() {
			for i := 0; ; i++ {
				n := count.Add(1)
				if n > decisions {
					return
				}
				for n > (*held.Load()).Version()*decisions/versions {
					runtime.Gosched() // let the swaps keep up
				}
				name := []string{"get_license", "create", "update"}[i%3]
				d := (*held.Load()).Judge(Request{"x", "x", "EAST", "MARRIAGE", name, "S"})
				odd := d.Version%2 == 1
				if want := name == "update" || odd == (name == "get_license"); d.Allow != want {
					t.Errorf("version %d, %s: %s", d.Version, name, d.Reason)
				} else {
					right.Add(1)
				}
				seen[d.Version].Store(true)
			}
		})
	}
	for version := int64(2); version <= versions; version++ {
		for count.Load() < (version-1)*decisions/versions {
			runtime.Gosched()
		}
		held.Store(&next[version])
	}
	group.Wait()
	if n := right.Load(); n != decisions {
		t.Errorf("%d of %d decisions were right", n, decisions)
	}
	met := 0
	for i := range seen {
		if seen[i].Load() {
			met++
		}
	}
	if met < versions*9/10 {
		t.Errorf("only %d of %d versions were asked", met, versions)
	}
}

// TestRefusedChange: a change with a fault is refused with its line and column, and the version in force goes on answering.
func TestRefusedChange(t *testing.T) {
	t.Parallel()
	var held atomic.Pointer[Decider]
	change := func(version int64, text string) error {
		lines, err := Parse(text)
		if err != nil {
			return err
		}
		d, err := Compile(version, lines)
		if err != nil {
			return err
		}
		held.Store(&d)
		return nil
	}
	sound := "p, app:x, D, I, create, *\np, acct:x, D, I, create, *\n"
	if err := change(1, sound); err != nil {
		t.Fatal(err)
	}
	for text, place := range map[string][2]int{
		sound + "p, app:x, D, I, creat, *":                  {3, 17},
		sound + "p, app:x, D, I, create":                    {3, 1},
		"p, app:x, D, I, create, *, alow\n" + sound:         {1, 28},
		sound + "g3, D, E\ng3, E, D":                        {4, 1}, // no word is wrong: Compile refuses
		sound + "\n\n# why\np, 应用:x, D, I, create, *, deny": {6, 4},
	} {
		err := change(2, text)
		var first *SyntaxError
		if !errors.As(err, &first) || first.Line != place[0] || first.Column != place[1] || first.Message == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := change(2, strings.ReplaceAll(sound, "*", "*, deny")); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	if got := (*held.Load()).Decide(Request{"x", "x", "D", "I", "create", ""}); !got.Allow || got.Version != 1 {
		t.Errorf("%+v", got)
	}
}
