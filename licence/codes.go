package licence

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"licgate/gm"
)

// Grant is what a code or access token was given for, and to whom. Rights are judged again at each use.
type Grant struct {
	App, Account, Department     string
	ServiceItem, ServiceItemName string
	BizNum                       string
	Sensitive                    bool // sensitive data were asked for when the code was made
}

// check refuses texts that could not be kept.
func (g Grant) check() error {
	return checkNotes("service_item_code", g.ServiceItem, "service_item_name", g.ServiceItemName, "biz_num", g.BizNum)
}

// CodeKind tells the three kinds apart; each kind has its own visible prefix, so that one is never taken for another.
type CodeKind string

// The kinds of domain.md §4.
const (
	AuthCode    CodeKind = "auth_code"
	ShowCode    CodeKind = "auth_code_qr" // what a holder shows
	AccessToken CodeKind = "license_access_token"
)

// The form of a code, frozen for format 1: the prefix of its kind, then codeBytes in base64url (RFC 4648 §5) without padding.
const (
	authPrefix  = "lga1_"
	showPrefix  = "lgq1_"
	tokenPrefix = "lgt1_"
	codeBytes   = 24
)

// clockTolerance is how far clocks of nodes may differ.
const clockTolerance = 5 * time.Minute

func (k CodeKind) prefix() string {
	switch k {
	case AuthCode:
		return authPrefix
	case ShowCode:
		return showPrefix
	}
	return tokenPrefix
}

