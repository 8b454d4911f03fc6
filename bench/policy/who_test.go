package policy_test

import (
	"errors"
	"testing"

	"licgate/policy"
)

// BenchmarkWho asks who may call an interface on an item, and who may do anything with it.
func BenchmarkWho(b *testing.B) {
	eachSize(b, func(b *testing.B, w *world) {
		d := compile(b, 1, w.lines)
		for name, ask := range map[string]policy.Ask{
			"one interface": {Item: w.requests[0].Item, Interface: "create"},
			"everything":    {Item: w.requests[0].Item},
			"one account":   {Item: w.requests[0].Item, Account: w.requests[0].Account},
		} {
			b.Run(name, func(b *testing.B) {
				rows := 0
				for b.Loop() {
					holders, err := policy.Who(b.Context(), d, w.facts, ask)
					if err != nil && !errors.Is(err, policy.ErrTooMany) {
						b.Fatal(err)
					}
					rows = len(holders)
				}
				b.ReportMetric(float64(rows), "rows")
			})
		}
	})
}
