package render

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrOverflow is wrapped when a value does not fit in a place that declares overflow: refuse.
var ErrOverflow = errors.New("render: a value does not fit in its place")

// Overflow is an ErrOverflow that names the field. Key is "" for a value of the licence itself.
type Overflow struct{ Key, Label string }

func (e *Overflow) Error() string { return ErrOverflow.Error() + ": " + e.Label }

func (e *Overflow) Unwrap() error { return ErrOverflow }

// composer fills the pages of a template with the values of a View.
type composer struct {
	view    *View
	fonts   *typesetter
	photo   *photo
	byKey   map[string]*Field
	byRole  map[string]*Field
	placed  map[*Field]bool
	carried []Field // what did not fit, whole
}

func newComposer(v *View, fonts *typesetter) *composer {
	c := &composer{
		view: v, fonts: fonts, byKey: make(map[string]*Field, len(v.Fields)), byRole: map[string]*Field{}, placed: make(map[*Field]bool, len(v.Fields)),
	}
	for i := range v.Fields {
		f := &v.Fields[i]
		c.byKey[f.Key] = f
		if _, known := c.byRole[f.Role]; !known {
			c.byRole[f.Role] = f
		}
	}
	if len(v.Photo) > 0 && v.Template.pictured() {
		c.photo, _ = decodePhoto(v.Photo) // an unreadable one leaves a note in its place
	}
	return c
}

