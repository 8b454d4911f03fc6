package caddymodule

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"licgate/protocol"
)

// Limit counts the application, or the address when nobody is known. The counter's windows are fixed, so that two
// windows' worth can pass at a boundary (measured): each quota is a short window and a minute window together.
// Answers carry RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), refusals Retry-After.
//
// Syntax:
//
//	licgate_limit {
//		application      <per_second> <per_minute>
//		address          <per_second> <per_minute>
//		login            <per_second> <per_minute>
//		verify           <per_second> <per_minute>
//		redeem           <per_second> <per_minute>
//		redeem_overall   <per_second> <per_minute>
//	}
type Limit struct {
	// Application is the quota of a logged-in application whose registration names none. Default 100/s, 3,000/min.
	Application Quota `json:"application,omitzero"`
	// Address is the quota of an address that nobody is known at: an IPv4 address, an IPv6 /64. Default 50/s, 1,000/min.
	Address Quota `json:"address,omitzero"`
	// Login is the tighter quota of login, per address. Default 20/s, 300/min.
	Login Quota `json:"login,omitzero"`
	// Verify is the tighter quota of verify, per address. Default 5/s, 60/min.
	Verify Quota `json:"verify,omitzero"`
	// Redeem is the tighter quota of the *_qr interfaces, per application. Default 20/s, 300/min.
	Redeem Quota `json:"redeem,omitzero"`
	// RedeemOverall bounds the *_qr interfaces of all callers together. Default 200/s, 6,000/min.
	RedeemOverall Quota `json:"redeem_overall,omitzero"`

	app *App
}

// Quota is a number of requests in a second and in a minute.
type Quota struct {
	PerSecond int64 `json:"per_second,omitempty"`
	PerMinute int64 `json:"per_minute,omitempty"`
}

func (q Quota) windows() []window {
	return []window{{"second", q.PerSecond, time.Second}, {"minute", q.PerMinute, time.Minute}}
}

// CaddyModule returns the Caddy module information.
func (Limit) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_limit", New: func() caddy.Module { return new(Limit) }}
}

// Provision finds the app and fills in the defaults.
func (l *Limit) Provision(ctx caddy.Context) (err error) {
	for _, d := range []struct {
		quota    *Quota
		standard Quota
	}{
		{&l.Application, Quota{100, 3000}},
		{&l.Address, Quota{50, 1000}},
		{&l.Login, Quota{20, 300}},
		{&l.Verify, Quota{5, 60}},
		{&l.Redeem, Quota{20, 300}},
		{&l.RedeemOverall, Quota{200, 6000}},
	} {
		if *d.quota == (Quota{}) {
			*d.quota = d.standard
		}
	}
	l.app, err = appOf(ctx)
	return err
}

func parseLimit(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	l := new(Limit)
	return l, l.unmarshal(h)
}

func (l *Limit) unmarshal(h httpcaddyfile.Helper) error {
	quotas := map[string]*Quota{
		"application": &l.Application, "address": &l.Address, "login": &l.Login, "verify": &l.Verify,
		"redeem": &l.Redeem, "redeem_overall": &l.RedeemOverall,
	}
	return block(h.Dispenser, func(word string) error {
		q, known := quotas[word]
		if !known {
			return unknownWord(h.Dispenser, word)
		}
		args := h.RemainingArgs()
		if len(args) != 2 {
			return h.Errf("%s takes two numbers: requests per second and per minute", word)
		}
		for i, into := range []*int64{&q.PerSecond, &q.PerMinute} {
			n, err := strconv.ParseInt(args[i], 10, 64)
			if err != nil || n <= 0 {
				return h.Errf("%s: %q is not a positive number", word, args[i])
			}
			*into = n
		}
		return nil
	})
}

// ServeHTTP counts, and refuses what is over.
func (l *Limit) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	t, err := advance(r, stageLimit)
	if err != nil {
		return err
	}
	for _, c := range l.counts(t, r) {
		states, err := l.app.gateway.limits.count(r.Context(), c.key, c.quota.windows(), t.session != nil)
		if err != nil {
			return errors.Join(err, protocol.Fail(protocol.CodeUnavailable, ""))
		}
		if !c.overall {
			t.limitStates = states
		}
		for _, s := range states {
			if s.reached {
				t.limitStates = states
				return protocol.Fail(protocol.CodeRate, "")
			}
		}
	}
	t.admitted = true
	t.setLimitHeaders(w.Header())
	return next.ServeHTTP(w, r)
}

type count struct {
	key     string
	quota   Quota
	overall bool // of all callers together: not this caller's standing
}

// counts says what a request is counted under, in order. What a caller may not do by its own quota does not use up
// what all share.
func (l *Limit) counts(t *trip, r *http.Request) []count {
	var out []count
	address := addressKey(clientIP(r))
	login := t.endpoint != nil && t.endpoint.Interface == protocol.Login
	if t.session == nil || login { // a login counts for its address, whoever else is logged in there
		out = append(out, count{key: "addr:" + address, quota: l.Address})
	}
	if login {
		out = append(out, count{key: "login:" + address, quota: l.Login})
	}
	if t.isPublic() {
		out = append(out, count{key: "verify:" + address, quota: l.Verify})
	}
	if t.session == nil {
		return out
	}
	out = append(out, count{key: "app:" + t.session.AppKey, quota: l.applicationQuota(t)})
	if t.endpoint != nil {
		switch t.endpoint.Interface {
		case protocol.GetLicenseQR, protocol.GetTokenQR, protocol.ArchiveQR:
			out = append(out, count{key: "redeem:" + t.session.AppKey, quota: l.Redeem},
				count{key: "redeem:*", quota: l.RedeemOverall, overall: true})
		}
	}
	return out
}

// applicationQuota is the application's registered quota, or the default.
func (l *Limit) applicationQuota(t *trip) Quota {
	app, ok := t.state.registry.Application(t.session.AppKey)
	if !ok || app.Rate.PerSecond <= 0 && app.Rate.PerMinute <= 0 {
		return l.Application
	}
	quota := Quota{app.Rate.PerSecond, app.Rate.PerMinute}
	if quota.PerMinute == 0 {
		quota.PerMinute = 60 * quota.PerSecond
	}
	if quota.PerSecond == 0 {
		quota.PerSecond = quota.PerMinute
	}
	return quota
}

// addressKey is the address, or the /64 of an IPv6 address: a host owns all of it.
func addressKey(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	a = a.Unmap()
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.String()
	}
	return a.String()
}

// setLimitHeaders tells the caller where it stands. No key of ours stands in it.
func (t *trip) setLimitHeaders(h http.Header) {
	if len(t.limitStates) == 0 {
		return
	}
	var policies, standing []string
	var retry int64
	for _, s := range t.limitStates {
		left := int64(math.Ceil(time.Until(s.reset).Seconds()))
		left = max(left, 1)
		policies = append(policies, fmt.Sprintf("%q;q=%d;w=%d", s.name, s.quota, int64(s.period.Seconds())))
		standing = append(standing, fmt.Sprintf("%q;r=%d;t=%d", s.name, s.remaining, left))
		if s.reached {
			retry = max(retry, left)
		}
	}
	h.Set("RateLimit-Policy", strings.Join(policies, ", "))
	h.Set("RateLimit", strings.Join(standing, ", "))
	if retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(retry, 10))
	}
}

var (
	_ caddy.Provisioner           = (*Limit)(nil)
	_ caddyhttp.MiddlewareHandler = (*Limit)(nil)
)
