package policy

import (
	"slices"
	"strings"
)

// Acts that are not interfaces.
const (
	actAny      = "*"
	actClear    = "clear"     // show a sensitive field unmasked
	actOrgAdmin = "org_admin" // log in for a department (org_code of login)
)

const (
	anyOne = "*" // any department, object or service item
	allow  = "allow"
	deny   = "deny"
	callOf = "call:" // prefix of an interface whose name is a need's too
)

// Prefixes of subjects.
const (
	appPrefix     = "app:"
	accountPrefix = "acct:"
	servicePrefix = "svc:"
	rolePrefix    = "role:"
)

const (
	groupPrefix = "group:" // of an item group
	fieldMark   = "#"      // between an item and its field
	// sensitiveItems is the group of all items that have sensitive fields. Lines fills it.
	sensitiveItems = groupPrefix + "sensitive"
)

// Needs maps each need of the form of appendix A to its interfaces (docs/architecture.md). masked_view has none: masked
// is how every answer goes out. Not to be changed.
var Needs = map[string][]string{
	"issue":         {"create", "update", "delete", "sign", "change", "batch_create", "batch_sign", "issue"},
	"abolish":       {"abolish", "change"},
	"function_call": {"auth", "token", "get_license"},
	"archive":       {"archive", "archive_qr"},
	"mobile_search": {"psn_holder", "get_license_qr", "get_token_qr", "view_mobile"},
	"web_view":      {"token", "view_license"},
	"masked_view":   {},
	"sensitive":     {actClear},
}

// Roles are the built-in roles of accounts and the interfaces each covers. sensitive_reader covers clear, org_admin
// the act of that name. Not to be changed.
var Roles = map[string][]string{
	"issuer":           {"create", "update", "delete", "batch_create"},
	"approver":         {"sign", "change", "abolish", "batch_sign", "issue"},
	"user":             {"auth", "token", "get_license", "psn_holder", "get_license_qr", "get_token_qr", "view_license", "view_mobile"},
	"archivist":        {"archive", "archive_qr"},
	"sensitive_reader": {actClear},
	"org_admin":        {actOrgAdmin},
}

// roleOrder is the order in which Lines writes the roles.
var roleOrder = []string{"issuer", "approver", "user", "archivist", "sensitive_reader", "org_admin"}

// ungranted are the interfaces that need no grant; policy lines about them would be void.
var ungranted = []string{"login", "logout", "get_current_user", "list", "verify"}

// coverage tells for every act that a policy line may name, but for *, which acts of a request it covers.
var coverage = func() map[string][]string {
	table := map[string][]string{actClear: {actClear}, actOrgAdmin: {actOrgAdmin}}
	for _, members := range Needs {
		for _, act := range members {
			table[act] = []string{act}
		}
	}
	for need, members := range Needs {
		if _, both := table[need]; both {
			table[callOf+need] = []string{need}
		}
		table[need] = members
	}
	return table
}()

// governed are the interfaces that policy lines decide.
var governed = func() map[string]bool {
	set := map[string]bool{}
	for _, members := range Needs {
		for _, act := range members {
			set[act] = act != actClear
		}
	}
	delete(set, actClear)
	return set
}()

// actOf names one interface alone in a policy line.
func actOf(interfaceName string) string {
	if _, need := Needs[interfaceName]; need {
		return callOf + interfaceName
	}
	return interfaceName
}

// covers reports whether a line's act covers a request's act. A line that says * allows the interfaces and denies everything.
func covers(requested, written, effect string) bool {
	if written == actAny {
		return effect == deny || governed[requested]
	}
	return slices.Contains(coverage[written], requested)
}

// everything reports whether a line's object is * and covers the request's object. To allow, it covers no field.
func everything(requested, written, effect string) bool {
	return written == anyOne && (effect == deny || !isField(requested))
}

// linked reports whether g2 lines can lead from one object to another at all: up to a group, or from a field to its
// item. It spares Casbin's memory of answers all the pairs that can't be.
func linked(requested, written string) bool {
	return strings.HasPrefix(written, groupPrefix) || isField(requested)
}

func isField(object string) bool { return strings.Contains(object, fieldMark) }

// Subjects of policy lines.

// AppSubject is the subject of an application.
func AppSubject(appKey string) string { return appPrefix + appKey }

// AccountSubject is the subject of an account.
func AccountSubject(account string) string { return accountPrefix + account }

// ServiceSubject is the subject of a service item.
func ServiceSubject(code string) string { return servicePrefix + code }
