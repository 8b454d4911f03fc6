package render

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"sync"
	"unicode/utf8"
)

// sealRed is the colour of official seals.
const sealRed colour = 0xc8161d

// sealUnit is the diameter of a seal's shape: in whole units it is finer than print, and short to write.
const sealUnit = 2000.0

// sealShape draws a round seal of diameter sealUnit round the origin: a ring, a star, the name on an arc from lower left to
// lower right, and the code, if any, on an arc at the foot. Long names are set narrower, never cut.
func sealShape(chain *Fonts, name, code string, ink colour) (*shape, error) {
	f := &figure{}
	const u = sealUnit
	f.ring(0, 0, 0.5*u, 0.474*u)
	f.star(0, 0.005*u, 0.15*u)
	if err := f.arc(chain, oneLine(name), 0.38*u, 0.128*u, 2*math.Pi*0.68, true); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := f.arc(chain, oneLine(code), 0.425*u, 0.06*u, 2*math.Pi*0.22, false); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	f.round(1)
	return &shape{marks: []*figureMark{{figure: f, ink: ink}}}, nil
}

// sealCache keeps the seals of a template's issuers: they are few, and drawn on every licence.
type sealCache struct {
	mu   sync.Mutex
	kept map[sealKey]*shape
}

type sealKey struct {
	fonts      *Fonts
	name, code string
	ink        colour
}

// mostSeals bounds the cache; a template has fewer issuers, unless somebody makes names up.
const mostSeals = 64

func (c *sealCache) shape(fonts *Fonts, name, code string, ink colour) (*shape, error) {
	key := sealKey{fonts, name, code, ink}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.kept[key]; s != nil {
		return s, nil
	}
	s, err := sealShape(fonts, name, code, ink)
	if err != nil {
		return nil, err
	}
	s.kept = true
	if c.kept == nil || len(c.kept) == mostSeals {
		c.kept = map[sealKey]*shape{}
	}
	c.kept[key] = s
	return s, nil
}

// plainSeals are those of licences without a template.
var plainSeals sealCache

// setSeal draws the issuer's seal in the middle of a box, grey on a licence that is not valid; one that was never signed has none.
func (s *sheet) setSeal(v *View, cache *sealCache, ink colour, b box) error {
	name := cmp.Or(oneLine(v.SealName), oneLine(v.Issuer))
	if name == "" || v.Status == "REGISTERED" {
		return nil
	}
	d := min(b.w, b.h)
	s.seal = &box{b.x + (b.w-d)/2, b.y + (b.h-d)/2, d, d}
	if v.SealApart {
		return nil
	}
	shape, err := cache.shape(s.fonts.chain, name, v.SealCode, ink)
	if err != nil {
		return err
	}
	s.place(shape, matrix{d / sealUnit, 0, 0, d / sealUnit, b.x + b.w/2, b.y + b.h/2})
	return nil
}

// arc sets a text round the origin: above it and upright outward, or below it and read from the left. Characters are
// size high, and as narrow as the span, an angle, wants.
func (f *figure) arc(chain *Fonts, text string, radius, size, span float64, above bool) error {
	n := utf8.RuneCountInString(text)
	if n == 0 {
		return nil
	}
	inner := radius - size*0.3 // where neighbours come closest
	step := min(span/float64(n), size*1.3/inner)
	widest := 0.0
	for _, r := range text {
		if font, id, ok := chain.drawnAs(r); ok {
			widest = max(widest, float64(font.advance(id))/float64(font.unitsPerEm))
		}
	}
	narrow := min(0.82, step*inner*0.94/(size*max(widest, 0.1)))
	side := 1.0
	if !above {
		side = -1
	}
	at := -step * float64(n-1) / 2
	for _, r := range text {
		sin, cos := math.Sincos(at)
		// The middle of the character's square stands on the circle.
		m := matrix{cos * narrow, side * sin * narrow, -side * sin, cos, radius * sin, -side * radius * cos}
		font, id, ok := chain.drawnAs(r)
		if !ok {
			continue
		}
		m.e, m.f = m.apply(-size*float64(font.advance(id))/float64(font.unitsPerEm)/2, size*0.38)
		if _, err := f.outlines(chain, size, string(r), m); err != nil {
			return err
		}
		at += step
	}
	return nil
}

