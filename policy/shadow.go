package policy

import "slices"

// Shadow returns d, checked against reference in a part of its answers: rate of 1 checks all, 0 none. random gives numbers from 0 up to 1 and, as
// mismatch, is called by many at once. Answers that differ are told to mismatch and refused: ReasonUnsure, no field in clear, no login for
// the department. What Clear and Administers are asked is told as a Request of act clear (Item being ITEM#FIELD) or org_admin
// (Item *).
func Shadow(d, reference Decider, rate float64, random func() float64, mismatch func(r Request, got, want Decision)) Decider {
	if rate <= 0 {
		return d
	}
	return &shadow{d, reference, rate, random, mismatch}
}

type shadow struct {
	Decider
	reference Decider
	rate      float64
	random    func() float64
	mismatch  func(r Request, got, want Decision)
}

func (s *shadow) sampled() bool { return s.random() < s.rate }

func (s *shadow) Judge(r Request) Ruling {
	got := s.Decider.Judge(r)
	if !s.sampled() {
		return got
	}
	want := s.reference.Judge(r)
	if got.Allow == want.Allow && got.Reason == want.Reason && got.Version == want.Version && slices.Equal(got.Lines(), want.Lines()) {
		return got
	}
	s.mismatch(r, got.Decision(), want.Decision())
	return Ruling{Reason: ReasonUnsure, Version: got.Version}
}

func (s *shadow) Decide(r Request) Decision { return s.Judge(r).Decision() }

func (s *shadow) Clear(r Request, fields []string) []string {
	got := s.Decider.Clear(r, fields)
	if !s.sampled() {
		return got
	}
	want := s.reference.Clear(r, fields)
	if slices.Equal(got, want) {
		return got
	}
	r.Interface = actClear
	item := r.Item
	for _, field := range fields {
		if g, w := slices.Contains(got, field), slices.Contains(want, field); g != w {
			r.Item = item + fieldMark + field
			s.mismatch(r, s.plain(g), s.plain(w))
		}
	}
	return nil
}

func (s *shadow) Administers(name, department string) bool {
	got := s.Decider.Administers(name, department)
	if !s.sampled() {
		return got
	}
	want := s.reference.Administers(name, department)
	if got != want {
		s.mismatch(Request{Account: name, Department: department, Item: anyOne, Interface: actOrgAdmin}, s.plain(got), s.plain(want))
	}
	return got && want
}

// plain is a yes or no as a Decision.
func (s *shadow) plain(allow bool) Decision { return Decision{Allow: allow, Version: s.Version()} }

// compiled is what answers where the reference agrees.
func (s *shadow) compiled() *decider { return compiledOf(s.Decider) }
