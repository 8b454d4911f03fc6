package caddymodule

import (
	"regexp"
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
)

// version is what xcaddy.sh sets at link time: it builds from Caddy's side, where Go notes nothing of our repository. Any other build
// may set it too (-ldflags "-X licgate/caddymodule.version=…").
var version string

// released is the version that Go derives from a tag. One that it makes up from a commit is not.
var released = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?(\+dirty)?$`)

// madeUp is the end of a version that Go makes up from the time and name of a commit.
var madeUp = regexp.MustCompile(`\d{14}-[0-9a-f]{12}(\+dirty)?$`)

// productVersion says which licgate this is: the tag of its commit, or the first 12 digits of that, with +dirty when files had been changed.
// "unknown" when it was built outside a repository.
func productVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; released.MatchString(v) && !madeUp.MatchString(v) {
		return v
	}
	const digits = 12
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= digits:
			revision = s.Value[:digits]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if revision == "" {
		return "unknown"
	}
	return revision + dirty
}

// caddyVersion is Caddy's, without the hash of its module. Asked for before ours is put before it.
var caddyVersion, _ = caddy.Version()
