package licence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of data_fields where the item says nothing.
const (
	defaultLength      = 4_000           // characters
	defaultImageLength = 4 * 1024 * 1024 // characters of base64
	maxNumberLength    = 64
	maxNesting         = 16
)

// Roles of fields (platform.yaml): of the holder's photo, which is read from the field itself, and of what feeds a licence's attributes.
const (
	rolePhoto        = "photo"
	roleHolderName   = "holder_name"
	roleIdentityNum  = "holder_identity_num"
	roleIdentityType = "holder_identity_type"
	roleIDCode       = "id_code"
	roleIssueDate    = "issue_date"
	roleBeginDate    = "begin_date"
	roleExpiryDate   = "expiry_date"
	roleIssueOrgName = "issue_org_name"
	roleIssueOrgCode = "issue_org_code"
)

// checkFields validates data_fields against the item and returns what is to be kept: members that the item does not
// know are left out, dates have the form yyyy-MM-dd, nothing is shared with given. A fault is a *FieldError.
func checkFields(item *Item, given map[string]any) (map[string]any, error) {
	kept := make(map[string]any, len(item.Fields))
	for i := range item.Fields {
		f := &item.Fields[i]
		value := given[f.Key]
		if f.blank(value) {
			if f.Required {
				return nil, f.fault("为必填项，请填写后重试")
			}
			if _, text := value.(string); text {
				kept[f.Key] = ""
			}
			continue
		}
		clean, err := f.check(value)
		if err != nil {
			return nil, err
		}
		kept[f.Key] = clean
	}
	return kept, nil
}

// checkPrintable refuses a text with a character that no face can show, and names the character.
func (s *Service) checkPrintable(item *Item, fields map[string]any) error {
	if s.Unprintable == nil {
		return nil
	}
	for i := range item.Fields {
		f := &item.Fields[i]
		if r, found := s.Unprintable(Text(fields[f.Key])); found {
			return f.fault(fmt.Sprintf("含有无法显示的字符 U+%04X，请改用可显示的字", r))
		}
	}
	return nil
}

// fitPictures puts in place of each picture what is to be kept of it, and refuses one that is none. What is kept must have the field's length too, or
// it could not be given back for a change.
func (s *Service) fitPictures(item *Item, fields map[string]any) error {
	if s.Fit == nil {
		return nil
	}
	for i := range item.Fields {
		f := &item.Fields[i]
		if f.Type != "image" || f.blank(fields[f.Key]) {
			continue
		}
		kept, suffix, fault := s.Fit(Picture(fields[f.Key]), f.Role == rolePhoto, f.limit()/4*3) // three bytes are four characters
		if fault != "" {
			return f.fault(fault)
		}
		data := base64.StdEncoding.EncodeToString(kept)
		if len(data) > f.limit() {
			return f.fault(fmt.Sprintf("重新编码后超过最大长度 %d 个字符，请缩小图片", f.limit()))
		}
		fields[f.Key] = map[string]any{"file_suffix": suffix, "file_data": data}
	}
	return nil
}

// checkRoom refuses a licence that its face has no room for.
func (s *Service) checkRoom(item *Item, l *Licence) error {
	if s.Overflows == nil {
		return nil
	}
	key, found := s.Overflows(item, l)
	if !found {
		return nil
	}
	const text = "在证面上放不下，请缩短"
	for i := range item.Fields {
		if f := &item.Fields[i]; f.Key == key {
			return f.fault(text)
		}
	}
	return &FieldError{Key: "data_fields", Message: "证照的内容" + text}
}

// fault names the field by label and key, never the value.
func (f *Field) fault(text string) *FieldError {
	return &FieldError{Key: f.Key, Message: f.Label + "（" + f.Key + "）" + text}
}

// check returns the clean form of a value that is not blank.
func (f *Field) check(value any) (any, error) {
	if f.isDate() {
		return f.checkDate(value)
	}
	switch f.Type {
	case "", "string":
		return f.checkText(value)
	case "number", "integer":
		return f.checkNumber(value)
	case "boolean":
		if b, ok := value.(bool); ok {
			return b, nil
		}
		return nil, f.fault("应为 true 或 false")
	case "image":
		return f.checkImage(value)
	case "object":
		if _, ok := value.(map[string]any); !ok {
			return nil, f.fault("应为 JSON 对象")
		}
		return f.checkNested(value)
	case "array":
		if _, ok := value.([]any); !ok {
			return nil, f.fault("应为 JSON 数组")
		}
		return f.checkNested(value)
	}
	return nil, fmt.Errorf("licence: field %s of the catalogue item has the unknown type %q", f.Key, f.Type)
}

// isDate: a field that feeds a date of the licence is a date, whatever its type says.
func (f *Field) isDate() bool {
	return f.Type == "date" || slices.Contains([]string{roleIssueDate, roleBeginDate, roleExpiryDate}, f.Role)
}

func (f *Field) checkDate(value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return nil, f.fault("应为日期文字，格式为 yyyy-MM-dd")
	}
	text = strings.TrimSpace(halfWidth(text))
	if f.Role == roleExpiryDate && text == unlimited {
		return unlimited, nil
	}
	day, ok := parseDate(text)
	if !ok {
		return nil, f.fault("不是有效日期，格式应为 yyyy-MM-dd")
	}
	return day, nil
}

