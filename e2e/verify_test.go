package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licgate/gm"
	"licgate/licence"
)

// scan reads the only QR code of a picture.
func scan(t *testing.T, picture string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "zbarimg", "--nodbus", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture).Output()
	if err != nil || strings.Count(string(out), "\n") != 1 {
		t.Fatalf("zbarimg (Debian: zbar-tools) reads %q: %v", out, err)
	}
	return strings.TrimSpace(string(out))
}

// pageCode opens a page in Chromium, as a holder does, and scans what is on the screen.
func (g *gateway) pageCode(token string) string {
	g.t.Helper()
	picture := filepath.Join(g.t.TempDir(), "page.png")
	out, err := exec.CommandContext(g.t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--ignore-certificate-errors",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost", "--user-data-dir="+filepath.Join(g.dir, "chromium"), "--hide-scrollbars",
		"--window-size=390,2200", "--screenshot="+picture, g.url("/license/view_mobile?license_access_token="+token)).CombinedOutput()
	if err != nil {
		g.t.Fatalf("chromium: %v\n%s", err, out)
	}
	return scan(g.t, picture)
}

// fileCode scans the first page of an archived PDF.
func (g *gateway) fileCode(a answer) string {
	g.t.Helper()
	pdf, err := base64.StdEncoding.DecodeString(a.text("file_data"))
	if err != nil {
		g.t.Fatal(err)
	}
	file := filepath.Join(g.t.TempDir(), "licence")
	if err := os.WriteFile(file+".pdf", pdf, 0o600); err != nil {
		g.t.Fatal(err)
	}
	if out, err := exec.CommandContext(g.t.Context(), "pdftoppm", "-png", "-r", "150", "-singlefile", file+".pdf", file).CombinedOutput(); err != nil {
		g.t.Fatalf("pdftoppm: %v\n%s", err, out)
	}
	return scan(g.t, file+".png")
}

// checked visits the page that a QR code leads to, as anybody would: without a session.
func (g *gateway) checked(address string) answer {
	g.t.Helper()
	path, ours := strings.CutPrefix(address, g.url(""))
	if !ours {
		g.t.Fatalf("a code leads to %s", address)
	}
	return g.browse(path)
}

// TestCheckedByAnybody: a code on a page and one in a file are scanned and checked by somebody without a session, before and after the licence is
// abolished.
func TestCheckedByAnybody(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate {\n\t\tlimit {\n\t\t\tverify 1000 1000\n\t\t}\n\t}"))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	licenceCode := c.made("J-1")
	auth, _ := c.authCode(nil)
	token := c.get("/license/token", "auth_code", auth).must(t).text("license_access_token")
	onPage, inFile := g.pageCode(token), g.fileCode(c.get("/license/archive", "auth_code", auth).must(t))
	if len(onPage) > 120 || strings.Contains(onPage, licenceCode) {
		t.Errorf("%d characters: %s", len(onPage), onPage)
	}

	for name, address := range map[string]string{"page": onPage, "file": inFile} {
		a := g.checked(address)
		page := string(a.raw)
		for _, want := range []string{"<strong>有效</strong>", "内地居民婚姻登记证", "李**", "J-1", "北京市民政局", "至 长期"} {
			if a.status != http.StatusOK || !strings.Contains(page, want) {
				t.Errorf("%s: %d, no %s: %s", name, a.status, want, page)
			}
		}
		for _, secret := range []string{"李大华", holderID, "110101", "欧阳", licenceCode, "data:image"} {
			if strings.Contains(page, secret) {
				t.Errorf("%s: everybody is told %q", name, secret)
			}
		}
		csp := a.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") ||
			a.header.Get("Cache-Control") != "no-store" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", name, a.header)
		}
		r := g.record(a)
		if r.Interface != "verify" || r.Outcome != "SUCCESS" || len(r.Licences) != 1 || r.App != "" || !r.Allow || r.Item != marriage || len(r.ClearFields) != 0 {
			t.Errorf("%s: on record is %+v", name, r)
		}
	}

	// The command tells the same, of the address or the code in it.
	code := inFile[strings.Index(inFile, "c=")+2:]
	for _, text := range []string{inFile, code} {
		if out := g.must("check", text); !strings.Contains(out, "证照状态：有效\n") || !strings.Contains(out, "持证主体：李**\n") || strings.Contains(out, "李大华") {
			t.Errorf("check: %s", out)
		}
	}
	var found struct {
		Real                 bool
		Status, Name, Holder string
	}
	if err := json.Unmarshal([]byte(g.must("check", code, "--json")), &found); err != nil || !found.Real || found.Status != "ISSUED" || found.Holder != "李**" {
		t.Errorf("check --json: %+v, %v", found, err)
	}
	out, errs, exit := g.command("check", "nothing", "--json")
	if exit != 1 || !strings.Contains(out, `"reason": "unknown"`) || !strings.Contains(errs, "二维码无效") {
		t.Errorf("check of no code: exit %d, %s %s", exit, out, errs)
	}

	c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": licenceCode})).must(t)
	for name, address := range map[string]string{"page": onPage, "file": inFile} {
		if a := g.checked(address); a.status != http.StatusOK || !strings.Contains(string(a.raw), "<strong>已废止</strong>") || strings.Contains(string(a.raw), "有效</strong>") {
			t.Errorf("%s, abolished: %d %s", name, a.status, a.raw)
		}
	}
	if log := g.log.String(); strings.Contains(log, code) {
		t.Error("the log holds a code")
	}
	if records := g.must("audit", "export", "--interface", "verify"); strings.Contains(records, code) || strings.Contains(records, licenceCode) {
		t.Error("the record holds a code")
	}
	if _, _, exit := g.command("lock", "item", marriage, "--reason", "核查"); exit != 0 {
		t.Fatal("the item could not be locked")
	}
	if a := g.checked(inFile); a.status != http.StatusForbidden || !strings.Contains(string(a.raw), "30004") || strings.Contains(string(a.raw), "李**") {
		t.Errorf("a locked item: %d %s", a.status, a.raw)
	}
}

