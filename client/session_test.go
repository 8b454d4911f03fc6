package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"licgate/client"
)

// platform knows sessions: each login opens one, expire ends all.
type platform struct {
	mu      sync.Mutex
	logins  int
	known   map[string]bool
	refusal string // code with which logins are refused, "" for none
	status  int
	last    seen
}

func (p *platform) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = map[string]bool{}
}

func (p *platform) handle(w http.ResponseWriter, q seen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = q
	switch {
	case q.path == "/security/login" && p.refusal != "":
		p.logins++
		refuse(w, q, p.status, p.refusal)
	case q.path == "/security/login":
		p.logins++
		token := fmt.Sprintf("lgs1_%d", p.logins)
		p.known[token] = true
		succeed(w, q, `"data":null,"access_token":"`+token+`"`)
	case !p.known[q.token]:
		refuse(w, q, http.StatusUnauthorized, "20002")
	case q.path == "/security/logout":
		delete(p.known, q.token)
		succeed(w, q, `"data":null`)
	default:
		succeed(w, q, `"data":{}`)
	}
}

func newPlatform(t *testing.T) (*platform, *client.Client) {
	t.Helper()
	p := &platform{known: map[string]bool{}}
	return p, made(t, serve(t, p.handle))
}

func ask(t *testing.T, c *client.Client) error {
	t.Helper()
	_, err := c.Call(t.Context(), http.MethodPost, "/license/auth", nil, nil)
	discreet(t, err)
	return err
}

func TestSession(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := &platform{known: map[string]bool{}}
	config := serve(t, p.handle)
	config.Credentials.OrgCode = "11110000000021135M"
	c := made(t, config)

	if err := ask(t, c); !errors.Is(err, client.ErrNoSession) || p.last.path != "" {
		t.Fatalf("before login: %v, sent %q", err, p.last.path)
	}
	if err := c.Login(ctx); err != nil {
		t.Fatal(err)
	}
	q := p.last
	if q.body["app_key"] != "hydj" || q.body["app_secret"] != appSecret || q.body["account"] != "zhangbin" || q.body["password"] != password ||
		q.body["org_code"] != "11110000000021135M" || q.token != "" || len(q.query) != 0 {
		t.Errorf("login sent %+v", q)
	}
	token := c.Token()
	if token.Reveal() != "lgs1_1" {
		t.Errorf("token %q", token.Reveal())
	}
	if err := ask(t, c); err != nil || p.logins != 1 {
		t.Errorf("%v after %d logins", err, p.logins)
	}

	if err := c.Logout(ctx); err != nil || !c.Token().IsZero() || len(p.known) != 0 {
		t.Errorf("logout: %v, still known %v", err, p.known)
	}
	if err := ask(t, c); !errors.Is(err, client.ErrNoSession) || p.logins != 1 {
		t.Errorf("after logout: %v", err)
	}
	p.last = seen{}
	if err := c.Logout(ctx); err != nil || p.last.path != "" {
		t.Errorf("logout again: %v, sent %q", err, p.last.path)
	}
	var e *client.Error
	if _, err := c.Send(ctx, token, http.MethodGet, "/security/get_current_user", nil, nil); !errors.As(err, &e) || e.Code != "20002" || p.logins != 1 {
		t.Errorf("the old token: %v after %d logins", err, p.logins)
	}

	// A session that the gateway has ended already is fine to log out of.
	if err := c.Login(ctx); err != nil {
		t.Fatal(err)
	}
	p.expire()
	if err := c.Logout(ctx); err != nil {
		t.Error(err)
	}
}

func TestRenewedOnce(t *testing.T) {
	t.Parallel()
	p, c := newPlatform(t)
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.expire()
	if _, err := c.Call(client.WithRequestID(t.Context(), "same"), http.MethodPost, "/license/auth", nil, nil); err != nil || p.logins != 2 || p.last.id() != "same" {
		t.Errorf("%v after %d logins, request_id %q", err, p.logins, p.last.id())
	}

	// A gateway that refuses every token is asked twice and no more.
	var calls atomic.Int32
	stubborn := loggedIn(t, func(w http.ResponseWriter, q seen) {
		calls.Add(1)
		refuse(w, q, http.StatusOK, "20002") // auth_failure_status 200
	})
	var e *client.Error
	if err := ask(t, stubborn); !errors.As(err, &e) || e.Code != "20002" || calls.Load() != 2 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

// An expired session makes many goroutines log in once.
func TestRenewedTogether(t *testing.T) {
	t.Parallel()
	p, c := newPlatform(t)
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	for round := 2; round < 5; round++ {
		p.expire()
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := ask(t, c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if p.logins != round {
			t.Fatalf("%d logins, want %d", p.logins, round)
		}
	}
}

// Refused credentials are tried once, not once a call: failures lock the account.
func TestRenewalRefused(t *testing.T) {
	t.Parallel()
	p, c := newPlatform(t)
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.expire()
	p.refusal, p.status = "20003", http.StatusOK
	var refusals atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var e *client.Error
			switch err := ask(t, c); {
			case errors.As(err, &e) && e.Code == "20003":
				refusals.Add(1)
			case !errors.Is(err, client.ErrNoSession):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if refusals.Load() != 1 || p.logins != 2 {
		t.Errorf("%d refusals, %d logins", refusals.Load(), p.logins)
	}
	if err := ask(t, c); !errors.Is(err, client.ErrNoSession) || p.logins != 2 {
		t.Errorf("afterwards: %v", err)
	}
}

// A gateway that is out of order for a while does not end the session's renewal.
func TestRenewalFailsForAWhile(t *testing.T) {
	t.Parallel()
	p, c := newPlatform(t)
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.expire()
	p.refusal, p.status = "90002", http.StatusServiceUnavailable
	var e *client.Error
	if err := ask(t, c); !errors.As(err, &e) || e.Code != "90002" {
		t.Fatal(err)
	}
	p.refusal = ""
	if err := ask(t, c); err != nil || p.logins != 3 {
		t.Errorf("%v after %d logins", err, p.logins)
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	p, c := newPlatform(t)
	p.refusal, p.status = "20003", http.StatusOK
	var e *client.Error
	if err := c.Login(t.Context()); !errors.As(err, &e) || e.Code != "20003" || e.InnerCode != "why" || e.ResponseID != "answer-2" || !c.Token().IsZero() {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Login(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// A SUCCESS without a token is none.
	lying := made(t, serve(t, func(w http.ResponseWriter, q seen) { succeed(w, q, `"data":null`) }))
	if err := lying.Login(t.Context()); !errors.As(err, &e) || !lying.Token().IsZero() {
		t.Error(err)
	}
}
