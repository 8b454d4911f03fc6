package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const application = `
number: SQ-2026-0001
unit: 北京市民政局
unit_code: 11110000000021135M
contact: 刘联系
phone: "13800000000"
email: liu@example.com
date: 2026-11-24
needs: [依职能调用, 归档]
system: {app_key: xinxt, name: 新系统, ip_allow: ["127.0.0.0/8", "::1"]}
licences:
  - {name: 内地居民婚姻登记证, item: "305018201", seal: 北京市民政局婚姻登记专用章, service_items: [110103MZ001]}
`

// TestOnboarding: from the form of appendix A to credentials that work, with a second person between, and back from the grant to the form.
func TestOnboarding(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform + powers)
	sec, sec2 := g.as("sec"), g.as("sec2")
	file := filepath.Join(g.dir, "application.yaml")
	write(t, file, application)
	if out := sec.must("onboard", "-f", file, "--dry-run"); !strings.Contains(out, "得到") || !strings.Contains(out, "未提交") {
		t.Errorf("rehearsed: %s", out)
	}
	if out := sec.must("onboard", "-f", file); !strings.Contains(out, "licgate policy approve 1") {
		t.Errorf("handed in: %s", out)
	}
	sec.refused("已经提交过", "onboard", "-f", file)
	if out := sec.must("onboard", "list"); !strings.Contains(out, "状态") || !strings.Contains(out, "SQ-2026-0001  待批") {
		t.Errorf("the list: %s", out)
	}
	sec.refused("另一名安全管理员", "policy", "approve", "1")
	secrets := filepath.Join(g.dir, "new.json")
	sec2.must("policy", "approve", "1", "--secrets-out", secrets)
	if out := sec.must("onboard", "list"); !strings.Contains(out, "SQ-2026-0001  已批准") {
		t.Errorf("the list after approval: %s", out)
	}
	text, err := os.ReadFile(secrets)
	if err != nil {
		t.Fatal(err)
	}
	var generated []struct{ Kind, Key, Value string }
	if err := json.Unmarshal(text, &generated); err != nil || len(generated) != 1 || generated[0].Key != "xinxt" {
		t.Fatalf("generated: %v %v", err, generated)
	}
	g.secrets["app_secret/xinxt"] = generated[0].Value
	g.login("hydj", "zhangbin").made("O-1")
	c := g.login("xinxt", "zhangbin")
	if _, a := c.authCode(nil); !a.ok() {
		t.Errorf("what was asked for: %s", a.raw)
	}
	if a := c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": marriageFields("O-2")})); a.code() != "30001" {
		t.Errorf("what was not: %s", a.raw)
	}
	if out := sec.must("onboard", "show", "SQ-2026-0001"); !strings.Contains(out, "已批准") || !strings.Contains(out, "xinxt") || !strings.Contains(out, "刘联系") {
		t.Errorf("the form: %s", out)
	}
	if out := sec.must("policy", "who", "--item", marriage, "--interface", "auth", "--app", "xinxt"); !strings.Contains(out, "SQ-2026-0001") || !strings.Contains(out, "sec/sec2") {
		t.Errorf("from the grant to the form: %s", out)
	}
	if out := sec.must("app", "list", "--json"); !strings.Contains(out, "SQ-2026-0001") {
		t.Errorf("applications: %s", out)
	}
	// Contact persons lie in no file in clear.
	for _, name := range []string{"licgate.db", "licgate.db-wal"} {
		if text, err := os.ReadFile(filepath.Join(g.dir, "data", name)); err == nil && (strings.Contains(string(text), "刘联系") || strings.Contains(string(text), "13800000000")) {
			t.Errorf("%s holds a contact person", name)
		}
	}
	for name, test := range map[string]struct{ from, to, want string }{
		"unknown need": {"归档", "归裆", "归裆"},
		"unknown item": {"305018201", "305018299", "305018299"},
		"bad code":     {"11110000000021135M", "11110000000021135N", "unit_code"},
		"foreign key":  {"app_key: xinxt", "app_key: other", "other"},
	} {
		write(t, file, strings.Replace(strings.Replace(application, "0001", "0002", 1), test.from, test.to, 1))
		if _, stderr, code := sec.command("onboard", "-f", file); code != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit %d %s", name, code, stderr)
		}
	}
}
