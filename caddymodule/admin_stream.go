package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"licgate/audit"
)

// Trailers of a stream of lines. A status is sent before the work is done: whether all of it came, and why not, can only stand behind it.
const (
	// auditFault is why the stream is not whole; there is none when it is.
	auditFault = "Licgate-Audit-Fault"
	// auditLines is how many lines were sent, once the stream came to its end. Without it nothing behind the last line is known.
	auditLines = "Licgate-Audit-Lines"
	// auditWaiting is how many selected records are not yet under a checkpoint.
	auditWaiting = "Licgate-Audit-Waiting"
)

// Values of auditFault.
const (
	faultDamaged = "damaged" // the journal is; what could be read is there
	faultBroken  = "broken"  // something failed on the way
	faultStopped = "stopped" // the gateway stops
	faultLogin   = "login"   // who asked may not any more
)

// A streamed answer writes itself.
type streamed func(w http.ResponseWriter) error

// cutShort says that a stream is not whole, after its status was sent: the caller reads it in the trailer.
type cutShort struct {
	fault string
	err   error
}

func (c *cutShort) Error() string { return c.fault + ": " + c.err.Error() }

func (c *cutShort) Unwrap() error { return c.err }

// stream sends lines, one JSON value each. An error before the first of them is the answer; later ones stand in the trailer.
func stream(write func(w http.ResponseWriter) error) any {
	return streamed(func(w http.ResponseWriter) error {
		header, lines := w.Header(), &lineWriter{ResponseWriter: w}
		header.Set("Content-Type", "application/x-ndjson; charset=utf-8")
		header.Set("Trailer", auditFault+", "+auditLines+", "+auditWaiting)
		err := write(lines)
		if err == nil || errors.Is(err, audit.ErrDamaged) {
			lines.begin()
			header.Set(auditLines, strconv.Itoa(lines.count.n))
		}
		if err == nil {
			return nil
		}
		if !lines.begun {
			header.Del("Trailer")
			header.Del("Content-Type")
			return err
		}
		var cut *cutShort
		if !errors.As(err, &cut) {
			cut = &cutShort{faultBroken, err}
			if errors.Is(err, audit.ErrDamaged) {
				cut.fault = faultDamaged
			}
		}
		header.Set(auditFault, cut.fault)
		return cut
	})
}

// lineWriter counts the lines of an answer, and knows whether any of it has left.
type lineWriter struct {
	http.ResponseWriter
	begun bool
	count lineCounter
}

func (w *lineWriter) begin() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
}

func (w *lineWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.begin()
	w.count.to = w.ResponseWriter
	return w.count.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *lineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// lineCounter counts lines on their way.
type lineCounter struct {
	to io.Writer
	n  int
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte("\n"))
	return c.to.Write(p)
}

// tell logs that an answer broke off, once. That the caller went away is nobody's fault.
func (c *adminCall) tell(route *adminRoute, cut *cutShort) {
	log := c.app.logger.Error
	if c.r.Context().Err() != nil || cut.fault == faultLogin || cut.fault == faultStopped {
		log = c.app.logger.Info
	}
	log("a stream to an administrator ended before its end", zap.String("route", route.name()), zap.String("fault", cut.fault), zap.Error(cut.err))
}
