package caddymodule

import (
	"runtime/debug"
	"testing"
)

// TestVersionOf: a tag names the version; without one the commit does, however Go words it; changed files are told.
func TestVersionOf(t *testing.T) {
	t.Parallel()
	const revision = "c82282d8a1b2c3d4e5f60718293a4b5c6d7e8f90"
	for _, one := range []struct{ main, revision, modified, want string }{
		{"v1.2.3", revision, "false", "v1.2.3"},
		{"v1.2.3+dirty", revision, "true", "v1.2.3+dirty"},
		{"v1.3.0-rc.1", revision, "false", "v1.3.0-rc.1"},
		{"v0.0.0-20261130210000-c82282d8a1b2", revision, "false", "c82282d8a1b2"},
		{"v1.2.4-0.20261130210000-c82282d8a1b2+dirty", revision, "true", "c82282d8a1b2+dirty"},
		{"(devel)", revision, "false", "c82282d8a1b2"},
		{"(devel)", "", "", "unknown"},
		{"", "", "", "unknown"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: one.main}}
		if one.revision != "" {
			info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: one.revision}, {Key: "vcs.modified", Value: one.modified}}
		}
		if got := versionOf(info); got != one.want {
			t.Errorf("%+v: %s", one, got)
		}
	}
}
