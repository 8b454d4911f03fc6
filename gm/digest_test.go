package gm

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The vectors of GB/T 32905-2016 appendix A, and the empty string.
// Again with: printf abc | openssl dgst -sm3
func TestSM3(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"abc":                      "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
		strings.Repeat("abcd", 16): "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
		"":                         "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
	} {
		if sum := SM3([]byte(in)); hex.EncodeToString(sum[:]) != want {
			t.Errorf("SM3(%q) = %x, want %s", in, sum, want)
		}
	}
}

// The values were worked out apart from this code: HKDF-Expand and HMAC over another implementation of SM3.
// They are frozen: what is stored is looked up by them.
func TestDigestGolden(t *testing.T) {
	t.Parallel()
	k := golden(t)
	want := map[Purpose]string{
		PurposeSecret:    "6d00f084cd1b36126a78a59b31fa563ae6b98c032b5e1b428025678b777f5218",
		PurposeToken:     "421c5e496a1e7c8aa6da74ac69d5fe342c238c4b8ae19c5c7b41948f8fe14564",
		PurposeIdentity:  "21421818081e194727f337c63284756704c3ce402d1e352f74d103e9eddda147",
		PurposeIDCode:    "f1fb82f169e46caf53ceb709ca53c34809cecf9a069c31d212e3a10744b56f60",
		PurposeAudit:     "69b7fe0746e4138b6052093b063455c3e86ed66733f5a13050e5b3ba39b87824",
		PurposeIntegrity: "fe3a9c13e9f4a8f270e175da89bd78259942141a01d92e92f4322e3c4aecab07",
	}
	for _, p := range purposes {
		if got := hex.EncodeToString(k.Digest(p, []byte("11010519491231002X"))); got != want[p] {
			t.Errorf("digest for %s = %s, want %s", p, got, want[p])
		}
	}
	if len(purposes) != len(want) {
		t.Errorf("%d purposes, %d golden values", len(purposes), len(want))
	}
}

func TestDigestOffTheList(t *testing.T) {
	t.Parallel()
	k := golden(t)
	defer func() {
		if got := recover(); got != "gm: no such purpose: tokens" {
			t.Errorf("recovered %v", got)
		}
	}()
	k.Digest("tokens", []byte("x"))
}
