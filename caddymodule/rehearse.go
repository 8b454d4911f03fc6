package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"licgate/audit"
	"licgate/policy"
	"licgate/registry"
)

// A rehearsal is what a change would do, without doing it.
type rehearsal struct {
	Base    int64             `json:"base"` // version in force
	Changes []registry.Change `json:"changes"`
	Classes []string          `json:"classes,omitempty"`
	Shifts  []policy.Shift    `json:"shifts"` // what would be gained and lost
	// Partial says that there are more shifts than are listed.
	Partial bool      `json:"partial,omitempty"`
	Replay  *replayed `json:"replay,omitempty"`
	// Broken are the named test decisions that would not hold.
	Broken []brokenExpectation `json:"broken,omitempty"`
}

// rehearse plans a change and compares the rights before and after: exhaustively, and over the decisions of the last days on record (0:
// none).
func (a *App) rehearse(ctx context.Context, from declare, c change, days int) (*rehearsal, error) {
	p, err := a.plan(ctx, from, c)
	if err != nil {
		return nil, err
	}
	out := &rehearsal{Base: p.head.Number, Changes: p.Changes, Classes: registry.Classes(p.Changes, p.current, p.Next)}
	if c.by.may(powerSecurity) == nil { // the decisions tell of rights
		if out.Broken, err = a.broken(p, c); err != nil && !c.spared(p.Changes) {
			return nil, err
		}
	}
	if out.Shifts, out.Partial, err = a.shiftsOf(ctx, p); err != nil {
		return nil, err
	}
	if days > 0 {
		out.Replay, err = a.replay(ctx, p.state, days)
	}
	return out, err
}

// before is the state that a change was planned over. This node may not have caught up with it yet.
func (a *App) before(p *plannedChange) (*state, error) {
	if now := a.gateway.state.Load(); now.version == p.head.Number {
		return now, nil
	}
	return a.gateway.newState(p.head.Number, p.current, p.head.Lines)
}

// shiftsOf are the rights that a change would give and take.
func (a *App) shiftsOf(ctx context.Context, p *plannedChange) ([]policy.Shift, bool, error) {
	before, err := a.before(p)
	if err != nil {
		return nil, false, err
	}
	return shifts(ctx, before.side(), p.state.side())
}

// side is a state as the policy compares it.
func (s *state) side() policy.Side {
	return policy.Side{Decider: s.decider, Facts: factsOf(s.registry.Platform())}
}

func shifts(ctx context.Context, before, after policy.Side) ([]policy.Shift, bool, error) {
	found, err := listed(policy.Differ(ctx, before, after))
	partial := errors.Is(err, policy.ErrTooMany)
	if partial {
		err = nil
	}
	return found, partial, err
}

// replayed is what the decisions on record would have been under another policy.
type replayed struct {
	Since     time.Time        `json:"since"`
	Decisions int              `json:"decisions"` // that were asked again
	Different []replayedChange `json:"different"`
	// Damaged says that the journal could not be read whole.
	Damaged bool `json:"damaged,omitempty"`
}

// replayedChange is one question of the record that would be answered differently.
type replayedChange struct {
	App         string        `json:"app"`
	Account     string        `json:"account"`
	Department  string        `json:"department"`
	Interface   string        `json:"interface"`
	Item        string        `json:"item"`
	Field       string        `json:"field,omitempty"` // it was shown in clear and would be masked
	ServiceItem string        `json:"service_item,omitempty"`
	Allow       bool          `json:"allow"` // what it would be
	Reason      policy.Reason `json:"reason,omitempty"`
	Count       int           `json:"count"`
	ResponseID  string        `json:"response_id"` // the last one
}

