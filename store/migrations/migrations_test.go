package migrations

import (
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
)

func TestFor(t *testing.T) {
	t.Parallel()
	for dialect := range dialects {
		steps, err := For(dialect)
		if err != nil || len(steps) == 0 {
			t.Fatalf("%s: %d steps, %v", dialect, len(steps), err)
		}
		for i, step := range steps {
			if step.Version != int64(i)+1 {
				t.Errorf("%s: step %d has number %d: numbers go up by one", dialect, i+1, step.Version)
			}
		}
	}
	if _, err := For(goose.DialectMySQL); err == nil {
		t.Error("a dialect without type names was taken")
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	for dialect, names := range dialects {
		ddl, err := render("0001_first.sql", names)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"code           " + names.Text + " NOT NULL PRIMARY KEY", "sealed         " + names.Bytes} {
			if !strings.Contains(ddl, want) {
				t.Errorf("%s: no %q in the first step", dialect, want)
			}
		}
		if strings.Contains(ddl, "{{") {
			t.Errorf("%s: a type was left out", dialect)
		}
	}
	if _, err := render("0000_missing.sql", types{}); err == nil {
		t.Error("a missing step was rendered")
	}
}
