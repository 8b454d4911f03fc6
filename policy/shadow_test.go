package policy

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
)

// told collects what a shadow reports.
type told struct {
	requests  []Request
	got, want []Decision
}

func (s *told) tell(r Request, got, want Decision) {
	s.requests, s.got, s.want = append(s.requests, r), append(s.got, got), append(s.want, want)
}

func always() float64 { return 0.5 }

// twoPolicies differ in one line each of what an application, a field and an office take.
func twoPolicies(t *testing.T) (d, reference Decider) {
	common := []string{
		"p, app:a, D, I, create, *, allow", "p, acct:a, D, I, create, *, allow", "p, acct:a, D, I, clear, *, allow",
		"p, app:a, D, I, update, *, allow", "p, acct:a, D, I, update, *, allow", "g2, I#F, I", "p, app:a, D, I#G, clear, *, allow", "p, acct:a, D, I#G, clear, *, allow",
	}
	return compile(t, append(common, "p, app:a, D, I, clear, *, allow", "p, acct:a, D, *, org_admin, *, allow")...),
		compile(t, append(common, "p, app:a, D, I, create, *, deny")...)
}

func TestShadowRefusesWhatDiffers(t *testing.T) {
	t.Parallel()
	for _, swapped := range []bool{false, true} {
		d, reference := twoPolicies(t)
		if swapped {
			d, reference = reference, d
		}
		var s told
		shadow := Shadow(d, reference, 1, always, s.tell)
		r := Request{"a", "a", "D", "I", "create", ""}
		if got := shadow.Decide(r); got.Allow || got.Reason != ReasonUnsure || got.Lines != nil || got.Version != 7 {
			t.Errorf("decided %+v", got)
		}
		if got := shadow.Judge(r); got.Allow || got.Reason != ReasonUnsure {
			t.Errorf("judged %+v", got)
		}
		if got := shadow.Clear(r, []string{"F", "G"}); got != nil {
			t.Errorf("shown %q", got)
		}
		if shadow.Administers("a", "D") {
			t.Error("administers")
		}
		if e := Explain(shadow, r); e.Allow || e.Reason != ReasonUnsure || len(e.Steps) != 2 {
			t.Errorf("explained %+v", e)
		}
		clear, office := r, Request{Account: "a", Department: "D", Item: "*", Interface: "org_admin"}
		clear.Interface, clear.Item = "clear", "I#F"
		if want := []Request{r, r, clear, office, r}; !slices.Equal(s.requests, want) {
			t.Fatalf("told of %+v", s.requests)
		}
		for i := range s.got {
			if s.got[i].Allow == s.want[i].Allow || s.got[i].Allow == swapped || s.got[i].Version != 7 {
				t.Errorf("%+v: got %+v, want %+v", s.requests[i], s.got[i], s.want[i])
			}
		}
		if !reflect.DeepEqual(s.got[0], d.Decide(r)) || !reflect.DeepEqual(s.want[0], reference.Decide(r)) {
			t.Errorf("told %+v and %+v", s.got[0], s.want[0])
		}
	}
}

// TestShadowOfOtherLine: the same answer by another line, or of another version, is a difference.
func TestShadowOfOtherLine(t *testing.T) {
	t.Parallel()
	lines := []string{"p, app:a, D, I, create, *, allow", "p, app:a, D, I, *, *, allow", "p, acct:a, D, I, create, *, allow"}
	turned := slices.Clone(lines)
	slices.Reverse(turned)
	next, err := Compile(8, lines)
	if err != nil {
		t.Fatal(err)
	}
	for _, reference := range []Decider{compile(t, turned...), next} {
		var s told
		if got := Shadow(compile(t, lines...), reference, 1, always, s.tell).Decide(Request{"a", "a", "D", "I", "create", ""}); got.Allow || len(s.got) != 1 {
			t.Errorf("%+v, told %d", got, len(s.got))
		}
	}
}

func TestShadowAgrees(t *testing.T) {
	t.Parallel()
	lines := append(Lines(platform()), further(t)...)
	d := compile(t, lines...)
	shadow := Shadow(d, reference(t, lines...), 1, always, func(r Request, got, want Decision) { t.Errorf("%+v: %+v, %+v", r, got, want) })
	r := Request{"check", "reader", "EAST", "MARRIAGE", "auth", "MZ001"}
	if got := shadow.Decide(r); !got.Allow || !reflect.DeepEqual(got, d.Decide(r)) {
		t.Errorf("%+v", got)
	}
	if got := shadow.Clear(r, []string{"CZR", "X"}); !slices.Equal(got, []string{"CZR"}) {
		t.Errorf("shown %q", got)
	}
	if !shadow.Administers("head", "EAST") || shadow.Administers("head", "WEST") || shadow.Version() != 7 {
		t.Error("the office is answered otherwise")
	}
}

// TestShadowRate: about as many answers are checked as asked for, and none at 0.
func TestShadowRate(t *testing.T) {
	t.Parallel()
	d, reference := twoPolicies(t)
	if Shadow(d, reference, 0, nil, nil) != d {
		t.Error("rate 0 is a shadow")
	}
	var n atomic.Int64
	shadow := Shadow(d, reference, 0.1, rand.New(rand.NewPCG(1, 2)).Float64, func(Request, Decision, Decision) { n.Add(1) })
	for range 10000 {
		shadow.Judge(Request{"a", "a", "D", "I", "create", ""})
	}
	if got := n.Load(); got < 900 || got > 1100 {
		t.Errorf("%d of 10000 were checked", got)
	}
}
