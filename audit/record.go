// Package audit records what happened before anybody gets the answer (standard 5.4.2 c, 5.4.3 d): one record per
// request, refusals included, in an append-only hash-chained journal of its own. What no limit let through shares records (Tally).
package audit

import "time"

// Record is one request or event. Personal identifiers stand only as keyed hashes; tokens and secrets never.
// The JSON names are part of the export format (docs/audit.md): add, never rename. Whoever adds a field adds it to
// appendRecord too.
type Record struct {
	ResponseID string `json:"response_id"` // UUID of the answer
	// AttemptOf is the response_id of the request whose write this record announces (event "attempt").
	AttemptOf     string `json:"attempt_of,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"` // the caller's request_id
	TraceID       string `json:"trace_id,omitempty"`       // W3C trace id, when traced
	Node          string `json:"node"`                     // which gateway wrote it
	// Sequence is set by the journal, gap-free from 1. It is the record's place in the tree, counted from 1.
	Sequence uint64 `json:"sequence"`
	// Time is when the request arrived, by the wall clock: RFC 3339 with offset.
	Time time.Time `json:"time"`
	// Monotonic is Time in nanoseconds since the journal was opened, by a clock that nobody can set. The journal sets it
	// when Time has a monotonic reading.
	Monotonic int64  `json:"monotonic,omitempty"`
	Event     string `json:"event"`          // one of the Event constants
	Kind      string `json:"kind,omitempty"` // one of the Kind constants
	// Durability is "bounded N T" or "best_effort" when the answer left before the record was on disk; empty: strict.
	// The journal sets it.
	Durability string `json:"durability,omitempty"`

	App        string    `json:"app,omitempty"`        // app_key of the authenticated application
	Account    string    `json:"account,omitempty"`    // authenticated; of events the system's user
	Department string    `json:"department,omitempty"` // acting
	SessionID  string    `json:"session,omitempty"`    // not the token, nor can one be made of the other
	Operator   *Operator `json:"operator,omitempty"`   // as claimed by the caller; grants nothing
	Address    string    `json:"address,omitempty"`    // the caller's, as the gateway trusts it
	TLS        string    `json:"tls,omitempty"`        // version and cipher suite
	ServerName string    `json:"server_name,omitempty"`
	ClientCert string    `json:"client_cert,omitempty"` // SM3 of the certificate that the caller proved to have, hex

	Protocol        string   `json:"protocol,omitempty"` // HTTP/1.1, HTTP/2.0 …
	Method          string   `json:"method,omitempty"`
	Interface       string   `json:"interface,omitempty"` // method name of the standard's table
	Item            string   `json:"item,omitempty"`      // catalogue item
	ServiceItem     string   `json:"service_item,omitempty"`
	ServiceItemName string   `json:"service_item_name,omitempty"` // as the caller wrote it
	BizNum          string   `json:"biz_num,omitempty"`
	Licences        []string `json:"licences,omitempty"`   // keyed hashes of licence codes touched or shown
	Identities      []string `json:"identities,omitempty"` // keyed hashes of identity numbers asked for

	Allow         bool     `json:"allow"`            // the decision
	Reason        string   `json:"reason,omitempty"` // of the decision, machine-readable
	Rules         []string `json:"rules,omitempty"`  // ids of the policy lines that decided
	PolicyVersion int64    `json:"policy_version,omitempty"`
	MaskPlan      string   `json:"mask_plan,omitempty"`    // SM3 of the plan
	ClearFields   []string `json:"clear_fields,omitempty"` // sensitive fields shown in clear, ITEM#FIELD

	Outcome   string  `json:"outcome"`              // SUCCESS or FAILURE; ATTEMPT of an attempt
	ErrorCode string  `json:"error_code,omitempty"` // of the answer
	Status    int     `json:"status,omitempty"`     // HTTP
	Millis    float64 `json:"ms"`                   // from arrival to the record
	// Durations are parts of Millis, when measured.
	Durations *Durations `json:"durations,omitempty"`
	BytesIn   int64      `json:"bytes_in,omitempty"`  // of the request's body, as read
	BytesOut  int64      `json:"bytes_out,omitempty"` // of the answer's body, as it will leave
	Detail    string     `json:"detail,omitempty"`    // for events
	// Refusals are those that an event "refusals" sums up.
	Refusals *Refusals `json:"refusals,omitempty"`
}

// Operator is whom the caller claims to act for it (UserInfo, without identity number).
type Operator struct {
	Account      string `json:"account,omitempty"`
	Name         string `json:"name,omitempty"`
	Role         string `json:"role,omitempty"`
	ServiceOrg   string `json:"service_org,omitempty"`
	DivisionCode string `json:"division_code,omitempty"`
	IdentityHash string `json:"identity_hash,omitempty"` // keyed
}

// Durations are the parts of a request's time, in milliseconds.
type Durations struct {
	Session float64 `json:"session,omitempty"` // finding out who asks
	Decide  float64 `json:"decide,omitempty"`  // the policy
	Serve   float64 `json:"serve,omitempty"`   // the service or the upstream
	Mask    float64 `json:"mask,omitempty"`    // hiding
}

// Refusals sum up what a caller was refused behind the first refusal, which has a record of its own: the request with the same
// response_id. See Tally.
type Refusals struct {
	Count int64     `json:"count"` // without the first
	First time.Time `json:"first"` // when the first that is counted here arrived
	Last  time.Time `json:"last"`
	// Interfaces are what they asked for, in the order in which they came, at most 16; "unknown" stands for what is no interface.
	Interfaces []string `json:"interfaces,omitempty"`
	// Others says that it is the sum of many callers, who came when too many were told apart already.
	Others bool `json:"others,omitempty"`
}

// Events.
const (
	EventRequest  = "request"   // a request, whatever came of it
	EventAttempt  = "attempt"   // what stands before a write: issue, sign, change, abolish and the like
	EventStart    = "start"     // the gateway starts
	EventStop     = "stop"      // the gateway stops
	EventConfig   = "config"    // a configuration was loaded
	EventPolicy   = "policy"    // a version of the policy is in force
	EventAdmin    = "admin"     // an administrator's action
	EventRefusals = "refusals"  // how often a caller was refused again; written by Tally
	EventTimeJump = "time_jump" // the wall clock jumped; written by the journal itself
	EventLost     = "lost"      // records of best_effort were dropped; written by the journal itself
	EventRetire   = "retire"    // segments past retention are deleted; written by the journal itself
)

// Kinds flag the records that the ledger of an electronic-licence platform is about (standard 5.4.3).
const (
	KindCatalogue = "catalogue" // catalogue items change
	KindLifeCycle = "lifecycle" // a licence is made, signed, changed, abolished, deleted
	KindUse       = "use"       // a licence is asked for, shown, archived
)
