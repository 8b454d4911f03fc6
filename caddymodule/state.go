package caddymodule

import (
	"context"
	mathrand "math/rand/v2"
	"slices"

	"licgate/licence"
	"licgate/masking"
	"licgate/policy"
	"licgate/registry"
	"licgate/session"
	"licgate/store"
)

// state is one version of registry and policy, compiled. Immutable: it is swapped whole.
type state struct {
	version  int64
	registry *registry.Snapshot
	decider  policy.Decider
	items    []*licence.Item // in the order of the registry
	byCode   map[string]*licence.Item
	callers  map[string]session.Application // by app_key, for every request's session
	masking  *masking.Rules
	faces    map[string]*registry.Face // by version: what licences are issued under

	// Locks are no part of the version: an emergency brake that is pulled and let go beside it.
	locks         *registry.Locks
	locksRevision int64
}

// loadState builds the state of the newest version that the store holds.
func (h *shared) loadState(ctx context.Context, s *store.Store) (*state, error) {
	platform, version, err := s.LoadPlatform(ctx)
	if err != nil {
		return nil, err
	}
	lines := policy.Lines(policy.Facts{}) // before the first apply: built-in roles, nobody has them
	if version > 0 {
		head, err := s.Policies().Get(ctx, version)
		if err != nil {
			return nil, err
		}
		lines = head.Lines
	}
	next, err := h.newState(version, platform, lines)
	if err != nil {
		return nil, err
	}
	if err := h.keepFaces(ctx, s, next); err != nil {
		return nil, err
	}
	return next, next.takeLocks(ctx, s)
}

func (h *shared) newState(version int64, p *registry.Platform, lines []string) (*state, error) {
	decider, err := policy.Compile(version, lines)
	if err != nil {
		return nil, err
	}
	if h.shadow > 0 {
		reference, err := policy.Reference(version, lines)
		if err != nil {
			return nil, err
		}
		decider = policy.Shadow(decider, reference, h.shadow, mathrand.Float64, h.mismatch)
	}
	rules, err := maskRules(p)
	if err != nil {
		return nil, err
	}
	st := &state{
		masking: rules, version: version, registry: registry.NewSnapshot(p), decider: decider,
		byCode: make(map[string]*licence.Item), callers: make(map[string]session.Application),
	}
	for i := range p.Applications {
		st.callers[p.Applications[i].AppKey] = callerOf(&p.Applications[i])
	}
	for i := range p.Items {
		item := itemOf(st.registry, &p.Items[i])
		st.items = append(st.items, item)
		st.byCode[item.Code] = item
	}
	h.takeFaces(st, p)
	return st, nil
}

// maskRules says the platform's masking in the masker's words.
func maskRules(p *registry.Platform) (*masking.Rules, error) {
	chosen := make(map[masking.Kind]string, len(p.Masking))
	for _, m := range p.Masking {
		chosen[masking.Kind(m.Sensitive)] = m.Show
	}
	return masking.NewRules(chosen)
}

// item finds a catalogue item by any of its code forms.
func (s *state) item(code string) (*licence.Item, bool) {
	it, ok := s.registry.Item(code)
	if !ok {
		return nil, false
	}
	item, ok := s.byCode[it.LicenseItemCode]
	return item, ok
}

// itemOf says a registry item in the licence service's words.
func itemOf(s *registry.Snapshot, it *registry.Item) *licence.Item {
	item := &licence.Item{
		Code: it.LicenseItemCode, Name: it.Name, Department: it.Department, Status: it.Status, Open: it.IsOpen,
		HolderType: it.HolderType, Validity: it.Validity, Groups: it.LicenseGroups, SealCode: it.SealCode,
	}
	if d, ok := s.Department(it.Department); ok {
		item.DepartmentName, item.Division, item.DivisionCode = d.Name, d.Division, d.DivisionCode
	}
	for _, f := range it.Fields {
		item.Fields = append(item.Fields, licence.Field{
			Key: f.Key, Label: f.Label, Type: f.Type, Length: f.Length, Required: f.Required, Sensitive: f.Sensitive, Role: f.Role,
		})
	}
	return item
}

// factsOf says a platform in the policy's words.
func factsOf(p *registry.Platform) policy.Facts {
	var f policy.Facts
	for _, d := range p.Departments {
		f.Departments = append(f.Departments, policy.DepartmentFact{Code: d.Code, Parent: d.Parent})
	}
	for _, a := range p.Applications {
		app := policy.ApplicationFact{AppKey: a.AppKey, Department: a.Department}
		for _, g := range a.Grants {
			app.Grants = append(app.Grants, grantFacts(p, a.Department, g)...)
		}
		f.Applications = append(f.Applications, app)
	}
	for _, a := range p.Accounts {
		f.Accounts = append(f.Accounts, policy.AccountFact{Account: a.Account, Department: a.Department, Roles: a.Roles})
	}
	for _, s := range p.ServiceItems {
		f.ServiceItems = append(f.ServiceItems, policy.ServiceItemFact{Code: s.Code, Department: s.Department, Items: s.Items})
	}
	for _, it := range p.Items {
		fact := policy.ItemFact{Code: it.LicenseItemCode}
		for _, field := range it.Fields {
			if field.Sensitive != "" {
				fact.Fields = append(fact.Fields, field.Key)
			}
		}
		f.Items = append(f.Items, fact)
	}
	return f
}

// grantFacts says a grant in the policy's words. "*" means every item of the catalogue; but to make or abolish licences it means
// those of the application's own department: another's item must be named.
func grantFacts(p *registry.Platform, department string, g registry.Grant) []policy.GrantFact {
	if !slices.Contains(g.Items, "*") {
		return []policy.GrantFact{{Items: g.Items, Needs: g.Needs, ServiceItems: g.ServiceItems}}
	}
	var making, using []string
	for _, need := range g.Needs {
		if need == "issue" || need == "abolish" {
			making = append(making, need)
		} else {
			using = append(using, need)
		}
	}
	var out []policy.GrantFact
	if len(using) > 0 {
		out = append(out, policy.GrantFact{Items: g.Items, Needs: using, ServiceItems: g.ServiceItems})
	}
	own := slices.DeleteFunc(slices.Clone(g.Items), func(item string) bool { return item == "*" })
	for _, it := range p.Items {
		if it.Department == department {
			own = append(own, it.LicenseItemCode)
		}
	}
	if len(making) > 0 && len(own) > 0 {
		out = append(out, policy.GrantFact{Items: own, Needs: making, ServiceItems: g.ServiceItems})
	}
	return out
}

// policyLines is the whole policy of a platform: what the registry says, then the further lines.
func policyLines(p *registry.Platform) ([]string, error) {
	lines := policy.Lines(factsOf(p))
	if p.Policy == nil {
		return lines, nil
	}
	further, err := policy.Parse(*p.Policy)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(lines))
	for _, l := range lines {
		there[l] = true
	}
	for _, l := range further {
		if !there[l] {
			lines = append(lines, l)
		}
	}
	return lines, nil
}
