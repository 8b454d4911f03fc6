package render

import (
	"fmt"
	"slices"
)

// A4 in points, and where things stand on it.
const (
	pageWidth, pageHeight = 595.28, 841.89
	frameInset            = 30.0
	left, right           = 64.0, pageWidth - 64
	bodyBottom            = pageHeight - 74 // the last line of the body; the foot is below
	labelWidth            = 112.0
	cellPad               = 8.0
	photoBoxW, photoBoxH  = 96.0, 128.0
)

// The colours of a sheet. Valid is said in black, everything else in red.
const (
	ink       colour = 0x1a1a1a
	quiet     colour = 0x555555
	hairline  colour = 0xb9b2a2
	gold      colour = 0x9a7b3f
	grey      colour = 0x8a8a8a
	red       colour = 0xb00020
	bandValid colour = 0xf3f1ea
	bandVoid  colour = 0xfdeceb
)

// plain composes the face of an item without a template, from top to bottom.
type plain struct {
	*drawing
	view  *View
	marks *marks
	photo *photo
	page  *sheet   // the last of flow
	flow  []*sheet // pages filled from top to bottom: all but faces of their own size
	y     float64  // how far down page is filled

	photoPage int     // how many sheets there were when the photo was set
	photoEnd  float64 // its lower edge there
}

// compose draws a licence as a file shows it: the faces of its template, or the plain one, with who looked at it and what for.
func compose(v *View) (*drawing, error) {
	marks, err := newMarks(v)
	if err != nil {
		return nil, err
	}
	s := &plain{drawing: &drawing{fonts: newTypesetter(v.fonts())}, view: v, marks: marks}
	if v.Template != nil {
		return s.drawing, s.template()
	}
	if len(v.Photo) > 0 {
		s.photo, _ = decodePhoto(v.Photo) // an unreadable one leaves a note on the sheet
	}
	s.nextPage()
	s.heading()
	s.face()
	facts, height := s.facts()
	if err := s.signature(height + 30); err != nil {
		return nil, err
	}
	s.closing(facts, height)
	s.feet()
	return s.drawing, nil
}

// nextPage begins a page with its marks, frame and status band.
func (s *plain) nextPage() {
	s.page = s.newSheet(pageWidth, pageHeight)
	p, st := s.page, s.view.standing()
	s.flow = append(s.flow, p)
	s.marks.draw(p, p.whole(), watermarkTint)
	s.marks.drawVoid(p)
	edge, band, word := s.edging(), bandValid, ink
	if !st.Valid {
		band, word = bandVoid, red
	}
	p.frame(frameInset, frameInset, pageWidth-2*frameInset, pageHeight-2*frameInset, 1.6, edge)
	p.frame(frameInset+4, frameInset+4, pageWidth-2*frameInset-8, pageHeight-2*frameInset-8, 0.5, edge)

	const top, height = 46.0, 30.0
	p.fill(rectangle(left-16, top, right-left+32, height), band)
	p.bold(left-4, top+20, 13, word, st.Label)
	p.text(left+8+s.fonts.width(st.Label)*13, top+19.5, 9.5, word, st.Sentence)
	s.y = top + height + 34
	if len(s.sheets) > 1 {
		title := []rune(oneLine(s.view.Title))
		const most = 30 // the full name stands on the first page
		if len(title) > most {
			title = append(title[:most], '…')
		}
		line := string(title) + "（续）"
		p.text((pageWidth-s.fonts.width(line)*12)/2, s.y, 12, ink, line)
		s.y += 16
	}
}

// edging is the colour of frames: a licence that is not valid has lost its gold.
func (s *plain) edging() colour {
	if s.view.standing().Valid {
		return gold
	}
	return grey
}

// room begins a new page unless so much is left on this one.
func (s *plain) room(height float64) {
	if s.y+height > bodyBottom {
		s.nextPage()
	}
}

// centred sets a text in the middle, on as many lines as it needs.
func (s *plain) centred(text string, size, leading float64, c colour, set func(p *sheet, x, y, size float64, ink colour, s string) *textMark) {
	for _, line := range s.fonts.lines(text, size, right-left) {
		s.room(leading)
		set(s.page, (pageWidth-s.fonts.width(line)*size)/2, s.y+size, size, c, line)
		s.y += leading
	}
}

// heading sets the licence's name and number.
func (s *plain) heading() {
	title := oneLine(s.view.Title)
	size := 27.0
	for size > 15 && s.fonts.width(title)*size > right-left {
		size--
	}
	s.y += 6
	s.centred(title, size, size*1.4, ink, (*sheet).bold)
	if number := oneLine(s.view.IDCode); number != "" {
		s.y += 8
		s.centred("证照号码："+number, 11, 17, quiet, (*sheet).text)
	}
	s.y += 20
}

// face draws the table of face fields, with the photo beside its first rows.
func (s *plain) face() {
	if len(s.view.Photo) > 0 {
		s.room(photoBoxH)
		s.drawPhoto(right-photoBoxW, s.y)
		s.photoPage, s.photoEnd = len(s.sheets), s.y+photoBoxH
	}
	for _, f := range s.view.Fields {
		s.row(f)
	}
	if len(s.sheets) == s.photoPage {
		s.y = max(s.y, s.photoEnd)
	}
}

// edge is how far to the right a row may reach.
func (s *plain) edge() float64 {
	if len(s.sheets) == s.photoPage && s.y < s.photoEnd {
		return right - photoBoxW - 14
	}
	return right
}

