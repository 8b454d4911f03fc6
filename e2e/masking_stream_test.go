package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// TestMaskedBodies: encodings, types, sizes, faults early and late.
func TestMaskedBodies(t *testing.T) {
	t.Parallel()
	const person = `{"CZR":"李大华","CYRSFZJHM":"` + holderID + `"}`
	rows := strings.Repeat(person+",", 60_000) // about 4 MiB
	long := strings.Repeat("李", 1<<20)
	encoders := map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				panic(err)
			}
			return z
		},
	}
	g, call := masked(t, func(w http.ResponseWriter, r *http.Request) {
		q, h := r.URL.Query(), w.Header()
		h.Set("Content-Type", "application/json")
		body := []byte(person)
		if encode := encoders[q.Get("encoding")]; encode != nil {
			h.Set("Content-Encoding", q.Get("encoding"))
			text := body
			if q.Get("as") == "bomb" {
				text = []byte(`["` + strings.Repeat("a", 8<<20) + `"]`)
			}
			var b bytes.Buffer
			z := encode(&b)
			_, _ = z.Write(text)
			_ = z.Close()
			body = b.Bytes()
			switch q.Get("as") {
			case "cut":
				body = body[:len(body)-5]
			case "broken":
				body[len(body)/2] ^= 0xFF
			case "behind":
				body = append(body, person...)
			}
			_, _ = w.Write(body)
			return
		}
		switch q.Get("as") {
		case "encoding":
			h.Set("Content-Encoding", "compress")
		case "two encodings":
			h["Content-Encoding"] = []string{"identity", "gzip"}
		case "listed encodings":
			h.Set("Content-Encoding", "gzip, gzip")
		case "vendor":
			h.Set("Content-Type", "application/vnd.licence+json")
		case "problem":
			h.Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
		case "no type":
			h["Content-Type"] = nil
		case "two types":
			h["Content-Type"] = []string{"application/json", "text/html"}
		case "charset":
			h.Set("Content-Type", "application/json; charset=gbk")
		case "text":
			h.Set("Content-Type", "text/plain")
		case "page":
			h.Set("Content-Type", "text/html")
		case "range":
			h.Set("Content-Range", "bytes 0-9/100")
		case "partial":
			w.WriteHeader(http.StatusPartialContent)
		case "announced trailer":
			h.Set("Trailer", "X-Name")
			_, _ = w.Write(body)
			h.Set("X-Name", "李大华")
			return
		case "trailer":
			_, _ = w.Write(body)
			w.(http.Flusher).Flush()
			h.Set(http.TrailerPrefix+"X-Name", "李大华")
			return
		case "not found":
			w.WriteHeader(http.StatusNotFound)
		case "large":
			body = []byte(`{"data":[` + rows + "null]}")
		case "large value":
			body = []byte(`{"CZR":"` + long + `"}`)
		case "large open value":
			body = []byte(`{"note":"` + long + `"}`)
		case "late fault":
			body = []byte("[" + rows + "null] x")
		case "late duplicate":
			body = []byte(`{"a":[` + rows + `null],"a":1}`)
		case "late end":
			h.Set("Content-Length", strconv.Itoa(len(rows)+100))
			body = []byte("[" + rows)
		case "late trailer":
			_, _ = io.WriteString(w, "["+rows+"null]")
			h.Set(http.TrailerPrefix+"X-Name", "李大华")
			return
		case "early fault":
			body = []byte(`{"a":` + person + `,"a":1}`)
		}
		_, _ = w.Write(body)
	})
	w := watch(g)
	w.hide("李大华", holderID)
	c := g.login("hydj", "zhangbin")
	w.hide(c.token)
	reasons := map[string]string{} // by response_id
	const shown = `{"CZR":"李**","CYRSFZJHM":"110101********"}`

	t.Run("encodings", func(t *testing.T) {
		for name := range encoders {
			if a := call(c.in(t), "/json?encoding="+name); a.status != http.StatusOK || string(a.raw) != shown || a.header.Get("Content-Encoding") != "" {
				t.Errorf("%s: %d %v %s", name, a.status, a.header, a.raw)
			}
			for _, as := range []string{"cut", "broken", "bomb", "behind"} {
				a := call(c.in(t), "/json?encoding="+name+"&as="+as)
				if as == "behind" && name == "br" && a.status == http.StatusOK { // its reader does not tell; what is behind goes
					if string(a.raw) != shown {
						t.Errorf("%s: %s", name, a.raw)
					}
					continue
				}
				w.refused(t, a, http.StatusBadGateway, "90004")
				want := "content_encoding"
				if as == "bomb" {
					want = "too_large"
				}
				// Brotli has no checksum: what it makes of broken bytes is no JSON.
				if reason := a.innerCode(); reason != want && !(name == "br" && as == "broken" && reason == "unparseable") {
					t.Errorf("%s %s: %s", name, as, reason)
				}
			}
		}
	})
	t.Run("withheld", func(t *testing.T) {
		for as, reason := range map[string]string{
			"encoding": "content_encoding", "two encodings": "content_encoding", "listed encodings": "content_encoding",
			"no type": "content_type", "two types": "content_type", "charset": "content_type", "text": "content_type", "page": "content_type", "problem": "content_type",
			"range": "partial", "partial": "status", "announced trailer": "trailer", "trailer": "trailer",
			"large value": "too_large", "early fault": "unparseable",
		} {
			a := call(c.in(t), "/json?as="+strings.ReplaceAll(as, " ", "+"))
			w.refused(t, a, http.StatusBadGateway, "90004")
			if got := a.innerCode(); got != reason {
				t.Errorf("%s: withheld for %q, want %q", as, got, reason)
			}
			reasons[a.body["response_id"].(string)] = reason
		}
	})
	t.Run("declared type and status", func(t *testing.T) {
		if a := call(c.in(t), "/json?as=vendor"); a.status != http.StatusOK || a.header.Get("Content-Type") != "application/vnd.licence+json; charset=utf-8" || string(a.raw) != shown {
			t.Errorf("%d %v %s", a.status, a.header, a.raw)
		}
		if a := call(c.in(t), "/json?as=not+found"); a.status != http.StatusNotFound || string(a.raw) != shown {
			t.Errorf("%d %s", a.status, a.raw)
		}
	})
	t.Run("large", func(t *testing.T) {
		a := call(c.in(t), "/json?as=large")
		if a.status != http.StatusOK || len(a.raw) < 2<<20 || !json.Valid(a.raw) || a.header.Get("Content-Length") != "" {
			t.Errorf("%d, %d bytes", a.status, len(a.raw))
		}
		w.silent(t, "a large body", string(a.raw))
		if a := call(c.in(t), "/json?as=large+open+value"); a.status != http.StatusOK || len(a.raw) != 3<<20+len(`{"note":""}`) {
			t.Errorf("an open value: %d, %d bytes", a.status, len(a.raw))
		}
	})
	t.Run("late faults cut", func(t *testing.T) {
		for _, as := range []string{"late fault", "late duplicate", "late end", "late trailer"} {
			for _, protocols := range []int{1, 2} {
				status, left, err := g.in(t).cut(c.token, call, as, protocols)
				if err == nil || errors.Is(err, io.EOF) && len(left) == 0 {
					t.Errorf("%s over HTTP/%d: taken for complete, %d, %d bytes", as, protocols, status, len(left))
				}
				if json.Valid(left) || len(left) == 0 {
					t.Errorf("%s over HTTP/%d: %d bytes left", as, protocols, len(left))
				}
				w.silent(t, as, string(left))
			}
		}
	})
	w.recorded(t, reasons)
}

