package masking

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Selector chooses elements of a page by CSS.
type Selector struct {
	text  string
	group cascadia.SelectorGroup
}

// ParseSelector reads a list of CSS selectors. Pseudo-elements choose nothing that could be masked and are refused.
func ParseSelector(text string) (Selector, error) {
	group, err := cascadia.ParseGroup(text)
	if err != nil {
		return Selector{}, fmt.Errorf("masking: selector %q: %w", text, err)
	}
	return Selector{text, group}, nil
}

// String returns the selector as it was written.
func (s Selector) String() string { return s.text }

// ErrSelector is an ErrWithheld: a selector chose nothing, so the page is not the one that the selectors were written for.
var ErrSelector = fmt.Errorf("%w: a selector chose nothing", ErrWithheld)

// HTML writes the page in body with the elements masked that the plan's selectors choose. Each selector must choose something, or the
// page is withheld. An element that two selectors choose is masked as the first says.
//
// Of a chosen element that holds one piece of text, Mask shows what it shows; if there are more pieces, each is masked whole. What else the
// element and those within say of themselves goes, but for what lays them out. Whatever can hold a script, or data for one, is dropped
// from all of the page: the elements of dropped, comments, data- and event attributes. The text of a masked piece, if it is long enough to be told
// from others, is masked wherever else it stands. What is not UTF-8, or comes out otherwise than meant when it is read again, is withheld.
func (p *Plan) HTML(w io.Writer, body []byte) error {
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		return fmt.Errorf("%w: not UTF-8", ErrWithheld)
	}
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil { // it may quote the page
		return fmt.Errorf("%w: not HTML", ErrWithheld)
	}
	chosen := make(map[*html.Node]*treatment)
	var order []*html.Node
	for _, s := range p.selected {
		nodes := cascadia.QueryAll(root, s.Selector.group)
		if len(nodes) == 0 {
			return ErrSelector
		}
		for _, n := range nodes {
			if chosen[n] == nil {
				chosen[n] = p.rules.treatment(s.Kind)
				order = append(order, n)
			}
		}
	}
	prune(root)
	m := pageMasker{held: make(map[string]bool)}
	for _, n := range order {
		if !within(n, chosen) {
			m.element(n, chosen[n])
		}
	}
	m.everywhere(root)
	var out bytes.Buffer
	if err := html.Render(&out, root); err != nil {
		return fmt.Errorf("%w: a page that cannot be written", ErrWithheld)
	}
	if again, err := html.Parse(bytes.NewReader(out.Bytes())); err != nil || !m.clean(again) {
		return fmt.Errorf("%w: a page that reads otherwise than it was written", ErrWithheld)
	}
	if _, err := out.WriteTo(w); err != nil {
		return fmt.Errorf("masking: writing the masked page: %w", err)
	}
	return nil
}

// within reports whether an element that is chosen stands around n: then n is masked with it.
func within(n *html.Node, chosen map[*html.Node]*treatment) bool {
	for up := n.Parent; up != nil; up = up.Parent {
		if chosen[up] != nil {
			return true
		}
	}
	return false
}

// dropped are the elements that can hold scripts, data for scripts, or another document, and those whose text is not escaped when
// written. Foreign content is read by other rules than HTML.
var dropped = wordSet(`script noscript template slot iframe frame frameset noframes object embed applet param noembed xmp plaintext listing
svg math base portal canvas audio video source track`)

// drops reports whether a node may not stand in a page that leaves.
func drops(n *html.Node) bool {
	switch n.Type {
	case html.CommentNode, html.RawNode, html.ErrorNode:
		return true
	case html.ElementNode:
		if n.Namespace != "" || dropped[n.Data] {
			return true
		}
		switch n.Data {
		case "meta": // refresh leads elsewhere; what others say of the page stays
			return attribute(n, "http-equiv") != ""
		case "link":
			rel := strings.ToLower(attribute(n, "rel"))
			return rel != "stylesheet" && rel != "icon" && rel != "shortcut icon"
		}
	}
	return false
}

// active reports whether an attribute can run a script or holds data for one, or has a name that no attribute of HTML has.
func active(a html.Attribute) bool {
	key := a.Key
	if a.Namespace != "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz-") != "" || strings.HasPrefix(key, "on") || strings.HasPrefix(key, "data-") || slices.Contains([]string{"srcdoc", "srcset", "ping", "nonce", "is"}, key) {
		return true
	}
	scheme, _, found := strings.Cut(strings.Map(visible, a.Val), ":")
	return found && slices.Contains([]string{"javascript", "vbscript", "data"}, strings.ToLower(scheme)) && a.Val != placeholderSource()
}

