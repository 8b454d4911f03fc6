package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// applied is what a change did, or would do.
type applied struct {
	*registry.Planned
	Version int64 `json:"version"` // in force afterwards
	DryRun  bool  `json:"dry_run,omitempty"`
	// Pending is the number of the change that now waits for a second administrator; 0: it is in force.
	Pending int64 `json:"pending,omitempty"`
	// Secrets says that the waiting change will make secrets, which go to who approves it.
	Secrets bool `json:"secrets,omitempty"`
	// Classes are those of the changes (approval).
	Classes []string `json:"classes,omitempty"`
	// Warnings say which named test decisions do not hold, and what could not be done once the version was in force.
	Warnings []string `json:"warnings,omitempty"`
}

// change says who changes the platform and why.
type change struct {
	by      administrator
	why     string
	dryRun  bool           // only say what would happen
	ifMatch int64          // refuse when another version is in force; 0: whatever is
	force   bool           // it may empty the policy, lock out the last security administrator or break named test decisions
	form    *registry.Form // that it comes from

	own      bool   // an administrator's own password: needs no second person
	proved   string // hash of the password that proved it was him
	password string // for set-password

	// approves is the pending change that this one brings into force; its Changes must be what comes out.
	approves *registry.Pending
	note     string // of who approves
	// propose makes it wait for a second person whatever its class.
	propose bool
	alone   bool // it needed a second person, but there is nobody else
}

// declare makes a declaration from what is in force, under the lock of writers.
type declare func(current *registry.Platform) (*registry.Platform, error)

// as declares the same whatever is in force.
func as(declared *registry.Platform) declare {
	return func(*registry.Platform) (*registry.Platform, error) { return declared, nil }
}

// planned is a change that was thought through and can be written.
type plannedChange struct {
	*registry.Planned
	declared, current *registry.Platform
	head              policy.Version
	lines             []string
	state             *state
	now               time.Time
}

// plan lays a declaration over what is in force and builds the state that it would make. Nothing is written, and no lock is held:
// hashing many passwords takes minutes.
func (a *App) plan(ctx context.Context, from declare, c change) (*plannedChange, error) {
	g := a.gateway
	current, number, err := g.store.LoadPlatform(ctx)
	if err != nil {
		return nil, err
	}
	head, err := g.store.Policies().Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Number != number {
		return nil, policy.ErrStale // another node's change came between the two reads: laid over the old platform it would be undone
	}
	if c.ifMatch > 0 && c.ifMatch != head.Number {
		return nil, a.staleSince(ctx, c.ifMatch, head.Number)
	}
	declared, err := from(current)
	if err != nil {
		return nil, err
	}
	p := &plannedChange{declared: declared, current: current, head: head, now: time.Now()}
	if p.Planned, err = registry.Plan(current, declared, patientVault{vault{g.keys}, ctx}, c.by.String(), p.now); err != nil {
		return nil, err
	}
	if err := declared.CheckFaces(g.faces.judge); err != nil {
		return nil, err
	}
	for _, code := range registry.RemovedItems(p.Changes) {
		used, err := g.store.Licences().HasLicences(ctx, code)
		if err != nil {
			return nil, err
		}
		if used {
			return nil, errItemInUse{code}
		}
	}
	if p.lines, err = policyLines(p.Next); err != nil {
		return nil, err
	}
	if p.state, err = g.newState(head.Number+1, p.Next, p.lines); err != nil {
		return nil, err
	}
	return p, nil
}

// patientVault hashes passwords until who asked for it has gone: a file may hold thousands.
type patientVault struct {
	vault
	ctx context.Context
}

func (v patientVault) HashPassword(password string) (string, error) {
	if err := v.ctx.Err(); err != nil {
		return "", err
	}
	return v.vault.HashPassword(password)
}

