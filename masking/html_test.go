package masking

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// pagePlan hides by selectors and kinds.
func pagePlan(t testing.TB, pairs ...string) *Plan {
	t.Helper()
	var spec Spec
	for i := 0; i+1 < len(pairs); i += 2 {
		selector, err := ParseSelector(pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		spec.Selected = append(spec.Selected, Selected{selector, Kind(pairs[i+1])})
	}
	return spec.Plan()
}

// inBody is what the body of a page became.
func inBody(t *testing.T, p *Plan, body string) string {
	t.Helper()
	var out strings.Builder
	if err := p.HTML(&out, []byte(body)); err != nil {
		t.Fatalf("HTML(%s): %v", body, err)
	}
	_, inner, _ := strings.Cut(out.String(), "<body>")
	inner, _, _ = strings.Cut(inner, "</body>")
	return inner
}

func TestHTML(t *testing.T) {
	t.Parallel()
	picture := placeholderSource()
	for _, test := range []struct {
		name  string
		pairs []string
		body  string
		want  string
	}{
		{"an element", []string{".n", "name"}, `<p class="n"> 张三 </p><p>公开</p>`, `<p class="n">张**</p><p>公开</p>`},
		{"several", []string{"td.n", "name", "td.i", "identity_number"}, `<table><tbody><tr><td class="n">张三</td><td class="i">` + identity18 + `</td></tr><tr><td class="n">李四</td></tr></tbody></table>`, `<table><tbody><tr><td class="n">张**</td><td class="i">110105********</td></tr><tr><td class="n">李**</td></tr></tbody></table>`},
		{"one piece within", []string{".n", "name"}, `<p class="n"><b>张三</b></p>`, `<p class="n"><b>张**</b></p>`},
		{"several pieces are masked whole", []string{".n", "name"}, `<p class="n"><b>张</b>三</p>`, `<p class="n"><b>****</b>****</p>`},
		{"a comment between", []string{".n", "name"}, `<p class="n">张<!-- x -->三</p>`, `<p class="n">张**</p>`},
		{"entities", []string{".i", "identity_number"}, `<p class="i">&#49;10105&#x31;9491231002X</p>`, `<p class="i">110105********</p>`},
		{"attributes of what is masked", []string{".n", "name"}, `<p class="n" title="张三" id="p1" data-x="1"><a href="/p/1" class="k">张三</a></p>`, `<p class="n"><a class="k">张**</a></p>`},
		{"elsewhere on the page", []string{".n", "name"}, `<p title="张三之证">张三的证</p><p class="n">张三</p><img alt="张三">`, `<p title="****之证">****的证</p><p class="n">张**</p><img alt="****"/>`},
		{"what is short stays elsewhere", []string{".n", "text"}, `<p>12 女</p><p class="n">12</p><p class="n">女</p>`, `<p>12 女</p><p class="n">****</p><p class="n">****</p>`},
		{"an input", []string{"input", "phone"}, `<form><input name="t" value="13812345678" placeholder="x" autofocus=""/></form>`, `<form><input name="t" value="138****5678"/></form>`},
		{"a photo", []string{"img.f", "photo"}, `<img class="f" src="/f/1.jpg" alt="照片"/><img src="/logo.png"/>`, `<img class="f" src="` + picture + `"/><img src="/logo.png"/>`},
		{"a picture in another field", []string{".n", "name"}, `<p class="n"><img src="/name/张三.png"/>张三</p>`, `<p class="n"><img/>张**</p>`},
		{"nested choices", []string{"div", "text", "b", "name"}, `<div><b>张三</b></div><b>李四</b>`, `<div><b>****</b></div><b>李**</b>`},
		{"two kinds", []string{"b", "name", ".x", "text"}, `<b class="x">张三</b>`, `<b class="x">张**</b>`},
		{"scripts", []string{"b", "name"}, `<b>张三</b><script>var p={"a":"李四"}</script><script type="application/json">{"a":"李四"}</script><noscript>李四</noscript><template><i>李四</i></template><iframe srcdoc="李四"></iframe><svg><text>李四</text></svg><object data="x"></object>`, `<b>张**</b>`},
		{"attributes that act", []string{"b", "name"}, `<b>张三</b><a href="javascript:x(1)" onclick="x()" data-p='{"a":1}'>a</a><a href=" java&#10;script:x">b</a><a href="/ok?a:b">c</a>`, `<b>张**</b><a>a</a><a>b</a><a href="/ok?a:b">c</a>`},
		{"a text area", []string{"textarea", "address"}, `<textarea>北京市朝阳区建国路1号</textarea>`, `<textarea>北京市朝阳区****</textarea>`},
		{"nothing in it", []string{".n", "name"}, `<p class="n"></p>`, `<p class="n"></p>`},
		{"an unknown kind", []string{".n", "fingerprint"}, `<p class="n">张三</p>`, `<p class="n">****</p>`},
		{"twice", []string{".n", "name"}, `<p class="n">张**</p>`, `<p class="n">张**</p>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := pagePlan(t, test.pairs...)
			got := inBody(t, p, test.body)
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if again := inBody(t, p, got); again != got {
				t.Errorf("masked twice: %s", again)
			}
		})
	}
}

func TestHTMLHead(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	page := "\uFEFF<!DOCTYPE html><html lang=zh><head><meta charset=utf-8><meta http-equiv=refresh content='0;url=/张三'><base href=/x><title>张三的证照</title>" +
		"<link rel=stylesheet href=/a.css><link rel=preload href=/p/1.json><style>p{color:red}</style></head><body><b>张三</b></body></html>"
	want := `<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8"/><title>****的证照</title>` +
		`<link rel="stylesheet" href="/a.css"/><style>p{color:red}</style></head><body><b>张**</b></body></html>`
	if err := pagePlan(t, "b", "name").HTML(&out, []byte(page)); err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestHTMLWithholds(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"not UTF-8":            "<b>张三\xff</b>",
		"GBK":                  "<b>\xd5\xc5\xc8\xfd</b>",
		"a zero":               "<b>张三\x00</b>",
		"too deep":             strings.Repeat("<div>", 600) + "<b>张三</b>",
		"nothing chosen":       "<p>张三</p>",
		"nothing at all":       "",
		"chosen in a template": "<template><b>张三</b></template>x",
	} {
		var out bytes.Buffer
		err := pagePlan(t, "b", "name").HTML(&out, []byte(page))
		if name == "chosen in a template" { // it is chosen there or not, and dropped in either case
			if strings.Contains(out.String(), "张三") {
				t.Errorf("%s: %s", name, out.String())
			}
			continue
		}
		if !errors.Is(err, ErrWithheld) || out.Len() > 0 || strings.Contains(err.Error(), "张") {
			t.Errorf("%s: %v, %q", name, err, out.String())
		}
		if chosen := strings.HasPrefix(name, "nothing"); errors.Is(err, ErrSelector) != chosen {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("connection reset")
	if err := pagePlan(t, "b", "name").HTML(failingWriter{broken}, []byte("<b>张三</b>")); !errors.Is(err, broken) || errors.Is(err, ErrWithheld) {
		t.Errorf("%v", err)
	}
}

func TestParseSelector(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"td.name", "#a > b ~ c", "tr:nth-child(2n) td, .x[data-k='v']", `td:contains("姓名") + td`} {
		if s, err := ParseSelector(good); err != nil || s.String() != good {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "td.", "td[", "p::before", ",", "a,,b"} {
		if _, err := ParseSelector(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// FuzzPlanHTML: no page lets the chosen text leave, in any place, nor anything that runs.
func FuzzPlanHTML(f *testing.F) {
	for _, page := range []string{
		`<b>秘密的值</b>`, `<table><b>秘密的值<tr><td>秘密的值`, `<b title="秘密的值">x<svg><script>秘密的值</script></svg></b>`, `<noscript><p title="</noscript><img src=x onerror=1>">`,
		`<math><mi><style><b>秘密的值</b></style>`, `<b>x</b><select><option value=秘密的值>秘密的值`, `<form><b><form>秘密的值`, `<b><plaintext>秘密的值`, `<a href=javascript&colon;x>秘密的值</a><b>y`,
	} {
		f.Add(page)
	}
	const secret = "秘密的值"
	p := pagePlan(f, "b", "text")
	f.Fuzz(func(t *testing.T, page string) {
		var out bytes.Buffer
		if err := p.HTML(&out, []byte("<b>"+secret+"</b>"+page)); err != nil {
			if !errors.Is(err, ErrWithheld) || out.Len() > 0 {
				t.Fatalf("HTML(%q): %v, %q", page, err, out.String())
			}
			return
		}
		root, err := html.Parse(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		walk(root, func(n *html.Node) bool {
			all := n.Data
			for _, a := range n.Attr {
				all += "\n" + a.Key + "\n" + a.Val
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("HTML(%q) acts: %s", page, out.String())
				}
			}
			if n.Type == html.ElementNode && n.Data == "script" || strings.Contains(all, secret) {
				t.Errorf("HTML(%q) = %q", page, out.String())
			}
			return true
		})
		if err := p.HTML(io.Discard, out.Bytes()); err != nil {
			t.Errorf("HTML(%q) = %q, again: %v", page, out.String(), err)
		}
	})
}
