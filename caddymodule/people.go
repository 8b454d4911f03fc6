package caddymodule

import (
	"context"
	"errors"
	"slices"

	"licgate/gm"
	"licgate/registry"
)

// errUnknownObject and errUnknownAction are refusals of the administrator's calls on one application or account.
var (
	errUnknownObject = errors.New("no such application or account")
	errUnknownAction = errors.New("no such action")
)

// applicationRow and accountRow are lines of the lists that administrators see.
type applicationRow struct {
	AppKey     string   `json:"app_key"`
	Name       string   `json:"name"`
	Department string   `json:"department"`
	IPAllow    []string `json:"ip_allow,omitempty"`
	Disabled   bool     `json:"disabled"`
}

type accountRow struct {
	Account    string   `json:"account"`
	Name       string   `json:"name"`
	Department string   `json:"department"`
	Roles      []string `json:"roles,omitempty"`
	Disabled   bool     `json:"disabled"`
}

func (s *state) applications() []applicationRow {
	out := []applicationRow{}
	for _, a := range s.registry.Platform().Applications {
		out = append(out, applicationRow{a.AppKey, a.Name, a.Department, a.IPAllow, a.Disabled})
	}
	return out
}

func (s *state) accounts() []accountRow {
	out := []accountRow{}
	for _, a := range s.registry.Platform().Accounts {
		out = append(out, accountRow{a.Account, a.Name, a.Department, a.Roles, a.Disabled})
	}
	return out
}

// changeApplication does one thing to one application, as a version of its own: disable (ends its sessions), enable,
// reset-secret.
func (a *App) changeApplication(ctx context.Context, key, action string, c change) (*applied, error) {
	return a.changeOne(ctx, c, func(p *registry.Platform) (*registry.Generated, error) {
		i := slices.IndexFunc(p.Applications, func(one registry.Application) bool { return one.AppKey == key })
		if i < 0 {
			return nil, errUnknownObject
		}
		fresh := &registry.Generated{Kind: "app_secret", Key: key}
		return changeState(action, "reset-secret", a.gateway.keys, &p.Applications[i].Disabled, &p.Applications[i].DisabledGiven, &p.Applications[i].Secret, fresh)
	})
}

// changeAccount does one thing to one account: disable (ends its sessions), enable, reset-password.
func (a *App) changeAccount(ctx context.Context, name, action string, c change) (*applied, error) {
	return a.changeOne(ctx, c, func(p *registry.Platform) (*registry.Generated, error) {
		i := slices.IndexFunc(p.Accounts, func(one registry.Account) bool { return one.Account == name })
		if i < 0 {
			return nil, errUnknownObject
		}
		fresh := &registry.Generated{Kind: "password", Key: name}
		return changeState(action, "reset-password", a.gateway.keys, &p.Accounts[i].Disabled, &p.Accounts[i].DisabledGiven, &p.Accounts[i].Password, fresh)
	})
}

// changeState applies one action; a reset puts a fresh secret into both the declaration and what is shown once.
func changeState(action, reset string, keys *gm.Keyring, disabled, given *bool, secret *string, fresh *registry.Generated) (*registry.Generated, error) {
	switch action {
	case "disable", "enable":
		*disabled, *given = action == "disable", true
		return nil, nil
	case reset:
		var err error
		fresh.Value, err = vault{keys}.Generate()
		*secret = fresh.Value
		return fresh, err
	}
	return nil, errUnknownAction
}

// changeOne applies a change to one object of what is in force.
func (a *App) changeOne(ctx context.Context, c change, edit func(*registry.Platform) (*registry.Generated, error)) (*applied, error) {
	var fresh *registry.Generated
	done, err := a.apply(ctx, func(current *registry.Platform) (*registry.Platform, error) {
		p := &registry.Platform{Applications: slices.Clone(current.Applications), Accounts: slices.Clone(current.Accounts)}
		var err error
		fresh, err = edit(p)
		return p, err
	}, c)
	if err != nil {
		return nil, err
	}
	if fresh != nil && !c.dryRun {
		done.Generated = append(done.Generated, *fresh)
	}
	return done, nil
}
