package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"licgate/licence"
	"licgate/masking"
	"licgate/protocol"
	"licgate/render"
)

// isPublic reports whether the request is for the page that checks QR codes.
func (t *trip) isPublic() bool {
	return t.endpoint != nil && t.endpoint.Access == protocol.PublicAccess
}

// judgeCheck finds the licence of the code that somebody asks about. Without a code the page asks for one.
func (a *Authorize) judgeCheck(r *http.Request, t *trip) error {
	if t.call.CheckCode == "" {
		return t.decide(nil)
	}
	l, err := a.app.gateway.licences.ByCheckCode(r.Context(), checkCodeIn(t.call.CheckCode))
	if err != nil {
		return err
	}
	if _, known := t.state.item(l.Item); !known { // nobody says any more what of it is sensitive
		return licence.ErrNoCode
	}
	return t.decideResolved(&licence.Resolved{Licence: l})
}

// checkCodeIn takes the code out of the address that a QR code holds; what is no address is the code itself.
func checkCodeIn(text string) string {
	if _, query, found := strings.Cut(text, "?"); found {
		values, _ := url.ParseQuery(query)
		return values.Get("c")
	}
	return text
}

// answerCheck draws what everybody may know of the licence that was found.
func answerCheck(w http.ResponseWriter, t *trip) error {
	check := &render.Check{}
	if t.resolved != nil {
		check = t.state.check(t.resolved.Licence, time.Now())
	}
	var body bytes.Buffer
	if err := render.CheckPage(&body, check); err != nil {
		return fmt.Errorf("drawing what a check found: %w", err)
	}
	checkHeaders(w.Header())
	return t.sendPage(w, body.Bytes())
}

// checkHeaders are those of a page, but that its form may be sent, to this gateway alone. Nobody embeds it.
func checkHeaders(h http.Header) {
	pageHeaders(h, nil)
	policy := strings.Replace(h.Get("Content-Security-Policy"), "form-action 'none'", "form-action 'self'", 1)
	h.Set("Content-Security-Policy", policy)
}

// check is what everybody may know of a licence whose item is known. Whatever is sensitive in it is masked by its kind: no right, and
// nothing that was asked for, has a say.
func (s *state) check(l *licence.Licence, at time.Time) *render.Check {
	item, _ := s.item(l.Item)
	spec := masking.Spec{Rules: s.masking}
	for _, f := range item.Fields {
		if f.Sensitive != "" {
			spec.Fields = append(spec.Fields, masking.Field{Key: f.Key, Kind: masking.Kind(f.Sensitive)})
		}
	}
	plan := spec.Plan()
	shown := func(role, value string) string { return s.masking.Mask(roleKind(item, plan, role), value) }
	holder := shown("holder_name", l.HolderName)
	if item.HolderType != "organisation" && holder == l.HolderName { // a person's name, though the item calls it public
		holder = s.masking.Mask(masking.Name, l.HolderName)
	}
	return &render.Check{
		Title: l.Name, Status: l.Status(at), Holder: holder, IDCode: shown("id_code", l.IDCode),
		Issuer: s.issuer(l), IssueDate: shown("issue_date", l.IssueDate),
		Validity: period(shown("begin_date", l.BeginDate), shown("issue_date", l.IssueDate), shown("expiry_date", l.ExpiryDate)),
		At:       at,
	}
}

// issuer is the department that made a licence, as the registry names it. What the licence says of its issuer is what somebody wrote.
func (s *state) issuer(l *licence.Licence) string {
	if d, ok := s.registry.Department(l.Department); ok {
		return d.Name
	}
	return l.Department
}

// showCode puts a QR code on a view, by which everybody may check the licence until it expires; the zero time is for files that are kept.
func (t *trip) showCode(v *render.View, l *licence.Licence, expires time.Time) error {
	code, err := t.app.gateway.licences.NewCheckCode(l, expires)
	if err != nil {
		return err
	}
	address := t.app.VerifyURL
	if address == "" {
		address = (&url.URL{Scheme: "https", Host: t.host, Path: protocol.Find(protocol.Verify).Path}).String()
	}
	v.QRExpires = expires
	v.QR, err = render.QRCode(address + "?c=" + code)
	return err
}

// isVerifyURL reports whether a QR code can lead to an address.
func isVerifyURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.HasSuffix(text, "?")
}

// checkRequest asks about a QR code: its text, or the code in it.
type checkRequest struct {
	Code string `json:"code"`
}

// checkAnswer is what everybody may know of the licence. Without one there is a reason.
type checkAnswer struct {
	Real   bool   `json:"real"`
	Reason string `json:"reason,omitempty"` // unknown, expired
	render.Check
}

// check tells an administrator what the page tells everybody.
func (c *adminCall) check(q checkRequest) (checkAnswer, error) {
	now := time.Now()
	l, err := c.app.gateway.licences.ByCheckCode(c.r.Context(), checkCodeIn(q.Code))
	switch {
	case errors.Is(err, licence.ErrCheckExpired):
		return checkAnswer{Reason: "expired", Check: render.Check{At: now}}, nil
	case errors.Is(err, licence.ErrNoCode):
		return checkAnswer{Reason: "unknown", Check: render.Check{At: now}}, nil
	case err != nil:
		return checkAnswer{}, err
	}
	s := c.app.gateway.state.Load()
	if _, known := s.item(l.Item); !known {
		return checkAnswer{Reason: "unknown", Check: render.Check{At: now}}, nil
	}
	return checkAnswer{Real: true, Check: *s.check(l, now)}, nil
}
