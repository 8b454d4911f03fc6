package registry

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Render writes p as a platform file without secrets, hashes or identity numbers; Parse(Render(p)) equals p but for those.
//
// A nil section is left out, an empty one is written as []. p must have the form that Parse asks for.
func Render(p *Platform) ([]byte, error) {
	root := mapping(0)
	if p.Departments != nil {
		put(root, "departments", sequence(p.Departments, departmentNode))
	}
	if p.Items != nil {
		put(root, "items", sequence(p.Items, itemNode))
	}
	if p.ServiceItems != nil {
		put(root, "service_items", sequence(p.ServiceItems, serviceItemNode))
	}
	if p.Applications != nil {
		put(root, "applications", sequence(p.Applications, applicationNode))
	}
	if p.Accounts != nil {
		put(root, "accounts", sequence(p.Accounts, accountNode))
	}
	if p.Administrators != nil {
		put(root, "administrators", sequence(p.Administrators, administratorNode))
	}
	if p.Masking != nil {
		put(root, "masking", sequence(p.Masking, maskRuleNode))
	}
	if p.Policy != nil {
		put(root, "policy", paragraph(*p.Policy))
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(root), encoder.Close()); err != nil {
		return nil, fmt.Errorf("registry: write platform as YAML: %w", err)
	}
	return out.Bytes(), nil
}

func maskRuleNode(m *MaskRule) *yaml.Node {
	n := mapping(yaml.FlowStyle)
	put(n, "sensitive", plain(m.Sensitive))
	put(n, "show", quoted(m.Show))
	return n
}

func departmentNode(d *Department) *yaml.Node {
	n := mapping(0)
	put(n, "code", quoted(d.Code))
	put(n, "name", plain(d.Name))
	putText(n, "division", plain, d.Division)
	putText(n, "division_code", quoted, d.DivisionCode)
	put(n, "parent", quoted(d.Parent))
	return n
}

func itemNode(item *Item) *yaml.Node {
	n := mapping(0)
	put(n, "license_item_code", quoted(item.LicenseItemCode))
	put(n, "name", plain(item.Name))
	putText(n, "short_name", plain, item.ShortName)
	put(n, "department", quoted(item.Department))
	put(n, "status", plain(item.Status))
	put(n, "is_open", boolean(item.IsOpen))
	put(n, "holder_type", plain(item.HolderType))
	putText(n, "type", quoted, item.Type)
	putText(n, "version", quoted, item.Version)
	putText(n, "publish_date", quoted, item.PublishDate)
	putText(n, "description", paragraph, item.Description)
	putText(n, "validity", plain, item.Validity)
	putCodes(n, "license_groups", item.LicenseGroups)
	putText(n, "seal_code", quoted, item.SealCode)
	if len(item.Fields) > 0 {
		put(n, "fields", sequence(item.Fields, fieldNode))
	}
	if len(item.Faces) > 0 {
		put(n, "faces", sequence(item.Faces, faceNode))
	}
	return n
}

// fieldNode keeps a field on one line: items have many.
func fieldNode(field *Field) *yaml.Node {
	n := mapping(yaml.FlowStyle)
	put(n, "key", plain(field.Key))
	put(n, "label", plain(field.Label))
	put(n, "type", plain(field.Type))
	putNumber(n, "length", int64(field.Length))
	putFlag(n, "required", field.Required)
	putFlag(n, "hidden", field.Hidden)
	putText(n, "sensitive", plain, field.Sensitive)
	putText(n, "role", plain, field.Role)
	return n
}

func serviceItemNode(s *ServiceItem) *yaml.Node {
	n := mapping(0)
	put(n, "code", quoted(s.Code))
	put(n, "name", plain(s.Name))
	put(n, "department", quoted(s.Department))
	putCodes(n, "items", s.Items)
	return n
}

func applicationNode(a *Application) *yaml.Node {
	n := mapping(0)
	put(n, "app_key", quoted(a.AppKey))
	put(n, "name", plain(a.Name))
	put(n, "department", quoted(a.Department))
	putCodes(n, "ip_allow", a.IPAllow)
	if a.Rate != (Rate{}) {
		rate := mapping(yaml.FlowStyle)
		putNumber(rate, "per_second", a.Rate.PerSecond)
		putNumber(rate, "per_minute", a.Rate.PerMinute)
		put(n, "rate", rate)
	}
	putFlag(n, "disabled", a.Disabled)
	if len(a.Grants) > 0 {
		put(n, "grants", sequence(a.Grants, grantNode))
	}
	return n
}

func grantNode(g *Grant) *yaml.Node {
	n := mapping(0)
	putCodes(n, "items", g.Items)
	putCodes(n, "needs", g.Needs)
	putCodes(n, "service_items", g.ServiceItems)
	putText(n, "form", quoted, g.Form)
	return n
}

func accountNode(a *Account) *yaml.Node {
	n := mapping(0)
	put(n, "account", quoted(a.Account))
	put(n, "name", plain(a.Name))
	put(n, "department", quoted(a.Department))
	putCodes(n, "roles", a.Roles)
	putFlag(n, "disabled", a.Disabled)
	return n
}

func administratorNode(a *Administrator) *yaml.Node {
	n := mapping(0)
	put(n, "administrator", quoted(a.Administrator))
	put(n, "name", plain(a.Name))
	put(n, "role", plain(a.Role))
	putCodes(n, "certificates", a.Certificates)
	putFlag(n, "disabled", a.Disabled)
	return n
}

func mapping(style yaml.Style) *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Style: style} }

func sequence[T any](all []T, node func(*T) *yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if len(all) == 0 {
		n.Style = yaml.FlowStyle
	}
	for i := range all {
		n.Content = append(n.Content, node(&all[i]))
	}
	return n
}

func put(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, plain(key), value)
}

func putText(n *yaml.Node, key string, node func(string) *yaml.Node, value string) {
	if value != "" {
		put(n, key, node(value))
	}
}

func putNumber(n *yaml.Node, key string, value int64) {
	if value != 0 {
		put(n, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(value, 10)})
	}
}

func putFlag(n *yaml.Node, key string, value bool) {
	if value {
		put(n, key, boolean(value))
	}
}

func putCodes(n *yaml.Node, key string, codes []string) {
	if len(codes) > 0 {
		list := sequence(codes, func(code *string) *yaml.Node { return quoted(*code) })
		list.Style = yaml.FlowStyle
		put(n, key, list)
	}
}

func boolean(value bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(value)}
}

// plain is a text with quotes only where YAML needs them.
func plain(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// quoted is a code: always in quotes, so that no YAML reader takes it for a number.
func quoted(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: value}
}

// paragraph is a text of several lines: a literal block where that keeps every character, else in quotes.
func paragraph(value string) *yaml.Node {
	n := quoted(value)
	if !strings.HasSuffix(value, "\n") || strings.HasSuffix(value, "\n\n") || strings.HasPrefix(value, "\n") || strings.HasPrefix(value, " ") {
		return n
	}
	for line := range strings.Lines(value) { // indented ones are fine behind one that is not
		line = strings.TrimLeft(strings.TrimSuffix(line, "\n"), " ")
		if strings.TrimSpace(line) != line || strings.ContainsRune(line, '\t') {
			return n
		}
	}
	n.Style = yaml.LiteralStyle
	return n
}
