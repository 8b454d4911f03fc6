package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"licgate/audit"
	"licgate/gm"
	"licgate/policy"
	"licgate/protocol"
	"licgate/registry"
)

// explainRequest is a question: of a call, of a field in clear, or of what a response_id was answered.
type explainRequest struct {
	App         string `json:"app,omitempty"`
	Account     string `json:"account,omitempty"`
	Department  string `json:"department,omitempty"` // default: the account's
	Item        string `json:"item,omitempty"`
	Field       string `json:"field,omitempty"` // is it shown in clear?
	Interface   string `json:"interface,omitempty"`
	ServiceItem string `json:"service_item,omitempty"`
	Version     int64  `json:"version,omitempty"` // default: in force
	ResponseID  string `json:"response_id,omitempty"`
}

// explained is an explanation with what was asked, and of a recorded request with what happened.
type explained struct {
	policy.Explanation
	Question explainRequest `json:"question"`
	Recorded *recorded      `json:"recorded,omitempty"`
}

type recorded struct {
	Time      time.Time `json:"time"`
	Allow     bool      `json:"allow"`
	Reason    string    `json:"reason"`
	Outcome   string    `json:"outcome"`
	ErrorCode string    `json:"error_code,omitempty"`
	// Unjudged says that the policy was not asked: what failed had failed before. ErrorText and Remedy are of the error table then.
	Unjudged  bool   `json:"unjudged,omitempty"`
	ErrorText string `json:"error_text,omitempty"`
	Remedy    string `json:"remedy,omitempty"`
}

// recordedOf is what a record says of the outcome.
func recordedOf(r *audit.Record) *recorded {
	out := &recorded{Time: r.Time, Allow: r.Allow, Reason: r.Reason, Outcome: r.Outcome, ErrorCode: r.ErrorCode, Unjudged: r.PolicyVersion == 0}
	if code := protocol.FindCode(r.ErrorCode); out.Unjudged && code != nil {
		out.ErrorText, out.Remedy = code.Text, code.Remedy
	}
	return out
}

// Reasons of an explanation that are none of the policy's: it would say that there is no grant, or no role, of whom there is not.
const (
	reasonNoApp     policy.Reason = "no_app"
	reasonNoAccount policy.Reason = "no_account"
)

// nobody says which name of a question nobody has; "" when both are known.
func (s *state) nobody(app, account string) policy.Reason {
	if _, known := s.registry.Application(app); !known {
		return reasonNoApp
	}
	if _, known := s.registry.Account(account); !known {
		return reasonNoAccount
	}
	return ""
}

// explain says why a request would be allowed or refused now, or was at its version.
func (c *adminCall) explain(q explainRequest) (*explained, error) {
	out := &explained{}
	if q.ResponseID != "" {
		r, err := c.app.recordOf(c.r.Context(), q.ResponseID)
		if err != nil {
			return nil, err
		}
		out.Recorded = recordedOf(r)
		q = explainRequest{
			App: r.App, Account: r.Account, Department: r.Department, Item: r.Item, Interface: r.Interface, ServiceItem: r.ServiceItem,
			Version: r.PolicyVersion, ResponseID: q.ResponseID, Field: q.Field,
		}
		if out.Recorded.Unjudged {
			out.Question = q
			out.Explanation = policy.Explanation{Allow: r.Allow, Reason: policy.Reason(r.Reason), Steps: []policy.Step{}}
			return out, nil
		}
	}
	st, err := c.app.stateAt(c.r.Context(), q.Version)
	if err != nil {
		return nil, err
	}
	if q.Department == "" {
		q.Department = st.homeOf(q.Account, q.App)
	}
	out.Question = q
	if reason := st.nobody(q.App, q.Account); reason != "" && out.Recorded == nil {
		out.Explanation = policy.Explanation{Reason: reason, Steps: []policy.Step{}, Version: st.version}
		return out, nil
	}
	out.Explanation = st.explanation(policy.Request{
		App: q.App, Account: q.Account, Department: q.Department, Item: q.Item, Interface: q.Interface, ServiceItem: q.ServiceItem,
	}, q.Field)
	return out, nil
}

