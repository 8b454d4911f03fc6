package caddymodule

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"

	"licgate/licence"
	"licgate/protocol"
	"licgate/render"
)

// Pages answers view_license and view_mobile (tables 17 and 21) with the licence's page, drawn from masked data, and verify with what
// everybody may know.
//
// Syntax:
//
//	licgate_pages
type Pages struct{ app *App }

// CaddyModule returns the Caddy module information.
func (Pages) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_pages", New: func() caddy.Module { return new(Pages) }}
}

// Provision finds the app.
func (p *Pages) Provision(ctx caddy.Context) (err error) {
	p.app, err = appOf(ctx)
	return err
}

func parsePages(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	return new(Pages), noArguments(h.Dispenser)
}

// ServeHTTP draws the page.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	t, err := arrivedAtEnd(r, "licgate_pages")
	if err != nil {
		return err
	}
	if t.endpoint == nil || !t.endpoint.Page {
		return next.ServeHTTP(w, r)
	}
	if t.isPublic() {
		return answerCheck(w, t)
	}
	if t.page == "" && isBrowser(r) {
		return p.open(w, r, t)
	}
	view, err := t.view(r.Context(), t.resolved.Licence)
	if err != nil {
		return err
	}
	view.ExpiresAt = t.resolved.Expires
	if err := t.showCode(view, t.resolved.Licence, view.At.Add(render.CodeLife)); err != nil {
		return err
	}
	variant := render.Desktop
	if t.endpoint.Interface == protocol.ViewMobile {
		variant = render.Mobile
	}
	var body bytes.Buffer
	if err := t.drawn(r.Context(), t.resolved.Licence.Item, view, func() error { return render.Page(&body, view, variant) }); err != nil {
		return fmt.Errorf("drawing a page: %w", err)
	}
	pageHeaders(w.Header(), p.app.FrameAncestors)
	return t.sendPage(w, body.Bytes())
}

// sendPage sends a page that was drawn from masked data.
func (t *trip) sendPage(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	t.rendered = true
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body)
	return err
}

// isBrowser tells a person's visit from a business system that fetches the page, and from what looks at addresses before people do: browsers
// mark a visit (W3C Fetch Metadata), and what they fetch in advance.
func isBrowser(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Purpose") == "" && r.Header.Get("Purpose") == ""
}

