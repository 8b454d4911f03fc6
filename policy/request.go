package policy

// Request is one question, made once per call (or once per item for calls that name none).
type Request struct {
	App         string `json:"app"` // app_key
	Account     string `json:"account"`
	Department  string `json:"department"`   // the department that the caller acts for
	Item        string `json:"item"`         // license_item_code
	Interface   string `json:"interface"`    // the standard's method name, e.g. "get_license"
	ServiceItem string `json:"service_item"` // service_item_code, "" where the call carries none
}

// Reason is a machine-readable cause of a decision. Stable.
type Reason string

// The closed list of reasons.
const (
	ReasonAllowed       Reason = "allowed"
	ReasonNoGrantNeeded Reason = "no_grant_needed"   // list, get_current_user, login, logout
	ReasonAppDenied     Reason = "app_denied"        // a deny line hit the application
	ReasonAppNoGrant    Reason = "app_no_grant"      // no line allows the application
	ReasonAccountDenied Reason = "account_denied"    // a deny line hit the account or a role of it
	ReasonAccountNoRole Reason = "account_no_role"   // no role of the account allows it
	ReasonServiceItem   Reason = "service_item"      // the service item's licence list lacks the item
	ReasonUnknown       Reason = "unknown_interface" // not an interface of the table
	ReasonUnsure        Reason = "unsure"            // index and Casbin differ (Shadow)
)

// Decision is the answer. The zero Decision denies.
type Decision struct {
	Allow   bool     `json:"allow"`
	Reason  Reason   `json:"reason"`
	Lines   []string `json:"lines,omitempty"` // the deciding policy lines, as text
	Version int64    `json:"version"`         // of the policy that decided
}

// Decider answers requests against one immutable policy version. Safe for concurrent use; nobody waits for anybody.
type Decider interface {
	// Decide answers one request.
	Decide(Request) Decision
	// Judge answers as Decide does, but takes no memory: the lines are fetched by who wants them.
	Judge(Request) Ruling
	// Clear returns those of the item's sensitive fields that may be shown in clear when asked for: act "clear" on
	// ITEM#FIELD (or the need "sensitive" on ITEM), by application and account both, deny overriding.
	Clear(r Request, fields []string) []string
	// Administers reports whether account may log in for department (role org_admin there).
	Administers(account, department string) bool
	// Version is the policy version's number.
	Version() int64
}
