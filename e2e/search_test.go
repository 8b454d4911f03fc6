package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestMistypedSearch: a word that no record can have is refused, on a running gateway and on a stopped one; what finds nothing says so.
func TestMistypedSearch(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	withConfig(auditGlobals(t, "") + site(g.port, "\tlicgate"))(g)
	g.run()
	g.apply(platform)
	wrong := func() {
		t.Helper()
		for _, args := range [][]string{
			{"audit", "search", "--outcome", "OK"},
			{"audit", "search", "--interface", "nope"},
			{"audit", "search", "--event", "requests"},
			{"audit", "export", "--kind", "read"},
			{"audit", "export", "--proofs", "--outcome", "success"},
		} {
			if out, errs, code := g.command(args...); code != 2 || out != "" || !strings.Contains(errs, "可用：") {
				t.Errorf("%v: exit %d, %s%s", args, code, out, errs)
			}
		}
	}
	wrong()
	if text := g.admin("GET", "/licgate/audit/records?outcome=OK"); !strings.Contains(text, "SUCCESS、FAILURE、ATTEMPT") {
		t.Errorf("the admin API: %s", text)
	}
	if out, errs, code := g.command("audit", "search", "--interface", "archive_qr"); code != 0 || out != "" || errs != "（没有）\n" {
		t.Errorf("nothing found: exit %d, %q %q", code, out, errs)
	}
	if out := g.must("audit", "search", "--interface", "registry/apply"); !strings.Contains(out, "registry/apply") {
		t.Errorf("administrators' calls: %s", out)
	}
	if _, errs, code := g.command("audit", "search", "--identity"); code != 2 || !strings.Contains(errs, "没有读到证件号码") {
		t.Errorf("no number: exit %d, %s", code, errs)
	}
	g.checkpoint()
	out := filepath.Join(g.dir, "ahead.jsonl")
	g.refused("from 大于最新检查点的条数", "audit", "export", "--proofs", "--from", "8000", "-o", out)
	if _, errs, _ := g.command("audit", "export", "--proofs", "--from", "1", "-o", out); !strings.Contains(errs, "导出 ") || strings.Contains(errs, "导出 0 条") {
		t.Errorf("with proofs: %s", errs)
	}
	g.stop()
	wrong()
	g.refused("from 大于最新检查点的条数", "audit", "export", "--proofs", "--from", "8000")
}
