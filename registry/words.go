package registry

import (
	"slices"
	"strings"
)

// A vocabulary is a closed list of words that a member may hold.
type vocabulary struct {
	what  string
	words []string
	names map[string]string // what the words mean, where they do not speak for themselves
}

// The closed lists of docs/operators.md and of domain.md §3.
var (
	itemStatuses = vocabulary{what: "目录状态", words: []string{"DRAFT", "PUBLISH", "CANCEL"}}
	holderTypes  = vocabulary{what: "持证主体类型", words: []string{"person", "organisation", "both"}}
	fieldTypes   = vocabulary{what: "数据项类型", words: []string{"string", "date", "number", "integer", "boolean", "image", "object", "array"}}
	sensitives   = vocabulary{what: "敏感类型", words: []string{
		"name", "identity_number", "phone", "landline", "address", "birth_date", "bank_card", "email", "passport", "photo", "text",
	}}
	fieldRoles = vocabulary{what: "数据项角色", words: []string{
		"holder_name", "holder_identity_num", "holder_identity_type", "id_code", "issue_date", "begin_date", "expiry_date",
		"issue_org_name", "issue_org_code", "photo",
	}}
	grantNeeds = vocabulary{what: "用证需求", words: []string{
		"issue", "abolish", "function_call", "archive", "mobile_search", "web_view", "masked_view", "sensitive",
	}}
	accountRoles = vocabulary{what: "账户角色", words: []string{"issuer", "approver", "user", "archivist", "sensitive_reader", "org_admin"}}
	powers       = vocabulary{what: "管理员角色", words: AdministratorRoles, names: RoleNames}
)

// AdministratorRoles are the three separated powers.
var AdministratorRoles = []string{RoleSystem, RoleSecurity, RoleAudit}

// maskShows are what may be shown of each kind, the default first (domain.md §6). Numbers are characters at both ends.
var maskShows = map[string][]string{
	"name": {"surname", "none"}, "identity_number": {"6+*", "3+4", "1+2", "none"}, "phone": {"3+4", "3+2", "0+4", "none"},
	"landline": {"area+2", "area", "none"}, "address": {"district", "city", "province", "none"}, "birth_date": {"year", "none"},
	"bank_card": {"0+4", "none"}, "email": {"1+domain", "domain", "none"}, "passport": {"1+2", "none"}, "photo": {"none"}, "text": {"none"},
}

// RoleNames are the roles of administrators in Chinese, for texts.
var RoleNames = map[string]string{RoleSystem: "系统管理员", RoleSecurity: "安全管理员", RoleAudit: "审计管理员"}

// singleRoles are the field roles that an item has at most once: the licence has one such attribute. Holders may be
// several (a marriage has two).
var singleRoles = []string{"id_code", "issue_date", "begin_date", "expiry_date", "issue_org_name", "issue_org_code"}

// fault says what is wrong with word, or "" when it is of the list.
func (v vocabulary) fault(word string) string {
	if slices.Contains(v.words, word) {
		return ""
	}
	if word == "" {
		return "缺少" + v.what + "，" + v.all()
	}
	return "未知的" + v.what + " " + quote(word) + "，" + perhaps(word, v.words) + v.all()
}

// all names the words that may be used.
func (v vocabulary) all() string {
	words := make([]string, len(v.words))
	for i, word := range v.words {
		words[i] = word + named(v.names[word])
	}
	return "可用 " + strings.Join(words, "、")
}

// perhaps asks whether the nearest of words was meant; "" when none is near.
func perhaps(word string, words []string) string {
	if near := nearest(word, words); near != "" {
		return "是不是想写 " + near + "？"
	}
	return ""
}

// nearest returns the word of words that word is most likely a slip of, or "".
func nearest(word string, words []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, least := "", 3
	for _, one := range words {
		limit := min(least, (len(one)+1)/2)
		if d := distance(strings.ToLower(word), strings.ToLower(one)); d < limit {
			best, least = one, d
		}
	}
	return best
}

// distance counts the letters to insert, drop, replace or swap with their neighbour that make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