// recordOf finds the record of an answer in this node's journal.
func (a *App) recordOf(ctx context.Context, responseID string) (*audit.Record, error) {
	var found *audit.Record
	err := a.records(ctx, audit.Query{ResponseID: responseID, Event: audit.EventRequest, Limit: 1}, func(r *audit.Record) { found = r })
	if err != nil && !errors.Is(err, audit.ErrDamaged) {
		return nil, err
	}
	if found == nil {
		return nil, adminError(http.StatusNotFound, "本节点的审计记录中没有应答标识 %s", responseID)
	}
	return found, nil
}

// stateAt is the state of a version: compiled again for an earlier one, which decides nothing. 0 is the one in force.
func (a *App) stateAt(ctx context.Context, number int64) (*state, error) {
	st := a.gateway.state.Load()
	if number == 0 || number == st.version {
		return st, nil
	}
	then, err := a.gateway.store.Policies().Get(ctx, number)
	if err != nil {
		return nil, err
	}
	platform, err := registry.Parse(then.Platform)
	if err != nil {
		return nil, fmt.Errorf("the declaration of version %d: %w", number, err)
	}
	decider, err := policy.Compile(then.Number, then.Lines)
	if err != nil {
		return nil, err
	}
	return &state{version: then.Number, registry: registry.NewSnapshot(platform), decider: decider}, nil
}

// versionRow is a version: its changes are JSON, and its declaration text, not bytes.
type versionRow struct {
	policy.Version
	Changes  json.RawMessage `json:"changes,omitempty"`
	Platform string          `json:"platform,omitempty"`
}

func rowOf(v policy.Version) versionRow { return versionRow{v, v.Changes, string(v.Platform)} }

type historyQuery struct {
	Limit int `json:"limit,omitempty"` // default 50
}

func (c *adminCall) history(q historyQuery) ([]versionRow, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	versions, err := c.app.gateway.store.Policies().List(c.r.Context(), q.Limit)
	rows := make([]versionRow, 0, len(versions))
	for _, v := range versions {
		rows = append(rows, rowOf(v))
	}
	return rows, err
}

// number is the version in the path.
func (c *adminCall) number() (int64, error) {
	n, err := strconv.ParseInt(c.path["number"], 10, 64)
	if err != nil || n < 0 {
		return 0, adminError(http.StatusBadRequest, "版本号应为数字")
	}
	return n, nil
}

func (c *adminCall) version(nothing) (any, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	v, err := c.app.gateway.store.Policies().Get(c.r.Context(), n)
	if err != nil {
		return nil, err
	}
	return versioned{v.Number, rowOf(v)}, nil
}

type diffQuery struct {
	Against int64 `json:"against,omitempty"` // the later version; default: the one in force
}

// diffed is what one version allows and another does not.
type diffed struct {
	From    int64          `json:"from"`
	To      int64          `json:"to"`
	Shifts  []policy.Shift `json:"shifts"`
	Partial bool           `json:"partial,omitempty"`
}

func (c *adminCall) diff(q diffQuery) (*diffed, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	before, err := c.app.stateAt(c.r.Context(), n)
	if err != nil {
		return nil, err
	}
	after, err := c.app.stateAt(c.r.Context(), q.Against)
	if err != nil {
		return nil, err
	}
	out := &diffed{From: before.version, To: after.version}
	out.Shifts, out.Partial, err = shifts(c.r.Context(), before.side(), after.side())
	return out, err
}

// chainReport says whether the versions are what was accepted, one after another.
type chainReport struct {
	Versions int64  `json:"versions"`
	Fault    string `json:"fault,omitempty"`
}

// verifyChain reads every version and checks its hash and its parent.
func (c *adminCall) verifyChain(nothing) (chainReport, error) {
	var parent policy.Version
	versions := c.app.gateway.store.Policies()
	for n := int64(1); ; n++ {
		v, err := versions.Get(c.r.Context(), n)
		if errors.Is(err, policy.ErrNoVersion) && n > c.app.gateway.state.Load().version {
			return chainReport{Versions: n - 1}, nil
		}
		if err == nil {
			err = policy.Verify(v, parent, gm.SM3)
		}
		if errors.Is(err, policy.ErrNoVersion) || errors.Is(err, policy.ErrBrokenChain) || errors.Is(err, gm.ErrIntegrity) {
			return chainReport{Versions: n - 1, Fault: fmt.Sprintf("版本 %d 缺失或被改动", n)}, nil
		}
		if err != nil {
			return chainReport{}, err
		}
		parent = v
	}
}

