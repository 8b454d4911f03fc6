package seal

import (
	"bytes"
	"context"
	"encoding/asn1"
	"fmt"
	"time"

	"licgate/gm"
)

// sealSignature is SES_Signature of GB/T 38540-2020 7.1: a seal used on a document.
type sealSignature struct {
	ToSign    toSign
	Cert      []byte // of the signer
	Algorithm asn1.ObjectIdentifier
	Signature asn1.BitString // of ToSign
	Stamp     asn1.BitString `asn1:"optional,explicit,tag:0"` // RFC 3161 token of the signature value
}

// toSign is TBS_Sign.
type toSign struct {
	Raw        asn1.RawContent
	Version    int
	Seal       eSeal
	Time       time.Time `asn1:"generalized"`
	Hash       asn1.BitString
	Property   string      `asn1:"ia5"` // which part of which document
	Extensions []extension `asn1:"optional,explicit,tag:0"`
}

// useSeal seals the document whose SM3 digest is hash. property says what was hashed.
func (a *Authority) useSeal(ctx context.Context, s *Seal, at time.Time, hash []byte, property string) ([]byte, error) {
	t := toSign{Version: sealVersion, Seal: eSeal{Raw: s.der}, Time: at.UTC(), Hash: bits(hash), Property: property}
	raw, err := asn1.Marshal(t)
	if err != nil {
		return nil, err
	}
	signature, err := s.sm2.sign(a.random, raw)
	if err != nil {
		return nil, err
	}
	stamp, err := a.stampers[SM2SM3].Stamp(ctx, SM2SM3, SM2SM3.digest(signature))
	if err != nil {
		return nil, fmt.Errorf("time-stamp: %w", err)
	}
	return asn1.Marshal(sealSignature{
		ToSign: toSign{Raw: raw}, Cert: s.sm2.Certificate.DER(), Algorithm: oidSM2SM3, Signature: bits(signature), Stamp: bits(stamp),
	})
}

// parseSealSignature reads a signature; it verifies nothing. Zeros may follow, which fill the room in a PDF.
func parseSealSignature(der []byte) (*sealSignature, error) {
	if len(der) > maxSignature {
		return nil, fmt.Errorf("signature of %d bytes", len(der))
	}
	s := new(sealSignature)
	if err := unmarshalExact(der, s, "signature"); err != nil {
		return nil, err
	}
	switch {
	case s.ToSign.Version != sealVersion:
		return nil, fmt.Errorf("signature of version %d", s.ToSign.Version)
	case !s.Algorithm.Equal(oidSM2SM3):
		return nil, fmt.Errorf("signature by %s, want SM2 with SM3", s.Algorithm)
	}
	for _, e := range s.ToSign.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("signature with the unknown critical extension %s", e.ID)
		}
	}
	return s, s.ToSign.Seal.check()
}

// judge says what is to be said of a signature over the document whose SM3 digest is hash.
func (s *sealSignature) judge(hash []byte, roots Roots) Signature {
	out := Signature{Kind: KindSeal, Signed: s.ToSign.Time.UTC(), SealName: s.ToSign.Seal.Info.Property.Name}
	signer, err := gm.ParseCertificate(s.Cert)
	if err != nil || !signer.SM2() {
		return out.fault(FaultFormat)
	}
	out.by(signer)
	value := s.Signature.RightAlign()
	out.Intact = true
	if !bytes.Equal(s.ToSign.Hash.RightAlign(), hash) {
		out = out.broken(FaultContent)
	}
	if !signer.Verify(s.ToSign.Raw, value) {
		out = out.broken(FaultValue)
	}
	out = out.stamped(s.Stamp.RightAlign(), SM2SM3, value, roots)
	out = out.trust(signer, roots)
	maker, err := s.ToSign.Seal.verify()
	switch {
	case err != nil:
		out = out.distrust(FaultMaker)
	case !roots.makes(maker, s.ToSign.Seal.Info.Property.Created):
		out = out.distrust(FaultMaker)
	}
	if !s.ToSign.Seal.allows(signer) {
		out = out.distrust(FaultUser)
	}
	if !s.ToSign.Seal.holds(out.When()) || !s.ToSign.Seal.holds(out.Signed) {
		out = out.distrust(FaultSealTime)
	}
	return out
}
