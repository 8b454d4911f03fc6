package policy

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCorpus runs the situations that Casbin's examples show, as far as our model knows them. A file holds lines and, after "#?",
// what is asked: subject department object act service-item → effect and the place of the deciding line.
func TestCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/corpus/*.csv")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			engines := []Decider{compile(t, lines...), reference(t, lines...), newPlain(t, lines)}
			asked := 0
			for i, line := range strings.Split(string(text), "\n") {
				question, isOne := strings.CutPrefix(line, "#? ")
				if !isOne {
					continue
				}
				asked++
				w := strings.Fields(strings.Replace(question, "→", " ", 1))
				q, part := corpusQuery(t, w)
				want := ""
				if w[5] != "none" {
					place, err := strconv.Atoi(w[6])
					if err != nil {
						t.Fatal(err)
					}
					want = lines[place-1]
				}
				for _, one := range engines {
					d := one.(*decider)
					v, got := d.match(q)[part], ""
					if v.effect != effectNone {
						got = d.lines[v.line]
					}
					if v.effect.String() != w[5] || got != want {
						t.Errorf("%s:%d: %T says %s %q", file, i+1, d.matcher, v.effect, got)
					}
				}
			}
			if asked < 4 {
				t.Errorf("%d questions", asked)
			}
		})
	}
}

func corpusQuery(t *testing.T, w []string) (query, int) {
	t.Helper()
	kind, name, _ := strings.Cut(w[0], ":")
	part := slices.Index([]string{"app", "acct", "svc"}, kind)
	if part < 0 || acts[w[3]] == nil {
		t.Fatalf("%q", w)
	}
	q := query{Request: Request{App: name, Account: name, Department: w[1], ServiceItem: strings.Trim(w[4], "-")}, act: acts[w[3]]}
	q.Item, q.field, _ = strings.Cut(w[2], fieldMark)
	q.asked[part] = true
	return q, part
}