type rollbackRequest struct {
	changeRequest
	Version int64 `json:"version"`
}

// rollback declares again what a version was made of, as a new version. Secrets and passwords stay as they are; what was removed
// since is made anew, with fresh ones. The three powers are not rolled back: who may act now decides.
func (c *adminCall) rollback(q rollbackRequest) (*applied, error) {
	then, err := c.app.gateway.store.Policies().Get(c.r.Context(), q.Version)
	if err != nil {
		return nil, err
	}
	declared, err := registry.Parse(then.Platform)
	if err != nil {
		return nil, fmt.Errorf("the declaration of version %d: %w", q.Version, err)
	}
	present(declared)
	declared.Administrators = nil
	how, err := c.change(q.changeRequest)
	if err != nil {
		return nil, err
	}
	how.why = strings.TrimSpace(fmt.Sprintf("回滚到版本 %d %s", q.Version, q.Why))
	return c.app.apply(c.r.Context(), as(declared), how)
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
	p.Masking = append([]registry.MaskRule{}, p.Masking...)
	if p.Policy == nil {
		p.Policy = new(string)
	}
}

type planRequest struct {
	File string `json:"file"`           // platform.yaml
	Days int    `json:"days,omitempty"` // of decisions on record to ask again; 0: none
}

// rehearse says what a file would change, gain and lose.
func (c *adminCall) rehearse(q planRequest) (*rehearsal, error) {
	declared, err := registry.Parse([]byte(q.File))
	if err != nil {
		return nil, err
	}
	match, err := c.ifMatch()
	if err == nil {
		err = checkDays(q.Days)
	}
	if err != nil {
		return nil, err
	}
	out, err := c.app.rehearse(c.r.Context(), as(declared),
		change{by: c.who, ifMatch: match}, q.Days)
	if err != nil {
		return nil, placed(err, declared)
	}
	return out, nil
}

type testRequest struct {
	// File holds named decisions; empty: those that every version has to pass.
	File    string `json:"file,omitempty"`
	Version int64  `json:"version,omitempty"` // default: in force
}

// tested is the outcome of named test decisions.
type tested struct {
	Version int64               `json:"version"`
	Count   int                 `json:"count"`
	Broken  []brokenExpectation `json:"broken"`
}

func (c *adminCall) test(q testRequest) (*tested, error) {
	all, err := c.app.expectations()
	if q.File != "" {
		all, err = parseExpectations([]byte(q.File))
	}
	if err != nil {
		return nil, err
	}
	st, err := c.app.stateAt(c.r.Context(), q.Version)
	if err != nil {
		return nil, err
	}
	out := &tested{Version: st.version, Count: len(all), Broken: st.unmet(all)}
	if out.Broken == nil {
		out.Broken = []brokenExpectation{}
	}
	return out, nil
}

// whoRequest asks who may call an interface on an item, or see a field of it in clear.
type whoRequest struct {
	Item       string `json:"item"`
	Field      string `json:"field,omitempty"`
	Interface  string `json:"interface,omitempty"`
	App        string `json:"app,omitempty"`
	Account    string `json:"account,omitempty"`
	Department string `json:"department,omitempty"`
	Days       int    `json:"days,omitempty"` // of records to count uses in; default 30
}

