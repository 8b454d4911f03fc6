package caddymodule

import (
	"cmp"
	"context"
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

// defaultTailCheck is how often it is looked up whether who follows still may.
const defaultTailCheck = 30 * time.Second

// tailEnd is the event of the last line of a stream that the gateway ends.
const tailEnd = "tail_end"

// tailAudit streams records as they come, until the caller goes away, may not any more, or the gateway stops.
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
		ctx, end := context.WithCancelCause(c.r.Context())
		defer end(nil)
		go c.holdTo(ctx, end)
		err := c.app.gateway.journal.Follow(ctx, after, func(_ uint64, record []byte) error { return line(record) })
		if c.r.Context().Err() != nil {
			return nil // the caller went away
		}
		cut := &cutShort{faultBroken, err}
		switch cause := context.Cause(ctx); {
		case cause != nil:
			cut = &cutShort{faultLogin, cause}
		case errors.Is(err, audit.ErrUnavailable):
			cut = &cutShort{faultStopped, err}
		}
		last, err := json.Marshal(audit.Record{Event: tailEnd, Time: time.Now(), Outcome: "FAILURE", Reason: cut.fault, Detail: streamFaults[cut.fault]})
		return errors.Join(cut, err, line(last))
	}), nil
}

// holdTo ends a stream as soon as who asked for it is not who he was, or may not ask any more: a login ends, an administrator is
// disabled, while a stream runs for hours. What can't be found out counts as no.
func (c *adminCall) holdTo(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(cmp.Or(time.Duration(c.app.Audit.TailCheck), defaultTailCheck))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		who, err := c.app.identify(c.r.WithContext(ctx))
		if err == nil {
			err = who.may(powerAudit)
		}
		if err == nil && who.name != c.who.name {
			err = errors.New("another administrator")
		}
		if err != nil {
			end(err)
			return
		}
	}
}
