package policy_test

import (
	"testing"

	"licgate/policy"
)

// BenchmarkMisses explains a refusal of every part: all lines are read for what comes near.
func BenchmarkMisses(b *testing.B) {
	eachSize(b, func(b *testing.B, w *world) {
		d := compile(b, 1, w.lines)
		r := w.requests[0]
		r.Item = "NOITEM"
		stranger := r
		stranger.App, stranger.Account = r.Account, r.App
		for b.Loop() {
			if e := policy.Explain(d, r); e.Allow || len(e.Misses) == 0 {
				b.Fatalf("%+v", e)
			}
			if e := policy.Explain(d, stranger); e.Allow {
				b.Fatalf("%+v", e)
			}
		}
	})
}
