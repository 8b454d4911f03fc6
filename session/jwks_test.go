package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"licgate/session"
)

// issuer is an HTTP server of a key set, and a clock.
type issuer struct {
	*httptest.Server
	hits atomic.Int32

	mu      sync.Mutex
	handler http.HandlerFunc
	time    time.Time
}

func newIssuer(t *testing.T, handler http.HandlerFunc) *issuer {
	t.Helper()
	i := &issuer{handler: handler, time: credentialTime}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.hits.Add(1)
		i.mu.Lock()
		h := i.handler
		i.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answers(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handler = h
}

func (i *issuer) now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.time
}

func (i *issuer) pass(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.time = i.time.Add(d)
}

func (i *issuer) verifier(t *testing.T, file string) *session.CredentialVerifier {
	t.Helper()
	v, err := session.NewCredentialVerifier(session.CredentialConfig{JWKSURL: i.URL, JWKSFile: file, Now: i.now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fetched demands how often the source was asked so far.
func (i *issuer) fetched(t *testing.T, doing string, want int32) {
	t.Helper()
	if n := i.hits.Load(); n != want {
		t.Fatalf("%s: the source was asked %d times, want %d", doing, n, want)
	}
}

func serve(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
}

func down(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

// lasting are credentials by each key that no test outlives.
func lasting(t *testing.T, key string) string {
	t.Helper()
	algorithm := map[string]jose.SignatureAlgorithm{"ed": jose.EdDSA, "p256": jose.ES256, "rsa": jose.RS256}[key]
	return sign(t, algorithm, issuerKeys()[key], claims(map[string]any{"exp": credentialTime.Add(1000 * time.Hour).Unix()}), nil)
}

func verifies(t *testing.T, doing string, v *session.CredentialVerifier, credential string, want error) {
	t.Helper()
	_, err := v.Verify(t.Context(), credential)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Fatalf("%s: error %v, want %v", doing, err, want)
	}
	if errors.Is(err, session.ErrKeySource) && errors.Is(err, session.ErrCredential) {
		t.Fatalf("%s: %v is a refusal and none", doing, err)
	}
}

func TestKeySourceFetchesWhenAsked(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, serve(public(t, "ed")))
	v := i.verifier(t, "")
	i.fetched(t, "before use", 0)
	for range 5 {
		verifies(t, "known key", v, lasting(t, "ed"), nil)
	}
	i.fetched(t, "known key", 1)
	for range 5 {
		verifies(t, "unknown key", v, lasting(t, "rsa"), session.ErrCredential)
	}
	i.fetched(t, "unknown key within a minute", 1)

	i.answers(serve(public(t, "p256", "rsa")))
	i.pass(time.Minute - time.Millisecond)
	verifies(t, "too early", v, lasting(t, "rsa"), session.ErrCredential)
	i.fetched(t, "too early", 1)
	i.pass(time.Millisecond)
	verifies(t, "new key", v, lasting(t, "rsa"), nil)
	verifies(t, "other new key", v, lasting(t, "p256"), nil)
	i.fetched(t, "new key", 2)
	verifies(t, "withdrawn key", v, lasting(t, "ed"), session.ErrCredential)
	i.pass(-time.Hour)
	verifies(t, "clock set back", v, lasting(t, "ed"), session.ErrCredential)
	i.fetched(t, "clock set back", 3)
}

func TestKeySourceDown(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, down)
	v := i.verifier(t, "")
	verifies(t, "never reached", v, lasting(t, "ed"), session.ErrKeySource)
	verifies(t, "not asked again at once", v, lasting(t, "ed"), session.ErrKeySource)
	i.fetched(t, "down", 1)
	i.answers(serve(public(t, "ed")))
	i.pass(time.Minute)
	verifies(t, "up again", v, lasting(t, "ed"), nil)
	i.answers(down)
	for range 3 {
		i.pass(time.Minute)
		verifies(t, "down again, unknown key", v, lasting(t, "rsa"), session.ErrKeySource)
		verifies(t, "down again, known key", v, lasting(t, "ed"), nil)
	}
	i.answers(serve(public(t, "ed")))
	i.pass(time.Minute)
	verifies(t, "up, unknown key", v, lasting(t, "rsa"), session.ErrCredential)
}

func TestKeySourceBadAnswers(t *testing.T) {
	t.Parallel()
	good := public(t, "ed")
	elsewhere := newIssuer(t, serve(good))
	for name, handler := range map[string]http.HandlerFunc{
		"not JSON":  serve([]byte("<html>")),
		"no keys":   serve([]byte(`{"keys":[]}`)),
		"too long":  serve(append(good, strings.Repeat(" ", 1<<20)...)),
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		},
		"status 201": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write(good)
		},
	} {
		i := newIssuer(t, serve(good))
		v := i.verifier(t, "")
		verifies(t, name+", before", v, lasting(t, "ed"), nil)
		i.answers(handler)
		i.pass(time.Minute)
		verifies(t, name+", unknown key", v, lasting(t, "rsa"), session.ErrKeySource)
		verifies(t, name+", last good set", v, lasting(t, "ed"), nil)
	}
	elsewhere.fetched(t, "redirects", 0)
}

