package seal

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"time"

	"licgate/gm"
)

// Limits of what is read, in bytes.
const (
	maxESeal     = 192 << 10
	maxSignature = 256 << 10
)

// sealVersion is that of GB/T 38540-2020: the maker signs eSealInfo alone.
const sealVersion = 4

// eSeal is SESeal of GB/T 38540-2020 6.1: an electronic seal as its maker signed it.
type eSeal struct {
	Raw       asn1.RawContent
	Info      sealInfo
	Cert      []byte // of the maker
	Algorithm asn1.ObjectIdentifier
	Signature asn1.BitString // of Info
}

// sealInfo is SES_SealInfo.
type sealInfo struct {
	Raw        asn1.RawContent
	Header     sealHeader
	ID         string `asn1:"ia5"`
	Property   sealProperty
	Picture    sealPicture
	Extensions []extension `asn1:"optional,explicit,tag:0"`
}

// sealHeader is SES_Header.
type sealHeader struct {
	ID      string `asn1:"ia5"` // "ES"
	Version int
	Vendor  string `asn1:"ia5"`
}

// sealProperty is SES_ESPropertyInfo.
type sealProperty struct {
	Type         int
	Name         string        `asn1:"utf8"`
	CertListType int           // 1: certificates, 2: their digests
	CertList     asn1.RawValue // SEQUENCE OF OCTET STRING or of certDigest
	Created      time.Time     `asn1:"generalized"`
	From         time.Time     `asn1:"generalized"`
	To           time.Time     `asn1:"generalized"`
}

// certDigest is CertDigestObj.
type certDigest struct {
	Type  string `asn1:"printable"`
	Value []byte
}

// sealPicture is SES_ESPictureInfo; width and height are in millimetres.
type sealPicture struct {
	Type          string `asn1:"ia5"`
	Data          []byte
	Width, Height int
}

// extension is ExtData.
type extension struct {
	ID       asn1.ObjectIdentifier
	Critical bool `asn1:"optional"`
	Value    []byte
}

// The kinds of certificate lists.
const (
	listCertificates = 1
	listDigests      = 2
)

// makeSeal has the maker sign a seal that the holder of user may use.
func makeSeal(random io.Reader, maker Identity, info sealInfo, user *gm.Certificate) ([]byte, error) {
	list, err := asn1.Marshal([][]byte{user.DER()})
	if err != nil {
		return nil, err
	}
	info.Header = sealHeader{ID: "ES", Version: sealVersion, Vendor: "licgate"}
	info.Property.CertListType, info.Property.CertList = listCertificates, asn1.RawValue{FullBytes: list}
	if info.Raw, err = asn1.Marshal(info); err != nil {
		return nil, err
	}
	signature, err := maker.sign(random, info.Raw)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(eSeal{Info: info, Cert: maker.Certificate.DER(), Algorithm: oidSM2SM3, Signature: bits(signature)})
}

// parseSeal reads a seal; it verifies nothing.
func parseSeal(der []byte) (*eSeal, error) {
	if len(der) > maxESeal {
		return nil, fmt.Errorf("seal of %d bytes", len(der))
	}
	s := new(eSeal)
	if err := unmarshal(der, s, "seal"); err != nil {
		return nil, err
	}
	return s, s.check()
}

// check holds a seal to the standard's own rules.
func (s *eSeal) check() error {
	switch p := s.Info.Property; {
	case s.Info.Header.ID != "ES" || s.Info.Header.Version != sealVersion:
		return fmt.Errorf("seal of header %q, version %d: want ES, %d", s.Info.Header.ID, s.Info.Header.Version, sealVersion)
	case p.CertListType != listCertificates && p.CertListType != listDigests:
		return fmt.Errorf("seal with certificate list of type %d", p.CertListType)
	case !s.Algorithm.Equal(oidSM2SM3):
		return fmt.Errorf("seal signed by %s, want SM2 with SM3", s.Algorithm)
	}
	for _, e := range s.Info.Extensions {
		if e.Critical {
			return fmt.Errorf("seal with the unknown critical extension %s", e.ID)
		}
	}
	return nil
}

// verify reports whether the maker of the seal signed it.
func (s *eSeal) verify() (maker *gm.Certificate, err error) {
	if maker, err = gm.ParseCertificate(s.Cert); err != nil {
		return nil, err
	}
	if !maker.SM2() || !maker.Verify(s.Info.Raw, s.Signature.RightAlign()) {
		return maker, errors.New("signature of the seal's maker does not fit")
	}
	return maker, nil
}

// allows reports whether the holder of user may use the seal.
func (s *eSeal) allows(user *gm.Certificate) bool {
	list := s.Info.Property.CertList.FullBytes
	if s.Info.Property.CertListType == listCertificates {
		var certificates [][]byte
		if unmarshal(list, &certificates, "certificates") != nil {
			return false
		}
		for _, c := range certificates {
			if bytes.Equal(c, user.DER()) {
				return true
			}
		}
		return false
	}
	var digests []certDigest
	if unmarshal(list, &digests, "digests") != nil {
		return false
	}
	sum := gm.SM3(user.DER())
	for _, d := range digests {
		if (d.Type == "SM3" || d.Type == oidSM3.String()) && bytes.Equal(d.Value, sum[:]) {
			return true
		}
	}
	return false
}

// holds reports whether the seal may be used at the time.
func (s *eSeal) holds(at time.Time) bool {
	return !at.Before(s.Info.Property.From) && !at.After(s.Info.Property.To)
}
