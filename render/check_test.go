package render

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html/atom"
)

// found is what a check of the sample finds.
func found() *Check {
	v := sample()
	return &Check{
		Title: v.Title, Status: v.Status, Holder: v.Holder, IDCode: v.IDCode, Issuer: v.Issuer, IssueDate: "2020-02-14", Validity: v.Validity, At: v.At,
	}
}

func refused() *Check {
	return &Check{Refusal: "二维码已过期，请持证人刷新后重新出示", ErrorCode: "40018", ResponseID: "b2629b80-a96f-469b-87f7-0496bee4f958"}
}

func checkPage(t testing.TB, c *Check) string {
	t.Helper()
	var b bytes.Buffer
	if err := CheckPage(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCheckPageSays(t *testing.T) {
	t.Parallel()
	for status, label := range map[string]string{"ISSUED": "有效", "EXPIRED": "已过期", "ABOLISHED": "已废止", "REGISTERED": "未签发", "x": "状态不明"} {
		c := found()
		c.Status = status
		root := parsed(t, checkPage(t, c))
		class := "message void"
		if status == "ISSUED" {
			class = "message valid"
		}
		if got := attribute(all(root, atom.Body)[0], "class"); got != class {
			t.Errorf("%s: class %q", status, got)
		}
		got := outlineOf(root)
		for _, want := range []string{"dd: 内地居民婚姻登记证", "dd: " + label, "dd: 张**", "dd: 北京市朝阳区民政局婚姻登记处", "dd: 2020-02-14 至 长期", "dd: 2026-11-23 12:05:06"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: no %q in %q", status, want, got)
			}
		}
	}
	blank := outlineOf(parsed(t, checkPage(t, &Check{})))
	if slices.ContainsFunc(blank, func(line string) bool { return strings.HasPrefix(line, "dd: ") }) {
		t.Errorf("before anything was asked: %q", blank)
	}
	said := strings.Join(outlineOf(parsed(t, checkPage(t, refused()))), "\n")
	if !strings.Contains(said, "无法核验 二维码已过期，请持证人刷新后重新出示") || !strings.Contains(said, "dd: 40018") || strings.Contains(said, "证照名称") {
		t.Errorf("a refusal: %s", said)
	}
}

func TestCheckPageIsHarmless(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		for _, c := range []*Check{
			{Title: text, Status: text, Holder: text, IDCode: text, Issuer: text, IssueDate: text, Validity: text, At: time.Unix(0, 0)},
			{Refusal: text, ErrorCode: text, ResponseID: text},
		} {
			checkHarmless(t, checkPage(t, c))
		}
	}
}
