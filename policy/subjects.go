package policy

import "strings"

// Subjects counts the applications and the accounts to which lines allow anything: by a line of their own, or by one of a role that
// they hold in some department. Lines are as Parse, Lines and versions have them. A change that takes either from some to none locks
// everybody out.
func Subjects(lines []string) (applications, accounts int) {
	allowed := map[string]bool{} // subjects and roles
	held := map[string]links{}   // department → subject → roles
	for _, line := range lines {
		r := apart(line)
		switch {
		case r.kind == "p" && r.members[eftAt] == allow:
			if act := r.members[actAt]; act == actAny || len(coverage[act]) > 0 {
				allowed[r.members[subAt]] = true
			}
		case r.kind == "g":
			department := r.members[2]
			if held[department] == nil {
				held[department] = links{}
			}
			held[department].add(r.members[0], r.members[1])
		}
	}
	var byRole []string
	for _, graph := range held {
		for holder := range graph {
			for name := range graph.above(holder) {
				if allowed[name] {
					byRole = append(byRole, holder)
					break
				}
			}
		}
	}
	for _, holder := range byRole {
		allowed[holder] = true
	}
	for subject := range allowed {
		switch {
		case strings.HasPrefix(subject, appPrefix):
			applications++
		case strings.HasPrefix(subject, accountPrefix):
			accounts++
		}
	}
	return applications, accounts
}
