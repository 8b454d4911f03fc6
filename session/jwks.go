package session

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of a key set.
const (
	maxKeySet  = 1 << 20 // bytes
	maxKeys    = 100
	minRSABits = 2048
)

// When and how long a key set is fetched.
const (
	fetchEvery   = time.Minute // at most
	fetchTimeout = 5 * time.Second
	// A set this old is fetched again although it knows the key: the issuer may have withdrawn one.
	keySetAge = time.Hour
)

// ErrKeySet says that a key set is malformed, holds a private key, or no key to verify with.
var ErrKeySet = errors.New("session: not a set of public keys (JWKS)")

// parseKeySet reads a JWKS (RFC 7517) and returns its keys that can verify a credential. Kinds of key that are not
// known are passed over, as section 5 of the RFC asks; a private or secret key is an error, because whoever can read
// the set could sign with it.
func parseKeySet(content []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(content, &set) != nil {
		return nil, fmt.Errorf("%w: malformed", ErrKeySet)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d", ErrKeySet, len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for i, raw := range set.Keys {
		var secret struct{ D, K, Priv json.RawMessage }
		if json.Unmarshal(raw, &secret) != nil {
			return nil, fmt.Errorf("%w: malformed", ErrKeySet)
		}
		if secret.D != nil || secret.K != nil || secret.Priv != nil {
			return nil, fmt.Errorf("%w: key %d is private or a shared secret", ErrKeySet, i+1)
		}
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && usable(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no key to verify with", ErrKeySet)
	}
	return keys, nil
}

// usable reports whether a key is for signatures, of a kind that credentialAlgorithms name, and strong enough.
func usable(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" {
		return false
	}
	switch public := key.Key.(type) {
	case ed25519.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return public.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSABits
	}
	return false
}

func readKeySet(path string) ([]jose.JSONWebKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("session: reading keys of credentials: %w", err)
	}
	defer f.Close()
	keys, err := parseLimited(f)
	if err != nil {
		return nil, fmt.Errorf("session: reading keys of credentials from %s: %w", path, err)
	}
	return keys, nil
}

func parseLimited(r io.Reader) ([]jose.JSONWebKey, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxKeySet {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeySet, maxKeySet)
	}
	return parseKeySet(content)
}

// keysFor returns the keys that may have signed a token with header: same kid if it has one, same algorithm if the key
// names one.
func keysFor(keys []jose.JSONWebKey, header jose.Header) []jose.JSONWebKey {
	var fit []jose.JSONWebKey
	for _, k := range keys {
		if (header.KeyID == "" || header.KeyID == k.KeyID) && (k.Algorithm == "" || k.Algorithm == header.Algorithm) {
			fit = append(fit, k)
		}
	}
	return fit
}

// keySource keeps the key set of an URL.
type keySource struct {
	url    string
	now    func() time.Time
	client *http.Client

	mu      sync.Mutex
	keys    []jose.JSONWebKey // last good set
	good    time.Time         // when keys were fetched
	tried   time.Time         // when the last fetch began
	err     error             // of the last fetch
	running chan struct{}     // closed when the fetch under way ends; nil when there is none
}

func newKeySource(address string, now func() time.Time) (*keySource, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
		return nil, errors.New("session: the address of the key set must be https://…, without user and password (http:// on loopback only)")
	}
	return &keySource{url: address, now: now, client: &http.Client{
		Timeout: fetchTimeout,
		// Following could lead from https to http, or into the internal network.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// keysFor returns the keys that fit header, after a fetch if none does. Without one it says ErrKeySource when the last
// fetch failed, and nothing when the source simply does not know the key.
func (s *keySource) keysFor(ctx context.Context, header jose.Header) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	fit := keysFor(s.keys, header)
	running := s.running
	if now := s.now(); running == nil && (len(fit) == 0 || old(s.good, now, keySetAge)) && old(s.tried, now, fetchEvery) {
		running = make(chan struct{})
		s.running, s.tried = running, now
		// Many may wait for this fetch, so it does not end with the request that happened to start it.
		go s.fetch(context.WithoutCancel(ctx), running)
	}
	s.mu.Unlock()
	if len(fit) > 0 {
		return fit, nil
	}
	if running != nil {
		select {
		case <-running:
		case <-ctx.Done():
			return nil, fmt.Errorf("session: waiting for the keys of credentials: %w", ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fit = keysFor(s.keys, header); len(fit) == 0 && s.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySource, s.err)
	}
	return fit, nil
}

// old reports whether t lies at least age back, or ahead: then the clock was set back and says nothing.
func old(t, now time.Time, age time.Duration) bool { return now.Sub(t) >= age || t.After(now) }

// fetch replaces the keys by those of the source, or notes why not, and closes done.
func (s *keySource) fetch(ctx context.Context, done chan struct{}) {
	keys, err := s.get(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.keys, s.good = slices.Clip(keys), s.now()
	}
	s.running = nil
	close(done)
}

func (s *keySource) get(ctx context.Context) ([]jose.JSONWebKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, fmt.Errorf("asking for the key set: %w", err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for the key set: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for the key set: status %d", response.StatusCode)
	}
	keys, err := parseLimited(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the fetched key set: %w", err)
	}
	return keys, nil
}
