package policy

// A Ruling is a Decision whose lines are not fetched yet: it costs no memory to make, for callers that ask much and record little.
// It holds on to the text of its policy version. The zero Ruling denies.
type Ruling struct {
	Allow   bool
	Reason  Reason
	Version int64 // of the policy that decided

	text    []string
	decided [allParts]uint32 // places in text
	count   int
}

// Lines are the deciding policy lines, as text; as Decision.Lines.
func (r Ruling) Lines() []string {
	if r.count == 0 {
		return nil
	}
	lines := make([]string, r.count)
	for i := range lines {
		lines[i] = r.text[r.decided[i]]
	}
	return lines
}

// Decision is the same answer with its lines.
func (r Ruling) Decision() Decision {
	return Decision{Allow: r.Allow, Reason: r.Reason, Lines: r.Lines(), Version: r.Version}
}

// conclude says what comes of the verdicts.
func (r *Ruling) conclude(asked *[allParts]bool, verdicts *[allParts]verdict) {
	r.Reason = ReasonAllowed
	for part := range verdicts {
		v := &verdicts[part]
		if !asked[part] {
			continue
		}
		switch v.effect {
		case effectDeny:
			r.Reason = parts[part].denied
			r.decided[0], r.count = v.line, 1
			return
		case effectAllow:
			r.decided[r.count] = v.line
			r.count++
		default:
			if r.Reason == ReasonAllowed {
				r.Reason = parts[part].none
			}
		}
	}
	if r.Reason != ReasonAllowed {
		r.count = 0
	}
}
