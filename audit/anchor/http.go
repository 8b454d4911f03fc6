package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"licgate/audit/ledger"
)

// client asks anchors: it follows no redirects, and waits no longer than half a minute.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ErrAnswer says that an anchor did not take a checkpoint.
var ErrAnswer = errors.New("anchor: the checkpoint was not taken")

// HTTP posts checkpoints as text/plain to a service, which has one when it answers 2xx. The answer is kept as it is.
type HTTP struct {
	URL    string
	Header http.Header  // in every request: authorization
	Client *http.Client // nil: one with a timeout that follows no redirects
}

// Keep posts the checkpoint.
func (h HTTP) Keep(ctx context.Context, _ Log, c *ledger.Signed) (Kept, error) {
	status, _, answer, err := post(ctx, h.Client, h.URL, h.Header, noteType, c.Note)
	if err != nil {
		return Kept{}, err
	}
	if status < 200 || status > 299 {
		return Kept{}, fmt.Errorf("%w: HTTP %d", ErrAnswer, status)
	}
	return Kept{Answer: answer}, nil
}

// noteType is the content type of a checkpoint, and of the request for a cosignature of one.
const noteType = "text/plain; charset=utf-8"

func post(ctx context.Context, c *http.Client, url string, header http.Header, contentType string, body []byte) (status int, kind string, answer []byte, _ error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, fmt.Errorf("asking an anchor: %w", err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", contentType)
	if c == nil {
		c = client
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, "", nil, fmt.Errorf("asking an anchor: %w", err)
	}
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return 0, "", nil, fmt.Errorf("reading an anchor's answer: %w", err)
	}
	return response.StatusCode, response.Header.Get("Content-Type"), answer, nil
}

// Witness asks the witness of another department to cosign (C2SP tlog-witness): it checks that each checkpoint goes on from
// the one that it signed last.
type Witness struct {
	URL    string            // its submission prefix
	Keys   []ledger.Verifier // its cosigners' keys: every one of them has to sign
	Client *http.Client      // nil: one with a timeout that follows no redirects

	size uint64 // that it signed last, as far as we know
}

// sizeType is the content type of the size that a witness answers with (C2SP tlog-witness).
const sizeType = "text/x.tlog.size"

// Keep gets the cosignatures. When the witness says that it signed another size last, the proof is made from there.
func (w *Witness) Keep(ctx context.Context, log Log, c *ledger.Signed) (Kept, error) {
	if w.size > c.Size { // a restart of ours, or a rollback: it will say
		w.size = 0
	}
	for range 2 {
		path, err := consistency(log, w.size, c.Size)
		if err != nil {
			return Kept{}, err
		}
		status, kind, answer, err := post(ctx, w.Client, strings.TrimSuffix(w.URL, "/")+"/add-checkpoint", nil, noteType, addCheckpoint(w.size, path, c.Note))
		if err != nil {
			return Kept{}, err
		}
		switch {
		case status == http.StatusOK:
			return w.cosigned(c, answer)
		case status == http.StatusConflict && kind == sizeType:
			size, err := strconv.ParseUint(strings.TrimSuffix(string(answer), "\n"), 10, 63)
			if err != nil {
				return Kept{}, fmt.Errorf("%w: it answers a size that is none", ErrAnswer)
			}
			if size > c.Size {
				return Kept{}, fmt.Errorf("%w: the witness signed %d records, there are %d", ErrForked, size, c.Size)
			}
			if size == w.size {
				return Kept{}, fmt.Errorf("%w: the witness signed another tree of %d records", ErrForked, size)
			}
			w.size = size
		case status == http.StatusUnprocessableEntity:
			return Kept{}, fmt.Errorf("%w: the witness signed another tree of %d records", ErrForked, w.size)
		default:
			return Kept{}, fmt.Errorf("%w: HTTP %d", ErrAnswer, status)
		}
	}
	return Kept{}, fmt.Errorf("%w: it changes its mind", ErrAnswer)
}

// consistency is the proof that goes with an old size; none from nothing, or from itself.
func consistency(log Log, from, to uint64) ([]ledger.Hash, error) {
	if from == 0 || from == to {
		return nil, nil
	}
	return log.Consistency(from, to)
}

// addCheckpoint writes the body of a request.
func addCheckpoint(old uint64, path []ledger.Hash, note []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range path {
		text, _ := h.MarshalText() // has no error
		b.Write(append(text, '\n'))
	}
	b.WriteByte('\n')
	b.Write(note)
	return b.Bytes()
}

// cosigned puts the signatures behind the checkpoint and demands that all of the witness's keys made one.
func (w *Witness) cosigned(c *ledger.Signed, lines []byte) (Kept, error) {
	note := append(bytes.Clone(c.Note), lines...)
	if err := c.VerifyCosigned(note, w.Keys); err != nil {
		return Kept{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	w.size = c.Size
	return Kept{Note: note}, nil
}
