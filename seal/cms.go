package seal

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"licgate/gm"
)

// Content types and attributes of CMS (RFC 5652, RFC 5035, RFC 3161).
var (
	oidData            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCert     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidTimeStampToken  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	oidTimeStampedInfo = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
)

// maxCertificates is how many a message may bring.
const maxCertificates = 8

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue // [0] EXPLICIT
}

type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      encapsulated
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	CRLs         asn1.RawValue `asn1:"optional,tag:1"`
	Signers      []signerInfo  `asn1:"set"`
}

type encapsulated struct {
	Type    asn1.ObjectIdentifier
	Content []byte `asn1:"optional,explicit,tag:0"` // nil: detached
}

type signerInfo struct {
	Version  int
	ID       issuerSerial
	Digest   pkix.AlgorithmIdentifier
	Signed   asn1.RawValue `asn1:"optional,tag:0"`
	Sign     pkix.AlgorithmIdentifier
	Value    []byte
	Unsigned asn1.RawValue `asn1:"optional,tag:1"`
}

type issuerSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type cmsAttribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// signingCertificate is SigningCertificateV2 (RFC 5035), without policies.
type signingCertificate struct {
	Certs    []essCertID
	Policies asn1.RawValue `asn1:"optional"`
}

type essCertID struct {
	Hash   pkix.AlgorithmIdentifier `asn1:"optional"` // left out: SHA-256
	Digest []byte
	Issuer asn1.RawValue `asn1:"optional"`
}

func newAttribute(oid asn1.ObjectIdentifier, value any) (cmsAttribute, error) {
	der, err := asn1.Marshal(value)
	return rawAttribute(oid, der), err
}

func rawAttribute(oid asn1.ObjectIdentifier, der []byte) cmsAttribute {
	return cmsAttribute{Type: oid, Values: []asn1.RawValue{{FullBytes: der}}}
}

// signCMS signs content, or what has the digest when content is nil, and brings the signer's certificate along. unsigned, when
// not nil, makes an attribute from the signature value.
func signCMS(random io.Reader, id Identity, typ asn1.ObjectIdentifier, content, digest []byte,
	unsigned func(value []byte) (cmsAttribute, error),
) ([]byte, error) {
	algorithms := of(id.Certificate)
	if content != nil {
		digest = algorithms.digest(content)
	}
	ess := essCertID{Digest: algorithms.digest(id.Certificate.DER())}
	if algorithms != P256SHA256 {
		ess.Hash = algorithms.digestID()
	}
	var attributes []cmsAttribute
	for _, a := range []struct {
		oid   asn1.ObjectIdentifier
		value any
	}{{oidContentType, typ}, {oidMessageDigest, digest}, {oidSigningCert, signingCertificate{Certs: []essCertID{ess}}}} {
		attribute, err := newAttribute(a.oid, a.value)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, attribute)
	}
	signed, err := asn1.MarshalWithParams(attributes, "set")
	if err != nil {
		return nil, err
	}
	value, err := id.sign(random, signed)
	if err != nil {
		return nil, err
	}
	info := signerInfo{
		Version: 1, ID: issuerSerial{asn1.RawValue{FullBytes: id.Certificate.IssuerDER()}, id.Certificate.Serial()},
		Digest: algorithms.digestID(), Signed: asn1.RawValue{FullBytes: retag(signed, 0xA0)}, Sign: algorithms.signID(), Value: value,
	}
	if unsigned != nil {
		attribute, err := unsigned(value)
		if err != nil {
			return nil, err
		}
		set, err := asn1.MarshalWithParams([]cmsAttribute{attribute}, "set")
		if err != nil {
			return nil, err
		}
		info.Unsigned = asn1.RawValue{FullBytes: retag(set, 0xA1)}
	}
	version := 1
	if !typ.Equal(oidData) {
		version = 3
	}
	inner, err := asn1.Marshal(signedData{
		Version: version, Digests: []pkix.AlgorithmIdentifier{algorithms.digestID()}, Content: encapsulated{typ, content},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: id.Certificate.DER()},
		Signers:      []signerInfo{info},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}})
}

// retag gives an encoding another tag: attributes are signed as a SET, and stand in the message under a number.
func retag(der []byte, tag byte) []byte {
	der = bytes.Clone(der)
	der[0] = tag
	return der
}

// tagged reports whether a value has the tag: encoding/asn1 does not tell constructed from primitive ones.
func tagged(v asn1.RawValue, tag byte) bool { return len(v.FullBytes) > 0 && v.FullBytes[0] == tag }

// cmsMessage is a signed message with one signer, whose certificate it brings.
type cmsMessage struct {
	typ        asn1.ObjectIdentifier
	content    []byte // nil: detached
	signer     *gm.Certificate
	algorithms Algorithms
	signed     []byte // as it was signed
	digest     []byte // of the content, as the signer says
	value      []byte
	stamp      []byte // time-stamp token of value; nil: none
}

