#!/bin/sh
# Builds bin/licgate: Caddy with every standard module plus licgate, by the xcaddy that tools/go.mod pins.
# `go build ./cmd/licgate` makes the same program from this repository's go.sum.
set -eu
cd "$(dirname "$0")"
root=$PWD
caddy=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
mkdir -p bin
cd tools
CGO_ENABLED=0 go tool xcaddy build "$caddy" --output "$root/bin/licgate" --with licgate@v0.0.0="$root"
cd "$root"
./bin/licgate version
