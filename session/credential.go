package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Holder is the person or organisation that a real-name credential names (table 13 credential).
type Holder struct {
	IdentityNum string // 证件号码
	Code        string // 持证主体代码类型 (GB/T 36903), "111" when the credential names none
	TokenID     string // jti
}

// Format hides the person: no verb prints an identity number.
func (h Holder) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "session.Holder(hidden)") }

// defaultHolderCode is the resident identity card (GB/T 36903).
const defaultHolderCode = "111"

// Bounds of a credential, in bytes.
const (
	maxCredential  = 8 << 10
	maxIdentityNum = 64
	maxTokenID     = 256
)

// clockLeeway is how far ahead an issuer's clock may be. It never lengthens a credential's life.
const clockLeeway = time.Minute

// credentialAlgorithms are the signatures accepted; "none" and shared secrets are not among them.
var credentialAlgorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256, jose.PS256}

// ErrCredential says that a real-name credential is malformed, expired, or not signed by a known key.
var ErrCredential = errors.New("session: real-name credential refused")

// ErrKeySource says that a credential could not be judged: its key is unknown and the key set could not be fetched.
var ErrKeySource = errors.New("session: keys of real-name credentials not available")

// credentialClaims is the body of a credential (RFC 7519): iss, aud, exp (demanded), nbf, iat, jti and sub (opaque, not
// read), and the two of ours.
type credentialClaims struct {
	jwt.Claims
	IdentityNum string `json:"identity_num"`          // demanded
	HolderCode  string `json:"holder_code,omitempty"` // GB/T 36903 code, or a code of two digits in use in Beijing
}

// CredentialVerifier checks real-name credentials: JWT (RFC 7519) signed by a key of a JWKS (RFC 7517), from a file or
// an URL (fetched again when a key id is unknown, at most once a minute, kept when the source is down).
type CredentialVerifier struct {
	issuer, audience string
	now              func() time.Time
	fromFile         []jose.JSONWebKey
	fromURL          *keySource // nil without an URL
}

// CredentialConfig says what a credential must carry.
type CredentialConfig struct {
	JWKSFile, JWKSURL string // either or both; with neither every credential is refused
	Issuer, Audience  string // compared when not empty
	Now               func() time.Time
}

// NewCredentialVerifier loads the key set (a missing file is an error; an unreachable URL is one only at use). The URL
// must be https, or http on a loopback address.
func NewCredentialVerifier(c CredentialConfig) (*CredentialVerifier, error) {
	v := &CredentialVerifier{issuer: c.Issuer, audience: c.Audience, now: c.Now}
	if v.now == nil {
		v.now = time.Now
	}
	var err error
	if c.JWKSFile != "" {
		if v.fromFile, err = readKeySet(c.JWKSFile); err != nil {
			return nil, err
		}
	}
	if c.JWKSURL != "" {
		if v.fromURL, err = newKeySource(c.JWKSURL, v.now); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Verify returns whom credential names. Algorithms: EdDSA, ES256, RS256, PS256; exp is demanded. A refusal is
// ErrCredential; ErrKeySource, or the error of ctx, means that it could not be judged.
func (v *CredentialVerifier) Verify(ctx context.Context, credential string) (Holder, error) {
	if len(credential) > maxCredential {
		return Holder{}, fmt.Errorf("%w: longer than %d bytes", ErrCredential, maxCredential)
	}
	token, err := jwt.ParseSigned(credential, credentialAlgorithms)
	if err != nil {
		return Holder{}, fmt.Errorf("%w: not a JWT of an accepted algorithm", ErrCredential)
	}
	claims, err := v.verifySignature(ctx, token)
	if err != nil {
		return Holder{}, err
	}
	return v.judge(claims)
}

// verifySignature tries the keys that the token names: those of its kid, or all when it has none.
func (v *CredentialVerifier) verifySignature(ctx context.Context, token *jwt.JSONWebToken) (credentialClaims, error) {
	header := token.Headers[0]
	candidates := keysFor(v.fromFile, header)
	if v.fromURL != nil && (len(candidates) == 0 || header.KeyID == "") {
		fetched, err := v.fromURL.keysFor(ctx, header)
		if err != nil && len(candidates) == 0 {
			return credentialClaims{}, err
		}
		candidates = append(candidates, fetched...)
	}
	for _, key := range candidates {
		var claims credentialClaims
		if token.Claims(key, &claims) == nil {
			return claims, nil
		}
	}
	return credentialClaims{}, fmt.Errorf("%w: not signed by a known key, or its claims are malformed", ErrCredential)
}

// judge checks the claims of a credential whose signature is right.
func (v *CredentialVerifier) judge(c credentialClaims) (Holder, error) {
	now := v.now()
	expected := jwt.Expected{Issuer: v.issuer, Time: now}
	if v.audience != "" {
		expected.AnyAudience = jwt.Audience{v.audience}
	}
	if err := c.ValidateWithLeeway(expected, clockLeeway); err != nil {
		return Holder{}, fmt.Errorf("%w: %w", ErrCredential, err)
	}
	if c.Expiry == nil {
		return Holder{}, fmt.Errorf("%w: exp is missing", ErrCredential)
	}
	if !now.Before(c.Expiry.Time()) {
		return Holder{}, fmt.Errorf("%w: %w", ErrCredential, jwt.ErrExpired)
	}
	h := Holder{IdentityNum: c.IdentityNum, Code: c.HolderCode, TokenID: c.ID}
	if h.Code == "" {
		h.Code = defaultHolderCode
	}
	return h, h.check()
}

// check refuses a holder that no credential may name. The errors do not repeat the person's data.
func (h Holder) check() error {
	if h.IdentityNum == "" || len(h.IdentityNum) > maxIdentityNum || !printable(h.IdentityNum) {
		return fmt.Errorf("%w: identity_num is missing or no identity number", ErrCredential)
	}
	if !holderCode(h.Code) {
		return fmt.Errorf("%w: holder_code is not two or three digits", ErrCredential)
	}
	if len(h.TokenID) > maxTokenID {
		return fmt.Errorf("%w: jti is longer than %d bytes", ErrCredential, maxTokenID)
	}
	return nil
}

// printable reports whether s is printable ASCII without blanks, as identity numbers are.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func holderCode(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 2 || len(s) == 3
}
