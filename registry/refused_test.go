package registry

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected problems of testdata/refused and testdata/forms anew")

// Each file of testdata/refused has a fault or several; beside it stand the exact lines that the administrator sees.
// What Parse accepts is given to Check.
func TestRefused(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/refused/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(file)
			if err == nil {
				err = Check(p)
			} else if p != nil {
				t.Error("Parse returned a platform beside an error")
			}
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems", err)
			}
			got := problems.Error() + "\n"
			for _, secret := range []string{"short-secret", "break-in", "Passw0rd", "PasswordPassword", "passwordpassword", "19491231"} {
				if strings.Contains(got, secret) {
					t.Errorf("a secret value is in the text:\n%s", got)
				}
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".txt", got)
		})
	}
}

// golden compares a text with a file, or writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
