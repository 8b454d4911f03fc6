package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maskedSite is a guard whose route hides what masking's leaks need hidden.
func maskedSite(upstream string) string {
	return `
	licgate_guard {
		max_body 1MiB
		accept_encoding gzip deflate br zstd
		mask $..ZP photo
		mask $..LXDH phone
		route GET /json get_license {
			item query item
			service_item query service
			show_sensitive_data query clear
			mask $.rows[*].person.id identity_number CYRSFZJHM
			mask $.rows[*].person.phone phone
			mask $..xm name
			mask $.remark public_number
			content_type application/vnd.licence+json
		}
		route GET /html view_license {
			item query item
			service_item query service
			show_sensitive_data query clear
			mask_html .name name CZR
			mask_html .id identity_number CYRSFZJHM
		}
	}
	reverse_proxy ` + strings.TrimPrefix(upstream, "http://")
}

// masked starts a gateway before an upstream, and gives what calls a path of it.
func masked(t *testing.T, upstream http.HandlerFunc) (*gateway, func(c *caller, path string) answer) {
	t.Helper()
	s := httptest.NewServer(upstream)
	t.Cleanup(s.Close)
	g, guarded := prepare(t), freePort(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate") + site(guarded, maskedSite(s.URL)))(g)
	g.run()
	g.apply(platform)
	return g, func(c *caller, path string) answer {
		c.g.t.Helper()
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		req, err := http.NewRequest(http.MethodGet, "https://localhost:"+guarded+path+separator+"item="+marriage+"&service="+service, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		resp, err := c.g.client.Do(req)
		if err != nil {
			c.g.t.Fatal(err)
		}
		defer resp.Body.Close()
		a := answer{status: resp.StatusCode, header: resp.Header}
		if a.raw, err = io.ReadAll(resp.Body); err != nil {
			c.g.t.Fatal(err)
		}
		_ = json.Unmarshal(a.raw, &a.body) // an envelope, or what the upstream says
		return a
	}
}

// TestMaskingLeaks puts masking's corpus of leaks through a gateway: what leaves is what masking says, or a clean refusal.
func TestMaskingLeaks(t *testing.T) {
	t.Parallel()
	const leaks = "../masking/testdata/leaks/"
	g, call := masked(t, func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("name")
		w.Header().Set("Content-Type", "application/json")
		if filepath.Ext(name) == ".html" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		body, err := os.ReadFile(leaks + filepath.Base(name))
		if err != nil {
			panic(err)
		}
		for len(body) > 0 && r.URL.Query().Has("chunked") { // in pieces
			n := min(len(body), 5)
			_, _ = w.Write(body[:n])
			w.(http.Flusher).Flush()
			body = body[n:]
		}
		_, _ = w.Write(body)
	})
	w := watch(g)
	w.hide("李大华", "欧阳明月", holderID, spouseID)
	c := g.login("hydj", "zhangbin")
	w.hide(c.token)
	files, err := filepath.Glob(leaks + "*.want")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d leaks, %v", len(files), err)
	}
	reasons := map[string]string{} // by response_id
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".want")
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := "/json"
		if filepath.Ext(name) == ".html" {
			path = "/html"
		}
		for _, how := range []string{"", "&chunked"} {
			a := call(c, path+"?name="+name+how)
			switch why, withheld := strings.CutPrefix(string(want), "withheld: "); {
			case name == "empty.json": // no body is no leak
				if a.status != http.StatusOK || len(a.raw) > 0 {
					t.Errorf("%s: %d %s", name, a.status, a.raw)
				}
			case withheld:
				w.refused(t, a, http.StatusBadGateway, "90004")
				reason := "unparseable"
				if strings.Contains(why, "selector") {
					reason = "selector"
				}
				reasons[a.body["response_id"].(string)] = reason
			case strings.Contains(string(want), "PLACEHOLDER"): // a picture that this Go drew
				if a.status != http.StatusOK || len(a.raw) < len(want) {
					t.Errorf("%s: %d %s", name, a.status, a.raw)
				}
			case a.status != http.StatusOK || !bytes.Equal(a.raw, want):
				t.Errorf("%s%s: %d\ngot  %s\nwant %s", name, how, a.status, a.raw, want)
			}
			w.silent(t, name, string(a.raw))
		}
	}
	w.recorded(t, reasons)
}

// recorded closes the witness and holds the records to the reasons, by response_id.
func (w *witness) recorded(t *testing.T, reasons map[string]string) {
	t.Helper()
	found := 0
	for _, r := range w.close(t) {
		if want, ok := reasons[r.ResponseID]; ok && r.Event == "request" {
			found++
			if r.Reason != want {
				t.Errorf("the record of %s says %q, want %q", r.ResponseID, r.Reason, want)
			}
		}
	}
	if found != len(reasons) {
		t.Errorf("%d of %d refusals are on record", found, len(reasons))
	}
}

// innerCode is what the first error says to operators.
func (a answer) innerCode() string {
	errs, _ := a.body["errors"].([]any)
	if len(errs) == 0 {
		return ""
	}
	s, _ := errs[0].(object)["inner_code"].(string)
	return s
}

// TestMaskedPage: what of a page leaves runs nothing, and a caller with the right sees what he asks for.
func TestMaskedPage(t *testing.T) {
	t.Parallel()
	g, call := masked(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Set-Cookie", "id="+holderID)
		_, _ = io.WriteString(w, `<p class="name">李大华</p><p class="id">`+holderID+`</p><script>x("李大华")</script>`)
	})
	clear := call(g.login("hydj", "seer"), "/html?clear=true")
	if !bytes.Contains(clear.raw, []byte("李大华")) || !bytes.Contains(clear.raw, []byte(holderID)) || bytes.Contains(clear.raw, []byte("script")) {
		t.Errorf("asked with right: %d %s", clear.status, clear.raw)
	}
	a := call(g.login("hydj", "zhangbin"), "/html?clear=true")
	if string(a.raw) != `<html><head></head><body><p class="name">李**</p><p class="id">110101********</p></body></html>` {
		t.Errorf("asked without right: %d %s", a.status, a.raw)
	}
	h := a.header
	if h.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Set-Cookie") != "" ||
		h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("header: %v", h)
	}
}
