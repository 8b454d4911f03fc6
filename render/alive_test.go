package render

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"golang.org/x/net/html/atom"
)

// shownCode is the sample as somebody shows it: with a QR code that expires.
func shownCode(t testing.TB) *View {
	return with(func(v *View) { v.QR, v.QRExpires = coded(t), v.At.Add(CodeLife) })
}

// wind sets every animation of the page to where it stands so many seconds after the page was opened, and stops it there.
const wind = `(seconds => {
  for (const svg of document.querySelectorAll("svg")) { svg.pauseAnimations(); svg.setCurrentTime(seconds); }
  for (const a of document.getAnimations()) { a.pause(); a.currentTime = seconds * 1000; }
})(%g)`

// tell is what the page shows.
const tell = `(() => {
  const shown = {};
  for (const dial of document.querySelectorAll("svg.dial")) {
    const lit = [], window = dial.getBoundingClientRect();
    for (const text of dial.querySelectorAll("text")) {
      const box = text.getBoundingClientRect(), middle = (box.top + box.bottom) / 2;
      if (middle > window.top && middle < window.bottom) lit.push([box.left, text.textContent]);
    }
    shown[dial.closest("p").className] = lit.sort((a, b) => a[0] - b[0]).map(l => l[1]).join("");
  }
  const style = selector => getComputedStyle(document.querySelector(selector));
  return { Clock: shown.clock, Left: shown.left, Covered: style(".stale").visibility === "visible",
    Counting: style(".left").visibility === "visible", Drift: style(".drift").transform };
})()`

type moment struct {
	Clock, Left       string
	Covered, Counting bool
	Drift             string // where what drifts is
}

