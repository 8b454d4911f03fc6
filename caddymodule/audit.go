package caddymodule

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"licgate/audit"
	"licgate/gm"
	"licgate/protocol"
)

// Audit is the outermost step: it opens the trip of a request, sees what every later step refuses, answers refusals, and
// keeps the record before the first byte of any answer leaves. When the record can't be kept there is no answer (503).
//
// Syntax:
//
//	licgate_audit {
//		durability strict | bounded <records> <duration> | best_effort
//	}
type Audit struct {
	// Durability is what an answer waits for: "strict" (default: until its record is on disk), "bounded N T" (at most N records of
	// answers that left, the oldest not longer ago than T, may be lost in a crash), "best_effort". What makes or changes licences is
	// strict always.
	Durability string `json:"durability,omitempty"`

	app        *App
	logger     *zap.Logger
	durability audit.Durability
}

// CaddyModule returns the Caddy module information.
func (Audit) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_audit", New: func() caddy.Module { return new(Audit) }}
}

// Provision finds the app, and refuses a port that another process listens on.
func (a *Audit) Provision(ctx caddy.Context) (err error) {
	a.logger = ctx.Logger()
	if a.durability, err = audit.ParseDurability(cmp.Or(a.Durability, "strict")); err != nil {
		return fmt.Errorf("licgate_audit: %w", err)
	}
	// The app comes first: that the data folder is in use says more than that the port is.
	if a.app, err = appOf(ctx); err != nil {
		return err
	}
	if err = refuseSharedPorts(ctx); err != nil {
		err = fmt.Errorf("licgate_audit: %w", err)
		tellCause(a.logger, err)
	}
	return err
}

func parseAudit(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Audit)
	return a, block(h.Dispenser, func(word string) error {
		if word != "durability" {
			return unknownWord(h.Dispenser, word)
		}
		return a.unmarshalDurability(h.Dispenser)
	})
}

func (a *Audit) unmarshalDurability(d *caddyfile.Dispenser) error {
	a.Durability = strings.Join(d.RemainingArgs(), " ")
	if _, err := audit.ParseDurability(a.Durability); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// identityHeaders are set towards an upstream by authorize; a client's copies never pass.
const identityHeaderPrefix = "Licgate-"

// ServeHTTP opens the trip, lets the later steps run, and answers what they refuse.
func (a *Audit) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (err error) {
	t := &trip{
		app: a.app, state: a.app.gateway.state.Load(), stage: stageAudit,
		responseID: uuid.NewString(), arrived: time.Now(), host: r.Host,
	}
	t.endpoint, t.itemCode, t.routeFailure = protocol.Route(r)
	t.openRecord(r)
	r = withTrip(r, t)
	rec := &recorder{inner: w, trip: t, request: r, logger: a.logger, durability: a.durability, receipt: r.Header.Get(receiptHeader) != ""}
	cleanRequest(r)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = countedBody{r.Body, &t.record.BytesIn}
	}

	defer func() {
		defer rec.leave()
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				if !rec.wrote && !rec.kept {
					rec.gone()
				}
				panic(p)
			}
			// The panic's value may hold a caller's data: its type alone is logged.
			a.logger.Error("panic while serving", zap.String("response_id", t.responseID),
				zap.String("type", fmt.Sprintf("%T", p)), zap.Stack("stack"))
			if rec.wrote {
				panic(http.ErrAbortHandler) // half an answer is on its way: cut it
			}
			rec.refuse(protocol.Fail(protocol.CodeInternal, ""))
		}
		if err == nil {
			rec.finish()
		}
	}()

	err = next.ServeHTTP(rec, r)
	switch {
	case err == nil && !rec.wrote:
		// Nothing behind the steps answered: no handler stands there.
		rec.refuse(protocol.Fail(protocol.CodeNoPath, ""))
	case err != nil && !rec.wrote && r.Context().Err() != nil:
		// The client went away: nobody is left to be told, and it is no fault of ours to log.
		rec.gone()
		rec.finish()
		panic(http.ErrAbortHandler)
	case err != nil && !rec.wrote:
		f, logIt := failureOf(err)
		if rec.join(f.Code.Number, f.HTTPStatus()); logIt && rec.alone() {
			a.logger.Error("request failed", zap.String("response_id", t.responseID),
				zap.String("interface", t.interfaceName()), zap.String("code", f.Code.Number), zap.Error(err))
		}
		rec.refuse(f)
		err = nil
	case err != nil:
		// Bytes are on their way: the connection is cut so that nobody takes them for a whole answer.
		a.logger.Error("answer broken off", zap.String("response_id", t.responseID), zap.Error(err))
		panic(http.ErrAbortHandler)
	}
	return err
}

