package registry

import (
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
)

// An ApplicationForm is 电子证照共享系统接入申请表 (appendix A, table A.1) as data: who asks for what. It grants nothing by itself; Draft
// makes of it what an administrator reviews. It names a contact person, so it does not print.
type ApplicationForm struct {
	Number string // of the form, kept with each grant; "" until somebody gives it one
	Date   string // 时间, 2006-01-02

	Unit     string // 单位名称
	UnitCode string // 单位统一社会信用代码
	Superior string // code of 上级主管部门, or ""

	Division, DivisionCode string // of a unit that is new, or ""
	Contact, Phone, Email  string // 联系人, 联系电话, 电子邮箱

	Needs    []string // 用证管理需求, as keys of grants; of every licence that has none of its own
	System   FormSystem
	Licences []FormLicence // 对应证照

	file *yaml.Node
}

// FormSystem is the business system (所属系统) that is to be let in.
type FormSystem struct {
	AppKey, Name string
	IPAllow      []string
	Rate         Rate
}

// FormLicence is one row of 对应证照.
type FormLicence struct {
	Name         string // 证照名称
	Item         string // its code in the catalogue
	Seal         string // 印章信息
	Needs        []string
	ServiceItems []string
}

// Format keeps contact persons out of whatever is printed.
func (f ApplicationForm) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, "registry.ApplicationForm("+f.Number+")")
}

// formNeeds are the needs of the form, in its order and its words, and 发证.
var formNeeds = vocabulary{
	what:  "用证管理需求",
	words: []string{"archive", "mobile_search", "function_call", "masked_view", "web_view", "abolish", "issue"},
	names: map[string]string{
		"archive": "归档", "mobile_search": "个人移动端检索", "function_call": "依职能调用", "masked_view": "脱敏亮证", "web_view": "网页亮证",
		"abolish": "废止", "issue": "发证",
	},
}

func formNeedFault(need string) string {
	if need == "sensitive" {
		return "申请表不授予敏感数据项的明文，请删去；确有需要的，由安全管理员另行登记"
	}
	return formNeeds.fault(need)
}

// ParseForm reads an application form (YAML, one document) as strictly as Parse reads a platform file. Needs may be the form's words or
// their keys. The error is a Problems; it holds no name, number or address of the contact person.
func ParseForm(file []byte) (*ApplicationForm, error) {
	faults := &faults{}
	root := document(faults, file, formFile)
	if root == nil {
		return nil, faults.err()
	}
	faults.file = root
	f := reader{faults}.form(root)
	f.file = root
	f.check(faults)
	if err := faults.err(); err != nil {
		return nil, err
	}
	return f, nil
}

func (r reader) form(n *yaml.Node) *ApplicationForm {
	f := &ApplicationForm{}
	r.object(n, "",
		r.code("number", &f.Number),
		r.code("date", &f.Date),
		r.text("unit", &f.Unit),
		r.code("unit_code", &f.UnitCode),
		r.code("superior", &f.Superior),
		r.text("division", &f.Division),
		r.code("division_code", &f.DivisionCode),
		r.text("contact", &f.Contact),
		r.code("phone", &f.Phone),
		r.text("email", &f.Email),
		r.needs("needs", &f.Needs),
		member{"system", func(n *yaml.Node, path string) {
			r.object(n, path,
				r.code("app_key", &f.System.AppKey),
				r.text("name", &f.System.Name),
				r.codes("ip_allow", &f.System.IPAllow),
				r.rate("rate", &f.System.Rate),
			)
		}},
		objects(r, "licences", &f.Licences, r.licence),
	)
	return f
}

func (r reader) licence(n *yaml.Node, path string) FormLicence {
	var l FormLicence
	r.object(n, path,
		r.text("name", &l.Name),
		r.code("item", &l.Item),
		r.text("seal", &l.Seal),
		r.needs("needs", &l.Needs),
		r.codes("service_items", &l.ServiceItems),
	)
	return l
}

// needs is a member that lists needs by word or key; words become keys.
func (r reader) needs(name string, dst *[]string) member {
	return objects(r, name, dst, func(n *yaml.Node, path string) string {
		var need string
		r.text("", &need).read(n, path)
		for key, word := range formNeeds.names {
			if need == word {
				return key
			}
		}
		return need
	})
}

// check notes the faults that show without looking at the platform.
func (f *ApplicationForm) check(to *faults) {
	to.want("", "number", formNumberFault(f.Number))
	if f.Date == "" {
		to.want("", "date", "缺少申请日期，请填写")
	}
	to.want("", "date", dateFault(f.Date))
	to.want("", "unit", text(f.Unit, "单位名称", shortText))
	to.want("", "unit_code", creditCodeFault(f.UnitCode))
	if f.Superior != "" {
		to.want("", "superior", creditCodeFault(f.Superior))
	}
	if f.Superior != "" && f.Superior == f.UnitCode {
		to.want("", "superior", "上级主管部门不能是申请单位自己，请改正或删去")
	}
	to.want("", "division", optional(f.Division, "行政区划名称", shortText))
	to.want("", "division_code", divisionFault(f.DivisionCode))
	to.want("", "contact", text(f.Contact, "联系人", shortText))
	to.want("", "phone", shaped(f.Phone, phoneShape, "联系电话", "应当是 5 至 32 位的数字，可含 +、-、空格和括号"))
	to.want("", "email", shaped(f.Email, emailShape, "电子邮箱", "应当如 name@example.gov.cn"))
	to.wantEach("", "needs", f.Needs, formNeedFault)

	to.want("system", "app_key", nameFault(f.System.AppKey, "应用标识"))
	to.want("system", "name", text(f.System.Name, "业务系统名称", shortText))
	to.wantEach("system", "ip_allow", f.System.IPAllow, addressFault)

	if len(f.Licences) == 0 {
		to.want("", "licences", "缺少对应证照，请至少列一项")
	}
	for i, l := range f.Licences {
		at := element("licences", i)
		to.want(at, "name", text(l.Name, "证照名称", shortText))
		to.want(at, "item", itemCodeFault(l.Item))
		to.want(at, "seal", optional(l.Seal, "印章信息", shortText))
		if len(f.Needs)+len(l.Needs) == 0 {
			to.want(at, "needs", formNeeds.fault("")+"；也可在申请表的 needs 中统一填写")
		}
		to.wantEach(at, "needs", l.Needs, formNeedFault)
		to.wantEach(at, "service_items", l.ServiceItems, missingServiceItem)
	}
}

// needsOf are the needs of a row, in the order of the platform file.
func (f *ApplicationForm) needsOf(l *FormLicence) []string {
	asked := l.Needs
	if len(asked) == 0 {
		asked = f.Needs
	}
	var needs []string
	for _, need := range grantNeeds.words {
		if slices.Contains(asked, need) {
			needs = append(needs, need)
		}
	}
	return needs
}
