package licence_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"licgate/licence"
)

const (
	getLicence = "get_license_qr"
	getToken   = "get_token_qr"
	archive    = "archive_qr"
)

// use is both steps of a redemption.
func (w *world) use(ctx context.Context, code string, g licence.Grant, iface, requestID string) error {
	r, err := w.ByShowCode(ctx, code, g, iface, requestID)
	if err != nil {
		return err
	}
	return w.Redeem(ctx, r, g, iface, requestID)
}

func TestRedeem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.issue(t, making()).Licence
	code := w.showCode(t, l, holder)
	if !codeForm.MatchString(code) || !strings.HasPrefix(code, "lgq1_") {
		t.Errorf("show code %q", code)
	}
	for range 2 { // looking does not use it up
		r, err := w.ByShowCode(t.Context(), code, clerk, getLicence, "")
		if err != nil || r.Kind != licence.ShowCode || r.Licence.Code != l.Code || r.Grant != holder {
			t.Fatalf("ByShowCode = %+v, %v", r, err)
		}
	}
	for _, step := range []struct {
		name, iface, requestID string
		want                   error
	}{
		{"first use", getLicence, "r-1", nil},
		{"the same use again", getLicence, "r-1", nil},
		{"another request", getLicence, "r-2", licence.ErrNoCode},
		{"no request id", getLicence, "", licence.ErrNoCode},
		{"second interface", getToken, "", nil},
		{"second interface again without request id", getToken, "", licence.ErrNoCode},
		{"second interface again with one", getToken, "r-3", licence.ErrNoCode},
		{"third interface", archive, "r-1", nil},
		{"third interface again", archive, "r-1", nil},
		{"first interface again", getLicence, "r-1", nil},
		{"first interface under another request, after all others", getLicence, "r-2", licence.ErrNoCode},
		{"second interface, after all others", getToken, "r-2", licence.ErrNoCode},
	} {
		wantErr(t, step.name, w.use(t.Context(), code, clerk, step.iface, step.requestID), step.want)
	}
	stranger := func(edit func(*licence.Grant)) licence.Grant {
		g := clerk
		edit(&g)
		return g
	}
	fresh := w.showCode(t, l, holder)
	wantErr(t, "first use", w.use(t.Context(), fresh, clerk, getLicence, "r-1"), nil)
	for name, g := range map[string]licence.Grant{
		"application":  stranger(func(g *licence.Grant) { g.App = "x" }),
		"department":   stranger(func(g *licence.Grant) { g.Department = "x" }),
		"service item": stranger(func(g *licence.Grant) { g.ServiceItem = "x" }),
		"biz_num":      stranger(func(g *licence.Grant) { g.BizNum = "" }),
		"the holder":   holder,
	} {
		for _, iface := range []string{getLicence, getToken, archive} {
			wantErr(t, name+" after redemption", w.use(t.Context(), fresh, g, iface, "r-1"), licence.ErrNoCode)
		}
	}
	colleague := stranger(func(g *licence.Grant) { g.Account, g.ServiceItemName, g.Sensitive = "x", "y", false })
	wantErr(t, "a colleague with the same case", w.use(t.Context(), fresh, colleague, archive, "r-9"), nil)
}

func TestShowCodeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.issue(t, making())
	code := w.showCode(t, made.Licence, holder)
	r, err := w.ByShowCode(t.Context(), code, clerk, getLicence, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", made.AuthCode, "lgq1_" + strings.Repeat("A", 32), "lga1_" + code[5:]} {
		_, err := w.ByShowCode(t.Context(), wrong, clerk, getLicence, "")
		wantErr(t, "ByShowCode of no code", err, licence.ErrNoCode)
	}
	if _, err := w.ByShowCode(t.Context(), code, clerk, "view_license", ""); err == nil || errors.Is(err, licence.ErrNoCode) {
		t.Errorf("an interface that takes no show code: %v", err)
	}
	if err := w.Redeem(t.Context(), r, clerk, "view_license", ""); err == nil || errors.Is(err, licence.ErrNoCode) {
		t.Errorf("an interface that takes no show code: %v", err)
	}
	auth, err := w.ByAuthCode(t.Context(), made.AuthCode, civil.App, civil.Department)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "Redeem of an auth_code", w.Redeem(t.Context(), auth, clerk, getLicence, ""), licence.ErrNoCode)
	wantErr(t, "Redeem of nothing", w.Redeem(t.Context(), licence.Resolved{Kind: licence.ShowCode}, clerk, getLicence, ""), licence.ErrNoCode)
	fieldError(t, "Redeem", w.Redeem(t.Context(), r, clerk, getLicence, "a\x00"), "request_id")
	fieldError(t, "Redeem", w.Redeem(t.Context(), r, licence.Grant{BizNum: "\x00"}, getLicence, ""), "biz_num")

	w.pass(120*time.Second - time.Millisecond)
	if _, err := w.ByShowCode(t.Context(), code, clerk, getLicence, ""); err != nil {
		t.Errorf("in the last millisecond: %v", err)
	}
	w.pass(time.Millisecond)
	_, err = w.ByShowCode(t.Context(), code, clerk, getLicence, "")
	wantErr(t, "expired", err, licence.ErrNoCode)
	wantErr(t, "expired between look and use", w.Redeem(t.Context(), r, clerk, getLicence, ""), licence.ErrNoCode)
}

func TestRedeemedLivesLonger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.showCode(t, w.issue(t, making()).Licence, holder)
	w.pass(100 * time.Second)
	wantErr(t, "first use", w.use(t.Context(), code, clerk, getLicence, "r"), nil)
	w.pass(9 * time.Minute)
	wantErr(t, "second use after nine minutes", w.use(t.Context(), code, clerk, archive, "r"), nil)
	w.pass(time.Minute - time.Millisecond)
	wantErr(t, "the first use again", w.use(t.Context(), code, clerk, getLicence, "r"), nil)
	w.pass(time.Millisecond) // ten minutes from the first use, not from the last
	wantErr(t, "too late", w.use(t.Context(), code, clerk, getToken, "r"), licence.ErrNoCode)
	wantErr(t, "too late even for the same use", w.use(t.Context(), code, clerk, getLicence, "r"), licence.ErrNoCode)
}

func TestShowCodeOfItsMaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.issue(t, making()).Licence
	code := w.showCode(t, l, holder)
	r, err := w.ByAuthCode(t.Context(), code, holder.App, holder.Department)
	if err != nil || r.Kind != licence.ShowCode || r.Licence.Code != l.Code {
		t.Fatalf("its maker: %+v, %v", r, err)
	}
	_, err = w.ByAuthCode(t.Context(), code, holder.App, clerk.Department)
	wantErr(t, "another department", err, licence.ErrNoCode)
	_, err = w.ByAuthCode(t.Context(), code, clerk.App, holder.Department)
	wantErr(t, "another application", err, licence.ErrNoCode)
	wantErr(t, "the maker's use leaves it whole", w.use(t.Context(), code, clerk, getLicence, ""), nil)
	_, err = w.ByAuthCode(t.Context(), code, holder.App, holder.Department)
	wantErr(t, "its maker after redemption", err, licence.ErrNoCode)

	code = w.showCode(t, l, holder)
	w.pass(120 * time.Second)
	_, err = w.ByAuthCode(t.Context(), code, holder.App, holder.Department)
	wantErr(t, "its maker after it expired", err, licence.ErrNoCode)
}

func TestTokenOfShowCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.issue(t, making()).Licence
	code := w.showCode(t, l, holder)
	redeem := func(code, requestID string) licence.Resolved {
		t.Helper()
		r, err := w.ByShowCode(t.Context(), code, clerk, getToken, requestID)
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, "Redeem", w.Redeem(t.Context(), r, clerk, getToken, requestID), nil)
		return r
	}
	token, expires := w.token(t, redeem(code, "r-1"), clerk, "r-1")
	w.pass(5 * time.Minute)
	again, expiresAgain := w.token(t, redeem(code, "r-1"), clerk, "r-1")
	if again != token || !expiresAgain.Equal(expires) {
		t.Errorf("the same request: %s until %v, then %s until %v", token, expires, again, expiresAgain)
	}
	if got, err := w.ByAccessToken(t.Context(), again); err != nil || got.Licence.Code != l.Code || got.Grant != clerk {
		t.Errorf("ByAccessToken = %+v, %v", got, err)
	}
	r := redeem(code, "r-1")
	different := map[string]bool{token: true}
	add := func(name, token string) {
		if different[token] {
			t.Errorf("%s: a token given before", name)
		}
		different[token] = true
	}
	next, _ := w.token(t, r, clerk, "r-2")
	add("another request", next)
	for range 2 {
		next, _ = w.token(t, r, clerk, "")
		add("no request id", next)
	}
	maker, err := w.ByAuthCode(t.Context(), w.showCode(t, l, holder), holder.App, holder.Department)
	if err != nil {
		t.Fatal(err)
	}
	next, _ = w.token(t, maker, holder, "r-1")
	add("another code and caller", next)
	next, _ = w.token(t, maker, clerk, "r-1")
	add("another caller", next)
}

func TestConcurrentRedeemers(t *testing.T) {
	t.Parallel()
	const redeemers = 8
	w := newWorld(t)
	l := w.issue(t, making()).Licence
	look := func(code string, g licence.Grant, iface string) licence.Resolved {
		t.Helper()
		r, err := w.ByShowCode(t.Context(), code, g, iface, "")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	t.Run("of many applications", func(t *testing.T) {
		r := look(w.showCode(t, l, holder), clerk, getLicence)
		wantOneWinner(t, race(redeemers, func(i int) error {
			g := clerk
			g.App = string(rune('a' + i))
			return w.Redeem(t.Context(), r, g, getLicence, "r-1")
		}), licence.ErrNoCode)
	})
	t.Run("of one application", func(t *testing.T) {
		r := look(w.showCode(t, l, holder), clerk, archive)
		wantOneWinner(t, race(redeemers, func(int) error { return w.Redeem(t.Context(), r, clerk, archive, "") }), licence.ErrNoCode)
	})
	t.Run("one request many times", func(t *testing.T) {
		code := w.showCode(t, l, holder)
		r := look(code, clerk, getToken)
		tokens := make([]string, redeemers)
		for _, err := range race(redeemers, func(i int) error {
			if err := w.Redeem(t.Context(), r, clerk, getToken, "r-1"); err != nil {
				return err
			}
			token, _, err := w.NewAccessToken(t.Context(), r, clerk, "r-1")
			tokens[i] = token
			return err
		}) {
			wantErr(t, "the same use", err, nil)
		}
		for _, token := range tokens {
			if token != tokens[0] {
				t.Errorf("tokens %v differ", tokens)
				break
			}
		}
	})
	t.Run("three interfaces at once", func(t *testing.T) {
		r := look(w.showCode(t, l, holder), clerk, archive)
		for _, err := range race(3, func(i int) error {
			return w.Redeem(t.Context(), r, clerk, []string{getLicence, getToken, archive}[i], "")
		}) {
			wantErr(t, "each interface once", err, nil)
		}
	})
}

// When every write loses, the caller hears of it; nothing is given out.
func TestRedeemGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.showCode(t, w.issue(t, making()).Licence, holder)
	w.store.apply = func(context.Context, licence.Write) error { return licence.ErrStale }
	wantErr(t, "Redeem", w.use(t.Context(), code, clerk, archive, ""), licence.ErrStale)
	w.store.apply = func(context.Context, licence.Write) error { return context.DeadlineExceeded }
	wantErr(t, "Redeem", w.use(t.Context(), code, clerk, archive, ""), context.DeadlineExceeded)
}
