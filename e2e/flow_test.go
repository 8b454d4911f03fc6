package e2e

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// made creates and signs one marriage licence and returns its code.
func (c *caller) made(number string) string {
	c.g.t.Helper()
	a := c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields(number)}))
	code, _ := a.data()["license_code"].(string)
	if !a.ok() || code == "" {
		c.g.t.Fatalf("create: %s", a.raw)
	}
	if a := c.post("/license/"+marriage+"/sign", wrapped(object{"license_code": code})); !a.ok() {
		c.g.t.Fatalf("sign: %s", a.raw)
	}
	return code
}

// authCode finds the holder's licences and returns the first one's code.
func (c *caller) authCode(more object) (code string, a answer) {
	c.g.t.Helper()
	body := object{"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator(), "identity_number": holderID}
	for k, v := range more {
		body[k] = v
	}
	a = c.post("/license/auth", body)
	codes, _ := a.body["auth_codes"].([]any)
	if !a.ok() || len(codes) == 0 {
		c.g.t.Fatalf("auth: %s", a.raw)
	}
	return codes[0].(string), a
}

// TestMakeSignFindViewArchive plays 6.5.2.1 and 6.5.2.2, with Casbin asked beside the compiled policy in every decision.
func TestMakeSignFindViewArchive(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(strings.Replace(shippedGlobals(t), "licgate {\n", "licgate {\n\t\tpolicy {\n\t\t\tshadow 100%\n\t\t}\n", 1) + site(g.port, "\tlicgate"))(g)
	g.run()
	g.apply(platform)
	c := g.login("hydj", "zhangbin")

	if a := c.get("/license_item/list", "keyword", "婚姻"); a.body["total_count"] != 1.0 {
		t.Fatalf("list: %s", a.raw)
	}
	licenceCode := c.made("J110103-2020-000002")
	code, a := c.authCode(nil)
	first := a.rows()[0].(object)
	if first["license_code"] != licenceCode || first["holder_name"] != "李**" || first["holder_identity_num"] != "110101********" {
		t.Errorf("auth: %s", a.raw)
	}
	if bytes.Contains(a.raw, []byte(holderID)) || bytes.Contains(a.raw, []byte("欧阳明月")) {
		t.Errorf("auth shows what is sensitive: %s", a.raw)
	}

	a = c.get("/license/token", "auth_code", code)
	token, _ := a.data()["license_access_token"].(string)
	if token == "" || a.body["license_access_token"] != token {
		t.Fatalf("token: %s", a.raw)
	}
	page := (&caller{g: g}).get("/license/view_license", "license_access_token", token)
	if page.status != http.StatusOK || !strings.Contains(string(page.raw), "内地居民婚姻登记证") || strings.Contains(string(page.raw), "李大华") {
		t.Errorf("page %d: %s", page.status, page.raw)
	}

	a = c.get("/license/archive", "auth_code", code)
	pdf, err := base64.StdEncoding.DecodeString(a.data()["file_data"].(string))
	if err != nil || a.data()["file_name"] != licenceCode+".pdf" {
		t.Fatalf("archive: %v %s", err, a.raw)
	}
	file := filepath.Join(t.TempDir(), "licence.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("pdftotext", file, "-").Output()
	if err != nil || !bytes.Contains(text, []byte("内地居民婚姻登记证")) || bytes.Contains(text, []byte(holderID)) {
		t.Errorf("pdftotext: %v\n%s", err, text)
	}

	if a := c.post("/security/logout", object{}); !a.ok() {
		t.Errorf("logout: %s", a.raw)
	}
	if a := c.get("/security/get_current_user"); a.status != http.StatusUnauthorized || a.code() != "20002" {
		t.Errorf("after logout: %d %s", a.status, a.raw)
	}
	g.must("audit", "verify")
	if m := g.admin(http.MethodGet, "/metrics"); !strings.Contains(m, "licgate_policy_mismatches_total 0") {
		t.Error("the compiled policy and Casbin disagree, or nobody counts it")
	}
}
