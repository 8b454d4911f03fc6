package registry

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// drafted drafts a form, checks that the draft can be applied, and returns its changes and notes.
func drafted(t *testing.T, current *Platform, form string) (*Planned, []string) {
	t.Helper()
	f := readForm(t, form)
	draft, notes, err := f.Draft(current)
	if err != nil {
		t.Fatalf("Draft: %v", err)
	}
	v := newVault(t)
	planned := plan(t, v, current, draft, "a", tuesday)
	samePlan(t, v, draft, current)
	for _, note := range notes {
		for _, personal := range []string{f.Contact, f.Phone, f.Email} {
			if strings.Contains(note, personal) {
				t.Errorf("a contact person in %s", note)
			}
		}
	}
	return planned, notes
}

func wantNotes(t *testing.T, notes []string, want ...string) {
	t.Helper()
	if !slices.Equal(notes, want) {
		t.Errorf("notes:\n%s\nwant:\n%s", strings.Join(notes, "\n"), strings.Join(want, "\n"))
	}
}

func TestDraftExample(t *testing.T) {
	t.Parallel()
	current := demonstration(t)
	planned, notes := drafted(t, current, onboarding(t))
	wantLines(t, planned.Changes, "+ 单位 111101050000012346（示例区档案馆）", "+ 应用 slda（示例区档案管理系统）")
	wantNotes(
		t, notes,
		"证照目录 305018201（内地居民婚姻登记证）登记的默认印章编码为（无），申请表的印章信息为“示例区民政局婚姻登记专用章”，请核对",
		"证照目录 305018201（内地居民婚姻登记证）由单位 11110000000021135M（北京市民政局）编制，不是申请单位；授权后可以取得其证照，请确认该单位同意",
		"证照目录 305018201（内地居民婚姻登记证）有敏感数据项 持证人、身份证件号码、出生日期、配偶姓名、配偶身份证件号码，按申请表的需求授权后返回脱敏数据；明文（sensitive）不由申请表授予",
	)
	d, a := planned.Next.Departments[2], planned.Next.Applications[1]
	if want := (Department{
		Code: "111101050000012346", Name: "示例区档案馆", Division: "朝阳区", DivisionCode: "110105", Parent: "11110000000021135M",
	}); d != want {
		t.Errorf("department %+v", d)
	}
	want := []Grant{{
		Items: []string{"305018201"}, Needs: []string{"function_call", "archive", "masked_view"}, ServiceItems: []string{"110103MZ001"}, Form: "2024-0012",
	}}
	if a.Department != d.Code || !slices.Equal(a.IPAllow, []string{"10.20.0.0/24"}) || a.Rate != (Rate{PerSecond: 20}) || a.Disabled || !reflect.DeepEqual(a.Grants, want) {
		t.Errorf("application %+v", a)
	}
	if got := Classes(planned.Changes, current, planned.Next); !slices.Equal(got, []string{ClassRegistry, ClassRights}) {
		t.Errorf("classes %v", got)
	}
	// The same form is handed in again.
	f := readForm(t, onboarding(t))
	_, _, err := f.Draft(planned.Next)
	if want := `第 3 行 number：申请表 "2024-0012" 的授权已经登记（应用 slda），请勿重复提交，或更正编号`; err == nil || err.Error() != want {
		t.Errorf("again: %v", err)
	}
	// Under another number it adds to what is there.
	planned, notes = drafted(t, planned.Next, strings.Replace(onboarding(t), "2024-0012", "2024-0013", 1))
	wantLines(t, planned.Changes,
		"~ 应用 slda：grants[1] （无） → items 305018201；needs archive、function_call、masked_view；service_items 110103MZ001；form 2024-0013")
	if notes[len(notes)-1] != "应用 slda（示例区档案管理系统）已经登记，草案只增加授权" {
		t.Errorf("notes %v", notes)
	}
}

