package render

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// A page is alive without a script: what moves is SVG that the browser animates by itself, begun where the server's clock stood. A picture
// of the page stands still, and is found out by that.

// alive is what licence.html draws of it.
type alive struct {
	Clock     template.HTML // Beijing time
	Code      template.HTML // the QR code, empty when there is none that expires
	Countdown template.HTML
	Until     string
	Day       string // drifts across the face
}

func (v *View) alive() (*alive, error) {
	if v.At.IsZero() {
		return nil, nil
	}
	a := &alive{Clock: clock(v.At), Day: v.At.In(beijing).Format(time.DateOnly)}
	if v.QR == nil || v.QRExpires.IsZero() {
		return a, nil
	}
	side := float64(len(v.QR) + 2*quietZone)
	s := &sheet{width: side, height: side}
	s.code(v.QR, box{0, 0, side, side})
	b := fmt.Appendf(nil, `<svg viewBox="0 0 %[1]g %[1]g" shape-rendering="crispEdges" role="img" aria-label="核验二维码">`, side)
	for _, m := range s.marks {
		f, ok := m.(*figureMark)
		if !ok {
			return nil, fmt.Errorf("render: a QR code of %T", m)
		}
		b = f.svg(b)
	}
	a.Code = template.HTML(append(b, "</svg>"...))
	a.Countdown = countdown(int(math.Ceil(v.QRExpires.Sub(v.At).Seconds())))
	a.Until = stamp(v.QRExpires)
	return a, nil
}

// The size of a figure in the clock, in units of its SVG.
const digitWidth, digitHeight = 14, 24

// dial is figures side by side, each on a wheel that turns behind a window.
type dial struct {
	b strings.Builder
	x int
}

// wheel adds a wheel: its faces come in order, each for as long, endlessly. At the beginning the first has come by already since.
func (d *dial) wheel(faces []string, each, since time.Duration) {
	width := digitWidth * len(faces[0])
	stands := int(since/each) % len(faces)
	fmt.Fprintf(&d.b, `<svg x="%d" width="%d" height="%d"><g transform="translate(0 -%d)">`, d.x, width, digitHeight, stands*digitHeight)
	steps := make([]string, len(faces))
	for i, face := range faces {
		steps[i] = fmt.Sprintf("0 -%d", i*digitHeight)
		fmt.Fprintf(&d.b, `<text x="%d" y="%d">%s</text>`, width/2, i*digitHeight+19, face)
	}
	fmt.Fprintf(&d.b, `<animateTransform attributeName="transform" type="translate" calcMode="discrete" values="%s" dur="%gs" begin="-%gs" repeatCount="indefinite"/></g></svg>`,
		strings.Join(steps, ";"), (each * time.Duration(len(faces))).Seconds(), since.Seconds())
	d.x += width
}

func (d *dial) colon() {
	fmt.Fprintf(&d.b, `<text x="%d" y="18">:</text>`, d.x+digitWidth/4)
	d.x += digitWidth / 2
}

func (d *dial) svg() template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="dial" viewBox="0 0 %d %d" text-anchor="middle" font-size="21" aria-hidden="true" focusable="false">%s</svg>`,
		d.x, digitHeight, d.b.String()))
}

// upTo are the numbers from 0 to n-1, all as wide.
func upTo(n int) []string {
	faces, width := make([]string, n), len(fmt.Sprint(n-1))
	for i := range faces {
		faces[i] = fmt.Sprintf("%0*d", width, i)
	}
	return faces
}

// downFrom are the numbers from n to 0, then round again.
func downFrom(n int) []string {
	faces := make([]string, n+1)
	for i := range faces {
		faces[i] = fmt.Sprint(n - i)
	}
	return faces
}

// clock is a clock that goes on from a time, in Beijing.
func clock(at time.Time) template.HTML {
	at = at.In(beijing)
	day := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second +
		time.Duration(at.Nanosecond()).Truncate(time.Millisecond)
	var d dial
	d.wheel(upTo(24), time.Hour, day)
	d.colon()
	d.wheel(upTo(6), 10*time.Minute, day%time.Hour)
	d.wheel(upTo(10), time.Minute, day%(10*time.Minute))
	d.colon()
	d.wheel(upTo(6), 10*time.Second, day%time.Minute)
	d.wheel(upTo(10), time.Second, day%(10*time.Second))
	return d.svg()
}

// countdown counts seconds down to nought, as minutes and seconds. A wheel turns a second after its lower neighbour has come to nought.
func countdown(seconds int) template.HTML {
	since := func(each, faces int) time.Duration {
		past := each*(faces-1-seconds/each%faces) + each - 1 - seconds%each
		return time.Duration(past) * time.Second
	}
	var d dial
	d.wheel(downFrom(seconds/60), time.Minute, since(60, seconds/60+1))
	d.colon()
	d.wheel(downFrom(5), 10*time.Second, since(10, 6))
	d.wheel(downFrom(9), time.Second, since(1, 10))
	return d.svg()
}
