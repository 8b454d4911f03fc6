package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"licgate/audit"
	"licgate/gm"
	"licgate/licence"
	"licgate/masking"
	"licgate/policy"
	"licgate/protocol"
	"licgate/registry"
	"licgate/session"
)

// Authorize is the only step that says no to a person. It parses the request once, turns it into one policy.Request, and
// asks; the parsed value is what the record and the service use. Without routes it knows the standard's interfaces; with
// routes (before a foreign upstream) it knows those alone.
//
// Syntax:
//
//	licgate_authorize {
//		route <method> <path pattern> <interface> {
//			item                path|query|body|value <name>
//			service_item        path|query|body|value <name>
//			license_code        path|query|body <name>
//			auth_code           path|query|body <name>
//			show_sensitive_data path|query|body <name>
//		}
//	}
type Authorize struct {
	// Routes is the declared route table of a foreign upstream. What matches no route is refused.
	Routes []*Route `json:"routes,omitempty"`
	// Guard refuses a configuration without routes (set by licgate_guard).
	Guard bool `json:"guard,omitempty"`

	app     *App
	manager *session.Manager
	logger  *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (Authorize) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_authorize", New: func() caddy.Module { return new(Authorize) }}
}

// Provision finds the app and compiles the routes.
func (a *Authorize) Provision(ctx caddy.Context) (err error) {
	a.logger = ctx.Logger()
	for _, route := range a.Routes {
		if err := route.compile(); err != nil {
			return err
		}
	}
	if a.app, err = appOf(ctx); err != nil {
		return err
	}
	a.manager = a.app.sessions
	return nil
}

// Validate refuses a guard that would guard nothing.
func (a *Authorize) Validate() error {
	if a.Guard && len(a.Routes) == 0 {
		return errors.New("licgate_guard: at least one route is needed, since what matches no route is refused")
	}
	return nil
}

func parseAuthorize(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Authorize)
	return a, block(h.Dispenser, func(word string) error {
		if word != "route" {
			return unknownWord(h.Dispenser, word)
		}
		route, err := parseRoute(h.Dispenser)
		a.Routes = append(a.Routes, route)
		return err
	})
}

// ServeHTTP decides, and lets pass or refuses.
func (a *Authorize) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	t, err := advance(r, stageAuthorize)
	if err != nil {
		return err
	}
	if err := a.admit(r, t); err != nil {
		return err
	}
	if len(a.Routes) > 0 {
		if err := a.judgeForeign(r, t); err != nil {
			return err
		}
		return next.ServeHTTP(w, r)
	}
	if t.routeFailure != nil {
		return t.routeFailure
	}
	// login needs no session, but a query that two readers take differently is refused there too.
	if f := t.sessionFailure; f != nil && (t.endpoint.Access != protocol.Anyone || f.Code == protocol.CodeAmbiguous) {
		return f
	}
	if t.call, err = a.parse(r, t); err != nil {
		return err
	}
	if err := a.refresh(r, t); err != nil {
		return err
	}
	call := t.call
	t.request.Interface = string(call.Endpoint.Interface)
	a.note(t)
	if err := a.judge(r, t); err != nil {
		return reword(call.Endpoint.Interface, err)
	}
	return next.ServeHTTP(w, r)
}

// admit refuses what no right can allow: a caller at a locked address, and everybody while nobody knows which version is in force.
func (a *Authorize) admit(r *http.Request, t *trip) error {
	if err := t.checkAddress(r); err != nil {
		return err
	}
	if a.app.gateway.unconfirmed() > time.Duration(a.app.Hold) {
		t.record.Reason = "policy_stale"
		return &protocol.Failure{Code: protocol.CodeUnavailable, Inner: "policy_stale"}
	}
	return nil
}

// slowBody is from when on a body has taken so long that who sent it is looked up again.
const slowBody = time.Second

// refresh judges a request whose body was long in coming by what is in force now: rights may have been withdrawn and accounts
// disabled while it came.
func (a *Authorize) refresh(r *http.Request, t *trip) error {
	if time.Since(t.arrived) < slowBody {
		return nil
	}
	t.state = a.app.gateway.state.Load()
	if err := a.admit(r, t); err != nil || t.session == nil {
		return err
	}
	address, _ := netip.ParseAddr(clientIP(r))
	_, err := a.manager.Resolve(r.Context(), t.sessionToken, address)
	return err
}

// anyonesBody bounds what somebody unknown may make us read: a login is short.
const anyonesBody = 64 << 10

