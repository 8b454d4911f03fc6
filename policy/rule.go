package policy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A rule is one policy line taken apart: kind is p, g, g2 or g3.
type rule struct {
	kind    string
	members []string // a p line always has six
}

// Places of the members of a p line.
const (
	subAt = iota
	domAt
	objAt
	actAt
	matAt
	eftAt
)

// text is the canonical line. No member may hold a comma or a quote, so joining is unambiguous.
func (r rule) text() string { return r.kind + ", " + strings.Join(r.members, ", ") }

// apart is the rule of a canonical line.
func apart(line string) rule {
	members := strings.Split(line, ", ")
	return rule{members[0], members[1:]}
}

// A fault is a refused member: its index and what to do.
type fault struct {
	member  int
	message string
}

// form says how many members a kind takes, and how to write it.
type form struct {
	min, max int
	usage    string
	check    func([]string) *fault
}

var forms = map[string]form{
	"p":  {5, 6, "p, 主体, 部门, 证照目录, 行为, 事项[, allow 或 deny]", checkP},
	"g":  {3, 3, "g, 主体, 角色, 部门", checkG},
	"g2": {2, 2, "g2, 证照目录或字段, 所属目录或分组", checkG2},
	"g3": {2, 2, "g3, 部门, 上级部门", checkG3},
}

func checkP(m []string) *fault {
	object, act, effect := m[objAt], m[actAt], m[eftAt]
	switch {
	case !isSubject(m[subAt], appPrefix, accountPrefix, servicePrefix, rolePrefix):
		return &fault{subAt, "主体应写成 app:应用、acct:账号、svc:事项编码或 role:角色"}
	case m[domAt] != anyOne && !isName(m[domAt]):
		return &fault{domAt, "部门应为统一社会信用代码，或单独一个 *"}
	case object != anyOne && !isItem(object) && !isGroup(object) && !isItemField(object):
		return &fault{objAt, "证照目录应为目录编码、目录编码#字段、group:分组，或单独一个 *"}
	case m[matAt] != anyOne && !isName(m[matAt]):
		return &fault{matAt, "事项应为事项编码，或单独一个 *"}
	case effect != allow && effect != deny:
		return &fault{eftAt, "效果应为 allow 或 deny"}
	case slices.Contains(ungranted, act):
		return &fault{actAt, "login、logout、get_current_user、list 不受策略控制；要阻止登录，请停用账号或应用"}
	case act != actAny && coverage[act] == nil:
		return &fault{actAt, "行为应为接口名、用证需求名、clear、org_admin 或 *；请核对拼写"}
	case act == "masked_view" && effect == deny:
		return &fault{actAt, "masked_view 不含任何接口，禁止它没有作用；请写要禁止的接口或需求"}
	case act == actOrgAdmin && object != anyOne:
		return &fault{objAt, "org_admin 与证照无关，证照目录请写 *"}
	}
	return checkFields(object, act, effect)
}

// checkFields refuses lines about fields that could never match, so that nobody relies on one.
func checkFields(object, act, effect string) *fault {
	clears := act == actClear || act == "sensitive"
	switch {
	case object == anyOne && clears && effect == allow:
		return &fault{objAt, "* 不含敏感字段；请写目录编码、目录编码#字段，或 " + sensitiveItems + "（全部含敏感字段的目录）"}
	case isField(object) && !clears && (act != actAny || effect == allow):
		return &fault{actAt, "字段只能与 clear 或 sensitive 一起使用"}
	}
	return nil
}

func checkG(m []string) *fault {
	switch {
	case !isSubject(m[0], appPrefix, accountPrefix, rolePrefix):
		return &fault{0, "可担任角色的主体应写成 acct:账号、app:应用或 role:角色"}
	case !isSubject(m[1], rolePrefix):
		return &fault{1, "角色应写成 role:角色"}
	case !isName(m[2]):
		return &fault{2, "角色只在一个部门内有效，请写明部门的统一社会信用代码"}
	}
	return checkTwo(m)
}

func checkG2(m []string) *fault {
	item, _, _ := strings.Cut(m[0], fieldMark)
	switch {
	case !isItem(m[0]) && !isGroup(m[0]) && !isItemField(m[0]):
		return &fault{0, "应为目录编码、目录编码#字段或 group:分组"}
	case !isGroup(m[1]) && (!isField(m[0]) || m[1] != item):
		return &fault{1, "应为 group:分组；字段也可归入自己的目录"}
	}
	return checkTwo(m)
}

func checkG3(m []string) *fault {
	for i, code := range m {
		if !isName(code) {
			return &fault{i, "部门应为统一社会信用代码"}
		}
	}
	return checkTwo(m)
}

func checkTwo(m []string) *fault {
	if m[0] == m[1] {
		return &fault{1, "不能从属于自己"}
	}
	return nil
}

func isSubject(s string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if name, ok := strings.CutPrefix(s, prefix); ok {
			return isName(name)
		}
	}
	return false
}

func isItem(s string) bool {
	kinds := byte(0)
	for i := range len(s) {
		kinds |= nameBytes[s[i]]
	}
	return s != "" && (kinds == 0 || kinds&separating == 0 && isWideName(s))
}

func isGroup(s string) bool {
	name, ok := strings.CutPrefix(s, groupPrefix)
	return ok && isItem(name)
}

func isItemField(s string) bool {
	item, field, ok := strings.Cut(s, fieldMark)
	return ok && isItem(item) && isItem(field)
}

// isName reports whether s can be a member's name: printable, no blank at either end, none of the characters that
// separate or quote members, and no star, since a star inside a name matches nothing.
func isName(s string) bool {
	kinds := byte(0)
	for i := range len(s) {
		kinds |= nameBytes[s[i]]
	}
	return s != "" && (kinds&unusual == 0 || isWideName(s))
}

// Bytes that are not simply part of any name.
const (
	separating = 1 << iota // # and : stand in no item's name
	unusual                // need a closer look
)

var nameBytes = func() (table [256]byte) {
	for c := range table {
		switch {
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`,"*`, byte(c)) >= 0:
			table[c] = unusual
		case c == ':' || c == '#':
			table[c] = separating
		}
	}
	return table
}()

// isWideName is isName for names that are not of printable ASCII characters alone.
func isWideName(s string) bool {
	if s == "" || strings.TrimSpace(s) != s || !utf8.ValidString(s) || strings.ContainsAny(s, `,"*`) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