// planned plans a change, and takes the lock of writers for it unless it is only asked what would happen; the caller unlocks. It is
// planned again when another version was accepted meanwhile, at last with the lock held: a busy neighbour shall keep nobody out for ever.
func (a *App) planned(ctx context.Context, from declare, c change) (p *plannedChange, unlock func(), err error) {
	lock := a.gateway.change
	for range 2 {
		p, err = a.plan(ctx, from, c)
		if errors.Is(err, policy.ErrStale) {
			continue
		}
		if err != nil || c.dryRun {
			return p, func() {}, err
		}
		if err := lock.take(ctx); err != nil {
			return nil, nil, err
		}
		head, err := a.gateway.store.Policies().Head(ctx)
		if err == nil && head.Number == p.head.Number {
			return p, lock.give, nil
		}
		lock.give()
		if err != nil {
			return nil, nil, err
		}
	}
	if err := lock.take(ctx); err != nil {
		return nil, nil, err
	}
	if p, err = a.plan(ctx, from, c); err != nil {
		lock.give()
		return nil, nil, err
	}
	return p, lock.give, nil
}

// apply lays a declaration over the registry, writes registry and policy version in one transaction, and swaps them in; or keeps
// it for a second administrator to approve, where its class asks for one.
func (a *App) apply(ctx context.Context, from declare, c change) (*applied, error) {
	p, unlock, err := a.planned(ctx, from, c)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := c.by.still(p.current, c); err != nil {
		return nil, err
	}
	result := &applied{Planned: p.Planned, Version: p.head.Number, DryRun: c.dryRun, Classes: registry.Classes(p.Changes, p.current, p.Next)}
	if err := a.guard(p, c); err != nil {
		return nil, err
	}
	if c.approves != nil {
		if err := a.unchanged(ctx, p, c.approves); err != nil {
			return nil, err
		}
	}
	// Not before: what is other than was proposed may be about rights, of which its approver may not learn.
	if result.Warnings, err = a.held(p, c); err != nil {
		return nil, err
	}
	needed, alone := a.needsApproval(p, result.Classes, c)
	if c.approves != nil || c.propose || needed {
		if err := passwordsUnchosen(p); err != nil {
			return nil, err
		}
	}
	if c.dryRun {
		// Secrets that would be generated are not shown: a later run makes others.
		p.Generated = nil
		return result, nil
	}
	if len(p.Changes) == 0 {
		return result, nil
	}
	if c.approves == nil && (c.propose || needed) {
		result.Secrets, p.Generated = len(p.Generated) > 0, nil // made when it is approved, and shown then
		result.Pending, err = a.keepPending(ctx, p, result.Classes, c)
		return result, err
	}
	if c.alone = alone && c.approves == nil; c.alone {
		result.Warnings = append(result.Warnings, "没有另一名启用的管理员可以批准，这项管理员变更由 "+c.by.String()+" 一人生效，已记入审计")
	}
	return result, a.enforce(ctx, p, c, result)
}

