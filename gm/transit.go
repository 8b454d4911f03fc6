package gm

import (
	"bytes"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

// Transit says where a key-encryption key is that never leaves its service: the Transit engine of HashiCorp Vault or OpenBao,
// version 1 of its HTTP interface. The key is one that encrypts with authentication (aes256-gcm96, chacha20-poly1305), is not
// derived and not exportable; our token may encrypt and decrypt with it, nothing else.
type Transit struct {
	Address   string        // https://host:8200; never http
	Mount     string        // of the engine; "": transit
	Key       string        // name of the key
	TokenFile string        // holds our token, mode 0600; read for each call, because an agent renews it
	CAFile    string        // certificates, PEM, that may have signed the service's; "": those of the system
	Namespace string        // of the service, if it has some
	Timeout   time.Duration // of one call; 0: 10 s
}

// maxTransitAnswer bounds what is read of an answer, in bytes.
const maxTransitAnswer = 64 << 10

// transitName is what names and parts of mounts are made of.
var transitName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// transit wraps by a Transit engine.
type transit struct {
	Transit
	base   string // address and mount
	client *http.Client
}

// TransitWrapper returns the wrapper of t. It asks nothing of the service yet.
func TransitWrapper(t Transit) (KeyWrapper, error) {
	if t.Mount == "" {
		t.Mount = "transit"
	}
	if t.Timeout == 0 {
		t.Timeout = 10 * time.Second
	}
	u, err := url.Parse(t.Address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("gm: the address of a Transit service is https://HOST:PORT")
	}
	for _, part := range append(strings.Split(t.Mount, "/"), t.Key) {
		if !transitName.MatchString(part) {
			return nil, fmt.Errorf("gm: mount %q or key %q is no name of a Transit service", t.Mount, t.Key)
		}
	}
	if t.TokenFile == "" || t.Timeout < 0 {
		return nil, errors.New("gm: a Transit service needs a file with a token, and a timeout")
	}
	roots, err := transitRoots(t.CAFile)
	if err != nil {
		return nil, err
	}
	return &transit{Transit: t, base: "https://" + u.Host + "/v1/" + t.Mount, client: &http.Client{
		Timeout: t.Timeout,
		// The token must go nowhere else. Services forward to their active node themselves.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:             nil, // what the environment names is not what was configured
			TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
			IdleConnTimeout:   time.Minute,
		},
	}}, nil
}

func transitRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil // those of the system
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("gm: reading the certificates of a Transit service: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("gm: %s holds no certificate", path)
	}
	return roots, nil
}

// ID names mount and key, and not the address: the service may move.
func (t *transit) ID() string { return "transit:" + t.Mount + "/" + t.Key }

// Wrap puts the digest of binding before the key. The engine knows associated data too, but only in later versions; earlier ones ignore
// it without a word.
func (t *transit) Wrap(ctx context.Context, key, binding []byte) ([]byte, error) {
	bound := SM3(binding)
	plaintext := append(bound[:], key...)
	defer clear(plaintext)
	var answer struct {
		Ciphertext string `json:"ciphertext"`
	}
	if err := t.call(ctx, "encrypt", map[string][]byte{"plaintext": plaintext}, &answer); err != nil {
		return nil, err
	}
	if answer.Ciphertext == "" {
		return nil, fmt.Errorf("%w: %s answered without a ciphertext", ErrKEKUnavailable, t.ID())
	}
	return []byte(answer.Ciphertext), nil
}

func (t *transit) Unwrap(ctx context.Context, wrapped, binding []byte) ([]byte, error) {
	var answer struct {
		Plaintext []byte `json:"plaintext"`
	}
	err := t.call(ctx, "decrypt", map[string]string{"ciphertext": string(wrapped)}, &answer)
	defer clear(answer.Plaintext)
	if err != nil {
		return nil, err
	}
	if len(answer.Plaintext) == 0 {
		return nil, fmt.Errorf("%w: %s answered without a plaintext", ErrKEKUnavailable, t.ID())
	}
	bound := SM3(binding)
	if len(answer.Plaintext) < len(bound) || subtle.ConstantTimeCompare(answer.Plaintext[:len(bound)], bound[:]) != 1 {
		return nil, fmt.Errorf("%w: it belongs to another record", ErrWrapped)
	}
	return bytes.Clone(answer.Plaintext[len(bound):]), nil
}

// call asks the engine to do act. What the service says in an error is not repeated: it is not known what it holds.
func (t *transit) call(ctx context.Context, act string, ask, answer any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return fmt.Errorf("gm: asking %s: %w", t.ID(), err)
	}
	defer clear(body)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.base+"/"+act+"/"+t.Key, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("gm: asking %s: %w", t.ID(), err)
	}
	token, err := ReadKeyFile(t.TokenFile)
	if err != nil {
		return fmt.Errorf("%w: the token of %s: %w", ErrKEKUnavailable, t.ID(), err)
	}
	defer clear(token)
	r.Header.Set("X-Vault-Token", string(bytes.TrimSpace(token)))
	r.Header.Set("X-Vault-Request", "true") // some services and agents refuse requests without it
	r.Header.Set("Content-Type", "application/json")
	if t.Namespace != "" {
		r.Header.Set("X-Vault-Namespace", t.Namespace)
	}
	response, err := t.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("gm: asking %s: %w", t.ID(), context.Cause(ctx))
		}
		return fmt.Errorf("%w: %s: %w", ErrKEKUnavailable, t.ID(), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return t.refusal(act, response.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxTransitAnswer+1))
	defer clear(content)
	if err != nil {
		return fmt.Errorf("%w: %s: reading its answer: %w", ErrKEKUnavailable, t.ID(), err)
	}
	envelope := struct {
		Data any `json:"data"`
	}{answer}
	if len(content) > maxTransitAnswer || json.Unmarshal(content, &envelope) != nil {
		return fmt.Errorf("%w: %s gave an answer of another form", ErrKEKUnavailable, t.ID())
	}
	return nil
}

// refusal puts a status into words that say what to do. Only that of a ciphertext itself is final.
func (t *transit) refusal(act string, status int) error {
	var what string
	switch {
	case status == http.StatusBadRequest && act == "decrypt":
		return fmt.Errorf("%w: %s does not decrypt it (400): another key, a changed text, or a version below min_decryption_version", ErrWrapped, t.ID())
	case status == http.StatusForbidden:
		what = "the token is wrong, expired, or may not " + act
	case status == http.StatusNotFound:
		what = "there is no such mount, key or namespace"
	case status == http.StatusTooManyRequests:
		what = "too many requests"
	case status == http.StatusServiceUnavailable:
		what = "the service is sealed or in maintenance"
	case status >= 300 && status < 400:
		what = "it points to another address, which is not followed: give that of the active node"
	default:
		what = "it failed"
	}
	return fmt.Errorf("%w: %s: %s (%d)", ErrKEKUnavailable, t.ID(), what, status)
}

// Format prints the id for every verb.
func (t *transit) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "gm.KeyWrapper("+t.ID()+")") }