// whoRow is one who may.
type whoRow struct {
	policy.Holder
	Since      int64     `json:"since"` // version from which on
	SinceTime  time.Time `json:"since_time"`
	By         string    `json:"by"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Forms      []string  `json:"forms,omitempty"` // application forms that the grants came from
	Uses       int       `json:"uses"`
	LastUse    time.Time `json:"last_use,omitzero"`
}

// who lists who may, under which lines, since when and by whose approval, and how often it was used.
func (c *adminCall) whoMay(q whoRequest) ([]whoRow, error) {
	if err := checkDays(q.Days); err != nil {
		return nil, err
	}
	st := c.app.gateway.state.Load()
	item, ok := st.registry.Item(q.Item)
	if !ok {
		return nil, adminError(http.StatusNotFound, "没有证照目录 %q", q.Item)
	}
	if q.Field != "" && !slices.ContainsFunc(item.Fields, func(f registry.Field) bool { return f.Key == q.Field && f.Sensitive != "" }) {
		return nil, adminError(http.StatusNotFound, "证照目录 %s 没有敏感数据项 %q；不敏感的数据项不脱敏，有用证权的都能看到", item.LicenseItemCode, q.Field)
	}
	holders, err := policy.Who(c.r.Context(), st.decider, factsOf(st.registry.Platform()), policy.Ask{
		Item: item.LicenseItemCode, Field: q.Field, Interface: q.Interface, App: q.App, Account: q.Account, Department: q.Department,
	})
	if err != nil {
		return nil, err
	}
	uses, err := c.app.uses(c.r.Context(), item.LicenseItemCode, q)
	if err != nil {
		return nil, err
	}
	reasons := make([][]string, len(holders))
	for i := range holders {
		reasons[i] = st.reasons(item.LicenseItemCode, &holders[i])
	}
	since, err := c.app.since(c.r.Context(), reasons)
	if err != nil {
		return nil, err
	}
	rows := make([]whoRow, 0, len(holders))
	for i, h := range holders {
		row := whoRow{Holder: h}
		for _, line := range reasons[i] {
			if v := since[line]; v.Number > row.Since {
				row.Since, row.SinceTime, row.By, row.ApprovedBy = v.Number, v.At, v.By, v.ApprovedBy
			}
		}
		row.Forms = formsOf(st.registry, h.App, item.LicenseItemCode)
		used := uses[useKey{h.Department, h.App, h.Account, h.Interface, h.Field}]
		row.Uses, row.LastUse = used.count, used.last
		rows = append(rows, row)
	}
	return rows, nil
}

// reasons are the lines by which a holder may: those that decide, and the roles, groups and departments that lead to them. A role that
// was given yesterday gives since yesterday what others of the role may since long.
func (s *state) reasons(item string, h *policy.Holder) []string {
	q := policy.Request{App: h.App, Account: h.Account, Department: h.Department, Item: item, Interface: h.Interface}
	if len(h.ServiceItems) > 0 && h.ServiceItems[0] != "*" {
		q.ServiceItem = h.ServiceItems[0]
	}
	lines := slices.Clone(h.Lines)
	for _, step := range s.explanation(q, h.Field).Steps {
		lines = append(lines, step.Via...)
	}
	return lines
}

// since finds from which version on each line has been in force.
func (a *App) since(ctx context.Context, reasons [][]string) (map[string]policy.Version, error) {
	lines := slices.Concat(reasons...)
	slices.Sort(lines)
	head, err := a.gateway.store.Policies().Head(ctx)
	if err != nil {
		return nil, err
	}
	return policy.Since(ctx, a.gateway.store.Policies(), head, slices.Compact(lines))
}

// formsOf are the application forms behind an application's grants for an item.
func formsOf(s *registry.Snapshot, appKey, item string) []string {
	a, ok := s.Application(appKey)
	if !ok {
		return nil
	}
	var forms []string
	for _, g := range a.Grants {
		if g.Form != "" && (slices.Contains(g.Items, item) || slices.Contains(g.Items, "*")) && !slices.Contains(forms, g.Form) {
			forms = append(forms, g.Form)
		}
	}
	return forms
}

type useKey struct{ department, app, account, call, field string }

type used struct {
	count int
	last  time.Time
}

// uses counts what this node's journal says was used of an item in the last days.
func (a *App) uses(ctx context.Context, item string, q whoRequest) (map[useKey]used, error) {
	days := q.Days
	if days <= 0 {
		days = 30
	}
	counted := map[useKey]used{}
	count := func(key useKey, at time.Time) {
		one := counted[key]
		one.count++
		one.last = at
		counted[key] = one
	}
	err := a.records(ctx, audit.Query{Since: time.Now().AddDate(0, 0, -days), App: q.App, Account: q.Account, Department: q.Department}, func(r *audit.Record) {
		if r.Event != "request" || !r.Allow {
			return
		}
		if r.Item == item {
			count(useKey{r.Department, r.App, r.Account, r.Interface, ""}, r.Time)
		}
		for _, shown := range r.ClearFields {
			if of, field, _ := strings.Cut(shown, "#"); of == item {
				count(useKey{r.Department, r.App, r.Account, "", field}, r.Time)
			}
		}
	})
	if errors.Is(err, audit.ErrDamaged) {
		err = nil
	}
	return counted, err
}
