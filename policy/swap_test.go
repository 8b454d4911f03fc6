package policy

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSwaps: while versions follow one another, every answer is that of a whole version. Odd versions allow get_license to the
// application and deny create, even ones turn it round; update is allowed in all.
func TestSwaps(t *testing.T) {
	t.Parallel()
	const versions, decisions, askers = 1000, 100_000, 8
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
