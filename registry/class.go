package registry

import (
	"maps"
	"slices"
	"strings"
)

// Classes of changes, for who must approve them.
const (
	ClassRights         = "rights"         // who may do what, and what is masked
	ClassCredentials    = "credentials"    // secrets, passwords, and from where they are good
	ClassAdministrators = "administrators" // the three powers
	ClassRegistry       = "registry"       // everything else; what takes rights away by disabling, too
)

// ClassNames are the classes in Chinese, for texts.
var ClassNames = map[string]string{
	ClassRights: "权限", ClassCredentials: "密钥与口令", ClassAdministrators: "管理员", ClassRegistry: "登记信息",
}

// memberClasses says of which class it is to change a member. A member that is not listed is of ClassRights: what nobody has thought
// about gets the stricter look. A field that comes or goes is such, since it is there that masking is decided.
var memberClasses = map[string]map[string]string{
	kindDepartment: {
		"name": ClassRegistry, "division": ClassRegistry, "division_code": ClassRegistry,
		"parent": ClassRights, // rights and service items are inherited
	},
	kindItem: {
		"name": ClassRegistry, "short_name": ClassRegistry, "status": ClassRegistry, "is_open": ClassRegistry, "holder_type": ClassRegistry,
		"type": ClassRegistry, "version": ClassRegistry, "publish_date": ClassRegistry, "description": ClassRegistry,
		"validity": ClassRegistry, "license_groups": ClassRegistry, "seal_code": ClassRegistry, "faces": ClassRegistry,
		"department": ClassRights, // "*" of an issuer means the items of its own department
		"fields":     ClassRegistry, "fields.label": ClassRegistry, "fields.type": ClassRegistry, "fields.length": ClassRegistry,
		"fields.required": ClassRegistry, "fields.hidden": ClassRegistry, "fields.sensitive": ClassRights, "fields.role": ClassRights,
	},
	kindServiceItem: {"name": ClassRegistry, "items": ClassRights},
	kindApplication: {
		"name": ClassRegistry, "rate.per_second": ClassRegistry, "rate.per_minute": ClassRegistry, "disabled": ClassRegistry,
		"secret": ClassCredentials, "previous_secret": ClassCredentials, "ip_allow": ClassCredentials,
		"department": ClassRights, "grants": ClassRights,
	},
	kindAccount: {
		"name": ClassRegistry, "identity_num": ClassRegistry, "disabled": ClassRegistry,
		"password": ClassCredentials, "department": ClassRights, "roles": ClassRights,
	},
}

// Classes returns the classes of changes, sorted, each once. before and after are the platforms that they lie between: what is added or
// removed is of ClassRegistry, and of ClassRights too when it carries rights.
func Classes(changes []Change, before, after *Platform) []string {
	classes := map[string]bool{}
	carries := map[string]func(Change) bool{actionAdd: carriesRights(after), actionRemove: carriesRights(before)}
	for _, c := range changes {
		switch {
		case c.Kind == kindAdministrator:
			classes[ClassAdministrators] = true
		case c.Kind == kindPolicy || c.Kind == kindMasking:
			classes[ClassRights] = true
		case c.Action == actionChange:
			classes[c.memberClass()] = true
		default:
			classes[ClassRegistry] = true
			if c.Action == actionAdd && (c.Kind == kindApplication || c.Kind == kindAccount) {
				classes[ClassCredentials] = true // it comes with some; else removing and adding one would replace them unseen
			}
			if carries := carries[c.Action]; carries == nil || carries(c) {
				classes[ClassRights] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(classes))
}

// memberClass is the class of a change of one member.
func (c Change) memberClass() string {
	member := c.Field
	switch list, rest, _ := strings.Cut(member, "."); {
	case strings.HasPrefix(list, "grants["):
		member = "grants"
	case list == "faces":
		member = list // what a face shows of a licence is masked before
	case list == "fields" && rest != "":
		_, of, _ := strings.Cut(rest, ".")
		member = "fields." + of // "fields." of a whole field
	case member == "disabled" && c.New == "false":
		return ClassRights // whoever is enabled again may act again
	case c.Kind == kindItem && (member == "status" && c.New == "PUBLISH" || member == "is_open" && c.New == "true"):
		return ClassRights // its licences may be made and used from then on
	}
	if class, listed := memberClasses[c.Kind][member]; listed {
		return class
	}
	return ClassRights
}

// carriesRights returns whether an object that p has, or had, gives rights to anybody, by its own members or because the policy text
// speaks of it. One that p does not have is taken to.
func carriesRights(p *Platform) func(Change) bool {
	if p == nil {
		p = &Platform{}
	}
	s, subjects := NewSnapshot(p), policySubjects(p.Policy)
	return func(c Change) bool {
		switch c.Kind {
		case kindDepartment:
			d, ok := s.Department(c.Key)
			return !ok || d.Parent != ""
		case kindItem:
			item, ok := s.items[c.Key]
			return !ok || len(item.Fields) > 0
		case kindServiceItem:
			department, code, _ := strings.Cut(c.Key, "/")
			one, ok := s.serviceItems[serviceKey{department, code}]
			return !ok || len(one.Items) > 0 || subjects["svc:"+code]
		case kindApplication:
			a, ok := s.Application(c.Key)
			return !ok || len(a.Grants) > 0 || subjects["app:"+c.Key]
		case kindAccount:
			a, ok := s.Account(c.Key)
			return !ok || len(a.Roles) > 0 || subjects["acct:"+c.Key]
		}
		return true
	}
}
