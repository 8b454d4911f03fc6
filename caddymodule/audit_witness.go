package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// WitnessHandler answers POST /witness/add-checkpoint (C2SP tlog-witness): it cosigns the checkpoints of the logs that the global option
// names under audit { witness … }, refuses one that does not go on from the one before, and keeps that as evidence. It needs no session:
// the log's signature says who asks, and the answer says nothing that is not public.
//
// Syntax:
//
//	licgate_witness
type WitnessHandler struct{ app *App }

// witnessPath is where checkpoints are submitted.
const witnessPath = "/witness/add-checkpoint"

// CaddyModule returns the Caddy module information.
func (WitnessHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_witness", New: func() caddy.Module { return new(WitnessHandler) }}
}

// Provision finds the app, which must be a witness.
func (h *WitnessHandler) Provision(ctx caddy.Context) (err error) {
	if h.app, err = appOf(ctx); err == nil && h.app.outward.witness == nil {
		err = errors.New(`licgate_witness: the global option licgate needs "audit { witness … }"`)
	}
	return err
}

func parseWitness(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	return new(WitnessHandler), noArguments(h.Dispenser)
}

// ServeHTTP answers the one path and passes everything else on.
func (h *WitnessHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.Path != witnessPath {
		return next.ServeHTTP(w, r)
	}
	h.app.outward.witness.ServeHTTP(w, r)
	return nil
}

var (
	_ caddy.Provisioner           = (*WitnessHandler)(nil)
	_ caddyhttp.MiddlewareHandler = (*WitnessHandler)(nil)
)