// cleanRequest removes what a client may send to be taken by an upstream for ours, or to have ours removed on the way:
// identity headers, hop-by-hop lists (a proxy drops what Connection names), trailers, and headers that name another
// method, address or client.
func cleanRequest(r *http.Request) {
	for name := range r.Header {
		if strings.HasPrefix(name, identityHeaderPrefix) {
			r.Header.Del(name)
		}
	}
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Te", "Trailer",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override",
		"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X-Host", "Forwarded",
		"X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Path",
	} {
		r.Header.Del(name)
	}
	r.Trailer = nil
}

// openRecord notes what is known of a request before anybody has looked at it.
func (t *trip) openRecord(r *http.Request) {
	rec := &t.record
	rec.Event, rec.ResponseID, rec.Time = audit.EventRequest, t.responseID, t.arrived
	rec.Method, rec.Protocol, rec.Address = r.Method, r.Proto, clientIP(r)
	rec.Interface = t.interfaceName()
	if id, ok := caddyhttp.GetVar(r.Context(), "trace_id").(string); ok {
		rec.TraceID = id
	}
	if r.TLS != nil {
		rec.TLS = tls.VersionName(r.TLS.Version) + " " + tls.CipherSuiteName(r.TLS.CipherSuite)
		rec.ServerName = r.TLS.ServerName
		if len(r.TLS.PeerCertificates) > 0 {
			sum := gm.SM3(r.TLS.PeerCertificates[0].Raw)
			rec.ClientCert = hex.EncodeToString(sum[:])
		}
	}
}

// countedBody counts what is read of a request's body.
type countedBody struct {
	io.ReadCloser
	n *int64
}

func (b countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	*b.n += int64(n)
	return n, err
}

// clientIP is the address of the client as Caddy's trusted_proxies settle it.
func clientIP(r *http.Request) string {
	if ip, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok && ip != "" {
		return ip
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// recorder stands between every handler and the client. It has no Unwrap, no ReadFrom and no Hijack on purpose:
// nothing gets past it.
type recorder struct {
	inner   http.ResponseWriter
	trip    *trip
	request *http.Request
	logger  *zap.Logger
	wrote   bool
	kept    bool // the record was written, whether or not it succeeded
	blocked bool // the record was not kept: everything further is dropped

	durability audit.Durability
	receipt    bool           // the caller asks for one
	refusal    *audit.Refusal // of a request that no limit let through
}

// receiptHeader asks for a receipt, with any value, and holds it in answers about the life of a licence: SEQUENCE:LEAF, what
// licgate-verify --receipt takes. The record is in the log from then on for good, or the log is caught.
const receiptHeader = "Licgate-Receipt"

// Header returns the header of the answer.
func (w *recorder) Header() http.Header { return w.inner.Header() }

// WriteHeader keeps the record, then lets the status leave. An answer that did not come through all steps, or that
// can't be recorded, does not leave.
func (w *recorder) WriteHeader(status int) {
	if w.wrote || status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return // 1xx carry nothing that anybody here needs
	}
	w.wrote = true
	t := w.trip
	if t.stage != stageMask && !t.rendered || status == http.StatusSwitchingProtocols {
		w.logger.Error("an answer came past the steps and was withheld", zap.String("response_id", t.responseID),
			zap.String("reached", stageNames[t.stage]), zap.Int("status", status))
		w.replace(protocol.Fail(protocol.CodeChain, ""))
		return
	}
	if err := w.keep(status); err != nil {
		if w.alone() {
			w.logger.Error("record not kept, answer withheld", zap.String("response_id", t.responseID), zap.Error(err))
		}
		f, _ := failureOf(err)
		w.send(f)
		return
	}
	w.inner.Header().Set("Licgate-Response-Id", t.responseID)
	w.inner.WriteHeader(status)
}

// replace records and sends a refusal instead of what was on its way; whatever the handler still writes is dropped.
func (w *recorder) replace(f *protocol.Failure) {
	t := w.trip
	w.join(f.Code.Number, f.HTTPStatus())
	t.record.Outcome, t.record.ErrorCode = "FAILURE", f.Code.Number
	if err := w.keep(f.HTTPStatus()); err != nil {
		f, _ = failureOf(err)
	}
	w.send(f)
}

// send writes a refusal straight to the client and blocks what follows.
func (w *recorder) send(f *protocol.Failure) {
	w.blocked = true
	clear(w.inner.Header())
	w.trip.writeFailure(w.inner, f)
}

// Write sends bytes of the answer.
func (w *recorder) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.blocked {
		return len(p), nil // dropped; an error would only make a proxy cut the connection that carries the refusal
	}
	return w.inner.Write(p)
}

