package caddymodule

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"licgate/gm"
	"licgate/licence"
	"licgate/masking"
	"licgate/protocol"
)

// Mask hides what the decision says. It lays down, per allowed item, which fields stay clear: those whose right application and account
// both have, and only when sensitive data were asked for. Handlers of ours mask before they render; bodies of an
// upstream are masked here on the way back, and withheld (502) when that can't be done with certainty.
//
// Syntax:
//
//	licgate_mask {
//		max_body <size>
//	}
type Mask struct {
	// MaxBody bounds an upstream's body, bytes; a larger one is withheld. Default 16 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	app    *App
	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (Mask) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_mask", New: func() caddy.Module { return new(Mask) }}
}

// Provision finds the app.
func (m *Mask) Provision(ctx caddy.Context) (err error) {
	m.logger = ctx.Logger()
	if m.MaxBody == 0 {
		m.MaxBody = 16 << 20
	}
	m.app, err = appOf(ctx)
	return err
}

func parseMask(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	m := new(Mask)
	return m, block(h.Dispenser, func(word string) error {
		if word != "max_body" {
			return unknownWord(h.Dispenser, word)
		}
		return size(h.Dispenser, &m.MaxBody)
	})
}

// ServeHTTP lays down the plans and masks what an upstream answers.
func (m *Mask) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	t, err := advance(r, stageMask)
	if err != nil {
		return err
	}
	t.layPlans()
	if err := t.recordAttempt(r); err != nil {
		return err
	}
	// An upstream is asked for a body that can be read: whole, and not compressed.
	r.Header.Set("Accept-Encoding", "identity")
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since"} {
		r.Header.Del(name)
	}
	mw := &maskWriter{inner: w, trip: t, limit: m.MaxBody, before: w.Header().Clone()}
	if err := mw.collect(next, r); err != nil {
		return err
	}
	return mw.finish()
}

// collect lets the next handler answer. A proxy cuts the connection when its upstream breaks off; since nothing of it has
// left yet, the caller can be told instead.
func (w *maskWriter) collect(next caddyhttp.Handler, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler && !w.trip.rendered:
			switch {
			case w.over:
				err = withheld("too_large")
			case r.Context().Err() != nil:
				err = r.Context().Err()
			default:
				err = protocol.Fail(protocol.CodeUpstream, "")
			}
		default:
			panic(p)
		}
	}()
	return next.ServeHTTP(w, r)
}

// withheld says to the operator, by the record's reason, why a body did not leave.
func withheld(why string) error {
	return &protocol.Failure{Code: protocol.CodeWithheld, Inner: why}
}

// recordAttempt keeps, before anything is written, that it is about to be: a crash or a full disk between the write and its
// record leaves the attempt, and without it nothing is written.
func (t *trip) recordAttempt(r *http.Request) error {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if t.call == nil || !t.call.Endpoint.Changes() && (!t.foreign || reads) {
		return nil
	}
	attempt := t.record
	attempt.Event, attempt.ResponseID, attempt.AttemptOf = "attempt", "", t.responseID
	attempt.Outcome, attempt.CorrelationID, attempt.Interface = "ATTEMPT", t.correlationID(), t.interfaceName()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordTimeout)
	defer cancel()
	return t.app.gateway.journal.Append(ctx, &attempt)
}

// layPlans decides per item which fields are hidden, and records it.
func (t *trip) layPlans() {
	t.plans = make(map[string]*masking.Plan, len(t.items))
	asked := t.sensitiveAsked()
	var canonical []byte
	for _, item := range t.items {
		var fields []masking.Field
		var keys []string
		for _, f := range item.Fields {
			if f.Sensitive != "" {
				fields = append(fields, masking.Field{Key: f.Key, Kind: masking.Kind(f.Sensitive)})
				keys = append(keys, f.Key)
			}
		}
		var clear []string
		if asked {
			q := t.request
			q.Item = item.Code
			clear = t.state.decider.Clear(q, keys)
		}
		plan := masking.NewPlan(fields, clear)
		if t.foreign {
			// An upstream may answer in the standard's words, where attributes repeat what fields say.
			for _, role := range roles {
				kind := roleKind(item, plan, role)
				if kind == masking.PublicNumber && !hasRole(item, role) {
					kind = cmp.Or(unclaimed[role], kind)
				}
				if kind != "" {
					fields = append(fields, masking.Field{Key: role, Kind: kind})
				}
			}
			plan = masking.NewPlan(fields, clear)
		}
		t.plans[item.Code] = plan
		canonical = append(canonical, item.Code+"\x00"...)
		canonical = append(canonical, plan.Canonical()...)
		for _, key := range plan.ClearKeys() {
			t.record.ClearFields = append(t.record.ClearFields, item.Code+"#"+key)
		}
	}
	if len(t.items) > 0 {
		sum := gm.SM3(canonical)
		t.record.MaskPlan = hex.EncodeToString(sum[:])
	}
}

