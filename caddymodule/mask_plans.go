package caddymodule

import (
	"cmp"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"licgate/gm"
	"licgate/licence"
	"licgate/masking"
	"licgate/policy"
	"licgate/protocol"
)

// hiddenField is a sensitive field that is masked in an answer, and why.
type hiddenField struct {
	key    string
	reason policy.Reason
	rule   string // the line that denies it, if one does
}

// reasonNotAsked is why a field is hidden when nobody asked for sensitive data; otherwise the policy knows why.
const reasonNotAsked policy.Reason = "not_asked"

// layPlans decides per item which fields are hidden, and records it.
func (m *Mask) layPlans(t *trip) {
	t.plans = make(map[string]*masking.Plan, len(t.items))
	t.hidden = make(map[string][]hiddenField, len(t.items))
	asked := t.sensitiveAsked()
	var canonical []byte
	for _, item := range t.items {
		laid := m.plans.of(t.state).lay(m, t, item)
		if asked && len(laid.hidden) > 0 {
			laid = m.layAsked(t, item, laid)
		}
		t.plans[item.Code], t.hidden[item.Code] = laid.plan, laid.hidden
		canonical = append(canonical, laid.canonical...)
		for _, key := range laid.plan.ClearKeys() {
			t.record.ClearFields = append(t.record.ClearFields, item.Code+"#"+key)
		}
	}
	if len(t.items) > 0 {
		sum := gm.SM3(canonical)
		t.record.MaskPlan = hex.EncodeToString(sum[:])
	}
}

// layAsked is the plan for a caller who asks for sensitive data: what the policy shows is clear, what it hides is hidden for its reason.
func (m *Mask) layAsked(t *trip, item *licence.Item, masked laidPlan) laidPlan {
	q := t.request
	q.Item = item.Code
	keys := make([]string, 0, len(masked.hidden))
	for _, f := range masked.hidden {
		keys = append(keys, f.key)
	}
	clear := t.state.decider.Clear(q, keys)
	laid := masked
	if len(clear) > 0 {
		laid = m.plan(t, item, clear)
	}
	laid.hidden = nil
	for _, key := range keys {
		if !slices.Contains(clear, key) {
			reason, rule := policy.WhyMasked(t.state.decider, q, key)
			laid.hidden = append(laid.hidden, hiddenField{key, reason, rule})
		}
	}
	return laid
}

// laidPlan is a plan with what is said of it.
type laidPlan struct {
	plan      *masking.Plan
	canonical []byte // for the record's hash
	hidden    []hiddenField
}

// plan makes the plan of an item for somebody who sees the fields of clear.
func (m *Mask) plan(t *trip, item *licence.Item, clear []string) laidPlan {
	spec := masking.Spec{Clear: clear, Rules: t.state.masking}
	var laid laidPlan
	for _, f := range item.Fields {
		if f.Sensitive == "" {
			continue
		}
		spec.Fields = append(spec.Fields, masking.Field{Key: f.Key, Kind: masking.Kind(f.Sensitive)})
		if !slices.Contains(clear, f.Key) {
			laid.hidden = append(laid.hidden, hiddenField{key: f.Key, reason: reasonNotAsked})
		}
	}
	laid.plan = spec.Plan()
	if t.foreign {
		// An upstream may answer in the standard's words, where attributes repeat what fields say.
		for _, role := range roles {
			kind := roleKind(item, laid.plan, role)
			if kind == masking.PublicNumber && !hasRole(item, role) {
				kind = cmp.Or(unclaimed[role], kind)
			}
			if kind != "" {
				spec.Fields = append(spec.Fields, masking.Field{Key: role, Kind: kind})
			}
		}
		m.hiding(&spec, clear)
		if t.route != nil {
			t.route.hiding(&spec, clear)
		}
		laid.plan = spec.Plan()
	}
	laid.canonical = append([]byte(item.Code+"\x00"), laid.plan.Canonical()...)
	return laid
}

// planTable keeps the plans of one state for callers who see nothing in clear: those are nearly all, and a plan costs more to make than a
// body to mask.
type planTable struct {
	state *state
	plans sync.Map // planKey to laidPlan
}

type planKey struct {
	item  *licence.Item
	route *Route // nil: built-in handlers answer
}

// planTables is the table of the newest state that was asked for.
type planTables struct{ newest atomic.Pointer[planTable] }

func (p *planTables) of(s *state) *planTable {
	table := p.newest.Load()
	if table == nil || table.state != s {
		table = &planTable{state: s}
		p.newest.Store(table)
	}
	return table
}

