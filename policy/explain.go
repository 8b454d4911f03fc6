package policy

import "slices"

// Names of Step.Part.
const (
	PartApplication = "application"
	PartAccount     = "account"
	PartServiceItem = "service_item"
)

// Explanation says why a request is allowed or refused. Its JSON is that of `licgate policy explain --json`.
type Explanation struct {
	Allow   bool   `json:"allow"`
	Reason  Reason `json:"reason"`
	Steps   []Step `json:"steps"` // one per decision made; none where no line is asked
	Version int64  `json:"version"`
	// Misses are the nearest lines that would have allowed something else, for each part that no line covers. Refusals have them.
	Misses []Miss `json:"misses,omitempty"`
}

// A Step is one of the up to three decisions of a request.
type Step struct {
	Part    string `json:"part"`    // application, account, service_item
	Subject string `json:"subject"` // as policy lines name it
	Effect  string `json:"effect"`  // allow, deny; none: no line covers the request
	// Line is the line that decided: the first deny that covers the request, else the first allow.
	Line string `json:"line,omitempty"`
	// Place is where Line stands in the version's lines, from 1.
	Place int `json:"place,omitempty"`
	// Via are the g, g2 and g3 lines that lead from the request to Line: roles, item groups, departments above.
	Via []string `json:"via,omitempty"`
}

// Explain answers r as d.Decide does and shows how. Steps and Misses are there for Deciders of this package.
func Explain(d Decider, r Request) Explanation {
	decision := d.Decide(r)
	e := Explanation{Allow: decision.Allow, Reason: decision.Reason, Version: decision.Version, Steps: []Step{}}
	var q query
	if own := compiledOf(d); own != nil && q.put(&r) == "" {
		own.show(&e, q)
	}
	return e
}

// ExplainClear says why a sensitive field of r's item may be shown in clear, or not: act clear on ITEM#FIELD, by application and account.
// Allow is what d.Clear says. r.Interface does not matter. ReasonUnsure: what answers differs from what explains.
func ExplainClear(d Decider, r Request, field string) Explanation {
	e := Explanation{Allow: len(d.Clear(r, []string{field})) > 0, Reason: ReasonUnsure, Version: d.Version(), Steps: []Step{}}
	if e.Allow {
		e.Reason = ReasonAllowed
	}
	own := compiledOf(d)
	if own == nil {
		return e
	}
	var q query
	reason := q.putClear(&r, field)
	if ruling := own.rule(&q, reason); ruling.Allow == e.Allow {
		e.Reason = ruling.Reason
	}
	if reason == "" {
		own.show(&e, q)
	}
	return e
}

// compiledOf returns the decider behind a Decider of this package, nil for any other.
func compiledOf(d Decider) *decider {
	if ours, ok := d.(interface{ compiled() *decider }); ok {
		return ours.compiled()
	}
	return nil
}

// show adds the steps of a query and, to a refusal, the misses.
func (d *decider) show(e *Explanation, q query) {
	var open [allParts]bool // parts that no line covers
	for part, v := range d.match(q) {
		if !q.asked[part] {
			continue
		}
		step := Step{Part: parts[part].name, Subject: q.subject(part), Effect: v.effect.String()}
		if open[part] = v.effect == effectNone; !open[part] {
			step.Line, step.Place = d.lines[v.line], int(v.line)+1
			step.Via = d.via(q, part, apart(step.Line))
		}
		e.Steps = append(e.Steps, step)
	}
	if !e.Allow {
		e.Misses = d.misses(&q, open)
	}
}

func (b *book) via(q query, part int, r rule) []string {
	return slices.Concat(
		linkLines("g", b.roles[q.Department].chain(q.subject(part), r.members[subAt]), q.Department),
		linkLines("g2", b.objects.chain(q.object(), r.members[objAt])),
		linkLines("g3", b.departments.chain(q.Department, r.members[domAt])),
	)
}

// linkLines writes a chain as the lines that it is made of; domain is a g line's department.
func linkLines(kind string, chain []string, domain ...string) []string {
	var lines []string
	for i := 1; i < len(chain); i++ {
		lines = append(lines, line(kind, append([]string{chain[i-1], chain[i]}, domain...)...))
	}
	return lines
}
