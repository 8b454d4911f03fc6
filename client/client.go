// Package client calls the interfaces of 电子证照共享服务系统接入规范 (DB11/T 2290) as a business system (业务系统) does: over HTTPS, with
// a session that is renewed once when the gateway no longer knows it. Standard library only.
//
//	c, err := client.New(client.Config{URL: "https://zz.example.gov.cn", CAFile: "root.crt", Credentials: …})
//	err = c.Login(ctx)
//	defer c.Logout(context.WithoutCancel(ctx))
//	found, err := c.Auth(ctx, client.AuthRequest{…})
//
// Interfaces without a method of their own are reached by Call, with the members of docs/interfaces.md.
//
// A Client is for one application and one account. It may be used by many goroutines; log in once and share it.
// Secrets, licences and persons do not print (see Secret); errors hold what the gateway said, never what was sent.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Defaults of Config.
const (
	DefaultTimeout   = time.Minute
	DefaultMaxAnswer = 64 << 20
)

// Credentials are what the platform gave the department (appendix A). They belong on a server, never in a browser or a repository.
type Credentials struct {
	AppKey    string
	AppSecret Secret
	Account   string
	Password  Secret
	OrgCode   string // to act for this department as its administrator; usually empty
}

// Config says where the gateway is and who calls.
type Config struct {
	URL         string // API_ROOT, https only: "https://zz.example.gov.cn:8443"
	Credentials Credentials
	CAFile      string        // PEM file of the only trusted roots; "": the system's
	Timeout     time.Duration // of one request, reading its answer included; 0: DefaultTimeout
	MaxAnswer   int64         // bytes; a longer answer is ErrTooLong; 0: DefaultMaxAnswer
}

// Client calls one gateway. Make it with New.
type Client struct {
	root        string // without a slash at its end
	credentials Credentials
	http        *http.Client
	maxAnswer   int64

	mu    sync.Mutex
	token Secret
	// turn is held by whoever opens a session, so that an expired one makes many goroutines log in once.
	turn chan struct{}
}

// Format hides everything but the address.
func (c *Client) Format(f fmt.State, _ rune) { hide(f, "client of "+c.root) }

// Errors of calls that got no answer of the standard's. They are matched with errors.Is.
var (
	// ErrNoSession: Login was not called, Logout was, or the gateway refused to renew the session.
	ErrNoSession = errors.New("client: no session: log in first")
	// ErrTooLong: the answer is longer than Config.MaxAnswer.
	ErrTooLong = errors.New("client: the answer is too long")
	// ErrMixedUp: the answer carries another call's request_id. Something between here and the gateway mixes up answers.
	ErrMixedUp = errors.New("client: the answer belongs to another call")
)

