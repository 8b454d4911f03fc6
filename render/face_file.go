package render

import "strings"

// template composes a file of the View's template: small faces on A4 with the particulars below, others each on a page of its
// own size with the particulars in its foot. What does not fit on the faces follows.
func (s *plain) template() error {
	c := newComposer(s.view, s.fonts)
	onSheet := s.view.Template.decl.Print == "sheet"
	told := true // whether every fact stands on a face
	for i := range s.view.Template.pages {
		p := &s.view.Template.pages[i]
		var onto *sheet
		var x, y float64
		if onSheet {
			const gap = 14
			if i == 0 || s.y+p.height > bodyBottom {
				s.nextPage()
				s.y -= 20
			}
			onto, x, y = s.page, (pageWidth-p.width)/2, s.y
			s.y += p.height + gap
		} else {
			onto = s.newSheet(p.width, p.height)
		}
		c.ground(p, onto, x, y)
		s.marks.draw(onto, box{x, y, p.width, p.height}, c.ink(tintOn(p.paper)))
		if err := c.fill(p, onto, x, y); err != nil {
			return err
		}
		if onSheet {
			onto.frame(x, y, p.width, p.height, 0.4, hairline)
		} else {
			told = s.strip(onto, p) && told
		}
	}
	rest := c.left()
	if onSheet || len(rest) > 0 || !told {
		if !onSheet {
			s.nextPage()
		}
		for _, f := range rest {
			s.row(f)
		}
		s.y += 10
		s.closing(s.facts())
	}
	s.feet()
	return nil
}

// strip sets the standing and the particulars in the foot of a face, and says whether there was room for all.
func (s *plain) strip(page *sheet, p *facePage) (all bool) {
	const size, leading, margin, lines = 6.0, 7.4, 12 * mm, 3
	st, word := s.view.standing(), ink
	top := page.height - footRoom*mm
	if !st.Valid {
		word = red
		page.fill(rectangle(0, top, page.width, footRoom*mm), bandVoid)
	} else if contrast(ink, p.paper) < 4.5 {
		page.fill(rectangle(0, top, page.width, footRoom*mm), bandValid)
	}
	page.bold(margin, top+leading, size, word, st.Label)
	page.text(margin+s.fonts.width(st.Label)*size+4, top+leading, size, word, st.Sentence+fileNote)
	var facts []string
	for _, it := range s.view.particulars() {
		facts = append(facts, it.Label+" "+oneLine(it.Value))
	}
	if s.view.MaskedNote {
		facts = append(facts, maskedNote)
	}
	set := s.fonts.lines(strings.Join(facts, "　"), size, page.width-2*margin)
	for i, line := range set[:min(len(set), lines-1)] {
		page.text(margin, top+leading*float64(i+2), size, ink, line)
	}
	return len(set) < lines
}
