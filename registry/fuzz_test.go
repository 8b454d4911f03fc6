package registry

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse: no file makes Parse panic; a refusal is made of problems that have a text; what is accepted can be
// checked, and written and read again without loss.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/accepted/*.yaml", "testdata/refused/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds at %s: %v", pattern, err)
		}
		for _, name := range names {
			file, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := Parse(file)
		if err != nil {
			told(t, err)
			return
		}
		if err := Check(p); err != nil {
			told(t, err)
		}
		sameAgain(t, p)
	})
}

func told(t *testing.T, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("refused without a problem: %v", err)
	}
	for _, one := range problems {
		if one.Message == "" || one.Line < 0 {
			t.Fatalf("empty problem %+v", one)
		}
	}
}
