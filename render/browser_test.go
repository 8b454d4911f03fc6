package render

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// contentSecurityPolicy is what the gateway sends with every page.
const contentSecurityPolicy = "default-src 'none'; img-src 'self' data:; style-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// profile is a fresh user data folder. Chromium's children write into it for a moment after it ended, so that removing it takes
// more than one try.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "licgate-chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 {
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("%s could not be removed", dir)
	})
	return dir
}

// browser starts Debian's Chromium, loopback only, with nothing kept from before.
func browser(t *testing.T) context.Context {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless,
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ExecPath("chromium"), chromedp.UserDataDir(profile(t)),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.WSURLReadTimeout(2*time.Minute))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start chromium (Debian: chromium): %v", err)
	}
	return ctx
}

// site serves pages by name under the strict policy with the assets of a chain of fonts, and keeps what else was asked for.
func site(t *testing.T, pages map[string]func(w http.ResponseWriter) error, fonts *Fonts) (address string, strays func() []string) {
	t.Helper()
	var mu sync.Mutex
	var missed []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok, err := fonts.Asset(path.Base(r.URL.Path)); ok || err != nil {
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", a.Type)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write(a.Content)
			return
		}
		draw, ok := pages[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			mu.Lock()
			missed = append(missed, r.URL.Path)
			mu.Unlock()
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", contentSecurityPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if err := draw(w); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return missed
	}
}

// seen is what the browser tells of a loaded page.
type seen struct {
	Width, Window int
	Styled        bool
	Hacked        bool
	Direction     string
	Clipped       []string // texts wider than their place
	Small         []string // texts under 12 px
	Faint         []string // texts with less contrast than WCAG 2.2 AA asks
	Outside       []string // texts of a face beyond its edge
	Overlaps      []string // texts of a face one over the other
	Faces         int
}

// inspect runs in the page, from outside its policy.
const inspect = `(() => {
  const lum = c => { const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
    return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]); };
  const rgb = s => s.match(/[\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const out = { Width: document.documentElement.scrollWidth, Window: document.documentElement.clientWidth, Clipped: [], Small: [], Faint: [],
    Styled: getComputedStyle(document.body).marginTop === "0px", Hacked: window.hacked !== undefined, Direction: getComputedStyle(document.body).direction };
  for (const e of document.querySelectorAll("main *:not(svg):not(svg *)")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const s = getComputedStyle(e), name = e.tagName + " " + e.textContent.trim().slice(0, 20);
    if (s.clipPath === "none" && e.scrollWidth > e.clientWidth + 1 && s.display !== "inline") out.Clipped.push(name);
    const size = parseFloat(s.fontSize);
    if (size < 12) out.Small.push(name);
    const a = lum(rgb(s.color)), b = lum(ground(e)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < (size >= 24 ? 3 : 4.5)) out.Faint.push(name + " " + ratio.toFixed(2));
  }
  out.Outside = []; out.Overlaps = []; out.Faces = document.querySelectorAll("svg.sheet").length;
  for (const svg of document.querySelectorAll("svg.sheet")) {
    const page = svg.viewBox.baseVal, seen = [];
    for (const t of svg.querySelectorAll("text")) {
      const b = t.getBBox(), size = parseFloat(t.getAttribute("font-size")), lines = t.getAttribute("y").trim().includes(" ");
      // What is inked of a line is less than its box: the square of a Chinese character.
      const y = lines ? b.y : parseFloat(t.getAttribute("y")) - 0.8 * size, h = lines ? b.height : 0.85 * size;
      const box = { x0: b.x, x1: b.x + b.width, y0: y, y1: y + h, text: t.lastChild.data };
      if (box.x0 < -0.5 || box.y0 < -0.5 || box.x1 > page.width + 0.5 || box.y1 > page.height + 0.5) out.Outside.push(box.text);
      for (const o of seen)
        if (Math.min(o.x1, box.x1) - Math.max(o.x0, box.x0) > 0.6 && Math.min(o.y1, box.y1) - Math.max(o.y0, box.y0) > 0.6)
          out.Overlaps.push(o.text + " | " + box.text);
      seen.push(box);
    }
  }
  return JSON.stringify(out);
})()`

// complaints are what the browser has told of since the last time they were taken.
type complaints struct {
	mu   sync.Mutex
	told []string
}

func (c *complaints) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, text)
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.told
	c.told = nil
	return told
}

// listen collects policy violations, failed loads and errors of a tab.
func listen(t *testing.T, tab context.Context) *complaints {
	t.Helper()
	c := &complaints{}
	chromedp.ListenTarget(tab, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			c.add(e.Entry.Text)
		case *runtime.EventExceptionThrown:
			c.add(e.ExceptionDetails.Error())
		case *network.EventLoadingFailed:
			c.add(e.ErrorText)
		}
	})
	if err := chromedp.Run(tab, log.Enable(), network.Enable(), runtime.Enable()); err != nil {
		t.Fatal(err)
	}
	return c
}

