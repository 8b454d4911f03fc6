#!/bin/sh
# Builds bin/licgate: Caddy with every standard module plus licgate, by the xcaddy that tools/go.mod pins.
# `go build ./cmd/licgate` makes the same program from this repository's go.sum.
set -eu
cd "$(dirname "$0")"
root=$PWD
caddy=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
# What is built: the tag of this commit, or its name, and whether files were changed, as caddymodule/version.go says it of other builds.
version=
if git rev-parse --git-dir >/dev/null 2>&1; then
	version=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || git rev-parse --short=12 HEAD)
	[ -z "$(git status --porcelain)" ] || version=$version+dirty
fi
mkdir -p bin
cd tools
CGO_ENABLED=0 XCADDY_GO_BUILD_FLAGS="-ldflags '-w -s -X licgate/caddymodule.version=$version' -trimpath -tags nobadger,nomysql,nopgx" go tool xcaddy build "$caddy" --output "$root/bin/licgate" --with licgate@v0.0.0="$root"
cd "$root"
./bin/licgate version