const catalogue = `
departments:
  - {code: 11110000000021135M, name: 北京市民政局, division: 北京市}
  - {code: 91350100M000100Y43, name: 另一单位}
items:
  - {license_item_code: "305018201", name: 婚姻登记证, department: 11110000000021135M, holder_type: person, seal_code: S1, fields: [{key: A, label: 甲, sensitive: name}]}
  - {license_item_code: "305018202", name: 离婚证, department: 11110000000021135M, holder_type: person, fields: [{key: A, label: 甲}]}
  - {license_item_code: "123456789006939684110000", name: 许可证, department: 91350100M000100Y43, holder_type: organisation, status: DRAFT}
service_items:
  - {code: S-1, name: 事项一, department: 11110000000021135M, items: ["305018201"]}
  - {code: S-2, name: 事项二, department: 11110000000021135M}
applications:
  - app_key: hydj
    name: 婚姻登记系统
    department: 11110000000021135M
    ip_allow: [10.0.0.1]
    disabled: true
    grants: [{items: ["305018201"], needs: [archive, sensitive], form: "1"}]
`

// asking is a form of the department of the catalogue, with these needs and licences.
func asking(needs, system, licences string) string {
	return `{date: 2024-03-01, unit: 北京市民政局, unit_code: 11110000000021135M, contact: 李四, phone: 13800138000, email: lisi@example.gov.cn,
needs: [` + needs + `], system: {` + system + `}, licences: [` + licences + `]}`
}

func TestDraftGrants(t *testing.T) {
	t.Parallel()
	current := plan(t, newVault(t), nil, parse(t, catalogue), "a", monday).Next
	const other = "证照目录 123456789006939684110000（许可证）由单位 91350100M000100Y43（另一单位）编制，不是申请单位；"
	for _, test := range []struct {
		name, needs, licences string
		want                  []Grant
		notes                 []string
	}{
		{
			"one block for equal rights, in any order", "归档, 网页亮证",
			`{name: 离婚证, item: "305018202", service_items: [S-1, S-2]},
			 {name: 婚姻登记证, item: "305018201", seal: S1, needs: [web_view, archive], service_items: [S-2, S-1]}`,
			[]Grant{{Items: []string{"305018202", "305018201"}, Needs: []string{"archive", "web_view"}, ServiceItems: []string{"S-1", "S-2"}}},
			[]string{"证照目录 305018201（婚姻登记证）有敏感数据项 甲，按申请表的需求授权后返回脱敏数据；明文（sensitive）不由申请表授予"},
		},
		{
			"several blocks", "归档",
			`{name: 离婚证, item: "305018202"}, {name: 离婚证, item: "305018202", service_items: [S-1]}, {name: 离婚证, item: "305018202", needs: [网页亮证]}`,
			[]Grant{
				{Items: []string{"305018202"}, Needs: []string{"archive"}},
				{Items: []string{"305018202"}, Needs: []string{"archive"}, ServiceItems: []string{"S-1"}},
				{Items: []string{"305018202"}, Needs: []string{"web_view"}},
			},
			nil,
		},
		{
			"masked pages alone disclose nothing", "脱敏亮证", `{name: 婚姻登记证, item: "305018201"}`,
			[]Grant{{Items: []string{"305018201"}, Needs: []string{"masked_view"}}},
			nil,
		},
		{
			"an item of others, by another form of its code", "发证, 废止",
			`{name: 行政许可证, item: "123456789", seal: 专用章}`,
			[]Grant{{Items: []string{"123456789006939684110000"}, Needs: []string{"issue", "abolish"}}},
			[]string{
				"第 1 项的证照名称为“行政许可证”，证照目录 123456789006939684110000（许可证）名称不同，请核对编码",
				"证照目录 123456789006939684110000（许可证）登记的默认印章编码为（无），申请表的印章信息为“专用章”，请核对",
				"证照目录 123456789006939684110000（许可证）尚未发布或未开通，授权后也不能制证",
				other + "授权后可以制作、废止或取得其证照，请确认该单位同意",
			},
		},
		{
			"calls under service items", "依职能调用",
			`{name: 离婚证, item: "305018202", service_items: [S-1, S-2]}, {name: 离婚证, item: "305018202"}`,
			[]Grant{
				{Items: []string{"305018202"}, Needs: []string{"function_call"}, ServiceItems: []string{"S-1", "S-2"}},
				{Items: []string{"305018202"}, Needs: []string{"function_call"}},
			},
			[]string{
				"事项 S-1（事项一）可以调用的目录中没有 305018202，依职能调用会被拒绝，请先补登",
				"事项 S-2（事项二）可以调用的目录中没有 305018202，依职能调用会被拒绝，请先补登",
				"证照目录 305018202（离婚证）的依职能调用没有限定事项，对申请单位的任何事项都有效，请确认",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			planned, notes := drafted(t, current, asking(test.needs, "app_key: xin, name: 新系统, ip_allow: [10.0.0.2]", test.licences))
			wantNotes(t, notes, test.notes...)
			if got := planned.Next.Applications[1]; got.Department != "11110000000021135M" || !reflect.DeepEqual(got.Grants, test.want) {
				t.Errorf("application %+v, want grants %+v", got, test.want)
			}
			wantLines(t, planned.Changes, "+ 应用 xin（新系统）")
		})
	}
}

