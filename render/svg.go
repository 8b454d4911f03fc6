package render

import (
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"strconv"
	"sync"
	"unicode/utf8"
)

// svgCache keeps what a shape looks like as SVG.
type svgCache struct {
	sync.Once
	text []byte
}

// svg paints a sheet into a page: real text, to be selected, found and read aloud, each line held to the width that it was set
// in, whichever font the browser has. Presentation attributes only: it runs under a policy without inline style.
func (s *sheet) svg(b []byte, name string) ([]byte, error) {
	const scale = 1.6 // CSS pixels to a point: a card is as wide as a phone; the style sheet bounds it by the window
	b = fmt.Appendf(b, `<svg class="sheet" viewBox="0 0 %s %s" width="%d" height="%d" role="group" aria-label="%s">`,
		number(s.width), number(s.height), int(s.width*scale), int(s.height*scale), html.EscapeString(name))
	for _, m := range s.marks {
		switch m := m.(type) {
		case *textMark:
			b = m.svg(b)
		case *figureMark:
			b = m.svg(b)
		case *placeMark:
			at := m.at
			b = append(b, `<g aria-hidden="true"`...)
			if at != (matrix{1, 0, 0, 1, 0, 0}) {
				b = fmt.Appendf(b, ` transform="matrix(%.5g %.5g %.5g %.5g %s %s)"`, at.a, at.b, at.c, at.d, number(at.e), number(at.f))
			}
			b = append(append(append(b, '>'), m.shape.svg()...), "</g>"...)
		case *pictureMark:
			b = fmt.Appendf(b, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" href="data:%s;base64,`,
				number(m.x), number(m.y), number(m.w), number(m.h), m.photo.mediaType())
			b = base64.StdEncoding.AppendEncode(b, m.photo.file)
			if m.about == "" {
				b = append(b, `" aria-hidden="true"/>`...)
			} else {
				b = append(append(append(b, `" role="img" aria-label="`...), html.EscapeString(m.about)...), `"/>`...)
			}
		}
	}
	return append(b, "</svg>\n"...), nil
}

// svgSize is about how many bytes the sheet takes: what grows while it is written is copied again and again.
func (s *sheet) svgSize() int {
	size := 512
	for _, m := range s.marks {
		size += 256
		switch m := m.(type) {
		case *placeMark:
			size += len(m.shape.svg())
		case *pictureMark:
			size += base64.StdEncoding.EncodedLen(len(m.photo.file))
		}
	}
	return size
}

// svg of a shape is made once in its life.
func (s *shape) svg() []byte {
	s.cache.svg.Do(func() {
		for _, m := range s.marks {
			s.cache.svg.text = m.svg(s.cache.svg.text)
		}
	})
	return s.cache.svg.text
}

func (m *textMark) svg(b []byte) []byte {
	if m.text == "" {
		return b
	}
	b = append(b, `<text`...)
	n := utf8.RuneCountInString(m.text)
	if m.vertical {
		b = append(b, ` x="`...)
		for range n {
			b = append(appendNumber(b, m.x), ' ')
		}
		b = append(b, `" y="`...)
		for i := range n {
			b = append(appendNumber(b, m.y+float64(i)*(m.size+m.spacing)), ' ')
		}
	} else {
		b = append(appendNumber(append(b, ` x="`...), m.x), `" y="`...)
		b = append(appendNumber(b, m.y), `" textLength="`...)
		b = appendNumber(b, m.width)
		if m.spacing == 0 {
			b = append(b, `" lengthAdjust="spacingAndGlyphs`...)
		}
	}
	b = appendNumber(append(b, `" font-size="`...), m.size)
	b = append(append(b, `" fill="`...), m.ink.web()...)
	if m.bold {
		b = append(b, `" font-weight="700`...)
	}
	b = append(b, `">`...)
	if m.note != "" {
		b = append(append(append(b, `<title>`...), html.EscapeString(m.note)...), `</title>`...)
	}
	return append(append(b, html.EscapeString(m.text)...), `</text>`...)
}

// svg of a figure has whole hundredths of its unit, each point told from the one before.
func (m *figureMark) svg(b []byte) []byte {
	b = append(b, `<path`...)
	if m.width == 0 {
		b = append(append(b, ` fill="`...), m.ink.web()...)
	} else {
		b = append(append(b, ` fill="none" stroke="`...), m.ink.web()...)
		b = appendNumber(append(b, `" stroke-width="`...), m.width)
	}
	b = append(b, `" d="`...)
	var x, y, startX, startY int64
	points := m.figure.points
	for _, operator := range m.figure.operators {
		n := operands(operator)
		if operator == 'h' {
			b, x, y = append(b, 'z'), startX, startY
			continue
		}
		b = append(b, operator)
		var px, py int64
		for i := 0; i < n; i += 2 {
			px, py = int64(math.Round(points[i]*100)), int64(math.Round(points[i+1]*100))
			if i > 0 && px >= x {
				b = append(b, ' ')
			}
			b = appendFixed(b, px-x, 100)
			if py >= y {
				b = append(b, ' ')
			}
			b = appendFixed(b, py-y, 100)
		}
		x, y = px, py
		if operator == 'm' {
			startX, startY = x, y
		}
		points = points[n:]
	}
	return append(b, `"/>`...)
}

// web writes a colour as #RRGGBB.
func (c colour) web() string {
	s := "000000" + strconv.FormatUint(uint64(c), 16)
	return "#" + s[len(s)-6:]
}