// TestCheckRefuses: what is no code of this gateway, or was one, is told apart from a licence and hardly from one another.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(shippedGlobals(t) + site(g.port, "\tlicgate {\n\t\tlimit {\n\t\t\tverify 1000 40\n\t\t}\n\t}"))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	licenceCode := c.made("J-2")
	auth, _ := c.authCode(nil)
	good := g.fileCode(c.get("/license/archive", "auth_code", auth).must(t))
	good = good[strings.Index(good, "c=")+2:]

	// A code that expired a second ago, made with the gateway's own key; and one of another gateway.
	keys, err := gm.Open(filepath.Join(g.dir, "data", "keys"), nil)
	if err != nil {
		t.Fatal(err)
	}
	expired, err := (&licence.Service{Keys: keys}).NewCheckCode(&licence.Licence{Code: licenceCode}, time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	foreignKeys, err := gm.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := (&licence.Service{Keys: foreignKeys}).NewCheckCode(&licence.Licence{Code: licenceCode}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	altered := good[:60] + string('A'+('B'-good[60])&1) + good[61:]
	sizes := map[string]int{}
	for name, code := range map[string]string{
		"expired": expired, "foreign": foreign, "altered": altered, "script": `"><script>alert(1)</script>`, "token": "lga1_" + strings.Repeat("A", 32),
		"zero": "\x00", "address": "https://evil.example/?c=" + foreign, "licence code": licenceCode, "sql": "' OR 1=1 --", "long": strings.Repeat("A", 5000),
	} {
		a := g.browse("/verify?c=" + url.QueryEscape(code))
		page := string(a.raw)
		number := map[string]string{"expired": "40018", "zero": "10003", "long": "10003"}[name]
		if number == "" {
			number = "40017"
		}
		if a.status != http.StatusForbidden || !strings.Contains(page, number) || !strings.Contains(page, "无法核验") || !strings.Contains(page, `<form class="check"`) {
			t.Errorf("%s: %d %s", name, a.status, page)
		}
		for _, leak := range []string{"<script", "李", "婚姻", licenceCode, code} {
			if len(leak) > 2 && strings.Contains(page, leak) {
				t.Errorf("%s: the page says %q", name, leak)
			}
		}
		if r := g.record(a); r.Interface != "verify" || r.Outcome != "FAILURE" || r.ErrorCode != number || len(r.Licences) != 0 {
			t.Errorf("%s: on record is %+v", name, r)
		}
		sizes[name] = len(a.raw)
	}
	if d := sizes["expired"] - sizes["altered"]; d < -60 || d > 60 {
		t.Errorf("an expired code's page has %d bytes, an unknown one's %d", sizes["expired"], sizes["altered"])
	}
	if a := g.browse("/verify?c=" + url.QueryEscape(expired)); !strings.Contains(string(a.raw), "二维码已过期，请持证人刷新后重新出示") {
		t.Errorf("expired: %s", a.raw)
	}

	// Two codes are ambiguous, other methods are not offered, and a session's token is not looked at.
	for _, query := range []string{"c=" + good + "&c=" + good, "c=%", "c=%ff", "c=a;c=b"} {
		if a := g.browse("/verify?" + query); a.status != http.StatusBadRequest || strings.Contains(string(a.raw), "李") {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodHead, http.MethodPut} {
		if a := (&caller{g: g}).send(method, "/verify?c="+good, nil); a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, a.status)
		}
	}
	if a := g.login("hydj", "seer").get("/verify", "c", good, "show_sensitive_data", "true"); a.status != http.StatusOK || strings.Contains(string(a.raw), "李大华") {
		t.Errorf("somebody with rights sees more: %d %s", a.status, a.raw)
	}
	blank := g.browse("/verify")
	if blank.status != http.StatusOK || !strings.Contains(string(blank.raw), `<form class="check"`) || strings.Contains(string(blank.raw), "无法核验") {
		t.Errorf("without a code: %d %s", blank.status, blank.raw)
	}

	// One address asks so often, another goes on.
	busy := g.from(t, "127.0.2.1")
	last := answer{}
	for n := 0; n <= 40 && last.status != http.StatusTooManyRequests; n++ {
		if last = busy.browse("/verify?c=" + good); n == 39 && last.status != http.StatusOK {
			t.Errorf("call %d: %d", n, last.status)
		}
	}
	if last.status != http.StatusTooManyRequests || !strings.Contains(string(last.raw), "50001") || last.header.Get("Retry-After") == "" {
		t.Errorf("the limit: %d %v %s", last.status, last.header, last.raw)
	}
	if r := g.record(last); r.Interface != "verify" || r.ErrorCode != "50001" {
		t.Errorf("the limit on record: %+v", r)
	}
	if a := g.from(t, "127.0.2.2").browse("/verify?c=" + good); a.status != http.StatusOK {
		t.Errorf("another address: %d", a.status)
	}
}

