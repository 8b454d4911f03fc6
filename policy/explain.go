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
}

// A Step is one of the up to three decisions of a request.
type Step struct {
	Part    string `json:"part"`    // application, account, service_item
	Subject string `json:"subject"` // as policy lines name it
	Effect  string `json:"effect"`  // allow, deny; none: no line covers the request
	// Line is the line that decided: the first deny that covers the request, else the first allow.
	Line string `json:"line,omitempty"`
	// Via are the g, g2 and g3 lines that lead from the request to Line: roles, item groups, departments above.
	Via []string `json:"via,omitempty"`
}

// Explain answers r as d.Decide does and shows how. Steps are there for Deciders of Compile.
func Explain(d Decider, r Request) Explanation {
	decision := d.Decide(r)
	explanation := Explanation{Allow: decision.Allow, Reason: decision.Reason, Version: decision.Version, Steps: []Step{}}
	if shows, ok := d.(interface{ steps(Request) []Step }); ok {
		explanation.Steps = append(explanation.Steps, shows.steps(r)...)
	}
	return explanation
}

func (d *decider) steps(r Request) []Step {
	var q query
	if q.put(&r) != "" {
		return nil
	}
	var steps []Step
	for part, v := range d.match(q) {
		if !q.asked[part] {
			continue
		}
		step := Step{Part: parts[part].name, Subject: q.subject(part), Effect: v.effect.String()}
		if v.effect != effectNone {
			step.Line = d.lines[v.line]
			if line, fault := parseLine(step.Line); fault == nil {
				step.Via = d.via(q, part, line)
			}
		}
		steps = append(steps, step)
	}
	return steps
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