// roles are the attributes of a licence that fields feed (platform.yaml "role"), by their names on the wire.
var roles = []string{
	"holder_name", "holder_identity_num", "id_code", "issue_date", "begin_date", "expiry_date", "issue_org_name", "issue_org_code",
}

// unclaimed says how an upstream's attribute is hidden that no field of the item claims.
var unclaimed = map[string]masking.Kind{"holder_name": masking.Name, "holder_identity_num": masking.IdentityNumber}

func hasRole(item *licence.Item, role string) bool {
	return slices.ContainsFunc(item.Fields, func(f licence.Field) bool { return f.Role == role })
}

// roleKind says how an attribute is hidden: like the field that feeds it, if any such field is hidden; "" when they are all
// shown in clear by right. An attribute that nobody called sensitive is public unless it is an identity number.
func roleKind(item *licence.Item, plan *masking.Plan, role string) masking.Kind {
	kind, sensitive := masking.Kind(""), false
	for _, f := range item.Fields {
		if f.Role != role || f.Sensitive == "" {
			continue
		}
		sensitive = true
		if plan.Hides(f.Key) {
			if kind != "" && kind != masking.Kind(f.Sensitive) {
				return masking.Text
			}
			kind = masking.Kind(f.Sensitive)
		}
	}
	if kind == "" && !sensitive {
		return masking.PublicNumber
	}
	return kind
}

// attribute masks an attribute of a licence.
func (t *trip) attribute(item *licence.Item, role, value string) string {
	if kind := roleKind(item, t.plans[item.Code], role); kind != "" {
		return masking.Mask(kind, value)
	}
	return value
}

// maskWriter collects what an upstream answers; bytes that our handlers made from masked data pass.
type maskWriter struct {
	inner  http.ResponseWriter
	trip   *trip
	limit  int64
	before http.Header // as the gateway had set it when the upstream was asked
	status int
	body   bytes.Buffer
	over   bool
}

func (w *maskWriter) Header() http.Header { return w.inner.Header() }

func (w *maskWriter) WriteHeader(status int) {
	if w.trip.rendered {
		w.inner.WriteHeader(status)
		return
	}
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *maskWriter) Write(p []byte) (int, error) {
	if w.trip.rendered {
		return w.inner.Write(p)
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if int64(w.body.Len()+len(p)) > w.limit {
		w.over = true
		w.body.Reset()
		return 0, errTooLarge
	}
	return w.body.Write(p)
}

var errTooLarge = errors.New("licgate: the upstream's body is over the limit")

// finish masks the collected body, or withholds it. Not a byte of the original leaves unless it went through the plan.
func (w *maskWriter) finish() error {
	t := w.trip
	if t.rendered || w.status == 0 {
		return nil
	}
	h := w.Header()
	for name := range h {
		if len(name) > len(http.TrailerPrefix) && name[:len(http.TrailerPrefix)] == http.TrailerPrefix {
			return withheld("trailer")
		}
	}
	switch {
	case w.over:
		return withheld("too_large")
	case w.status == http.StatusSwitchingProtocols, w.status == http.StatusPartialContent:
		return withheld("status")
	case h.Get("Content-Encoding") != "" && h.Get("Content-Encoding") != "identity":
		return withheld("content_encoding")
	case h.Get("Trailer") != "" || h.Get("Content-Range") != "":
		return withheld("partial")
	}
	var out bytes.Buffer
	if w.body.Len() > 0 {
		media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
		if err != nil || media != "application/json" || params["charset"] != "" && params["charset"] != "utf-8" && params["charset"] != "UTF-8" {
			return withheld("content_type")
		}
		if len(t.items) != 1 || t.plans[t.items[0].Code].JSON(&out, &w.body) != nil {
			return withheld("unparseable")
		}
	}
	// A header can say as much as a body: of the upstream's, only those pass that say nothing of a person.
	clear(h)
	maps.Copy(h, w.before)
	if out.Len() > 0 {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	h.Set("Cache-Control", "no-store")
	if out.Len() == 0 && (w.status == http.StatusNoContent || w.status == http.StatusNotModified) {
		h.Del("Content-Length")
	}
	w.inner.WriteHeader(w.status)
	_, err := w.inner.Write(out.Bytes())
	return err
}

var (
	_ caddy.Provisioner           = (*Mask)(nil)
	_ caddyhttp.MiddlewareHandler = (*Mask)(nil)
)
