package render

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// judge runs axe-core's rules for WCAG 2.2 AA in the page.
const judge = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
  .then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes[0].html.slice(0, 200))))`

// violations are what axe-core (testdata/axe, version 4.14.1) finds in the page that is open.
func violations(t *testing.T, tab context.Context) (found []string) {
	t.Helper()
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	var out string
	if err := chromedp.Run(tab, chromedp.Evaluate(string(axe)+";0", nil), chromedp.Evaluate(judge, &out, awaited)); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBrowserAxe asks axe-core about every kind of page, as it comes and with large type and all
// reasons opened.
func TestBrowserAxe(t *testing.T) {
	views := map[string]*View{"plain": sample(), "shown": shownCode(t), "void": with(func(v *View) { v.Status = "ABOLISHED" })}
	for _, name := range ShippedTemplates() {
		views[name] = shownMasked(t, name)
	}
	views["business"].Status = "EXPIRED"
	pages := map[string]func(http.ResponseWriter) error{
		"message": func(w http.ResponseWriter) error {
			return MessagePage(w, "证照页面已失效", "请让持证人重新出示证照。", "30412", "")
		},
		"bad": func(w http.ResponseWriter) error {
			_, err := w.Write([]byte("<!doctype html><title>x</title><img src='data:,'>"))
			return err
		},
	}
	for name, v := range views {
		pages[name] = func(w http.ResponseWriter) error { return Page(w, v, Mobile) }
	}
	address, _ := site(t, pages, embedded)
	tab := browser(t)
	for name := range pages {
		err := chromedp.Run(tab, chromedp.EmulateViewport(390, 844), chromedp.Navigate(address+"/"+name))
		if err != nil {
			t.Fatal(err)
		}
		found := violations(t, tab)
		if (len(found) > 0) != (name == "bad") {
			t.Errorf("%s: %q", name, found)
		}
		if name == "bad" || name == "message" {
			continue
		}
		var state struct {
			Type          float64
			Width, Window int
			Open          int
		}
		var png []byte
		err = chromedp.Run(tab, chromedp.Click("#large"), chromedp.Evaluate(`document.querySelectorAll("summary").forEach(s => s.click()); ({
			Type: parseFloat(getComputedStyle(document.documentElement).fontSize), Open: document.querySelectorAll("details[open]").length,
			Width: document.documentElement.scrollWidth, Window: document.documentElement.clientWidth})`, &state), chromedp.FullScreenshot(&png, 100))
		if err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("RENDER_PICTURES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+"-large.png"), png, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		masked := 0
		for _, f := range views[name].Fields {
			if f.Masked {
				masked++
			}
		}
		if state.Type != 24 || state.Width > state.Window || state.Open != masked {
			t.Errorf("%s in large type: %+v, %d masked fields", name, state, masked)
		}
		if found := violations(t, tab); len(found) > 0 {
			t.Errorf("%s in large type: %q", name, found)
		}
	}
}
