package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
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
	// A configuration that names no admin endpoint must not open Caddy's, a TCP port that lets everybody on this machine in; and stop and
	// reload look for the gateway where it is.
	if os.Getenv("CADDY_ADMIN") == "" {
		caddy.DefaultAdminListen = os.Getenv("LICGATE_ADMIN")
	}
	cobra.OnInitialize(func() {
		if err := refuseNoConfig(os.Args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitUsage)
		}
	})
}

// refuseNoConfig keeps `run` and `start` from starting a Caddy that serves nothing, and says nothing of it, where there is no Caddyfile:
// a service file that forgot --config looks well then.
func refuseNoConfig(args []string) error {
	if len(args) < 2 || args[1] != "run" && args[1] != "start" {
		return nil
	}
	named := func(arg string) bool {
		long, _, _ := strings.Cut(arg, "=")
		short := strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.ContainsAny(arg, "cr")
		return short || long == "--config" || long == "--resume"
	}
	if slices.ContainsFunc(args[2:], named) {
		return nil
	}
	if _, err := os.Stat("Caddyfile"); !os.IsNotExist(err) {
		return nil // Caddy reads it, or says why it can't
	}
	folder, _ := os.Getwd()
	return usageError(fmt.Sprintf("licgate %s：没有指定配置，当前目录 %s 中也没有 Caddyfile；请用 licgate %s --config 文件", args[1], folder, args[1]))
}