// enforce writes a change and swaps it in.
func (a *App) enforce(ctx context.Context, p *plannedChange, c change, result *applied) error {
	g := a.gateway
	changes, err := json.Marshal(p.Changes)
	if err != nil {
		return fmt.Errorf("encoding the difference: %w", err)
	}
	document, err := registry.Render(p.Next)
	if err != nil {
		return fmt.Errorf("writing the declaration of a version: %w", err)
	}
	version := policy.Version{At: p.now, By: c.by.String(), Why: c.why, Lines: p.lines, Changes: changes, Platform: document}
	if c.approves != nil {
		version.By, version.ApprovedBy = c.approves.By, c.by.String()
	}
	version = policy.Seal(p.head, version, gm.SM3)
	detail := fmt.Sprintf("变更 %d 项；%s", len(p.Changes), c.why)
	if c.force {
		detail = "强制；" + detail
	}
	switch {
	case c.approves != nil:
		detail = fmt.Sprintf("%s 提交，%s 批准；%s", c.approves.By, c.by, detail)
	case c.alone:
		detail = "无人可以批准，一人生效；" + detail
	}
	if err := g.journal.Append(ctx, &audit.Record{
		Event: "admin", Time: p.now, Account: c.by.String(), Interface: changeInterface, Outcome: "ATTEMPT", Allow: true,
		PolicyVersion: version.Number, Detail: detail, Kind: kindOfChanges(p.Changes),
	}); err != nil {
		return err
	}
	// From here on the change happens whole, whether or not the administrator waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	if err := g.keepFaces(ctx, g.store, p.state); err != nil {
		return err
	}
	if err := g.save(ctx, p, c, version); err != nil {
		return err
	}
	g.accept(p.state)
	result.Version = version.Number
	a.logger.Info("registry and policy changed", zap.Int64("policy_version", version.Number),
		zap.String("by", version.By), zap.Int("changes", len(p.Changes)), zap.String("hash", version.Hash), zap.Bool("forced", c.force))
	// What was opened under other credentials, or by somebody disabled since, ends with them.
	for _, m := range append(outdated(p.current, p.Next), outdatedAdministrators(p.current, p.Next)...) {
		if _, err := a.sessions.End(ctx, m); err != nil {
			a.warn(result, "变更已生效，但有会话未能结束，请用 licgate session end 重试", err)
		}
	}
	if err := a.event("policy", fmt.Sprintf("策略版本 %d 生效，摘要 %s", version.Number, version.Hash)); err != nil {
		a.warn(result, "变更已生效，但生效记录未能写入审计", err)
	}
	return nil
}

// save writes a version; of one that was approved the approval too, in the same transaction: in force and approved are one.
func (g *gateway) save(ctx context.Context, p *plannedChange, c change, version policy.Version) error {
	if c.approves == nil {
		return g.store.SavePlatform(ctx, p.Next, version)
	}
	return g.store.SaveApproved(ctx, p.Next, version, c.approves.ID, registry.Pending{
		DecidedBy: c.by.String(), Decided: p.now, Note: c.note, Declaration: c.approves.Declaration,
	})
}

// changeTimeout bounds the writing of a change.
const changeTimeout = time.Minute

// Refusals of changes that would leave the platform without rights or without anybody to give them.
var (
	errEmptied = errors.New("the change takes every right from all applications or all accounts")
	errLockout = errors.New("the change leaves no security administrator who can act")
	errPowers  = errors.New("one of the three powers has no administrator")
)

// guard refuses a change that empties the policy or locks out the last security administrator, unless forced.
func (a *App) guard(p *plannedChange, c change) error {
	if c.force {
		return nil
	}
	appsBefore, accountsBefore := policy.Subjects(p.head.Lines)
	appsAfter, accountsAfter := policy.Subjects(p.lines)
	if appsBefore > 0 && appsAfter == 0 || accountsBefore > 0 && accountsAfter == 0 {
		return errEmptied
	}
	if p.current.Enabled(registry.RoleSecurity) > 0 && p.Next.Enabled(registry.RoleSecurity) == 0 {
		return errLockout
	}
	for _, role := range registry.AdministratorRoles {
		lost := p.current.Enabled(role) > 0 || len(p.current.Administrators) == 0
		if lost && len(p.Next.Administrators) > 0 && p.Next.Enabled(role) == 0 {
			return fmt.Errorf("%w: %s", errPowers, role)
		}
	}
	return nil
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

// outdated selects the sessions of applications and accounts that are gone, were disabled, moved, or have another secret or
// password. A secret that was rotated with overlap is still good, and so are its sessions.
func outdated(before, after *registry.Platform) []session.Match {
	s := registry.NewSnapshot(after)
	var out []session.Match
	for _, a := range before.Applications {
		now, ok := s.Application(a.AppKey)
		if !ok || now.Disabled && !a.Disabled || !slices.Contains([]string{now.SecretHash, now.PreviousHash}, a.SecretHash) || now.Department != a.Department {
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
