package caddymodule

import (
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/caddyserver/certmagic"
)

// siteCertificate is the certificate that a site answers with.
type siteCertificate struct {
	Name string `json:"name"` // host name of the site
	// Issuer and the times are empty when there is no certificate for the name: every handshake for it fails, unless it is OnDemand.
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// OnDemand: the certificate is obtained in the first handshake that asks for it.
	OnDemand bool `json:"on_demand,omitempty"`
}

// siteCertificates are those of the host names that the configuration in force serves by TLS. Of several for a name, the one that lasts
// longest.
func siteCertificates() []siteCertificate {
	var all []siteCertificate
	for _, name := range servedNames() {
		one := siteCertificate{Name: name, OnDemand: onDemand(name)}
		for _, c := range caddytls.AllMatchingCertificates(name) {
			if leaf := c.Leaf; leaf != nil && leaf.NotAfter.After(one.NotAfter) {
				one.Issuer, one.NotBefore, one.NotAfter = leaf.Issuer.CommonName, leaf.NotBefore, leaf.NotAfter
			}
		}
		all = append(all, one)
	}
	return all
}

// onDemand reports whether the certificate for a name is obtained when a handshake asks for it. As for Caddy, the first policy for the name
// counts.
func onDemand(name string) bool {
	app, err := caddy.ActiveContext().AppIfConfigured("tls")
	if err != nil {
		return false
	}
	automation := app.(*caddytls.TLS).Automation
	if automation == nil {
		return false
	}
	for _, policy := range automation.Policies {
		subjects := policy.Subjects()
		if len(subjects) == 0 || slices.ContainsFunc(subjects, func(s string) bool { return certmagic.MatchWildcard(name, s) }) {
			return policy.OnDemand || len(policy.Managers) > 0
		}
	}
	return false
}

// servedNames are the host names of all sites that are served by TLS, sorted.
func servedNames() []string {
	var names []string
	for _, server := range activeServers() {
		if len(server.TLSConnPolicies) == 0 {
			continue
		}
		for _, route := range server.Routes {
			for _, set := range route.MatcherSets {
				for _, matcher := range set {
					if hosts, ok := matcher.(*caddyhttp.MatchHost); ok {
						for _, host := range *hosts {
							names = append(names, strings.ToLower(host))
						}
					}
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// judge says how a certificate stands at a time, and whether that is well (resultPass), somebody has to act (resultFail), or it can't be
// known yet (resultSkip).
func (c siteCertificate) judge(now time.Time) (text, result string) {
	left, whole := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
	switch {
	case c.NotAfter.IsZero() && c.OnDemand:
		return "按需签发（on_demand），有人首次访问时才取得证书", resultSkip
	case c.NotAfter.IsZero():
		return "没有证书，以此名称的访问都在 TLS 握手时失败", resultFail
	case left <= 0:
		return "签发者 " + c.Issuer + "，已过期", resultFail
	case whole <= machineRenewed:
		return "签发者 " + c.Issuer + "，" + roughly(left) + "后到期（短期证书，由网关自动更换）", resultPass
	case left < renewalNotice:
		result = resultFail
	default:
		result = resultPass
	}
	return "签发者 " + c.Issuer + "，" + roughly(left) + "后到期", result
}
