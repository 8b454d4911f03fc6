package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"licgate/audit"
)

// auditQuery selects records of this node's journal.
type auditQuery struct {
	Since      string `json:"since,omitempty"` // RFC 3339, inclusive
	Until      string `json:"until,omitempty"` // RFC 3339, exclusive
	Department string `json:"department,omitempty"`
	App        string `json:"app,omitempty"`
	Account    string `json:"account,omitempty"`
	Interface  string `json:"interface,omitempty"`
	Item       string `json:"item,omitempty"`
	ResponseID string `json:"response_id,omitempty"`
	Outcome    string `json:"outcome,omitempty"`
	Limit      int    `json:"limit,omitempty"`
}

func (q auditQuery) query() (audit.Query, error) {
	out := audit.Query{
		Department: q.Department, App: q.App, Account: q.Account, Interface: q.Interface, Item: q.Item,
		ResponseID: q.ResponseID, Outcome: q.Outcome, Limit: q.Limit,
	}
	var errs [2]error
	if q.Since != "" {
		out.Since, errs[0] = time.Parse(time.RFC3339, q.Since)
	}
	if q.Until != "" {
		out.Until, errs[1] = time.Parse(time.RFC3339, q.Until)
	}
	if errors.Join(errs[:]...) != nil {
		return out, adminError(http.StatusBadRequest, "since、until 应为 RFC 3339 时间，例如 2026-01-02T15:04:05+08:00")
	}
	return out, nil
}

// auditFault is the trailer that says that a stream of records is not whole.
const auditFault = "Licgate-Audit-Fault"

// records streams records as JSON lines. A fault of the journal stands in a trailer, behind what could be read.
func (c *adminCall) records(q auditQuery) (any, error) {
	query, err := q.query()
	if err != nil {
		return nil, err
	}
	return streamed(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
		w.Header().Set("Trailer", auditFault)
		_, err := audit.Export(c.r.Context(), c.app.auditFolder(), query, w)
		if errors.Is(err, audit.ErrDamaged) {
			w.Header().Set(auditFault, "damaged")
			return nil
		}
		return err
	}), nil
}

func (c *adminCall) verifyAudit(nothing) (audit.Report, error) {
	return audit.Verify(c.r.Context(), c.app.auditFolder())
}