// Flush passes on what was written.
func (w *recorder) Flush() {
	if w.wrote && !w.blocked {
		_ = http.NewResponseController(w.inner).Flush()
	}
}

// Hijack refuses: a connection taken over could be neither masked nor recorded.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

// refuse answers with f through the recorder, so that it is recorded like any answer.
func (w *recorder) refuse(f *protocol.Failure) {
	w.join(f.Code.Number, f.HTTPStatus())
	clear(w.inner.Header())
	w.trip.setLimitHeaders(w.Header())
	w.trip.record.Outcome, w.trip.record.ErrorCode = "FAILURE", f.Code.Number
	if w.trip.record.Reason == "" {
		w.trip.record.Reason = f.Inner
	}
	w.trip.writeFailure(w, f)
}

// keep completes the record and makes it durable.
func (w *recorder) keep(status int) error {
	t := w.trip
	w.kept = true
	rec := &t.record
	rec.CorrelationID, rec.Interface, rec.Status = t.correlationID(), t.interfaceName(), status
	if rec.Outcome == "" {
		rec.Outcome = "SUCCESS"
		if status >= http.StatusBadRequest {
			rec.Outcome = "FAILURE"
		}
	}
	rec.Millis, rec.Durations, rec.Kind = millis(time.Since(t.arrived)), t.durations(), t.kindOf()
	if n, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64); err == nil {
		rec.BytesOut = n
	}
	// The client may be gone; the record is kept all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.request.Context()), recordTimeout)
	defer cancel()
	if w.refusal != nil {
		return w.refusal.Keep(ctx, rec)
	}
	receipt, err := t.app.gateway.journal.Keep(ctx, rec, w.durable())
	if err == nil && w.receipt && rec.Kind == audit.KindLifeCycle && t.session != nil && receipt.Sequence != 0 {
		w.Header().Set(receiptHeader, receipt.String())
	}
	return err
}

// statusClientGone is what the record of a request holds whose client went away before the answer.
const statusClientGone = 499

// recordTimeout bounds how long an answer waits for its record.
const recordTimeout = 10 * time.Second

// finish counts the request.
func (w *recorder) finish() {
	t := w.trip
	t.app.metrics.request(t.interfaceName(), t.record.Outcome, t.record.ErrorCode, time.Since(t.arrived))
}

var (
	_ caddy.Provisioner           = (*Audit)(nil)
	_ caddyhttp.MiddlewareHandler = (*Audit)(nil)
	_ http.Flusher                = (*recorder)(nil)
	_ http.Hijacker               = (*recorder)(nil)
)
