package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A maker makes random platforms that pass Check, with all members of the format.
type maker struct{ *rand.Rand }

func generate(r *rand.Rand) *Platform {
	m := maker{r}
	p := &Platform{}
	if m.IntN(20) == 0 {
		return p
	}
	p.Departments = some(m, 1, 6, m.department)
	for i := range p.Departments[1:] {
		p.Departments[i+1].Parent = p.Departments[m.IntN(i+1)].Code
	}
	within := func() string { return p.Departments[m.IntN(len(p.Departments))].Code }
	p.Items = some(m, 0, 6, func(i int) Item { return m.item(i, within()) })
	items := make([]string, len(p.Items))
	for i := range p.Items {
		items[i] = p.Items[i].LicenseItemCode
	}
	p.ServiceItems = some(m, 0, 4, func(i int) ServiceItem {
		return ServiceItem{Code: fmt.Sprintf("%03d-%s", i, m.letters(3)), Name: m.text(), Department: within(), Items: m.subset(items)}
	})
	policy := ""
	for i := range m.IntN(4) {
		policy += fmt.Sprintf("p, role:r%d, *, *, get_license, *, allow\ng2, x, group:g%d\n", i, i)
	}
	if m.IntN(3) > 0 {
		p.Policy = &policy
	} else {
		policy = ""
	}
	roles, groups := policyNames(policy)
	p.Applications = some(m, 0, 4, func(i int) Application { return m.application(i, within(), p, append(groups, append(items, "*")...)) })
	p.Accounts = some(m, 0, 4, func(i int) Account {
		return Account{
			Account: fmt.Sprintf("%d.%s", i, m.letters(5)), Name: m.text(), Department: within(),
			Roles: m.subset(append(roles, accountRoles.words...)), Disabled: m.IntN(3) == 0,
			IdentityNum: m.maybe(func() string { return m.identity(0) }), Password: m.maybe(m.password),
		}
	})
	for _, kind := range []string{"name", "identity_number", "phone"} {
		if m.IntN(2) == 0 {
			p.Masking = append(p.Masking, MaskRule{Sensitive: kind, Show: maskShows[kind][m.IntN(len(maskShows[kind]))]})
		}
	}
	p.Administrators = some(m, 0, 4, m.administrator)
	return p
}

// some makes between least and most things; instead of none, sometimes the absent list.
func some[T any](m maker, least, most int, one func(i int) T) []T {
	n := least + m.IntN(most-least+1)
	if n == 0 && m.IntN(2) == 0 {
		return nil
	}
	all := make([]T, n)
	for i := range all {
		all[i] = one(i)
	}
	return all
}

func (m maker) letters(n int) string {
	const from = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, n)
	for i := range b {
		b[i] = from[m.IntN(len(from))]
	}
	return string(b)
}

func (m maker) text() string {
	const from = "证照局abcXYZ019 -_.,:;#'\"\\{}[]&*!|>%@`~=?𬱖·（）"
	runes := []rune(from)
	b := make([]rune, 1+m.IntN(8))
	for i := range b {
		b[i] = runes[m.IntN(len(runes))]
	}
	if s := strings.TrimSpace(string(b)); s != "" && !placeholder(s) {
		return s
	}
	return "名"
}

func (m maker) maybe(make func() string) string {
	if m.IntN(2) == 0 {
		return ""
	}
	return make()
}

func (m maker) of(v vocabulary) string { return v.words[m.IntN(len(v.words))] }

// subset picks some of words, each once, in any order.
func (m maker) subset(words []string) []string {
	var picked []string
	for _, i := range m.Perm(len(words)) {
		if m.IntN(2) == 0 {
			picked = append(picked, words[i])
		}
	}
	return picked
}

func (m maker) atLeastOne(words []string) []string {
	if picked := m.subset(words); picked != nil {
		return picked
	}
	return []string{words[m.IntN(len(words))]}
}

func (m maker) department(i int) Department {
	body := fmt.Sprintf("1111%04d%09d", i, m.IntN(1_000_000_000))
	check, _ := creditCheck(body)
	return Department{
		Code: body + string(check), Name: m.text(), Division: m.maybe(m.text),
		DivisionCode: m.maybe(func() string { return fmt.Sprintf("%06d", m.IntN(1_000_000)) }),
	}
}

