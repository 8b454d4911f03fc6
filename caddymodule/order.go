// Package caddymodule is the only package that knows Caddy: one file per step of the request's path
// (audit ▶ session ▶ limit ▶ authorize ▶ mask ▶ licences | pages | reverse_proxy), the app that holds what they
// share, the admin endpoints and the commands.
package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	caddy.RegisterModule(App{})
	caddy.RegisterModule(AdminAPI{})
	httpcaddyfile.RegisterGlobalOption("licgate", parseApp)

	for _, d := range directives {
		caddy.RegisterModule(d.module)
		register(d.name, d.parse)
	}
	for _, d := range expansions {
		register(d.name, d.parse)
	}
}

// register makes a directive that takes no matcher: what a matcher leaves out would reach an upstream unguarded. Which requests
// a chain is for is said by the site, or by handle around the whole of it.
func register(name string, parse httpcaddyfile.UnmarshalHandlerFunc) {
	httpcaddyfile.RegisterDirective(name, func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
		handler, err := parse(h)
		if err != nil {
			return nil, err
		}
		return h.NewRoute(nil, handler), nil
	})
	httpcaddyfile.RegisterDirectiveOrder(name, httpcaddyfile.Before, "basic_auth")
}

// directives are the steps in the one order that works; Caddy sorts a site's directives by it however they were
// written. (Inside a route block nothing is sorted: there each step's demand for its forerunner holds the order.)
var directives = []struct {
	name   string
	module caddy.Module
	parse  httpcaddyfile.UnmarshalHandlerFunc
}{
	// answers without identity: am I alive, am I ready; the pages' style sheet; checkpoints of others
	{"licgate_health", Health{}, parseHealth},
	{"licgate_assets", Assets{}, parseAssets},
	{"licgate_witness", WitnessHandler{}, parseWitness},

	// the five steps
	{"licgate_audit", Audit{}, parseAudit},
	{"licgate_session", Session{}, parseSession},
	{"licgate_limit", Limit{}, parseLimit},
	{"licgate_authorize", Authorize{}, parseAuthorize},
	{"licgate_mask", Mask{}, parseMask},

	// who answers
	{"licgate_licences", Licences{}, parseLicences},
	{"licgate_pages", Pages{}, parsePages},
}

// expansions stand for several steps at once.
var expansions = []struct {
	name  string
	parse httpcaddyfile.UnmarshalHandlerFunc
}{
	{"licgate", parseWhole},
	{"licgate_guard", parseGuard},
}