func TestDraftKnownApplication(t *testing.T) {
	t.Parallel()
	current := plan(t, newVault(t), nil, parse(t, catalogue), "a", monday).Next
	before := slices.Clone(current.Applications)
	const licence = `{name: 离婚证, item: "305018202"}`
	planned, notes := drafted(t, current, asking("归档", "app_key: hydj, name: 婚姻登记系统, ip_allow: [10.0.0.1]", licence))
	wantLines(t, planned.Changes, "~ 应用 hydj：grants[1] （无） → items 305018202；needs archive")
	wantNotes(t, notes, "应用 hydj（婚姻登记系统）已经登记，草案只增加授权", "应用 hydj 已停用，启用后授权才起作用")
	if !reflect.DeepEqual(current.Applications, before) {
		t.Error("the platform in force was changed")
	}
	for _, system := range []string{
		"app_key: hydj, name: 登记系统", "app_key: hydj, name: 婚姻登记系统, ip_allow: [10.0.0.2]", "app_key: hydj, name: 婚姻登记系统, rate: {per_minute: 1}",
	} {
		planned, notes := drafted(t, current, asking("归档", system, licence))
		if len(planned.Changes) != 1 || notes[len(notes)-1] != "应用 hydj 登记的名称、来源地址或频率与申请表不同，草案不作改动，需要变更的请另行提交" {
			t.Errorf("%s: %v, %v", system, spoken(planned.Changes), notes)
		}
	}
}

func TestDraftUnit(t *testing.T) {
	t.Parallel()
	current := plan(t, newVault(t), nil, parse(t, catalogue), "a", monday).Next
	text := asking("归档", "app_key: xin, name: 新系统", `{name: 离婚证, item: "305018202"}`)
	// A unit that is registered stays as it is.
	planned, notes := drafted(t, current, strings.Replace(text, "unit: 北京市民政局", "unit: 市民政局, superior: 91350100M000100Y43, division: 朝阳区, division_code: 110105", 1))
	wantLines(t, planned.Changes, "+ 应用 xin（新系统）")
	wantNotes(
		t, notes,
		"单位 11110000000021135M 登记的名称为“北京市民政局”，申请表写作“市民政局”，草案不作改动",
		"单位 11110000000021135M 登记的上级主管部门为（无），申请表写作“91350100M000100Y43”，草案不作改动",
		"单位 11110000000021135M 登记的行政区划为“北京市”，申请表写作“朝阳区”，草案不作改动",
		"单位 11110000000021135M 登记的行政区划代码为（无），申请表写作“110105”，草案不作改动",
		"申请表没有填写来源地址（ip_allow），任何地址都能使用该应用的密钥，请补充",
	)
	// Only what must change is declared.
	draft, _, err := readForm(t, text).Draft(current)
	if err != nil || draft.Departments != nil || draft.Items != nil || draft.ServiceItems != nil || draft.Accounts != nil || draft.Administrators != nil || draft.Policy != nil {
		t.Errorf("draft %+v, %v", draft, err)
	}
	// A new unit uses the service items of the one above it.
	below := strings.Replace(text, "unit_code: 11110000000021135M", "unit_code: 111101050000012346, superior: 11110000000021135M", 1)
	planned, _ = drafted(t, current, strings.Replace(below, `"305018202"`, `"305018202", service_items: [S-1]`, 1))
	wantLines(t, planned.Changes, "+ 单位 111101050000012346（北京市民政局）", "+ 应用 xin（新系统）")
	if got := Classes(planned.Changes, current, planned.Next); !slices.Equal(got, []string{ClassRegistry, ClassRights}) {
		t.Errorf("classes %v", got)
	}
	// On an empty platform there is nothing to ask for.
	if draft, notes, err := readForm(t, text).Draft(nil); draft != nil || notes != nil || err == nil {
		t.Errorf("got %+v, %v, %v", draft, notes, err)
	}
}
