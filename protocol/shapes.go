package protocol

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"licgate/beijing"
)

const (
	maxText        = 512 // characters of a text member
	maxCode        = 64  // characters of a licence code, an item code, an identity number
	maxRequestID   = 128
	maxFieldName   = 128 // characters of a name in data_fields
	maxRows        = 10_000
	maxIdentities  = 20
	maxPageSize    = 150
	maxArchivePage = 500 // of archive_list, which is for programs that fetch everything
	maxPageIndex   = 1 << 30
	statusesInWord = "DRAFT、PUBLISH、CANCEL"
)

var statuses = []string{"DRAFT", "PUBLISH", "CANCEL"}

// member says how a member is written and where in Params it goes.
type member struct {
	// read checks one occurrence. nil without a Failure: null or blank, that is, not given. In a query everything is
	// text, and objects and lists are JSON in it.
	read func(name string, v any, query bool) (any, *Failure)
	put  func(p *Params, v any)
	// secret members are refused in a query: addresses end up in logs.
	secret bool
}

// members are all members of all interfaces. A name means the same wherever it stands.
var members = map[string]member{
	requestID: printableText(func(p *Params) *string { return &p.RequestID }),

	"app_key":    text(func(p *Params) *string { return &p.AppKey }),
	"app_secret": secret(text(func(p *Params) *string { return &p.AppSecret })),
	"account":    text(func(p *Params) *string { return &p.Account }),
	"password":   secret(text(func(p *Params) *string { return &p.Password })),
	"org_code":   code64(func(p *Params) *string { return &p.OrgCode }),

	"page_index": number(maxPageIndex, func(p *Params) *int { return &p.PageIndex }),
	"page_size":  number(maxPageSize, func(p *Params) *int { return &p.PageSize }),
	"keyword":    text(func(p *Params) *string { return &p.Keyword }),
	"status":     {read: readStatus, put: func(p *Params, v any) { p.Status = v.([]string) }},
	"is_open": {read: readBool, put: func(p *Params, v any) {
		open := v.(bool)
		p.IsOpen = &open
	}},

	"data_fields":       {read: readDataFields, put: func(p *Params, v any) { p.DataFields = v.(map[string]any) }},
	"operator":          {read: readOperator, put: func(p *Params, v any) { p.Operator = v.(*UserInfo) }},
	"service_item_code": code64(func(p *Params) *string { return &p.ServiceItemCode }),
	"service_item_name": text(func(p *Params) *string { return &p.ServiceItemName }),
	"service_item_org":  text(func(p *Params) *string { return &p.ServiceItemOrg }),
	"biz_num":           trimmed(maxText, func(p *Params) *string { return &p.BizNum }),
	"license_group":     trimmed(maxText, func(p *Params) *string { return &p.LicenseGroup }),
	"seal_code":         trimmed(maxText, func(p *Params) *string { return &p.SealCode }),
	"license_code":      code64(func(p *Params) *string { return &p.LicenseCode }),
	"id_code":           trimmed(maxText, func(p *Params) *string { return &p.IDCode }),
	"abolish_reason":    text(func(p *Params) *string { return &p.AbolishReason }),

	"licenses":      {read: readLicenses, put: func(p *Params, v any) { p.Licenses = v.([]CreateData) }},
	"license_codes": {read: readLicenseCodes, put: func(p *Params, v any) { p.LicenseCodes = v.([]string) }},
	"division_code": {read: readDivision, put: func(p *Params, v any) { p.DivisionCode = v.(string) }},

	"credential":          secret(trimmed(maxTokenBytes, func(p *Params) *string { return &p.Credential })),
	"show_sensitive_data": {read: readBool, put: func(p *Params, v any) { p.ShowSensitiveData = new(v.(bool)) }},
	"identity_number":     {read: readIdentities, put: func(p *Params, v any) { p.IdentityNumbers = v.([]string) }},

	"auth_code":        trimmed(maxText, func(p *Params) *string { return &p.AuthCode }),
	"auth_code_qr":     trimmed(maxText, func(p *Params) *string { return &p.AuthCodeQR }),
	licenseAccessToken: trimmed(maxTokenBytes, func(p *Params) *string { return &p.LicenseAccessToken }),
	"c":                trimmed(maxText, func(p *Params) *string { return &p.CheckCode }),
	"file_type":        {read: readFileType, put: func(p *Params, v any) { p.FileType = v.(string) }},

	"since": {read: readSince, put: func(p *Params, v any) { p.Since = v.(time.Time) }},
	"after": code64(func(p *Params) *string { return &p.After }),
}

