package caddymodule

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// parseApp parses the global option.
//
// Syntax:
//
//	licgate {
//		data                   <folder>
//		store                  sqlite:<file> | postgres://…
//		sessions               store | redis://…
//		limits                 memory | redis://…
//		node                   <name>
//		session_lifetime       <duration>
//		session_idle           <duration>
//		auth_failure_status    401 | 200
//		item_code_organisation off | warn | enforce
//		body_limit             <size>
//		batch_body_limit       <size>
//		frame_ancestors        <origin…>
//		fonts                  <folder>
//		verify_url             <https address of the page that checks QR codes>
//		policy {
//			shadow          <percentage, such as 0.1%>
//			approval        <class…>
//			approval_expiry <duration>
//			hold            <duration>
//			decisions       <file>
//		}
//		audit {
//			… as parseAuditOptions
//		}
//		credential {
//			jwks_file   <file>
//			jwks_url    <url>
//			issuer      <iss>
//			audience    <aud>
//			development off | loopback
//		}
//		keys { … }          (keys_options.go)
//	}
func parseApp(d *caddyfile.Dispenser, _ any) (any, error) {
	a := new(App)
	texts := map[string]*string{
		"data": &a.Data, "store": &a.Store, "sessions": &a.Sessions, "limits": &a.Limits, "node": &a.Node,
		"item_code_organisation": &a.Organisation, "fonts": &a.Fonts, "verify_url": &a.VerifyURL,
	}
	durations := map[string]*caddy.Duration{"session_lifetime": &a.SessionLifetime, "session_idle": &a.SessionIdle}
	sizes := map[string]*int64{"body_limit": &a.BodyLimit, "batch_body_limit": &a.BatchBodyLimit}
	err := block(d, func(word string) error {
		if s, ok := texts[word]; ok {
			return optional(d, s)
		}
		if n, ok := sizes[word]; ok {
			return size(d, n)
		}
		if v, ok := durations[word]; ok {
			return duration(d, v)
		}
		switch word {
		case "auth_failure_status":
			var text string
			if err := one(d, &text); err != nil {
				return err
			}
			n, err := strconv.Atoi(text)
			if err != nil {
				return d.Errf("auth_failure_status: %q is not a number", text)
			}
			a.AuthFailureStatus = n
			return nil
		case "frame_ancestors":
			a.FrameAncestors = d.RemainingArgs()
			return nil
		case "policy":
			return parsePolicy(d, a)
		case "audit":
			return parseAuditOptions(d, &a.Audit)
		case "credential":
			return parseCredential(d, &a.Credential)
		case "keys":
			return parseKeys(d, &a.Keys)
		case "seal":
			return parseSeal(d, &a.Seal)
		}
		return unknownWord(d, word)
	})
	if err != nil {
		return nil, err
	}
	if err := a.check(); err != nil {
		return nil, d.WrapErr(err)
	}
	return httpcaddyfile.App{Name: "licgate", Value: caddyconfig.JSON(a, nil)}, nil
}

func parsePolicy(d *caddyfile.Dispenser, a *App) error {
	return section(d, func(word string) error {
		switch word {
		case "shadow":
			return percentage(d, &a.Shadow)
		case "approval":
			if a.Approval = d.RemainingArgs(); len(a.Approval) == 0 {
				return d.ArgErr()
			}
			return nil
		case "approval_expiry":
			return duration(d, &a.ApprovalExpiry)
		case "hold":
			return duration(d, &a.Hold)
		case "decisions":
			return one(d, &a.Decisions)
		}
		return unknownWord(d, word)
	})
}

func percentage(d *caddyfile.Dispenser, part *float64) error {
	word := d.Val()
	var text string
	if err := one(d, &text); err != nil {
		return err
	}
	percent, found := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(percent, 64)
	if err != nil || !found || n < 0 || n > 100 {
		return d.Errf("%s: %q is not a percentage (such as 0.1%%)", word, text)
	}
	*part = n / 100
	return nil
}

func parseCredential(d *caddyfile.Dispenser, c *Credential) error {
	texts := map[string]*string{
		"jwks_file": &c.JWKSFile, "jwks_url": &c.JWKSURL, "issuer": &c.Issuer, "audience": &c.Audience,
		"development": &c.Development,
	}
	return section(d, func(word string) error {
		s, known := texts[word]
		if !known {
			return unknownWord(d, word)
		}
		return optional(d, s)
	})
}
