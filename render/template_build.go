package render

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// build makes the pages of a declaration, and notes what is wrong with it.
func (t *Template) build(assets map[string][]byte) {
	d, f := &t.decl, &t.faults
	if d.Face != 1 {
		f.add("face", "请写 face: 1（模板格式的版本）")
	}
	if d.Name == "" {
		f.add("name", "请写模板的名称，例如 name: 结婚证")
	}
	if len(d.Pages) < 1 || len(d.Pages) > mostPages {
		f.add("pages", fmt.Sprintf("应有 1 至 %d 页", mostPages))
		return
	}
	if d.Print == "" {
		d.Print = "page"
		if !slices.ContainsFunc(d.Pages, func(p pageDecl) bool { return !p.Size.onSheet() }) {
			d.Print = "sheet"
		}
	}
	if d.Print != "page" && d.Print != "sheet" {
		f.add("print", "应当是 sheet（排在 A4 纸上）或 page（每面自成一页）")
	}
	base := t.style("style", d.Style, style{
		size: 10.5, min: 6, leading: 1.3, ink: ink, align: "left",
	})
	labels := t.style("labels", d.Labels, base)
	pictures := t.assets(assets)
	for i := range d.Pages {
		t.page(fmt.Sprintf("pages[%d]", i), &d.Pages[i], base, labels, pictures)
	}
}

// onSheet says whether a page can be set on an A4 sheet at its true size.
func (s sizeDecl) onSheet() bool { return s.w <= 186 && s.h <= 176 }

// assets reads the pictures.
func (t *Template) assets(files map[string][]byte) map[string]*photo {
	if len(files) > mostAssets {
		t.faults.add("", fmt.Sprintf("图片超过 %d 个，请删减", mostAssets))
		return nil
	}
	out := make(map[string]*photo, len(files))
	for name, file := range files {
		if len(file) > mostAsset {
			t.faults.add("", "图片 "+short(name)+" 超过 1 MiB，请压缩后重试")
			continue
		}
		p, err := decodePicture(file, assetMostSide, assetMostSide)
		if err != nil {
			t.faults.add("", "图片 "+short(name)+" 不是可用的 PNG 或 JPEG，请换一个文件")
			continue
		}
		out[name] = p
		t.weight += len(p.file)
	}
	return out
}

// style settles what a declaration leaves open by the style around it.
func (t *Template) style(path string, d styleDecl, around style) style {
	f, s := &t.faults, around
	if d.Size != 0 {
		s.size = d.Size
		s.min = min(s.min, s.size)
	}
	if d.Min != 0 {
		s.min = d.Min
	}
	if d.Leading != 0 {
		s.leading = d.Leading
	}
	if d.Spacing != 0 {
		s.spacing = d.Spacing
	}
	if d.Colour.given {
		s.ink = d.Colour.colour
	}
	s.align, s.valign = or(d.Align, s.align), or(d.Valign, s.valign)
	at := func(member string) string { return strings.TrimPrefix(path+"."+member, ".") }
	if d.Weight != "" {
		s.bold = d.Weight == "bold"
	}
	switch {
	case !(s.size >= typeLeast && s.size <= typeMost):
		f.add(at("size"), fmt.Sprintf("字号应在 %g 至 %g 之间（磅）", typeLeast, typeMost))
	case !(s.min >= typeLeast && s.min <= s.size):
		f.add(at("min"), fmt.Sprintf("最小字号应在 %g 磅与 size 之间", typeLeast))
	case !(s.leading >= 1 && s.leading <= 3):
		f.add(at("leading"), "行距应在 1 至 3 之间（字号的倍数）")
	case !(s.spacing >= 0 && s.spacing <= 60):
		f.add(at("spacing"), "字间距应在 0 至 60 之间（磅）")
	}
	t.oneOf(at("weight"), d.Weight, "regular", "bold")
	t.oneOf(at("align"), d.Align, "left", "center", "right", "justify")
	t.oneOf(at("valign"), d.Valign, "top", "middle", "bottom")
	return s
}

func (t *Template) oneOf(path, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		t.faults.add(path, "应当是 "+strings.Join(allowed, "、")+" 之一")
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// page builds one page.
func (t *Template) page(path string, d *pageDecl, base, labels style, pictures map[string]*photo) {
	if d.Size.w == 0 {
		t.faults.add(path+".size", "请写页面的尺寸，例如 size: A4 或 size: [176, 125]")
		return
	}
	if t.decl.Print == "sheet" && !d.Size.onSheet() {
		t.faults.add(path+".size", "print: sheet 时页面最大 186 × 176 毫米；更大的页面请用 print: page")
	}
	p := facePage{width: d.Size.w * mm, height: d.Size.h * mm, paper: 0xffffff}
	if d.Paper.given {
		p.paper = d.Paper.colour
	}
	p.ground = &shape{kept: true, marks: []*figureMark{{figure: rectangle(0, 0, p.width, p.height), ink: p.paper}}}
	p.art = &shape{kept: true}
	elements := t.spread(path+".elements", d.Elements)
	if len(elements) == 0 || len(elements) > mostElements {
		t.faults.add(path+".elements", fmt.Sprintf("每页应有 1 至 %d 个元素", mostElements))
		return
	}
	points := 0 // of all figures
	for _, e := range elements {
		e.look = t.style(e.path, e.Look, base)
		if !t.element(&p, e, pictures) {
			continue
		}
		switch e.kind {
		case "line", "frame", "fill", "grid", "pattern", "ornament", "outline":
			m := t.lineArt(e)
			if m == nil {
				continue
			}
			if points += len(m.figure.points); points > mostPoints {
				t.faults.add(path, "线条和花纹太多，请删减花纹，或减小 count、加大 step")
				return
			}
			const pale = 1.6
			if contrast(m.ink, p.paper) < pale {
				p.ground.marks = append(p.ground.marks, m)
			} else {
				p.art.marks = append(p.art.marks, m)
			}
		case "picture":
			if t.placed++; t.placed > mostPictures {
				t.faults.add(path+".elements", fmt.Sprintf("图片元素合计不超过 %d 个", mostPictures))
				continue
			}
			b := e.box
			p.pictures = append(p.pictures, &pictureMark{x: b.x, y: b.y, w: b.w, h: b.h, photo: pictures[e.Picture]})
		default:
			if e.Label != "" {
				p.elements = append(p.elements, t.label(e, labels))
			}
			e.box.x, e.box.w = e.box.x+e.Pad*mm, e.box.w-e.Pad*mm
			p.elements = append(p.elements, e)
		}
	}
	t.apart(&p)
	p.grey, p.greyArt = p.ground.greyed(), p.art.greyed()
	t.pages = append(t.pages, p)
}

// greyed is a shape without its colours.
func (s *shape) greyed() *shape {
	out := &shape{kept: s.kept}
	for _, m := range s.marks {
		out.marks = append(out.marks, &figureMark{figure: m.figure, ink: m.ink.grey(), width: m.width})
	}
	return out
}

// spread replaces blocks by their copies.
func (t *Template) spread(path string, all []*element) (out []*element) {
	for i, e := range all {
		if e.Copies == nil {
			out = append(out, e)
			continue
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if len(e.Elements) == 0 || len(e.Copies) > 20 || len(e.Box) > 0 {
			t.faults.add(at, "copies 须有 elements（要重复的元素），最多 20 份，本身没有 box")
			continue
		}
		for n, c := range e.Copies {
			if len(c.At) != 2 {
				t.faults.add(fmt.Sprintf("%s.copies[%d].at", at, n), "应当是 [x, y]：这一份移动多少毫米")
				continue
			}
			for _, inner := range e.Elements {
				if inner.Copies != nil {
					t.faults.add(inner.path, "copies 不能嵌套，请展开")
					continue
				}
				out = append(out, t.copied(inner, c))
			}
		}
	}
	return out
}

// copied is an element moved, with $names replaced.
func (t *Template) copied(e *element, c copyDecl) *element {
	made := *e
	for _, s := range []*string{&made.Field, &made.Text, &made.Label, &made.Role} {
		if name, ok := strings.CutPrefix(*s, "$"); ok {
			key, found := c.Keys[name]
			if !found {
				t.faults.add(e.path, "copies 的 keys 中没有 "+short(name)+"，请补上")
			}
			*s = key
		}
	}
	made.Box, made.Line = slices.Clone(e.Box), slices.Clone(e.Line)
	for _, place := range [][]float64{made.Box[:min(2, len(made.Box))], made.Line} {
		for i := range place {
			place[i] += c.At[i%2]
		}
	}
	return &made
}

// element finds out what an element is and checks its place and look.
func (t *Template) element(p *facePage, e *element, pictures map[string]*photo) bool {
	f := &t.faults
	kinds := map[string]bool{
		"text": e.Text != "", "field": e.Field != "", "role": e.Role != "", "value": e.Value != "", "photo": e.Photo, "seal": e.Seal, "qr": e.QR,
		"line": e.Line != nil, "frame": e.Frame, "fill": e.Fill, "grid": e.Grid != nil, "pattern": e.Pattern != "", "ornament": e.Ornament != "",
		"outline": e.Outline != "", "picture": e.Picture != "",
	}
	for kind, is := range kinds {
		switch {
		case is && e.kind != "" && e.kind != kind:
			f.add(e.path, "一个元素只能是一种：text、field、role、value、photo、seal、qr、line、frame、fill、grid、pattern、ornament、outline、picture、copies 之一")
			return false
		case is:
			e.kind = kind
		}
	}
	if e.kind == "" {
		f.add(e.path, "没有说是什么元素，请写 text、field、value、photo、seal、line 等之一")
		return false
	}
	if e.kind == "line" {
		if len(e.Line) != 4 {
			f.add(e.path+".line", "应当是 [x1, y1, x2, y2]（毫米）")
			return false
		}
		x0, x1 := min(e.Line[0], e.Line[2]), max(e.Line[0], e.Line[2])
		y0, y1 := min(e.Line[1], e.Line[3]), max(e.Line[1], e.Line[3])
		e.box = box{x0 * mm, y0 * mm, (x1 - x0) * mm, (y1 - y0) * mm}
	} else {
		if len(e.Box) != 4 || !(e.Box[2] > 0 && e.Box[3] > 0) {
			f.add(e.path+".box", "应当是 [x, y, 宽, 高]（毫米，宽和高大于 0）")
			return false
		}
		e.box = box{e.Box[0] * mm, e.Box[1] * mm, e.Box[2] * mm, e.Box[3] * mm}
	}
	b := e.box
	if b.x < -0.01 || b.y < -0.01 || b.x+b.w > p.width+0.01 || b.y+b.h > p.height+0.01 {
		f.add(e.path, fmt.Sprintf("超出页面（%g × %g 毫米），请移动或缩小", p.width/mm, p.height/mm))
		return false
	}
	if e.isPlaced() && t.decl.Print == "page" && b.y+b.h > p.height-footRoom*mm+0.01 {
		f.add(e.path, fmt.Sprintf("页面最下 %g 毫米留给证照编码和出具信息，请上移", footRoom))
	}
	if e.Picture != "" && pictures[e.Picture] == nil {
		f.add(e.path+".picture", "没有这个图片文件，请一并提供（PNG 或 JPEG）")
		return false
	}
	t.oneOf(e.path+".pattern", e.Pattern, sorted(lineWork)...)
	t.oneOf(e.path+".ornament", e.Ornament, sorted(ornaments)...)
	t.oneOf(e.path+".value", e.Value, sorted(values)...)
	t.oneOf(e.path+".overflow", e.Overflow, "carry", "refuse")
	if e.Optional && !slices.Contains([]string{"field", "role", "photo"}, e.kind) {
		f.add(e.path+".optional", "optional 只用于 field、role、photo，请删去")
	}
	if !(e.Width >= 0 && e.Width <= 10) || !(e.Radius >= 0 && e.Radius*mm <= min(b.w, b.h)/2+0.01) && e.kind != "line" || e.Count > 120 ||
		!(e.Step >= 0) || e.Step > 0 && e.Step < 0.5 || !(e.Depth >= 0) {
		f.add(e.path, "width 应在 0 至 10 磅，radius 不超过边长的一半，count 不超过 120，step 至少 0.5，depth 不小于 0")
		return false
	}
	if e.isText() {
		t.textElement(p, e)
	}
	return true
}

func (e *element) isText() bool {
	return slices.Contains([]string{"text", "field", "role", "value"}, e.kind)
}

// isPlaced elements keep apart from one another.
func (e *element) isPlaced() bool { return e.isText() || e.kind == "photo" || e.kind == "qr" }

// textElement checks what only texts have.
func (t *Template) textElement(p *facePage, e *element) {
	f, s := &t.faults, e.look
	if e.Label == "" && e.LabelWidth != 0 || e.Label != "" && !(e.LabelWidth > 0 && e.LabelWidth < e.Box[2]) {
		f.add(e.path+".label_width", "label 和 label_width 要一起写，label_width 小于 box 的宽（毫米）")
		return
	}
	if e.Vertical && e.Label != "" {
		f.add(e.path+".vertical", "竖排的元素不能有 label，请另写一个 text")
	}
	if !(e.Pad >= 0) {
		f.add(e.path+".pad", "应当不小于 0（毫米）")
		return
	}
	across, down := (e.Box[2]-e.LabelWidth-e.Pad)*mm, e.box.h
	if e.Vertical {
		across, down = down, across
	}
	if across < 3*s.min || down < s.min*s.leading-0.01 {
		f.add(e.path+".box", fmt.Sprintf("放不下最小字号 %g 磅的文字：至少宽 %.1f、高 %.1f 毫米", s.min, 3*s.min/mm+0.05, s.min*s.leading/mm+0.05))
	}
	ground := p.paper
	if e.Ground != nil {
		ground = e.Ground.colour
	}
	least := 4.5
	if s.size >= 18 || s.bold && s.size >= 14 {
		least = 3
	}
	if c := contrast(s.ink, ground); c < least {
		f.add(e.path, fmt.Sprintf("文字与底色的对比度只有 %.1f，至少要 %.1f：请加深文字或调浅底色；底上另有色块时用 ground 写明它的颜色", c, least))
	}
	if e.Date != "" {
		if _, ok := dateAs("2020-02-14", e.Date); !ok {
			f.add(e.path+".date", `应当含 YYYY、M 或 D，例如 "YYYY年M月D日"；或写 中文`)
		}
	}
}

// label makes the element for an element's label, and takes its room off the element's box. Spread or set to the right, it keeps
// half a character away from the value.
func (t *Template) label(e *element, around style) *element {
	around.valign = or(e.look.valign, around.valign)
	room := e.LabelWidth * mm
	width := room
	if around.align != "center" {
		width -= around.size / 2
	}
	l := &element{
		Text: e.Label, path: e.path + ".label", kind: "text", box: box{e.box.x, e.box.y, width, e.box.h}, look: around,
		Field: e.Field, Role: e.Role, Optional: e.Optional,
	}
	// Its line is as high as the value's, so that both stand on one base line.
	l.look.leading = max(1, e.look.leading*e.look.size/around.size)
	e.box.x, e.box.w = e.box.x+room, e.box.w-room
	return l
}

// apart notes places that overlap.
func (t *Template) apart(p *facePage) {
	const slack = 0.3
	for i, a := range p.elements {
		for _, b := range p.elements[:i] {
			if a.isPlaced() && b.isPlaced() && min(a.box.x+a.box.w, b.box.x+b.box.w)-max(a.box.x, b.box.x) > slack &&
				min(a.box.y+a.box.h, b.box.y+b.box.h)-max(a.box.y, b.box.y) > slack {
				t.faults.add(a.path, fmt.Sprintf("与第 %d 行的 %s 重叠，请移开", t.faults.lines[strings.TrimSuffix(b.path, ".label")], b.path))
			}
		}
	}
}

// lineArt is the figure of a drawn element.
func (t *Template) lineArt(e *element) *figureMark {
	m, b := &figureMark{figure: &figure{}, ink: e.look.ink, width: e.Width}, e.box
	line := func(usual float64) {
		if m.width == 0 {
			m.width = usual
		}
	}
	switch e.kind {
	case "line":
		line(0.6)
		m.figure = segment(e.Line[0]*mm, e.Line[1]*mm, e.Line[2]*mm, e.Line[3]*mm)
	case "frame":
		line(0.6)
		m.figure = rounded(b, e.Radius*mm)
	case "fill":
		m.figure, m.width = rounded(b, e.Radius*mm), 0
	case "grid":
		line(0.6)
		if fault := m.figure.grid(b, e.Grid); fault != "" {
			t.faults.add(e.path+".grid", fault)
			return nil
		}
	case "pattern":
		line(0.35)
		const mostMotifs = 6000
		if e.Step > 0 && float64(max(e.Count, 1))*(e.Box[2]+e.Box[3])/e.Step > mostMotifs {
			t.faults.add(e.path, "花纹太密，请减小 count 或加大 step")
			return nil
		}
		if draw := lineWork[e.Pattern]; draw != nil {
			draw(m.figure, b, patternSize{count: e.Count, step: e.Step * mm, depth: e.Depth * mm})
		}
		m.figure.round(0.1) // points: finer than any printer
	case "ornament":
		m.width = 0
		if draw := ornaments[e.Ornament]; draw != nil {
			draw(m.figure, b)
		}
	case "outline":
		m.width = 0
		if err := m.figure.lettering(e.Outline, b); err != nil {
			t.faults.add(e.path+".outline", "其中有字体没有的字，请换字")
		}
	}
	return m
}

// lettering fills a box with letters, as large as they fit. A template is read without a View: in the embedded fonts.
func (p *figure) lettering(text string, b box) error {
	f := &figure{}
	width, err := f.outlines(embedded, 1, text, matrix{a: 1, d: 1})
	if err != nil || width == 0 {
		return fmt.Errorf("render: no outlines: %w", err)
	}
	size := min(b.w/width, b.h)
	_, err = p.outlines(embedded, size, text, matrix{1, 0, 0, 1, b.x + (b.w-width*size)/2, b.y + b.h/2 + size*0.38})
	return err
}

// grid is a table's lines: the frame and what is between columns and rows. Widths and heights are millimetres, and fill the box.
func (p *figure) grid(b box, g *gridDecl) string {
	sum := func(all []float64) (total float64) {
		for _, v := range all {
			if !(v > 0) {
				return math.NaN()
			}
			total += v * mm
		}
		return total
	}
	if !(math.Abs(sum(g.Columns)-b.w) < 1) || !(math.Abs(sum(g.Rows)-b.h) < 1) {
		return "columns 之和应等于 box 的宽，rows 之和应等于 box 的高（毫米，每个大于 0）"
	}
	p.join(rectangle(b.x, b.y, b.w, b.h))
	x := b.x
	for _, w := range g.Columns[:len(g.Columns)-1] {
		x += w * mm
		p.join(segment(x, b.y, x, b.y+b.h))
	}
	y := b.y
	for _, h := range g.Rows[:len(g.Rows)-1] {
		y += h * mm
		p.join(segment(b.x, y, b.x+b.w, y))
	}
	return ""
}

// rounded is a rectangle with round corners.
func rounded(b box, r float64) *figure {
	if r == 0 {
		return rectangle(b.x, b.y, b.w, b.h)
	}
	k, p := r*(1-curved), &figure{}
	x1, y1 := b.x+b.w, b.y+b.h
	p.moveTo(b.x+r, b.y)
	p.lineTo(x1-r, b.y)
	p.curveTo(x1-k, b.y, x1, b.y+k, x1, b.y+r)
	p.lineTo(x1, y1-r)
	p.curveTo(x1, y1-k, x1-k, y1, x1-r, y1)
	p.lineTo(b.x+r, y1)
	p.curveTo(b.x+k, y1, b.x, y1-k, b.x, y1-r)
	p.lineTo(b.x, b.y+r)
	p.curveTo(b.x, b.y+k, b.x+k, b.y, b.x+r, b.y)
	p.closePath()
	return p
}

// luminance of a colour, as WCAG 2.2 reckons it.
func (c colour) luminance() float64 {
	sum := 0.0
	for i, share := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(c>>(16-8*i)&0xff) / 255
		if v <= 0.03928 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += share * v
	}
	return sum
}

func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// grey is the colour without its hue.
func (c colour) grey() colour {
	v := colour(math.Round(0.299*float64(c>>16&0xff) + 0.587*float64(c>>8&0xff) + 0.114*float64(c&0xff)))
	return v<<16 | v<<8 | v
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Check holds the template to an item's fields: every field it names exists and can be shown, and its own texts fit. The
// error is Problems.
func (t *Template) Check(fields []FieldInfo) error {
	f := &faults{lines: t.faults.lines}
	c := &composer{fonts: newTypesetter(embedded)}
	photo := slices.ContainsFunc(fields, func(i FieldInfo) bool { return i.Role == "photo" && i.Type == "image" })
	for i := range t.pages {
		for _, e := range t.pages[i].elements {
			switch e.kind {
			case "field", "role":
				at := slices.IndexFunc(fields, func(i FieldInfo) bool { return e.Field != "" && i.Key == e.Field || e.Role != "" && i.Role == e.Role })
				name := e.Field + e.Role
				switch {
				case at < 0 && e.Optional:
				case at < 0:
					f.add(e.path+"."+e.kind, "目录项没有字段 "+short(name)+"，请改正或在目录项中增加")
				case fields[at].Hidden:
					f.add(e.path+"."+e.kind, "字段 "+short(name)+" 声明为 hidden（不上证面），请删去此元素或取消 hidden")
				case fields[at].Type == "image":
					f.add(e.path+"."+e.kind, "字段 "+short(name)+" 是图片，不能当文字显示；照片请用 photo: true")
				}
			case "photo":
				if !photo && !e.Optional {
					f.add(e.path, "目录项没有照片字段（type: image，role: photo），请增加或删去此元素")
				}
			case "text":
				if r, found := embedded.Unprintable(e.Text); found {
					f.add(e.path, fmt.Sprintf("含有无法显示的字符 U+%04X，请改用可显示的字", r))
				} else if _, _, whole := c.fit(e.Text, e.look, e.box, e.Vertical); !whole {
					f.add(e.path, "文字放不下，请加大 box 或减小字号")
				}
			}
		}
	}
	return f.err()
}
