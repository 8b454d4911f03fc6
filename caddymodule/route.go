package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"licgate/licence"
	"licgate/protocol"
)

// Route ties requests to a foreign upstream to an interface of the standard, and says where in them the things are that a
// decision is about.
type Route struct {
	// Method is the HTTP method.
	Method string `json:"method"`
	// Path is a pattern: literal segments and {name} for one segment each.
	Path string `json:"path"`
	// Interface is the standard's method name: the act of the decision.
	Interface string `json:"interface"`
	// Item is where the item code is. It may be absent when AuthCode is given: then the code's licence says it.
	Item Source `json:"item,omitzero"`
	// ServiceItem is where the service item's code is.
	ServiceItem Source `json:"service_item,omitzero"`
	// LicenseCode is where the licence's code is; it is recorded.
	LicenseCode Source `json:"license_code,omitzero"`
	// AuthCode is where a use code of this gateway is; it is resolved as get_license does.
	AuthCode Source `json:"auth_code,omitzero"`
	// ShowSensitiveData is where the request to see sensitive data is.
	ShowSensitiveData Source `json:"show_sensitive_data,omitzero"`
	// Masked is what is masked in the answers of this route.
	Masked

	segments []string
}

// Source is a place in a request.
type Source struct {
	From string `json:"from,omitempty"` // path, query, body (member of a JSON object, dots between levels), value (literal)
	Name string `json:"name,omitempty"`
}

