package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"licgate/gm"
	"licgate/licence"
	"licgate/registry"
	"licgate/store"
)

// keyRow is one data key in the list that administrators see.
type keyRow struct {
	ID         string    `json:"id"`
	Department string    `json:"department"` // "" for what is no department's
	Period     string    `json:"period"`
	Generation int       `json:"generation"`
	State      string    `json:"state"` // active, retired, destroyed
	KEK        string    `json:"kek"`
	Created    time.Time `json:"created"`
	Retired    time.Time `json:"retired,omitzero"`
	Destroyed  time.Time `json:"destroyed,omitzero"`
	Shredded   bool      `json:"shredded,omitempty"`
	Damaged    bool      `json:"damaged,omitempty"` // its record was changed: what it sealed does not open
}

// keysReport is the state of this node's keyring and of the work on keys.
type keysReport struct {
	Root      string         `json:"root"` // id of the root key
	KEK       string         `json:"kek"`  // who wraps now
	RootClear bool           `json:"root_clear"`
	Keys      []keyRow       `json:"keys"`
	Missing   []string       `json:"missing,omitempty"` // generations that ought to be there: DEPARTMENT/GENERATION
	Seals     []sealKeysRow  `json:"seals"`             // the sealing keys of this node's folder, by who wraps them
	Jobs      []store.KeyJob `json:"jobs"`              // newest first
}

// sealKeysRow is how many files of sealing keys are under one key-encryption key.
type sealKeysRow struct {
	KEK     string   `json:"kek"` // "": in clear until they are next opened; of damaged files: not known
	Keys    int      `json:"keys"`
	Damaged []string `json:"damaged,omitempty"` // names of files that are no keys
}

func (c *adminCall) keys(nothing) (*keysReport, error) {
	g := c.app.gateway
	status, err := g.keys.Status(c.r.Context())
	if err != nil {
		return nil, err
	}
	out := &keysReport{Root: string(status.Root), KEK: status.KEK, RootClear: status.RootClear, Keys: []keyRow{}, Missing: status.Missing}
	for _, k := range status.Keys {
		out.Keys = append(out.Keys, keyRow{
			ID: string(k.ID), Department: k.Department, Period: k.Period, Generation: k.Generation, State: string(k.State), KEK: k.KEK,
			Created: k.Created, Retired: k.Retired, Destroyed: k.Destroyed, Shredded: k.Shredded, Damaged: k.Damaged,
		})
	}
	if out.Seals, err = g.seals.status(); err != nil {
		return nil, keyFault(err)
	}
	out.Jobs = []store.KeyJob{}
	jobs, err := g.store.Jobs(c.r.Context(), 20)
	for _, j := range jobs {
		out.Jobs = append(out.Jobs, c.toldOf(j))
	}
	return out, err
}

// toldOf is a job without licences' codes: where it stands, and, for who does not decide it, which one is to be shredded.
func (c *adminCall) toldOf(j store.KeyJob) store.KeyJob {
	j.Progress.Cursor = ""
	if c.who.may(powerSecurity) != nil {
		j.Licence = ""
	}
	return j
}

// keyJob is one job, for who waits for it.
func (c *adminCall) keyJob(nothing) (store.KeyJob, error) {
	number, err := c.jobNumber()
	if err != nil {
		return store.KeyJob{}, err
	}
	j, err := c.app.gateway.store.Job(c.r.Context(), number)
	return c.toldOf(j), err
}

func (c *adminCall) jobNumber() (int64, error) {
	number, err := strconv.ParseInt(c.path["number"], 10, 64)
	if err != nil {
		return 0, adminError(http.StatusBadRequest, "任务编号应为数字")
	}
	return number, nil
}

type rotateRequest struct {
	Department string `json:"department,omitempty"` // "": every department
	Why        string `json:"why,omitempty"`
}

func (q rotateRequest) about(*adminCall) string {
	return "department=" + shown(q.Department) + " why=" + shownUpTo(q.Why, longestRemark)
}

// rotateKeys gives departments their next keys and seals all that is stored anew, in the background.
func (c *adminCall) rotateKeys(q rotateRequest) (store.KeyJob, error) {
	if err := checkRemark("why", q.Why); err != nil {
		return store.KeyJob{}, err
	}
	ctx := c.r.Context()
	open, err := c.app.gateway.store.OpenJobs(ctx)
	if err != nil {
		return store.KeyJob{}, err
	}
	for _, j := range open {
		if j.State == store.JobRunning && j.Department == q.Department {
			return store.KeyJob{}, adminError(http.StatusConflict, "密钥任务 %d 正在进行，请等它完成：licgate keys status", j.Number)
		}
	}
	if q.Department != "" {
		if err := c.knownDepartment(ctx, q.Department); err != nil {
			return store.KeyJob{}, err
		}
	}
	return c.addJob(store.KeyJob{Kind: jobRotate, Department: q.Department, By: c.who.String(), Why: q.Why, Phase: phaseRotate}, store.JobRunning)
}