// open takes the token out of a browser's address: the browser is sent to the page's clean address with a cookie, and the token is dead.
// It shows nothing, so nothing was seen in clear.
func (p *Pages) open(w http.ResponseWriter, r *http.Request, t *trip) error {
	token, err := p.app.gateway.licences.Exchange(r.Context(), *t.resolved)
	if err != nil {
		return err
	}
	t.record.ClearFields, t.record.Detail = nil, "令牌换为页面凭据"
	page := rand.Text()[:pageNameLength]
	framed := r.Header.Get("Sec-Fetch-Dest") == "iframe"
	http.SetCookie(w, protocol.PageCookie(r.URL.Path, page, token, time.Until(t.resolved.Expires), framed))
	h := w.Header()
	pageHeaders(h, p.app.FrameAncestors)
	h.Set("Location", protocol.PageName(page))
	t.rendered = true
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// pageNameLength makes two pages of one browser take different names.
const pageNameLength = 8

// pageHeaders are those of every page for people. Nothing foreign loads, no script runs, nobody embeds it unless allowed, the address
// (which holds the token) is told to nobody, and nothing is kept.
func pageHeaders(h http.Header, frameAncestors []string) {
	ancestors := "'none'"
	if len(frameAncestors) > 0 {
		ancestors = strings.Join(frameAncestors, " ")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors "+ancestors)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
}

// view is the licence as it is drawn: everything in it went through the plan.
func (t *trip) view(ctx context.Context, l *licence.Licence) (*render.View, error) {
	wire := t.wireLicence(l)
	item, ok := t.state.item(l.Item)
	if wire == nil || !ok {
		return nil, errors.New("a licence without a plan")
	}
	now := time.Now()
	v := &render.View{
		Title: l.Name, Status: wire.LicenseStatus, Code: wire.LicenseCode, IDCode: wire.IDCode, Holder: wire.HolderName,
		Issuer: wire.IssueOrgName, IssueDate: wire.IssueDate, Validity: validity(wire), At: now,
		Viewer: t.viewer(), Purpose: t.purpose(), SealName: t.state.issuer(l), SealCode: t.sealCode(l), Fonts: t.app.fonts,
		Template: t.app.gateway.face(ctx, item, l),
	}
	plan := t.plans[item.Code]
	registered, _ := t.state.registry.Item(item.Code)
	for i, f := range item.Fields {
		value, present := wire.DataFields[f.Key]
		if !present || registered != nil && registered.Fields[i].Hidden {
			continue
		}
		if plan.Hides(f.Key) {
			v.MaskedNote = true
		}
		if f.Type == "image" {
			if f.Role == "photo" {
				v.Photo = licence.Picture(value)
			}
			continue
		}
		v.Fields = append(v.Fields, render.Field{
			Key: f.Key, Role: f.Role, Label: f.Label, Value: licence.Text(value), Masked: plan.Hides(f.Key), Reason: t.whyMasked(item, f.Key),
		})
	}
	return v, nil
}

// validity is the period as a face shows it.
func validity(l *protocol.License) string { return period(l.BeginDate, l.IssueDate, l.ExpiryDate) }

// period begins with the day of issue when nothing else is said, and without an end lasts for ever.
func period(begin, issued, end string) string {
	from, to := cmp.Or(begin, issued), cmp.Or(end, "长期")
	if from == "" {
		return to
	}
	return from + " 至 " + to
}

// viewer names who looks, for the watermark: department and account.
func (t *trip) viewer() string {
	name := t.request.Department
	if d, ok := t.state.registry.Department(t.request.Department); ok {
		name = d.Name
	}
	if a, ok := t.state.registry.Account(t.request.Account); ok {
		name += " " + a.Account
	}
	return name
}

// purpose says what the copy is for, for the watermark.
func (t *trip) purpose() string {
	name := t.grant().ServiceItemName
	if s, ok := t.state.registry.ServiceItem(t.request.Department, t.request.ServiceItem); ok {
		name = s.Name // what is registered, not what the caller wrote
	}
	if name == "" {
		return "仅供持证人出示"
	}
	return "仅用于" + name
}

// Assets answers the static files of the pages. They are the same for everybody, so they stand outside the steps.
//
// Syntax:
//
//	licgate_assets
type Assets struct{ app *App }

// CaddyModule returns the Caddy module information.
func (Assets) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.licgate_assets", New: func() caddy.Module { return new(Assets) }}
}

// Provision finds the app.
func (a *Assets) Provision(ctx caddy.Context) (err error) {
	a.app, err = appOf(ctx)
	return err
}

func parseAssets(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	return new(Assets), noArguments(h.Dispenser)
}

const assetPrefix = "/license/assets/"

// ServeHTTP answers an asset, or passes.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !strings.HasPrefix(r.URL.Path, assetPrefix) || r.Method != http.MethodGet {
		return next.ServeHTTP(w, r)
	}
	if path.Dir(r.URL.Path)+"/" != assetPrefix {
		return next.ServeHTTP(w, r)
	}
	asset, ok, err := a.app.fonts.Asset(path.Base(r.URL.Path))
	if err != nil {
		return fmt.Errorf("making an asset: %w", err)
	}
	if !ok {
		return next.ServeHTTP(w, r)
	}
	content := asset.Content
	h := w.Header()
	if asset.Gzip != nil {
		h.Set("Vary", "Accept-Encoding")
		if slices.Contains(encode.AcceptedEncodings(r, nil), "gzip") {
			h.Set("Content-Encoding", "gzip")
			content = asset.Gzip
		}
	}
	h.Set("Content-Type", asset.Type)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	_, err = w.Write(content)
	return err
}

var (
	_ caddy.Provisioner           = (*Pages)(nil)
	_ caddy.Provisioner           = (*Assets)(nil)
	_ caddyhttp.MiddlewareHandler = (*Pages)(nil)
	_ caddyhttp.MiddlewareHandler = (*Assets)(nil)
)
