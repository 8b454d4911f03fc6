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
	Jobs      []store.KeyJob `json:"jobs"`              // newest first
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
	out.Jobs = []store.KeyJob{}
	jobs, err := g.store.Jobs(c.r.Context(), 20)
	for _, j := range jobs {
		out.Jobs = append(out.Jobs, toldOf(j))
	}
	return out, err
}

// toldOf is a job without where it stands, which is a licence's code.
func toldOf(j store.KeyJob) store.KeyJob {
	j.Progress.Cursor = ""
	return j
}

// keyJob is one job, for who waits for it.
func (c *adminCall) keyJob(nothing) (store.KeyJob, error) {
	number, err := strconv.ParseInt(c.path["number"], 10, 64)
	if err != nil {
		return store.KeyJob{}, adminError(http.StatusBadRequest, "任务编号应为数字")
	}
	jobs, err := c.app.gateway.store.Jobs(c.r.Context(), 1000)
	if err != nil {
		return store.KeyJob{}, err
	}
	for _, j := range jobs {
		if j.Number == number {
			return toldOf(j), nil
		}
	}
	return store.KeyJob{}, adminError(http.StatusNotFound, "没有这个编号的密钥任务")
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
	return c.addJob(store.KeyJob{Kind: jobRotate, Department: q.Department, Why: q.Why, Phase: phaseRotate})
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

// addJob keeps a job and has it begun.
func (c *adminCall) addJob(j store.KeyJob) (store.KeyJob, error) {
	j.By, j.State, j.Started = c.who.String(), store.JobRunning, time.Now()
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
		return store.KeyJob{}, adminError(http.StatusPreconditionRequired, "此操作无法撤销：请在 confirm 中再写一遍要粉碎的部门代码或证照编码")
	case q.Why == "":
		return store.KeyJob{}, adminError(http.StatusBadRequest, "缺少 why（粉碎的依据）")
	}
	if err := checkRemark("why", q.Why); err != nil {
		return store.KeyJob{}, err
	}
	if q.Licence != "" {
		return c.shredLicence(q)
	}
	return c.shredDepartment(q)
}

// shredDepartment destroys the department's keys, in one go, and has its rows emptied in the background.
func (c *adminCall) shredDepartment(q shredRequest) (store.KeyJob, error) {
	g := c.app.gateway
	if err := c.knownDepartment(c.r.Context(), q.Department); err != nil {
		return store.KeyJob{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), changeTimeout)
	defer cancel()
	err := g.keys.Shred(ctx, q.Department, func(ctx context.Context) (bool, error) {
		status, err := g.keys.Status(ctx)
		if err != nil {
			return false, err
		}
		var own []gm.KeyID
		for _, k := range status.Keys {
			if k.Department == q.Department {
				own = append(own, k.ID)
			}
		}
		return g.store.SealedElsewhere(ctx, q.Department, own)
	})
	switch {
	case errors.Is(err, gm.ErrElsewhere):
		return store.KeyJob{}, adminError(http.StatusConflict, "该部门还有证照由根密钥加密，粉碎之后仍可解开：请先执行 licgate keys rotate --department %s", q.Department)
	case errors.Is(err, gm.ErrKeyUnknown):
		return store.KeyJob{}, adminError(http.StatusConflict, "该部门没有数据密钥：若有旧证照，请先执行 licgate keys rotate --department %s", q.Department)
	case err != nil:
		return store.KeyJob{}, err
	}
	return c.addJob(store.KeyJob{Kind: jobShredDepartment, Department: q.Department, Why: q.Why, Phase: phaseBury})
}

// shredLicence empties the licence's row now, and has its department's other licences sealed under a new key; with the old one every copy
// in backups goes. Whose key it is, the sealed value says: the row may have been altered.
func (c *adminCall) shredLicence(q shredRequest) (store.KeyJob, error) {
	g := c.app.gateway
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), changeTimeout)
	defer cancel()
	status, err := g.keys.Status(ctx)
	if err != nil {
		return store.KeyJob{}, err
	}
	var department string
	err = g.store.BuryLicence(ctx, q.Licence, func(sealedBy gm.KeyID) error {
		i := slices.IndexFunc(status.Keys, func(k gm.KeyStatus) bool { return k.ID == sealedBy })
		if i < 0 || status.Keys[i].Department == "" {
			return gm.ErrElsewhere
		}
		department = status.Keys[i].Department
		return nil
	})
	switch {
	case errors.Is(err, licence.ErrNotFound):
		return store.KeyJob{}, adminError(http.StatusNotFound, "没有这个编码的证照")
	case errors.Is(err, gm.ErrElsewhere):
		return store.KeyJob{}, adminError(http.StatusConflict, "该证照由根密钥加密，粉碎之后仍可解开：请先执行 licgate keys rotate")
	case errors.Is(err, gm.ErrSealed):
		return store.KeyJob{}, adminError(http.StatusConflict, "该证照的密文已被改动，看不出由哪个密钥加密：请先从备份恢复该行，或粉碎整个部门")
	case err != nil:
		return store.KeyJob{}, err
	}
	return c.addJob(store.KeyJob{Kind: jobShredLicence, Department: department, Why: q.Why, Phase: phaseRotate})
}

// rewrapped is how many data keys were wrapped anew.
type rewrapped struct {
	Keys int    `json:"keys"`
	KEK  string `json:"kek"`
}

// rewrapKeys wraps all data keys, and this node's root key, by the key-encryption key that is configured now.
func (c *adminCall) rewrapKeys(nothing) (rewrapped, error) {
	g := c.app.gateway
	n, err := g.keys.Rewrap(c.r.Context())
	if err != nil {
		return rewrapped{}, fmt.Errorf("wrapping keys anew, %d done: %w", n, keyFault(err))
	}
	status, err := g.keys.Status(c.r.Context())
	return rewrapped{n, status.KEK}, err
}