// archivePageSize is page_size of archive_list.
var archivePageSize = number(maxArchivePage, func(p *Params) *int { return &p.PageSize })

// member is how a member is written in calls of the endpoint.
func (e *Endpoint) member(name string) member {
	if e.Interface == ArchiveList && name == "page_size" {
		return archivePageSize
	}
	return members[name]
}

func secret(m member) member {
	m.secret = true
	return m
}

// text is kept verbatim, blanks round it included.
func text(at func(*Params) *string) member {
	return textMember(at, func(name string, v any) (string, *Failure) { return readText(name, v, maxText) })
}

// trimmed is for codes: blanks round them are slips of the pen.
func trimmed(most int, at func(*Params) *string) member {
	return textMember(at, func(name string, v any) (string, *Failure) { return readTrimmed(name, v, most) })
}

func code64(at func(*Params) *string) member { return trimmed(maxCode, at) }

func printableText(at func(*Params) *string) member {
	return textMember(at, func(name string, v any) (string, *Failure) {
		s, f := readTrimmed(name, v, maxRequestID)
		if f == nil && strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			f = Fail(CodeParameter, name+" 含有不可见字符")
		}
		return s, f
	})
}

func textMember(at func(*Params) *string, read func(name string, v any) (string, *Failure)) member {
	return member{
		read: func(name string, v any, _ bool) (any, *Failure) {
			s, f := read(name, v)
			if f != nil || strings.TrimSpace(s) == "" {
				return nil, f
			}
			return s, nil
		},
		put: func(p *Params, v any) { *at(p) = v.(string) },
	}
}

// readText accepts a text without control characters. null is "".
func readText(name string, v any, most int) (string, *Failure) {
	if v == nil {
		return "", nil
	}
	s, ok := v.(string)
	switch {
	case !ok:
		return "", Fail(CodeParameter, name+" 须为字符串")
	case utf8.RuneCountInString(s) > most:
		return "", Fail(CodeParameter, fmt.Sprintf("%s 最长 %d 个字符", name, most))
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", Fail(CodeParameter, name+" 含有控制字符")
	}
	return s, nil
}

// readTrimmed is readText without the blanks round it, line ends among them.
func readTrimmed(name string, v any, most int) (string, *Failure) {
	if s, ok := v.(string); ok {
		v = strings.TrimSpace(s)
	}
	return readText(name, v, most)
}

// number accepts 1 to most, as a JSON integer or as digits in a text.
func number(most int, at func(*Params) *int) member {
	return member{
		read: func(name string, v any, _ bool) (any, *Failure) {
			var digits string
			switch v := v.(type) {
			case nil:
			case json.Number:
				digits = v.String()
			case string:
				digits = strings.TrimSpace(v)
			default:
				return nil, Fail(CodeParameter, name+" 须为正整数")
			}
			if digits == "" {
				return nil, nil
			}
			for _, c := range []byte(digits) {
				if c < '0' || c > '9' {
					return nil, Fail(CodeParameter, name+" 须为正整数")
				}
			}
			n, err := strconv.Atoi(digits)
			switch {
			case err != nil || n > most: // digits alone fail only by being too many
				return nil, Fail(CodeParameter, fmt.Sprintf("%s 最大为 %d", name, most))
			case n < 1:
				return nil, Fail(CodeParameter, name+" 须为正整数")
			}
			return n, nil
		},
		put: func(p *Params, v any) { *at(p) = v.(int) },
	}
}

