package caddymodule

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"licgate/masking"
)

// Masked says what of an upstream's bodies is masked beside the sensitive fields of the item, for bodies in words of their own. It stands in
// licgate_mask and licgate_guard, for all routes, and in a route.
//
// Syntax:
//
//	mask         <json path>    <kind> [<field>]
//	mask_html    <css selector> <kind> [<field>]
//	content_type <JSON media type...>
type Masked struct {
	// JSON are the values that are masked in JSON bodies, by path: $.rows[*].person.id, or $..id for a name anywhere.
	JSON []*MaskedPlace `json:"json,omitempty"`
	// HTML are the elements that are masked in pages, by CSS selector. Without any, a page is withheld.
	HTML []*MaskedPlace `json:"html,omitempty"`
	// ContentTypes are media types that bodies of JSON may have beside application/json.
	ContentTypes []string `json:"content_types,omitempty"`

	places   []masking.Place    // of JSON
	selected []masking.Selected // of HTML
}

// MaskedPlace is one place in a body.
type MaskedPlace struct {
	// At is the path or the selector.
	At string `json:"at"`
	// Kind is the kind of what stands there, as in platform.yaml's "sensitive", or public_number: shown but for identity numbers in it.
	Kind string `json:"kind"`
	// Field is a sensitive field of the item: who may see it in clear, and asks, sees this place too. Without it the place is always masked.
	Field string `json:"field,omitempty"`
}

// unmarshal takes one line of the syntax; it reports false for a word that is not its own.
func (m *Masked) unmarshal(d *caddyfile.Dispenser, word string) (bool, error) {
	switch word {
	case "mask", "mask_html":
		args := d.RemainingArgs()
		if len(args) < 2 || len(args) > 3 {
			return true, d.Errf("%s takes a place, a kind and perhaps a field", word)
		}
		place := &MaskedPlace{At: args[0], Kind: args[1]}
		if len(args) == 3 {
			place.Field = args[2]
		}
		if word == "mask" {
			m.JSON = append(m.JSON, place)
		} else {
			m.HTML = append(m.HTML, place)
		}
	case "content_type":
		args := d.RemainingArgs()
		if len(args) == 0 {
			return true, d.ArgErr()
		}
		m.ContentTypes = append(m.ContentTypes, args...)
	default:
		return false, nil
	}
	if err := m.compile(); err != nil {
		return true, d.WrapErr(err)
	}
	return true, nil
}

// compile checks what is declared.
func (m *Masked) compile() error {
	m.places, m.selected = nil, nil
	for _, p := range slices.Concat(m.JSON, m.HTML) {
		if kind := masking.Kind(p.Kind); !masking.Known(kind) && kind != masking.PublicNumber {
			return fmt.Errorf("%s: there is no kind %q", p.At, p.Kind)
		}
	}
	for _, p := range m.JSON {
		path, err := masking.ParsePath(p.At)
		if err != nil {
			return err
		}
		m.places = append(m.places, masking.Place{Path: path, Kind: masking.Kind(p.Kind)})
	}
	for _, p := range m.HTML {
		selector, err := masking.ParseSelector(p.At)
		if err != nil {
			return err
		}
		m.selected = append(m.selected, masking.Selected{Selector: selector, Kind: masking.Kind(p.Kind)})
	}
	for _, t := range m.ContentTypes {
		media, params, err := mime.ParseMediaType(t)
		if err != nil || media != t || len(params) > 0 || media != "application/json" && media != "text/json" && !strings.HasSuffix(media, "+json") {
			return fmt.Errorf("content_type %q: a media type of JSON is application/json, text/json or ends with +json, in small letters and without parameters; pages are declared by mask_html", t)
		}
	}
	return nil
}

// hiding puts into spec what is hidden from somebody who sees fields of clear.
func (m *Masked) hiding(spec *masking.Spec, clear []string) {
	for i, p := range m.JSON {
		if p.Field == "" || !slices.Contains(clear, p.Field) {
			spec.Paths = append(spec.Paths, m.places[i])
		}
	}
	for i, p := range m.HTML {
		if p.Field == "" || !slices.Contains(clear, p.Field) {
			spec.Selected = append(spec.Selected, m.selected[i])
		}
	}
}