// cut reads a body that is to break off, over HTTP/1.1 or 2.
func (g *gateway) cut(token string, call func(*caller, string) answer, as string, protocol int) (int, []byte, error) {
	own := *g
	transport := g.client.Transport.(*http.Transport).Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(protocol == 1)
	transport.Protocols.SetHTTP2(protocol == 2)
	transport.ForceAttemptHTTP2 = protocol == 2
	defer transport.CloseIdleConnections()
	tap := &tapped{inner: transport}
	own.client = &http.Client{Transport: tap, Timeout: g.client.Timeout}
	call(&caller{g: &own, token: token}, "/json?as="+strings.ReplaceAll(as, " ", "+"))
	return tap.status, tap.body, tap.err
}

// tapped reads a body whole and hides how it ended from who asked, since a test's caller fails at that.
type tapped struct {
	inner  http.RoundTripper
	status int
	body   []byte
	err    error
}

func (t *tapped) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.status = resp.StatusCode
	t.body, t.err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body, resp.Header = http.NoBody, http.Header{}
	return resp, nil
}

// TestMaskedFields: who asks for sensitive data and does not see all of it is told what, and why.
func TestMaskedFields(t *testing.T) {
	t.Parallel()
	g, call := masked(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"CZR":"李大华","rows":[{"person":{"id":"`+holderID+`","phone":13812345678}}]}`)
	})
	c, seer := g.login("hydj", "zhangbin"), g.login("hydj", "seer")
	c.made("M-1")
	const header = "Licgate-Masked-Fields"
	for _, one := range []struct {
		name   string
		who    *caller
		path   string
		want   string
		masked []string
	}{
		{"not asked", c, "/json", `{"CZR":"李**","rows":[{"person":{"id":"110101********","phone":"138****5678"}}]}`, nil},
		{"asked without right", c, "/json?clear=true", `{"CZR":"李**","rows":[{"person":{"id":"110101********","phone":"138****5678"}}]}`, []string{"CZR", "CYRSFZJHM", "POXM"}},
		{"asked with right", seer, "/json?clear=true", `{"CZR":"李大华","rows":[{"person":{"id":"` + holderID + `","phone":"138****5678"}}]}`, nil},
	} {
		a := call(one.who, one.path)
		if a.status != http.StatusOK || string(a.raw) != one.want {
			t.Errorf("%s: %d %s", one.name, a.status, a.raw)
		}
		told := a.header.Get(header)
		if (told == "") != (one.masked == nil) {
			t.Errorf("%s: told %q", one.name, told)
		}
		for _, field := range one.masked {
			if !strings.Contains(told, marriage+"#"+field+";reason=") {
				t.Errorf("%s: told %q, not of %s", one.name, told, field)
			}
		}
	}

	auth := func(who *caller, show any) answer {
		return who.post("/license/auth", object{"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator(), "identity_number": holderID, "show_sensitive_data": show}).must(t)
	}
	for _, one := range []struct {
		name string
		a    answer
		want int
	}{
		{"not asked", auth(c, nil), 0}, {"asked not to", auth(c, "false"), 0}, {"asked without right", auth(c, "true"), 3}, {"asked with right", auth(seer, "true"), 0},
	} {
		list, there := one.a.body["masked_fields"].([]any)
		if len(list) != one.want || there != (one.want > 0) {
			t.Errorf("%s: %v", one.name, one.a.body["masked_fields"])
		}
		for _, f := range list {
			f := f.(object)
			if f["license_item_code"] != marriage || f["field"] == "" || f["reason"] == "" {
				t.Errorf("%s: %v", one.name, f)
			}
		}
		if names := members(t, one.a.raw); one.want > 0 && names[len(names)-1] != "masked_fields" {
			t.Errorf("%s: members %v", one.name, names)
		}
	}
	code := auth(c, "true").codes()[0]
	if list, _ := c.get("/license/get_license", "auth_code", code).must(t).body["masked_fields"].([]any); len(list) != 3 {
		t.Errorf("get_license: %v", list)
	}
	// One field by right: a line of the policy.
	g.apply(edited("roles: [issuer, approver, user, archivist]}", "roles: [issuer, approver, user, archivist]}") +
		"policy: |\n  p, acct:zhangbin, " + mzj + ", " + marriage + "#POXM, clear, *, allow\n")
	if list, _ := auth(c, "true").body["masked_fields"].([]any); len(list) != 2 {
		t.Errorf("one field by right: %v", list)
	}
}

// TestMaskedSizesTellNothing: a body's size and a refusal are the same whatever was hidden.
func TestMaskedSizesTellNothing(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{"CZR":"李大华","CYRSFZJHM":"` + holderID + `","LXDH":"13812345678","ZP":{"file_suffix":"jpg","file_data":"eA=="},"x":"%s"}`,
		`{"CZR":"李四","CYRSFZJHM":"110105491231002","LXDH":"+86 138-0000-0000","ZP":{"file_suffix":"jpeg","file_data":"` + strings.Repeat("eA==", 5000) + `"},"x":"%s"}`,
	}
	g, call := masked(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		n, _ := strconv.Atoi(q.Get("n"))
		w.Header().Set("Content-Type", q.Get("type"))
		status, _ := strconv.Atoi(q.Get("status"))
		w.WriteHeader(status)
		fmt.Fprintf(w, bodies[n], "")
		if q.Has("bad") {
			_, _ = io.WriteString(w, "x")
		}
	})
	c := g.login("hydj", "zhangbin")
	var sizes []int
	var refusals []string
	for n := range bodies {
		for _, status := range []string{"200", "404"} {
			a := call(c, "/json?type=application/json&n="+strconv.Itoa(n)+"&status="+status)
			sizes = append(sizes, len(a.raw))
			for _, bad := range []string{"&type=application/json&bad", "&type=text/html"} {
				r := call(c, "/json?n="+strconv.Itoa(n)+"&status="+status+bad)
				refusals = append(refusals, strconv.Itoa(r.status)+strings.ReplaceAll(strings.ReplaceAll(r.same(), "unparseable", "why"), "content_type", "why"))
			}
		}
	}
	for _, size := range sizes {
		if size != sizes[0] {
			t.Errorf("sizes %v", sizes)
		}
	}
	for _, r := range refusals {
		if r != refusals[0] {
			t.Errorf("refusals %v", refusals)
		}
	}
}