func readBool(name string, v any, _ bool) (any, *Failure) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		return v, nil
	case string:
		switch s := strings.TrimSpace(v); {
		case s == "":
			return nil, nil
		case strings.EqualFold(s, "true"):
			return true, nil
		case strings.EqualFold(s, "false"):
			return false, nil
		}
	}
	return nil, Fail(CodeParameter, name+" 须为 true 或 false")
}

// split cuts a list in a text at ASCII and full-width commas and drops blanks.
func split(s string) []string {
	var parts []string
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '，' }) {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func readStatus(name string, v any, _ bool) (any, *Failure) {
	s, f := readText(name, v, maxText)
	if f != nil {
		return nil, f
	}
	var list []string
	for _, status := range split(s) {
		if !slices.Contains(statuses, status) {
			return nil, Fail(CodeParameter, name+" 只能取 "+statusesInWord)
		}
		if !slices.Contains(list, status) {
			list = append(list, status)
		}
	}
	return orNil(list), nil
}

func readIdentities(name string, v any, _ bool) (any, *Failure) {
	s, f := readText(name, v, (maxCode+1)*maxIdentities*2)
	if f != nil {
		return nil, f
	}
	list := split(s)
	if len(list) > maxIdentities {
		return nil, Fail(CodeParameter, fmt.Sprintf("%s 最多 %d 个", name, maxIdentities))
	}
	for _, number := range list {
		if utf8.RuneCountInString(number) > maxCode {
			return nil, Fail(CodeParameter, fmt.Sprintf("%s 每个最长 %d 个字符", name, maxCode))
		}
	}
	return orNil(list), nil
}

// orNil keeps an empty list from being a given one.
func orNil[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// readDivision accepts GB/T 2260 codes: 6 digits, or 12 down to the village.
func readDivision(name string, v any, _ bool) (any, *Failure) {
	s, f := readTrimmed(name, v, maxCode)
	if f != nil || s == "" {
		return nil, f
	}
	digits := !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if !digits || len(s) != 6 && len(s) != 12 {
		return nil, Fail(CodeParameter, name+" 须为 6 位或 12 位数字")
	}
	return s, nil
}

// readFileType accepts any short name in any case; which types there are is not the wire's to know.
func readFileType(name string, v any, _ bool) (any, *Failure) {
	s, f := readTrimmed(name, v, maxText)
	if f != nil || s == "" {
		return nil, f
	}
	if len(s) > 16 || strings.ContainsFunc(s, func(r rune) bool { return r > '~' || !isAlphanumeric(byte(r)) }) {
		return nil, Fail(CodeParameter, name+" 须为字母或数字，例如 PDF")
	}
	return strings.ToUpper(s), nil
}

// sinceLayouts are those of a day and of a time of day, in Asia/Shanghai.
var sinceLayouts = []string{"2006-1-2", time.DateTime, "2006-01-02 15:04:05.000"}

// readSince accepts a day, which means its beginning, or a time.
func readSince(name string, v any, _ bool) (any, *Failure) {
	s, f := readTrimmed(name, v, maxCode)
	if f != nil || s == "" {
		return nil, f
	}
	for _, layout := range sinceLayouts {
		if at, err := time.ParseInLocation(layout, s, beijing.Zone); err == nil {
			return at, nil
		}
	}
	return nil, Fail(CodeParameter, name+" 须为 2026-01-31 或 2026-01-31 08:00:00 的形式")
}

// structured returns an object or list; in a query it is JSON in a text.
func structured(name string, v any, query bool) (any, *Failure) {
	s, ok := v.(string)
	switch {
	case !query || !ok:
		return v, nil
	case strings.TrimSpace(s) == "":
		return nil, nil
	}
	return heldValue(s, name)
}
