package caddymodule

import (
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// siteCertificate is the certificate that a site answers with.
type siteCertificate struct {
	Name string `json:"name"` // host name of the site
	// Issuer and the times are empty when there is no certificate for the name: every handshake for it fails.
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
}

// siteCertificates are those of the host names that the configuration in force serves by TLS. Of several for a name, the one that lasts
// longest.
func siteCertificates() []siteCertificate {
	var all []siteCertificate
	for _, name := range servedNames() {
		one := siteCertificate{Name: name}
		for _, c := range caddytls.AllMatchingCertificates(name) {
			if leaf := c.Leaf; leaf != nil && leaf.NotAfter.After(one.NotAfter) {
				one.Issuer, one.NotBefore, one.NotAfter = leaf.Issuer.CommonName, leaf.NotBefore, leaf.NotAfter
			}
		}
		all = append(all, one)
	}
	return all
}

// servedNames are the host names of all sites that are served by TLS, sorted.
func servedNames() []string {
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return nil
	}
	var names []string
	for _, server := range app.(*caddyhttp.App).Servers {
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

// judge says how a certificate stands at a time, and whether somebody has to act.
func (c siteCertificate) judge(now time.Time) (text string, ok bool) {
	left, whole := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
	switch {
	case c.NotAfter.IsZero():
		return "没有证书，以此名称的访问都在 TLS 握手时失败", false
	case left <= 0:
		return "签发者 " + c.Issuer + "，已过期", false
	case whole <= machineRenewed:
		return "签发者 " + c.Issuer + "，" + roughly(left) + "后到期（短期证书，由网关自动更换）", true
	}
	return "签发者 " + c.Issuer + "，" + roughly(left) + "后到期", left >= renewalNotice
}