// replay asks the decisions of the last days again of what would be in force.
func (a *App) replay(ctx context.Context, next *state, days int) (*replayed, error) {
	out := &replayed{Since: time.Now().AddDate(0, 0, -days), Different: []replayedChange{}}
	found := map[replayedChange]*replayedChange{}
	note := func(r *audit.Record, change replayedChange) {
		change.App, change.Account, change.Department = r.App, r.Account, r.Department
		change.Interface, change.ServiceItem = r.Interface, r.ServiceItem
		one := found[change]
		if one == nil {
			kept := change
			one = &kept
			found[change] = one
		}
		one.Count++
		one.ResponseID = r.ResponseID
	}
	err := a.records(ctx, audit.Query{Since: out.Since}, func(r *audit.Record) {
		if r.Event != "request" || r.PolicyVersion == 0 || r.Reason == string(reasonLocked) {
			return
		}
		q := questionOf(r)
		ruling := next.decider.Judge(q)
		out.Decisions++
		if ruling.Allow != r.Allow {
			note(r, replayedChange{Item: r.Item, Allow: ruling.Allow, Reason: ruling.Reason})
		}
		for _, shown := range r.ClearFields {
			item, field, _ := strings.Cut(shown, "#")
			q.Item = item
			if len(next.decider.Clear(q, []string{field})) == 0 {
				note(r, replayedChange{Item: item, Field: field})
			}
		}
	})
	if out.Damaged = errors.Is(err, audit.ErrDamaged); out.Damaged {
		err = nil
	}
	for _, one := range found {
		out.Different = append(out.Different, *one)
	}
	slices.SortFunc(out.Different, func(x, y replayedChange) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.App, y.App), cmp.Compare(x.Account, y.Account),
			cmp.Compare(x.Interface, y.Interface), cmp.Compare(x.Item, y.Item), cmp.Compare(x.Field, y.Field), cmp.Compare(x.ServiceItem, y.ServiceItem))
	})
	return out, err
}

// questionOf is the question that a recorded request asked.
func questionOf(r *audit.Record) policy.Request {
	return policy.Request{
		App: r.App, Account: r.Account, Department: r.Department, Item: r.Item, Interface: r.Interface, ServiceItem: r.ServiceItem,
	}
}

// longestDays bounds how far back decisions on record are asked for.
const longestDays = 366

func checkDays(days int) error {
	if days < 0 || days > longestDays {
		return adminError(http.StatusUnprocessableEntity, "days 应为 0 到 %d", longestDays)
	}
	return nil
}

