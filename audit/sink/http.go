package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// HTTP posts batches as JSON lines (application/x-ndjson). The receiver has them when it answers 2xx.
type HTTP struct {
	URL    string
	Header http.Header  // in every request: authorization
	Client *http.Client // nil: one with a timeout of 30 s that follows no redirects
}

// ErrAnswer says that the receiver did not take a batch.
var ErrAnswer = errors.New("sink: the receiver did not take the records")

var client = &http.Client{
	Timeout: 30 * time.Second,
	// A redirect would take records to where nobody configured them to go.
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Send posts the records. Its errors never hold what the receiver says.
func (h *HTTP) Send(ctx context.Context, records [][]byte) error {
	body := append(bytes.Join(records, []byte{'\n'}), '\n')
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("posting records: %w", err)
	}
	for name, values := range h.Header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	c := h.Client
	if c == nil {
		c = client
	}
	response, err := c.Do(request)
	if err != nil {
		return fmt.Errorf("posting records: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("posting records: %w", err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%w: %s", ErrAnswer, response.Status)
	}
	return nil
}

// Close closes idle connections of a client of its own.
func (h *HTTP) Close() error {
	if h.Client != nil {
		h.Client.CloseIdleConnections()
	}
	return nil
}
