// Package audit records what happened before anybody gets the answer (standard 5.4.2 c, 5.4.3 d): one record per
// request, refusals included, in an append-only hash-chained journal of its own.
package audit

import "time"

// Record is one request or event. Personal identifiers stand only as keyed hashes; tokens and secrets never.
// The JSON names are part of the export format (docs/audit.md): add, never rename.
type Record struct {
	ResponseID string `json:"response_id"` // UUID of the answer
	// AttemptOf is the response_id of the request whose write this record announces (event "attempt").
	AttemptOf     string    `json:"attempt_of,omitempty"`
	CorrelationID string    `json:"correlation_id,omitempty"` // the caller's request_id
	TraceID       string    `json:"trace_id,omitempty"`       // W3C trace id, when traced
	Node          string    `json:"node"`                     // which gateway wrote it
	Sequence      uint64    `json:"sequence"`                 // set by the journal, gap-free from 1
	Time          time.Time `json:"time"`                     // when the request arrived, RFC 3339 with offset
	Event         string    `json:"event"`                    // "request", or "start", "stop", "config", "admin", …

	App        string    `json:"app,omitempty"`
	Account    string    `json:"account,omitempty"`
	Department string    `json:"department,omitempty"` // acting
	SessionID  string    `json:"session,omitempty"`
	Operator   *Operator `json:"operator,omitempty"` // as claimed by the caller; grants nothing
	Address    string    `json:"address,omitempty"`
	TLS        string    `json:"tls,omitempty"` // version and cipher suite

	Method          string   `json:"method,omitempty"`
	Interface       string   `json:"interface,omitempty"`
	Item            string   `json:"item,omitempty"`
	ServiceItem     string   `json:"service_item,omitempty"`
	ServiceItemName string   `json:"service_item_name,omitempty"` // as the caller wrote it
	BizNum          string   `json:"biz_num,omitempty"`
	Licences        []string `json:"licences,omitempty"`   // keyed hashes of licence codes touched or shown
	Identities      []string `json:"identities,omitempty"` // keyed hashes of identity numbers asked for

	Allow         bool     `json:"allow"`
	Reason        string   `json:"reason,omitempty"`
	Rules         []string `json:"rules,omitempty"`
	PolicyVersion int64    `json:"policy_version,omitempty"`
	MaskPlan      string   `json:"mask_plan,omitempty"` // SM3 of the plan
	ClearFields   []string `json:"clear_fields,omitempty"`

	Outcome   string  `json:"outcome"` // SUCCESS or FAILURE
	ErrorCode string  `json:"error_code,omitempty"`
	Status    int     `json:"status,omitempty"` // HTTP
	Millis    float64 `json:"ms"`
	Detail    string  `json:"detail,omitempty"` // for events
}

// Operator is whom the caller claims to act for it (UserInfo, without identity number).
type Operator struct {
	Account      string `json:"account,omitempty"`
	Name         string `json:"name,omitempty"`
	Role         string `json:"role,omitempty"`
	ServiceOrg   string `json:"service_org,omitempty"`
	DivisionCode string `json:"division_code,omitempty"`
	IdentityHash string `json:"identity_hash,omitempty"`
}
