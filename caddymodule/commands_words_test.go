package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// TestFlagFaults: a wrong flag is told in Chinese, without the library's words.
func TestFlagFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ arg, want string }{
		{"--limt", "没有 --limt"},
		{"-q", "没有 -q"},
		{"--limit", "--limit 后面要写值"},
		{"--limit=x", `--limit 的值 "x" 不对，应为整数`},
		{"--dry-run=maybe", `--dry-run 的值 "maybe" 不对，应为 true 或 false`},
		{"--from=-1", `--from 的值 "-1" 不对，应为 0 或正整数`},
		{"--=x", `"--=x" 的写法不对，应为 --名称=值`},
	} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.Int("limit", 0, "")
		flags.Bool("dry-run", false, "")
		flags.UintSlice("from", nil, "")
		if err := flags.Parse([]string{test.arg}); err == nil || flagFault(err) != test.want {
			t.Errorf("%s: %v: %s", test.arg, err, flagFault(err))
		}
	}
}

// TestWithoutSystemWords: what is wrong with a file is said in Chinese, wherever the error comes from.
func TestWithoutSystemWords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none")
	_, err := os.ReadFile(path)
	if got := withoutSystemWords(fmt.Errorf("读不到文件：%w", err)); got != "读不到文件："+path+"：没有这个文件或文件夹" {
		t.Error(got)
	}
	if got := withoutSystemWords(os.Link(path, path+"2")); got != path+"2：没有这个文件或文件夹" {
		t.Error(got)
	}
	if got := withoutSystemWords(usageError("缺少 --out")); got != "缺少 --out" {
		t.Error(got)
	}
}

// TestStandingText: what is not known of a licence leaves no empty place.
func TestStandingText(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]standingAnswer{
		"110000：不存在（已删除、已粉碎，或属于另一平台）":      {},
		"110000（婚姻登记证）：有效，颁发机构 民政局，有效期 长期": {Status: "ISSUED", Name: "婚姻登记证", Issuer: "民政局", Validity: "长期"},
	} {
		if got := standingText("110000", &s); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