func parseRoute(d *caddyfile.Dispenser) (*Route, error) {
	args := d.RemainingArgs()
	if len(args) != 3 {
		return nil, d.Err("route takes a method, a path pattern and an interface")
	}
	route := &Route{Method: args[0], Path: args[1], Interface: args[2]}
	sources := map[string]*Source{
		"item": &route.Item, "service_item": &route.ServiceItem, "license_code": &route.LicenseCode,
		"auth_code": &route.AuthCode, "show_sensitive_data": &route.ShowSensitiveData,
	}
	err := words(d, func(word string) error {
		if ours, err := route.unmarshal(d, word); ours || err != nil {
			return err
		}
		s, known := sources[word]
		if !known {
			return unknownWord(d, word)
		}
		args := d.RemainingArgs()
		if len(args) != 2 {
			return d.Errf("%s takes path, query, body or value, and a name", word)
		}
		s.From, s.Name = args[0], args[1]
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := route.compile(); err != nil {
		return nil, d.WrapErr(err)
	}
	return route, nil
}

// compile checks a route.
func (p *Route) compile() error {
	switch endpoint := protocol.Find(protocol.Interface(p.Interface)); {
	case endpoint == nil:
		return fmt.Errorf("route %s: unknown interface %q", p.Path, p.Interface)
	case endpoint.Table >= 1 && endpoint.Table <= 4:
		return fmt.Errorf("route %s: %s needs no grant, so it would guard nothing", p.Path, p.Interface)
	}
	if !strings.HasPrefix(p.Path, "/") || p.Method == "" || p.Method != strings.ToUpper(p.Method) {
		return fmt.Errorf("route %s %s: the method is upper case and the path begins with /", p.Method, p.Path)
	}
	p.segments = strings.Split(p.Path, "/")
	if err := p.Masked.compile(); err != nil {
		return fmt.Errorf("route %s: %w", p.Path, err)
	}
	if p.Item.From == "" && p.AuthCode.From == "" {
		return fmt.Errorf("route %s: item or auth_code must say what the decision is about", p.Path)
	}
	for word, s := range p.sources() {
		switch s.From {
		case "", "query", "body", "value":
		case "path":
			if !strings.Contains(p.Path, "{"+s.Name+"}") {
				return fmt.Errorf("route %s: %s is said to be in the path, which has no {%s}", p.Path, word, s.Name)
			}
		default:
			return fmt.Errorf("route %s: %s comes from %q, allowed are path, query, body and value", p.Path, word, s.From)
		}
	}
	return nil
}

// match returns the path's names, when r is a request of this route.
func (p *Route) match(r *http.Request) (map[string]string, bool) {
	parts := strings.Split(r.URL.Path, "/")
	if r.Method != p.Method || len(parts) != len(p.segments) {
		return nil, false
	}
	names := make(map[string]string)
	for i, s := range p.segments {
		switch {
		case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && parts[i] != "":
			names[s[1:len(s)-1]] = parts[i]
		case s != parts[i]:
			return nil, false
		}
	}
	return names, true
}

// found is a request of a route with everything that its sources may name.
type found struct {
	path  map[string]string
	query map[string]string
	body  map[string]any
}

// get is what stands at s, "" when nothing does. What is there in a shape that nobody can compare is refused: the upstream
// might read something into it.
func (f *found) get(s Source) (string, error) {
	switch s.From {
	case "path":
		return f.path[s.Name], nil
	case "query":
		return f.query[s.Name], nil
	case "value":
		return s.Name, nil
	case "":
		return "", nil
	}
	var v any = f.body
	for name := range strings.SplitSeq(s.Name, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return "", protocol.Fail(protocol.CodeParameter, s.Name+" 的类型不正确")
		}
		if v = object[name]; v == nil {
			return "", nil
		}
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", protocol.Fail(protocol.CodeParameter, s.Name+" 的类型不正确")
}

// sources are the places that the route names, by what stands there.
func (p *Route) sources() map[string]Source {
	return map[string]Source{
		"item": p.Item, "service_item": p.ServiceItem, "license_code": p.LicenseCode,
		"auth_code": p.AuthCode, "show_sensitive_data": p.ShowSensitiveData,
	}
}

// ambiguous reports whether the request holds, beside what the decision reads, another member that an upstream might take for
// it: in other letters, with dots or brackets, in the query and the body both, or one that names another method.
func (f *found) ambiguous(p *Route) bool {
	for _, s := range p.sources() {
		if s.From == "" || s.From == "value" {
			continue
		}
		parts := strings.Split(s.Name, ".")
		for key := range f.query {
			exact := s.From == "query" && key == s.Name
			if !exact && (alike(key, s.Name) || alike(key, parts[0]) || alike(key, parts[len(parts)-1])) {
				return true
			}
		}
		if s.From == "path" { // its name is ours: an upstream's body knows nothing of it
			continue
		}
		for key := range f.body {
			if s.From == "query" && alike(key, s.Name) || len(parts) > 1 && alike(key, s.Name) {
				return true
			}
		}
		level := f.body
		for _, part := range parts {
			for key := range level {
				if s.From == "body" && alike(key, part) && key != part {
					return true
				}
			}
			level, _ = level[part].(map[string]any)
		}
	}
	_, inQuery := f.query["_method"]
	_, inBody := f.body["_method"]
	return inQuery || inBody
}

// alike reports whether some reader takes key for name: letters of either case, and what PHP makes of dots, blanks and
// brackets.
func alike(key, name string) bool { return strings.EqualFold(plain(key), plain(name)) }

var marks = strings.NewReplacer(".", "_", " ", "_", "[", "_", "]", "")

func plain(name string) string { return strings.TrimRight(marks.Replace(strings.TrimSpace(name)), "_") }

// judgeForeign decides about a request to a foreign upstream and sets its identity headers.
func (a *Authorize) judgeForeign(r *http.Request, t *trip) error {
	t.endpoint, t.foreign = nil, true // the route table rules, whatever the standard calls such a path
	if t.routeFailure != nil && t.routeFailure.Code == protocol.CodeAmbiguous {
		return t.routeFailure
	}
	var route *Route
	f := new(found)
	for _, p := range a.Routes {
		if names, ok := p.match(r); ok {
			route, f.path = p, names
			break
		}
	}
	if route == nil {
		return protocol.Fail(protocol.CodeNoPath, "")
	}
	t.route, t.request.Interface = route, route.Interface
	if t.sessionFailure != nil {
		return t.sessionFailure
	}
	if t.session == nil { // a page's token is no session here
		return protocol.Fail(protocol.CodeNoToken, "")
	}
	var failure *protocol.Failure
	if f.query, failure = protocol.Query(r.URL.RawQuery); failure != nil {
		return failure
	}
	raw, body, failure := protocol.Body(r, a.app.BodyLimit)
	if failure != nil {
		return failure
	}
	// The upstream gets the very bytes that were judged.
	f.body, r.Body, r.ContentLength = body, io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	if err := a.refresh(r, t); err != nil {
		return err
	}
	if f.ambiguous(route) {
		return protocol.Fail(protocol.CodeAmbiguous, "请求中有与判定依据近似的重复参数")
	}
	t.call = &protocol.Call{Endpoint: protocol.Find(protocol.Interface(route.Interface))}
	sensitive, err := f.get(route.ShowSensitiveData)
	if err != nil {
		return err
	}
	t.call.ShowSensitiveData = new(strings.EqualFold(sensitive, "true"))
	code, err := f.get(route.LicenseCode)
	if err != nil {
		return err
	}
	t.noteLicence(code)
	if route.ServiceItem.From != "" { // where it is said to be, it must be
		service, err := f.get(route.ServiceItem)
		if err != nil {
			return err
		}
		if _, err := t.serviceItem(service); err != nil {
			return err
		}
	}
	if err := a.judgeRoute(r, t, route, f); err != nil {
		return err
	}
	h := r.Header
	h.Set(identityHeaderPrefix+"Response-Id", t.responseID)
	h.Set(identityHeaderPrefix+"App", t.request.App)
	h.Set(identityHeaderPrefix+"Account", t.request.Account)
	h.Set(identityHeaderPrefix+"Department", t.request.Department)
	h.Set(identityHeaderPrefix+"Interface", t.request.Interface)
	h.Set(identityHeaderPrefix+"Item", t.request.Item)
	if t.request.ServiceItem != "" {
		h.Set(identityHeaderPrefix+"Service-Item", t.request.ServiceItem)
	}
	return nil
}

func (a *Authorize) judgeRoute(r *http.Request, t *trip, route *Route, f *found) error {
	if route.AuthCode.From != "" {
		code, err := f.get(route.AuthCode)
		if err != nil {
			return err
		}
		resolved, err := a.app.gateway.licences.ByAuthCode(r.Context(), code, t.request.App, t.request.Department)
		if err != nil {
			return err
		}
		if named, err := f.get(route.LicenseCode); err != nil || named != "" && named != resolved.Licence.Code {
			return licence.ErrNoCode // the code is another licence's
		}
		t.request.ServiceItem = resolved.Grant.ServiceItem
		return t.decideResolved(&resolved)
	}
	code, err := f.get(route.Item)
	if err != nil {
		return err
	}
	item, ok := t.state.item(code)
	if !ok {
		return protocol.Fail(protocol.CodeNoItem, "")
	}
	return t.decide([]*licence.Item{item})
}
