package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFilesAppearWhole: what fails, or makes no secret, leaves no file, so that the corrected command can have its name.
func TestFilesAppearWhole(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	out, secrets := filepath.Join(g.dir, "proof.jsonl"), filepath.Join(g.dir, "secrets.json")
	g.refused("没有写出 "+out, "audit", "prove", "no-such-id", "-o", out)
	g.refused("没有这个应用", "app", "reset-secret", "nobody", "--secrets-out", secrets)
	g.must("apply", "-f", filepath.Join(g.dir, "platform.yaml"), "--secrets-out", secrets)
	for _, path := range []string{out, secrets} {
		if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	g.must("app", "reset-secret", "hydj", "--secrets-out", secrets)
	if info, err := os.Stat(secrets); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	g.refused("文件已存在", "app", "reset-secret", "hydj", "--secrets-out", secrets)
}
