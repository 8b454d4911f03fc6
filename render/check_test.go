package render

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html/atom"
)

// found is what a check of the sample finds.
func found() *Check {
	v := sample()
	return &Check{
		Title: v.Title, Status: v.Status, Holder: v.Holder, IDCode: v.IDCode, Issuer: v.Issuer, IssueDate: "2020-02-14", Validity: v.Validity, At: v.At,
	}
}

func refused() *Check {
	return &Check{Refusal: "二维码已过期，请持证人刷新后重新出示", ErrorCode: "40018", ResponseID: "b2629b80-a96f-469b-87f7-0496bee4f958"}
}

func checkPage(t testing.TB, c *Check) string {
	t.Helper()
	var b bytes.Buffer
	if err := CheckPage(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCheckPageSays(t *testing.T) {
	t.Parallel()
	for status, label := range map[string]string{"ISSUED": "有效", "EXPIRED": "已过期", "ABOLISHED": "已废止", "REGISTERED": "未签发", "x": "状态不明"} {
		c := found()
		c.Status = status
		root := parsed(t, checkPage(t, c))
		class := "message void"
		if status == "ISSUED" {
			class = "message valid"
		}
		if got := attribute(all(root, atom.Body)[0], "class"); got != class {
			t.Errorf("%s: class %q", status, got)
		}
		got := outlineOf(root)
		for _, want := range []string{"dd: 内地居民婚姻登记证", "dd: " + label, "dd: 张**", "dd: 北京市朝阳区民政局婚姻登记处", "dd: 2020-02-14 至 长期", "dd: 2026-11-23 12:05:06（北京时间）"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: no %q in %q", status, want, got)
			}
		}
	}
	blank := outlineOf(parsed(t, checkPage(t, &Check{})))
	if slices.ContainsFunc(blank, func(line string) bool { return strings.HasPrefix(line, "dd: ") }) {
		t.Errorf("before anything was asked: %q", blank)
	}
	said := strings.Join(outlineOf(parsed(t, checkPage(t, refused()))), "\n")
	if !strings.Contains(said, "无法核验 二维码已过期，请持证人刷新后重新出示") || !strings.Contains(said, "dd: 40018") || strings.Contains(said, "证照名称") {
		t.Errorf("a refusal: %s", said)
	}
}

func TestCheckPageIsHarmless(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		for _, c := range []*Check{
			{Title: text, Status: text, Holder: text, IDCode: text, Issuer: text, IssueDate: text, Validity: text, At: time.Unix(0, 0)},
			{Refusal: text, ErrorCode: text, ResponseID: text},
		} {
			checkHarmless(t, checkPage(t, c))
		}
	}
}

// TestBrowserCheck looks at the public page in Chromium as it does at the others, and sends its form.
func TestBrowserCheck(t *testing.T) {
	void := found()
	void.Status = "ABOLISHED"
	checks := map[string]*Check{"found": found(), "void": void, "refused": refused(), "verify": {}}
	for i, text := range hostile {
		checks[fmt.Sprintf("hostile%d", i)] = &Check{Title: text, Status: text, Holder: text, IDCode: text, Issuer: text, Validity: text}
	}
	pages := map[string]func(http.ResponseWriter) error{}
	for name, c := range checks {
		pages[name] = func(w http.ResponseWriter) error {
			w.Header().Set("Content-Security-Policy", strings.Replace(contentSecurityPolicy, "form-action 'none'", "form-action 'self'", 1))
			return CheckPage(w, c)
		}
	}
	address, strays := site(t, pages, embedded)
	tab := browser(t)
	told := listen(t, tab)
	dir := os.Getenv("RENDER_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	for name := range checks {
		harmless := !strings.HasPrefix(name, "hostile")
		for _, width := range []int64{1280, 390, 320} {
			for _, dark := range []bool{false, true} {
				s := look(t, tab, address+"/"+name, filepath.Join(dir, fmt.Sprintf("check-%s-%d-%v.png", name, width, dark)), width, dark, harmless)
				if s.Width > s.Window || !s.Styled || s.Hacked || s.Direction != "ltr" || len(s.Small)+len(s.Faint)+len(s.Clipped) > 0 {
					t.Errorf("%s, %d px, dark %v: %+v", name, width, dark, s)
				}
				if !harmless {
					break
				}
				if found := violations(t, tab); len(found) > 0 {
					t.Errorf("%s, %d px, dark %v: %q", name, width, dark, found)
				}
			}
		}
		if !harmless {
			continue
		}
		var state struct{ Width, Window int }
		if err := chromedp.Run(tab, chromedp.Click("#large"), chromedp.Evaluate(
			`({Width: document.documentElement.scrollWidth, Window: document.documentElement.clientWidth})`, &state)); err != nil || state.Width > state.Window {
			t.Errorf("%s in large type: %+v, %v", name, state, err)
		}
	}
	var sent string
	if _, err := chromedp.RunResponse(tab, chromedp.Navigate(address+"/refused")); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(tab, chromedp.SendKeys("#code", "AQ-_ab")); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.RunResponse(tab, chromedp.Click(".check button")); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(tab, chromedp.Evaluate("location.pathname + location.search", &sent)); err != nil || sent != "/verify?c=AQ-_ab" {
		t.Errorf("the form asks for %s, %v", sent, err)
	}
	if complaints := told.take(); len(complaints)+len(strays()) > 0 {
		t.Errorf("the browser complains: %q, asks for %q", complaints, strays())
	}
}