// parseCMS reads a message; it verifies nothing. Zeros may follow.
func parseCMS(der []byte) (*cmsMessage, error) {
	if len(der) > maxSignature {
		return nil, fmt.Errorf("message of %d bytes", len(der))
	}
	var outer contentInfo
	if err := unmarshalExact(der, &outer, "message"); err != nil {
		return nil, err
	}
	var data signedData
	if !outer.Type.Equal(oidSignedData) || !tagged(outer.Content, 0xA0) {
		return nil, errors.New("message is not signed")
	}
	if err := unmarshalExact(outer.Content.Bytes, &data, "signed data"); err != nil {
		return nil, err
	}
	if len(data.Signers) != 1 || len(data.Digests) != 1 {
		return nil, fmt.Errorf("message of %d signers, %d hashes", len(data.Signers), len(data.Digests))
	}
	info, version := data.Signers[0], 1
	if !data.Content.Type.Equal(oidData) {
		version = 3
	}
	if data.Version != version || info.Version != 1 || !data.Digests[0].Algorithm.Equal(info.Digest.Algorithm) ||
		!tagged(data.Certificates, 0xA0) || !tagged(info.Signed, 0xA0) || len(info.Unsigned.FullBytes) > 0 && !tagged(info.Unsigned, 0xA1) {
		return nil, errors.New("message whose parts do not fit together")
	}
	m := &cmsMessage{typ: data.Content.Type, content: data.Content.Content, value: info.Value}
	var err error
	if m.signer, err = signerOf(info, data.Certificates.Bytes); err != nil {
		return nil, err
	}
	m.algorithms = of(m.signer)
	if !info.Digest.Algorithm.Equal(digestAlgorithms[m.algorithms]) || !info.Sign.Algorithm.Equal(signAlgorithms[m.algorithms]) {
		return nil, fmt.Errorf("message with %s and %s, which do not fit the certificate", info.Digest.Algorithm, info.Sign.Algorithm)
	}
	return m, m.attributes(info)
}

// signerOf finds the signer's certificate among those of the message.
func signerOf(info signerInfo, certificates []byte) (*gm.Certificate, error) {
	for range maxCertificates {
		var raw asn1.RawValue
		rest, err := asn1.Unmarshal(certificates, &raw)
		if err != nil {
			break
		}
		certificates = rest
		c, err := gm.ParseCertificate(raw.FullBytes)
		if err != nil {
			continue // of another kind: it is nobody's that can be judged here
		}
		if info.ID.Serial != nil && c.Serial().Cmp(info.ID.Serial) == 0 && bytes.Equal(c.IssuerDER(), info.ID.Issuer.FullBytes) {
			return c, nil
		}
	}
	return nil, errors.New("message without the certificate of its signer")
}

// attributes reads what is signed beside the content, and the time-stamp.
func (m *cmsMessage) attributes(info signerInfo) error {
	m.signed = retag(info.Signed.FullBytes, 0x31)
	var signed, unsigned []cmsAttribute
	if rest, err := asn1.UnmarshalWithParams(m.signed, &signed, "set"); err != nil || len(rest) > 0 {
		return errors.New("message with signed attributes that cannot be read")
	}
	if len(info.Unsigned.FullBytes) > 0 {
		if rest, err := asn1.UnmarshalWithParams(retag(info.Unsigned.FullBytes, 0x31), &unsigned, "set"); err != nil || len(rest) > 0 {
			return errors.New("message with attributes that cannot be read")
		}
	}
	var typ asn1.ObjectIdentifier
	if err := one(signed, oidContentType, &typ); err != nil {
		return err
	}
	if !typ.Equal(m.typ) {
		return errors.New("message whose type is not the one signed")
	}
	if err := one(signed, oidMessageDigest, &m.digest); err != nil {
		return err
	}
	var ess signingCertificate
	if err := one(signed, oidSigningCert, &ess); err != nil {
		return err
	}
	if len(ess.Certs) == 0 {
		return errors.New("message that names no certificate")
	}
	first, hash := ess.Certs[0], P256SHA256
	if first.Hash.Algorithm != nil {
		var err error
		if hash, err = byDigest(first.Hash.Algorithm); err != nil {
			return err
		}
	}
	if !bytes.Equal(first.Digest, hash.digest(m.signer.DER())) {
		return errors.New("message that names another certificate")
	}
	if slices.ContainsFunc(unsigned, func(a cmsAttribute) bool { return a.Type.Equal(oidTimeStampToken) }) {
		var token asn1.RawValue
		if err := one(unsigned, oidTimeStampToken, &token); err != nil {
			return err
		}
		m.stamp = token.FullBytes
	}
	return nil
}

// one reads the one value of the one attribute of a type.
func one(attributes []cmsAttribute, oid asn1.ObjectIdentifier, into any) error {
	var found []asn1.RawValue
	for _, a := range attributes {
		if a.Type.Equal(oid) {
			found = append(found, a.Values...)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("message with %d values of attribute %s", len(found), oid)
	}
	return unmarshal(found[0].FullBytes, into, "attribute")
}

// verifies reports whether the signer signed what has the digest.
func (m *cmsMessage) verifies(digest []byte) (content, value bool) {
	return bytes.Equal(m.digest, digest), m.signer.Verify(m.signed, m.value)
}

// judge says what is to be said of a message over detached content, made at signed as the signer says.
func (m *cmsMessage) judge(digest []byte, signed time.Time, roots Roots) Signature {
	out := Signature{Kind: KindCMS, Intact: true, Signed: signed}
	out.by(m.signer)
	content, value := m.verifies(digest)
	if !content || m.content != nil {
		out = out.broken(FaultContent)
	}
	if !value {
		out = out.broken(FaultValue)
	}
	return out.stamped(m.stamp, m.algorithms, m.value, roots).trust(m.signer, roots)
}