// parseCode returns the kind that a code claims to be; false for what was never a code of ours.
func parseCode(code string) (CodeKind, bool) {
	for _, kind := range []CodeKind{AuthCode, ShowCode, AccessToken} {
		body, ok := strings.CutPrefix(code, kind.prefix())
		if !ok {
			continue
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
		// The decoder skips line ends: the length of the text tells.
		return kind, err == nil && len(raw) == codeBytes && len(body) == base64.RawURLEncoding.EncodedLen(codeBytes)
	}
	return "", false
}

// Resolved is what a code stands for.
type Resolved struct {
	Kind    CodeKind
	Licence *Licence
	Grant   Grant
	Expires time.Time
	digest  []byte
}

// newCode makes a random code and its row.
func (s *Service) newCode(kind CodeKind, licenceCode string, g Grant) (string, StoredCode, error) {
	raw := make([]byte, codeBytes)
	if _, err := io.ReadFull(s.Random, raw); err != nil {
		return "", StoredCode{}, fmt.Errorf("licence: read random bytes: %w", err)
	}
	code, stored := s.codeOf(kind, raw, licenceCode, g)
	return code, stored, nil
}

// codeOf writes raw as a code of kind, and its row.
func (s *Service) codeOf(kind CodeKind, raw []byte, licenceCode string, g Grant) (string, StoredCode) {
	code := kind.prefix() + base64.RawURLEncoding.EncodeToString(raw)
	now := s.now()
	return code, StoredCode{
		Digest: s.codeDigest(code), Kind: kind, LicenceCode: licenceCode, Grant: g,
		Created: now, Expires: now.Add(s.lifetime(kind)), Revision: 1,
	}
}

func (s *Service) codeDigest(code string) []byte {
	return s.Keys.Digest(gm.PurposeToken, []byte(code))
}

func (s *Service) lifetime(kind CodeKind) time.Duration {
	switch kind {
	case AuthCode:
		return cmp.Or(s.AuthCodeTTL, 24*time.Hour)
	case ShowCode:
		return cmp.Or(s.ShowCodeTTL, 120*time.Second)
	}
	return cmp.Or(s.AccessTokenTTL, 15*time.Minute)
}

// NewAuthCodes makes one auth_code per licence for a grant, in one transaction, in order (table 14).
func (s *Service) NewAuthCodes(ctx context.Context, licences []*Licence, g Grant) ([]string, error) {
	return s.newCodes(ctx, AuthCode, licences, g)
}

// NewShowCodes makes one auth_code_qr per licence (table 13). Until it is redeemed, the application and department
// that made it may use it like an auth_code.
func (s *Service) NewShowCodes(ctx context.Context, licences []*Licence, g Grant) ([]string, error) {
	return s.newCodes(ctx, ShowCode, licences, g)
}

func (s *Service) newCodes(ctx context.Context, kind CodeKind, licences []*Licence, g Grant) ([]string, error) {
	if len(licences) == 0 {
		return nil, nil
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	var codes []string
	var w Write
	for _, l := range licences {
		code, stored, err := s.newCode(kind, l.Code, g)
		if err != nil {
			return nil, err
		}
		codes = append(codes, code)
		w.InsertCodes = append(w.InsertCodes, stored)
	}
	if err := s.Store.Apply(ctx, w); err != nil {
		return nil, fmt.Errorf("licence: keep %d codes: %w", len(codes), err)
	}
	return codes, nil
}

// findCode returns the row of a code that has one of the kinds and has not expired.
func (s *Service) findCode(ctx context.Context, code string, kinds ...CodeKind) (StoredCode, error) {
	code = strings.TrimSpace(code)
	kind, ok := parseCode(code)
	if !ok || !slices.Contains(kinds, kind) {
		return StoredCode{}, ErrNoCode
	}
	return s.findDigest(ctx, s.codeDigest(code), kind)
}

func (s *Service) findDigest(ctx context.Context, digest []byte, kind CodeKind) (StoredCode, error) {
	stored, err := s.Store.FindCode(ctx, digest)
	if err != nil {
		return StoredCode{}, fmt.Errorf("licence: find code: %w", err)
	}
	// A code from the future was made before the clock was set back: its life can't be told.
	if now := s.now(); stored.Kind != kind || !now.Before(stored.Expires) || stored.Created.After(now.Add(clockTolerance)) {
		return StoredCode{}, ErrNoCode
	}
	return stored, nil
}

// resolve loads the licence of a code. An abolished one is there, and says so; a deleted one is not.
func (s *Service) resolve(ctx context.Context, stored StoredCode) (Resolved, error) {
	row, err := s.Store.Find(ctx, stored.LicenceCode)
	if errors.Is(err, ErrNotFound) {
		return Resolved{}, ErrNoCode
	}
	if err != nil {
		return Resolved{}, fmt.Errorf("licence: find the licence of a code: %w", err)
	}
	if row.State == Deleted {
		return Resolved{}, ErrNoCode
	}
	l, err := s.open(row)
	if errors.Is(err, ErrNotFound) {
		return Resolved{}, fmt.Errorf("%w: %w", ErrNoCode, err)
	}
	if err != nil {
		return Resolved{}, err
	}
	return Resolved{Kind: stored.Kind, Licence: l, Grant: stored.Grant, Expires: stored.Expires, digest: stored.Digest}, nil
}

// ByAuthCode resolves an auth_code for the application and department it was made for; to all others, and when it has
// expired or its licence is no longer there, it is ErrNoCode.
func (s *Service) ByAuthCode(ctx context.Context, code, app, department string) (Resolved, error) {
	stored, err := s.findCode(ctx, code, AuthCode, ShowCode)
	if err != nil {
		return Resolved{}, err
	}
	if stored.Grant.App != app || stored.Grant.Department != department || stored.Redeemer != nil {
		return Resolved{}, ErrNoCode
	}
	return s.resolve(ctx, stored)
}

// NewAccessToken makes a license_access_token for what r stands for, granted to g (tables 15, 19). For a show code the
// same requestID of the same caller gives the same token.
func (s *Service) NewAccessToken(ctx context.Context, r Resolved, g Grant, requestID string) (token string, expires time.Time, err error) {
	if r.Licence == nil || r.digest == nil || r.Kind == AccessToken {
		return "", time.Time{}, ErrNoCode
	}
	if err := g.check(); err != nil {
		return "", time.Time{}, err
	}
	var stored StoredCode
	repeatable := r.Kind == ShowCode && requestID != ""
	if repeatable {
		token, stored = s.codeOf(AccessToken, s.repeatedToken(r, g, requestID), r.Licence.Code, g)
	} else if token, stored, err = s.newCode(AccessToken, r.Licence.Code, g); err != nil {
		return "", time.Time{}, err
	}
	err = s.Store.Apply(ctx, Write{InsertCodes: []StoredCode{stored}})
	if repeatable && errors.Is(err, ErrDuplicate) {
		if stored, err = s.Store.FindCode(ctx, stored.Digest); err != nil {
			return "", time.Time{}, fmt.Errorf("licence: find the token given before: %w", err)
		}
		return token, stored.Expires, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("licence: keep access token: %w", err)
	}
	return token, stored.Expires, nil
}

// repeatedToken derives the bytes of a token from what makes a use the same. Nobody without the key can. The first two
// parts have one length each, and no other holds the separator but perhaps the last.
func (s *Service) repeatedToken(r Resolved, g Grant, requestID string) []byte {
	parts := []string{"access token of a show code", string(r.digest), g.App, g.Department, g.ServiceItem, g.BizNum, requestID}
	return s.Keys.Digest(gm.PurposeToken, []byte(strings.Join(parts, "\x00")))[:codeBytes]
}

// ByAccessToken resolves a license_access_token (tables 17, 21).
func (s *Service) ByAccessToken(ctx context.Context, token string) (Resolved, error) {
	stored, err := s.findCode(ctx, token, AccessToken)
	if err != nil {
		return Resolved{}, err
	}
	return s.resolve(ctx, stored)
}

// Exchange replaces the access token that r came by with a new one of the same life, which has stood in no address. The old one is dead from
// then on; of two who exchange it at once one gets ErrNoCode.
func (s *Service) Exchange(ctx context.Context, r Resolved) (token string, err error) {
	if r.Licence == nil || r.digest == nil || r.Kind != AccessToken {
		return "", ErrNoCode
	}
	old, err := s.findDigest(ctx, r.digest, AccessToken)
	if err != nil {
		return "", err
	}
	token, fresh, err := s.newCode(AccessToken, old.LicenceCode, old.Grant)
	if err != nil {
		return "", err
	}
	fresh.Expires = old.Expires
	old.Expires = s.now()
	old.Revision++
	err = s.Store.Apply(ctx, Write{InsertCodes: []StoredCode{fresh}, UpdateCodes: []StoredCode{old}})
	if errors.Is(err, ErrStale) {
		return "", fmt.Errorf("%w: %w", ErrNoCode, err)
	}
	if err != nil {
		return "", fmt.Errorf("licence: exchange access token: %w", err)
	}
	return token, nil
}
