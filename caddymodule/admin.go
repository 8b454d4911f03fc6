package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"licgate/audit"
	"licgate/gm"
	"licgate/policy"
	"licgate/registry"
	"licgate/session"
)

// AdminAPI serves /licgate/ under Caddy's admin endpoint: everything that the commands do goes through it. Whoever reaches the
// admin endpoint administers the gateway, so it is a socket of mode 0600 by default.
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
	return []caddy.AdminRoute{{Pattern: "/licgate/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// maxAdminBody bounds a platform file.
const maxAdminBody = 64 << 20

// adminRequest is the body of every POST; members that a call does not use are absent.
type adminRequest struct {
	File    string `json:"file,omitempty"` // platform.yaml
	DryRun  bool   `json:"dry_run,omitempty"`
	By      string `json:"by,omitempty"`
	Why     string `json:"why,omitempty"`
	IfMatch int64  `json:"if_match,omitempty"` // the version that a change was made for
	Version int64  `json:"version,omitempty"`  // to roll back to, or to explain at

	App         string `json:"app,omitempty"`
	Account     string `json:"account,omitempty"`
	Department  string `json:"department,omitempty"`
	Item        string `json:"item,omitempty"`
	Interface   string `json:"interface,omitempty"`
	ServiceItem string `json:"service_item,omitempty"`

	Identity string `json:"identity,omitempty"`
	Code     string `json:"code,omitempty"`
	TTL      string `json:"ttl,omitempty"`
}

func (q adminRequest) change() change {
	return change{by: q.By, why: q.Why, dryRun: q.DryRun, ifMatch: q.IfMatch}
}

func (a *AdminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	app := running.Load()
	if app == nil {
		app = a.app
	}
	return (&AdminAPI{app: app}).answer(w, r)
}

func (a *AdminAPI) answer(w http.ResponseWriter, r *http.Request) error {
	if a.app == nil {
		return adminError(http.StatusNotFound, "licgate 未在配置中启用")
	}
	path := strings.TrimPrefix(r.URL.Path, "/licgate/")
	var q adminRequest
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		d := json.NewDecoder(io.LimitReader(r.Body, maxAdminBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil {
			return adminError(http.StatusBadRequest, "请求体不是合法的 JSON：%v", err)
		}
	default:
		return adminError(http.StatusMethodNotAllowed, "请求方法不正确")
	}
	if q.By == "" {
		q.By = "admin"
	}
	answer, err := a.route(r, path, q)
	if err != nil {
		return adminFailure(err)
	}
	if text, ok := answer.([]byte); ok {
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		_, err := w.Write(text)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

func (a *AdminAPI) route(r *http.Request, path string, q adminRequest) (any, error) {
	parts := strings.Split(path, "/")
	is := func(method, p string) bool { return r.Method == method && path == p }
	switch {
	case is(http.MethodGet, "status"):
		return a.app.gateway.health(r.Context()), nil
	case is(http.MethodGet, "export"):
		return registry.Render(a.app.gateway.state.Load().registry.Platform())
	case is(http.MethodPost, "apply"):
		declared, err := registry.Parse([]byte(q.File))
		if err != nil {
			return nil, err
		}
		done, err := a.app.apply(r.Context(), func(*registry.Platform) (*registry.Platform, error) { return declared, nil }, q.change())
		return done, placed(err, declared)
	case is(http.MethodPost, "policy/rollback"):
		return a.rollback(r, q)
	case is(http.MethodPost, "policy/explain"):
		return a.explain(r, q)
	case is(http.MethodGet, "policy/history"):
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		if limit <= 0 || limit > 1000 {
			limit = 50
		}
		return a.history(r, limit)
	case is(http.MethodGet, "policy/verify"):
		return a.verifyChain(r)
	case len(parts) == 3 && r.Method == http.MethodGet && parts[0] == "policy" && parts[1] == "versions":
		n, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return nil, adminError(http.StatusBadRequest, "版本号应为数字")
		}
		return a.app.gateway.store.Policies().Get(r.Context(), n)
	case is(http.MethodGet, "applications"):
		return a.app.gateway.state.Load().applications(), nil
	case is(http.MethodGet, "accounts"):
		return a.app.gateway.state.Load().accounts(), nil
	case len(parts) == 3 && r.Method == http.MethodPost && parts[0] == "applications":
		return a.app.changeApplication(r.Context(), parts[1], parts[2], q.change())
	case len(parts) == 3 && r.Method == http.MethodPost && parts[0] == "accounts":
		return a.app.changeAccount(r.Context(), parts[1], parts[2], q.change())
	case is(http.MethodPost, "sessions/end"):
		return a.endSessions(r, q)
	case is(http.MethodPost, "credential"):
		return a.credential(r, q)
	}
	return nil, adminError(http.StatusNotFound, "没有这个管理接口：%s %s", r.Method, r.URL.Path)
}

// explain says why a request would be allowed or refused now, or was at a version.
func (a *AdminAPI) explain(r *http.Request, q adminRequest) (any, error) {
	st := a.app.gateway.state.Load()
	decider := st.decider
	if q.Version > 0 && q.Version != st.version {
		then, err := a.app.gateway.store.Policies().Get(r.Context(), q.Version)
		if err != nil {
			return nil, err
		}
		if decider, err = policy.Compile(then.Number, then.Lines); err != nil {
			return nil, err
		}
	}
	if q.Department == "" {
		if account, ok := st.registry.Account(q.Account); ok {
			q.Department = account.Department
		} else if app, ok := st.registry.Application(q.App); ok {
			q.Department = app.Department
		}
	}
	return policy.Explain(decider, policy.Request{
		App: q.App, Account: q.Account, Department: q.Department, Item: q.Item, Interface: q.Interface, ServiceItem: q.ServiceItem,
	}), nil
}

// versionRow is a version in a list: its changes are JSON, not bytes.
type versionRow struct {
	policy.Version
	Changes json.RawMessage `json:"changes,omitempty"`
}

func (a *AdminAPI) history(r *http.Request, limit int) ([]versionRow, error) {
	versions, err := a.app.gateway.store.Policies().List(r.Context(), limit)
	rows := make([]versionRow, 0, len(versions))
	for _, v := range versions {
		rows = append(rows, versionRow{v, v.Changes})
	}
	return rows, err
}

// chainReport says whether the versions are what was accepted, one after another.
type chainReport struct {
	Versions int64  `json:"versions"`
	Fault    string `json:"fault,omitempty"`
}

// verifyChain reads every version and checks its hash and its parent.
func (a *AdminAPI) verifyChain(r *http.Request) (chainReport, error) {
	var parent policy.Version
	versions := a.app.gateway.store.Policies()
	for n := int64(1); ; n++ {
		v, err := versions.Get(r.Context(), n)
		if errors.Is(err, policy.ErrNoVersion) && n > a.app.gateway.state.Load().version {
			return chainReport{Versions: n - 1}, nil
		}
		if err == nil {
			err = policy.Verify(v, parent, gm.SM3)
		}
		if errors.Is(err, policy.ErrNoVersion) || errors.Is(err, policy.ErrBrokenChain) {
			return chainReport{Versions: n - 1, Fault: fmt.Sprintf("版本 %d 缺失或被改动", n)}, nil
		}
		if err != nil {
			return chainReport{}, err
		}
		parent = v
	}
}

// rollback declares again what a version was made of, as a new version. Secrets and passwords stay as they are; what was
// removed since is made anew, with fresh ones.
func (a *AdminAPI) rollback(r *http.Request, q adminRequest) (any, error) {
	then, err := a.app.gateway.store.Policies().Get(r.Context(), q.Version)
	if err != nil {
		return nil, err
	}
	declared, err := registry.Parse(then.Platform)
	if err != nil {
		return nil, fmt.Errorf("the declaration of version %d: %w", q.Version, err)
	}
	present(declared)
	c := q.change()
	c.why = strings.TrimSpace(fmt.Sprintf("回滚到版本 %d %s", q.Version, q.Why))
	return a.app.apply(r.Context(), func(*registry.Platform) (*registry.Platform, error) { return declared, nil }, c)
}

// present makes absent sections empty ones: a rollback says the whole truth.
func present(p *registry.Platform) {
	p.Departments = append([]registry.Department{}, p.Departments...)
	p.Items = append([]registry.Item{}, p.Items...)
	p.ServiceItems = append([]registry.ServiceItem{}, p.ServiceItems...)
	p.Applications = append([]registry.Application{}, p.Applications...)
	p.Accounts = append([]registry.Account{}, p.Accounts...)
	for i := range p.Applications {
		p.Applications[i].DisabledGiven = true
	}
	for i := range p.Accounts {
		p.Accounts[i].DisabledGiven = true
	}
	if p.Policy == nil {
		p.Policy = new(string)
	}
}

func (a *AdminAPI) endSessions(r *http.Request, q adminRequest) (any, error) {
	if q.App == "" && q.Account == "" && q.Department == "" {
		return nil, adminError(http.StatusBadRequest, "请指明要结束哪个应用、账户或部门的会话")
	}
	if err := a.record(r, q.By, "sessions/end", ""); err != nil {
		return nil, err
	}
	n, err := a.app.gateway.sessionManager(a.app).End(r.Context(), session.Match{AppKey: q.App, Account: q.Account, Department: q.Department})
	return map[string]int{"ended": n}, err
}

func (a *AdminAPI) credential(r *http.Request, q adminRequest) (any, error) {
	ttl := 10 * time.Minute
	if q.TTL != "" {
		var err error
		if ttl, err = caddy.ParseDuration(q.TTL); err != nil || ttl <= 0 || ttl > 24*time.Hour {
			return nil, adminError(http.StatusBadRequest, "ttl 应为 24 小时以内的时长，例如 10m")
		}
	}
	if q.Identity == "" {
		return nil, adminError(http.StatusBadRequest, "缺少 identity（证件号码）")
	}
	if err := a.record(r, q.By, "credential", ""); err != nil {
		return nil, err
	}
	token, err := a.app.signCredential(session.Holder{IdentityNum: q.Identity, Code: q.Code}, ttl)
	if err != nil {
		return nil, err
	}
	return map[string]string{"credential": token}, nil
}

// record keeps an administrator's call before it acts.
func (a *AdminAPI) record(r *http.Request, by, what, detail string) error {
	return a.app.gateway.journal.Append(r.Context(), &audit.Record{
		Event: "admin", Time: time.Now(), Account: by, Interface: what, Outcome: "SUCCESS", Allow: true, Detail: detail,
	})
}

func adminError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Message: fmt.Sprintf(format, args...), Err: fmt.Errorf(format, args...)}
}

// adminFailure says an error to an administrator: what is wrong and what to do.
func adminFailure(err error) error {
	var api caddy.APIError
	if errors.As(err, &api) {
		return api
	}
	var problems registry.Problems
	if errors.As(err, &problems) {
		return adminError(http.StatusUnprocessableEntity, "%s", problems.Error())
	}
	var syntax policy.SyntaxErrors
	if errors.As(err, &syntax) {
		return adminError(http.StatusUnprocessableEntity, "%s", syntaxText(syntax, 0))
	}
	var stale *staleError
	if errors.As(err, &stale) {
		return adminError(http.StatusPreconditionFailed, "%s", staleText(stale))
	}
	var used errItemInUse
	switch {
	case errors.As(err, &used):
		return adminError(http.StatusConflict, "证照目录 %s 已有电子证照，不能删除；如需停用请将 status 改为 CANCEL", used.code)
	case errors.Is(err, policy.ErrStale):
		return adminError(http.StatusConflict, "其间已有其他变更生效，请重新查看差异后再提交")
	case errors.Is(err, policy.ErrNoVersion):
		return adminError(http.StatusNotFound, "没有这个策略版本")
	case errors.Is(err, errUnknownObject):
		return adminError(http.StatusNotFound, "没有这个应用或账户")
	case errors.Is(err, errUnknownAction):
		return adminError(http.StatusNotFound, "没有这个操作")
	case errors.Is(err, errDevelopmentOff):
		return adminError(http.StatusForbidden, "配置未允许开发用实名凭据（licgate { credential { development loopback } }）")
	case errors.Is(err, audit.ErrUnavailable):
		return adminError(http.StatusServiceUnavailable, "审计记录无法保存，操作未执行")
	}
	return adminError(http.StatusInternalServerError, "操作失败：%v", err)
}

// placed gives faults of a declaration's further policy lines their line in the file.
func placed(err error, declared *registry.Platform) error {
	var syntax policy.SyntaxErrors
	if at := declared.Line("policy"); at > 0 && errors.As(err, &syntax) {
		return adminError(http.StatusUnprocessableEntity, "%s", syntaxText(syntax, at))
	}
	return err
}

func syntaxText(faults policy.SyntaxErrors, after int) string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("第 %d 行 policy 第 %d 列：%s", after+f.Line, f.Column, f.Message))
	}
	return strings.Join(lines, "\n")
}

// staleText shows what was changed meanwhile.
func staleText(e *staleError) string {
	text := fmt.Sprintf("版本 %d 已不是现行版本，现行版本为 %d。其间的变更：", e.base, e.head)
	for _, v := range e.since {
		text += fmt.Sprintf("\n版本 %d（%s）%s", v.Number, v.By, v.Why)
		var changes []registry.Change
		if json.Unmarshal(v.Changes, &changes) == nil {
			for _, c := range changes {
				text += "\n    " + c.String()
			}
		}
	}
	return text
}

var (
	_ caddy.AdminRouter = (*AdminAPI)(nil)
	_ caddy.Provisioner = (*AdminAPI)(nil)
)