// faces composes each page of the View's template on a sheet of its own size, as the HTML page shows it.
func (c *composer) faces(d *drawing) error {
	for i := range c.view.Template.pages {
		p := &c.view.Template.pages[i]
		s := d.newSheet(p.width, p.height)
		c.ground(p, s, 0, 0)
		if err := c.fill(p, s, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// ground draws paper and pale ornaments at x, y; without colours when the licence is not valid.
func (c *composer) ground(p *facePage, onto *sheet, x, y float64) {
	ground := p.ground
	if !c.view.standing().Valid {
		ground = p.grey
	}
	onto.place(ground, matrix{1, 0, 0, 1, x, y})
	for _, m := range p.pictures {
		moved := *m
		moved.x, moved.y = moved.x+x, moved.y+y
		onto.marks = append(onto.marks, &moved)
	}
}

// fill draws strong ornaments and what is the licence's own.
func (c *composer) fill(p *facePage, onto *sheet, x, y float64) error {
	art := p.art
	if !c.view.standing().Valid {
		art = p.greyArt
	}
	if len(art.marks) > 0 {
		onto.place(art, matrix{1, 0, 0, 1, x, y})
	}
	for _, e := range p.elements { // seals lie under texts, so that both can be read
		if e.kind == "seal" {
			if err := c.seal(e, onto, x, y); err != nil {
				return err
			}
		}
	}
	for _, e := range p.elements {
		if e.Optional && c.lacks(e) {
			continue
		}
		b := box{e.box.x + x, e.box.y + y, e.box.w, e.box.h}
		var err error
		switch e.kind {
		case "photo":
			c.setPhoto(onto, b)
		case "qr":
			onto.code(c.view.QR, b)
		case "text":
			err = c.set(onto, e, b, &Field{Label: e.Text}, e.Text)
		case "field", "role", "value":
			f, text := c.value(e)
			err = c.set(onto, e, b, f, text)
		}
		if err != nil {
			return err
		}
	}
	return c.void(p, onto, x, y)
}

// lacks reports whether the licence has nothing to show in an element, or beside its label.
func (c *composer) lacks(e *element) bool {
	var f *Field
	switch {
	case e.Photo:
		return len(c.view.Photo) == 0
	case e.Field != "":
		f = c.byKey[e.Field]
	default:
		f = c.byRole[e.Role]
	}
	return f == nil || clean(f.Value) == ""
}

// ink is a colour as it is drawn: none on a licence that is not valid.
func (c *composer) ink(of colour) colour {
	if !c.view.standing().Valid {
		return of.grey()
	}
	return of
}

// values are what a template may show of the licence itself.
var values = map[string]func(v *View) string{
	"title":      func(v *View) string { return v.Title },
	"code":       func(v *View) string { return v.Code },
	"id_code":    func(v *View) string { return v.IDCode },
	"holder":     func(v *View) string { return v.Holder },
	"issuer":     func(v *View) string { return v.Issuer },
	"issue_date": func(v *View) string { return v.IssueDate },
	"validity":   func(v *View) string { return v.Validity },
	"status":     func(v *View) string { return v.standing().Label },
}

// valueRoles are the roles of fields that say the same.
var valueRoles = map[string]string{"id_code": "id_code", "holder": "holder_name", "issuer": "issue_org_name", "issue_date": "issue_date"}

// value finds what an element shows, as it is shown.
func (c *composer) value(e *element) (*Field, string) {
	f := &Field{Label: or(e.Label, c.view.Title)}
	switch e.kind {
	case "value":
		f.Value = values[e.Value](c.view)
		// The field that it comes from is shown by it, and says why it is masked.
		if found := c.byRole[valueRoles[e.Value]]; found != nil && clean(found.Value) == clean(f.Value) {
			f = found
		}
	case "field":
		if found := c.byKey[e.Field]; found != nil {
			f = found
		}
	case "role":
		if found := c.byRole[e.Role]; found != nil {
			f = found
		}
	}
	c.placed[f] = true
	text := clean(f.Value)
	if text == "" {
		return f, e.Empty
	}
	if e.Date != "" {
		if date, ok := dateAs(text, e.Date); ok {
			text = date
		}
	}
	return f, e.Prefix + text + e.Suffix
}

// set fits a text into its box. What does not fit even in the smallest type goes on to the continuation, and the box says so.
func (c *composer) set(onto *sheet, e *element, b box, f *Field, text string) error {
	if text == "" {
		return nil
	}
	lines, size, whole := c.fit(text, e.look, b, e.Vertical)
	if !whole {
		if e.Overflow == "refuse" {
			return &Overflow{f.Key, f.Label}
		}
		c.carried = append(c.carried, Field{Label: oneLine(f.Label), Value: text, Masked: f.Masked, Reason: f.Reason})
	}
	s := e.look
	leading := s.leading * size
	if e.Vertical {
		m := onto.text(b.x+(b.w-size)/2, 0, size, c.ink(s.ink), lines[0])
		m.vertical, m.spacing, m.bold = true, s.spacing, s.bold
		n := float64(len([]rune(m.text)))
		m.width = n*size + (n-1)*s.spacing
		if s.align == "justify" && n > 1 {
			m.spacing += (b.h - m.width) / (n - 1)
			m.width = b.h
		}
		m.y = b.y + (b.h-m.width)/2 + baseline*size
		return nil
	}
	height := float64(len(lines)) * leading
	y := b.y + (b.h-height)/2
	switch s.valign {
	case "top":
		y = b.y
	case "bottom":
		y = b.y + b.h - height
	}
	for i, line := range lines {
		if line == "" {
			continue
		}
		m := onto.text(b.x, y+float64(i)*leading+(leading-size)/2+baseline*size, size, c.ink(s.ink), line)
		m.bold, m.spacing = s.bold, s.spacing
		if f.Masked {
			m.note = reason(f)
		}
		gaps := float64(len([]rune(m.text)) - 1)
		m.width += gaps * s.spacing
		switch s.align {
		case "center":
			m.x += (b.w - m.width) / 2
		case "right":
			m.x += b.w - m.width
		case "justify":
			if gaps > 0 && len(lines) == 1 {
				m.spacing += (b.w - m.width) / gaps
				m.width = b.w
			}
		}
	}
	return nil
}

// baseline is how far below the upper edge of its square a Chinese character's base line lies, in em.
const baseline = 0.88

// continued ends a text that goes on elsewhere; narrow, where there is no room for it.
const continued, narrow = "…见续页", "…"

// fit breaks a text for a box: in its own size or, where it does not fit, smaller down to the least. Not whole, it is cut,
// and ends by saying so.
func (c *composer) fit(text string, s style, b box, vertical bool) (lines []string, size float64, whole bool) {
	const step = 0.5
	for size = s.size; ; size = max(size-step, s.min) {
		if vertical {
			if n := float64(len([]rune(text))); !strings.Contains(text, "\n") && n*size+(n-1)*s.spacing <= b.h+0.01 && size <= b.w+0.01 {
				return []string{text}, size, true
			}
		} else {
			lines = breakLines(text, b.w/size, func(r rune) float64 { return c.fonts.advance(r) + s.spacing/size })
			if float64(len(lines))*s.leading*size <= b.h+0.01 && c.widest(lines, s.spacing/size)*size <= b.w+0.01+s.spacing {
				return lines, size, true
			}
		}
		if size <= s.min {
			break
		}
	}
	if vertical {
		n := int((b.h + s.spacing) / (size + s.spacing))
		runes, end := []rune(strings.ReplaceAll(text, "\n", " ")), continued
		if n < 5 {
			end = narrow
		}
		return []string{string(runes[:max(0, min(len(runes), n)-len([]rune(end)))]) + end}, size, false
	}
	n := max(1, int((b.h+0.01)/(s.leading*size)))
	lines = lines[:min(n, len(lines))]
	last, end := []rune(lines[len(lines)-1]), continued
	if c.widest([]string{end}, s.spacing/size)*size > b.w {
		end = narrow
	}
	for len(last) > 0 && c.widest([]string{string(last) + end}, s.spacing/size)*size > b.w {
		last = last[:len(last)-1]
	}
	lines[len(lines)-1] = string(last) + end
	return lines, size, false
}

// widest is the width of the longest line in em.
func (c *composer) widest(lines []string, spacing float64) float64 {
	w := 0.0
	for _, line := range lines {
		sum := 0.0
		for _, r := range line {
			sum += c.fonts.advance(r) + spacing
		}
		w = max(w, sum)
	}
	return w
}

// setPhoto fits the photo into its box, or says that it cannot be shown.
func (c *composer) setPhoto(onto *sheet, b box) {
	if c.photo == nil {
		note, size := "照片", 8.0
		if len(c.view.Photo) > 0 {
			note = "照片无法显示"
		}
		size = min(size, b.w/c.fonts.width(note))
		onto.frame(b.x, b.y, b.w, b.h, 0.4, hairline)
		onto.text(b.x+(b.w-c.fonts.width(note)*size)/2, b.y+b.h/2+size*0.38, size, quiet, note)
		return
	}
	fitted := c.photo.within(b)
	onto.marks = append(onto.marks, &pictureMark{x: fitted.x, y: fitted.y, w: fitted.w, h: fitted.h, photo: c.photo, about: "持证人照片"})
}

// within is the largest box of a picture's shape inside another, in its middle.
func (p *photo) within(b box) box {
	size := p.size
	scale := min(b.w/float64(size.X), b.h/float64(size.Y))
	w, h := float64(size.X)*scale, float64(size.Y)*scale
	return box{b.x + (b.w-w)/2, b.y + (b.h-h)/2, w, h}
}

// seal draws the issuer's seal in its box.
func (c *composer) seal(e *element, onto *sheet, x, y float64) error {
	return onto.setSeal(c.view, &c.view.Template.seals, c.ink(sealRed), box{x + e.box.x, y + e.box.y, e.box.w, e.box.h})
}

// quietZone is how many modules round a QR code readers want to be light (GB/T 18284).
const quietZone = 4

// code draws a QR code's modules as one figure, with the quiet zone.
func (s *sheet) code(modules [][]bool, b box) {
	n := len(modules)
	if n == 0 {
		return
	}
	unit := min(b.w, b.h) / float64(n+2*quietZone)
	x0, y0 := b.x+(b.w-unit*float64(n))/2, b.y+(b.h-unit*float64(n))/2
	s.fill(rectangle(b.x, b.y, b.w, b.h), 0xffffff)
	dark := &figure{}
	for i, row := range modules {
		for from, to := range darkRuns(row) {
			dark.join(rectangle(x0+float64(from)*unit, y0+float64(i)*unit, float64(to-from)*unit, unit))
		}
	}
	s.fill(dark, 0)
}

// void writes across a licence that is not valid what it is, in letters drawn by their edges: nothing below is hidden.
func (c *composer) void(p *facePage, onto *sheet, x, y float64) error {
	s := c.view.standing()
	if s.Valid {
		return nil
	}
	letters, slope := &figure{}, math.Atan2(p.height, p.width)*0.6
	size := min(p.width, p.height) * 0.3
	width := c.fonts.width(s.Label) * size
	if most := math.Hypot(p.width, p.height) * 0.66; width > most {
		size, width = size*most/width, most
	}
	if _, err := letters.outlines(c.fonts.chain, size, s.Label, matrix{1, 0, 0, 1, -width / 2, size * 0.38}); err != nil {
		return fmt.Errorf("standing: %w", err)
	}
	onto.place(&shape{marks: []*figureMark{{figure: letters, ink: red, width: max(0.8, size/60)}}}, turned(slope, x+p.width/2, y+p.height/2))
	return nil
}

// left are the fields that the template does not place, and what did not fit.
func (c *composer) left() (rest []Field) {
	rest = append(rest, c.carried...)
	for i := range c.view.Fields {
		if f := &c.view.Fields[i]; !c.placed[f] && clean(f.Value) != "" {
			rest = append(rest, *f)
		}
	}
	return rest
}

// dateAs writes a date, yyyy-MM-dd or yyyyMMdd, after a pattern: YYYY, MM, M, DD and D are replaced; 中文 is 二〇二〇年二月十四日. Not
// ok, it is no such date, or the pattern has none of them.
func dateAs(text, pattern string) (string, bool) {
	digits := strings.ReplaceAll(text, "-", "")
	if len(digits) != 8 || len(text) != 8 && !(len(text) == 10 && text[4] == '-' && text[7] == '-') {
		return "", false
	}
	if strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return "", false
	}
	month, day := n/100%100, n%100
	if month < 1 || month > 12 || day < 1 || day > 31 {
		return "", false
	}
	if pattern == "中文" {
		var b strings.Builder
		for _, d := range digits[:4] {
			b.WriteRune(numerals[d-'0'])
		}
		return b.String() + "年" + numeral(month) + "月" + numeral(day) + "日", true
	}
	out := strings.NewReplacer("YYYY", digits[:4], "MM", digits[4:6], "DD", digits[6:], "M", strconv.Itoa(month), "D", strconv.Itoa(day)).Replace(pattern)
	return out, out != pattern
}

var numerals = []rune("〇一二三四五六七八九十")

// numeral writes 1 to 31 in Chinese.
func numeral(n int) string {
	switch tens, ones := n/10, n%10; {
	case tens == 0:
		return string(numerals[ones])
	case tens == 1 && ones == 0:
		return "十"
	case tens == 1:
		return "十" + string(numerals[ones])
	case ones == 0:
		return string(numerals[tens]) + "十"
	default:
		return string(numerals[tens]) + "十" + string(numerals[ones])
	}
}
