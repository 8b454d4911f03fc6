package registry

import "go.yaml.in/yaml/v3"

// The readers of the sections. They name every key of docs/operators.md, fill in defaults, and leave the judging of
// values to form.

func (r reader) platform(n *yaml.Node) *Platform {
	p := &Platform{}
	r.object(n, "",
		section(r, "departments", &p.Departments, r.department),
		section(r, "items", &p.Items, r.item),
		section(r, "service_items", &p.ServiceItems, r.serviceItem),
		section(r, "applications", &p.Applications, r.application),
		section(r, "accounts", &p.Accounts, r.account),
		section(r, "administrators", &p.Administrators, r.administrator),
		section(r, "masking", &p.Masking, r.maskRule),
		member{"policy", func(n *yaml.Node, path string) {
			var text string
			r.text("", &text).read(n, path)
			p.Policy = &text
		}},
	)
	return p
}

func (r reader) maskRule(n *yaml.Node, path string) MaskRule {
	var m MaskRule
	r.object(n, path,
		r.text("sensitive", &m.Sensitive),
		r.code("show", &m.Show),
	)
	return m
}

func (r reader) department(n *yaml.Node, path string) Department {
	var d Department
	r.object(n, path,
		r.code("code", &d.Code),
		r.text("name", &d.Name),
		r.text("division", &d.Division),
		r.code("division_code", &d.DivisionCode),
		r.code("parent", &d.Parent),
	)
	return d
}

func (r reader) item(n *yaml.Node, path string) Item {
	item := Item{Status: "PUBLISH", IsOpen: true}
	r.object(n, path,
		r.code("license_item_code", &item.LicenseItemCode),
		r.text("name", &item.Name),
		r.text("short_name", &item.ShortName),
		r.code("department", &item.Department),
		r.text("status", &item.Status),
		r.flag("is_open", &item.IsOpen),
		r.text("holder_type", &item.HolderType),
		r.code("type", &item.Type),
		r.code("version", &item.Version),
		r.code("publish_date", &item.PublishDate),
		r.text("description", &item.Description),
		r.text("validity", &item.Validity),
		r.codes("license_groups", &item.LicenseGroups),
		r.code("seal_code", &item.SealCode),
		objects(r, "fields", &item.Fields, r.field),
		objects(r, "faces", &item.Faces, r.face),
	)
	return item
}

func (r reader) field(n *yaml.Node, path string) Field {
	field := Field{Type: "string"}
	r.object(n, path,
		r.text("key", &field.Key),
		r.text("label", &field.Label),
		r.text("type", &field.Type),
		r.number("length", func(v int64) { field.Length = int(v) }),
		r.flag("required", &field.Required),
		r.flag("hidden", &field.Hidden),
		r.text("sensitive", &field.Sensitive),
		r.text("role", &field.Role),
	)
	return field
}

func (r reader) serviceItem(n *yaml.Node, path string) ServiceItem {
	var s ServiceItem
	r.object(n, path,
		r.code("code", &s.Code),
		r.text("name", &s.Name),
		r.code("department", &s.Department),
		r.codes("items", &s.Items),
	)
	return s
}

func (r reader) application(n *yaml.Node, path string) Application {
	var a Application
	r.object(n, path,
		r.code("app_key", &a.AppKey),
		r.text("name", &a.Name),
		r.code("department", &a.Department),
		r.text("secret", &a.Secret),
		r.codes("ip_allow", &a.IPAllow),
		r.rate("rate", &a.Rate),
		r.state("disabled", &a.Disabled, &a.DisabledGiven),
		objects(r, "grants", &a.Grants, r.grant),
	)
	return a
}

func (r reader) rate(name string, dst *Rate) member {
	return member{name, func(n *yaml.Node, path string) {
		r.object(n, path,
			r.number("per_second", func(v int64) { dst.PerSecond = v }),
			r.number("per_minute", func(v int64) { dst.PerMinute = v }),
		)
	}}
}

func (r reader) grant(n *yaml.Node, path string) Grant {
	var g Grant
	r.object(n, path,
		r.codes("items", &g.Items),
		r.codes("needs", &g.Needs),
		r.codes("service_items", &g.ServiceItems),
		r.code("form", &g.Form),
	)
	return g
}

func (r reader) account(n *yaml.Node, path string) Account {
	var a Account
	r.object(n, path,
		r.code("account", &a.Account),
		r.text("name", &a.Name),
		r.code("identity_num", &a.IdentityNum),
		r.code("department", &a.Department),
		r.text("password", &a.Password),
		r.codes("roles", &a.Roles),
		r.state("disabled", &a.Disabled, &a.DisabledGiven),
	)
	return a
}

func (r reader) administrator(n *yaml.Node, path string) Administrator {
	var a Administrator
	r.object(n, path,
		r.code("administrator", &a.Administrator),
		r.text("name", &a.Name),
		r.text("role", &a.Role),
		r.code("identity_num", &a.IdentityNum),
		r.text("password", &a.Password),
		r.codes("certificates", &a.Certificates),
		r.state("disabled", &a.Disabled, &a.DisabledGiven),
	)
	return a
}