// knownDepartment refuses a department that neither the registry nor a key knows: it was mistyped.
func (c *adminCall) knownDepartment(ctx context.Context, code string) error {
	if _, ok := c.app.gateway.state.Load().registry.Department(code); ok {
		return nil
	}
	status, err := c.app.gateway.keys.Status(ctx)
	if err != nil {
		return err
	}
	for _, k := range status.Keys {
		if k.Department == code {
			return nil
		}
	}
	return adminError(http.StatusNotFound, "没有代码为 %s 的部门", code)
}

// addJob keeps a job and has it begun, unless it is only proposed.
func (c *adminCall) addJob(j store.KeyJob, state string) (store.KeyJob, error) {
	j.State, j.Started = state, time.Now()
	j.Changed = j.Started
	// Kept even if the administrator does not wait: it was recorded.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), changeTimeout)
	defer cancel()
	j, err := c.app.gateway.store.AddJob(ctx, j)
	if err == nil {
		c.app.keyWork.hurry()
	}
	return j, err
}

type shredRequest struct {
	Department string `json:"department,omitempty"`
	Licence    string `json:"licence,omitempty"`
	Confirm    string `json:"confirm"` // the same code once more
	Why        string `json:"why"`
}

func (q shredRequest) about(c *adminCall) string {
	what := "department=" + shown(q.Department)
	if q.Licence != "" {
		what = "licence=" + c.app.gateway.auditHash("licence", q.Licence)
	}
	return what + " why=" + shownUpTo(q.Why, longestRemark)
}

// shredKeys makes a department's licences, or one licence, unreadable for good, wherever copies of them lie.
func (c *adminCall) shredKeys(q shredRequest) (store.KeyJob, error) {
	switch {
	case (q.Department == "") == (q.Licence == ""):
		return store.KeyJob{}, adminError(http.StatusBadRequest, "请给出 department 或 licence 之一")
	case q.Confirm != q.Department+q.Licence:
		return store.KeyJob{}, adminError(http.StatusPreconditionRequired, "此操作无法撤销：请用 --confirm（接口为 confirm）再写一遍要粉碎的部门代码或证照编码")
	case q.Why == "":
		return store.KeyJob{}, adminError(http.StatusBadRequest, "缺少 why（粉碎的依据）")
	}
	if err := checkRemark("why", q.Why); err != nil {
		return store.KeyJob{}, err
	}
	j := store.KeyJob{Kind: jobShredDepartment, Department: q.Department, Licence: q.Licence, By: c.who.String(), Why: q.Why, Phase: phaseShred}
	if q.Licence != "" {
		j.Kind = jobShredLicence
	}
	if err := c.shreddable(&j); err != nil {
		return store.KeyJob{}, err
	}
	if !c.app.needsSecond(c.who) {
		return c.beginShredding(j, c.app.gateway.store.AddJob)
	}
	if c.app.gateway.state.Load().registry.Platform().Enabled(registry.RoleSecurity) < 2 {
		return store.KeyJob{}, errNoSecond
	}
	return c.addJob(j, store.JobProposed)
}

// shreddable refuses what can't be shredded, and finds whose keys a licence is sealed by. That is read off the sealed value: the row may
// have been altered.
func (c *adminCall) shreddable(j *store.KeyJob) error {
	g, ctx := c.app.gateway, c.r.Context()
	if j.Kind == jobShredDepartment {
		return c.knownDepartment(ctx, j.Department)
	}
	status, err := g.keys.Status(ctx)
	if err != nil {
		return err
	}
	by, err := g.store.LicenceKey(ctx, j.Licence)
	switch {
	case errors.Is(err, licence.ErrNotFound):
		return adminError(http.StatusNotFound, "没有这个编码的证照")
	case errors.Is(err, gm.ErrSealed):
		return adminError(http.StatusConflict, "该证照的密文已被改动，看不出由哪个密钥加密：请先从备份恢复该行，或粉碎整个部门")
	case err != nil:
		return err
	}
	i := slices.IndexFunc(status.Keys, func(k gm.KeyStatus) bool { return k.ID == by })
	if i < 0 || status.Keys[i].Department == "" {
		return adminError(http.StatusConflict, "该证照由根密钥加密，粉碎之后仍可解开：请先执行 licgate keys rotate")
	}
	j.Department = status.Keys[i].Department
	return nil
}