// momentAt winds the page to a moment at which its clock shows a time. The browser turns the wheels when it comes to that.
func momentAt(t *testing.T, tab context.Context, seconds float64, clock string) (m moment) {
	t.Helper()
	if err := chromedp.Run(tab, chromedp.Evaluate(fmt.Sprintf(wind, seconds), nil)); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if err := chromedp.Run(tab, chromedp.Evaluate(tell, &m)); err != nil {
			t.Fatal(err)
		}
		if m.Clock == clock {
			return m
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("after %g s the clock shows %s, want %s", seconds, m.Clock, clock)
	return m
}

// media has the page shown on a medium, with features of the reader's choice by name and value.
func media(medium string, features ...string) chromedp.Action {
	set := emulation.SetEmulatedMedia().WithMedia(medium)
	for i := 0; i+1 < len(features); i += 2 {
		set.Features = append(set.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	return set
}

// awaited is for what answers later.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// TestBrowserAlive winds the page's own clock: it starts where the server's stood, the countdown comes to nought when the code expires, and
// then a cover says so, which is a link to the same page.
func TestBrowserAlive(t *testing.T) {
	loads := 0
	late := shownCode(t)
	late.At = time.Date(2026, 12, 31, 15, 58, 3, 250_000_000, time.UTC) // 23:58:03 in Beijing
	late.QRExpires = late.At.Add(CodeLife)
	address, strays := site(t, map[string]func(http.ResponseWriter) error{
		"page": func(w http.ResponseWriter) error { loads++; return Page(w, shownCode(t), Mobile) },
		"late": func(w http.ResponseWriter) error { return Page(w, late, Desktop) },
		"face": func(w http.ResponseWriter) error { return Page(w, held(t, "business"), Desktop) },
	}, embedded)
	tab := browser(t)
	told := listen(t, tab)
	open := func(name string, width int64) {
		t.Helper()
		if err := chromedp.Run(tab, chromedp.EmulateViewport(width, 844), chromedp.Navigate(address+"/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	dir := os.Getenv("RENDER_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	picture := func(name string) string {
		t.Helper()
		var png []byte
		if err := chromedp.Run(tab, chromedp.FullScreenshot(&png, 100)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name+".png")
		if err := os.WriteFile(file, png, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, test := range []struct {
		page              string
		seconds           float64
		clock, left       string
		covered, counting bool
	}{
		{"page", 0.5, "12:05:06", "2:00", false, true},
		{"page", 1.5, "12:05:07", "1:59", false, true},
		{"page", 10.5, "12:05:16", "1:50", false, true},
		{"page", 11.5, "12:05:17", "1:49", false, true},
		{"page", 60.5, "12:06:06", "1:00", false, true},
		{"page", 61.5, "12:06:07", "0:59", false, true},
		{"page", 119.5, "12:07:05", "0:01", false, true},
		{"page", 120.5, "12:07:06", "0:00", true, false},
		{"page", 901.5, "12:20:07", "1:59", true, false}, // nobody sees what is left
		{"late", 0.5, "23:58:03", "2:00", false, true},
		{"late", 56.5, "23:58:59", "1:04", false, true},
		{"late", 57.5, "23:59:00", "1:03", false, true},
		{"late", 117.5, "00:00:00", "0:03", false, true},
	} {
		open(test.page, 390)
		got := momentAt(t, tab, test.seconds, test.clock)
		if got.Left != test.left || got.Covered != test.covered || got.Counting != test.counting {
			t.Errorf("%s after %g s: %+v, want %+v", test.page, test.seconds, got, test)
		}
	}
	for _, width := range []int64{1280, 390, 320} {
		for _, name := range []string{"page", "face"} {
			open(name, width)
			momentAt(t, tab, 30.5, "12:05:36")
			if got := slices.Compact(scanned(t, picture(fmt.Sprintf("alive-%s-%d", name, width)))); !slices.Equal(got, []string{checkAddress}) {
				t.Errorf("%s, %d px: read as %q", name, width, got)
			}
		}
	}
	open("page", 390)
	momentAt(t, tab, 121.5, "12:07:07")
	if got := scanned(t, picture("alive-expired-390")); len(got) > 0 {
		t.Errorf("an expired code is read as %q", got)
	}
	// The cover is the next stop of the keyboard there, and leads to the same page.
	before := loads
	var focused string
	if err := chromedp.Run(tab, chromedp.Focus(".stale"), chromedp.Evaluate("document.activeElement.className", &focused)); err != nil || focused != "stale" {
		t.Fatalf("the cover takes no focus: %q, %v", focused, err)
	}
	if _, err := chromedp.RunResponse(tab, chromedp.Click(".stale")); err != nil || loads != before+1 {
		t.Errorf("the cover was clicked: %d pages, %v", loads-before, err)
	}
	if got := momentAt(t, tab, 0.5, "12:05:06"); got.Covered || got.Left != "2:00" {
		t.Errorf("after the reload: %+v", got)
	}
	if complaints := told.take(); len(complaints)+len(strays()) > 0 {
		t.Errorf("the browser complains: %q, asks for %q", complaints, strays())
	}
}

// What moves for no reason but to move, stands still for who asks for that; the clock goes on. Paper has neither.
func TestBrowserStill(t *testing.T) {
	address, _ := site(t, map[string]func(http.ResponseWriter) error{
		"page": func(w http.ResponseWriter) error { return Page(w, shownCode(t), Mobile) },
	}, embedded)
	tab := browser(t)
	moves := func(what string, want bool) {
		t.Helper()
		a, b := momentAt(t, tab, 1.5, "12:05:07"), momentAt(t, tab, 2.5, "12:05:08")
		if (a.Drift != b.Drift) != want {
			t.Errorf("%s: from %+v to %+v", what, a, b)
		}
	}
	load := chromedp.Navigate(address + "/page")
	if err := chromedp.Run(tab, load); err != nil {
		t.Fatal(err)
	}
	moves("as it comes", true)
	if err := chromedp.Run(tab, chromedp.Click("#still")); err != nil {
		t.Fatal(err)
	}
	moves("held still", false)
	if err := chromedp.Run(tab, media("", "prefers-reduced-motion", "reduce"), load); err != nil {
		t.Fatal(err)
	}
	moves("reduced motion", false)
	var shown string
	if err := chromedp.Run(tab, media("print"), chromedp.Evaluate(
		`[".clock", ".left", ".stale", ".renew", ".drift", ".large", ".code"].filter(s => getComputedStyle(document.querySelector(s)).display !== "none").join()`, &shown)); err != nil {
		t.Fatal(err)
	}
	if shown != ".code" {
		t.Errorf("on paper there is %s", shown)
	}
}

// The style sheet counts in seconds of its own.
func TestCodeLifeIsTheStyleSheets(t *testing.T) {
	t.Parallel()
	delays := regexp.MustCompile(`animation: expired? 1s (\d+)s step-start forwards`).FindAllStringSubmatch(string(stylesheet), -1)
	if len(delays) != 2 {
		t.Fatalf("%d animations wait for the code's end", len(delays))
	}
	for _, d := range delays {
		if want := fmt.Sprint(int(CodeLife.Seconds())); d[1] != want {
			t.Errorf("the style sheet waits %s s, a code is taken for %s", d[1], want)
		}
	}
}

// Who hears the page hears until when the code is good, and no figures of wheels.
func TestAliveIsSaidInWords(t *testing.T) {
	t.Parallel()
	source, root := page(t, shownCode(t), Mobile)
	lines := strings.Join(outlineOf(root), "\n")
	for _, want := range []string{"h2: 扫码核验", "二维码在 2026-11-23 12:07:06（北京时间）之前有效", "p: 刷新二维码"} {
		if !strings.Contains(lines, want) {
			t.Errorf("nobody says %q:\n%s", want, lines)
		}
	}
	if strings.Contains(lines, "p: 北京时间") || strings.Contains(lines, "剩余") {
		t.Errorf("the wheels are read aloud:\n%s", lines)
	}
	for _, link := range all(root, atom.A) {
		if attribute(link, "href") != "" {
			t.Errorf("a link leads to %q", attribute(link, "href"))
		}
	}
	checkHarmless(t, source)
	// A code that does not expire is a file's; a page shows it in its face alone.
	kept, _ := page(t, with(func(v *View) { v.QR = coded(t) }), Mobile)
	timeless, _ := page(t, with(func(v *View) { v.At = time.Time{} }), Mobile)
	if strings.Contains(kept, "扫码核验") || strings.Contains(timeless, `class="clock"`) {
		t.Error("a panel or a clock stands where there is nothing to tell")
	}
}
