package policy

import (
	"context"
	"fmt"
)

// Since tells of each line, as versions hold them, since which version it has been in force without a gap up to head: who brought it,
// when and why. Lines that head does not hold are left out; head may come without its Lines. It reads back from head until the first version that
// holds none of them, so its cost grows with their age. The versions come without Lines and Platform.
func Since(ctx context.Context, s Store, head Version, lines []string) (map[string]Version, error) {
	sought := map[string]bool{}
	for _, line := range lines {
		sought[line] = true
	}
	since := map[string]Version{}
	for n := head.Number; n > 0 && len(sought) > 0; n-- {
		v := head
		if n < head.Number || head.Lines == nil {
			var err error
			if v, err = s.Get(ctx, n); err != nil {
				return nil, fmt.Errorf("policy: look for lines in version %d: %w", n, err)
			}
		}
		there := map[string]bool{}
		for _, line := range v.Lines {
			if sought[line] {
				there[line] = true
			}
		}
		v.Lines, v.Platform = nil, nil
		for line := range there {
			since[line] = v
		}
		sought = there
	}
	return since, nil
}
