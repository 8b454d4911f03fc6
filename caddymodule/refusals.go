package caddymodule

import (
	"context"
	"time"

	"licgate/audit"
)

// tallyRefusals sums up what limits refuse, as long as the journal is open: across reloads, since requests of the configuration before go on
// for a while. end writes the rest.
func tallyRefusals(journal *audit.Journal) (_ *audit.Tally, end func() error) {
	t := &audit.Tally{Journal: journal, Now: time.Now}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.Run(ctx)
	}()
	return t, func() error {
		stop()
		<-ended
		return t.Flush()
	}
}

// join finds the record that stands for a refusal, when no limit let the request through: nothing else bounds how many of these there are.
// From then on the request goes by that record's response_id.
func (w *recorder) join(code string, status int) {
	t := w.trip
	if w.refusal == nil && !w.kept && !t.admitted {
		w.refusal = t.app.gateway.refusals.Refuse(w.caller(code, status), t.responseID)
		t.responseID = w.refusal.ResponseID()
		t.record.ResponseID = t.responseID
	}
}

// alone says that the request has a record of its own. What is logged of others would bury the log, as their records would the journal.
func (w *recorder) alone() bool { return w.refusal == nil || w.refusal.First() }

// caller is whom the limits count a request for: the application, in the department it acts for, or the address.
func (w *recorder) caller(code string, status int) audit.Caller {
	c := audit.Caller{ErrorCode: code, Status: status}
	if s := w.trip.session; s != nil {
		c.App, c.Department = s.AppKey, s.Department
	} else {
		c.Address = addressKey(clientIP(w.request))
	}
	return c
}

// leave gives up a refusal whose answer broke off before it was recorded, so that nobody waits for it.
func (w *recorder) leave() {
	if w.refusal != nil {
		w.refusal.Leave()
	}
}

// gone records that the client went away before the answer.
func (w *recorder) gone() {
	w.trip.record.Outcome = "FAILURE"
	w.join("", statusClientGone)
	_ = w.keep(statusClientGone)
}