func TestKeySourceIsAskedOnceByMany(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	i := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		serve(public(t, "ed"))(w, r)
	})
	v := i.verifier(t, "")
	credential := lasting(t, "ed")

	// The one that started the fetch goes away; the others still get their answer from it.
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := v.Verify(ctx, credential)
		first <- err
	}()
	for i.hits.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrCredential) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), credential); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
	close(release)
	wg.Wait()
	i.fetched(t, "64 at once", 1)
}

func TestKeySourceOldSetIsFetchedAgain(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, serve(public(t, "ed", "rsa")))
	v := i.verifier(t, "")
	verifies(t, "first", v, lasting(t, "ed"), nil)
	i.answers(serve(public(t, "rsa"))) // ed is withdrawn
	i.pass(time.Hour - time.Millisecond)
	verifies(t, "within the hour", v, lasting(t, "ed"), nil)
	i.fetched(t, "within the hour", 1)
	i.pass(time.Millisecond)
	verifies(t, "the fetch is not waited for", v, lasting(t, "rsa"), nil)
	for n := 0; ; n++ {
		_, err := v.Verify(t.Context(), lasting(t, "ed"))
		if errors.Is(err, session.ErrCredential) {
			break
		}
		if err != nil || n > 5000 {
			t.Fatalf("the withdrawn key is still good, error %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	i.fetched(t, "after the hour", 2)
}

func TestKeyFileComesFirst(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, serve(public(t, "rsa")))
	v := i.verifier(t, writeFile(t, public(t, "ed")))
	verifies(t, "key of the file", v, lasting(t, "ed"), nil)
	i.fetched(t, "key of the file", 0)
	verifies(t, "key of the source", v, lasting(t, "rsa"), nil)
	i.fetched(t, "key of the source", 1)
	verifies(t, "no kid, key of the source", v, sign(t, jose.RS256, issuerKeys()["rsa"].Key, claims(nil), nil), nil)
}

func TestKeySourceAddresses(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://id.example/jwks":             true,
		"http://127.0.0.1:8080/jwks":          true,
		"http://[::1]/jwks":                   true,
		"http://localhost/jwks":               true,
		"http://id.example/jwks":              false,
		"http://10.0.0.1/jwks":                false,
		"http://localhost.id.example/jwks":    false,
		"ftp://127.0.0.1/jwks":                false,
		"file:///etc/passwd":                  false,
		"https:///jwks":                       false,
		"id.example/jwks":                     false,
		"https://user:geheim@id.example/jwks": false,
		"https://id.example:ge%heim/jwks":     false,
	} {
		_, err := session.NewCredentialVerifier(session.CredentialConfig{JWKSURL: address})
		if ok != (err == nil) {
			t.Errorf("%s: error %v, want accepted %v", address, err, ok)
		}
		if err != nil && strings.Contains(err.Error(), "heim") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
