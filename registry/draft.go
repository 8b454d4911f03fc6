package registry

import (
	"slices"
	"strconv"
	"strings"
)

// Draft makes of a form the declaration that would grant what it asks for: the unit when it is new, and the application with one block
// of grants for each distinct set of needs and service items, beside those that it has. Sections that need not change are absent;
// present ones are whole. Notes tell the reviewer, in Chinese, what a form cannot decide; they name no contact person.
//
// What is registered already stays as it is, whatever the form says of it. The error is a Problems, with the form's lines. A nil current
// is an empty platform.
func (f *ApplicationForm) Draft(current *Platform) (*Platform, []string, error) {
	if current == nil {
		current = &Platform{}
	}
	d := drafter{faults: &faults{file: f.file}, form: f, draft: &Platform{}}
	d.unit(current)
	d.system(current, d.grants())
	if err := d.err(); err != nil {
		return nil, nil, err
	}
	return d.draft, d.notes, nil
}

// A drafter turns one form into a draft and notes.
type drafter struct {
	*faults
	form     *ApplicationForm
	draft    *Platform
	snapshot *Snapshot // of the platform with the unit in it
	notes    []string
}

// note tells the reviewer something, once.
func (d *drafter) note(words ...string) {
	if one := strings.Join(words, ""); !slices.Contains(d.notes, one) {
		d.notes = append(d.notes, one)
	}
}

// unit registers a unit that is new, and compares one that is known.
func (d *drafter) unit(current *Platform) {
	f := d.form
	d.snapshot = NewSnapshot(current)
	known, ok := d.snapshot.Department(f.UnitCode)
	if !ok {
		if _, ok := d.snapshot.Department(f.Superior); f.Superior != "" && !ok {
			d.want("", "superior", "没有单位 "+quote(f.Superior)+"，请先登记上级主管部门，或更正代码")
		}
		d.draft.Departments = append(slices.Clone(current.Departments), Department{
			Code: f.UnitCode, Name: f.Unit, Division: f.Division, DivisionCode: f.DivisionCode, Parent: f.Superior,
		})
		with := *current
		with.Departments = d.draft.Departments
		d.snapshot = NewSnapshot(&with)
		return
	}
	for _, one := range []struct{ what, registered, asked string }{
		{"名称", known.Name, f.Unit},
		{"上级主管部门", known.Parent, f.Superior},
		{"行政区划", known.Division, f.Division},
		{"行政区划代码", known.DivisionCode, f.DivisionCode},
	} {
		if one.asked != "" && one.asked != one.registered {
			d.note("单位 ", f.UnitCode, " 登记的", one.what, "为", shown(one.registered), "，申请表写作", shown(one.asked), "，草案不作改动")
		}
	}
}

// shown quotes a text of a note.
func shown(text string) string {
	if text == "" {
		return "（无）"
	}
	return "“" + text + "”"
}

// grants gathers rows of the same needs and service items into one block.
func (d *drafter) grants() []Grant {
	var blocks []Grant
	for i := range d.form.Licences {
		l, at := &d.form.Licences[i], element("licences", i)
		item, ok := d.snapshot.Item(l.Item)
		if !ok {
			d.want(at, "item", "没有证照目录 "+quote(l.Item)+"，请核对编码，或先登记该目录")
		}
		d.wantEach(at, "service_items", l.ServiceItems, d.serviceItem)
		if !ok {
			continue
		}
		block := Grant{Items: []string{item.LicenseItemCode}, Needs: d.form.needsOf(l), ServiceItems: slices.Clone(l.ServiceItems), Form: d.form.Number}
		d.review(i, item, block)
		same := slices.IndexFunc(blocks, func(g Grant) bool {
			return codeSet(g.Needs) == codeSet(block.Needs) && codeSet(g.ServiceItems) == codeSet(block.ServiceItems)
		})
		switch {
		case same < 0:
			blocks = append(blocks, block)
		case slices.Contains(blocks[same].Items, item.LicenseItemCode):
			d.want(at, "item", "与前面的一项重复，请删去一个")
		default:
			blocks[same].Items = append(blocks[same].Items, item.LicenseItemCode)
		}
	}
	return blocks
}

func (d *drafter) serviceItem(code string) string {
	if _, ok := d.snapshot.ServiceItem(d.form.UnitCode, code); !ok {
		return "申请单位及其上级没有登记事项 " + quote(code) + "，请核对编码，或先登记该事项"
	}
	return ""
}

