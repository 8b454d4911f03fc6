package client

import (
	"context"
	"errors"
	"net/http"
)

// Login opens a session (table 1). Do it once, not before every call. A refusal (20003, 20004) must not be repeated automatically:
// further failures lock the account and the address.
func (c *Client) Login(ctx context.Context) error {
	leave, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return c.login(ctx)
}

// Logout ends the session (table 2) and forgets it in any case. It is fine when the gateway has ended it already.
func (c *Client) Logout(ctx context.Context) error {
	leave, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer leave()
	token := c.Token()
	if token.IsZero() {
		return nil
	}
	c.keep(Secret{})
	if _, err := c.Send(ctx, token, http.MethodPost, "/security/logout", nil, nil); err != nil && !tokenRefused(err) {
		return err
	}
	return nil
}

// Token is the access_token of the session, zero when there is none.
func (c *Client) Token() Secret {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

func (c *Client) keep(token Secret) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

// take waits for the turn to open or end a session.
func (c *Client) take(ctx context.Context) (leave func(), err error) {
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) login(ctx context.Context) error {
	body := map[string]string{
		"app_key": c.credentials.AppKey, "app_secret": c.credentials.AppSecret.Reveal(),
		"account": c.credentials.Account, "password": c.credentials.Password.Reveal(),
	}
	if c.credentials.OrgCode != "" {
		body["org_code"] = c.credentials.OrgCode
	}
	a, err := typed[Secret](c.Send(ctx, Secret{}, http.MethodPost, "/security/login", nil, body))
	if err != nil {
		return err
	}
	c.keep(a.Data)
	return nil
}

// renew replaces a session that the gateway refused, once however many callers ask. A refusal to log in ends the session for all of
// them, so that nobody goes on guessing; a failure that may pass leaves it to the next call.
func (c *Client) renew(ctx context.Context, refused Secret) (Secret, error) {
	leave, err := c.take(ctx)
	if err != nil {
		return Secret{}, err
	}
	defer leave()
	switch now := c.Token(); {
	case now.IsZero():
		return Secret{}, ErrNoSession
	case now.Reveal() != refused.Reveal():
		return now, nil // somebody else was faster
	}
	err = c.login(ctx)
	var e *Error
	if errors.As(err, &e) && !e.Temporary() {
		c.keep(Secret{})
	}
	return c.Token(), err
}
