package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunWithoutConfigIsRefused: nothing starts where nobody says with what; a named configuration, or a Caddyfile beside, is enough.
func TestRunWithoutConfigIsRefused(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	for line, refused := range map[string]bool{
		"licgate run": true, "licgate start": true, "licgate run --watch": true,
		"licgate run --config x": false, "licgate run --config=x": false, "licgate run -c x": false, "licgate start --resume": false,
		"licgate run -rw": false, "licgate doctor": false, "licgate": false,
	} {
		if err := refuseNoConfig(strings.Fields(line)); (err != nil) != refused {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refuseNoConfig([]string{"licgate", "run"}); err != nil {
		t.Errorf("beside a Caddyfile: %v", err)
	}
}
