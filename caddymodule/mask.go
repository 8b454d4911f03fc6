package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"licgate/protocol"
)

// Mask hides what the decision says. It lays down, per allowed item, which fields stay clear: those whose right application and account
// both have, and only when sensitive data were asked for. Handlers of ours mask before they render; bodies of an
// upstream are masked here on the way back, and withheld (502) when that can't be done with certainty.
//
// Syntax:
//
//	licgate_mask {
//		max_body        <size>
//		accept_encoding gzip|deflate|br|zstd...
//		mask            <json path>    <kind> [<field>]
//		mask_html       <css selector> <kind> [<field>]
//		content_type    <JSON media type...>
//	}
type Mask struct {
	// MaxBody bounds what of an upstream's body has to be read whole, bytes: a page, a compressed body, one value of a JSON body. What is
	// larger is withheld. JSON may be of any length. Default 16 MiB; of a page 4 MiB at most.
	MaxBody int64 `json:"max_body,omitempty"`
	// AcceptEncoding are the content encodings that an upstream is asked for; what it encodes otherwise is withheld. Default none.
	AcceptEncoding []string `json:"accept_encoding,omitempty"`
	// Masked is what is masked in the answers of every route.
	Masked

	app    *App
	logger *zap.Logger
	plans  *planTables
}

// CaddyModule returns the Caddy module information.
func (Mask) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_mask", New: func() caddy.Module { return new(Mask) }}
}

// Provision finds the app.
func (m *Mask) Provision(ctx caddy.Context) (err error) {
	m.logger, m.plans = ctx.Logger(), new(planTables)
	if m.MaxBody == 0 {
		m.MaxBody = 16 << 20
	}
	for _, name := range m.AcceptEncoding {
		if encodings[name] == nil {
			return fmt.Errorf("licgate_mask: unknown content encoding %q", name)
		}
	}
	if err := m.compile(); err != nil {
		return err
	}
	m.app, err = appOf(ctx)
	return err
}

func parseMask(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	m := new(Mask)
	return m, block(h.Dispenser, func(word string) error { return m.unmarshal(h.Dispenser, word) })
}

// unmarshal takes one line of the syntax.
func (m *Mask) unmarshal(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "max_body":
		return size(d, &m.MaxBody)
	case "accept_encoding":
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.ArgErr()
		}
		for _, name := range args {
			if encodings[name] == nil {
				return d.Errf("%q is no content encoding that can be decoded: gzip, deflate, br, zstd", name)
			}
		}
		m.AcceptEncoding = append(m.AcceptEncoding, args...)
		return nil
	}
	ours, err := m.Masked.unmarshal(d, word)
	if !ours {
		return unknownWord(d, word)
	}
	return err
}

// ServeHTTP lays down the plans and masks what an upstream answers.
func (m *Mask) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	t, err := advance(r, stageMask)
	if err != nil {
		return err
	}
	m.layPlans(t)
	if err := t.recordAttempt(r); err != nil {
		return err
	}
	// An upstream is asked for a body that can be read: whole, and in no encoding but those that are declared.
	r.Header.Set("Accept-Encoding", cmp.Or(strings.Join(m.AcceptEncoding, ", "), "identity"))
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since"} {
		r.Header.Del(name)
	}
	mw := &maskWriter{inner: w, trip: t, mask: m, header: w.Header().Clone()}
	defer mw.release()
	err = mw.collect(next, r)
	if err == nil {
		err = mw.finish()
	}
	if f, ok := errors.AsType[*protocol.Failure](err); ok && f.Code == protocol.CodeWithheld {
		t.record.Reason = f.Inner
	}
	return err
}

// recordAttempt keeps, before anything is written, that it is about to be: a crash or a full disk between the write and its
// record leaves the attempt, and without it nothing is written.
func (t *trip) recordAttempt(r *http.Request) error {
	if !t.writes(r) {
		return nil
	}
	attempt := t.record
	attempt.Event, attempt.ResponseID, attempt.AttemptOf = "attempt", "", t.responseID
	attempt.Outcome, attempt.CorrelationID, attempt.Interface = "ATTEMPT", t.correlationID(), t.interfaceName()
	attempt.Kind = t.kindOf()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordTimeout)
	defer cancel()
	return t.app.gateway.journal.Append(ctx, &attempt)
}

// writes reports whether the call makes or changes something: a licence, or whatever an upstream keeps.
func (t *trip) writes(r *http.Request) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return t.call != nil && (t.call.Endpoint.Changes() || t.foreign && !reads)
}

var (
	_ caddy.Provisioner           = (*Mask)(nil)
	_ caddyhttp.MiddlewareHandler = (*Mask)(nil)
)
