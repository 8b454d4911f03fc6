// Command licgate is the gateway: every Caddy command plus ours.
// This main is the reproducible build (our go.sum); xcaddy.sh makes the same binary from Caddy's side.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "licgate/caddymodule"
)

func main() {
	caddycmd.Main()
}
