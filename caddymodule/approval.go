package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"licgate/registry"
)

// Refusals of approvals.
var (
	errChanged   = errors.New("what the change would do now is not what was proposed")
	errSelf      = errors.New("a change is not approved by who proposed it")
	errNoSecond  = errors.New("no second security administrator could approve the change")
	errOutOfTime = errors.New("the change has expired")
)

// defaultApprovalExpiry is how long a change waits for a second administrator.
const defaultApprovalExpiry = 72 * time.Hour

// needsApproval reports whether a change waits for a second administrator: its class says so, and the powers are separated, since
// before that nobody can be told from anybody.
func (a *App) needsApproval(classes []string, c change) bool {
	if c.own || c.by.whole {
		return false
	}
	return slices.ContainsFunc(classes, func(class string) bool {
		// Who can make an administrator, or reset another's password, could otherwise approve his own changes in that name.
		return slices.Contains(a.Approval, class) || len(a.Approval) > 0 && class == registry.ClassAdministrators
	})
}

// keepPending keeps a change for a second administrator. Secrets that its file gave are in it as hashes only.
func (a *App) keepPending(ctx context.Context, p *plannedChange, classes []string, c change) (int64, error) {
	if !c.by.whole && p.current.Enabled(registry.RoleSecurity) < 2 {
		return 0, errNoSecond
	}
	sealed, err := registry.SealDeclaration(p.declared, p.current, vault{a.gateway.keys})
	if err != nil {
		return 0, fmt.Errorf("sealing a declaration: %w", err)
	}
	id, err := a.gateway.store.Pendings().AddPending(ctx, registry.Pending{
		By: c.by.String(), Why: c.why, Created: p.now, Expires: p.now.Add(time.Duration(a.ApprovalExpiry)), Base: p.head.Number,
		Classes: classes, Changes: p.Changes, Force: c.force, Form: c.form, State: registry.PendingOpen, Declaration: sealed,
	})
	return id, err
}

type pendingQuery struct {
	State string `json:"state,omitempty"` // open (default), approved, rejected, expired, all
	Limit int    `json:"limit,omitempty"` // default 50
}

func (c *adminCall) pendings(q pendingQuery) ([]registry.Pending, error) {
	switch q.State {
	case "":
		q.State = registry.PendingOpen
	case "all":
		q.State = ""
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	found, err := c.app.gateway.store.Pendings().ListPending(c.r.Context(), q.State, q.Limit)
	if found == nil {
		found = []registry.Pending{}
	}
	return found, err
}

func (c *adminCall) pendingID() (int64, error) {
	id, err := strconv.ParseInt(c.path["id"], 10, 64)
	if err != nil {
		return 0, adminError(http.StatusBadRequest, "待批变更的编号应为数字")
	}
	return id, nil
}

func (c *adminCall) pending(nothing) (registry.Pending, error) {
	id, err := c.pendingID()
	if err != nil {
		return registry.Pending{}, err
	}
	return c.app.gateway.store.Pendings().GetPending(c.r.Context(), id)
}

// decisionRequest is the note of an approver, or why a change is rejected.
type decisionRequest struct {
	Note string `json:"note,omitempty"`
}

// approve brings a pending change into force.
func (c *adminCall) approve(q decisionRequest) (*applied, error) {
	id, err := c.pendingID()
	if err != nil {
		return nil, err
	}
	store := c.app.gateway.store.Pendings()
	p, err := store.GetPending(c.r.Context(), id)
	switch {
	case err != nil:
		return nil, err
	case p.State != registry.PendingOpen:
		return nil, registry.ErrDecided
	case time.Now().After(p.Expires):
		return nil, errOutOfTime
	case !c.who.whole && p.By == c.who.String():
		return nil, errSelf
	}
	declared, err := registry.OpenDeclaration(p.Declaration)
	if err != nil {
		return nil, fmt.Errorf("opening pending change %d: %w", id, err)
	}
	why := p.Why
	if q.Note != "" {
		why = fmt.Sprintf("%s（批准：%s）", p.Why, q.Note)
	}
	return c.app.apply(c.r.Context(), func(*registry.Platform) (*registry.Platform, error) { return declared, nil },
		change{by: c.who, why: why, force: p.Force, form: p.Form, approves: &p, note: q.Note})
}

// reject ends a pending change; who proposed it may withdraw it so.
func (c *adminCall) reject(q decisionRequest) (registry.Pending, error) {
	id, err := c.pendingID()
	if err != nil {
		return registry.Pending{}, err
	}
	store := c.app.gateway.store.Pendings()
	if err := store.DecidePending(c.r.Context(), id, registry.Pending{
		State: registry.PendingRejected, DecidedBy: c.who.String(), Decided: time.Now(), Note: q.Note,
	}); err != nil {
		return registry.Pending{}, err
	}
	return store.GetPending(c.r.Context(), id)
}

// expirePending marks what nobody decided in time.
func (g *gateway) expirePending(ctx context.Context, now time.Time) error {
	open, err := g.store.Pendings().ListPending(ctx, registry.PendingOpen, 1000)
	for _, p := range open {
		if !now.After(p.Expires) {
			continue
		}
		if failed := g.store.Pendings().DecidePending(ctx, p.ID, registry.Pending{State: registry.PendingExpired, Decided: now}); failed != nil && !errors.Is(failed, registry.ErrDecided) {
			err = errors.Join(err, failed)
		}
	}
	return err
}
