package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Health answers GET /healthz (the process serves: registry, policy and stores were loaded) and GET /readyz (store, sessions,
// limiter and journal answer now; 503 when one that is needed does not). The answers hold no details an outsider could use.
//
// Syntax:
//
//	licgate_health
type Health struct{ app *App }

// CaddyModule returns the Caddy module information.
func (Health) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_health", New: func() caddy.Module { return new(Health) }}
}

// Provision finds the app.
func (h *Health) Provision(ctx caddy.Context) (err error) {
	h.app, err = appOf(ctx)
	return err
}

func parseHealth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	return new(Health), noArguments(h.Dispenser)
}

// ServeHTTP answers the two paths and passes everything else on.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return next.ServeHTTP(w, r)
	}
	switch r.URL.Path {
	case "/healthz":
		return writeHealth(w, health{Status: "ok", PolicyVersion: h.app.gateway.state.Load().version})
	case "/readyz":
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		return writeHealth(w, h.app.health(ctx))
	}
	return next.ServeHTTP(w, r)
}

const readyTimeout = 2 * time.Second

// notConfirmed is from when on a version that the store did not confirm counts as held: it is asked every second.
const notConfirmed = 5 * pollEvery

// health is the state of the gateway's parts: "ok", "down", or "fallback" for a limiter that counts locally.
type health struct {
	Status        string `json:"status"`
	PolicyVersion int64  `json:"policy_version"`
	// Policy is "ok", "held" while the store can't be asked whether the version is still the one in force, "stale" once decisions
	// are refused for that.
	Policy   string `json:"policy,omitempty"`
	Store    string `json:"store,omitempty"`
	Sessions string `json:"sessions,omitempty"`
	Limits   string `json:"limits,omitempty"`
	Audit    string `json:"audit,omitempty"`
	// Ledger is "behind" when records are not under a signed checkpoint in time, Anchors and Sinks "down" when one fails, Anchors
	// "forked" when somebody else has a checkpoint that this log does not go on from. Requests are served all the same.
	Ledger  string `json:"ledger,omitempty"`
	Anchors string `json:"anchors,omitempty"`
	Sinks   string `json:"sinks,omitempty"`
}

func (a *App) health(ctx context.Context) health {
	g := a.gateway
	part := func(err error, otherwise string) string {
		if err != nil {
			return otherwise
		}
		return "ok"
	}
	out := health{
		Status: "ok", PolicyVersion: g.state.Load().version,
		Store:    part(g.store.Ping(ctx), "down"),
		Sessions: part(g.sessions.Ping(ctx), "down"),
		Limits:   part(g.limits.ping(ctx), "fallback"),
		// A node out of traffic writes nothing, so it would never notice that it can again: it tries here.
		Audit:   part(g.journal.Probe(ctx), "down"),
		Ledger:  part(a.behind(), "behind"),
		Anchors: a.outward.worst("anchor"), Sinks: a.outward.worst("sink"),
	}
	switch held := g.unconfirmed(); {
	case held > time.Duration(a.Hold):
		out.Policy = "stale"
	case held > notConfirmed:
		out.Policy = "held"
	default:
		out.Policy = "ok"
	}
	if out.Policy != "ok" || out.Store == "down" || out.Sessions == "down" || out.Audit == "down" {
		out.Status = "down"
	}
	return out
}

func writeHealth(w http.ResponseWriter, h health) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if h.Status != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	return json.NewEncoder(w).Encode(h)
}

var (
	_ caddy.Provisioner           = (*Health)(nil)
	_ caddyhttp.MiddlewareHandler = (*Health)(nil)
)