func (f *Field) checkText(value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return nil, f.fault("应为文字")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	// What feeds an attribute is a name or a number: one line.
	if !printable(text, f.Role == "") {
		return nil, f.fault("含有不允许的控制字符，请删除后重试")
	}
	if utf8.RuneCountInString(text) > f.limit() {
		return nil, f.tooLong()
	}
	return text, nil
}

func (f *Field) checkNumber(value any) (any, error) {
	number, ok := value.(json.Number)
	if !ok || !validNumber(number) {
		return nil, f.fault("应为数字")
	}
	if f.Type == "integer" && strings.ContainsAny(string(number), ".eE") {
		return nil, f.fault("应为整数")
	}
	if len(number) > min(f.limit(), maxNumberLength) {
		return nil, f.tooLong()
	}
	return number, nil
}

// validNumber reports whether n, which may hold any text, is a JSON number.
func validNumber(n json.Number) bool {
	return strings.Trim(string(n), "+-.0123456789eE") == "" && json.Valid([]byte(n))
}

// pictures are the file suffixes of an image field. What it is, its content tells.
var pictures = []string{"jpg", "jpeg", "png"}

func (f *Field) checkImage(value any) (any, error) {
	members, ok := value.(map[string]any)
	if !ok {
		return nil, f.fault("应为包含 file_suffix 和 file_data 的 JSON 对象")
	}
	suffix, ok := members["file_suffix"].(string)
	suffix = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(suffix), "."))
	if !ok || !slices.Contains(pictures, suffix) {
		return nil, f.fault("的 file_suffix 应为 " + strings.Join(pictures, "、") + " 之一")
	}
	data, ok := members["file_data"].(string)
	if !ok {
		return nil, f.fault("的 file_data 应为 base64 文字")
	}
	data = strings.Map(func(r rune) rune { // lines of MIME
		if r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, data)
	if len(data) > f.limit() {
		return nil, f.tooLong()
	}
	if raw, err := base64.StdEncoding.Strict().DecodeString(data); err != nil || len(raw) == 0 {
		return nil, f.fault("的 file_data 不是有效的 base64 文字")
	}
	return map[string]any{"file_suffix": suffix, "file_data": data}, nil
}

// checkNested copies an object or array. Its length is that of its JSON.
func (f *Field) checkNested(value any) (any, error) {
	clean, err := f.copyValue(value, 0)
	if err != nil {
		return nil, err
	}
	text, err := canonicalJSON(clean)
	if err != nil {
		return nil, fmt.Errorf("licence: measure field %s: %w", f.Key, err)
	}
	if utf8.RuneCount(text) > f.limit() {
		return nil, f.tooLong()
	}
	return clean, nil
}

func (f *Field) copyValue(value any, depth int) (any, error) {
	if depth > maxNesting {
		return nil, f.fault(fmt.Sprintf("嵌套超过 %d 层", maxNesting))
	}
	switch v := value.(type) {
	case nil, bool:
		return v, nil
	case json.Number:
		if !validNumber(v) {
			return nil, f.fault("含有无效的数字")
		}
		return v, nil
	case string:
		if !printable(v, true) {
			return nil, f.fault("含有不允许的控制字符，请删除后重试")
		}
		return v, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			one, err := f.copyValue(v[i], depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = one
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, member := range v {
			if !printable(key, false) {
				return nil, f.fault("的成员名含有不允许的控制字符")
			}
			one, err := f.copyValue(member, depth+1)
			if err != nil {
				return nil, err
			}
			out[key] = one
		}
		return out, nil
	}
	return nil, f.fault("含有不支持的数据类型")
}

// limit is the greatest length in characters; of a picture, of its base64 text.
func (f *Field) limit() int {
	switch {
	case f.Length > 0:
		return f.Length
	case f.Type == "image":
		return defaultImageLength
	}
	return defaultLength
}

func (f *Field) tooLong() *FieldError {
	return f.fault(fmt.Sprintf("超过最大长度 %d 个字符", f.limit()))
}

// blank reports whether there is nothing to read in value. A picture without data is none.
func (f *Field) blank(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimFunc(v, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0 || f.Type == "image" && f.blank(v["file_data"])
	}
	return false
}

// printable refuses invalid UTF-8, control characters and those that turn the direction of text, with which a face
// can be made to read otherwise than it is. Lines and tabs are allowed where several lines are.
func printable(text string, lines bool) bool {
	if !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		if lines && (r == '\n' || r == '\t') {
			return false
		}
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	})
}

// checkNotes refuses texts of a request that are kept beside data_fields and could not be written out again.
// Pairs are name and value.
func checkNotes(pairs ...string) error {
	const limit = 500
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		if !printable(value, false) {
			return &FieldError{Key: name, Message: name + " 含有不允许的控制字符，请删除后重试"}
		}
		if utf8.RuneCountInString(value) > limit {
			return &FieldError{Key: name, Message: fmt.Sprintf("%s 超过最大长度 %d 个字符", name, limit)}
		}
	}
	return nil
}
