package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"licgate/audit"
	"licgate/licence"
	"licgate/policy"
	"licgate/protocol"
	"licgate/render"
	"licgate/session"
)

// failureOf turns an error of any step into what the caller is told. The error's own text never reaches the caller. logIt says that
// the operator should hear of it: it is the gateway's fault, not the caller's.
func failureOf(err error) (f *protocol.Failure, logIt bool) {
	var failure *protocol.Failure
	if errors.As(err, &failure) {
		return failure, failure.Code.Status >= http.StatusInternalServerError
	}
	var field *licence.FieldError
	if errors.As(err, &field) {
		return protocol.Fail(protocol.CodeField, field.Message), false
	}
	var locked *session.LockedError
	if errors.As(err, &locked) {
		return protocol.Fail(protocol.CodeLocked, ""), false
	}
	for _, row := range failureRows {
		if errors.Is(err, row.err) {
			return protocol.Fail(row.code, ""), row.code.Status >= http.StatusInternalServerError
		}
	}
	var handler caddyhttp.HandlerError
	if errors.As(err, &handler) && handler.StatusCode >= http.StatusBadGateway {
		f := protocol.Fail(protocol.CodeUpstream, "")
		f.Status = handler.StatusCode
		return f, true
	}
	return protocol.Fail(protocol.CodeInternal, ""), true
}

var failureRows = []struct {
	err  error
	code *protocol.Code
}{
	{session.ErrNoSession, protocol.CodeBadToken},
	{session.ErrCredentials, protocol.CodeCredentials},
	{session.ErrAddress, protocol.CodeAddress},
	{session.ErrKeySource, protocol.CodeUnavailable}, // before ErrCredential, which it may wrap
	{session.ErrCredential, protocol.CodeCredential},
	{licence.ErrNotFound, protocol.CodeNoLicence},
	{licence.ErrDuplicate, protocol.CodeDuplicate},
	{licence.ErrState, protocol.CodeState},
	{licence.ErrSeveral, protocol.CodeSeveral},
	{licence.ErrTarget, protocol.CodeMissing},
	{licence.ErrMismatch, protocol.CodeMismatch},
	{licence.ErrItemClosed, protocol.CodeItemClosed},
	{licence.ErrNoCode, protocol.CodeNoCode},
	{licence.ErrStale, protocol.CodeStale},
	{licence.ErrGroup, protocol.CodeGroup},
	{licence.ErrHolders, protocol.CodeParameter},
	{audit.ErrUnavailable, protocol.CodeNoRecord},
	{errChain, protocol.CodeChain},
	{context.Canceled, protocol.CodeUnavailable},
	{context.DeadlineExceeded, protocol.CodeUnavailable},
}

// refusalOf is the failure of a decision that said no.
func refusalOf(d policy.Ruling) *protocol.Failure {
	f := &protocol.Failure{Code: protocol.CodeAppRight, Inner: string(d.Reason)}
	switch d.Reason {
	case policy.ReasonAccountDenied, policy.ReasonAccountNoRole:
		f.Code = protocol.CodeAccountRight
	case policy.ReasonServiceItem:
		f.Code = protocol.CodeServiceItem
	case reasonLocked:
		f.Code = protocol.CodeItemLocked
	case policy.ReasonUnsure:
		f.Code = protocol.CodeUnavailable
	}
	return f
}

// reword gives a licence error the text that clients of one interface match (domain.md §1).
func reword(i protocol.Interface, err error) error {
	switch {
	case i == protocol.Verify && errors.Is(err, licence.ErrCheckExpired):
		return protocol.Fail(protocol.CodeCheckExpired, "")
	case i == protocol.Verify && errors.Is(err, licence.ErrNoCode):
		return protocol.Fail(protocol.CodeNoCheck, "")
	case i == protocol.Abolish && errors.Is(err, licence.ErrNotFound),
		i == protocol.Change && errors.Is(err, licence.ErrNotFound):
		return protocol.Fail(protocol.CodeNoAbolish, "")
	case (i == protocol.Sign || i == protocol.BatchSign) && errors.Is(err, licence.ErrNotFound):
		return protocol.Fail(protocol.CodeNoSign, "")
	case i == protocol.BatchSign && errors.Is(err, licence.ErrState):
		return protocol.Fail(protocol.CodeNoSign, "") // the text that F.2 prints of such a row
	case i == protocol.Sign && errors.Is(err, licence.ErrState):
		return protocol.Fail(protocol.CodeState, protocol.CodeNoSign.Text+"，只有已制证而未签发的可以签发")
	case (i == protocol.Abolish || i == protocol.Change) && errors.Is(err, licence.ErrState):
		return protocol.Fail(protocol.CodeState, protocol.CodeNoAbolish.Text+"，只有已签发的可以废止或变更")
	case errors.Is(err, licence.ErrTarget):
		return protocol.Fail(protocol.CodeMissing, "license_code 与 id_code 不能同时为空")
	}
	return err
}

// pageStatus is the HTTP status of a failure shown to a person: a browser must not take a refusal for a page.
func pageStatus(f *protocol.Failure) int {
	if s := f.HTTPStatus(); s != http.StatusOK {
		return s
	}
	return http.StatusForbidden
}

// writeFailure answers with a refusal: a page for people, the envelope for systems.
func (t *trip) writeFailure(w http.ResponseWriter, f *protocol.Failure) {
	h := w.Header()
	if t.endpoint != nil && t.endpoint.Page {
		t.rendered = true
		if t.isPublic() {
			checkHeaders(h)
			w.WriteHeader(pageStatus(f))
			_ = render.CheckPage(w, &render.Check{Refusal: f.Message(), ErrorCode: f.Code.Number, ResponseID: t.responseID})
			return
		}
		pageHeaders(h, t.app.FrameAncestors)
		w.WriteHeader(pageStatus(f))
		_ = render.MessagePage(w, "无法显示证照", f.Message(), f.Code.Number, t.responseID)
		return
	}
	status := f.HTTPStatus()
	if status == http.StatusUnauthorized {
		if t.app.AuthFailureStatus != 0 {
			status = t.app.AuthFailureStatus
		}
		if status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Bearer realm="licgate"`)
		}
	}
	a := protocol.Answer{Failure: f}
	if t.endpoint != nil {
		a.Interface = t.endpoint.Interface
		if f.Code == protocol.CodeMethod {
			for _, m := range t.endpoint.Methods {
				h.Add("Allow", m)
			}
		}
	}
	_ = t.writeAnswer(w, status, &a)
}

// writeAnswer sends an envelope. It is the only way by which JSON of ours leaves.
func (t *trip) writeAnswer(w http.ResponseWriter, status int, a *protocol.Answer) error {
	a.ResponseID, a.At, a.CorrelationID = t.responseID, time.Now(), t.correlationID()
	body, err := a.Encode()
	if err != nil {
		return fmt.Errorf("encoding the answer of %s: %w", t.interfaceName(), err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	t.rendered = true
	t.record.Outcome, t.record.ErrorCode = "SUCCESS", ""
	if a.Failure != nil {
		t.record.Outcome, t.record.ErrorCode = "FAILURE", a.Failure.Code.Number
	}
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}
