package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRightsExamples: what docs/rights.md shows of explaining, locking and onboarding works as it stands on the shipped example platform, and
// its named decisions hold there.
func TestRightsExamples(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(read(t, "../examples/platform.yaml"))
	page := read(t, "../docs/rights.md")

	block := regexp.MustCompile("(?s)```\n(# 名称: 期望.*?)```").FindStringSubmatch(page)
	if block == nil {
		t.Fatal("the page shows no named decisions")
	}
	decisions := filepath.Join(g.dir, "decisions.txt")
	write(t, decisions, block[1])
	if out := g.must("policy", "test", "-f", decisions); !strings.Contains(out, "4 条中 4 条通过") {
		t.Errorf("named decisions: %s", out)
	}

	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, section := range []string{"解释一次判定", "谁能看到什么", "锁定与解锁", "接入申请"} {
		_, text, _ := strings.Cut(page, "\n## "+section+"\n")
		text, _, _ = strings.Cut(text, "\n## ")
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, " #")
			args, shown := strings.CutPrefix(strings.TrimSpace(line), "licgate ")
			if !shown || strings.Contains(args, "--response-id") {
				continue
			}
			words := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(args, `"`, ""), "examples/", examples+"/"))
			out := g.must(words...)
			if strings.Contains(out, "没有这个") {
				t.Errorf("licgate %s: %s", args, out)
			}
			tried++
		}
	}
	if tried < 15 {
		t.Errorf("only %d commands were tried", tried)
	}
}
