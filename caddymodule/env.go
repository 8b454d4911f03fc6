package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
)

// A Caddyfile can't nest one environment variable's default in another's. The admin socket's address depends on the data
// folder, so its default is set here, before any Caddyfile is read; commands use the same to find the gateway.
func init() {
	if os.Getenv("LICGATE_ADMIN") == "" {
		data := os.Getenv("LICGATE_DATA")
		if data == "" {
			data = "./data"
		}
		_ = os.Setenv("LICGATE_ADMIN", "unix/"+filepath.Join(data, "admin.sock"))
	}
	// Whoever may connect to the socket administers the gateway: its owner alone.
	if a := os.Getenv("LICGATE_ADMIN"); strings.HasPrefix(a, "unix/") && !strings.Contains(a, "|") {
		_ = os.Setenv("LICGATE_ADMIN", a+"|0600")
	}
}
