package render

import (
	"bytes"
	"compress/gzip"
	"errors"
	"html/template"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// page renders and parses a View.
func page(t testing.TB, v *View, variant Variant) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := Page(&b, v, variant); err != nil {
		t.Fatal(err)
	}
	return b.String(), parsed(t, b.String())
}

func parsed(t testing.TB, source string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// all returns the elements of one kind.
func all(root *html.Node, kind atom.Atom) (found []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.DataAtom == kind {
			found = append(found, n)
		}
	}
	return found
}

// patterns are the watermarks; html knows no atom for them.
func patterns(root *html.Node) (found []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "pattern" {
			found = append(found, n)
		}
	}
	return found
}

// textOf is an element's text, blanks folded.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// outlineOf is what a reader of the page gets, in order: headings, status, table rows, terms, notes.
func outlineOf(root *html.Node) (lines []string) {
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || attribute(n, "aria-hidden") == "true" {
			continue
		}
		switch n.DataAtom {
		case atom.H1, atom.H2, atom.Title, atom.P, atom.Tr, atom.Dt, atom.Dd, atom.Caption:
			lines = append(lines, n.Data+": "+textOf(n))
		}
	}
	return lines
}

func TestPageGolden(t *testing.T) {
	t.Parallel()
	want := []string{
		"title: 内地居民婚姻登记证",
		"p: 大字版 静止背景",
		"p: 有效 本证照已签发，查询时处于有效状态。",
		"h1: 内地居民婚姻登记证",
		"p: 证照号码 J110105-2020-001234",
		"caption: 证面内容",
		"tr: 持证人张** 已脱敏" + maskedReason, "p: " + maskedReason,
		"tr: 身份证件号码110105******** 已脱敏仅向本人和登记机关完整显示", "p: 仅向本人和登记机关完整显示",
		"tr: 配偶姓名李思雨㛃䶮",
		"tr: 结婚证字号J110105-2020-001234",
		"tr: 住所北京市朝阳区建国门外大街甲一号国际贸易中心三期写字楼第六十八层东侧办公区（原外文印刷厂旧址）",
		"tr: 发证日期2020-02-14",
		"dt: 颁发机构", "dd: 北京市朝阳区民政局婚姻登记处",
		"dt: 发证日期", "dd: 2020年2月14日",
		"h2: 证照信息",
		"dt: 持证主体", "dd: 张**",
		"dt: 证照编码", "dd: 110105202000000A1B",
		"dt: 有效期", "dd: 2020-02-14 至 长期",
		"dt: 证照状态", "dd: 有效",
		"dt: 查看人", "dd: 北京市住房和城乡建设委员会 王建国",
		"dt: 用途", "dd: 仅用于办理不动产登记业务",
		"dt: 出具时间", "dd: 2026-11-23 12:05:06（北京时间）",
		"p: 部分信息已脱敏显示。",
		"p: 本页面由电子证照系统出具，以系统内登记的信息为准；截图、翻拍不作为凭证。",
		"p: 本页面在 2026-11-23 12:20:06（北京时间）之前可以查看，之后请重新出示。",
	}
	for variant, class := range map[Variant]string{Desktop: "desktop valid", Mobile: "mobile valid"} {
		source, root := page(t, sample(), variant)
		if got := outlineOf(root); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", class, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := attribute(all(root, atom.Body)[0], "class"); got != class {
			t.Errorf("class %q, want %q", got, class)
		}
		if got := attribute(all(root, atom.Html)[0], "lang"); got != "zh-CN" {
			t.Errorf("lang %q", got)
		}
		for _, th := range all(root, atom.Th) {
			if attribute(th, "scope") != "row" {
				t.Errorf("header %q has no scope", textOf(th))
			}
		}
		if !strings.HasPrefix(source, "<!doctype html>") {
			t.Error("no doctype")
		}
		for _, name := range []string{"viewport", "referrer", "robots", "color-scheme"} {
			if !slices.ContainsFunc(all(root, atom.Meta), func(n *html.Node) bool { return attribute(n, "name") == name }) {
				t.Errorf("no meta %s", name)
			}
		}
		if mark := textOf(patterns(root)[0]); mark != "北京市住房和城乡建设委员会 王建国 仅用于办理不动产登记业务 2026-11-23 12:05:06" {
			t.Errorf("watermark %q", mark)
		}
		checkHarmless(t, source)
	}
}

func TestPageStanding(t *testing.T) {
	t.Parallel()
	for status, label := range map[string]string{"EXPIRED": "已过期", "ABOLISHED": "已废止", "REGISTERED": "未签发", "what": "状态不明"} {
		source, root := page(t, with(func(v *View) { v.Status = status }), Mobile)
		if got := attribute(all(root, atom.Body)[0], "class"); got != "mobile void" {
			t.Errorf("%s: class %q", status, got)
		}
		if n := strings.Count(source, label); n < 3 { // band, stamp, particulars
			t.Errorf("%s: %q stands %d times", status, label, n)
		}
		for _, dd := range all(root, atom.Dd) {
			if textOf(dd) == "有效" {
				t.Errorf("%s looks valid", status)
			}
		}
	}
}

func TestPageLeavesOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	source, root := page(t, &View{Title: "证", Status: "ISSUED"}, Desktop)
	if len(all(root, atom.Table)) != 0 || len(all(root, atom.Img)) != 0 || len(patterns(root)) != 0 || strings.Contains(source, maskedNote) {
		t.Errorf("empty parts are drawn:\n%s", source)
	}
	if got := outlineOf(root); !slices.Contains(got, "dd: 有效") || slices.Contains(got, "dt: 颁发机构") {
		t.Errorf("outline %q", got)
	}
}

