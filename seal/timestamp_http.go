package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"

	"licgate/gm"
)

// maxResponse is the largest answer of a time-stamp authority read, in bytes.
const maxResponse = 64 << 10

// HTTPStamper asks a time-stamp authority by HTTP (RFC 3161 3.4). It takes a token only for its own nonce and digest, from an
// authority that Roots vouch for.
type HTTPStamper struct {
	URL    string
	Client *http.Client      // nil: http.DefaultClient
	Roots  []*gm.Certificate // of the authority
	Random io.Reader         // gives nonces; nil: crypto/rand
}

// Stamp implements Stamper. How long it may take is said by ctx.
func (s *HTTPStamper) Stamp(ctx context.Context, a Algorithms, digest []byte) ([]byte, error) {
	random, client := s.Random, s.Client
	if random == nil {
		random = rand.Reader
	}
	if client == nil {
		client = http.DefaultClient
	}
	query, nonce, err := newQuery(random, a, digest)
	if err != nil {
		return nil, fmt.Errorf("seal: asking for a time-stamp: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(query))
	if err != nil {
		return nil, fmt.Errorf("seal: asking for a time-stamp: %w", err)
	}
	request.Header.Set("Content-Type", TypeQuery)
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("seal: asking for a time-stamp: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != TypeReply {
		return nil, fmt.Errorf("seal: asking for a time-stamp: answer of status %d, type %.80q", response.StatusCode, response.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("seal: asking for a time-stamp: %w", err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("seal: asking for a time-stamp: an answer of more than %d bytes", maxResponse)
	}
	token, err := readResponse(body, a, digest, nonce, s.Roots)
	if err != nil {
		return nil, fmt.Errorf("seal: asking for a time-stamp: %w", err)
	}
	return token, nil
}

// Content types of RFC 3161 3.4.
const (
	TypeQuery = "application/timestamp-query"
	TypeReply = "application/timestamp-reply"
)
