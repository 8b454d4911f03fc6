package e2e

import (
	"strings"
	"testing"
)

// TestMaskingRules: how much of a masked value is shown is part of the version: it acts on the next request, on answers, pages and files,
// is approved like rights, and a rollback brings back what was before.
func TestMaskingRules(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	c.made("R-1")
	shown := func() (answerText, page string) {
		t.Helper()
		a := c.post("/license/auth", object{"service_item_code": service, "service_item_name": "婚姻登记", "operator": operator(), "identity_number": holderID}).must(t)
		code, _ := c.authCode(nil)
		token, _ := c.get("/license/token", "auth_code", code).must(t).data()["license_access_token"].(string)
		return string(a.raw), string((&caller{g: g}).get("/license/view_license", "license_access_token", token).raw)
	}
	for name, text := range both(shown()) {
		if !strings.Contains(text, "110101********") || !strings.Contains(text, "李**") {
			t.Errorf("%s by default: %s", name, text)
		}
	}
	if out := g.apply("masking:\n  - {sensitive: identity_number, show: 1+2}\n  - {sensitive: name, show: none}\n"); !strings.Contains(out, "脱敏规则 identity_number") {
		t.Errorf("difference: %s", out)
	}
	for name, text := range both(shown()) {
		if strings.Contains(text, "110101") || strings.Contains(text, "李") || !strings.Contains(text, "3X") {
			t.Errorf("%s by the rules: %s", name, text)
		}
	}
	if out := g.must("export"); !strings.Contains(out, "show: \"1+2\"") {
		t.Errorf("export: %s", out)
	}
	g.must("policy", "rollback", "1")
	for name, text := range both(shown()) {
		if !strings.Contains(text, "110101********") || !strings.Contains(text, "李**") {
			t.Errorf("%s after the rollback: %s", name, text)
		}
	}
}

func both(answer, page string) map[string]string {
	return map[string]string{"answer": answer, "page": page}
}