func TestPagePhoto(t *testing.T) {
	t.Parallel()
	for mediaType, file := range map[string][]byte{"image/jpeg": jpegFile(t, portrait(358, 441)), "image/png": pngFile(t, portrait(358, 441))} {
		_, root := page(t, with(func(v *View) { v.Photo = file }), Desktop)
		images := all(root, atom.Img)
		if len(images) != 1 || !strings.HasPrefix(attribute(images[0], "src"), "data:"+mediaType+";base64,") || attribute(images[0], "alt") == "" {
			t.Errorf("%s: %v", mediaType, images)
		}
	}
	source, root := page(t, with(func(v *View) { v.Photo = []byte("<svg onload=x>") }), Desktop)
	if len(all(root, atom.Img)) != 0 || !strings.Contains(source, "照片无法显示") {
		t.Error("an unreadable photo is not named")
	}
}

func TestPageHostile(t *testing.T) {
	t.Parallel()
	harmless := len(elements(t, hostileView("x")))
	for _, text := range hostile {
		source, root := page(t, hostileView(text), Desktop)
		checkHarmless(t, source)
		if oneLine(text) == "" {
			continue // fewer parts
		}
		if got := len(elements(t, hostileView(text))); got != harmless {
			t.Errorf("%.40q makes %d elements, want %d", text, got, harmless)
		}
		if got, want := textOf(all(root, atom.H1)[0]), strings.Join(strings.Fields(oneLine(text)), " "); got != want {
			t.Errorf("%.40q is shown as %.40q", text, got)
		}
	}
}

// elements lists a page's elements but the lines of the watermark, which depend on its length.
func elements(t *testing.T, v *View) (names []string) {
	_, root := page(t, v, Desktop)
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data != "text" {
			names = append(names, n.Data)
		}
	}
	return names
}

// checkHarmless holds a page to what the content security policy allows, and to nothing but our own elements.
func checkHarmless(t testing.TB, source string) {
	t.Helper()
	for n := range parsed(t, source).Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("comment %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Script, atom.Style, atom.Iframe, atom.Object, atom.Embed, atom.Base:
			t.Errorf("element %s", n.Data)
		case atom.Form:
			if attribute(n, "action") != "/verify" || attribute(n, "method") != "get" {
				t.Errorf("a form is sent to %q", attribute(n, "action"))
			}
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("attribute %s of %s", a.Key, n.Data)
			case (a.Key == "href" || a.Key == "src") && a.Val != embedded.StylesheetPath() && a.Val != "data:," && (n.DataAtom != atom.A || a.Val != "") && !strings.HasPrefix(a.Val, "data:image/"):
				t.Errorf("%s loads %q", n.Data, a.Val)
			}
		}
	}
}

func TestMessagePage(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := MessagePage(&b, "证照页面已失效", "请让持证人重新出示证照。", "30412", "b2629b80-a96f-469b-87f7-0496bee4f958"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"title: 证照页面已失效", "h1: 证照页面已失效", "p: 请让持证人重新出示证照。", "dt: 代码", "dd: 30412",
		"dt: 请求编号", "dd: b2629b80-a96f-469b-87f7-0496bee4f958", "p: 需要帮助时，请把以上代码和请求编号告诉工作人员。",
	}
	if got := outlineOf(parsed(t, b.String())); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	for _, text := range hostile {
		b.Reset()
		if err := MessagePage(&b, text, text, text, text); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, b.String())
	}
}

func TestAsset(t *testing.T) {
	t.Parallel()
	name, found := strings.CutPrefix(embedded.StylesheetPath(), "/license/assets/")
	if !found || !strings.HasPrefix(name, "licgate-") || !strings.HasSuffix(name, ".css") {
		t.Fatalf("path %q", embedded.StylesheetPath())
	}
	a, ok, err := embedded.Asset(name)
	if !ok || err != nil || a.Type != "text/css; charset=utf-8" || len(a.Content) == 0 {
		t.Fatalf("%d bytes, %q, %v, %v", len(a.Content), a.Type, ok, err)
	}
	r, err := gzip.NewReader(bytes.NewReader(a.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(r); err != nil || !bytes.Equal(unpacked, a.Content) || len(a.Gzip) > 32<<10 {
		t.Errorf("packed to %d bytes: %v", len(a.Gzip), err)
	}
	for _, forbidden := range []string{"@import", "http:", "https:", "expression("} {
		if bytes.Contains(a.Content, []byte(forbidden)) {
			t.Errorf("the style sheet has %s", forbidden)
		}
	}
	for _, other := range []string{"", "licgate.css", "../" + name, "/" + name, "fonts/OFL.txt", "000000000000-4e.woff", "licence.html"} {
		if _, ok, err := embedded.Asset(other); ok || err != nil {
			t.Errorf("%q is served", other)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestPageTellsOfAWriterThatFails(t *testing.T) {
	t.Parallel()
	if err := Page(brokenWriter{}, sample(), Desktop); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}

// TestPageThatFailsWritesNothing: not even into a buffer, which is written without a copy between.
func TestPageThatFailsWritesNothing(t *testing.T) {
	t.Parallel()
	broken := template.Must(template.New("broken").Parse("half a page {{.None}}"))
	b := bytes.NewBufferString("before")
	if err := execute(b, broken, struct{}{}, 10); err == nil || b.String() != "before" {
		t.Errorf("%v, %q", err, b)
	}
	var whole strings.Builder
	if err := execute(&whole, template.Must(template.New("whole").Parse("page")), nil, 0); err != nil || whole.String() != "page" {
		t.Errorf("%v, %q", err, &whole)
	}
}
