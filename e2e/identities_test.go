package e2e

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// people are generated: a number each, and a name of two characters that stand nowhere else in the product.
type people struct {
	numbers map[string]bool
	given   map[string]bool
}

// given names are made of characters of one block that no text of the product has.
func givenName(n int) string {
	const first, block = 0x3480, 100 // CJK extension A
	return string([]rune{rune(first + n/block), rune(first + block + n%block)})
}

// citizen is the number of person n, of 10,000: they were born on 28 days of 40 years.
func citizen(n int) string {
	return withCheckDigit(fmt.Sprintf("110105%04d%02d%02d%03d", 1950+n%40, 1+n/40%12, 1+n/480%28, 100+n/13440))
}

func withCheckDigit(body string) string {
	sum := 0
	for _, c := range body {
		sum = (sum + int(c-'0')) * 2 % 11
	}
	return body + string("0123456789X"[(12-sum)%11])
}

func crowd(n int) *people {
	p := &people{numbers: make(map[string]bool, n), given: make(map[string]bool, n)}
	for i := range n {
		p.numbers[citizen(i)], p.given[givenName(i)] = true, true
	}
	return p
}

var tracedPath = regexp.MustCompile(`\{"Key":"url\.path","Value":\{[^}]*\}\}`)

var eighteen = regexp.MustCompile(`[0-9]{17}[0-9Xx]`)

// found counts the numbers and names in a text, in clear or in base64.
func (p *people) found(text []byte) (hits int) {
	for _, one := range eighteen.FindAll(text, -1) {
		if p.numbers[strings.ToUpper(string(one))] {
			hits++
		}
	}
	// Two characters of the block beside one another are six bytes that begin with 0xE3.
	for at := bytes.IndexByte(text, 0xE3); at >= 0 && at+6 <= len(text); {
		if p.given[string(text[at:at+6])] {
			hits++
		}
		next := bytes.IndexByte(text[at+1:], 0xE3)
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return hits
}

var (
	base64Run  = regexp.MustCompile(`[A-Za-z0-9+/]{200,}={0,2}`)
	deflated   = regexp.MustCompile(`(?s)stream\r?\n(.*?)endstream`)
	escapedRun = regexp.MustCompile(`\\u3[45][0-9a-f]{2}`)
)

// foundWithin looks into base64, the compressed streams of PDF files and the parts of OFD files too.
func (p *people) foundWithin(text []byte) int {
	hits := p.found(text) + len(escapedRun.FindAll(text, -1))
	for _, run := range base64Run.FindAll(text, -1) {
		if file, err := base64.StdEncoding.DecodeString(string(run)); err == nil {
			hits += p.found(file) + p.foundInStreams(file) + p.foundInParts(file)
		}
	}
	return hits + p.foundInStreams(text)
}

func (p *people) foundInStreams(file []byte) (hits int) {
	for _, s := range deflated.FindAllSubmatch(file, -1) {
		if r, err := zlib.NewReader(bytes.NewReader(s[1])); err == nil {
			inner, _ := io.ReadAll(r)
			hits += p.found(inner)
		}
	}
	return hits
}

func (p *people) foundInParts(file []byte) (hits int) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return 0
	}
	for _, part := range z.File {
		if r, err := part.Open(); err == nil {
			inner, _ := io.ReadAll(r)
			hits += p.found(inner)
		}
	}
	return hits
}

// overheard is all that leaves the gateway: heads and bodies of answers.
type overheard struct {
	inner http.RoundTripper
	mu    sync.Mutex
	text  bytes.Buffer
	calls map[string]int // by path without codes
}

func (o *overheard) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = resp.Header.Write(&o.text)
	o.text.Write(body)
	o.text.WriteByte('\n')
	o.calls[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]++
	return resp, err
}

