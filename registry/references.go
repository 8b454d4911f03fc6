package registry

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// deepest is how many levels of departments there may be. China's administration has five; each look-up of a service
// item walks up them.
const deepest = 32

// references notes the faults of p that show only against the whole: what is named is not there, is of another
// department, or goes round in a circle.
func references(f *faults, p *Platform) {
	r := referrer{faults: f, parents: map[string]string{}, items: map[string]bool{}, services: map[string][]string{}}
	for _, d := range p.Departments {
		r.parents[d.Code] = d.Parent
		r.departmentCodes = append(r.departmentCodes, d.Code)
	}
	for _, item := range p.Items {
		r.items[item.LicenseItemCode] = true
		r.itemCodes = append(r.itemCodes, item.LicenseItemCode)
	}
	for _, s := range p.ServiceItems {
		r.services[s.Code] = append(r.services[s.Code], s.Department)
	}
	if p.Policy != nil {
		r.roles, r.groups = policyNames(*p.Policy)
	}

	for i, d := range p.Departments {
		r.parentage(f.object("departments", i, d.Code), d)
	}
	for i, item := range p.Items {
		f.want(f.object("items", i, item.LicenseItemCode), "department", r.department(item.Department))
	}
	for i, s := range p.ServiceItems {
		at := f.object("service_items", i, serviceItemKey(&s))
		f.want(at, "department", r.department(s.Department))
		f.wantEach(at, "items", s.Items, r.item)
	}
	for i, a := range p.Applications {
		at := f.object("applications", i, a.AppKey)
		f.want(at, "department", r.department(a.Department))
		for j, g := range a.Grants {
			at := element(at+".grants", j)
			f.wantEach(at, "items", g.Items, r.granted)
			f.wantEach(at, "service_items", g.ServiceItems, func(code string) string { return r.serviceItem(a.Department, code) })
		}
	}
	for i, a := range p.Accounts {
		at := f.object("accounts", i, a.Account)
		f.want(at, "department", r.department(a.Department))
		f.wantEach(at, "roles", a.Roles, r.role)
	}
}

// A referrer looks up what references name.
type referrer struct {
	*faults
	parents         map[string]string
	departmentCodes []string
	items           map[string]bool
	itemCodes       []string
	services        map[string][]string // departments that have a service item of that code
	roles, groups   []string            // that the policy text speaks of
}

func (r *referrer) department(code string) string {
	if _, ok := r.parents[code]; ok {
		return ""
	}
	return "没有单位 " + quote(code) + "，" + perhaps(code, r.departmentCodes) + "请先在 departments 中登记"
}

// parentage notes an unknown parent, and a circle once: at that department of it that stands first in the file.
func (r *referrer) parentage(at string, d Department) {
	if d.Parent == "" {
		return
	}
	if message := r.department(d.Parent); message != "" {
		r.want(at, "parent", message)
		return
	}
	chain := []string{d.Code}
	for code := d.Parent; code != ""; code = r.parents[code] {
		if code == d.Code {
			if r.first(chain) == d.Code {
				r.want(at, "parent", "上级主管部门成环："+strings.Join(append(chain, code), " → ")+"，请改正其中一个 parent")
			}
			return
		}
		if slices.Contains(chain, code) {
			return // below a circle, which is noted at the departments that form it
		}
		if chain = append(chain, code); len(chain) > deepest {
			r.want(at, "parent", "上级主管部门超过 "+strconv.Itoa(deepest)+" 层，请改正 parent")
			return
		}
	}
}

// first returns which of codes was declared first.
func (r *referrer) first(codes []string) string {
	i := slices.IndexFunc(r.departmentCodes, func(code string) bool { return slices.Contains(codes, code) })
	return r.departmentCodes[i]
}

func (r *referrer) item(code string) string {
	if r.items[code] {
		return ""
	}
	return "没有证照目录 " + quote(code) + "，" + perhaps(code, r.itemCodes) + "请先在 items 中登记"
}

// granted looks up an entry of a grant: an item, a group of the policy's g2 lines, or all items.
func (r *referrer) granted(entry string) string {
	switch {
	case entry == "*":
		return ""
	case !strings.HasPrefix(entry, "group:"):
		return r.item(entry)
	case !slices.Contains(r.groups, entry):
		return "没有目录组 " + quote(entry) + "，" + perhaps(entry, r.groups) + "请先在 policy 中用 g2, 目录编码, " + entry + " 写明组内的目录"
	}
	return ""
}

// serviceItem looks up a service item that an application of department may be granted.
func (r *referrer) serviceItem(department, code string) string {
	owners := r.services[code]
	if len(owners) == 0 {
		return "没有事项 " + quote(code) + "，请先在 service_items 中登记"
	}
	for range deepest {
		if slices.Contains(owners, department) {
			return ""
		}
		department = r.parents[department]
	}
	return "事项 " + quote(code) + " 属于单位 " + strings.Join(owners, "、") + "，不属于本应用的单位或其上级；请改用本单位的事项"
}

// role looks up a role of an account: a built-in one, or one that the policy text gives rights to.
func (r *referrer) role(role string) string {
	if slices.Contains(r.roles, role) {
		return ""
	}
	message := accountRoles.fault(role)
	if message != "" {
		message += "；自定义角色请先在 policy 中以 role:" + role + " 写明权限"
	}
	return message
}

// policyNames returns the roles (without "role:") and the item groups that Casbin lines speak of.
func policyNames(text string) (roles, groups []string) {
	for words := range policyWords(text) {
		for _, word := range words {
			if role, ok := strings.CutPrefix(word, "role:"); ok {
				roles = append(roles, role)
			}
		}
		if words[0] == "g2" && len(words) > 2 {
			groups = append(groups, words[2])
		}
	}
	return roles, groups
}

// policySubjects returns every word of the Casbin lines: app:KEY, acct:NAME and svc:CODE among them.
func policySubjects(text *string) map[string]bool {
	subjects := map[string]bool{}
	if text == nil {
		return subjects
	}
	for words := range policyWords(*text) {
		for _, word := range words {
			subjects[word] = true
		}
	}
	return subjects
}

// policyWords yields the members of each Casbin line that is no comment.
func policyWords(text string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			words := strings.Split(line, ",")
			for i, word := range words {
				words[i] = strings.Trim(strings.TrimSpace(word), `"`)
			}
			if !yield(words) {
				return
			}
		}
	}
}
