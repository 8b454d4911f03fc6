package caddymodule

import (
	"strings"
	"testing"
	"time"
)

// TestCertificateJudged: none, expired and soon to expire are wrong; one that a machine renews every few hours is not, nor is none yet where
// they are obtained on demand.
func TestCertificateJudged(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, one := range []struct {
		whole, left time.Duration
		want        string
		result      string
	}{
		{0, 0, "没有证书", resultFail},
		{365 * day, -time.Hour, "已过期", resultFail},
		{365 * day, 13 * day, "13 天后到期", resultFail},
		{365 * day, 15 * day, "15 天后到期", resultPass},
		{12 * time.Hour, 4 * time.Hour, "4 小时后到期（短期证书", resultPass},
	} {
		c := siteCertificate{Name: "a.example", Issuer: "CA"}
		if one.whole != 0 {
			c.NotAfter = now.Add(one.left)
			c.NotBefore = c.NotAfter.Add(-one.whole)
		}
		if text, result := c.judge(now); result != one.result || !strings.Contains(text, one.want) {
			t.Errorf("%v of %v: %v %s", one.left, one.whole, result, text)
		}
	}
	if text, result := (siteCertificate{Name: "a.example", OnDemand: true}).judge(now); result != resultSkip || !strings.Contains(text, "按需签发") {
		t.Errorf("on demand: %s %s", result, text)
	}
}
