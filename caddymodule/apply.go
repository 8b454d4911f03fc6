package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"licgate/audit"
	"licgate/gm"
	"licgate/policy"
	"licgate/registry"
	"licgate/session"
)

// errItemInUse says that a catalogue item with licences would be removed.
type errItemInUse struct{ code string }

func (e errItemInUse) Error() string { return "item in use: " + e.code }

// applied is what an apply did, or would do.
type applied struct {
	*registry.Planned
	Version int64 `json:"version"` // in force afterwards
	DryRun  bool  `json:"dry_run,omitempty"`
	// Warnings say what could not be done once the version was in force.
	Warnings []string `json:"warnings,omitempty"`
}

// change says who changes the platform and why.
type change struct {
	by, why string
	dryRun  bool  // only say what would happen
	ifMatch int64 // refuse when another version is in force; 0: whatever is
}

// staleError says that the version a change was made for is not in force any more, and what was changed since.
type staleError struct {
	base, head int64
	since      []policy.Version
}

func (e *staleError) Error() string {
	return fmt.Sprintf("version %d is not in force, %d is", e.base, e.head)
}

func (a *App) staleSince(ctx context.Context, base, head int64) error {
	stale := &staleError{base: base, head: head}
	versions, err := a.gateway.store.Policies().List(ctx, int(min(max(head-base, 0), 20)))
	if err != nil {
		return err
	}
	stale.since = versions
	return stale
}

// declare makes a declaration from what is in force, under the lock of writers.
type declare func(current *registry.Platform) (*registry.Platform, error)

// apply lays a declaration over the registry, writes registry and policy version in one transaction, and swaps them
// in.
func (a *App) apply(ctx context.Context, from declare, c change) (*applied, error) {
	g := a.gateway
	g.change.Lock()
	defer g.change.Unlock()

	current, _, err := g.store.LoadPlatform(ctx)
	if err != nil {
		return nil, err
	}
	head, err := g.store.Policies().Head(ctx)
	if err != nil {
		return nil, err
	}
	if c.ifMatch > 0 && c.ifMatch != head.Number {
		return nil, a.staleSince(ctx, c.ifMatch, head.Number)
	}
	declared, err := from(current)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	planned, err := registry.Plan(current, declared, vault{g.keys}, c.by, now)
	if err != nil {
		return nil, err
	}
	for _, code := range registry.RemovedItems(planned.Changes) {
		used, err := g.store.Licences().HasLicences(ctx, code)
		if err != nil {
			return nil, err
		}
		if used {
			return nil, errItemInUse{code}
		}
	}
	lines, err := policyLines(planned.Next)
	if err != nil {
		return nil, err
	}
	result := &applied{Planned: planned, Version: head.Number, DryRun: c.dryRun}
	next, err := g.newState(head.Number+1, planned.Next, lines)
	if err != nil {
		return nil, err
	}
	if c.dryRun {
		// Secrets that would be generated are not shown: a later run makes others.
		planned.Generated = nil
		return result, nil
	}
	if len(planned.Changes) == 0 {
		return result, nil
	}
	changes, err := json.Marshal(planned.Changes)
	if err != nil {
		return nil, fmt.Errorf("encoding the difference: %w", err)
	}
	// Every call is on record before it acts.
	if err := g.journal.Append(ctx, &audit.Record{
		Event: "admin", Time: now, Account: c.by, Interface: "apply", Outcome: "ATTEMPT", Allow: true,
		PolicyVersion: head.Number + 1, Detail: fmt.Sprintf("变更 %d 项；%s", len(planned.Changes), c.why),
	}); err != nil {
		return nil, err
	}
	document, err := registry.Render(planned.Next)
	if err != nil {
		return nil, fmt.Errorf("writing the declaration of a version: %w", err)
	}
	// From here on the change happens whole, whether or not the administrator waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	version := policy.Seal(head, policy.Version{
		At: now, By: c.by, Why: c.why, Lines: lines, Changes: changes, Platform: document,
	}, gm.SM3)
	if err := g.store.SavePlatform(ctx, planned.Next, version); err != nil {
		return nil, err
	}
	g.state.Store(next)
	result.Version = version.Number
	a.logger.Info("registry and policy changed", zap.Int64("policy_version", version.Number),
		zap.String("by", c.by), zap.Int("changes", len(planned.Changes)), zap.String("hash", version.Hash))
	// What was opened under other credentials, or by somebody disabled since, ends with them.
	for _, m := range outdated(current, planned.Next) {
		if _, err := g.sessionManager(a).End(ctx, m); err != nil {
			a.warn(result, "变更已生效，但有会话未能结束，请用 sessions/end 接口重试", err)
		}
	}
	if err := a.event("policy", fmt.Sprintf("策略版本 %d 生效，摘要 %s", version.Number, version.Hash)); err != nil {
		a.warn(result, "变更已生效，但生效记录未能写入审计", err)
	}
	return result, nil
}

// changeTimeout bounds the writing of a change.
const changeTimeout = time.Minute

// warn notes what failed after the point of no return: an error would say that nothing was done, and lose what is shown once.
func (a *App) warn(result *applied, text string, err error) {
	result.Warnings = append(result.Warnings, text)
	a.logger.Error("after a change", zap.Int64("policy_version", result.Version), zap.Error(err))
}

// outdated selects the sessions of applications and accounts that are gone, were disabled, moved, or have another secret or
// password.
func outdated(before, after *registry.Platform) []session.Match {
	s := registry.NewSnapshot(after)
	var out []session.Match
	for _, a := range before.Applications {
		now, ok := s.Application(a.AppKey)
		if !ok || now.Disabled && !a.Disabled || now.SecretHash != a.SecretHash || now.Department != a.Department {
			out = append(out, session.Match{AppKey: a.AppKey})
		}
	}
	for _, a := range before.Accounts {
		now, ok := s.Account(a.Account)
		if !ok || now.Disabled && !a.Disabled || now.PasswordHash != a.PasswordHash || now.Department != a.Department {
			out = append(out, session.Match{Account: a.Account})
		}
	}
	return out
}