// visible drops what browsers skip in an address.
func visible(r rune) rune {
	if r <= ' ' {
		return -1
	}
	return r
}

// placeholderSource is the address of the picture shown in place of a photo.
func placeholderSource() string { return "data:image/png;base64," + placeholder() }

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// prune takes what can hold a script out of the page, and names that say more than HTML does. Text that was parted is joined.
func prune(n *html.Node) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if drops(c) {
			n.RemoveChild(c)
			c = next
			continue
		}
		if last := c.PrevSibling; c.Type == html.TextNode && last != nil && last.Type == html.TextNode {
			last.Data += c.Data
			n.RemoveChild(c)
			c = next
			continue
		}
		c.Attr = slices.DeleteFunc(c.Attr, active)
		switch {
		case c.Type == html.DoctypeNode:
			c.Data, c.Attr = "html", nil
		case c.Type == html.ElementNode && c.DataAtom == 0:
			c.Data, c.DataAtom = "span", atom.Span
		}
		prune(c)
		c = next
	}
}

// layout are the attributes that a masked element keeps.
var layout = wordSet(`class colspan rowspan scope lang dir type name for role width height align valign rows cols size`)

// pageMasker masks chosen elements, and remembers what they held.
type pageMasker struct {
	held map[string]bool
	hide *strings.Replacer // of what is held
}

// element masks an element and all that is in it.
func (m *pageMasker) element(n *html.Node, t *treatment) {
	var pieces []*html.Node
	var inputs int
	walk(n, func(c *html.Node) bool {
		switch {
		case c.Type == html.TextNode && strings.TrimSpace(c.Data) != "":
			pieces = append(pieces, c)
		case c.Type == html.ElementNode && attribute(c, "value") != "":
			inputs++
		}
		return true
	})
	single := len(pieces)+inputs == 1
	for _, piece := range pieces {
		piece.Data = m.show(t, piece.Data, single)
	}
	walk(n, func(c *html.Node) bool {
		if c.Type != html.ElementNode {
			return true
		}
		for i := range c.Attr {
			a := &c.Attr[i]
			switch {
			case layout[a.Key]:
			case a.Key == "value":
				a.Val = m.show(t, a.Val, single)
			case c.Data == "img" && a.Key == "src" && t.photo:
				m.keep(a.Val)
				a.Val = placeholderSource()
			default:
				m.keep(a.Val)
				a.Key = ""
			}
		}
		c.Attr = slices.DeleteFunc(c.Attr, func(a html.Attribute) bool { return a.Key == "" })
		return true
	})
}

// show is what is shown of a piece of text.
func (m *pageMasker) show(t *treatment, text string, single bool) string {
	text = strings.TrimSpace(text)
	shown := string(t.whole(nil, []byte(text)))
	if single {
		shown = string(t.show(nil, []byte(text)))
	}
	if shown != text { // else it came masked
		m.keep(text)
	}
	return shown
}

// keep remembers what was masked, if it is long enough to be told from other text: two characters beyond ASCII, or four.
func (m *pageMasker) keep(text string) {
	text = strings.TrimSpace(text)
	n := utf8.RuneCountInString(text)
	if (n >= 4 || n >= 2 && len(text) > n) && strings.Trim(text, "*") != "" && text != placeholderSource() {
		m.held[text] = true
	}
}

// everywhere masks what was masked in one place in all the others.
func (m *pageMasker) everywhere(root *html.Node) {
	// The longest first, so that none is cut into by a part of it.
	held := slices.SortedFunc(maps.Keys(m.held), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	var pairs []string
	for _, text := range held {
		pairs = append(pairs, text, hidden)
	}
	m.hide = strings.NewReplacer(pairs...)
	walk(root, func(n *html.Node) bool {
		if n.Type == html.TextNode {
			n.Data = m.hide.Replace(n.Data)
		}
		n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return m.hide.Replace(a.Key) != a.Key })
		for i := range n.Attr {
			n.Attr[i].Val = m.hide.Replace(n.Attr[i].Val)
		}
		return true
	})
}

// clean reports whether a page that was read again holds nothing that was dropped or masked.
func (m *pageMasker) clean(root *html.Node) bool {
	return walk(root, func(n *html.Node) bool {
		if drops(n) || slices.ContainsFunc(n.Attr, active) || n.Type == html.TextNode && m.hide.Replace(n.Data) != n.Data {
			return false
		}
		return !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return m.hide.Replace(a.Key) != a.Key || m.hide.Replace(a.Val) != a.Val })
	})
}

// walk visits n and all that is in it, in order, until visit says no.
func walk(n *html.Node, visit func(*html.Node) bool) bool {
	if !visit(n) {
		return false
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if !walk(c, visit) {
			return false
		}
	}
	return true
}