// TestTenThousandIdentities plants 10,000 people through the interfaces, has them asked for by somebody without the right to see them, and
// looks for any of them in every byte that leaves the gateway or stays behind it.
func TestTenThousandIdentities(t *testing.T) {
	t.Parallel()
	const all = 10_000
	p := crowd(all)
	if len(p.numbers) != all || len(p.given) != all {
		t.Fatalf("%d numbers, %d names", len(p.numbers), len(p.given))
	}
	g := prepare(t, withEnv("OTEL_TRACES_EXPORTER=console"))
	globals := strings.Replace(shippedGlobals(t), "level INFO", "level DEBUG", 1)
	withConfig(globals + site(g.port, "\tlog {\n\t\toutput stdout\n\t\tformat licgate console\n\t}\n\ttracing {\n\t\tspan licgate\n\t}\n\tlicgate"))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	tap := &overheard{inner: g.client.Transport, calls: map[string]int{}}
	tapped := *g.client
	tapped.Transport, tapped.Timeout = tap, time.Minute
	g.client = &tapped

	person := func(n int) (name, number string) { return "李" + givenName(n), citizen(n) }
	row := func(n int) object { // two people
		holder, number := person(n)
		spouse, _ := person(n + all/2)
		fields := marriageFields(fmt.Sprintf("T-%d", n))
		fields["CZR"], fields["CYRSFZJHM"], fields["POXM"] = holder, number, spouse
		return object{"data_fields": fields}
	}
	// The names of the second half stand as spouses; their numbers come in everything that is asked for.
	const batch = 250
	for from := 0; from < all/2; from += batch {
		rows := make([]any, batch)
		for i := range rows {
			rows[i] = row(from + i)
		}
		made := c.call(marriage, "batch_create", object{"licenses": rows}).must(t)
		codes, _ := made.data()["license_codes"].([]any)
		if len(codes) != batch {
			t.Fatalf("batch_create: %.300s", made.raw)
		}
		c.call(marriage, "batch_sign", object{"license_codes": codes}).must(t)
	}
	for n := all / 2; n < all; n++ { // strangers, and most of them at once would be limited: in one batch of malformed rows each
		if n%batch == 0 {
			rows := make([]any, batch)
			for i := range rows {
				name, number := person(n + i)
				rows[i] = object{"data_fields": object{"CZR": name, "CYRSFZJHM": number, "FZRQ": number, number: name}}
			}
			c.call(marriage, "batch_create", object{"licenses": rows})
		}
	}
	for n := 0; n < 20; n++ {
		exercise(t, c, g, person, row, n)
	}
	hostile(t, c, person)

	for _, name := range interfaces {
		if name != "login" && name != "logout" && tap.calls[name] == 0 {
			t.Errorf("%s was not called", name)
		}
	}
	look := func(where string, text []byte) {
		t.Helper()
		if hits := p.foundWithin(text); hits > 0 {
			t.Errorf("%s: %d numbers or names in clear", where, hits)
		}
	}
	look("the answers", tap.text.Bytes())
	look("the metrics", []byte(g.admin("GET", "/metrics")))
	look("the configuration", []byte(g.admin("GET", "/config/")))
	for _, args := range [][]string{
		{"audit", "export"},
		{"audit", "search", "--limit", "100000"},
		{"audit", "verify"},
		{"export"},
		{"policy", "history"},
		{"account", "list"},
		{"session", "list"},
		{"doctor"},
		{"policy", "who", "--item", marriage, "--field", "CZR"},
	} {
		out, stderr, _ := g.command(args...)
		look("licgate "+strings.Join(args, " "), []byte(out+stderr))
	}
	// What a crash leaves: the stacks of all goroutines, and the files as they are in the middle of work.
	g.signal(syscall.SIGABRT)
	log := g.log.String()
	if !strings.Contains(log, "goroutine ") || !strings.Contains(log, "debug") || !strings.Contains(log, "SpanContext") {
		t.Error("the log holds no crash, no debugging or no traces: this proves nothing of them")
	}
	// Caddy's tracing passes on the path as it was sent; no interface has a number in its path (docs/operators.md).
	look("the log with the crash", tracedPath.ReplaceAll([]byte(log), nil))
	files := 0
	if err := filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, ".sock") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		look(strings.TrimPrefix(path, g.dir), text)
		return nil
	}); err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
	// The look-out sees what is there.
	name, number := person(7)
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	if w, err := z.Create("licence.xml"); err == nil {
		_, _ = io.WriteString(w, strings.Repeat("<name>"+name+"</name>", 100))
	}
	if err := z.Close(); err != nil || p.foundWithin([]byte(base64.StdEncoding.EncodeToString(packed.Bytes()))) != 100 {
		t.Error("the search finds nothing in an OFD file")
	}
	if p.foundWithin([]byte("x"+name+" "+number)) != 2 || p.foundWithin([]byte(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(number+" ", 20))))) == 0 {
		t.Error("the search finds nothing that it should")
	}
}