// New makes a client. It does not call the gateway. Connections go straight to it: proxies of the environment are not used, and
// redirects are not followed, since both would carry secrets elsewhere.
func New(c Config) (*Client, error) {
	root, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	switch {
	case err != nil, root.Scheme != "https", root.Host == "", root.User != nil, root.RawQuery != "", root.Fragment != "", root.ForceQuery:
		// The text is not repeated: it may hold a password.
		return nil, errors.New("client: URL must be https://host[:port][/path]")
	case c.Timeout < 0 || c.MaxAnswer < 0:
		return nil, errors.New("client: Timeout and MaxAnswer must not be negative")
	}
	trust, err := TLSConfig(c.CAFile)
	if err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = DefaultMaxAnswer
	}
	return &Client{
		root: root.String(), credentials: c.Credentials, maxAnswer: c.MaxAnswer, turn: make(chan struct{}, 1),
		http: &http.Client{
			Timeout: c.Timeout,
			Transport: &http.Transport{
				TLSClientConfig: trust, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// TLSConfig is the trust that New sets up: TLS 1.2 or later, and the roots of a PEM file alone, or the system's for "".
func TLSConfig(caFile string) (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return trust, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("client: reading the root certificates: %w", err)
	}
	trust.RootCAs = x509.NewCertPool()
	if !trust.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("client: %s holds no certificate in PEM form", caFile)
	}
	return trust, nil
}

type requestIDKey struct{}

// WithRequestID makes calls under ctx carry this request_id instead of a random one. Whoever repeats a *_qr call whose answer was
// lost needs the same again.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// Call calls an interface in the session: path is that of docs/interfaces.md with the item code filled in, under API_ROOT; body must
// become a JSON object, and is nil for GET. Every call carries a request_id, as a member of body or query that the caller
// gave, or else of WithRequestID, or else a random one.
//
// A session that the gateway no longer knows is renewed once and the call repeated, which is safe: it was refused, not done. A
// refusal is an *Error. Anything else that fails (no connection, a timeout) leaves open whether the call was done.
func (c *Client) Call(ctx context.Context, method, path string, query url.Values, body any) (*Raw, error) {
	token := c.Token()
	if token.IsZero() {
		return nil, ErrNoSession
	}
	q, err := c.prepare(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.exchange(ctx, q, token)
	if !tokenRefused(err) {
		return answer, err
	}
	if token, err = c.renew(ctx, token); err != nil {
		return nil, fmt.Errorf("client: renewing the session: %w", err)
	}
	return c.exchange(ctx, q, token)
}

// Send makes one call with a token of the caller's own ("": none) and renews nothing. It is for whoever keeps sessions himself.
func (c *Client) Send(ctx context.Context, token Secret, method, path string, query url.Values, body any) (*Raw, error) {
	q, err := c.prepare(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, q, token)
}

// request is a call that can be sent more than once.
type request struct {
	method, path, address string
	body                  []byte // nil: none
	id                    string
}

const requestID = "request_id"

func (c *Client) prepare(ctx context.Context, method, path string, query url.Values, body any) (*request, error) {
	q := &request{method: method, path: path, id: rand.Text()}
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		q.id = id
	}
	address, err := url.Parse(c.root + path)
	if err != nil || !strings.HasPrefix(path, "/") || address.String() != c.root+path || address.RawQuery != "" || address.Fragment != "" {
		return nil, fmt.Errorf("client: %q is no path of an interface", path)
	}
	values := url.Values{}
	for name, list := range query {
		values[name] = list
	}
	switch method {
	case http.MethodGet:
		if body != nil {
			return nil, errors.New("client: a GET has no body")
		}
		if values.Has(requestID) {
			q.id = values.Get(requestID)
		}
		values.Set(requestID, q.id)
	case http.MethodPost:
		if q.body, err = q.encode(body); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("client: the interfaces are called by GET and POST")
	}
	address.RawQuery = values.Encode()
	q.address = address.String()
	return q, nil
}

// encode writes the body with its request_id.
func (q *request) encode(body any) ([]byte, error) {
	members := map[string]json.RawMessage{}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil || json.Unmarshal(text, &members) != nil || members == nil {
			// The cause is not repeated: it may quote what was to be sent.
			return nil, fmt.Errorf("client: the body of %s does not become a JSON object", q.path)
		}
	}
	if given, ok := members[requestID]; ok {
		if err := json.Unmarshal(given, &q.id); err != nil {
			return nil, fmt.Errorf("client: request_id of %s is no text", q.path)
		}
	} else {
		members[requestID], _ = json.Marshal(q.id)
	}
	return json.Marshal(members)
}

// exchange sends a request once and reads the answer. An error of the transport names method and path alone: the address may
// hold codes.
func (c *Client) exchange(ctx context.Context, q *request, token Secret) (*Raw, error) {
	// bytes.NewReader lets the transport repeat a request that a closing connection never took.
	r, err := http.NewRequestWithContext(ctx, q.method, q.address, bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("client: %s %s: not a request", q.method, q.path)
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if !token.IsZero() {
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	resp, err := c.http.Do(r)
	if err != nil {
		var whole *url.Error
		if errors.As(err, &whole) {
			err = whole.Err
		}
		return nil, fmt.Errorf("client: %s %s: %w", q.method, q.path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("client: reading the answer of %s %s: %w", q.method, q.path, err)
	case int64(len(body)) > c.maxAnswer:
		return nil, fmt.Errorf("%w: %s %s", ErrTooLong, q.method, q.path)
	}
	answer, err := readAnswer(resp.StatusCode, body)
	if answer.CorrelationID != "" && answer.CorrelationID != q.id {
		return nil, fmt.Errorf("%w: %s %s", ErrMixedUp, q.method, q.path)
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		refusal.RetryAfter = retryAfter(resp.Header)
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// retryAfter reads the seconds of Retry-After (RFC 9110 §10.2.3), a day at most; the gateway writes no dates there.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 86400 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
