package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Expectation is a decision that an administrator wants of every version: one that does not give it is not accepted.
type Expectation struct {
	Name string
	Line int // in the text, from 1
	// Want is allow or deny, of Request; or clear or masked, of Field of Request's item, in which case Request.Interface is "".
	Want string
	// Request has Department "" where the text names none: the account's own is meant, and whoever knows it fills it in.
	Request Request
	Field   string
}

// What is expected beside allow and deny.
const masked = "masked"

// expectationForms show how a line is written, by what it wants.
var expectationForms = map[string]string{
	allow:    "名称: allow app=应用 account=账号 interface=接口 item=目录编码 [service_item=事项编码] [department=部门]",
	deny:     "名称: deny app=应用 account=账号 interface=接口 item=目录编码 [service_item=事项编码] [department=部门]",
	actClear: "名称: clear app=应用 account=账号 item=目录编码 field=字段 [service_item=事项编码] [department=部门]",
	masked:   "名称: masked app=应用 account=账号 item=目录编码 field=字段 [service_item=事项编码] [department=部门]",
}

// expectationErrors are faults of expectations. errors.As finds them as SyntaxErrors.
type expectationErrors struct{ SyntaxErrors }

func (e expectationErrors) Error() string { return e.text("判定预期") }

func (e expectationErrors) Unwrap() error { return e.SyntaxErrors }

// ParseExpectations reads named test decisions, one a line; # begins a comment line:
//
//	NAME: allow app=KEY account=NAME interface=NAME item=CODE [service_item=CODE] [department=CODE]
//	NAME: clear app=KEY account=NAME item=CODE field=KEY [service_item=CODE] [department=CODE]
//
// and likewise deny, and masked. Names are unique; the colon may be a full-width one; members come in any order. Every fault comes back
// with line and column, as SyntaxErrors. A text without lines is no error.
func ParseExpectations(text string) ([]Expectation, error) {
	var (
		all    []Expectation
		faults SyntaxErrors
		named  = map[string]int{}
	)
	text = strings.TrimPrefix(text, "\ufeff")
	for i, raw := range strings.Split(text, "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		if body := strings.TrimLeft(raw, " \t"); body == "" || body[0] == '#' {
			continue
		}
		one, fault := parseExpectation(raw)
		if first, double := named[one.Name]; double && fault == nil {
			fault = &SyntaxError{0, 1, fmt.Sprintf("与第 %d 行重名，请改名", first)}
		}
		if fault != nil {
			fault.Line = i + 1
			faults = append(faults, fault)
			continue
		}
		one.Line = i + 1
		named[one.Name] = one.Line
		all = append(all, one)
	}
	if faults != nil {
		return nil, expectationErrors{faults}
	}
	return all, nil
}

// parseExpectation reads one line that is neither blank nor a comment. The fault has no line number yet.
func parseExpectation(line string) (Expectation, *SyntaxError) {
	refuse := func(at int, message string) (Expectation, *SyntaxError) {
		return Expectation{}, &SyntaxError{0, columnOf(line, at), message}
	}
	colon := strings.IndexAny(line, ":：")
	if colon < 0 {
		return refuse(0, "缺少冒号，应写成 "+expectationForms[allow])
	}
	name := strings.Trim(line[:colon], " \t")
	if name == "" {
		return refuse(0, "冒号之前应有名称")
	}
	if at := strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 || !utf8.ValidString(name) {
		return refuse(strings.Index(line, name)+max(at, 0), "名称含有不可见的字符")
	}
	_, size := utf8.DecodeRuneInString(line[colon:])
	words := wordsFrom(line, colon+size)
	if len(words) == 0 {
		return refuse(len(line), "冒号之后应为 allow、deny、clear 或 masked")
	}
	e := Expectation{Name: name, Want: words[0].text}
	usage, known := expectationForms[e.Want]
	if !known {
		return refuse(words[0].at, "冒号之后应为 allow、deny、clear 或 masked，以空格与其后的内容分开")
	}
	members := e.members()
	for _, w := range words[1:] {
		key, value, given := strings.Cut(w.text, "=")
		m := members[key]
		switch {
		case m == nil || !given:
			return refuse(w.at, "应写成 "+usage)
		case *m.value != "":
			return refuse(w.at, key+" 只能写一次")
		case !m.sound(value):
			return refuse(w.at+len(key)+len("="), m.message)
		}
		*m.value = value
	}
	for _, key := range expectationKeys {
		if m := members[key]; m != nil && m.required && *m.value == "" {
			return refuse(words[0].at, "缺少 "+key+"=，应写成 "+usage)
		}
	}
	return e, nil
}

// expectationKeys are all members, in the order in which missing ones are told.
var expectationKeys = []string{"app", "account", "interface", "item", "field", "service_item", "department"}

// An expectationMember is where a member goes, what it may be and what to say if it isn't.
type expectationMember struct {
	value    *string
	required bool
	sound    func(string) bool
	message  string
}

// members are those that an expectation takes.
func (e *Expectation) members() map[string]*expectationMember {
	r := &e.Request
	all := map[string]*expectationMember{
		"app":          {&r.App, true, isName, "app 应为应用标识"},
		"account":      {&r.Account, true, isName, "account 应为账号"},
		"item":         {&r.Item, true, isItem, "item 应为目录编码"},
		"service_item": {&r.ServiceItem, false, isName, "service_item 应为事项编码；没有事项时不写"},
		"department":   {&r.Department, false, isName, "department 应为统一社会信用代码；账号自己的部门可以不写"},
	}
	if e.ofField() {
		all["field"] = &expectationMember{&e.Field, true, isItem, "field 应为敏感字段"}
	} else {
		governs := func(name string) bool { return governed[name] }
		all["interface"] = &expectationMember{&r.Interface, true, governs, "interface 应为受策略控制的接口名；login、logout、get_current_user、list 不受策略控制"}
	}
	return all
}

func (e *Expectation) ofField() bool { return e.Want == actClear || e.Want == masked }

// wordsFrom splits at blanks what of a line comes after a place.
func wordsFrom(line string, at int) []field {
	var words []field
	for {
		at += len(line[at:]) - len(strings.TrimLeft(line[at:], " \t"))
		if at == len(line) {
			return words
		}
		end := at + len(line[at:])
		if n := strings.IndexAny(line[at:], " \t"); n >= 0 {
			end = at + n
		}
		words = append(words, field{line[at:end], at})
		at = end
	}
}

// Met reports whether d decides as expected. An expectation without a department is never met: nobody said whose.
func (e Expectation) Met(d Decider) bool {
	if e.Request.Department == "" || expectationForms[e.Want] == "" {
		return false
	}
	if e.ofField() {
		return slices.Contains(d.Clear(e.Request, []string{e.Field}), e.Field) == (e.Want == actClear)
	}
	return d.Judge(e.Request).Allow == (e.Want == allow)
}
