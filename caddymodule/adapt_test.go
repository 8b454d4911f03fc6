package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	// The shipped Caddyfile reads these; the goldens hold what they are set to here, and the defaults of the rest.
	for _, name := range []string{"DATA", "STORE", "HOST", "PORT", "SESSIONS", "LIMITS"} {
		if err := os.Unsetenv("LICGATE_" + name); err != nil {
			panic(err)
		}
	}
	if err := os.Setenv("LICGATE_ADMIN", "unix/data/admin.sock|0600"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const separator = "\n----------\n"

// TestAdapt holds each Caddyfile under testdata/adapt to the JSON, or the error text, that stands below it.
func TestAdapt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(text), separator)
			got := adapt(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("adapted to\n%s\nwanted\n%s", got, want)
			}
		})
	}
}

// TestShippedCaddyfile holds the Caddyfile at the root to its golden: what operators start with changes knowingly.
func TestShippedCaddyfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/adapt/shipped.json"
	got := adapt(t, string(text))
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("adapted to\n%s\nwanted\n%s", got, want)
	}
}

// adapt returns the indented JSON of a Caddyfile, or its error.
func adapt(t *testing.T, text string) string {
	t.Helper()
	raw, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			t.Errorf("warning: %s", w)
		}
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}