func (m maker) item(i int, department string) Item {
	code := fmt.Sprintf("%02d", i) + m.letters([]int{7, 13, 22}[m.IntN(3)])
	keys := uniques{}
	item := Item{
		LicenseItemCode: code, Name: m.text(), ShortName: m.maybe(m.text), Department: department, Status: m.of(itemStatuses),
		IsOpen: m.IntN(2) == 0, HolderType: m.of(holderTypes), Type: m.maybe(m.text), Version: m.maybe(m.text),
		PublishDate: m.maybe(func() string { return fmt.Sprintf("20%02d-%02d-%02d", m.IntN(100), 1+m.IntN(12), 1+m.IntN(28)) }),
		Description: m.maybe(func() string { return m.text() + "\n" + m.text() + strings.Repeat("\n", m.IntN(3)) }),
		Validity:    m.maybe(func() string { return fmt.Sprintf("%d年", 1+m.IntN(100)) }),
		// "a、b" as one group is not "a" and "b".
		LicenseGroups: m.subset([]string{"1", "2", "正本", "a、b", "a"}), SealCode: m.maybe(m.text),
		Fields: m.fields(keys),
	}
	item.Faces = m.faces(item.LicenseGroups)
	return item
}

// faces makes faces for some of the groups, and for those left.
func (m maker) faces(groups []string) (all []Face) {
	for _, group := range m.subset(append([]string{""}, groups...)) {
		f := Face{Group: group}
		if m.IntN(2) == 0 {
			f.Template = m.letters(4)
		} else {
			f.Declaration = m.text() + "\n" + strings.Repeat(" ", m.IntN(3)) + m.text() + strings.Repeat("\n", m.IntN(3))
			for _, name := range m.subset([]string{"1.png", "底图.jpg", "null"}) {
				f.Assets = append(f.Assets, Asset{name, []byte(m.text())})
			}
			slices.SortFunc(f.Assets, func(a, b Asset) int { return strings.Compare(a.Name, b.Name) })
		}
		all = append(all, f)
	}
	return all
}

func (m maker) fields(keys uniques) []Field {
	var all []Field
	for i := range m.IntN(5) {
		role := m.maybe(func() string { return m.of(fieldRoles) })
		if _, met := keys[[2]string{"", role}]; met {
			role = ""
		}
		keys[[2]string{"", role}] = "met"
		all = append(all, Field{
			Key: fmt.Sprintf("K%d_%s", i, m.letters(3)), Label: m.text(), Type: m.of(fieldTypes), Length: m.IntN(3) * 10,
			Required: m.IntN(2) == 0, Hidden: m.IntN(3) == 0, Sensitive: m.maybe(func() string { return m.of(sensitives) }), Role: role,
		})
	}
	return all
}

func (m maker) application(i int, department string, p *Platform, items []string) Application {
	above := NewSnapshot(&Platform{Departments: p.Departments}).Ancestors(department)
	met, mine := map[string]bool{}, []string(nil)
	for _, s := range p.ServiceItems {
		if owner := s.Department; !met[s.Code] && (owner == department || strings.Contains(strings.Join(above, " "), owner)) {
			mine, met[s.Code] = append(mine, s.Code), true
		}
	}
	var grants []Grant
	for range m.IntN(4) {
		grants = append(grants, Grant{Items: m.atLeastOne(items), Needs: m.atLeastOne(grantNeeds.words), ServiceItems: m.subset(mine), Form: m.maybe(m.form)})
	}
	return Application{
		AppKey: fmt.Sprintf("%d-%s", i, m.letters(4)), Name: m.text(), Department: department, Secret: m.maybe(m.password),
		IPAllow: m.subset([]string{"10.0.0.0/8", "192.168.1.1", "::1", "2001:db8::/32"}),
		Rate:    Rate{PerSecond: int64(m.IntN(3)), PerMinute: int64(m.IntN(3))}, Disabled: m.IntN(3) == 0, Grants: grants,
	}
}

// administrator is another person for each i.
func (m maker) administrator(i int) Administrator {
	return Administrator{
		Administrator: fmt.Sprintf("%d_%s", i, m.letters(5)), Name: m.text(), Role: m.of(powers), IdentityNum: m.identity(i),
		Password: m.maybe(m.password), Certificates: m.subset([]string{digest("a", fmt.Sprint(i)), digest("b", fmt.Sprint(i))}),
		Disabled: m.IntN(3) == 0,
	}
}

func (m maker) identity(i int) string {
	body := fmt.Sprintf("110105%04d%02d%02d%03d", 1900+m.IntN(100), 1+m.IntN(12), 1+m.IntN(28), 10*m.IntN(100)+i)
	check, _ := identityCheck(body)
	return body + string(check)
}

func (m maker) password() string { return "Aa1-" + m.letters(12) }

func (m maker) form() string { return fmt.Sprintf("京接〔2024〕%d号", m.IntN(100)) }