func (p *planTable) lay(m *Mask, t *trip, item *licence.Item) laidPlan {
	key := planKey{item, t.route}
	if laid, ok := p.plans.Load(key); ok {
		return laid.(laidPlan)
	}
	laid := m.plan(t, item, nil)
	p.plans.Store(key, laid)
	return laid
}

// roles are the attributes of a licence that fields feed (platform.yaml "role"), by their names on the wire.
var roles = []string{
	"holder_name", "holder_identity_num", "id_code", "issue_date", "begin_date", "expiry_date", "issue_org_name", "issue_org_code",
}

// unclaimed says how an upstream's attribute is hidden that no field of the item claims.
var unclaimed = map[string]masking.Kind{"holder_name": masking.Name, "holder_identity_num": masking.IdentityNumber}

func hasRole(item *licence.Item, role string) bool {
	return slices.ContainsFunc(item.Fields, func(f licence.Field) bool { return f.Role == role })
}

// roleKind says how an attribute is hidden: like the field that feeds it, if any such field is hidden; "" when they are all
// shown in clear by right. An attribute that nobody called sensitive is public unless it is an identity number.
func roleKind(item *licence.Item, plan *masking.Plan, role string) masking.Kind {
	kind, sensitive := masking.Kind(""), false
	for _, f := range item.Fields {
		if f.Role != role || f.Sensitive == "" {
			continue
		}
		sensitive = true
		if plan.Hides(f.Key) {
			if kind != "" && kind != masking.Kind(f.Sensitive) {
				return masking.Text
			}
			kind = masking.Kind(f.Sensitive)
		}
	}
	if kind == "" && !sensitive {
		return masking.PublicNumber
	}
	return kind
}

// attribute masks an attribute of a licence.
func (t *trip) attribute(item *licence.Item, role, value string) string {
	if kind := roleKind(item, t.plans[item.Code], role); kind != "" {
		return t.state.masking.Mask(kind, value)
	}
	return value
}

// maskedFields are the fields of items that a caller who asked for sensitive data does not see, for the answer.
func (t *trip) maskedFields(items ...string) []protocol.MaskedField {
	if !t.sensitiveAsked() {
		return nil
	}
	var fields []protocol.MaskedField
	for _, item := range items {
		for _, f := range t.hidden[item] {
			fields = append(fields, protocol.MaskedField{Item: item, Field: f.key, Reason: string(f.reason), Rule: f.rule})
		}
	}
	return fields
}

// maskedReasons say to people why a field is masked. What is not listed is said in general.
var maskedReasons = map[policy.Reason]string{
	reasonNotAsked:             "未申请查看敏感信息，按规则脱敏显示",
	policy.ReasonAppDenied:     "业务系统被禁止查看此项明文",
	policy.ReasonAppNoGrant:    "业务系统没有查看此项明文的授权",
	policy.ReasonAccountDenied: "当前账户被禁止查看此项明文",
	policy.ReasonAccountNoRole: "当前账户没有查看此项明文的权限",
	policy.ReasonServiceItem:   "所办事项不需要此项明文",
}

// whyMasked says to people why a field of an item is masked; "": it is not, or nothing more is to be said than that.
func (t *trip) whyMasked(item *licence.Item, key string) string {
	for _, f := range t.hidden[item.Code] {
		if f.key == key {
			return maskedReasons[f.reason]
		}
	}
	return ""
}

// maskedIn are the masked fields of what an answer of ours shows.
func (t *trip) maskedIn(data any) []protocol.MaskedField {
	var items []string
	switch data := data.(type) {
	case *protocol.License:
		items = append(items, data.LicenseItemCode)
	case []*protocol.License:
		for _, l := range data {
			if !slices.Contains(items, l.LicenseItemCode) {
				items = append(items, l.LicenseItemCode)
			}
		}
	case protocol.File: // drawn from masked data
		items = append(items, t.resolved.Licence.Item)
	}
	return t.maskedFields(items...)
}

// maskedFieldsHeader says the same to who gets an upstream's body: 305018201#CZR;reason=no_right, with what is not ASCII percent-encoded.
func (t *trip) maskedFieldsHeader() string {
	var list []string
	for _, f := range t.maskedFields(t.itemCodes()...) {
		one := f.Item + "#" + url.PathEscape(f.Field) + ";reason=" + f.Reason
		if f.Rule != "" {
			one += ";rule=" + url.PathEscape(f.Rule)
		}
		list = append(list, one)
	}
	return strings.Join(list, ", ")
}
