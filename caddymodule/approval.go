package caddymodule

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"licgate/gm"
	"licgate/policy"
	"licgate/registry"
)

// Refusals of approvals.
var (
	errChanged   = errors.New("what the change would do now is not what was proposed")
	errSelf      = errors.New("a change is not approved by who proposed it")
	errNotYours  = errors.New("the change concerns more than administrators")
	errProposer  = errors.New("who proposed the change is no security administrator any more")
	errNoSecond  = errors.New("no second security administrator could approve the change")
	errMixed     = errors.New("nobody could approve the change, but somebody that of the administrators alone")
	errOutOfTime = errors.New("the change has expired")
)

// defaultApprovalExpiry is how long a change waits for a second administrator.
const defaultApprovalExpiry = 72 * time.Hour

// needsApproval reports whether a change waits for a second administrator: its class says so, or it gives somebody an administrator's
// access, whatever is configured; and the powers are separated, since before that nobody can be told from anybody. alone says that it would,
// but for there being nobody else: it goes through then, since nobody could ever help whoever is left.
func (a *App) needsApproval(p *plannedChange, classes []string, c change) (needed, alone bool) {
	if c.own || c.by.whole {
		return false, false
	}
	if slices.ContainsFunc(classes, func(class string) bool {
		return class != registry.ClassAdministrators && slices.Contains(a.Approval, class)
	}) {
		return true, false
	}
	// Who can make an administrator, or reset another's password, could otherwise act, and approve his own changes, in that name.
	guarded := slices.Contains(classes, registry.ClassAdministrators) && len(a.Approval) > 0 || registry.Empowers(p.Changes, p.current, p.Next)
	others := p.current.Others(c.by.name, registry.AdministratorRoles...) > 0
	return guarded && others, guarded && !others
}

// approver refuses who may not look at, approve or reject a change: security administrators may, and any administrator where it concerns
// administrators alone. The one who holds a power is not asked by whoever would hand it out: the others watch him.
func (w administrator) approver(changes []registry.Change) error {
	if w.may(powerSecurity) == nil || registry.Administrative(changes) {
		return nil
	}
	return errNotYours
}

// canBeApproved refuses a change that nobody could approve.
func canBeApproved(p *plannedChange, c change) error {
	switch {
	case c.by.whole || p.current.Others(c.by.name, registry.RoleSecurity) > 0:
		return nil
	case registry.Administrative(p.Changes) && p.current.Others(c.by.name, registry.AdministratorRoles...) > 0:
		return nil
	case registry.Empowers(p.Changes, p.current, p.Next):
		return errMixed
	}
	return errNoSecond
}

// passwordsUnchosen refuses a change that waits for a second person, or waited, and brings an administrator's password that who proposed it
// knows: what the second person agreed to is that its owner gets another one.
func passwordsUnchosen(p *plannedChange) error {
	if chosen := registry.ChosenPasswords(p.Changes, p.declared); len(chosen) > 0 {
		return adminError(http.StatusUnprocessableEntity,
			"管理员 %s 的口令不能由提交人写在文件中：请删去其 password，批准时由网关生成，只显示给批准人", strings.Join(chosen, "、"))
	}
	return nil
}

// needsSecond reports whether what can't be undone waits for a second administrator: where any class of changes does.
func (a *App) needsSecond(by administrator) bool { return !by.whole && len(a.Approval) > 0 }