// parse reads the request. A licence's page is asked for by its token alone, which session took.
func (a *Authorize) parse(r *http.Request, t *trip) (*protocol.Call, error) {
	if t.endpoint.Access == protocol.PageAccess {
		return &protocol.Call{Endpoint: t.endpoint}, nil
	}
	limits := protocol.Limits{Body: a.app.BodyLimit, Batch: a.app.BatchBodyLimit}
	if t.endpoint.Access != protocol.SessionAccess {
		limits.Body = min(limits.Body, anyonesBody)
	}
	call, f := protocol.Decode(r, t.endpoint, t.itemCode, limits)
	if f != nil {
		return call, f // it holds the request id, for the answer
	}
	return call, nil
}

// note puts what the call says into the record.
func (a *Authorize) note(t *trip) {
	c, rec := t.call, &t.record
	// A caller can write anybody's number anywhere.
	rec.ServiceItem, rec.ServiceItemName, rec.BizNum = masking.Number(c.ServiceItemCode), masking.Number(c.ServiceItemName), masking.Number(c.BizNum)
	if c.Endpoint.Interface == protocol.Login {
		// Who tries to log in is on record, whether or not it works.
		rec.App, rec.Account = t.triedName("app", c.AppKey), t.triedName("account", c.Params.Account)
	}
	if o := c.Operator; o != nil {
		rec.Operator = &audit.Operator{
			Account: masking.Number(o.Account), Name: masking.Number(o.Name), Role: masking.Number(o.Role),
			ServiceOrg: masking.Number(o.ServiceOrg), DivisionCode: masking.Number(o.DivisionCode),
		}
		if o.IdentityNum != "" {
			rec.Operator.IdentityHash = a.app.gateway.auditHash("identity", licence.NormaliseIdentity(o.IdentityNum))
		}
	}
	for _, id := range c.IdentityNumbers {
		rec.Identities = append(rec.Identities, a.app.gateway.auditHash("identity", licence.NormaliseIdentity(id)))
	}
	for _, code := range append([]string{c.LicenseCode}, c.LicenseCodes...) {
		t.noteLicence(code)
	}
}

// triedName is the name that somebody tries to log in by, as the record has it: a registered one as it is; of any other a digest, since
// people type passwords and numbers there. The same word has the same digest.
func (t *trip) triedName(kind, name string) string {
	known := name == ""
	switch kind {
	case "app":
		_, found := t.state.registry.Application(name)
		known = known || found
	case "account":
		_, found := t.state.registry.Account(name)
		known = known || found
	}
	if known {
		return name
	}
	return "unknown:" + t.app.gateway.auditHash(kind, name)[:16]
}

// noteLicence puts a licence's keyed hash into the record.
func (t *trip) noteLicence(code string) {
	if code != "" {
		t.record.Licences = append(t.record.Licences, t.app.gateway.auditHash("licence", code))
	}
}

// auditHash is how records name a licence or a person.
func (g *gateway) auditHash(kind, value string) string {
	return fmt.Sprintf("%x", g.keys.Digest(gm.PurposeAudit, []byte(kind+"\x00"+value)))
}

// judge finds what the call is about, asks the policy, and leaves the allowed items in the trip.
func (a *Authorize) judge(r *http.Request, t *trip) error {
	c := t.call
	switch c.Endpoint.Interface {
	case protocol.Login, protocol.Logout, protocol.GetCurrentUser, protocol.List:
		return t.decide(nil)

	case protocol.Auth:
		service, err := t.serviceItem(c.ServiceItemCode)
		if err != nil {
			return err
		}
		var items []*licence.Item
		for _, code := range service.Items {
			if item, ok := t.state.item(code); ok {
				items = append(items, item)
			}
		}
		return t.decide(items)

	case protocol.PsnHolder:
		if err := a.identifyHolder(r, t); err != nil {
			return err
		}
		return t.decide(t.state.items)

	case protocol.Token, protocol.GetLicense, protocol.Archive:
		resolved, err := a.app.gateway.licences.ByAuthCode(r.Context(), c.AuthCode, t.request.App, t.request.Department)
		if err != nil {
			return err
		}
		t.request.ServiceItem = resolved.Grant.ServiceItem
		return t.decideResolved(&resolved)

	case protocol.GetLicenseQR, protocol.GetTokenQR, protocol.ArchiveQR:
		if _, err := t.serviceItem(c.ServiceItemCode); err != nil {
			return err
		}
		resolved, err := a.app.gateway.licences.ByShowCode(r.Context(), c.AuthCodeQR, t.grant(), t.request.Interface, c.RequestID)
		if err != nil {
			return err
		}
		return t.decideResolved(&resolved)

	case protocol.ViewLicense, protocol.ViewMobile:
		t.request.ServiceItem = t.resolved.Grant.ServiceItem
		return t.decideResolved(t.resolved)

	case protocol.Verify:
		return a.judgeCheck(r, t)

	default: // tables 5–12: the item stands in the path
		item, ok := t.state.item(c.ItemCode)
		if !ok {
			return protocol.Fail(protocol.CodeNoItem, "")
		}
		if err := a.checkOrganisation(t); err != nil {
			return err
		}
		if _, err := t.serviceItem(c.ServiceItemCode); err != nil {
			return err
		}
		return t.decide([]*licence.Item{item})
	}
}

