package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A SyntaxError is a malformed policy line.
type SyntaxError struct {
	Line, Column int    // 1-based; the column counts characters
	Message      string // Chinese, says what to do
}

func (e *SyntaxError) Error() string { return e.Message }

// SyntaxErrors is every fault of a policy text, in order; it is the error of Parse and Compile.
// errors.As finds the first *SyntaxError in it.
type SyntaxErrors []*SyntaxError

func (e SyntaxErrors) Error() string { return e.text("策略") }

// text writes a line for each fault; of says of what.
func (e SyntaxErrors) text(of string) string {
	var b strings.Builder
	for i, one := range e {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s第 %d 行第 %d 列：%s", of, one.Line, one.Column, one.Message)
	}
	return b.String()
}

// Unwrap gives errors.As and errors.Is the faults.
func (e SyntaxErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// Parse reads policy text (Casbin CSV: p, g, g2, g3 lines; # comments; blank lines) and returns its lines
// normalised ("p, app:hydj, …, allow"), in order, duplicates refused. A p line without an effect allows. Unknown acts,
// subjects without app:/acct:/role:/svc: and wrong counts of members are errors with line and column, all of them
// at once as SyntaxErrors. A text without lines is no error.
func Parse(text string) ([]string, error) {
	var (
		lines  []string
		faults SyntaxErrors
		seen   = map[string]int{}
	)
	text = strings.TrimPrefix(text, "\ufeff")
	for i, raw := range strings.Split(text, "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		if body := strings.TrimLeft(raw, " \t"); body == "" || body[0] == '#' {
			continue
		}
		one, fault := parseLine(raw)
		if fault != nil {
			fault.Line = i + 1
			faults = append(faults, fault)
			continue
		}
		canonical := one.text()
		if first, double := seen[canonical]; double {
			faults = append(faults, &SyntaxError{i + 1, 1, fmt.Sprintf("与第 %d 行重复，请删去一行", first)})
			continue
		}
		seen[canonical] = i + 1
		lines = append(lines, canonical)
	}
	if faults != nil {
		return nil, faults
	}
	return lines, nil
}

// parseLine reads one line that is neither blank nor a comment. The fault has no line number yet.
func parseLine(line string) (rule, *SyntaxError) {
	fields, bad := split(line)
	if bad != nil {
		return rule{}, bad
	}
	kind, members := fields[0], fields[1:]
	refuse := func(f field, message string) (rule, *SyntaxError) {
		return rule{}, &SyntaxError{0, columnOf(line, f.at), message}
	}
	form, known := forms[kind.text]
	if !known {
		return refuse(kind, "行首应为 p、g、g2 或 g3，后接英文逗号")
	}
	if n := len(members); n < form.min || n > form.max {
		return refuse(kind, fmt.Sprintf("成员个数不对（现有 %d 个，以英文逗号分隔），应写成 %s", n, form.usage))
	}
	one := rule{kind: kind.text}
	for _, f := range members {
		one.members = append(one.members, f.text)
	}
	if one.kind == "p" && len(members) == eftAt {
		one.members = append(one.members, allow)
	}
	if fault := form.check(one.members); fault != nil {
		return refuse(members[fault.member], fault.message)
	}
	return one, nil
}

// A field is one member of a line and the byte where it begins.
type field struct {
	text string
	at   int
}

func columnOf(line string, at int) int { return utf8.RuneCountInString(line[:at]) + 1 }

// split takes a line apart at its commas. Blanks round a member are dropped; a member may stand in double quotes,
// in which a doubled quote is one (RFC 4180).
func split(line string) ([]field, *SyntaxError) {
	var fields []field
	rest := line
	for {
		rest = strings.TrimLeft(rest, " \t")
		f := field{at: len(line) - len(rest)}
		if strings.HasPrefix(rest, `"`) {
			text, after, closed := unquote(rest[1:])
			if !closed {
				return nil, &SyntaxError{0, columnOf(line, f.at), "引号没有配对，请补上结尾的英文双引号"}
			}
			rest = strings.TrimLeft(after, " \t")
			if rest != "" && rest[0] != ',' {
				return nil, &SyntaxError{0, columnOf(line, len(line)-len(rest)), "引号之后应为英文逗号或行尾"}
			}
			f.text = text
		} else {
			end := strings.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			f.text, rest = strings.TrimRight(rest[:end], " \t"), rest[end:]
		}
		fields = append(fields, f)
		if rest == "" {
			return fields, nil
		}
		rest = rest[1:]
	}
}

// unquote reads up to the closing quote and returns what follows it.
func unquote(s string) (text, after string, closed bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return "", "", false
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if !strings.HasPrefix(s, `"`) {
			return b.String(), s, true
		}
		b.WriteByte('"')
		s = s[1:]
	}
}