// SealPicture draws an office's round seal as a PNG with a clear ground, pixels wide and high (16 to 4096): for an electronic
// seal (GB/T 38540 wants a picture). The name stands on the arc, the code, if any, at the foot.
func SealPicture(name, code string, pixels int) ([]byte, error) {
	if pixels < 16 || pixels > 4096 {
		return nil, fmt.Errorf("render: a seal of %d pixels", pixels)
	}
	if err := embedded.check(); err != nil {
		return nil, err
	}
	seal, err := sealShape(embedded, name, code, sealRed)
	if err != nil {
		return nil, err
	}
	size := float64(pixels)
	cover := seal.marks[0].figure.coverage(pixels, matrix{size / sealUnit, 0, 0, size / sealUnit, size / 2, size / 2})
	picture := image.NewNRGBA(image.Rect(0, 0, pixels, pixels))
	for i, share := range cover {
		ink := color.NRGBA{R: byte(sealRed >> 16 & 0xff), G: byte(sealRed >> 8 & 0xff), B: byte(sealRed & 0xff), A: share}
		picture.SetNRGBA(i%pixels, i/pixels, ink)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("encode seal: %w", err)
	}
	return b.Bytes(), nil
}

// fineness is how many lines are sampled in a row of pixels.
const fineness = 5

// coverage fills a figure, mapped by at, on a square of pixels, by the nonzero rule: 255 is wholly covered.
func (f *figure) coverage(pixels int, at matrix) []byte {
	type crossing struct {
		x  float64
		up int
	}
	rows := make([][]crossing, pixels*fineness)
	f.flatten(at, func(x0, y0, x1, y1 float64) {
		up := 1
		if y0 > y1 {
			x0, y0, x1, y1, up = x1, y1, x0, y0, -1
		}
		from, to := int(math.Ceil(y0*fineness-0.5)), int(math.Ceil(y1*fineness-0.5))
		for row := max(from, 0); row < min(to, len(rows)); row++ {
			y := (float64(row) + 0.5) / fineness
			rows[row] = append(rows[row], crossing{x0 + (x1-x0)*(y-y0)/(y1-y0), up})
		}
	})
	sums := make([]float64, pixels*pixels)
	for row, all := range rows {
		slices.SortStableFunc(all, func(a, b crossing) int { return cmp.Compare(a.x, b.x) })
		winding := 0
		for i, c := range all {
			if winding != 0 {
				line := sums[row/fineness*pixels:][:pixels]
				from, to := max(all[i-1].x, 0), min(c.x, float64(pixels))
				for x := int(from); x < pixels && float64(x) < to; x++ {
					line[x] += min(to, float64(x+1)) - max(from, float64(x))
				}
			}
			winding += c.up
		}
	}
	out := make([]byte, len(sums))
	for i, s := range sums {
		out[i] = byte(min(255, s*255/fineness+0.5))
	}
	return out
}

// flatten gives the straight pieces of a figure, curves cut small.
func (f *figure) flatten(at matrix, piece func(x0, y0, x1, y1 float64)) {
	const cuts = 8
	var x, y, startX, startY float64
	to := func(nx, ny float64) {
		piece(x, y, nx, ny)
		x, y = nx, ny
	}
	points := f.points
	for _, operator := range f.operators {
		n := operands(operator)
		var p [6]float64
		for i := 0; i < n; i += 2 {
			p[i], p[i+1] = at.apply(points[i], points[i+1])
		}
		points = points[n:]
		switch operator {
		case 'm':
			x, y, startX, startY = p[0], p[1], p[0], p[1]
		case 'l':
			to(p[0], p[1])
		case 'c':
			x0, y0 := x, y
			for i := 1; i <= cuts; i++ {
				t := float64(i) / cuts
				u := 1 - t
				a, b, c, d := u*u*u, 3*u*u*t, 3*u*t*t, t*t*t
				to(a*x0+b*p[0]+c*p[2]+d*p[4], a*y0+b*p[1]+c*p[3]+d*p[5])
			}
		case 'h':
			to(startX, startY)
		}
	}
}
