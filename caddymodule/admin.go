package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"licgate/audit"
)

// AdminAPI serves /licgate/ under Caddy's admin endpoint: everything that the commands do goes through it. Each call is on record
// before it acts. Until administrators are declared, whoever reaches the endpoint (a socket of mode 0600 by default) is all three
// powers; from then on a call needs an administrator of the right one (admin_identity.go).
type AdminAPI struct{ app *App }

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.licgate", New: func() caddy.Module { return new(AdminAPI) }}
}

// Provision finds the app; a configuration without it has no /licgate/ endpoints.
func (a *AdminAPI) Provision(ctx caddy.Context) error {
	if app, err := ctx.AppIfConfigured("licgate"); err == nil {
		a.app = app.(*App)
	}
	return nil
}

// Routes returns the admin routes.
func (a *AdminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminRoot, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// adminRoot is the path under which everything of ours stands.
const adminRoot = "/licgate/"

// adminCall is one administrator's call on its way.
type adminCall struct {
	app  *App
	r    *http.Request
	who  administrator
	path map[string]string // the variable parts of the path
	// about is what the record says of a question beside its path.
	about string
}

func (a *AdminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	app := running.Load()
	if app == nil {
		app = a.app
	}
	if app == nil {
		return adminError(http.StatusNotFound, "licgate 未在配置中启用")
	}
	if err := app.administer(w, r); err != nil {
		return adminFailure(err)
	}
	return nil
}

// administer finds the route, the administrator and the power, keeps the record, and only then lets the route act.
func (a *App) administer(w http.ResponseWriter, r *http.Request) error {
	route, path, err := findAdminRoute(r.Method, strings.TrimPrefix(r.URL.Path, adminRoot))
	if err != nil {
		return err
	}
	c := &adminCall{app: a, r: r, path: path}
	if err := c.admit(route); err != nil {
		return err
	}
	body, err := readAdminBody(r, route.bodyLimit())
	if err != nil {
		return err
	}
	// Again: a body may take minutes to come, and whoever sends it may have been disabled meanwhile.
	if err := c.admit(route); err != nil {
		return err
	}
	act, about, err := route.prepare(c, body)
	if err != nil {
		return err
	}
	c.about = about
	if route.unrecorded {
		answer, err := act()
		if err != nil {
			return err
		}
		return writeAdminAnswer(w, answer)
	}
	if err := c.record(route, "ATTEMPT", ""); err != nil {
		return err
	}
	answer, err := act()
	written := false
	if _, streams := answer.(streamed); streams && err == nil { // its work is done as it is written
		err, written = writeAdminAnswer(w, answer), true
	}
	outcome, reason := "SUCCESS", ""
	var cut *cutShort
	switch {
	case errors.As(err, &cut):
		outcome, reason = "FAILURE", cut.fault
		c.tell(route, cut)
		err = nil // its status has left: the trailer says it
	case err != nil:
		outcome, reason = "FAILURE", strconv.Itoa(adminStatus(err))
	}
	// That it was tried is on record. What was done is done, and is answered, whether or not its outcome can be added.
	if failed := c.record(route, outcome, reason); failed != nil {
		a.logger.Error("the outcome of an administrator's call could not be recorded", zap.String("route", route.name()), zap.Error(failed))
	}
	if err != nil || written {
		return err
	}
	return writeAdminAnswer(w, answer)
}

// admit finds out who calls, and refuses whoever lacks the route's power.
func (c *adminCall) admit(route *adminRoute) (err error) {
	if c.who, err = c.app.identify(c.r); err == nil {
		err = c.who.may(route.power)
	}
	if err == nil || route.power == powerNone {
		return nil
	}
	_ = c.record(route, "FAILURE", "no_power")
	return err
}

// record keeps a call. Its body is not in it: that may hold secrets; what a change changes is in its version.
func (c *adminCall) record(route *adminRoute, outcome, reason string) error {
	detail := route.method + " " + route.path
	for _, name := range route.variables() {
		detail += " " + name + "=" + shown(c.path[name])
	}
	if c.about != "" {
		detail += " " + c.about
	}
	// Kept also when the caller has gone: what was done for him is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), recordTimeout)
	defer cancel()
	return c.app.gateway.journal.Append(ctx, &audit.Record{
		Event: "admin", Time: time.Now(), Account: c.who.String(), Interface: route.name(), Address: c.r.RemoteAddr,
		Outcome: outcome, Allow: outcome != "FAILURE", Reason: reason, Detail: detail,
		PolicyVersion: c.app.gateway.state.Load().version,
	})
}

// versioned is an answer that depends on a policy version: it leaves with an ETag, which If-Match of a change may name.
type versioned struct {
	version int64
	answer  any
}

func writeAdminAnswer(w http.ResponseWriter, answer any) error {
	if v, ok := answer.(versioned); ok {
		w.Header().Set("ETag", strconv.Quote(strconv.FormatInt(v.version, 10)))
		answer = v.answer
	}
	switch answer := answer.(type) {
	case streamed:
		return answer(w)
	case []byte:
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		_, err := w.Write(answer)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(answer)
}

// ifMatch is the version that a change was made for: If-Match: "12". 0: whatever is in force.
func (c *adminCall) ifMatch() (int64, error) {
	text := c.r.Header.Get("If-Match")
	if text == "" || text == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
	if err != nil || n < 1 {
		return 0, adminError(http.StatusBadRequest, "If-Match 应为策略版本号，例如 If-Match: \"12\"")
	}
	return n, nil
}

// change says who changes what is in force, and why.
func (c *adminCall) change(q changeRequest) (change, error) {
	match, err := c.ifMatch()
	if err == nil {
		err = checkRemark("why", q.Why)
	}
	return change{by: c.who, why: q.Why, dryRun: q.DryRun, force: q.Force, ifMatch: match}, err
}

// longestShown bounds what a record repeats of a caller's own words, characters.
const longestShown = 100

// shown is a caller's word as a record repeats it: one word, without what a terminal would obey, cut where nobody would read on.
func shown(word string) string { return shownUpTo(word, longestShown) }

func shownUpTo(word string, most int) string {
	if runes := []rune(word); len(runes) > most {
		word = string(runes[:most]) + "…"
	}
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '"' }) {
		return strconv.QuoteToGraphic(word)
	}
	return word
}

// longestRemark bounds what administrators give as a reason, characters.
const longestRemark = 500

// checkRemark refuses a reason that would not be one line for those who read it later: it is shown in terminals and kept for ever.
func checkRemark(member, text string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return adminError(http.StatusUnprocessableEntity, "%s 只能是一行可见文字，不得含换行等控制字符", member)
	}
	if utf8.RuneCountInString(text) > longestRemark {
		return adminError(http.StatusUnprocessableEntity, "%s 过长，至多 %d 个字", member, longestRemark)
	}
	return nil
}

// changeRequest are the members of every call that makes a version.
type changeRequest struct {
	Why    string `json:"why,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"`
	// Force lets a change empty the policy, lock out the last security administrator or break named test decisions.
	Force bool `json:"force,omitempty"`
}

func adminError(status int, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return caddy.APIError{HTTPStatus: status, Message: err.Error(), Err: err}
}

// warn notes what failed after the point of no return: an error would say that nothing was done, and lose what is shown once.
func (a *App) warn(result *applied, text string, err error) {
	result.Warnings = append(result.Warnings, text)
	a.logger.Error("after a change", zap.Int64("policy_version", result.Version), zap.Error(err))
}

var (
	_ caddy.AdminRouter = (*AdminAPI)(nil)
	_ caddy.Provisioner = (*AdminAPI)(nil)
)