// keepPending keeps a change for a second administrator. Secrets that its file gave are in it as hashes only.
func (a *App) keepPending(ctx context.Context, p *plannedChange, classes []string, c change) (int64, error) {
	if err := canBeApproved(p, c); err != nil {
		return 0, err
	}
	sealed, err := registry.SealDeclaration(p.declared, p.current, vault{a.gateway.keys})
	if err != nil {
		return 0, fmt.Errorf("sealing a declaration: %w", err)
	}
	kept := registry.Pending{
		By: c.by.String(), Why: c.why, Created: p.now, Expires: p.now.Add(time.Duration(a.ApprovalExpiry)), Base: p.head.Number,
		Classes: classes, Changes: p.Changes, Force: c.force, State: registry.PendingOpen, Declaration: sealed,
	}
	if kept.Shifts, err = a.shiftsDigest(ctx, p); err != nil {
		return 0, err
	}
	if c.form != nil {
		kept.Form = c.form.Number
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	return a.gateway.store.Pendings().AddPending(ctx, kept, c.form)
}

// shiftsDigest is of the rights that a change would give and take, and of the secrets that it replaces: a reset that was proposed twice, or
// that waited while its owner chose another password, is about one that is no more.
func (a *App) shiftsDigest(ctx context.Context, p *plannedChange) (string, error) {
	found, partial, err := a.shiftsOf(ctx, p)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(struct {
		Shifts   []policy.Shift
		Partial  bool
		Replaced []string
	}{found, partial, registry.Replaced(p.Changes, p.current)})
	if err != nil {
		return "", fmt.Errorf("encoding the shifts: %w", err)
	}
	sum := gm.SM3(text)
	return hex.EncodeToString(sum[:]), nil
}

// unchanged refuses an approval when the change does not amount any more to what was proposed: the same members may differ, or the same
// difference may give and take other rights over what was accepted since.
func (a *App) unchanged(ctx context.Context, p *plannedChange, proposed *registry.Pending) error {
	if !slices.Equal(proposed.Changes, p.Changes) {
		return errChanged
	}
	now, err := a.shiftsDigest(ctx, p)
	if err == nil && now != proposed.Shifts {
		err = errChanged
	}
	return err
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
	asked := q.Limit
	if c.who.may(powerSecurity) != nil {
		asked = max(asked, 1000) // what is none of his must not crowd out what waits for him
	}
	found, err := listed(c.app.gateway.store.Pendings().ListPending(c.r.Context(), q.State, asked))
	found = slices.DeleteFunc(found, func(p registry.Pending) bool { return c.who.approver(p.Changes) != nil })
	return found[:min(len(found), q.Limit)], err
}

// pendingChange is the one in the path, for who may decide it.
func (c *adminCall) pendingChange() (registry.Pending, error) {
	id, err := c.pendingID()
	if err != nil {
		return registry.Pending{}, err
	}
	p, err := c.app.gateway.store.Pendings().GetPending(c.r.Context(), id)
	if err == nil {
		err = c.who.approver(p.Changes)
	}
	return p, err
}

func (c *adminCall) pendingID() (int64, error) {
	id, err := strconv.ParseInt(c.path["id"], 10, 64)
	if err != nil {
		return 0, adminError(http.StatusBadRequest, "待批变更的编号应为数字")
	}
	return id, nil
}

// pendingDetail is a pending change and, while it is open, what it would do if it were approved now.
type pendingDetail struct {
	registry.Pending
	Rehearsal *rehearsal `json:"rehearsal,omitempty"`
	// Fault says why it could not be approved now.
	Fault string `json:"fault,omitempty"`
}

func (c *adminCall) pending(nothing) (*pendingDetail, error) {
	p, err := c.pendingChange()
	if err != nil {
		return nil, err
	}
	out := &pendingDetail{Pending: p}
	if p.State != registry.PendingOpen {
		return out, nil
	}
	declared, err := registry.OpenDeclaration(p.Declaration)
	if err != nil {
		return nil, fmt.Errorf("opening pending change %d: %w", p.ID, err)
	}
	out.Rehearsal, err = c.app.rehearse(c.r.Context(), as(declared), change{by: c.who, force: p.Force}, 0)
	switch {
	case err != nil && adminStatus(err) < http.StatusInternalServerError:
		out.Fault = adminFailure(err).Error()
		return out, nil
	case err != nil:
		return nil, err
	case !slices.Equal(out.Rehearsal.Changes, p.Changes):
		out.Fault = adminFailure(errChanged).Error()
		if c.who.approver(out.Rehearsal.Changes) != nil {
			out.Rehearsal = nil // it would touch rights by now
		}
	}
	return out, nil
}

// decisionRequest is the note of an approver, or why a change is rejected.
type decisionRequest struct {
	Note string `json:"note,omitempty"`
}

// approve brings a pending change into force.
func (c *adminCall) approve(q decisionRequest) (*applied, error) {
	p, err := c.pendingChange()
	switch {
	case err != nil:
		return nil, err
	case p.State != registry.PendingOpen:
		return nil, registry.ErrDecided
	case time.Now().After(p.Expires):
		return nil, errOutOfTime
	case !c.who.whole && p.By == c.who.String():
		return nil, errSelf
	case !c.who.whole && !c.app.securityAdministrator(p.By):
		return nil, errProposer
	}
	if err := checkRemark("note", q.Note); err != nil {
		return nil, err
	}
	declared, err := registry.OpenDeclaration(p.Declaration)
	if err != nil {
		return nil, fmt.Errorf("opening pending change %d: %w", p.ID, err)
	}
	why := p.Why
	if q.Note != "" {
		why = fmt.Sprintf("%s（批准：%s）", p.Why, q.Note)
	}
	return c.app.apply(c.r.Context(), as(declared),
		change{by: c.who, why: why, force: p.Force, approves: &p, note: q.Note})
}

// securityAdministrator reports whether somebody of this name could propose a change now.
func (a *App) securityAdministrator(name string) bool {
	one, ok := a.gateway.state.Load().registry.Administrator(name)
	return ok && !one.Disabled && one.Role == registry.RoleSecurity
}

// reject ends a pending change; who proposed it may withdraw it so.
func (c *adminCall) reject(q decisionRequest) (registry.Pending, error) {
	p, err := c.pendingChange()
	if err != nil {
		return registry.Pending{}, err
	}
	if err := checkRemark("note", q.Note); err != nil {
		return registry.Pending{}, err
	}
	store := c.app.gateway.store.Pendings()
	if err := store.DecidePending(c.r.Context(), p.ID, registry.Pending{
		State: registry.PendingRejected, DecidedBy: c.who.String(), Decided: time.Now(), Note: q.Note,
	}); err != nil {
		return registry.Pending{}, err
	}
	return store.GetPending(c.r.Context(), p.ID)
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
