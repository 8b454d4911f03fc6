package protocol

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readDataFields accepts an object, or a text that holds one: table 5 says String, D.1 prints an object. Values stay as
// they are; the catalogue's field list judges them.
func readDataFields(name string, v any, _ bool) (any, *Failure) {
	if s, ok := v.(string); ok {
		if strings.TrimSpace(s) == "" {
			return nil, nil
		}
		object, f := heldObject(s, name)
		if f != nil {
			return nil, f
		}
		v = object
	}
	if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, Fail(CodeParameter, name+" 须为 JSON 对象，或内容为 JSON 对象的字符串")
	}
	if f := fieldNames(name, object); f != nil {
		return nil, f
	}
	return object, nil
}

// fieldNames checks the names at every level. How deep that is was bounded when v was read.
func fieldNames(place string, v any) *Failure {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxFieldName || strings.ContainsFunc(name, unicode.IsControl) {
				return Fail(CodeParameter, fmt.Sprintf("%s 的数据项名称须为 1 至 %d 个字符，不含控制字符", place, maxFieldName))
			}
			if f := fieldNames(place, inner); f != nil {
				return f
			}
		}
	case []any:
		for _, inner := range v {
			if f := fieldNames(place, inner); f != nil {
				return f
			}
		}
	}
	return nil
}

// operatorText is a member of an operator. All are texts and all may be absent.
type operatorText struct {
	name string
	at   func(*UserInfo) *string
}

// operatorTexts are the members of domain.md §5.
var operatorTexts = []operatorText{
	{"account", func(u *UserInfo) *string { return &u.Account }},
	{"name", func(u *UserInfo) *string { return &u.Name }},
	{"identity_num", func(u *UserInfo) *string { return &u.IdentityNum }},
	{"role", func(u *UserInfo) *string { return &u.Role }},
	{"division", func(u *UserInfo) *string { return &u.Division }},
	{"division_code", func(u *UserInfo) *string { return &u.DivisionCode }},
	{"service_org", func(u *UserInfo) *string { return &u.ServiceOrg }},
	{"service_org_code", func(u *UserInfo) *string { return &u.ServiceOrgCode }},
}

// readOperator accepts an object with at least one member that an operator has. Its texts are what the caller claims.
func readOperator(name string, v any, query bool) (any, *Failure) {
	v, f := structured(name, v, query)
	if f != nil || v == nil {
		return nil, f
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, Fail(CodeParameter, name+" 须为 JSON 对象")
	}
	u, given := new(UserInfo), false
	for _, text := range operatorTexts {
		inner := object[text.name]
		if inner == nil {
			continue
		}
		s, f := readText(name+"."+text.name, inner, maxText)
		if f != nil {
			return nil, f
		}
		*text.at(u), given = s, true
	}
	if !given {
		return nil, nil
	}
	return u, nil
}

// readLicenses accepts the rows of batch_create. A row whose shape is wrong refuses the whole call: its caller can't
// write the format yet. What a row says is judged row by row, later.
func readLicenses(name string, v any, query bool) (any, *Failure) {
	list, f := readList(name, v, query)
	if f != nil {
		return nil, f
	}
	rows := make([]CreateData, 0, len(list))
	for i, v := range list {
		place := fmt.Sprintf("%s 第 %d 项", name, i+1)
		object, ok := v.(map[string]any)
		if !ok {
			return nil, Fail(CodeParameter, place+"须为 JSON 对象")
		}
		row, f := readRow(place+"的 ", object)
		if f != nil {
			return nil, f
		}
		rows = append(rows, row)
	}
	return orNil(rows), nil
}

func readRow(place string, object map[string]any) (row CreateData, f *Failure) {
	fields, f := readDataFields(place+"data_fields", object["data_fields"], false)
	if f != nil {
		return row, f
	}
	if fields == nil {
		return row, Fail(CodeMissing, place+"data_fields")
	}
	row.DataFields = fields.(map[string]any)
	if row.LicenseGroup, f = readTrimmed(place+"license_group", object["license_group"], maxText); f != nil {
		return row, f
	}
	row.SealCode, f = readTrimmed(place+"seal_code", object["seal_code"], maxText)
	return row, f
}

// readLicenseCodes accepts the codes of batch_sign as texts (table 12) or as objects that hold one (example F.2).
func readLicenseCodes(name string, v any, query bool) (any, *Failure) {
	list, f := readList(name, v, query)
	if f != nil {
		return nil, f
	}
	codes := make([]string, 0, len(list))
	for i, v := range list {
		place := fmt.Sprintf("%s 第 %d 项", name, i+1)
		if object, ok := v.(map[string]any); ok {
			v = object["license_code"]
		}
		code, f := readTrimmed(place, v, maxCode)
		if f != nil {
			return nil, f
		}
		if code == "" {
			return nil, Fail(CodeParameter, place+"为空")
		}
		codes = append(codes, code)
	}
	return orNil(codes), nil
}

func readList(name string, v any, query bool) ([]any, *Failure) {
	v, f := structured(name, v, query)
	if f != nil || v == nil {
		return nil, f
	}
	list, ok := v.([]any)
	if !ok {
		return nil, Fail(CodeParameter, name+" 须为 JSON 数组")
	}
	if len(list) > maxRows {
		return nil, Fail(CodeParameter, fmt.Sprintf("%s 最多 %d 项", name, maxRows))
	}
	return list, nil
}
