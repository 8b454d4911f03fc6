package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var writtenTime = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?`)

// TestTimesAreBeijing: whatever zone the machine is set to, every command says Beijing time, and that it is.
func TestTimesAreBeijing(t *testing.T) {
	t.Parallel()
	g := start(t, withEnv("TZ=America/New_York"))
	g.apply(platform)
	g.login("hydj", "zhangbin")
	g.must("app", "rotate-secret", "hydj", "--overlap", "1h", "--secrets-out", filepath.Join(g.dir, "secrets"))
	g.must("lock", "address", "192.0.2.7", "--reason", "试", "--for", "1h")
	beijing := time.FixedZone("", 8*60*60)
	for _, call := range [][]string{
		{"app", "list"},
		{"policy", "history"},
		{"lock", "list"},
		{"session", "list"},
		{"keys", "status"},
		{"audit", "search"},
		{"audit", "search", "--since", time.Now().Add(-time.Hour).In(beijing).Format("2006-01-02 15:04:05")},
	} {
		out := g.must(call...)
		if !strings.Contains(out, "北京时间") {
			t.Errorf("licgate %v does not say which zone:\n%s", call, out)
		}
		times := writtenTime.FindAllString(out, -1)
		if len(times) == 0 {
			t.Errorf("licgate %v shows no time:\n%s", call, out)
		}
		for _, text := range times {
			layout := "2006-01-02 15:04:05"[:len(text)]
			at, err := time.ParseInLocation(layout, text, beijing)
			if d := time.Until(at); err != nil || d < -10*time.Minute || d > 70*time.Minute {
				t.Errorf("licgate %v says %s: %v", call, text, err)
			}
		}
	}
	// Old keys go when their grace is over, and nothing says that they went before.
	if out, errs, code := g.command("keys", "rotate"); code != 0 || !strings.Contains(out, "（北京时间）之后销毁") || strings.Contains(errs, "销毁旧密钥") {
		t.Errorf("keys rotate: exit %d, %s%s", code, out, errs)
	}
	// What is still to come in Beijing is not asked for.
	ahead := time.Now().Add(time.Hour).In(beijing).Format("2006-01-02 15:04:05")
	if out, errs, code := g.command("audit", "search", "--since", ahead); code != 0 || writtenTime.MatchString(out) {
		t.Errorf("since %s: exit %d, %s%s", ahead, code, out, errs)
	}
}