// beginShredding keeps the job and does its first phase at once. The worker does it again when this process dies in between, and what follows
// in any case.
func (c *adminCall) beginShredding(j store.KeyJob, keep func(context.Context, store.KeyJob) (store.KeyJob, error)) (store.KeyJob, error) {
	// Gone through with even if the administrator does not wait: it was recorded.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), changeTimeout)
	defer cancel()
	j.State, j.Started = store.JobRunning, time.Now()
	j.Changed = j.Started
	j, err := keep(ctx, j)
	if err != nil {
		return j, err
	}
	defer c.app.keyWork.hurry()
	err = c.app.keyWork.shred(ctx, &j)
	if said := shredFailure(err, j.Department); said != nil {
		j.State, j.Error = store.JobFailed, err.Error()
		_, kept := c.app.gateway.store.SaveJob(ctx, j)
		if errors.Is(kept, store.ErrJobTaken) {
			kept = nil // the worker found the same
		}
		return j, errors.Join(said, kept)
	}
	return j, err
}

// shredFailure says why a department can't be shredded as things are; nil: that is not why.
func shredFailure(err error, department string) error {
	switch {
	case errors.Is(err, gm.ErrElsewhere):
		return adminError(http.StatusConflict, "该部门还有证照由根密钥加密，粉碎之后仍可解开：请先执行 licgate keys rotate --department %s", department)
	case errors.Is(err, gm.ErrKeyUnknown):
		return adminError(http.StatusConflict, "该部门没有数据密钥：若有旧证照，请先执行 licgate keys rotate --department %s", department)
	case errors.Is(err, errReopened):
		return adminError(http.StatusConflict, "该部门在提出粉碎之后又启用了新的密钥：请重新提出")
	}
	return nil
}

// proposedJob is a shredding that waits for this administrator.
func (c *adminCall) proposedJob() (store.KeyJob, error) {
	number, err := c.jobNumber()
	if err != nil {
		return store.KeyJob{}, err
	}
	j, err := c.app.gateway.store.Job(c.r.Context(), number)
	if err == nil && j.State != store.JobProposed {
		err = registry.ErrDecided
	}
	return j, err
}

// approveJob has a proposed shredding begun.
func (c *adminCall) approveJob(nothing) (store.KeyJob, error) {
	j, err := c.proposedJob()
	switch {
	case err != nil:
		return store.KeyJob{}, err
	case time.Now().After(j.Started.Add(time.Duration(c.app.ApprovalExpiry))):
		return store.KeyJob{}, errOutOfTime
	case !c.who.whole && j.By == c.who.String():
		return store.KeyJob{}, errSelf
	case !c.who.whole && !c.app.securityAdministrator(j.By):
		return store.KeyJob{}, errProposer
	}
	if err := c.shreddable(&j); err != nil {
		return store.KeyJob{}, err
	}
	// What was sealed by a key that came after the proposal is not what was proposed.
	keys, err := c.app.keyWork.scope(c.r.Context(), &j)
	if err != nil {
		return store.KeyJob{}, err
	}
	if slices.ContainsFunc(keys, func(k gm.KeyStatus) bool { return k.Created.After(j.Started) }) {
		return store.KeyJob{}, shredFailure(errReopened, j.Department)
	}
	j.DecidedBy = c.who.String()
	return c.beginShredding(j, c.app.gateway.store.SaveJob)
}

// rejectJob ends a proposed shredding; who proposed it may withdraw it so.
func (c *adminCall) rejectJob(nothing) (store.KeyJob, error) {
	j, err := c.proposedJob()
	if err != nil {
		return store.KeyJob{}, err
	}
	j.State, j.DecidedBy, j.Licence, j.Changed = store.JobRejected, c.who.String(), "", time.Now()
	return c.app.gateway.store.SaveJob(c.r.Context(), j)
}

// rewrapped is how many data keys and sealing keys were wrapped anew.
type rewrapped struct {
	Keys  int    `json:"keys"`
	Seals int    `json:"seals"`
	KEK   string `json:"kek"`
}

// rewrapKeys wraps all data keys, and this node's root key and sealing keys, by the key-encryption key that is configured now. What was not
// done when it fails, the next time does.
func (c *adminCall) rewrapKeys(nothing) (done rewrapped, err error) {
	g, ctx := c.app.gateway, c.r.Context()
	if done.Keys, err = g.keys.Rewrap(ctx); err != nil {
		return rewrapped{}, fmt.Errorf("wrapping keys anew, %d done: %w", done.Keys, keyFault(err))
	}
	if done.Seals, err = g.seals.keys.Rewrap(ctx); err != nil {
		return rewrapped{}, fmt.Errorf("wrapping sealing keys anew, %d done: %w", done.Seals, keyFault(err))
	}
	status, err := g.keys.Status(ctx)
	done.KEK = status.KEK
	return done, err
}
