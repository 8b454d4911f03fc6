package gm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// maxCertificate is the largest certificate read, in bytes.
const maxCertificate = 16 << 10

// Errors of certificates and of signatures by them.
var (
	// ErrCertificate says that bytes are no X.509 certificate with a key on the SM2 curve or P-256.
	ErrCertificate = errors.New("gm: not a usable certificate")
	// ErrSigner says that a signer's key is neither on the SM2 curve nor on P-256.
	ErrSigner = errors.New("gm: not a signer for SM2 or P-256")
)

// Certificate is an X.509 certificate (GB/T 20518, RFC 5280) with a key on the SM2 curve, which signs by SM2 and SM3 under the
// user id 1234567812345678, or on P-256, which signs by ECDSA and SHA-256.
type Certificate struct{ parsed *smx509.Certificate }

// ParseCertificate reads DER; anything else is ErrCertificate.
func ParseCertificate(der []byte) (*Certificate, error) {
	if len(der) > maxCertificate {
		return nil, fmt.Errorf("%w: %d bytes", ErrCertificate, len(der))
	}
	parsed, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if _, err := curveOf(parsed.PublicKey); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return &Certificate{parsed}, nil
}

// DER returns the bytes that were parsed.
func (c *Certificate) DER() []byte { return c.parsed.Raw }

// SM2 reports whether the key is on the SM2 curve; otherwise it is on P-256.
func (c *Certificate) SM2() bool { return sm2.IsSM2PublicKey(c.parsed.PublicKey) }

// Subject is who has the key.
func (c *Certificate) Subject() pkix.Name { return c.parsed.Subject }

// IssuerDER is the issuer's name as it is encoded.
func (c *Certificate) IssuerDER() []byte { return c.parsed.RawIssuer }

// Serial is the issuer's number of the certificate.
func (c *Certificate) Serial() *big.Int { return c.parsed.SerialNumber }

// PublicKeyDER is the SubjectPublicKeyInfo, which OpenSSL reads.
func (c *Certificate) PublicKeyDER() []byte { return c.parsed.RawSubjectPublicKeyInfo }

// PublicKey is an *ecdsa.PublicKey on one of the two curves.
func (c *Certificate) PublicKey() crypto.PublicKey { return c.parsed.PublicKey }

// Validity is from when to when the certificate holds, both included.
func (c *Certificate) Validity() (from, to time.Time) { return c.parsed.NotBefore, c.parsed.NotAfter }

// CA reports whether the key may sign certificates.
func (c *Certificate) CA() bool { return c.parsed.BasicConstraintsValid && c.parsed.IsCA }

// Signs reports whether the key may sign documents: key usage digitalSignature or contentCommitment, and no extended use.
func (c *Certificate) Signs() bool {
	const usage = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	return !c.CA() && c.parsed.KeyUsage&usage != 0 && len(c.parsed.ExtKeyUsage)+len(c.parsed.UnknownExtKeyUsage) == 0
}

// Stamps reports whether the key may sign time-stamps: RFC 3161 2.3 wants that as the one extended use, and critical.
func (c *Certificate) Stamps() bool {
	uses := c.parsed.ExtKeyUsage
	if c.CA() || len(uses) != 1 || uses[0] != smx509.ExtKeyUsageTimeStamping || len(c.parsed.UnknownExtKeyUsage) > 0 {
		return false
	}
	for _, e := range c.parsed.Extensions {
		if e.Id.Equal(oidExtendedUse) {
			return e.Critical
		}
	}
	return false
}

// Equal reports whether both are the same bytes.
func (c *Certificate) Equal(other *Certificate) bool { return bytes.Equal(c.DER(), other.DER()) }

// Verify reports whether signature, ASN.1 DER, is one of message by the certificate's key.
func (c *Certificate) Verify(message, signature []byte) bool {
	key, ok := c.parsed.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	if c.SM2() {
		return sm2.VerifyASN1WithSM2(key, nil, message, signature)
	}
	digest := sha256.Sum256(message)
	return ecdsa.VerifyASN1(key, digest[:], signature)
}

// ChainTo looks for a chain to one of roots, over intermediates, that holds at the time. It looks at no extended use, and knows
// nothing of revocation.
func (c *Certificate) ChainTo(roots, intermediates []*Certificate, at time.Time) error {
	options := smx509.VerifyOptions{
		Roots: pool(roots), Intermediates: pool(intermediates), CurrentTime: at, KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny},
	}
	if _, err := c.parsed.Verify(options); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return nil
}

func pool(certificates []*Certificate) *smx509.CertPool {
	p := smx509.NewCertPool()
	for _, c := range certificates {
		p.AddCert(c.parsed)
	}
	return p
}

