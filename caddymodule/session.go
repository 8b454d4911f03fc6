package caddymodule

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"licgate/licence"
	"licgate/protocol"
	"licgate/session"
)

// Session finds out who asks: by access_token (query or Bearer), or on pages by license_access_token; of verify nobody is asked. It refuses nobody:
// what is wrong with a token is noted for authorize, so that a token guesser meets the limiter first. Tokens are removed
// from the request here, before anybody can log or forward them.
//
// Syntax:
//
//	licgate_session
type Session struct {
	// Guard leaves pages to the upstream: a page's token is nobody's session (set by licgate_guard).
	Guard bool `json:"guard,omitempty"`

	app     *App
	manager *session.Manager
	logger  *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (Session) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_session", New: func() caddy.Module { return new(Session) }}
}

// Provision finds the app.
func (s *Session) Provision(ctx caddy.Context) (err error) {
	s.logger = ctx.Logger()
	if s.app, err = appOf(ctx); err != nil {
		return err
	}
	s.manager = s.app.sessions
	return nil
}

func parseSession(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	return new(Session), noArguments(h.Dispenser)
}

// ServeHTTP resolves the caller.
func (s *Session) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	t, err := advance(r, stageSession)
	if err != nil {
		return err
	}
	switch {
	case t.endpoint == nil || s.Guard:
		s.resolveCaller(r, t)
	case t.endpoint.Access == protocol.PageAccess:
		s.resolvePage(r, t)
	case t.endpoint.Access == protocol.PublicAccess: // whose query is about to lose what does not parse
		_, t.sessionFailure = protocol.Query(r.URL.RawQuery)
	default:
		s.resolveCaller(r, t)
	}
	protocol.StripSecrets(r)
	return next.ServeHTTP(w, r)
}

func (s *Session) resolveCaller(r *http.Request, t *trip) {
	token, f := protocol.SessionToken(r)
	switch {
	case f != nil:
		t.sessionFailure = f
		return
	case token == "":
		t.sessionFailure = protocol.Fail(protocol.CodeNoToken, "")
		return
	}
	address, _ := netip.ParseAddr(clientIP(r))
	found, err := s.manager.Resolve(r.Context(), token, address)
	if err != nil {
		t.sessionFailure = s.failure(t, err)
		return
	}
	t.sessionToken, t.session = token, &found
	t.request.App, t.request.Account, t.request.Department = found.AppKey, found.Account, found.Department
	t.record.App, t.record.Account, t.record.Department, t.record.SessionID = found.AppKey, found.Account, found.Department, found.ID
}

// resolvePage finds whose page it is: the application and account that were given the token.
func (s *Session) resolvePage(r *http.Request, t *trip) {
	token, page, f := protocol.PageToken(r)
	if f != nil {
		t.sessionFailure = f
		return
	}
	if token == "" && page != "" {
		t.sessionFailure = protocol.Fail(protocol.CodeNoPageToken, "本页面只能在打开它的浏览器中查看，并须允许 Cookie")
		return
	}
	resolved, err := s.app.gateway.licences.ByAccessToken(r.Context(), token)
	if token == "" || errors.Is(err, licence.ErrNoCode) {
		t.sessionFailure = protocol.Fail(protocol.CodeNoPageToken, "")
		return
	}
	if err != nil {
		t.sessionFailure = s.failure(t, err)
		return
	}
	g := resolved.Grant
	who := directory{s.app.gateway}
	app, okApp := who.Application(g.App)
	account, okAccount := who.Account(g.Account)
	if !okApp || !okAccount || app.Disabled || account.Disabled || !who.DepartmentExists(g.Department) {
		t.sessionFailure = protocol.Fail(protocol.CodeNoPageToken, "")
		return
	}
	t.resolved, t.page = &resolved, page
	t.request.App, t.request.Account, t.request.Department = g.App, g.Account, g.Department
	t.record.App, t.record.Account, t.record.Department = g.App, g.Account, g.Department
}

// failure says what authorize will answer. A store that failed is never "no session".
func (s *Session) failure(t *trip, err error) *protocol.Failure {
	for _, known := range []error{session.ErrNoSession, session.ErrAddress, session.ErrCredentials} {
		if errors.Is(err, known) {
			f, _ := failureOf(err)
			return f
		}
	}
	s.logger.Error("sessions can't be read", zap.String("response_id", t.responseID), zap.Error(err))
	return protocol.Fail(protocol.CodeUnavailable, "")
}

var (
	_ caddy.Provisioner           = (*Session)(nil)
	_ caddyhttp.MiddlewareHandler = (*Session)(nil)
)
