package policy

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/rbac"
	defaultrolemanager "github.com/casbin/casbin/v2/rbac/default-role-manager"
)

// modelText is the Casbin model: the meaning of every policy line.
//
//go:embed model.conf
var modelText string

// unmentioned stands for every object or department that no line speaks of. No line can name it.
const unmentioned = "\x00"

// casbinMatcher is the reference: it asks Casbin. Casbin walks every line of an enforcer, so each is given only the lines that can match:
// an enforcer per acting department and subject. What is left out could not match, since its subject is
// neither the request's nor a role that this holds, or its department is not above the request's; leaving out a line that
// does not match changes no answer, and the order of the others stays. Enforcers are built when first asked, never
// changed, and Enforce on one that nobody changes is safe for concurrent use.
//
// Casbin remembers each answer of g, g2 and g3 for good, keyed by the names it was asked with. Names that no line mentions are
// therefore asked under one name, or callers could fill the memory with names they make up.
type casbinMatcher struct {
	*book
	places   map[string]uint32 // p line → its place, from 0
	own      map[string][]int  // subject → its p lines
	ofRoles  []int             // p lines of roles
	managers map[string]rbac.RoleManager
	cells    sync.Map // cell → func() (*casbin.Enforcer, error)
}

// A cell names one enforcer: the p lines that hold in a department for a subject that has lines of its own ("" for
// those that have none), with or without the lines of roles.
type cell struct {
	department, subject string
	roles               bool
}

// newCasbinMatcher also builds one enforcer, so that a fault of the model shows before the policy is taken up.
func newCasbinMatcher(b *book) (*casbinMatcher, error) {
	m := &casbinMatcher{book: b, places: map[string]uint32{}, own: map[string][]int{}}
	for i, r := range b.rules {
		m.places[r.text()] = uint32(r.place - 1)
		if subject := r.members[subAt]; strings.HasPrefix(subject, rolePrefix) {
			m.ofRoles = append(m.ofRoles, i)
		} else {
			m.own[subject] = append(m.own[subject], i)
		}
	}
	roles := defaultrolemanager.NewRoleManager(maxLinks)
	objects := defaultrolemanager.NewRoleManagerImpl(maxLinks)
	departments := defaultrolemanager.NewRoleManagerImpl(maxLinks)
	m.managers = map[string]rbac.RoleManager{"g": roles, "g2": objects, "g3": departments}
	for department, graph := range b.roles {
		if err := fill(roles, graph, department); err != nil {
			return nil, err
		}
	}
	if err := fill(objects, b.objects); err != nil {
		return nil, err
	}
	if err := fill(departments, b.departments); err != nil {
		return nil, err
	}
	if _, err := m.enforcer(cell{department: unmentioned, roles: true}); err != nil {
		return nil, err
	}
	return m, nil
}

func fill(manager rbac.RoleManager, graph links, domain ...string) error {
	for child, parents := range graph {
		for _, parent := range parents {
			if err := manager.AddLink(child, parent, domain...); err != nil {
				return fmt.Errorf("add a link to Casbin's role manager: %w", err)
			}
		}
	}
	return nil
}

func (m *casbinMatcher) match(q query) (verdicts [allParts]verdict) {
	for part, asked := range q.asked {
		if asked {
			verdicts[part] = m.ask(q.subject(part), &q)
		}
	}
	return verdicts
}

// ask puts one question. Should Casbin fail, nothing is allowed.
func (m *casbinMatcher) ask(subject string, q *query) verdict {
	c := cell{department: q.Department}
	if !m.mentioned[c.department] {
		c.department = unmentioned
	}
	if len(m.own[subject]) > 0 {
		c.subject = subject
	}
	c.roles = len(m.book.roles[c.department][subject]) > 0
	if c.subject == "" && !c.roles {
		return verdict{}
	}
	enforcer, err := m.enforcer(c)
	if err != nil || enforcer == nil {
		return verdict{}
	}
	object := q.object()
	if !m.mentioned[object] {
		object = unmentioned
		if q.field != "" {
			object += fieldMark
		}
	}
	_, members, err := enforcer.EnforceEx(subject, c.department, object, q.act.name, q.ServiceItem)
	if err != nil || len(members) == 0 {
		return verdict{}
	}
	decided := verdict{effectAllow, m.places[rule{"p", members}.text()]}
	if members[eftAt] == deny {
		decided.effect = effectDeny
	}
	return decided
}

// enforcer returns the cell's enforcer, or nil when the cell has no lines.
func (m *casbinMatcher) enforcer(c cell) (*casbin.Enforcer, error) {
	build, ok := m.cells.Load(c)
	if !ok {
		build, _ = m.cells.LoadOrStore(c, sync.OnceValues(func() (*casbin.Enforcer, error) { return m.build(c) }))
	}
	return build.(func() (*casbin.Enforcer, error))()
}

func (m *casbinMatcher) build(c cell) (*casbin.Enforcer, error) {
	candidates := slices.Clone(m.own[c.subject])
	if c.roles {
		candidates = append(candidates, m.ofRoles...)
		slices.Sort(candidates)
	}
	above := m.departments.above(c.department)
	var rules [][]string
	for _, i := range candidates {
		if members := m.rules[i].members; members[domAt] == anyOne || above[members[domAt]] {
			rules = append(rules, members)
		}
	}
	if rules == nil {
		return nil, nil
	}
	parsed, err := model.NewModelFromString(modelText)
	if err != nil {
		return nil, fmt.Errorf("read Casbin's model: %w", err)
	}
	if err := parsed.AddPolicies("p", "p", rules); err != nil {
		return nil, fmt.Errorf("give Casbin the policy lines: %w", err)
	}
	enforcer, err := casbin.NewEnforcer(parsed)
	if err != nil {
		return nil, fmt.Errorf("make a Casbin enforcer: %w", err)
	}
	addFunctions(enforcer)
	for kind, manager := range m.managers {
		enforcer.GetModel()["g"][kind].RM = manager
	}
	return enforcer, nil
}

// Model is what it takes to put the same questions to any Casbin: the model's text and the functions that it names. They are pure.
func Model() (text string, functions map[string]func(...any) (any, error)) {
	return modelText, map[string]func(...any) (any, error){
		"covers": func(args ...any) (any, error) {
			return covers(args[0].(string), args[1].(string), args[2].(string)), nil
		},
		"everything": func(args ...any) (any, error) {
			return everything(args[0].(string), args[1].(string), args[2].(string)), nil
		},
		"linked": func(args ...any) (any, error) {
			return linked(args[0].(string), args[1].(string)), nil
		},
	}
}

func addFunctions(e *casbin.Enforcer) {
	_, functions := Model()
	for name, function := range functions {
		e.AddFunction(name, function)
	}
}