func verifyPublicly(t *testing.T, c *caller, w *witness) {
	anyone := &caller{g: c.g}
	if a := anyone.get("/verify"); a.status != http.StatusOK || !strings.Contains(string(a.raw), "二维码内容") {
		t.Errorf("verify: %d %s", a.status, a.raw)
	}
	a := anyone.get("/verify", "c", "no code")
	if a.status != http.StatusForbidden || !strings.Contains(string(a.raw), "40017") {
		t.Errorf("verify of no code: %d %s", a.status, a.raw)
	}
	w.silent(t, "the page", string(a.raw))
}

// TestIssuerIsOfTheRegistry: whoever makes a licence may write any issuer into it, and make one of another department's item; the public page, the
// seal and its code name who it was.
func TestIssuerIsOfTheRegistry(t *testing.T) {
	t.Parallel()
	const ministry, sealCode = "某部委", "1101050099999"
	g := start(t)
	g.apply(edited("license_groups: [\"1\"]", "license_groups: [\"1\"]\n    seal_code: \""+sealCode+"\"",
		"      - {key: FZRQ,", "      - {key: FZJG, label: 发证机关, type: string, role: issue_org_name}\n      - {key: FZRQ,",
		`{items: ["305018201"], needs: [issue, abolish]}`, `{items: ["305018201"], needs: [issue, archive]}`,
		`items: ["100185101"]}`, `items: ["100185101", "305018201"]}`))
	for account, app := range map[string]string{"zhangbin": "hydj", "stranger": "other"} {
		c := g.login(app, account)
		fields := marriageFields("I-" + account)
		fields["FZJG"] = ministry
		data := object{"data_fields": fields}
		if account == "stranger" {
			data["service_item_code"], data["service_item_name"] = "110103GA001", "另一事项"
		}
		code := c.call(marriage, "issue", data).must(t).text("auth_code")
		file := c.get("/license/archive", "auth_code", code).must(t)
		name := map[string]string{"zhangbin": "北京市民政局", "stranger": "另一个局"}[account]
		page := g.checked(g.fileCode(file))
		if page.status != http.StatusOK || strings.Contains(string(page.raw), ministry) || !strings.Contains(string(page.raw), name) {
			t.Errorf("%s: the public page says %s", account, page.raw)
		}
		path := filepath.Join(t.TempDir(), "licence.pdf")
		content, err := base64.StdEncoding.DecodeString(file.text("file_data"))
		if err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, stderr, _ := g.command("verify", path)
		if !strings.Contains(out, "完整，签章可信") || !strings.Contains(out, "电子印章："+name) || strings.Contains(out, sealCode) != (account == "zhangbin") {
			t.Errorf("%s: %s%s", account, out, stderr)
		}
	}
}
