package policy_test

import (
	"strings"
	"testing"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	stringadapter "github.com/casbin/casbin/v2/persist/string-adapter"

	"licgate/policy"
)

// bearable is the largest policy that Casbin is given; beyond, one decision takes a second and its memory is more than
// small machines have.
const bearable = 100_000

// parsed is the model with the lines, read by Casbin.
func parsed(b *testing.B, lines []string) model.Model {
	b.Helper()
	text, _ := policy.Model()
	m, err := model.NewModelFromString(text)
	if err != nil {
		b.Fatal(err)
	}
	if err := stringadapter.NewAdapter(strings.Join(lines, "\n")).LoadPolicy(m); err != nil {
		b.Fatal(err)
	}
	return m
}

// decide is what the index does in one go: three Casbin decisions.
func decide(b *testing.B, e casbin.IEnforcer, r policy.Request) bool {
	b.Helper()
	for _, subject := range []string{policy.AppSubject(r.App), policy.AccountSubject(r.Account), policy.ServiceSubject(r.ServiceItem)} {
		ok, err := e.Enforce(subject, r.Department, r.Item, r.Interface, r.ServiceItem)
		if err != nil {
			b.Fatal(err)
		}
		if !ok {
			return false
		}
	}
	return true
}

// BenchmarkCasbin asks one enforcer that holds all lines, as BenchmarkIndex asks the index.
func BenchmarkCasbin(b *testing.B) {
	measure := func(b *testing.B, w *world, same bool, make func(...any) (casbin.IEnforcer, error)) {
		if len(w.lines) > bearable {
			b.Skipf("a decision at %d lines takes Casbin a second and more: not measured beyond %d", len(w.lines), bearable)
		}
		before := heap()
		e, err := make(parsed(b, w.lines))
		if err != nil {
			b.Fatal(err)
		}
		_, functions := policy.Model()
		for name, function := range functions {
			e.AddFunction(name, function)
		}
		if err := e.BuildRoleLinks(); err != nil {
			b.Fatal(err)
		}
		after := heap()
		if same && !decide(b, e, w.requests[0]) {
			b.Fatal("refused")
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if same {
				i = 0
			}
			if r := w.requests[i%len(w.requests)]; !decide(b, e, r) {
				b.Fatalf("%+v is refused", r)
			}
		}
		b.ReportMetric(float64(after-before)/float64(len(w.lines)), "bytes/line")
	}
	plain := func(from ...any) (casbin.IEnforcer, error) { return casbin.NewEnforcer(from...) }
	cached := func(from ...any) (casbin.IEnforcer, error) { return casbin.NewCachedEnforcer(from...) }
	eachSize(b, func(b *testing.B, w *world) {
		b.Run("Enforcer", func(b *testing.B) { measure(b, w, false, plain) })
		b.Run("CachedEnforcer", func(b *testing.B) { measure(b, w, false, cached) })
		b.Run("CachedEnforcer, the same again", func(b *testing.B) { measure(b, w, true, cached) })
	})
}