// row draws one field. What does not fit on the page goes on at the top of the next.
func (s *plain) row(f Field) {
	const size, labelSize, leading, tagWidth = 11.5, 10.5, 18.0, 36.0
	const valueLeft = left + labelWidth
	s.room(leading + 2*cellPad)
	width := s.edge() - valueLeft - 2*cellPad
	if f.Masked {
		width -= tagWidth
	}
	labels := s.fonts.lines(clean(f.Label), labelSize, labelWidth-2*cellPad)
	values := s.fonts.lines(clean(f.Value), size, width)
	for start := true; len(labels) > 0 || len(values) > 0; start = false {
		s.room(leading + 2*cellPad)
		edge := s.edge()
		n := min(max(len(labels), len(values)), int((bodyBottom-s.y-2*cellPad)/leading))
		for i := range n {
			base := s.y + cellPad + float64(i)*leading + 13
			if i < len(labels) {
				s.page.text(left+cellPad, base, labelSize, quiet, labels[i])
			}
			if i < len(values) {
				s.page.text(valueLeft+cellPad, base, size, ink, values[i])
			}
		}
		if f.Masked && start {
			s.page.text(edge-cellPad-s.fonts.width(maskedTag)*8, s.y+cellPad+13, 8, quiet, maskedTag)
		}
		labels, values = labels[min(n, len(labels)):], values[min(n, len(values)):]
		height := float64(n)*leading + 2*cellPad
		s.page.frame(left, s.y, edge-left, height, 0.5, hairline)
		s.page.line(valueLeft, s.y, valueLeft, s.y+height, 0.5, hairline)
		s.y += height
	}
}

// drawPhoto fits the photo into its box, or says that it cannot be shown.
func (s *plain) drawPhoto(x, y float64) {
	if s.photo == nil {
		s.page.frame(x, y, photoBoxW, photoBoxH, 0.5, hairline)
		const note = "照片无法显示"
		s.page.text(x+(photoBoxW-s.fonts.width(note)*9)/2, y+photoBoxH/2+3, 9, quiet, note)
		return
	}
	size := s.photo.size
	scale := min(photoBoxW/float64(size.X), photoBoxH/float64(size.Y))
	w, h := float64(size.X)*scale, float64(size.Y)*scale
	x, y = x+photoBoxW-w, y+(photoBoxH-h)/2
	s.page.marks = append(s.page.marks, &pictureMark{x: x, y: y, w: w, h: h, photo: s.photo, about: "持证人照片"})
	s.page.frame(x, y, w, h, 0.5, hairline)
}

// facts are the particulars in lines, and how high they are together.
func (s *plain) facts() (rows []factLines, height float64) {
	width := right - left - factColumn
	if s.view.QR != nil {
		width -= codeSide + 12
		height = codeSide
	}
	total := 0.0
	for _, it := range s.view.particulars() {
		lines := s.fonts.lines(it.Value, factSize, width)
		rows = append(rows, factLines{it.Label, lines})
		total += float64(len(lines)) * factLeading
	}
	return rows, max(total, height)
}

type factLines struct {
	label string
	lines []string
}

const (
	factSize, factLeading, factColumn = 9.0, 14.0, 62.0
	codeSide                          = 92.0 // of the QR code beside them
)

// closing sets the particulars, and the QR code at their right, at the foot of the sheet.
func (s *plain) closing(rows []factLines, height float64) {
	s.room(min(height+10, 500)) // together on a page, unless they are unreasonably long
	s.y = max(s.y, bodyBottom-height-10)
	s.page.line(left, s.y, right, s.y, 0.8, s.edging())
	s.y += 10
	s.page.code(s.view.QR, box{right - codeSide, s.y - 6, codeSide, codeSide})
	for _, row := range rows {
		for n, line := range row.lines {
			if s.y+factLeading > bodyBottom+2 {
				s.nextPage()
			}
			if n == 0 {
				s.page.text(left, s.y+factSize, factSize, quiet, row.label)
			}
			s.page.text(left+factColumn, s.y+factSize, factSize, ink, line)
			s.y += factLeading
		}
	}
}

// signature sets issuer and date at the right, above what still has to follow on the page.
func (s *plain) signature(below float64) error {
	const size, leading, width = 13.0, 22.0, 260.0
	var lines []string
	for _, text := range []string{oneLine(s.view.Issuer), oneLine(s.view.IssueDate)} {
		if text != "" {
			lines = append(lines, s.fonts.lines(text, size, width)...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	height := 18 + leading*float64(len(lines))
	s.y += 24
	s.room(height)
	s.y = max(s.y, min(bodyBottom-below-height-34, s.y+90))
	middle := func(line string, size float64) float64 { return right - (width+s.fonts.width(line)*size)/2 }
	const heading = "颁发机构"
	s.page.text(middle(heading, 9.5), s.y+9, 9.5, quiet, heading)
	s.y += 18
	// The seal stands over issuer and date, as on paper, and under their letters.
	const seal = 40 / 25.4 * 72
	around := box{right - width/2 - seal/2, s.y + (height-18)/2 - seal/2, seal, seal}
	red := sealRed
	if !s.view.standing().Valid {
		red = red.grey()
	}
	if err := s.page.setSeal(s.view, &plainSeals, red, around); err != nil {
		return err
	}
	for _, line := range lines {
		s.room(leading)
		s.page.text(middle(line, size), s.y+size, size, ink, line)
		s.y += leading
	}
	s.y += 12
	return nil
}

// feet set the notes and the numbers of pages.
func (s *plain) feet() {
	note := fileNote
	if s.view.MaskedNote {
		note = maskedNote + note
	}
	for _, p := range s.flow {
		page := slices.Index(s.sheets, p) + 1
		p.text(left, pageHeight-52, 8.5, quiet, note)
		count := fmt.Sprintf("第 %d 页，共 %d 页", page, len(s.sheets))
		p.text(right-s.fonts.width(count)*8.5, pageHeight-52, 8.5, quiet, count)
	}
}
