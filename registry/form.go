package registry

import (
	"slices"
	"strconv"
	"strings"
)

// form notes the faults of p that show without looking up a reference: values missing or malformed, words outside
// their list, the same code twice.
func form(f *faults, p *Platform) {
	departmentForm(f, p.Departments)
	itemForm(f, p.Items)
	serviceItemForm(f, p.ServiceItems)
	applicationForm(f, p.Applications)
	accountForm(f, p.Accounts)
	administratorForm(f, p.Administrators)
	maskingForm(f, p.Masking)
	if p.Policy != nil {
		f.want("", "policy", printable(*p.Policy, "\n\t"))
	}
}

func maskingForm(f *faults, all []MaskRule) {
	kinds := uniques{}
	for i, m := range all {
		at := f.object("masking", i, m.Sensitive)
		f.want(at, "sensitive", sensitives.fault(m.Sensitive))
		if shows, known := maskShows[m.Sensitive]; known {
			f.want(at, "show", vocabulary{what: "脱敏方式", words: shows}.fault(m.Show))
		}
		kinds.check(f, at, "sensitive", m.Sensitive)
	}
}

func departmentForm(f *faults, all []Department) {
	codes := uniques{}
	for i, d := range all {
		at := f.object("departments", i, d.Code)
		f.want(at, "code", creditCodeFault(d.Code))
		f.want(at, "name", text(d.Name, "单位名称", shortText))
		f.want(at, "division", optional(d.Division, "行政区划名称", shortText))
		f.want(at, "division_code", divisionFault(d.DivisionCode))
		codes.check(f, at, "code", d.Code)
	}
}

func itemForm(f *faults, all []Item) {
	codes := uniques{}
	for i, item := range all {
		at := f.object("items", i, item.LicenseItemCode)
		f.want(at, "license_item_code", itemCodeFault(item.LicenseItemCode))
		f.want(at, "name", text(item.Name, "证照名称", shortText))
		f.want(at, "short_name", optional(item.ShortName, "证照简称", shortText))
		f.want(at, "department", missing(item.Department, "所属单位的代码"))
		f.want(at, "status", itemStatuses.fault(item.Status))
		f.want(at, "holder_type", holderTypes.fault(item.HolderType))
		f.want(at, "type", optional(item.Type, "证照类型", shortText))
		f.want(at, "version", optional(item.Version, "版本", shortText))
		f.want(at, "publish_date", dateFault(item.PublishDate))
		f.want(at, "description", printable(item.Description, "\n"))
		if item.Validity != "" {
			f.want(at, "validity", shaped(item.Validity, validityShape, "有效期", "应当是 长期，或如 5年、18个月、90天"))
		}
		f.wantEach(at, "license_groups", item.LicenseGroups, func(group string) string { return text(group, "照面模版组别", shortText) })
		f.want(at, "seal_code", optional(item.SealCode, "印章编码", shortText))
		fieldForm(f, at, item.Fields)
		faceForm(f, at, &all[i])
		codes.check(f, at, "license_item_code", item.LicenseItemCode)
	}
}

func fieldForm(f *faults, item string, all []Field) {
	keys, roles := uniques{}, uniques{}
	for i, field := range all {
		at := element(item+".fields", i)
		f.want(at, "key", shaped(field.Key, fieldKeyShape, "数据项的键", "应当以字母或下划线开头，只含字母、数字、下划线，至多 64 位"))
		f.want(at, "label", text(field.Label, "数据项名称", shortText))
		f.want(at, "type", fieldTypes.fault(field.Type))
		if field.Length < 0 {
			f.want(at, "length", "不能是负数")
		}
		if field.Sensitive != "" {
			f.want(at, "sensitive", sensitives.fault(field.Sensitive))
		}
		if field.Role != "" {
			f.want(at, "role", fieldRoles.fault(field.Role))
		}
		keys.check(f, at, "key", field.Key)
		if slices.Contains(singleRoles, field.Role) {
			roles.check(f, at, "role", field.Role)
		}
	}
}

