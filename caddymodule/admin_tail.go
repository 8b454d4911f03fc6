package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"licgate/audit"
)

// auditTail says from where on to follow; 0: from now on.
type auditTail struct {
	After int64 `json:"after,omitempty"`
}

// tailEnd is the event of the last line of a stream that the gateway ends.
const tailEnd = "tail_end"

// tailAudit streams records as they come, until the caller goes away or the gateway stops.
func (c *adminCall) tailAudit(q auditTail) (any, error) {
	after, _ := c.app.gateway.journal.Last()
	if q.After > 0 {
		after = uint64(q.After)
	}
	return stream(func(w http.ResponseWriter) error {
		control := http.NewResponseController(w)
		line := func(record []byte) error {
			if _, err := w.Write(append(slices.Clip(record), '\n')); err != nil {
				return err
			}
			return control.Flush()
		}
		w.WriteHeader(http.StatusOK)
		if err := control.Flush(); err != nil {
			return err
		}
		err := c.app.gateway.journal.Follow(c.r.Context(), after, func(_ uint64, record []byte) error { return line(record) })
		if c.r.Context().Err() != nil {
			return nil // the caller went away
		}
		cut := &cutShort{faultBroken, err}
		if errors.Is(err, audit.ErrUnavailable) {
			cut = &cutShort{faultStopped, err}
		}
		last, err := json.Marshal(audit.Record{Event: tailEnd, Time: time.Now(), Outcome: "FAILURE", Reason: cut.fault, Detail: streamFaults[cut.fault]})
		return errors.Join(cut, err, line(last))
	}), nil
}