// exercise calls every interface about one person.
func exercise(t *testing.T, c *caller, g *gateway, person func(int) (string, string), row func(int) object, n int) {
	t.Helper()
	_, number := person(n)
	a := c.authFor(number)
	codes := a.codes()
	if !a.ok() || len(codes) == 0 {
		t.Fatalf("auth: %.300s", a.raw)
	}
	code := codes[0]
	licence := c.get("/license/get_license", "auth_code", code, "show_sensitive_data", "true").must(t).text("license_code")
	token := c.get("/license/token", "auth_code", code).must(t).text("license_access_token")
	for _, page := range []string{"view_license", "view_mobile"} {
		(&caller{g: c.g}).get("/license/"+page, "license_access_token", token)
	}
	// A PDF names its glyphs: its letters come out by a reader alone.
	file, err := base64.StdEncoding.DecodeString(c.get("/license/archive", "auth_code", code).must(t).text("file_data"))
	if err != nil {
		t.Fatal(err)
	}
	c.get("/license/archive", "auth_code", code, "file_type", "OFD").must(t)
	c.get("/license/"+marriage+"/archive_list", "service_item_code", service, "page_size", "20").must(t)
	if n < 3 { // everybody may ask a few times a second
		if a := g.checked(g.fileCode(c.get("/license/archive", "auth_code", code).must(t))); a.status != http.StatusOK {
			t.Errorf("verify: %d %s", a.status, a.raw)
		}
	}
	tap := g.client.Transport.(*overheard)
	text := pdfText(t, file)
	if !strings.Contains(text, "李**") {
		t.Errorf("the file shows no masked name: %s", text)
	}
	tap.mu.Lock()
	tap.text.WriteString(text)
	tap.mu.Unlock()
	address, cookie := g.opened("/license/view_license", token)
	g.browse(address, cookie)
	credential := strings.TrimSpace(g.must("credential", "--identity", number))
	holder := c.post("/license/psn_holder", object{"credential": credential}).must(t)
	for _, show := range holder.codes() {
		for _, what := range []string{"get_license_qr", "get_token_qr", "archive_qr"} {
			c.post("/license/"+what, wrapped(object{"auth_code_qr": show, "show_sensitive_data": true}))
		}
	}
	c.get("/security/get_current_user")
	c.get("/license_item/list", "keyword", number)
	draft := row(n)["data_fields"].(object)
	draft["JHZZH"] = fmt.Sprintf("U-%d", n)
	made := c.call(marriage, "create", object{"data_fields": draft}).text("license_code")
	c.call(marriage, "update", object{"license_code": made, "data_fields": draft})
	c.call(marriage, "delete", object{"license_code": made})
	again := c.call(marriage, "create", object{"data_fields": draft}).text("license_code")
	c.call(marriage, "sign", object{"license_code": again})
	c.call(marriage, "change", object{"license_code": again, "data_fields": draft})
	draft["JHZZH"] = fmt.Sprintf("V-%d", n)
	c.call(marriage, "issue", object{"data_fields": draft})
	c.call(marriage, "abolish", object{"license_code": licence})
}

// hostile puts people where they do not belong, and breaks what names them.
func hostile(t *testing.T, c *caller, person func(int) (string, string)) {
	t.Helper()
	for n := 5000; n < 5040; n++ {
		name, number := person(n)
		c.get("/license/get_license", "auth_code", number)
		c.get("/license/get_license", number, name)
		c.get("/license/"+number, "name", name)
		c.get("/license/token", "license_code", number, "license_code", name)
		(&caller{g: c.g}).get("/verify", "c", number+name)
		c.post("/license/"+number+"/create", wrapped(object{"data_fields": object{"CZR": name}}))
		c.post("/license/auth", object{"identity_number": number, "service_item_code": number, "service_item_name": number, "operator": object{"account": number, "name": number}})
		c.call(marriage, "create", object{"data_fields": object{"CZR": name, "CYRSFZJHM": number + "0", "FZRQ": number}})
		c.call(marriage, "create", object{"data_fields": name, "license_code": number, "biz_num": number})
		c.call(marriage, "abolish", object{"license_code": number, "id_code": number})
		c.call(marriage, "update", object{"license_code": number, "data_fields": object{name: number}})
		c.send(http.MethodPost, "/license/auth", []byte(`{"identity_number":"`+number+`","name":"`+name+`"`))
		c.send(http.MethodPost, "/license/auth", []byte(`<xml>`+number+name+`</xml>`))
		c.send(http.MethodPost, "/license/auth", []byte(`{"identity_number":`+strings.TrimRight(number, "X")+`}`))
		c.post("/security/login", object{"app_key": name, "account": number, "password": number, "app_secret": name})
		(&caller{g: c.g, token: number}).get("/security/get_current_user")
		(&caller{g: c.g}).get("/license/view_license", "license_access_token", number)
		c.post("/license/webpage", object{"credential": number + "." + name + "." + number})
	}
}
