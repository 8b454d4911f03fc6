package registry

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"licgate/beijing"
)

// difference lists what makes next of current: kind by kind, each by key, members in the order of the file format.
// The order of objects and of lists that are sets is no difference; the order of an item's fields is one.
func difference(current, next *Platform) []Change {
	var d differ
	compare(&d, kindDepartment, current.Departments, next.Departments, departmentKey, departmentName, d.department)
	compare(&d, kindItem, current.Items, next.Items, itemKey, itemName, d.item)
	compare(&d, kindServiceItem, current.ServiceItems, next.ServiceItems, serviceItemKey, serviceItemName, d.serviceItem)
	compare(&d, kindApplication, current.Applications, next.Applications, applicationKey, applicationName, d.application)
	compare(&d, kindAccount, current.Accounts, next.Accounts, accountKey, accountName, d.account)
	compare(&d, kindAdministrator, current.Administrators, next.Administrators, administratorKey, administratorName, d.administrator)
	compare(&d, kindMasking, current.Masking, next.Masking, maskRuleKey, maskRuleName, d.maskRule)
	d.policy(current.Policy, next.Policy)
	return d.changes
}

func departmentKey(d *Department) string    { return d.Code }
func departmentName(d *Department) string   { return d.Name }
func itemKey(i *Item) string                { return i.LicenseItemCode }
func itemName(i *Item) string               { return i.Name }
func serviceItemKey(s *ServiceItem) string  { return s.Department + "/" + s.Code }
func serviceItemName(s *ServiceItem) string { return s.Name }
func applicationKey(a *Application) string  { return a.AppKey }
func applicationName(a *Application) string { return a.Name }
func accountKey(a *Account) string          { return a.Account }
func accountName(*Account) string           { return "" } // a person's: not shown

func administratorKey(a *Administrator) string { return a.Administrator }
func administratorName(*Administrator) string  { return "" } // as of an account

func maskRuleKey(m *MaskRule) string { return m.Sensitive }
func maskRuleName(*MaskRule) string  { return "" }

func (d *differ) maskRule(a, b *MaskRule) { d.text("show", a.Show, b.Show) }

// keyed indexes a section.
func keyed[T any](all []T, key func(*T) string) map[string]*T {
	index := make(map[string]*T, len(all))
	for i := range all {
		index[key(&all[i])] = &all[i]
	}
	return index
}

// A differ gathers changes of one object after the other.
type differ struct {
	changes   []Change
	kind, key string
}

func compare[T any](d *differ, kind string, current, next []T, key, name func(*T) string, members func(a, b *T)) {
	before, after := keyed(current, key), keyed(next, key)
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		d.kind, d.key = kind, k
		old, now := before[k], after[k]
		switch {
		case old == nil:
			d.changes = append(d.changes, Change{Action: actionAdd, Kind: kind, Key: k, New: name(now), Detail: d.detail(func() { members(new(T), now) })})
		case now == nil:
			d.changes = append(d.changes, Change{Action: actionRemove, Kind: kind, Key: k, Old: name(old), Detail: d.detail(func() { members(new(T), old) })})
		default:
			members(old, now)
		}
	}
}

// detail writes what an object holds, but for its name: what it differs in from an empty one.
func (d *differ) detail(members func()) string {
	before := len(d.changes)
	members()
	var words []string
	for _, c := range d.changes[before:] {
		switch c.Field {
		case "name":
		case "disabled":
			words = append(words, disabledText(c.New))
		case previousSecret:
			words = append(words, "轮换前的密钥 "+c.value(c.New))
		default:
			words = append(words, c.Field+" "+c.value(c.New))
		}
	}
	d.changes = d.changes[:before]
	const anywhere = "ip_allow"
	if d.kind == kindApplication && !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, anywhere) }) {
		words = append(words, anywhere+" "+Change{Field: anywhere}.value("")) // no restriction is worth saying too
	}
	return strings.Join(words, "；")
}

func (d *differ) text(field, old, now string) {
	if old != now {
		d.changes = append(d.changes, Change{Action: actionChange, Kind: d.kind, Key: d.key, Field: field, Old: old, New: now})
	}
}

func (d *differ) flag(field string, old, now bool) {
	d.text(field, strconv.FormatBool(old), strconv.FormatBool(now))
}

func (d *differ) number(field string, old, now int64) {
	d.text(field, decimal(old), decimal(now))
}

