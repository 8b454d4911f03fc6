package licence_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"licgate/licence"
)

var (
	clerk  = licence.Grant{App: "spxt", Account: "clerk", Department: civil.Department, ServiceItem: "S-1", ServiceItemName: "审批", BizNum: "B-1", Sensitive: true}
	holder = licence.Grant{App: "mobile", Account: "mobile", Department: other.Department}
)

// codeForm is a prefix and 24 bytes in base64url.
var codeForm = regexp.MustCompile(`^lg[aqt]1_[0-9A-Za-z_-]{32}$`)

func (w *world) authCode(t *testing.T, l *licence.Licence, g licence.Grant) string {
	t.Helper()
	codes, err := w.NewAuthCodes(t.Context(), []*licence.Licence{l}, g)
	if err != nil {
		t.Fatal(err)
	}
	return codes[0]
}

func (w *world) showCode(t *testing.T, l *licence.Licence, g licence.Grant) string {
	t.Helper()
	codes, err := w.NewShowCodes(t.Context(), []*licence.Licence{l}, g)
	if err != nil {
		t.Fatal(err)
	}
	return codes[0]
}

func (w *world) token(t *testing.T, r licence.Resolved, g licence.Grant, requestID string) (string, time.Time) {
	t.Helper()
	token, expires, err := w.NewAccessToken(t.Context(), r, g, requestID)
	if err != nil {
		t.Fatal(err)
	}
	return token, expires
}

func TestNewAuthCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.issue(t, numbered("J-1")).Licence, w.issue(t, numbered("J-2")).Licence
	before := len(w.store.applied)
	codes, err := w.NewAuthCodes(t.Context(), []*licence.Licence{two, one, two}, clerk)
	if err != nil || len(codes) != 3 || len(w.store.applied) != before+1 {
		t.Fatalf("NewAuthCodes = %v, %v in %d writes; want 3 in one", codes, err, len(w.store.applied)-before)
	}
	for i, want := range []*licence.Licence{two, one, two} {
		if !codeForm.MatchString(codes[i]) || !strings.HasPrefix(codes[i], "lga1_") {
			t.Errorf("code %q", codes[i])
		}
		r, err := w.ByAuthCode(t.Context(), " "+codes[i]+" ", clerk.App, clerk.Department)
		if err != nil || r.Licence.Code != want.Code || r.Grant != clerk || r.Kind != licence.AuthCode ||
			!r.Expires.Equal(noon.Truncate(time.Millisecond).Add(24*time.Hour)) {
			t.Errorf("ByAuthCode = %+v, %v", r, err)
		}
	}
	if codes[0] == codes[2] {
		t.Error("two codes are equal")
	}
	if none, err := w.NewAuthCodes(t.Context(), nil, clerk); err != nil || none != nil || len(w.store.applied) != before+1 {
		t.Errorf("no licences: %v, %v", none, err)
	}
	_, err = w.NewAuthCodes(t.Context(), []*licence.Licence{one}, licence.Grant{BizNum: "\x00"})
	fieldError(t, "NewAuthCodes", err, "biz_num")
	w.Random = strings.NewReader("short")
	if _, err = w.NewAuthCodes(t.Context(), []*licence.Licence{one}, clerk); err == nil {
		t.Error("a code without randomness")
	}
}

func TestByAuthCodeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.issue(t, making()).Licence
	code := w.authCode(t, l, clerk)
	r, err := w.ByAuthCode(t.Context(), code, clerk.App, clerk.Department)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := w.token(t, r, clerk, "")
	for _, one := range []struct{ name, code, app, department string }{
		{"another application", code, "x", clerk.Department},
		{"another department", code, clerk.App, "x"},
		{"empty", "", clerk.App, clerk.Department},
		{"random", "lga1_" + strings.Repeat("A", 32), clerk.App, clerk.Department},
		{"short", code[:len(code)-1], clerk.App, clerk.Department},
		{"long", code + "A", clerk.App, clerk.Department},
		{"with a line end", code[:20] + "\n" + code[21:], clerk.App, clerk.Department},
		{"of another kind", "lgq1_" + code[5:], clerk.App, clerk.Department},
		{"of another format", "lga2_" + code[5:], clerk.App, clerk.Department},
		{"without prefix", code[5:], clerk.App, clerk.Department},
		{"an access token", token, clerk.App, clerk.Department},
	} {
		_, err := w.ByAuthCode(t.Context(), one.code, one.app, one.department)
		wantErr(t, one.name, err, licence.ErrNoCode)
	}
	w.pass(24*time.Hour - time.Millisecond)
	if _, err := w.ByAuthCode(t.Context(), code, clerk.App, clerk.Department); err != nil {
		t.Errorf("in the last millisecond: %v", err)
	}
	w.pass(time.Millisecond)
	_, err = w.ByAuthCode(t.Context(), code, clerk.App, clerk.Department)
	wantErr(t, "expired", err, licence.ErrNoCode)
}

func TestStoreFailureIsNoAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.issue(t, making()).AuthCode
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.ByAuthCode(ctx, code, civil.App, civil.Department)
	wantErr(t, "ByAuthCode", err, context.Canceled)
	if errors.Is(err, licence.ErrNoCode) {
		t.Error("a failure reads as an absence")
	}
	broken := errors.New("disk gone")
	w.store.find = func(context.Context, string) (licence.Stored, error) { return licence.Stored{}, broken }
	_, err = w.ByAuthCode(t.Context(), code, civil.App, civil.Department)
	wantErr(t, "ByAuthCode", err, broken)
	w.store.find = func(context.Context, string) (licence.Stored, error) { return licence.Stored{}, licence.ErrNotFound }
	_, err = w.ByAuthCode(t.Context(), code, civil.App, civil.Department)
	wantErr(t, "licence gone", err, licence.ErrNoCode)
}

// A row whose kind is not that of the presented code is not believed.
func TestKindOfRowRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.apply = func(ctx context.Context, write licence.Write) error {
		for i := range write.InsertCodes {
			write.InsertCodes[i].Kind = licence.ShowCode
		}
		return w.store.Store.Apply(ctx, write)
	}
	code := w.issue(t, making()).AuthCode
	_, err := w.ByAuthCode(t.Context(), code, civil.App, civil.Department)
	wantErr(t, "ByAuthCode", err, licence.ErrNoCode)
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.issue(t, making()).Licence
	r, err := w.ByAuthCode(t.Context(), w.authCode(t, l, clerk), clerk.App, clerk.Department)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	token, expires := w.token(t, r, clerk, "r-1")
	if !codeForm.MatchString(token) || !strings.HasPrefix(token, "lgt1_") || !expires.Equal(noon.Truncate(time.Millisecond).Add(16*time.Minute)) {
		t.Errorf("token %q until %v", token, expires)
	}
	again, _ := w.token(t, r, clerk, "r-1")
	if again == token {
		t.Error("an auth_code gave one token twice")
	}
	got, err := w.ByAccessToken(t.Context(), token)
	if err != nil || got.Kind != licence.AccessToken || got.Licence.Code != l.Code || got.Grant != clerk || !got.Expires.Equal(expires) {
		t.Errorf("ByAccessToken = %+v, %v", got, err)
	}
	_, _, err = w.NewAccessToken(t.Context(), got, clerk, "")
	wantErr(t, "a token for a token", err, licence.ErrNoCode)
	_, _, err = w.NewAccessToken(t.Context(), licence.Resolved{Licence: l, Kind: licence.AuthCode}, clerk, "")
	wantErr(t, "a token for nothing resolved", err, licence.ErrNoCode)
	_, _, err = w.NewAccessToken(t.Context(), r, licence.Grant{BizNum: "\n"}, "")
	fieldError(t, "a token for a bad grant", err, "biz_num")
	for _, wrong := range []string{"", "lgt1_", token + "x", w.authCode(t, l, clerk), w.showCode(t, l, clerk)} {
		_, err := w.ByAccessToken(t.Context(), wrong)
		wantErr(t, "ByAccessToken of no token", err, licence.ErrNoCode)
	}
	if _, err := w.Abolish(t.Context(), civil, marriage(), at(l.Code), ""); err != nil {
		t.Fatal(err)
	}
	if got, err := w.ByAccessToken(t.Context(), token); err != nil || got.Licence.State != licence.Abolished {
		t.Errorf("token of an abolished licence = %+v, %v", got, err)
	}
	w.pass(15 * time.Minute)
	_, err = w.ByAccessToken(t.Context(), token)
	wantErr(t, "expired token", err, licence.ErrNoCode)
	w.store.apply = func(context.Context, licence.Write) error { return context.DeadlineExceeded }
	_, _, err = w.NewAccessToken(t.Context(), r, clerk, "")
	wantErr(t, "a token that could not be kept", err, context.DeadlineExceeded)
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AuthCodeTTL, w.ShowCodeTTL, w.RedeemedTTL, w.AccessTokenTTL = time.Minute, 2*time.Minute, 3*time.Minute, 4*time.Minute
	l := w.issue(t, making()).Licence
	start := noon.Truncate(time.Millisecond)
	r, err := w.ByAuthCode(t.Context(), w.authCode(t, l, clerk), clerk.App, clerk.Department)
	if err != nil || !r.Expires.Equal(start.Add(time.Minute)) {
		t.Errorf("auth code until %v, %v", r.Expires, err)
	}
	if _, expires := w.token(t, r, clerk, ""); !expires.Equal(start.Add(4 * time.Minute)) {
		t.Errorf("token until %v", expires)
	}
	code := w.showCode(t, l, holder)
	r, err = w.ByShowCode(t.Context(), code, clerk, "archive_qr", "")
	if err != nil || !r.Expires.Equal(start.Add(2*time.Minute)) {
		t.Errorf("show code until %v, %v", r.Expires, err)
	}
	if err := w.Redeem(t.Context(), r, clerk, "archive_qr", "r"); err != nil {
		t.Fatal(err)
	}
	if r, err = w.ByShowCode(t.Context(), code, clerk, "archive_qr", "r"); err != nil || !r.Expires.Equal(start.Add(3*time.Minute)) {
		t.Errorf("redeemed until %v, %v", r.Expires, err)
	}
}
