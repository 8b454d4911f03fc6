package e2e

import "strings"

// Two departments that know nothing of each other, one catalogue, and accounts for every role.
const (
	mzj = "11110000000021135M" // 北京市民政局
	gaj = "91350100M000100Y43" // another department

	marriage = "305018201"
	service  = "110103MZ001"
	holderID = "11010119800229123X"
	spouseID = "11010519491231002X"
)

const platform = `
departments:
  - {code: 11110000000021135M, name: 北京市民政局, division: 北京市, division_code: "110000", parent: ""}
  - {code: 91350100M000100Y43, name: 另一个局, division: 北京市, division_code: "110000", parent: ""}
items:
  - license_item_code: "305018201"
    name: 内地居民婚姻登记证
    department: 11110000000021135M
    status: PUBLISH
    is_open: true
    holder_type: person
    validity: 长期
    license_groups: ["1"]
    fields:
      - {key: CZR, label: 持证人, type: string, required: true, sensitive: name, role: holder_name}
      - {key: CYRSFZJHM, label: 身份证件号码, type: string, required: true, sensitive: identity_number, role: holder_identity_num}
      - {key: POXM, label: 配偶姓名, type: string, sensitive: name}
      - {key: JHZZH, label: 结婚证字号, type: string, role: id_code}
      - {key: FZRQ, label: 发证日期, type: date, role: issue_date}
  - license_item_code: "100185101"
    name: 另一种证
    department: 91350100M000100Y43
    status: PUBLISH
    is_open: true
    holder_type: person
    validity: 5年
    fields:
      - {key: NAME, label: 姓名, type: string, required: true, sensitive: name, role: holder_name}
      - {key: IDNUM, label: 证件号码, type: string, required: true, sensitive: identity_number, role: holder_identity_num}
  - {license_item_code: "100185102", name: 起草中的证, department: 91350100M000100Y43, status: DRAFT, is_open: false, holder_type: both, fields: [{key: A, label: 甲, type: string}]}
service_items:
  - {code: 110103MZ001, name: 婚姻登记, department: 11110000000021135M, items: ["305018201"]}
  - {code: 110103GA001, name: 另一事项, department: 91350100M000100Y43, items: ["100185101"]}
applications:
  - app_key: hydj
    name: 婚姻登记系统
    department: 11110000000021135M
    ip_allow: ["127.0.0.0/8", "::1"]
    rate: {per_second: 100000}
    grants:
      - {items: ["305018201"], needs: [issue, abolish, function_call, archive, web_view, mobile_search, sensitive]}
  - app_key: other
    name: 另一个系统
    department: 91350100M000100Y43
    rate: {per_second: 100000}
    grants:
      - {items: ["*"], needs: [issue, abolish, function_call, archive, web_view, mobile_search]}
      - {items: ["305018201"], needs: [issue, abolish]}
  - app_key: readonly
    name: 只查不发
    department: 11110000000021135M
    rate: {per_second: 100000}
    grants:
      - {items: ["305018201"], needs: [function_call, web_view]}
accounts:
  - {account: zhangbin, name: 张彬, identity_num: 11010519491231002X, department: 11110000000021135M, roles: [issuer, approver, user, archivist]}
  - {account: maker, name: 制证人, department: 11110000000021135M, roles: [issuer]}
  - {account: seer, name: 可见敏感, department: 11110000000021135M, roles: [user, archivist, sensitive_reader]}
  - {account: nobody, name: 无角色, department: 11110000000021135M, roles: []}
  - {account: chief, name: 部门管理员, department: 11110000000021135M, roles: [org_admin, user]}
  - {account: stranger, name: 外局人, department: 91350100M000100Y43, roles: [issuer, approver, user, archivist]}
`

// edited is the platform with replacements, each of which must hit.
func edited(pairs ...string) string {
	text := platform
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			panic("the platform has no " + pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// operator is what business systems send along.
func operator() object {
	return object{"account": "bj_mzj", "name": "张三", "role": "科员", "service_org": "市民政局", "division": "朝阳区", "division_code": "110105"}
}

// wrapped is a write's body: everything in data.
func wrapped(more object) object {
	data := object{"service_item_code": service, "service_item_name": "婚姻登记", "biz_num": "20200721123", "operator": operator()}
	for k, v := range more {
		data[k] = v
	}
	return object{"data": data}
}

// marriageFields is the face of a marriage licence with the given number.
func marriageFields(number string) object {
	return object{"CZR": "李大华", "CYRSFZJHM": holderID, "POXM": "欧阳明月", "JHZZH": number, "FZRQ": "2020-2-14"}
}