func serviceItemForm(f *faults, all []ServiceItem) {
	codes := uniques{}
	for i, s := range all {
		at := f.object("service_items", i, serviceItemKey(&s))
		f.want(at, "code", shaped(s.Code, serviceItemShape, "事项编码", "应当是 1 至 64 位的字母、数字、下划线、连字符"))
		f.want(at, "name", text(s.Name, "事项名称", shortText))
		f.want(at, "department", missing(s.Department, "所属单位的代码"))
		f.wantEach(at, "items", s.Items, missingItem)
		codes.check(f, at, "code", s.Code, s.Department)
	}
}

func applicationForm(f *faults, all []Application) {
	keys := uniques{}
	for i, a := range all {
		at := f.object("applications", i, a.AppKey)
		f.want(at, "app_key", nameFault(a.AppKey, "应用标识"))
		f.want(at, "name", text(a.Name, "应用名称", shortText))
		f.want(at, "department", missing(a.Department, "所属单位的代码"))
		f.want(at, "secret", secretFault(a.Secret))
		f.wantEach(at, "ip_allow", a.IPAllow, addressFault)
		if a.Rate.PerSecond < 0 {
			f.want(at, "rate.per_second", "不能是负数")
		}
		if a.Rate.PerMinute < 0 {
			f.want(at, "rate.per_minute", "不能是负数")
		}
		for j, g := range a.Grants {
			grantForm(f, element(at+".grants", j), g)
		}
		keys.check(f, at, "app_key", a.AppKey)
	}
}

func grantForm(f *faults, at string, g Grant) {
	if len(g.Items) == 0 {
		f.want(at, "items", "缺少证照目录编码，请至少列一个；全部目录写作 \"*\"")
	}
	f.wantEach(at, "items", g.Items, missingItem)
	if len(g.Needs) == 0 {
		f.want(at, "needs", grantNeeds.fault(""))
	}
	f.wantEach(at, "needs", g.Needs, grantNeeds.fault)
	f.wantEach(at, "service_items", g.ServiceItems, missingServiceItem)
	f.want(at, "form", formNumberFault(g.Form))
}

func accountForm(f *faults, all []Account) {
	names := uniques{}
	for i, a := range all {
		at := f.object("accounts", i, a.Account)
		f.want(at, "account", nameFault(a.Account, "账户名"))
		f.want(at, "name", text(a.Name, "姓名", shortText))
		f.want(at, "identity_num", identityFault(a.IdentityNum))
		f.want(at, "department", missing(a.Department, "所属单位的代码"))
		f.want(at, "password", passwordFault(a.Password))
		f.wantEach(at, "roles", a.Roles, func(role string) string {
			if !roleShape.MatchString(role) {
				return accountRoles.fault(role)
			}
			return ""
		})
		names.check(f, at, "account", a.Account)
	}
}

func administratorForm(f *faults, all []Administrator) {
	names, certificates := uniques{}, uniques{}
	for i, a := range all {
		at := f.object("administrators", i, a.Administrator)
		f.want(at, "administrator", nameFault(a.Administrator, "管理员登录名"))
		f.want(at, "name", text(a.Name, "姓名", shortText))
		f.want(at, "role", powers.fault(a.Role))
		f.want(at, "identity_num", identityFault(a.IdentityNum))
		f.want(at, "password", passwordFault(a.Password))
		f.wantEach(at, "certificates", a.Certificates, certificateFault)
		names.check(f, at, "administrator", a.Administrator)
		for j, digest := range a.Certificates {
			certificates.check(f, at, element("certificates", j), digest)
		}
	}
}

// uniques remembers where each key was first met.
type uniques map[[2]string]string

// check notes a fault when the key, within the scope if one is given, was met before. Empty keys have their own fault.
func (u uniques) check(f *faults, at, member, key string, scope ...string) {
	if key == "" {
		return
	}
	full := [2]string{strings.Join(scope, " "), key}
	first, met := u[full]
	if !met {
		u[full] = at + "." + member
		return
	}
	place := first
	if line := lineOf(f.file, first); line > 0 {
		place = "第 " + strconv.Itoa(line) + " 行 " + first
	}
	f.want(at, member, "与"+place+" 重复，请改正或删去一个")
}
