package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// parseWhole expands licgate to the whole chain and the built-in handlers.
//
// Syntax:
//
//	licgate {
//		durability … as licgate_audit
//		limit {
//			… as licgate_limit
//		}
//	}
func parseWhole(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	audit, limit := new(Audit), new(Limit)
	err := block(h.Dispenser, func(word string) error {
		switch word {
		case "durability":
			return audit.unmarshalDurability(h.Dispenser)
		case "limit":
			return limit.unmarshal(h.WithDispenser(h.NewFromNextSegment()))
		}
		return unknownWord(h.Dispenser, word)
	})
	if err != nil {
		return nil, err
	}
	return chain(new(Health), new(Assets), audit, new(Session), limit, new(Authorize), new(Mask),
		new(Licences), new(Pages))
}

// parseGuard expands licgate_guard to the five steps, to stand before a reverse_proxy.
//
// Syntax:
//
//	licgate_guard {
//		durability … as licgate_audit
//		limit {
//			… as licgate_limit
//		}
//		… as licgate_mask
//		route <method> <path pattern> <interface> {
//			… as licgate_authorize
//		}
//	}
func parseGuard(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	audit, limit, authorize, mask := new(Audit), new(Limit), &Authorize{Guard: true}, new(Mask)
	err := block(h.Dispenser, func(word string) error {
		switch word {
		case "durability":
			return audit.unmarshalDurability(h.Dispenser)
		case "limit":
			return limit.unmarshal(h.WithDispenser(h.NewFromNextSegment()))
		case "route":
			route, err := parseRoute(h.Dispenser)
			authorize.Routes = append(authorize.Routes, route)
			return err
		}
		return mask.unmarshal(h.Dispenser, word)
	})
	if err != nil {
		return nil, err
	}
	if err := authorize.Validate(); err != nil {
		return nil, h.WrapErr(err)
	}
	return chain(audit, &Session{Guard: true}, limit, authorize, mask)
}

// chain is one handler that runs handlers in order, then whatever follows it in the site.
func chain(handlers ...caddy.Module) (*caddyhttp.Subroute, error) {
	var route caddyhttp.Route
	for _, handler := range handlers {
		name := handler.CaddyModule().ID.Name()
		var warnings []caddyconfig.Warning
		raw := caddyconfig.JSONModuleObject(handler, "handler", name, &warnings)
		if len(warnings) > 0 {
			return nil, &json.UnsupportedValueError{Str: warnings[0].Message}
		}
		route.HandlersRaw = append(route.HandlersRaw, raw)
	}
	return &caddyhttp.Subroute{Routes: caddyhttp.RouteList{route}}, nil
}
