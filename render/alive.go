package render

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"licgate/beijing"
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

func (v *View) alive() *alive {
	if v.At.IsZero() {
		return nil
	}
	a := &alive{Clock: clock(v.At), Day: beijing.Date(v.At)}
	if v.QR == nil || v.QRExpires.IsZero() {
		return a
	}
	a.Code = codeSVG(v.QR)
	a.Countdown = countdown(int(math.Ceil(v.QRExpires.Sub(v.At).Seconds())))
	a.Until = stamp(v.QRExpires)
	return a
}

// codeSVG draws a QR code with its quiet zone, each row's dark modules as lines as thick as a module.
func codeSVG(modules [][]bool) template.HTML {
	side := len(modules) + 2*quietZone
	b := make([]byte, 0, 16<<10)
	b = fmt.Appendf(b, `<svg viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges" role="img" aria-label="核验二维码">`+
		`<path fill="#ffffff" d="M0 0h%[1]dv%[1]dh-%[1]dz"/><path stroke="#000000" d="`, side)
	for y, row := range modules {
		for from, to := range darkRuns(row) {
			b = strconv.AppendInt(append(b, 'M'), int64(quietZone+from), 10)
			b = strconv.AppendInt(append(b, ' '), int64(quietZone+y), 10)
			b = strconv.AppendInt(append(b, ".5h"...), int64(to-from), 10)
		}
	}
	return template.HTML(append(b, `"/></svg>`...))
}

// The size of a figure in the clock, in units of its SVG.
const digitWidth, digitHeight = 14, 24

// wheel bears figures one below the other, of which a window shows one.
type wheel struct {
	count, width   int
	figures, steps string
}

func newWheel(figures []string) wheel {
	w := wheel{count: len(figures), width: digitWidth * len(figures[0])}
	var texts strings.Builder
	steps := make([]string, w.count)
	for i, figure := range figures {
		steps[i] = fmt.Sprintf("0 -%d", i*digitHeight)
		fmt.Fprintf(&texts, `<text x="%d" y="%d">%s</text>`, w.width/2, i*digitHeight+19, figure)
	}
	w.figures, w.steps = texts.String(), strings.Join(steps, ";")
	return w
}

// The wheels of a clock, and of a countdown but for its minutes.
var (
	hours, sixth, tenth  = newWheel(upTo(24)), newWheel(upTo(6)), newWheel(upTo(10))
	sixthDown, tenthDown = newWheel(downFrom(5)), newWheel(downFrom(9))
)

// dial is wheels side by side.
type dial struct {
	b strings.Builder
	x int
}

// put adds a wheel that turns endlessly and shows each figure for as long. At the beginning the first has come by already since.
func (d *dial) put(w wheel, each, since time.Duration) {
	fmt.Fprintf(&d.b, `<svg x="%d" width="%d" height="%d"><g transform="translate(0 -%d)">%s`+
		`<animateTransform attributeName="transform" type="translate" calcMode="discrete" values="%s" dur="%gs" begin="-%gs" repeatCount="indefinite"/></g></svg>`,
		d.x, w.width, digitHeight, int(since/each)%w.count*digitHeight, w.figures, w.steps, (each * time.Duration(w.count)).Seconds(), since.Seconds())
	d.x += w.width
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
	figures, width := make([]string, n), len(fmt.Sprint(n-1))
	for i := range figures {
		figures[i] = fmt.Sprintf("%0*d", width, i)
	}
	return figures
}

// downFrom are the numbers from n to 0.
func downFrom(n int) []string {
	figures := make([]string, n+1)
	for i := range figures {
		figures[i] = fmt.Sprint(n - i)
	}
	return figures
}

// clock is a clock that goes on from a time, in Beijing.
func clock(at time.Time) template.HTML {
	at = at.In(beijing.Zone)
	day := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second +
		time.Duration(at.Nanosecond()).Truncate(time.Millisecond)
	var d dial
	d.put(hours, time.Hour, day)
	d.colon()
	d.put(sixth, 10*time.Minute, day%time.Hour)
	d.put(tenth, time.Minute, day%(10*time.Minute))
	d.colon()
	d.put(sixth, 10*time.Second, day%time.Minute)
	d.put(tenth, time.Second, day%(10*time.Second))
	return d.svg()
}

// countdown counts seconds down to nought, as minutes and seconds. A wheel turns a second after its lower neighbour has come to nought.
func countdown(seconds int) template.HTML {
	since := func(each, figures int) time.Duration {
		past := each*(figures-1-seconds/each%figures) + each - 1 - seconds%each
		return time.Duration(past) * time.Second
	}
	var d dial
	d.put(newWheel(downFrom(seconds/60)), time.Minute, since(60, seconds/60+1))
	d.colon()
	d.put(sixthDown, 10*time.Second, since(10, 6))
	d.put(tenthDown, time.Second, since(1, 10))
	return d.svg()
}