// serviceItem finds the call's service item; one that is unknown to the caller's department is refused.
func (t *trip) serviceItem(code string) (*registry.ServiceItem, error) {
	s, ok := t.state.registry.ServiceItem(t.request.Department, code)
	if !ok {
		t.record.Reason = string(policy.ReasonServiceItem)
		return nil, &protocol.Failure{Code: protocol.CodeServiceItem, Inner: string(policy.ReasonServiceItem)}
	}
	t.request.ServiceItem = s.Code
	return s, nil
}

// decideResolved decides about the licence that a code or token stands for.
func (t *trip) decideResolved(resolved *licence.Resolved) error {
	t.noteLicence(resolved.Licence.Code)
	item, ok := t.state.item(resolved.Licence.Item)
	if !ok {
		return protocol.Fail(protocol.CodeNoItem, "")
	}
	if err := t.decide([]*licence.Item{item}); err != nil {
		return err
	}
	t.resolved = resolved
	return nil
}

// decide asks the policy once per item and keeps the allowed ones. Nothing allowed: refused for the first item's reason.
func (t *trip) decide(items []*licence.Item) error {
	t.record.ServiceItem = t.request.ServiceItem
	if items == nil {
		t.decision = t.state.decider.Judge(t.request)
	}
	for i, item := range items {
		q := t.request
		q.Item = item.Code
		d := t.state.decider.Judge(q)
		if d.Allow && t.state.locked(registry.LockItem, item.Code) {
			d = policy.Ruling{Reason: reasonLocked, Version: d.Version}
		}
		if d.Allow {
			t.items = append(t.items, item)
		}
		if i == 0 || d.Allow && !t.decision.Allow {
			t.decision, t.request.Item = d, item.Code
		}
	}
	t.record.Item = t.request.Item
	t.record.Allow, t.record.Reason = t.decision.Allow, string(t.decision.Reason)
	t.record.Rules, t.record.PolicyVersion = t.decision.Lines(), t.state.version
	if !t.decision.Allow {
		if t.decision.Reason == "" {
			t.decision.Reason = policy.ReasonAppNoGrant
		}
		return refusalOf(t.decision)
	}
	return nil
}

// identifyHolder checks the real-name credential of psn_holder.
func (a *Authorize) identifyHolder(r *http.Request, t *trip) error {
	holder, err := a.app.verifyCredential(r, t.call.Credential)
	if err != nil {
		return err
	}
	t.holder = holder
	t.record.Identities = append(t.record.Identities, a.app.gateway.auditHash("identity", licence.NormaliseIdentity(holder.IdentityNum)))
	return nil
}

// checkOrganisation compares the organisation part of the path's item code with the caller's department.
func (a *Authorize) checkOrganisation(t *trip) error {
	code, ok := licence.ParseItemCode(t.itemCode)
	if a.app.Organisation == "off" || ok && (code.Organisation == "" || code.Organisation == organisationOf(t.request.Department)) {
		return nil
	}
	if a.app.Organisation == "enforce" {
		return protocol.Fail(protocol.CodeNoItem, "item_code 的机构部分不是本部门")
	}
	a.logger.Warn("the organisation part of an item code is not the caller's department",
		zap.String("response_id", t.responseID), zap.String("department", t.request.Department))
	return nil
}

// organisationOf is the organisation code (GB 11714) inside a credit code (GB 32100, characters 9 to 17).
func organisationOf(creditCode string) string {
	if len(creditCode) != 18 {
		return ""
	}
	return creditCode[8:17]
}

var (
	_ caddy.Provisioner           = (*Authorize)(nil)
	_ caddy.Validator             = (*Authorize)(nil)
	_ caddyhttp.MiddlewareHandler = (*Authorize)(nil)
)
