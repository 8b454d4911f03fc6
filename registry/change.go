package registry

import "strings"

// A Change is one difference between two platforms, for people and as JSON. It holds no secret and no person's name
// or number: "(已设置)" stands for one.
type Change struct {
	Action string `json:"action"` // add, remove, change
	Kind   string `json:"kind"`   // department, item, service_item, application, account, administrator, masking, policy
	// Key is the code, app_key, account, administrator or masking kind; DEPARTMENT/CODE of a service item; "policy" of the policy text.
	Key string `json:"key"`
	// Field is what changed: a key of the file, or a path by names: fields.CZR.sensitive, grants[0].needs.
	Field string `json:"field,omitempty"` // for change
	// Old and New are the values; of what is added or removed, its name (none of a person) or its policy line.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Detail is what else an added or removed object holds, member by member: whoever approves must see what comes with it.
	Detail string `json:"detail,omitempty"`
}

const (
	actionAdd    = "add"
	actionRemove = "remove"
	actionChange = "change"

	kindDepartment    = "department"
	kindItem          = "item"
	kindServiceItem   = "service_item"
	kindApplication   = "application"
	kindAccount       = "account"
	kindAdministrator = "administrator"
	kindMasking       = "masking"
	kindPolicy        = "policy"
)

// hidden stands for a value that is not shown.
const hidden = "(已设置)"

var kindNames = map[string]string{
	kindDepartment: "单位", kindItem: "证照目录", kindServiceItem: "事项", kindApplication: "应用", kindAccount: "账户",
	kindAdministrator: "管理员", kindMasking: "脱敏规则", kindPolicy: "策略",
}

// String returns the change as a line for people: "+ 应用 hydj（婚姻登记系统）", "~ 应用 hydj：ip_allow 127.0.0.0/8 → 10.0.0.0/8".
func (c Change) String() string {
	subject := kindNames[c.Kind]
	if c.Kind != kindPolicy {
		subject += " " + c.Key
	}
	switch {
	case c.Action == actionAdd && c.Kind == kindPolicy:
		return "+ " + subject + " " + c.New
	case c.Action == actionRemove && c.Kind == kindPolicy:
		return "- " + subject + " " + c.Old
	case c.Action == actionAdd:
		return "+ " + subject + named(c.New)
	case c.Action == actionRemove:
		return "- " + subject + named(c.Old)
	case c.Kind == kindPolicy:
		return "~ " + subject + "：只有行的次序、空白有改动"
	}
	line := "~ " + subject + "：" + c.Field + " "
	switch {
	case c.Field == "disabled":
		return "~ " + subject + "：" + disabledText(c.New)
	case c.Field == previousSecret:
		return "~ " + subject + "：轮换前的密钥 " + c.value(c.Old) + " → " + c.value(c.New)
	case c.Old == hidden && c.New == hidden:
		return line + "已更换"
	case c.New == hidden:
		return line + "已设置"
	}
	return line + c.value(c.Old) + " → " + c.value(c.New)
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return "（" + name + "）"
}

// previousSecret is the Field of the secret before a rotation, while it stays good.
const previousSecret = "previous_secret"

// disabledText says what the member disabled means.
func disabledText(value string) string {
	return map[string]string{"true": "停用", "false": "启用"}[value]
}

// value shows what an empty value means: of a list of restrictions, that there is none.
func (c Change) value(v string) string {
	switch {
	case v != "":
		return strings.ReplaceAll(v, "\n", "⏎")
	case c.Field == "ip_allow" || strings.HasSuffix(c.Field, "].service_items"):
		return "（不限）"
	}
	return "（无）"
}

// RemovedItems returns the codes of the catalogue items that changes take away, so that the caller can refuse while
// licences of them exist.
func RemovedItems(changes []Change) []string {
	var codes []string
	for _, c := range changes {
		if c.Kind == kindItem && c.Action == actionRemove {
			codes = append(codes, c.Key)
		}
	}
	return codes
}
