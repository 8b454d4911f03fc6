package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"licgate/registry"
)

// errUnknownObject and errUnknownAction are refusals of the administrator's calls on one application, account or administrator.
var (
	errUnknownObject = errors.New("no such application, account or administrator")
	errUnknownAction = errors.New("no such action")
)

// applicationRow, accountRow and administratorRow are lines of the lists that administrators see.
type applicationRow struct {
	AppKey     string      `json:"app_key"`
	Name       string      `json:"name"`
	Department string      `json:"department"`
	IPAllow    []string    `json:"ip_allow,omitempty"`
	Disabled   bool        `json:"disabled"`
	Locked     bool        `json:"locked"`
	Secrets    []secretRow `json:"secrets"`
	Forms      []string    `json:"forms,omitempty"` // application forms that its grants came from
}

// secretRow is one of the secrets that an application may log in with.
type secretRow struct {
	ID       string    `json:"id"`
	Since    string    `json:"since,omitempty"`
	Until    time.Time `json:"until,omitzero"`     // the end of a rotated one
	LastUsed time.Time `json:"last_used,omitzero"` // zero: never
}

type accountRow struct {
	Account    string   `json:"account"`
	Name       string   `json:"name"`
	Department string   `json:"department"`
	Roles      []string `json:"roles,omitempty"`
	Disabled   bool     `json:"disabled"`
	Locked     bool     `json:"locked"`
}

type administratorRow struct {
	Administrator string `json:"administrator"`
	Name          string `json:"name"`
	Role          string `json:"role"`
	Disabled      bool   `json:"disabled"`
	PasswordTime  string `json:"password_time,omitempty"`
	Certificates  int    `json:"certificates"` // client certificates that stand for this one
}

func (c *adminCall) applications(nothing) ([]applicationRow, error) {
	st := c.app.gateway.state.Load()
	uses, err := c.app.gateway.store.SecretUses().ListSecretUses(c.r.Context())
	if err != nil {
		return nil, err
	}
	last := make(map[[2]string]time.Time, len(uses))
	for _, u := range uses {
		last[[2]string{u.AppKey, u.Secret}] = u.LastUsed
	}
	out := []applicationRow{}
	for _, a := range st.registry.Platform().Applications {
		row := applicationRow{
			AppKey: a.AppKey, Name: a.Name, Department: a.Department, IPAllow: a.IPAllow, Disabled: a.Disabled,
			Locked: st.lockedApplication(a.AppKey, a.Department),
		}
		id := registry.SecretID(a.SecretHash)
		row.Secrets = []secretRow{{ID: id, Since: a.SecretTime, LastUsed: last[[2]string{a.AppKey, id}]}}
		if a.PreviousHash != "" && time.Now().Before(a.PreviousUntil) {
			id := registry.SecretID(a.PreviousHash)
			row.Secrets = append(row.Secrets, secretRow{ID: id, Until: a.PreviousUntil, LastUsed: last[[2]string{a.AppKey, id}]})
		}
		for _, g := range a.Grants {
			if g.Form != "" && !slices.Contains(row.Forms, g.Form) {
				row.Forms = append(row.Forms, g.Form)
			}
		}
		out = append(out, row)
	}
	return out, nil
}

func (c *adminCall) accounts(nothing) ([]accountRow, error) {
	st := c.app.gateway.state.Load()
	out := []accountRow{}
	for _, a := range st.registry.Platform().Accounts {
		out = append(out, accountRow{a.Account, a.Name, a.Department, a.Roles, a.Disabled, st.lockedAccount(a.Account, a.Department)})
	}
	return out, nil
}

func (c *adminCall) administrators(nothing) ([]administratorRow, error) {
	out := []administratorRow{}
	for _, a := range c.app.gateway.state.Load().registry.Platform().Administrators {
		out = append(out, administratorRow{a.Administrator, a.Name, a.Role, a.Disabled, a.PasswordTime, len(a.Certificates)})
	}
	return out, nil
}

// actionRequest is one action on one object.
type actionRequest struct {
	changeRequest
	// Overlap is how long the secret before stays good when it is rotated, such as 7d.
	Overlap string `json:"overlap,omitempty"`
}