// CertificateUse is what a certificate's key is for.
type CertificateUse int

// The uses.
const (
	UseCA     CertificateUse = iota // signs certificates of the other uses
	UseSign                         // signs documents
	UseStamps                       // signs time-stamps
)

// CertificateSpec is what a certificate is to say.
type CertificateSpec struct {
	Subject             pkix.Name
	NotBefore, NotAfter time.Time // whole seconds
	Use                 CertificateUse
}

var (
	oidExtendedUse  = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidTimeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
)

// Certify makes a certificate of public for spec, signed by signer, whose certificate is issuer; nil: by its own key. random
// gives the serial number, and the nonce of a signature by SM2.
func Certify(random io.Reader, spec CertificateSpec, public crypto.PublicKey, issuer *Certificate, signer crypto.Signer) (*Certificate, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(random, serial); err != nil {
		return nil, fmt.Errorf("gm: making a certificate: %w", err)
	}
	serial[0] = serial[0]&0x7F | 0x40 // positive, and always of the same length
	template := &smx509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: spec.Subject,
		NotBefore: spec.NotBefore, NotAfter: spec.NotAfter, BasicConstraintsValid: true,
	}
	switch spec.Use {
	case UseCA:
		template.IsCA, template.MaxPathLenZero = true, true
		template.KeyUsage = smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign
	case UseSign:
		template.KeyUsage = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	case UseStamps:
		template.KeyUsage = smx509.KeyUsageDigitalSignature
		value, err := asn1.Marshal([]asn1.ObjectIdentifier{oidTimeStamping})
		if err != nil {
			return nil, fmt.Errorf("gm: making a certificate: %w", err)
		}
		template.ExtraExtensions = []pkix.Extension{{Id: oidExtendedUse, Critical: true, Value: value}}
	default:
		return nil, fmt.Errorf("%w: for an unknown use", ErrCertificate)
	}
	parent := template
	if issuer != nil {
		parent = issuer.parsed
	}
	der, err := smx509.CreateCertificate(random, template, parent, public, messageSigner{signer})
	if err != nil {
		return nil, fmt.Errorf("gm: making a certificate: %w", err)
	}
	return ParseCertificate(der)
}

// messageSigner makes digests itself, so that any crypto.Signer over digests signs certificates.
type messageSigner struct{ crypto.Signer }

// SignMessage implements crypto.MessageSigner.
func (s messageSigner) SignMessage(random io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	return SignMessage(random, s.Signer, message)
}

// SignMessage returns a signature of message in ASN.1 DER: by SM2 and SM3 under the user id 1234567812345678 when signer's
// *ecdsa.PublicKey is on the SM2 curve, by ECDSA and SHA-256 when it is on P-256; otherwise ErrSigner. The signer gets a digest
// of 32 bytes: for SM2 that is SM3(Z ‖ message), which is what a device (GM/T 0018) signs too.
func SignMessage(random io.Reader, signer crypto.Signer, message []byte) ([]byte, error) {
	public := signer.Public()
	curve, err := curveOf(public)
	if err != nil {
		return nil, err
	}
	if random == nil {
		random = rand.Reader
	}
	var signature []byte
	if curve == elliptic.P256() {
		digest := sha256.Sum256(message)
		signature, err = signer.Sign(random, digest[:], crypto.SHA256)
	} else {
		var digest []byte
		if digest, err = sm2.CalculateSM2Hash(public.(*ecdsa.PublicKey), message, nil); err == nil {
			signature, err = signer.Sign(random, digest, crypto.Hash(0))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("gm: signing: %w", err)
	}
	return signature, nil
}

// curveOf returns the curve of a key that is used here.
func curveOf(public crypto.PublicKey) (elliptic.Curve, error) {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() && !sm2.IsSM2PublicKey(key) {
		return nil, fmt.Errorf("%w: %T", ErrSigner, public)
	}
	return key.Curve, nil
}

// Signer returns the key as a crypto.Signer of digests, as SignMessage uses it. It does not print its key.
func (k *SM2SignKey) Signer() crypto.Signer { return sm2Signer{k} }

type sm2Signer struct{ key *SM2SignKey }

// Public returns an *ecdsa.PublicKey.
func (s sm2Signer) Public() crypto.PublicKey { return &s.key.key().PublicKey }

// Sign signs a digest of 32 bytes.
func (s sm2Signer) Sign(random io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return sm2.SignASN1(random, s.key.key(), digest, crypto.Hash(0))
}

// String, GoString and Format print no key.
func (s sm2Signer) String() string { return s.key.String() }

// GoString is String.
func (s sm2Signer) GoString() string { return s.String() }

// Format is String for every verb.
func (s sm2Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }
