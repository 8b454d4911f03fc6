package render

import "math"

// smooth draws a curve through n+1 points of at, its parameter going from start to end, with cubic pieces that follow its
// slope.
func (p *figure) smooth(start, end float64, n int, at func(t float64) (x, y float64)) {
	step := (end - start) / float64(n)
	slope := func(t float64) (float64, float64) {
		const h = 1e-4
		x0, y0 := at(t - h)
		x1, y1 := at(t + h)
		return (x1 - x0) / (2 * h) * step / 3, (y1 - y0) / (2 * h) * step / 3
	}
	x, y := at(start)
	dx, dy := slope(start)
	p.moveTo(x, y)
	for i := 1; i <= n; i++ {
		t := start + float64(i)*step
		x1, y1 := at(t)
		dx1, dy1 := slope(t)
		p.curveTo(x+dx, y+dy, x1-dx1, y1-dy1, x1, y1)
		x, y, dx, dy = x1, y1, dx1, dy1
	}
}

// lineWork are the line ornaments a template may name. Each fills a box; the same numbers give the same lines. count,
// step (points) and depth (points) mean what docs/templates.md says of the pattern; 0 is its usual value.
var lineWork = map[string]func(p *figure, b box, n patternSize){
	"waves":     waves,
	"guilloche": guilloche,
	"rosette":   rosette,
	"lattice":   lattice,
	"meander":   meander,
	"braid":     braid,
	"scallop":   scallop,
	"sunburst":  sunburst,
}

type patternSize struct {
	count       int
	step, depth float64
}

func (n patternSize) or(count int, step, depth float64) patternSize {
	if n.count == 0 {
		n.count = count
	}
	if n.step == 0 {
		n.step = step
	}
	if n.depth == 0 {
		n.depth = depth
	}
	return n
}

// waves are count lines across the box that sway by depth, each a little later than the one above.
func waves(p *figure, b box, n patternSize) {
	n = n.or(24, 60, 4)
	for i := range n.count {
		y := b.y + b.h*(float64(i)+0.5)/float64(n.count)
		phase := float64(i) * 0.55
		p.smooth(0, b.w, max(2, int(b.w/n.step*3)), func(t float64) (float64, float64) {
			return b.x + t, min(max(y+n.depth*math.Sin(2*math.Pi*t/n.step+phase), b.y), b.y+b.h)
		})
	}
}

// guilloche is a band of count lines that swell and pinch, crossing one another: the pattern of security paper.
func guilloche(p *figure, b box, n patternSize) {
	n = n.or(9, 70, b.h/2)
	middle, half := b.y+b.h/2, min(n.depth, b.h/2)
	for i := range n.count {
		share := float64(i)/float64(max(n.count-1, 1))*2 - 1
		p.smooth(0, b.w, max(2, int(b.w/n.step*4)), func(t float64) (float64, float64) {
			angle := 2 * math.Pi * t / n.step
			return b.x + t, middle + half*(0.62*math.Sin(angle+share*1.9)+0.38*share*math.Cos(angle/2))
		})
	}
}

// rosette is count loops turned round the middle of the box.
func rosette(p *figure, b box, n patternSize) {
	n = n.or(18, 0, 0.42)
	rx, ry := b.w/2, b.h/2
	cx, cy := b.x+rx, b.y+ry
	inner := min(n.depth, 0.9)
	for i := range n.count {
		turn := 2 * math.Pi * float64(i) / float64(n.count)
		p.smooth(0, 2*math.Pi, 10, func(t float64) (float64, float64) {
			// An ellipse beside the middle, turned round it.
			ex, ey := inner/2+(1-inner/2)*math.Cos(t), (1-inner)*0.72*math.Sin(t)
			sin, cos := math.Sincos(turn)
			return cx + rx*(ex*cos-ey*sin)*0.98, cy + ry*(ex*sin+ey*cos)*0.98
		})
		p.closePath()
	}
}

// lattice is two sets of straight lines, step apart, clipped to the box.
func lattice(p *figure, b box, n patternSize) {
	n = n.or(0, 18, 0)
	for d := n.step; d < b.w+b.h; d += n.step {
		// from the upper edge or the right one, down to the left edge or the lower one
		x0, y0 := b.x+min(d, b.w), b.y+max(0, d-b.w)
		x1, y1 := b.x+max(0, d-b.h), b.y+min(d, b.h)
		p.moveTo(x0, y0)
		p.lineTo(x1, y1)
		p.moveTo(2*b.x+b.w-x0, y0)
		p.lineTo(2*b.x+b.w-x1, y1)
	}
}

// sunburst is count rays from the middle of the box to its edge.
func sunburst(p *figure, b box, n patternSize) {
	n = n.or(72, 0, 0.25)
	for i := range n.count {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n.count))
		p.moveTo(b.x+b.w/2*(1+cos*n.depth), b.y+b.h/2*(1+sin*n.depth))
		p.lineTo(b.x+b.w/2*(1+cos), b.y+b.h/2*(1+sin))
	}
}

// edges walks the four sides of a box with whole motifs: along a side, lay is given the motif's place, 0 to 1 through it,
// as a point along the side and a distance inward.
func edges(b box, depth, step float64, side func(length float64, motifs int, at func(along, inward float64) (x, y float64))) {
	w, h := b.w-2*depth, b.h-2*depth
	count := func(length float64) int { return max(1, int(math.Round(length/step))) }
	side(w, count(w), func(a, i float64) (float64, float64) { return b.x + depth + a, b.y + i })
	side(h, count(h), func(a, i float64) (float64, float64) { return b.x + b.w - i, b.y + depth + a })
	side(w, count(w), func(a, i float64) (float64, float64) { return b.x + b.w - depth - a, b.y + b.h - i })
	side(h, count(h), func(a, i float64) (float64, float64) { return b.x + i, b.y + b.h - depth - a })
}

// key is one turn of the fret (回纹) in a square of side 1: along and inward.
var key = [][2]float64{{0, 1}, {0, 0.12}, {0.8, 0.12}, {0.8, 0.76}, {0.3, 0.76}, {0.3, 0.44}, {0.55, 0.44}}

// meander is a border of frets, depth wide.
func meander(p *figure, b box, n patternSize) {
	n = n.or(0, 12, 9)
	edges(b, n.depth, n.step, func(length float64, motifs int, at func(a, i float64) (float64, float64)) {
		unit := length / float64(motifs)
		for m := range motifs {
			for i, c := range key {
				x, y := at((float64(m)+0.08+c[0])*unit, c[1]*n.depth)
				if i == 0 {
					p.moveTo(x, y)
				} else {
					p.lineTo(x, y)
				}
			}
		}
	})
	corners(p, b, n.depth)
}

// corners are nested squares where the sides of a border meet.
func corners(p *figure, b box, depth float64) {
	for _, x := range []float64{b.x, b.x + b.w - depth} {
		for _, y := range []float64{b.y, b.y + b.h - depth} {
			for _, inset := range []float64{0.06, 0.3} {
				p.join(rectangle(x+depth*inset, y+depth*inset, depth*(1-2*inset), depth*(1-2*inset)))
			}
		}
	}
}

// braid is a border of count interlaced waves, depth wide.
func braid(p *figure, b box, n patternSize) {
	n = n.or(4, 18, 10)
	edges(b, n.depth, n.step, func(length float64, motifs int, at func(a, i float64) (float64, float64)) {
		for i := range n.count {
			phase := 2 * math.Pi * float64(i) / float64(n.count)
			p.smooth(0, length, motifs*3, func(t float64) (float64, float64) {
				return at(t, n.depth*(0.5+0.46*math.Sin(2*math.Pi*t*float64(motifs)/length+phase)))
			})
		}
	})
	for _, x := range []float64{b.x, b.x + b.w - n.depth} {
		for _, y := range []float64{b.y, b.y + b.h - n.depth} {
			rosette(p, box{x, y, n.depth, n.depth}, patternSize{count: 6, depth: 0.3})
		}
	}
}

// scallop is a border of half circles that open outward.
func scallop(p *figure, b box, n patternSize) {
	n = n.or(2, 10, 6)
	edges(b, n.depth, n.step, func(length float64, motifs int, at func(a, i float64) (float64, float64)) {
		unit := length / float64(motifs)
		for m := range motifs {
			for ring := range n.count {
				share := 1 - float64(ring)/float64(n.count)
				p.smooth(0, math.Pi, 4, func(t float64) (float64, float64) {
					return at((float64(m)+0.5+0.5*share*math.Cos(t))*unit, n.depth*share*math.Sin(t))
				})
			}
		}
	})
}

// ornaments are the filled shapes a template may name. None is a state's emblem.
var ornaments = map[string]func(p *figure, b box){
	"star":      func(p *figure, b box) { p.star(b.x+b.w/2, b.y+b.h/2, min(b.w, b.h)/2) },
	"medallion": medallion,
	"blossom":   func(p *figure, b box) { p.blossom(b.x+b.w/2, b.y+b.h/2, min(b.w, b.h)/2, 5, 1) },
	"cloud":     cloud,
	"disc":      func(p *figure, b box) { p.join(ellipse(b.x+b.w/2, b.y+b.h/2, b.w/2, b.h/2)) },
}

func (p *figure) join(other *figure) {
	p.operators, p.points = append(p.operators, other.operators...), append(p.points, other.points...)
}

// star is one with five points, standing upright.
func (p *figure) star(cx, cy, r float64) {
	const waist = 0.381966 // of a regular pentagram
	for i := range 10 {
		sin, cos := math.Sincos(math.Pi * float64(i) / 5)
		if i%2 == 1 {
			sin, cos = sin*waist, cos*waist
		}
		if i == 0 {
			p.moveTo(cx+r*sin, cy-r*cos)
		} else {
			p.lineTo(cx+r*sin, cy-r*cos)
		}
	}
	p.closePath()
}

// blossom is petals round a middle that is left open; full is how far out they reach.
func (p *figure) blossom(cx, cy, r float64, petals int, full float64) {
	for i := range petals {
		at := 2 * math.Pi * float64(i) / float64(petals)
		turn := func(x, y float64) (float64, float64) {
			sin, cos := math.Sincos(at)
			return cx + r*(x*cos-y*sin), cy + r*(x*sin+y*cos)
		}
		wide := math.Pi / float64(petals) * 0.92
		x0, y0 := turn(0, -0.3)
		x1, y1 := turn(-wide*1.1, -0.55)
		x2, y2 := turn(-wide*0.9, -full)
		x3, y3 := turn(0, -full*0.92)
		x4, y4 := turn(wide*0.9, -full)
		x5, y5 := turn(wide*1.1, -0.55)
		p.moveTo(x0, y0)
		p.curveTo(x1, y1, x2, y2, x3, y3)
		p.curveTo(x4, y4, x5, y5, x0, y0)
		p.closePath()
	}
	p.join(ellipse(cx, cy, r*0.2, r*0.2))
}

// medallion is a star in a ring of petals: it stands where a licence of paper has the emblem of its issuer.
func medallion(p *figure, b box) {
	cx, cy, r := b.x+b.w/2, b.y+b.h/2, min(b.w, b.h)/2
	const petals = 24
	for i := range petals {
		at := 2 * math.Pi * float64(i) / petals
		point := func(radius, turn float64) (float64, float64) {
			sin, cos := math.Sincos(at + turn)
			return cx + r*radius*sin, cy - r*radius*cos
		}
		half := math.Pi / petals
		x0, y0 := point(0.74, -half*0.7)
		x1, y1 := point(0.98, -half*0.9)
		x2, y2 := point(1.0, 0)
		x3, y3 := point(0.98, half*0.9)
		x4, y4 := point(0.74, half*0.7)
		p.moveTo(x0, y0)
		p.curveTo(x1, y1, x1, y1, x2, y2)
		p.curveTo(x3, y3, x3, y3, x4, y4)
		p.closePath()
	}
	p.ring(cx, cy, r*0.69, r*0.64)
	p.ring(cx, cy, r*0.6, r*0.585)
	p.star(cx, cy+r*0.02, r*0.48)
}

// ring is filled between two circles; the inner one runs the other way.
func (p *figure) ring(cx, cy, outer, inner float64) {
	p.join(ellipse(cx, cy, outer, outer))
	p.smooth(2*math.Pi, 0, 8, func(t float64) (float64, float64) { return cx + inner*math.Cos(t), cy + inner*math.Sin(t) })
	p.closePath()
}

// cloud is one auspicious cloud (祥云): three curls on a base.
func cloud(p *figure, b box) {
	curl := func(x, y, r float64) {
		cx, cy := b.x+b.w*x, b.y+b.h*y
		radius := r * min(b.w, b.h*2) / 2
		p.ring(cx, cy, radius, radius*0.8)
		p.ring(cx, cy+radius*0.25, radius*0.55, radius*0.36)
	}
	curl(0.5, 0.42, 0.8)
	curl(0.22, 0.66, 0.6)
	curl(0.78, 0.66, 0.6)
	p.join(rectangle(b.x, b.y+b.h*0.93, b.w, b.h*0.05))
}