// discloses reports whether any of needs gives data of licences to the caller.
func discloses(needs []string) bool {
	return slices.ContainsFunc(needs, func(need string) bool {
		return slices.Contains([]string{"archive", "mobile_search", "function_call", "web_view"}, need)
	})
}

// review notes what stands out in row i of the form, which asks for the rights of g on item.
func (d *drafter) review(i int, item *Item, g Grant) {
	l, name := &d.form.Licences[i], "证照目录 "+item.LicenseItemCode+named(item.Name)
	if l.Name != item.Name {
		d.note("第 ", strconv.Itoa(i+1), " 项的证照名称为", shown(l.Name), "，", name, "名称不同，请核对编码")
	}
	if l.Seal != "" && l.Seal != item.SealCode {
		d.note(name, "登记的默认印章编码为", shown(item.SealCode), "，申请表的印章信息为", shown(l.Seal), "，请核对")
	}
	if item.Status != "PUBLISH" || !item.IsOpen {
		d.note(name, "尚未发布或未开通，授权后也不能制证")
	}
	if owner := item.Department; owner != d.form.UnitCode {
		if registered, ok := d.snapshot.Department(owner); ok {
			owner += named(registered.Name)
		}
		may := "取得"
		if slices.Contains(g.Needs, "issue") || slices.Contains(g.Needs, "abolish") {
			may = "制作、废止或取得"
		}
		d.note(name, "由单位 ", owner, "编制，不是申请单位；授权后可以", may, "其证照，请确认该单位同意")
	}
	if sensitive := sensitiveLabels(item); len(sensitive) > 0 && discloses(g.Needs) {
		d.note(name, "有敏感数据项 ", strings.Join(sensitive, "、"), "，按申请表的需求授权后返回脱敏数据；明文（sensitive）不由申请表授予")
	}
	if !slices.Contains(g.Needs, "function_call") {
		return
	}
	if len(g.ServiceItems) == 0 {
		d.note(name, "的依职能调用没有限定事项，对申请单位的任何事项都有效，请确认")
	}
	for _, code := range g.ServiceItems {
		if s, ok := d.snapshot.ServiceItem(d.form.UnitCode, code); ok && !slices.Contains(s.Items, item.LicenseItemCode) {
			d.note("事项 ", code, named(s.Name), "可以调用的目录中没有 ", item.LicenseItemCode, "，依职能调用会被拒绝，请先补登")
		}
	}
}

func sensitiveLabels(item *Item) []string {
	var labels []string
	for i := range item.Fields {
		if item.Fields[i].Sensitive != "" {
			labels = append(labels, item.Fields[i].Label)
		}
	}
	return labels
}

// system registers an application that is new, or adds grants to one of the same unit.
func (d *drafter) system(current *Platform, grants []Grant) {
	asked, number := &d.form.System, d.form.Number
	for _, a := range current.Applications {
		if number != "" && slices.ContainsFunc(a.Grants, func(g Grant) bool { return g.Form == number }) {
			d.want("", "number", "申请表 "+quote(number)+" 的授权已经登记（应用 "+a.AppKey+"），请勿重复提交，或更正编号")
		}
	}
	d.draft.Applications = slices.Clone(current.Applications)
	i := slices.IndexFunc(d.draft.Applications, func(a Application) bool { return a.AppKey == asked.AppKey })
	if i < 0 {
		if len(asked.IPAllow) == 0 {
			d.note("申请表没有填写来源地址（ip_allow），任何地址都能使用该应用的密钥，请补充")
		}
		d.draft.Applications = append(d.draft.Applications, Application{
			AppKey: asked.AppKey, Name: asked.Name, Department: d.form.UnitCode, IPAllow: asked.IPAllow, Rate: asked.Rate, Grants: grants,
		})
		return
	}
	a := &d.draft.Applications[i]
	if a.Department != d.form.UnitCode {
		d.want("system", "app_key", "应用标识 "+quote(a.AppKey)+" 已由单位 "+a.Department+" 使用，请换一个")
		return
	}
	d.note("应用 ", a.AppKey, named(a.Name), "已经登记，草案只增加授权")
	if a.Disabled {
		d.note("应用 ", a.AppKey, " 已停用，启用后授权才起作用")
	}
	if a.Name != asked.Name || len(asked.IPAllow) > 0 && codeSet(asked.IPAllow) != codeSet(a.IPAllow) || asked.Rate != (Rate{}) && asked.Rate != a.Rate {
		d.note("应用 ", a.AppKey, " 登记的名称、来源地址或频率与申请表不同，草案不作改动，需要变更的请另行提交")
	}
	a.Grants = append(slices.Clone(a.Grants), grants...)
}
