package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"licgate/audit"
	"licgate/licence"
	"licgate/masking"
	"licgate/policy"
	"licgate/protocol"
	"licgate/session"
)

// stage is how far a request has come. Each step demands its forerunner's mark.
type stage int

const (
	stageNone stage = iota
	stageAudit
	stageSession
	stageLimit
	stageAuthorize
	stageMask
)

var stageNames = [...]string{"-", "licgate_audit", "licgate_session", "licgate_limit", "licgate_authorize", "licgate_mask"}

// trip is one request on its way through the steps: opened by audit, filled by each, written to the record once. It is
// used by one goroutine at a time.
type trip struct {
	app   *App
	state *state // one version of registry and policy for the whole request
	stage stage
	// reached is when each step was, after the arrival.
	reached [stageMask + 1]time.Duration

	responseID string
	host       string // what the request calls this gateway
	arrived    time.Time
	record     audit.Record

	endpoint     *protocol.Endpoint // nil: unknown path, or a route of the guard
	foreign      bool               // a route of the guard
	route        *Route             // which one
	itemCode     string
	routeFailure *protocol.Failure

	limitStates    []counted
	admitted       bool // by the limits: what it costs from here on is bounded
	sessionToken   string
	session        *session.Session
	sessionFailure *protocol.Failure

	call     *protocol.Call
	holder   session.Holder    // psn_holder
	resolved *licence.Resolved // of a code or token
	page     string            // an opened page, by its cookie; "": by a token in the address
	request  policy.Request
	decision policy.Ruling
	// items are the catalogue items that the decision allows: one, or several for auth and psn_holder.
	items []*licence.Item

	plans  map[string]*masking.Plan // by item code
	hidden map[string][]hiddenField // by item code: the sensitive fields that are masked, and why
	// rendered says that the bytes on their way out were made from masked data by us.
	rendered bool
}

type tripKey struct{}

func withTrip(r *http.Request, t *trip) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), tripKey{}, t))
}

// errChain says that a step is missing or out of order; the request is refused.
var errChain = errors.New("licgate: a step is missing or out of order")

// advance marks that step own was reached, and refuses when its forerunner was not the last.
func advance(r *http.Request, own stage) (*trip, error) {
	t, _ := r.Context().Value(tripKey{}).(*trip)
	if t == nil {
		return nil, fmt.Errorf("%w: %s stands without licgate_audit before it", errChain, stageNames[own])
	}
	if t.stage != own-1 {
		return nil, fmt.Errorf("%w: %s follows %s", errChain, stageNames[own], stageNames[t.stage])
	}
	t.stage, t.reached[own] = own, time.Since(t.arrived)
	return t, nil
}

// arrivedAtEnd is for what answers: every step must have been passed.
func arrivedAtEnd(r *http.Request, who string) (*trip, error) {
	t, _ := r.Context().Value(tripKey{}).(*trip)
	if t == nil || t.stage != stageMask {
		return nil, fmt.Errorf("%w: %s needs all five steps before it", errChain, who)
	}
	return t, nil
}

// interfaceName is what the record and the metrics call the request.
func (t *trip) interfaceName() string {
	if t.request.Interface != "" {
		return t.request.Interface
	}
	if t.endpoint != nil {
		return string(t.endpoint.Interface)
	}
	return ""
}

// actor is who acts, for the licence service.
func (t *trip) actor() licence.Actor {
	a := licence.Actor{App: t.request.App, Account: t.request.Account, Department: t.request.Department}
	if d, ok := t.state.registry.Department(t.request.Department); ok {
		a.DepartmentName, a.Division, a.DivisionCode = d.Name, d.Division, d.DivisionCode
	}
	return a
}

// grant is what a code made in this call is given for.
func (t *trip) grant() licence.Grant {
	g := licence.Grant{
		App: t.request.App, Account: t.request.Account, Department: t.request.Department,
		ServiceItem: t.request.ServiceItem, Sensitive: t.sensitiveAsked(),
	}
	if t.call != nil {
		g.ServiceItemName, g.BizNum = t.call.ServiceItemName, t.call.BizNum
	}
	if t.resolved != nil && t.resolved.Kind != licence.ShowCode {
		g.ServiceItemName, g.BizNum = t.resolved.Grant.ServiceItemName, t.resolved.Grant.BizNum
	}
	return g
}

// sensitiveAsked reports whether the caller asks for sensitive data: in this call, or, where it does not say, when the
// code was made. Who shows a code asked for himself, not for those who redeem it.
func (t *trip) sensitiveAsked() bool {
	if t.call != nil && t.call.ShowSensitiveData != nil {
		return *t.call.ShowSensitiveData
	}
	return t.resolved != nil && t.resolved.Kind != licence.ShowCode && t.resolved.Grant.Sensitive
}

// correlationID is the caller's request_id, once parsed.
func (t *trip) correlationID() string {
	if t.call == nil {
		return ""
	}
	return t.call.RequestID
}