func (c *adminCall) changeApplication(q actionRequest) (*applied, error) {
	how, err := c.change(q.changeRequest)
	if err != nil {
		return nil, err
	}
	var until time.Time
	if c.path["action"] == "rotate-secret" {
		overlap := q.Overlap
		if overlap == "" {
			overlap = "7d"
		}
		span, err := parseSpan(overlap)
		if err != nil {
			return nil, adminError(http.StatusUnprocessableEntity, "重叠期 %q 无法识别，例如 7d、24h，至多 90d", overlap)
		}
		until = time.Now().Add(span)
	}
	return c.app.changeApplication(c.r.Context(), c.path["app_key"], c.path["action"], until, how)
}

func (c *adminCall) changeAccount(q actionRequest) (*applied, error) {
	how, err := c.change(q.changeRequest)
	if err != nil {
		return nil, err
	}
	return c.app.changeAccount(c.r.Context(), c.path["account"], c.path["action"], how)
}

func (c *adminCall) changeAdministrator(q actionRequest) (*applied, error) {
	how, err := c.change(q.changeRequest)
	if err != nil {
		return nil, err
	}
	if c.path["action"] == "set-password" {
		return nil, errUnknownAction // one's own only: changePassword
	}
	return c.app.changeAdministrator(c.r.Context(), c.path["administrator"], c.path["action"], how)
}

// changeApplication does one thing to one application, as a version of its own: disable (ends its sessions), enable, reset-secret (at
// once), rotate-secret (the old one stays good until a time).
func (a *App) changeApplication(ctx context.Context, key, action string, until time.Time, c change) (*applied, error) {
	return a.apply(ctx, func(current *registry.Platform) (*registry.Platform, error) {
		p := &registry.Platform{Applications: slices.Clone(current.Applications)}
		one := find(p.Applications, func(one *registry.Application) bool { return one.AppKey == key })
		switch {
		case one == nil:
			return nil, errUnknownObject
		case action == "rotate-secret":
			one.Rotate("", until)
			return p, nil
		}
		return p, changeState(action, "reset-secret", &one.Disabled, &one.DisabledGiven, &one.Renew)
	}, c)
}

// changeAccount does one thing to one account: disable (ends its sessions), enable, reset-password.
func (a *App) changeAccount(ctx context.Context, name, action string, c change) (*applied, error) {
	return a.apply(ctx, func(current *registry.Platform) (*registry.Platform, error) {
		p := &registry.Platform{Accounts: slices.Clone(current.Accounts)}
		one := find(p.Accounts, func(one *registry.Account) bool { return one.Account == name })
		if one == nil {
			return nil, errUnknownObject
		}
		return p, changeState(action, "reset-password", &one.Disabled, &one.DisabledGiven, &one.Renew)
	}, c)
}

// changeAdministrator does one thing to one administrator: disable, enable, reset-password, or set-password to one of the own
// choice.
func (a *App) changeAdministrator(ctx context.Context, name, action string, c change) (*applied, error) {
	return a.apply(ctx, func(current *registry.Platform) (*registry.Platform, error) {
		p := &registry.Platform{Administrators: slices.Clone(current.Administrators)}
		one := find(p.Administrators, func(one *registry.Administrator) bool { return one.Administrator == name })
		switch {
		case one == nil:
			return nil, errUnknownObject
		case action == "set-password":
			one.Password, one.Own = c.password, true
			return p, nil
		}
		return p, changeState(action, "reset-password", &one.Disabled, &one.DisabledGiven, &one.Renew)
	}, c)
}

func find[T any](all []T, is func(*T) bool) *T {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// changeState applies one action. A reset asks for a secret that is made when it takes effect: of a change that has to be approved the
// approver learns it, not who proposed it.
func changeState(action, reset string, disabled, given, renew *bool) error {
	switch action {
	case "disable", "enable":
		*disabled, *given = action == "disable", true
	case reset:
		*renew = true
	default:
		return errUnknownAction
	}
	return nil
}
