package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"licgate/masking"
	"licgate/protocol"
)

const (
	// holdBack is how many masked bytes of a JSON body are kept before the first of them leaves: a fault that shows until then is told by a
	// clean answer. One that shows later cuts the connection, and what has left is no JSON text.
	holdBack = 1 << 20
	// maxPage bounds a page, which is read as a tree.
	maxPage = 4 << 20
)

// maskWriter masks what an upstream answers; bytes that our handlers made from masked data pass.
type maskWriter struct {
	inner  http.ResponseWriter
	trip   *trip
	mask   *Mask
	header http.Header // what the handler behind sets; it leaves only when that handler is ours
	status int
	failed error // why nothing more of the body may leave

	kind     bodyKind
	media    string // of the answer
	encoding string
	stream   *masking.Stream // of a body that is not read whole
	whole    bytes.Buffer    // a body that is
	held     bytes.Buffer    // masked, and not yet sent
	sent     bool
}

// bodyKind is what a body is masked as.
type bodyKind int

const (
	noBody bodyKind = iota
	jsonBody
	htmlBody
)

var errTooLarge = errors.New("licgate: the upstream's body is over the limit")

// withheld says to the operator, by the record's reason, why a body did not leave.
func withheld(why string) error {
	return &protocol.Failure{Code: protocol.CodeWithheld, Inner: why}
}

// collect lets the next handler answer. A proxy cuts the connection when its upstream breaks off; as long as nothing has
// left yet, the caller can be told instead.
func (w *maskWriter) collect(next caddyhttp.Handler, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler && !w.trip.rendered && r.Context().Err() == nil:
			err = protocol.Fail(protocol.CodeUpstream, "")
		case p == http.ErrAbortHandler && !w.trip.rendered && !w.sent:
			err = r.Context().Err()
		default:
			panic(p)
		}
		if w.failed != nil {
			err = w.failed
		}
	}()
	return next.ServeHTTP(w, r)
}

// release gives back what the writer holds.
func (w *maskWriter) release() {
	if w.stream != nil {
		w.stream.Release()
		w.stream = nil
	}
}

// Header returns the header of the handler behind.
func (w *maskWriter) Header() http.Header { return w.header }

// WriteHeader notes the status of an upstream, and passes that of our handlers.
func (w *maskWriter) WriteHeader(status int) {
	if w.trip.rendered {
		w.passHeader()
		w.inner.WriteHeader(status)
		return
	}
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

// passHeader lets the header of our own handlers leave as it is.
func (w *maskWriter) passHeader() {
	if !w.sent {
		w.sent = true
		h := w.inner.Header()
		clear(h)
		maps.Copy(h, w.header)
	}
}

// Write masks a piece of an upstream's body. Once the body is withheld, its handler is told to stop.
func (w *maskWriter) Write(p []byte) (int, error) {
	if w.trip.rendered {
		w.passHeader()
		return w.inner.Write(p)
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.failed == nil && w.kind == noBody && len(p) > 0 {
		w.failed = w.open()
	}
	switch {
	case w.failed != nil || len(p) == 0:
	case w.stream != nil:
		_, err := w.stream.Write(p)
		w.failed = unmasked(err)
	case w.whole.Len()+len(p) > w.limit():
		w.failed = withheld("too_large")
	default:
		w.whole.Write(p)
	}
	if w.failed != nil {
		return 0, w.failed
	}
	return len(p), nil
}

// limit bounds what is read whole.
func (w *maskWriter) limit() int {
	if w.kind == htmlBody && w.encoding == "" {
		return int(min(w.mask.MaxBody, maxPage))
	}
	return int(w.mask.MaxBody)
}

// judge refuses an answer that is not one whole body, by its status and header.
func (w *maskWriter) judge() error {
	h := w.header
	for name := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return withheld("trailer")
		}
	}
	encodings := h.Values("Content-Encoding")
	switch {
	case len(h.Values("Trailer")) > 0:
		return withheld("trailer")
	case w.status == http.StatusSwitchingProtocols, w.status == http.StatusPartialContent:
		return withheld("status")
	case len(h.Values("Content-Range")) > 0:
		return withheld("partial")
	case len(encodings) > 1:
		return withheld("content_encoding")
	case len(encodings) == 1 && encodings[0] != "" && !strings.EqualFold(encodings[0], "identity"):
		if w.encoding = strings.ToLower(encodings[0]); !slices.Contains(w.mask.AcceptEncoding, w.encoding) {
			return withheld("content_encoding")
		}
	}
	return nil
}

