package session

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"licgate/gm"
)

// ErrSigner says that the file of a development signer holds no Ed25519 JWK.
var ErrSigner = errors.New("session: not the key of a development signer")

// DevelopmentSigner signs credentials with a local key (contract: licgate credential). Only for development.
type DevelopmentSigner struct {
	signer jose.Signer
	public string
}

// Format hides the key.
func (d *DevelopmentSigner) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("session.DevelopmentSigner(hidden)"))
}

// OpenDevelopmentSigner loads or makes the key file (0600, Ed25519 JWK) and its public JWKS beside it: the same name
// with .jwks.json in place of its extension (PublicFile).
func OpenDevelopmentSigner(keyFile string) (*DevelopmentSigner, error) {
	content, err := gm.KeyFile(keyFile, newSignerKey)
	if err != nil {
		return nil, fmt.Errorf("session: opening the development signer: %w", err)
	}
	var key jose.JSONWebKey
	if key.UnmarshalJSON(content) != nil {
		return nil, fmt.Errorf("%w: %s", ErrSigner, keyFile)
	}
	if _, ok := key.Key.(ed25519.PrivateKey); !ok || !key.Valid() || key.KeyID == "" {
		return nil, fmt.Errorf("%w: %s", ErrSigner, keyFile)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("session: opening the development signer: %w", err)
	}
	public := strings.TrimSuffix(keyFile, filepath.Ext(keyFile)) + ".jwks.json"
	if err := writePublic(public, key); err != nil {
		return nil, fmt.Errorf("session: writing the public key of the development signer: %w", err)
	}
	return &DevelopmentSigner{signer: signer, public: public}, nil
}

// PublicFile is the JWKS for CredentialConfig.JWKSFile.
func (d *DevelopmentSigner) PublicFile() string { return d.public }

// Sign makes a credential for a holder that lives for ttl. The subject is random: it tells nothing of the holder.
func (d *DevelopmentSigner) Sign(h Holder, issuer, audience string, now time.Time, ttl time.Duration) (string, error) {
	if h.Code == "" {
		h.Code = defaultHolderCode
	}
	if err := h.check(); err != nil {
		return "", err
	}
	subject := make([]byte, 16)
	if _, err := rand.Read(subject); err != nil {
		return "", fmt.Errorf("session: signing a credential: %w", err)
	}
	claims := credentialClaims{
		Claims: jwt.Claims{
			Issuer: issuer, Subject: hex.EncodeToString(subject), ID: h.TokenID,
			Expiry: jwt.NewNumericDate(now.Add(ttl)), IssuedAt: jwt.NewNumericDate(now),
		},
		IdentityNum: h.IdentityNum, HolderCode: h.Code,
	}
	if audience != "" {
		claims.Audience = jwt.Audience{audience}
	}
	credential, err := jwt.Signed(d.signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("session: signing a credential: %w", err)
	}
	return credential, nil
}

func newSignerKey() ([]byte, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("session: making the key of the development signer: %w", err)
	}
	return json.Marshal(jose.JSONWebKey{
		Key: private, KeyID: "dev-" + hex.EncodeToString(public[:8]), Algorithm: string(jose.EdDSA), Use: "sig",
	})
}

// writePublic replaces the JWKS at path. It can be made again from the key at any time, so it need not be durable; the
// rename keeps readers from a half written one.
func writePublic(path string, key jose.JSONWebKey) error {
	content, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(content, '\n'))
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
