package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"licgate/beijing"
	"licgate/registry"
	"licgate/session"
)

// applyRequest declares the platform.
type applyRequest struct {
	changeRequest
	File string `json:"file"` // platform.yaml
}

func (c *adminCall) apply(q applyRequest) (*applied, error) {
	declared, err := registry.Parse([]byte(q.File))
	if err != nil {
		return nil, err
	}
	how, err := c.change(q.changeRequest)
	if err != nil {
		return nil, err
	}
	done, err := c.app.apply(c.r.Context(), as(declared), how)
	if err != nil {
		return nil, placed(err, declared)
	}
	return done, nil
}

// export writes what is in force as platform.yaml.
func (c *adminCall) export(nothing) (any, error) {
	st := c.app.gateway.state.Load()
	text, err := registry.Render(st.registry.Platform())
	return versioned{st.version, text}, err
}

type credentialRequest struct {
	Identity string `json:"identity"`
	Code     string `json:"code,omitempty"`
	TTL      string `json:"ttl,omitempty"` // default 10m, at most 24h
}

func (c *adminCall) credential(q credentialRequest) (map[string]string, error) {
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
	token, err := c.app.signCredential(session.Holder{IdentityNum: q.Identity, Code: q.Code}, ttl)
	if err != nil {
		return nil, err
	}
	return map[string]string{"credential": token}, nil
}

// gatewayStatus is what administrators are told of the gateway: more than /readyz tells everybody.
type gatewayStatus struct {
	health
	Version      string            `json:"version"`       // of licgate
	Caddy        string            `json:"caddy_version"` // that it is built on
	Certificates []siteCertificate `json:"certificates"`
}

func (c *adminCall) status(nothing) (gatewayStatus, error) {
	return gatewayStatus{c.app.health(c.r.Context()), productVersion(), caddyVersion, siteCertificates()}, nil
}

// onboardRequest is an application form of appendix A.
type onboardRequest struct {
	File   string `json:"file"` // application.yaml
	DryRun bool   `json:"dry_run,omitempty"`
}

// onboarded is what a form amounts to.
type onboarded struct {
	*applied
	Form      string     `json:"form"`
	Notes     []string   `json:"notes,omitempty"` // for who reviews it
	Rehearsal *rehearsal `json:"rehearsal"`
}

// onboard turns a form into a draft of grants, rehearses it, and keeps it with the form for a second person to approve.
func (c *adminCall) onboard(q onboardRequest) (*onboarded, error) {
	form, err := registry.ParseForm([]byte(q.File))
	if err != nil {
		return nil, err
	}
	if form.Number == "" {
		form.Number = "SQ-" + beijing.Format(time.Now(), "20060102-150405")
	}
	g := c.app.gateway
	if _, err := g.store.Forms().GetForm(c.r.Context(), form.Number); !errors.Is(err, registry.ErrNoForm) {
		return nil, errors.Join(err, registry.ErrFormExists)
	}
	out := &onboarded{Form: form.Number}
	draft := func(current *registry.Platform) (*registry.Platform, error) {
		declared, notes, err := form.Draft(current)
		out.Notes = notes
		if !slices.ContainsFunc(current.Accounts, func(a registry.Account) bool { return a.Department == form.UnitCode }) {
			out.Notes = append(out.Notes, "申请单位还没有账户，授权在登记账户之后才有人能用，所以下面的预演里没有人得到权利")
		}
		return declared, err
	}
	how := change{by: c.who, why: "接入申请 " + form.Number + " " + form.Unit, propose: true, dryRun: q.DryRun}
	if how.form, err = c.app.sealForm(form, []byte(q.File), c.who.String()); err != nil {
		return nil, err
	}
	if out.Rehearsal, err = c.app.rehearse(c.r.Context(), draft, how, 0); err != nil {
		return nil, err
	}
	out.applied, err = c.app.apply(c.r.Context(), draft, how)
	return out, err
}

type formQuery struct {
	Limit int `json:"limit,omitempty"` // default 50
}

// formRow is a form in the list.
type formRow struct {
	registry.Form
	State string `json:"state"` // of the change that it became
}

func (c *adminCall) forms(q formQuery) ([]formRow, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	forms, err := c.app.gateway.store.Forms().ListForms(c.r.Context(), q.Limit)
	rows := []formRow{}
	for _, f := range forms {
		p, err := c.app.gateway.store.Pendings().GetPending(c.r.Context(), f.Pending)
		if err != nil {
			return nil, err
		}
		rows = append(rows, formRow{f, p.State})
	}
	return rows, err
}

// formDetail is a form with what came of it.
type formDetail struct {
	registry.Form
	File   string   `json:"file"`             // as it was handed in
	State  string   `json:"state"`            // of the change
	Grants []string `json:"grants,omitempty"` // applications that hold grants of it now
}

func (c *adminCall) form(nothing) (*formDetail, error) {
	g := c.app.gateway
	f, err := g.store.Forms().GetForm(c.r.Context(), c.path["number"])
	if err != nil {
		return nil, err
	}
	file, err := g.keys.Open(f.Sealed, formContext(f.Number))
	if err != nil {
		return nil, fmt.Errorf("opening form %s: %w", f.Number, err)
	}
	p, err := g.store.Pendings().GetPending(c.r.Context(), f.Pending)
	if err != nil {
		return nil, err
	}
	out := &formDetail{Form: f, File: string(file), State: p.State}
	for _, a := range g.state.Load().registry.Platform().Applications {
		for _, grant := range a.Grants {
			if grant.Form == f.Number {
				out.Grants = append(out.Grants, a.AppKey+" "+strings.Join(grant.Needs, ",")+" "+strings.Join(grant.Items, ","))
			}
		}
	}
	return out, nil
}
