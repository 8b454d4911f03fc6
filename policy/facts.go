package policy

import "slices"

// Facts is what the registry says, in this package's words; Lines turns it into policy lines.
type Facts struct {
	Departments  []DepartmentFact
	Applications []ApplicationFact
	Accounts     []AccountFact
	ServiceItems []ServiceItemFact
	Items        []ItemFact
}

// DepartmentFact is a department and the one above it, "" for none.
type DepartmentFact struct{ Code, Parent string }

// ApplicationFact is an application and what the form of appendix A granted it.
type ApplicationFact struct {
	AppKey, Department string
	Grants             []GrantFact
}

// GrantFact grants every need for every item, for the given service items or, when there are none, for any.
type GrantFact struct{ Items, Needs, ServiceItems []string }

// AccountFact gives an account roles in its own department.
type AccountFact struct {
	Account, Department string
	Roles               []string
}

// ServiceItemFact lists the items that may be called for under a service item.
type ServiceItemFact struct {
	Code, Department string
	Items            []string
}

// ItemFact names an item's sensitive fields, so that ITEM#FIELD belongs to ITEM (a g2 line each).
type ItemFact struct {
	Code   string
	Fields []string
}

// Lines returns the policy lines that facts amount to: built-in roles, g3, g2, service items, grants, account roles.
// The order does not depend on the order of the facts, and no line comes twice. Names are not checked here:
// Compile refuses a line that a bad name makes.
func Lines(f Facts) []string {
	lines := roleLines()
	for _, section := range [][]string{departmentLines(f), itemLines(f), serviceLines(f), grantLines(f), accountLines(f)} {
		slices.Sort(section)
		lines = append(lines, slices.Compact(section)...)
	}
	return lines
}

func line(kind string, members ...string) string { return rule{kind, members}.text() }

func roleLines() []string {
	var lines []string
	for _, role := range roleOrder {
		for _, act := range Roles[role] {
			object := anyOne
			if act == actClear {
				object = sensitiveItems
			}
			lines = append(lines, line("p", rolePrefix+role, anyOne, object, actOf(act), anyOne, allow))
		}
	}
	return lines
}

func departmentLines(f Facts) []string {
	var lines []string
	for _, d := range f.Departments {
		if d.Parent != "" {
			lines = append(lines, line("g3", d.Code, d.Parent))
		}
	}
	return lines
}

func itemLines(f Facts) []string {
	var lines []string
	for _, item := range f.Items {
		if len(item.Fields) > 0 {
			lines = append(lines, line("g2", item.Code, sensitiveItems))
		}
		for _, field := range item.Fields {
			lines = append(lines, line("g2", item.Code+fieldMark+field, item.Code))
		}
	}
	return lines
}

func serviceLines(f Facts) []string {
	var lines []string
	for _, s := range f.ServiceItems {
		for _, item := range s.Items {
			lines = append(lines, line("p", ServiceSubject(s.Code), s.Department, item, "function_call", anyOne, allow))
		}
	}
	return lines
}

func grantLines(f Facts) []string {
	var lines []string
	for _, a := range f.Applications {
		for _, g := range a.Grants {
			for _, item := range g.Items {
				for _, need := range g.Needs {
					lines = append(lines, needLines(a, item, need, g.ServiceItems)...)
				}
			}
		}
	}
	return lines
}

func needLines(a ApplicationFact, item, need string, serviceItems []string) []string {
	if item == anyOne && need == "sensitive" {
		item = sensitiveItems
	}
	granted := func(act, mat string) string {
		return line("p", AppSubject(a.AppKey), a.Department, item, act, mat, allow)
	}
	if len(serviceItems) == 0 {
		return []string{granted(need, anyOne)}
	}
	var lines []string
	for _, code := range serviceItems {
		lines = append(lines, granted(need, code))
	}
	if need == "mobile_search" {
		// The holder's own search carries no service item, which a line for certain service items never covers.
		lines = append(lines, granted("psn_holder", anyOne))
	}
	return lines
}

func accountLines(f Facts) []string {
	var lines []string
	for _, a := range f.Accounts {
		for _, role := range a.Roles {
			lines = append(lines, line("g", AccountSubject(a.Account), rolePrefix+role, a.Department))
		}
	}
	return lines
}