// look loads a page and writes a picture of it: the whole of it, or what fits the window first.
func look(t *testing.T, tab context.Context, address, picture string, width int64, dark, whole bool) seen {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	var result string
	var png []byte
	shot := chromedp.CaptureScreenshot(&png)
	if whole {
		shot = chromedp.FullScreenshot(&png, 100)
	}
	err := chromedp.Run(tab,
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.EmulateViewport(width, 844, chromedp.EmulateScale(1)),
		chromedp.Navigate(address), chromedp.Evaluate(inspect, &result), shot)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	if err := os.WriteFile(picture, png, 0o600); err != nil {
		t.Fatal(err)
	}
	var s seen
	if err := json.Unmarshal([]byte(result), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBrowser loads every kind of page in Chromium under the policy that the gateway sends. Set RENDER_PICTURES to a
// folder to keep the pictures.
func TestBrowser(t *testing.T) {
	photo := jpegFile(t, portrait(358, 441))
	views := map[string]*View{
		"valid":   with(func(v *View) { v.Photo = photo }),
		"plain":   sample(),
		"shown":   shownCode(t),
		"void":    with(func(v *View) { v.Status = "ABOLISHED"; v.Photo = photo }),
		"expired": with(func(v *View) { v.Status = "EXPIRED" }),
	}
	for i, text := range hostile {
		views[fmt.Sprintf("hostile%d", i)] = hostileView(text)
		name := ShippedTemplates()[i%len(ShippedTemplates())]
		views[fmt.Sprintf("hostile%d-%s", i, name)] = hostileFace(t, name, text)
	}
	for _, name := range ShippedTemplates() {
		views["face-"+name] = held(t, name)
	}
	for _, name := range []string{"marriage", "business"} {
		views["face-void-"+name] = held(t, name)
		views["face-void-"+name].Status = "ABOLISHED"
	}
	pages := map[string]func(http.ResponseWriter) error{
		"message": func(w http.ResponseWriter) error {
			return MessagePage(w, "证照页面已失效", "本页面的访问令牌已过期。请让持证人重新出示证照，或由业务系统重新获取访问令牌。", "30412", "b2629b80-a96f-469b-87f7-0496bee4f958")
		},
	}
	for name, v := range views {
		pages[name+"/desktop"] = func(w http.ResponseWriter) error { return Page(w, v, Desktop) }
		pages[name+"/mobile"] = func(w http.ResponseWriter) error { return Page(w, v, Mobile) }
	}
	address, strays := site(t, pages, embedded)
	tab := browser(t)
	told := listen(t, tab)
	pictures := os.Getenv("RENDER_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		harmless := !strings.HasPrefix(name, "hostile")
		widths := []int64{1280, 640, 320} // 640 and 320 are what 200 % and 400 % zoom leave of 1280
		if strings.HasSuffix(name, "mobile") || name == "message" {
			widths = []int64{390, 320}
		}
		if !harmless {
			widths = widths[:1]
		}
		for _, width := range widths {
			for _, dark := range []bool{false, true} {
				if dark && !harmless {
					continue
				}
				picture := fmt.Sprintf("%s-%d", strings.ReplaceAll(name, "/", "-"), width)
				if dark {
					picture += "-dark"
				}
				s := look(t, tab, address+"/"+name, filepath.Join(pictures, picture+".png"), width, dark, harmless)
				if told := told.take(); len(told) > 0 {
					t.Errorf("%s: the browser complains: %q", picture, told)
				}
				if s.Width > s.Window {
					t.Errorf("%s: %d px wide in a window of %d", picture, s.Width, s.Window)
				}
				if len(s.Outside)+len(s.Overlaps) > 0 || strings.Contains(name, "face") && s.Faces == 0 {
					t.Errorf("%s: %d faces, outside %q, overlapping %q", picture, s.Faces, s.Outside, s.Overlaps)
				}
				if !s.Styled || s.Hacked || s.Direction != "ltr" || len(s.Small)+len(s.Faint) > 0 || len(s.Clipped) > 0 {
					t.Errorf("%s: %+v", picture, s)
				}
			}
		}
	}
	if missed := strays(); len(missed) > 0 {
		t.Errorf("the pages ask for %q", missed)
	}
}

// TestBrowserPolicyBites makes sure that the browser would complain: an inline style is refused and told of.
func TestBrowserPolicyBites(t *testing.T) {
	address, _ := site(t, map[string]func(http.ResponseWriter) error{"bad": func(w http.ResponseWriter) error {
		_, err := w.Write([]byte(`<!doctype html><p style="color:red">x<script>window.hacked=1</script>`))
		return err
	}}, embedded)
	tab := browser(t)
	told := listen(t, tab)
	var hacked bool
	if err := chromedp.Run(tab, chromedp.Navigate(address+"/bad")); err != nil {
		t.Fatal(err)
	}
	var text string
	for text == "" { // the browser tells in its own time; the test's own deadline ends this
		if err := chromedp.Run(tab, chromedp.Evaluate("window.hacked === 1", &hacked)); err != nil {
			t.Fatal(err)
		}
		text = strings.Join(told.take(), "\n")
	}
	if hacked || !strings.Contains(text, "Content Security Policy") {
		t.Errorf("hacked %v, told %q", hacked, text)
	}
}