// records reads the journal of this node, record by record. One reading goes on at a time: it takes a core, which callers need.
func (a *App) records(ctx context.Context, q audit.Query, visit func(*audit.Record)) error {
	select {
	case a.reading <- struct{}{}:
		defer func() { <-a.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return audit.Search(ctx, a.auditFolder(), q, func(r *audit.Record, _ []byte) error {
		visit(r)
		return nil
	})
}

// auditFolder is where this node's journal lies.
func (a *App) auditFolder() string { return filepath.Join(a.Data, "audit") }

// brokenExpectation is a named test decision that does not hold.
type brokenExpectation struct {
	Name   string        `json:"name"`
	Line   int           `json:"line"`
	Want   string        `json:"want"`
	Allow  bool          `json:"allow"` // what it is
	Reason policy.Reason `json:"reason"`
	// Fault says in Chinese why the decision proves nothing, whatever it is: nobody has that name.
	Fault string `json:"fault,omitempty"`

	Field string `json:"field,omitempty"` // that it is about

	// Already says that it does not hold in the version in force, before the change, either.
	Already bool `json:"already,omitempty"`
	// Refuses says that the change is refused for it.
	Refuses bool `json:"refuses,omitempty"`
}

var wantTexts = map[string]string{"allow": "允许", "deny": "拒绝", "clear": "明文", "masked": "脱敏"}

// text says what is wrong; verb is how it is told: 实为, 将为.
func (b brokenExpectation) text(verb string) string {
	if b.Fault != "" {
		return fmt.Sprintf("第 %d 行 %s：%s（%s）", b.Line, b.Name, b.Fault, b.Reason)
	}
	is := allowText(b.Allow)
	if b.Field != "" {
		is = wantTexts[map[bool]string{true: "clear", false: "masked"}[b.Allow]]
	}
	return fmt.Sprintf("第 %d 行 %s：应为%s，%s%s（%s，%s）", b.Line, b.Name, wantTexts[b.Want], verb, is, b.Reason, reasonTexts[b.Reason])
}

// verdict says what follows from it for a change, and what is wrong.
func (b brokenExpectation) verdict(verb string) string {
	what := "不因此拒绝"
	switch {
	case b.Refuses:
		what = "将被拒绝"
	case b.Already:
		what = "变更之前已如此，不因此拒绝"
	}
	return "命名判定不通过，" + what + "：" + b.text(verb)
}

// expectations reads the named test decisions; none where there is no file.
func (a *App) expectations() ([]policy.Expectation, error) {
	text, err := os.ReadFile(a.Decisions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the named test decisions: %w", err)
	}
	return parseExpectations(text)
}

func parseExpectations(text []byte) ([]policy.Expectation, error) {
	all, err := policy.ParseExpectations(string(text))
	var syntax policy.SyntaxErrors
	if errors.As(err, &syntax) {
		return nil, adminError(http.StatusUnprocessableEntity, "命名判定文件有误：\n%s", syntaxText("", syntax, 0))
	}
	return all, err
}

// broken are the named test decisions that do not hold once a change is in force. They are read each time: what is accepted is held to
// the file as it is then. What concerns administrators alone changes no decision and is not asked.
func (a *App) broken(p *plannedChange, c change) ([]brokenExpectation, error) {
	if registry.Administrative(p.Changes) {
		return nil, nil
	}
	all, err := a.expectations()
	if err != nil {
		return nil, err
	}
	broken := p.state.unmet(all)
	if len(broken) == 0 {
		return nil, nil
	}
	before, err := a.before(p)
	if err != nil {
		return nil, err
	}
	was := map[int]brokenExpectation{} // by line
	for _, b := range before.unmet(all) {
		was[b.Line] = b
	}
	for i := range broken {
		b := &broken[i]
		old, already := was[b.Line]
		// About nobody before, and about somebody with other rights now: that is what this change does.
		b.Already = already && (old.Fault == "" || b.Fault != "")
		b.Refuses = !b.Already && !c.spared(p.Changes)
	}
	return broken, nil
}

// spared reports whether a change is only warned of the named test decisions that it breaks: who must be kept out at once is not let in by
// a line of a file that another power writes.
func (c change) spared(changes []registry.Change) bool {
	return c.force || registry.Withdrawal(changes)
}

// held holds a change to the named test decisions: it is refused for those that it breaks, and warned of all others that do not hold.
func (a *App) held(p *plannedChange, c change) (warnings []string, err error) {
	broken, err := a.broken(p, c)
	if err != nil {
		if c.spared(p.Changes) {
			return []string{"命名判定未能检查，不因此拒绝：" + adminFailure(err).Error()}, nil
		}
		return nil, err
	}
	var refusals []string
	for _, b := range broken {
		if b.Refuses {
			refusals = append(refusals, "\n"+b.text("将为"))
		} else {
			warnings = append(warnings, b.verdict("将为"))
		}
	}
	if len(refusals) > 0 {
		return nil, adminError(http.StatusConflict, "命名判定未通过，变更未生效。确要如此请加 --force（会记入审计）：%s", strings.Join(refusals, ""))
	}
	return warnings, nil
}

// unmet are the decisions that do not hold in a state.
func (s *state) unmet(all []policy.Expectation) []brokenExpectation {
	var broken []brokenExpectation
	for _, e := range all {
		// What is refused because nobody is there proves nothing of the rights.
		if reason := s.nobody(e.Request.App, e.Request.Account); reason != "" {
			broken = append(broken, brokenExpectation{
				Name: e.Name, Line: e.Line, Want: e.Want, Reason: reason,
				Fault: map[policy.Reason]string{
					reasonNoApp: "所指的应用 " + e.Request.App, reasonNoAccount: "所指的账户 " + e.Request.Account,
				}[reason] + " 不存在，这条判定没有意义：请改用已登记的名称",
			})
			continue
		}
		if e.Request.Department == "" {
			e.Request.Department = s.homeOf(e.Request.Account, "")
		}
		if e.Met(s.decider) {
			continue
		}
		got := s.explanation(e.Request, e.Field)
		broken = append(broken, brokenExpectation{Name: e.Name, Line: e.Line, Want: e.Want, Allow: got.Allow, Reason: got.Reason, Field: e.Field})
	}
	return broken
}

// homeOf is the department that an account acts for unless it says otherwise; of an unknown account the application's.
func (s *state) homeOf(account, app string) string {
	if found, ok := s.registry.Account(account); ok {
		return found.Department
	}
	if found, ok := s.registry.Application(app); ok {
		return found.Department
	}
	return ""
}

// explanation explains a call, or a field's being shown in clear.
func (s *state) explanation(q policy.Request, field string) policy.Explanation {
	if field != "" {
		return policy.ExplainClear(s.decider, q, field)
	}
	return policy.Explain(s.decider, q)
}

func allowText(allow bool) string {
	if allow {
		return "允许"
	}
	return "拒绝"
}