// open says what a body is masked as, or why it is withheld.
func (w *maskWriter) open() error {
	if err := w.judge(); err != nil {
		return err
	}
	types := w.header.Values("Content-Type")
	if len(types) != 1 {
		return withheld("content_type")
	}
	media, params, err := mime.ParseMediaType(types[0])
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return withheld("content_type")
	}
	t := w.trip
	if len(t.items) != 1 || t.plans[t.items[0].Code] == nil {
		return withheld("no_plan")
	}
	switch w.media = media; {
	case media == "application/json", w.declares(func(m *Masked) bool { return slices.Contains(m.ContentTypes, media) }):
		w.kind = jsonBody
		if w.encoding == "" {
			w.stream = w.plan().Stream((*holder)(w), w.limit())
		}
	case media == "text/html" && w.declares(func(m *Masked) bool { return len(m.HTML) > 0 }):
		w.kind = htmlBody
	default:
		return withheld("content_type")
	}
	return nil
}

// plan is that of the one item which the answer is about.
func (w *maskWriter) plan() *masking.Plan { return w.trip.plans[w.trip.items[0].Code] }

// declares reports whether the step or the route says something of bodies.
func (w *maskWriter) declares(says func(*Masked) bool) bool {
	return says(&w.mask.Masked) || w.trip.route != nil && says(&w.trip.route.Masked)
}

// unmasked is the failure of a body that was not masked, by the record's reason.
func unmasked(err error) error {
	switch {
	case errors.Is(err, masking.ErrTooLarge):
		return withheld("too_large")
	case errors.Is(err, masking.ErrSelector):
		return withheld("selector")
	case errors.Is(err, masking.ErrWithheld):
		return withheld("unparseable")
	}
	return err
}

// finish masks what is left, or withholds it. Not a byte of the original leaves unless it went through the plan.
func (w *maskWriter) finish() error {
	if w.trip.rendered || w.status == 0 {
		return nil
	}
	if w.failed == nil {
		w.failed = w.judge() // trailers come last
	}
	if w.failed == nil {
		w.failed = unmasked(w.finishBody())
	}
	switch {
	case w.failed != nil:
		return w.failed
	case w.sent:
		return nil
	}
	w.send(strconv.Itoa(w.held.Len()))
	_, err := w.inner.Write(w.held.Bytes())
	return err
}

func (w *maskWriter) finishBody() error {
	if w.stream != nil {
		return w.stream.Close()
	}
	body := w.whole.Bytes()
	if w.encoding != "" && w.kind != noBody {
		encoding := w.encoding
		w.encoding = ""
		var err error
		if body, err = decoded(encoding, body, int64(w.limit())); err != nil {
			if errors.Is(err, errTooLarge) {
				return withheld("too_large")
			}
			return withheld("content_encoding")
		}
	}
	switch w.kind {
	case jsonBody:
		return w.plan().JSON((*holder)(w), bytes.NewReader(body))
	case htmlBody:
		return w.plan().HTML((*holder)(w), body)
	}
	return nil
}

// holder takes masked bytes. It keeps them until there are too many, so that a fault in what follows can be told.
type holder maskWriter

func (h *holder) Write(p []byte) (int, error) {
	w := (*maskWriter)(h)
	if !w.sent && w.held.Len()+len(p) <= holdBack {
		return w.held.Write(p)
	}
	if !w.sent {
		w.send("")
		if _, err := w.inner.Write(w.held.Bytes()); err != nil {
			return 0, err
		}
		w.held = bytes.Buffer{}
	}
	return w.inner.Write(p)
}

// send lets status and header leave. A header can say as much as a body: of the upstream's, only the content type passes.
func (w *maskWriter) send(length string) {
	w.sent = true
	h := w.inner.Header()
	if w.kind != noBody {
		h.Set("Content-Type", w.media+"; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	if w.kind == htmlBody {
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Referrer-Policy", "no-referrer")
	}
	if length != "" && w.status != http.StatusNoContent && w.status != http.StatusNotModified {
		h.Set("Content-Length", length)
	}
	h.Set("Cache-Control", "no-store")
	if hidden := w.trip.maskedFieldsHeader(); hidden != "" {
		h.Set("Licgate-Masked-Fields", hidden)
	}
	w.inner.WriteHeader(w.status)
}

// pagePolicy lets nothing of an upstream's page run, should masking have missed it.
const pagePolicy = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

var _ io.Writer = (*holder)(nil)