// decimal writes a number of which 0 means that there is none.
func decimal(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (d *differ) codes(field string, old, now []string) {
	if !slices.Equal(slices.Sorted(slices.Values(old)), slices.Sorted(slices.Values(now))) {
		d.changes = append(d.changes, Change{Action: actionChange, Kind: d.kind, Key: d.key, Field: field, Old: codeSet(old), New: codeSet(now)})
	}
}

// codeSet writes a list whose order means nothing.
func codeSet(codes []string) string {
	return strings.Join(slices.Sorted(slices.Values(codes)), "、")
}

// hidden notes that a value changed which is not shown.
func (d *differ) hidden(field string, same, wasSet, isSet bool) {
	if same {
		return
	}
	c := Change{Action: actionChange, Kind: d.kind, Key: d.key, Field: field}
	if wasSet {
		c.Old = hidden
	}
	if isSet {
		c.New = hidden
	}
	d.changes = append(d.changes, c)
}

func (d *differ) department(a, b *Department) {
	d.text("name", a.Name, b.Name)
	d.text("division", a.Division, b.Division)
	d.text("division_code", a.DivisionCode, b.DivisionCode)
	d.text("parent", a.Parent, b.Parent)
}

func (d *differ) item(a, b *Item) {
	d.text("name", a.Name, b.Name)
	d.text("short_name", a.ShortName, b.ShortName)
	d.text("department", a.Department, b.Department)
	d.text("status", a.Status, b.Status)
	d.flag("is_open", a.IsOpen, b.IsOpen)
	d.text("holder_type", a.HolderType, b.HolderType)
	d.text("type", a.Type, b.Type)
	d.text("version", a.Version, b.Version)
	d.text("publish_date", a.PublishDate, b.PublishDate)
	d.text("description", a.Description, b.Description)
	d.text("validity", a.Validity, b.Validity)
	d.codes("license_groups", a.LicenseGroups, b.LicenseGroups)
	d.text("seal_code", a.SealCode, b.SealCode)
	d.fields(a.Fields, b.Fields)
	d.faces(a.Faces, b.Faces)
}

func (d *differ) fields(a, b []Field) {
	before, after := keyed(a, fieldKey), keyed(b, fieldKey)
	for i := range a {
		if path := "fields." + a[i].Key; after[a[i].Key] == nil {
			d.text(path, fieldText(&a[i]), "")
		}
	}
	for i := range b {
		path, old, now := "fields."+b[i].Key, before[b[i].Key], &b[i]
		if old == nil {
			d.text(path, "", fieldText(now))
			continue
		}
		d.text(path+".label", old.Label, now.Label)
		d.text(path+".type", old.Type, now.Type)
		d.number(path+".length", int64(old.Length), int64(now.Length))
		d.flag(path+".required", old.Required, now.Required)
		d.flag(path+".hidden", old.Hidden, now.Hidden)
		d.text(path+".sensitive", old.Sensitive, now.Sensitive)
		d.text(path+".role", old.Role, now.Role)
	}
	d.text("fields", order(a, after), order(b, before))
}

func fieldKey(f *Field) string { return f.Key }

// fieldText describes a field in a line.
func fieldText(f *Field) string {
	words := []string{f.Type}
	for _, one := range []struct{ name, value string }{
		{"length", decimal(int64(f.Length))}, {"sensitive", f.Sensitive}, {"role", f.Role},
	} {
		if one.value != "" {
			words = append(words, one.name+" "+one.value)
		}
	}
	if f.Required {
		words = append(words, "required")
	}
	if f.Hidden {
		words = append(words, "hidden")
	}
	return f.Label + "（" + strings.Join(words, "，") + "）"
}

// order lists the keys of those fields that the other side has too: where the two lists differ, fields changed places.
func order(fields []Field, other map[string]*Field) string {
	var keys []string
	for i := range fields {
		if other[fields[i].Key] != nil {
			keys = append(keys, fields[i].Key)
		}
	}
	return strings.Join(keys, "、")
}

func (d *differ) serviceItem(a, b *ServiceItem) {
	d.text("name", a.Name, b.Name)
	d.codes("items", a.Items, b.Items)
}

func (d *differ) application(a, b *Application) {
	d.text("name", a.Name, b.Name)
	d.text("department", a.Department, b.Department)
	d.hidden("secret", a.SecretHash == b.SecretHash, a.SecretHash != "", b.SecretHash != "")
	d.previousSecret(a, b)
	d.codes("ip_allow", a.IPAllow, b.IPAllow)
	d.number("rate.per_second", a.Rate.PerSecond, b.Rate.PerSecond)
	d.number("rate.per_minute", a.Rate.PerMinute, b.Rate.PerMinute)
	d.flag("disabled", a.Disabled, b.Disabled)
	d.grants(a.Grants, b.Grants)
}

// previousSecret tells which replaced secret is good beside the new one, by its end. Another one with the same end is a change too.
func (d *differ) previousSecret(a, b *Application) {
	if old, now := previousText(a), previousText(b); old != now || a.PreviousHash != b.PreviousHash {
		d.changes = append(d.changes, Change{Action: actionChange, Kind: d.kind, Key: d.key, Field: previousSecret, Old: old, New: now})
	}
}

func previousText(a *Application) string {
	if a.PreviousUntil.IsZero() {
		return ""
	}
	return "至 " + beijing.Labelled(a.PreviousUntil)
}

// grants compares blocks of needs. A block has no name: equal blocks are no change wherever they stand; of the
// others, two for the same items are one block that changed; the rest were added or removed.
func (d *differ) grants(a, b []Grant) {
	before, after := grantTexts(a), grantTexts(b)
	old := unmatched(before, after)
	for _, j := range unmatched(after, before) {
		path := element("grants", j)
		same := slices.IndexFunc(old, func(i int) bool { return codeSet(a[i].Items) == codeSet(b[j].Items) })
		if same < 0 {
			d.text(path, "", after[j])
			continue
		}
		i := old[same]
		old = slices.Delete(old, same, same+1)
		d.codes(path+".needs", a[i].Needs, b[j].Needs)
		d.codes(path+".service_items", a[i].ServiceItems, b[j].ServiceItems)
		d.text(path+".form", a[i].Form, b[j].Form)
	}
	for _, i := range old {
		d.text(element("grants", i), before[i], "")
	}
}

// unmatched returns the places of those texts that have no equal in others, counting repetitions.
func unmatched(texts, others []string) []int {
	count := map[string]int{}
	for _, one := range others {
		count[one]++
	}
	var places []int
	for i, one := range texts {
		if count[one]--; count[one] < 0 {
			places = append(places, i)
		}
	}
	return places
}

func grantTexts(grants []Grant) []string {
	texts := make([]string, len(grants))
	for i := range grants {
		texts[i] = grantText(&grants[i])
	}
	return texts
}

// grantText describes a block of needs in a line; equal blocks have equal texts.
func grantText(g *Grant) string {
	text := "items " + codeSet(g.Items) + "；needs " + codeSet(g.Needs)
	if len(g.ServiceItems) > 0 {
		text += "；service_items " + codeSet(g.ServiceItems)
	}
	if g.Form != "" {
		text += "；form " + g.Form
	}
	return text
}

func (d *differ) account(a, b *Account) {
	if a.Name != b.Name {
		d.hidden("name", false, true, true)
	}
	d.hidden("identity_num", bytes.Equal(a.IdentitySealed, b.IdentitySealed), len(a.IdentitySealed) > 0, len(b.IdentitySealed) > 0)
	d.text("department", a.Department, b.Department)
	d.hidden("password", a.PasswordHash == b.PasswordHash, a.PasswordHash != "", b.PasswordHash != "")
	d.codes("roles", a.Roles, b.Roles)
	d.flag("disabled", a.Disabled, b.Disabled)
}

func (d *differ) administrator(a, b *Administrator) {
	if a.Name != b.Name {
		d.hidden("name", false, true, true)
	}
	d.text("role", a.Role, b.Role)
	d.hidden("identity_num", bytes.Equal(a.IdentitySealed, b.IdentitySealed), len(a.IdentitySealed) > 0, len(b.IdentitySealed) > 0)
	d.hidden("password", a.PasswordHash == b.PasswordHash, a.PasswordHash != "", b.PasswordHash != "")
	d.codes("certificates", a.Certificates, b.Certificates)
	d.flag("disabled", a.Disabled, b.Disabled)
}

// policy compares the further Casbin lines, whose order decides nothing. A text that differs in nothing but order
// and blanks is still a change, since it is kept as written.
func (d *differ) policy(a, b *string) {
	var old, now string
	if a != nil {
		old = *a
	}
	if b != nil {
		now = *b
	}
	if old == now {
		return
	}
	before, after := lines(old), lines(now)
	gone, come := unmatched(before, after), unmatched(after, before)
	for _, i := range gone {
		d.changes = append(d.changes, Change{Action: actionRemove, Kind: kindPolicy, Key: kindPolicy, Old: before[i]})
	}
	for _, i := range come {
		d.changes = append(d.changes, Change{Action: actionAdd, Kind: kindPolicy, Key: kindPolicy, New: after[i]})
	}
	if len(gone)+len(come) == 0 {
		d.changes = append(d.changes, Change{Action: actionChange, Kind: kindPolicy, Key: kindPolicy})
	}
}

// lines returns the lines of a text that say something, comments included.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}
