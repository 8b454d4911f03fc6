package seal

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"licgate/gm"
)

// Report is what Verify found.
type Report struct {
	Format string // "pdf" or "ofd"
	// Whole says that there is a signature, that all of them are Intact, and that nothing of the file is outside them. Whether
	// those who signed are to be trusted stands with each signature.
	Whole       bool
	Alterations []Alteration // why it is not whole, apart from signatures that are not intact
	Signatures  []Signature  // in the order in which they were made
}

// Good reports whether the file is whole and every signature is by somebody whom the roots vouch for.
func (r Report) Good() bool {
	return r.Whole && !slices.ContainsFunc(r.Signatures, func(s Signature) bool { return !s.Trusted })
}

// Alteration is a part of the file that no signature vouches for.
type Alteration struct {
	What AlterationKind
	Part string // of which file within an OFD, or bytes FROM-TO of a PDF
}

// AlterationKind is a way in which a file is not what was signed.
type AlterationKind string

// The kinds. Text says them in Chinese.
const (
	Unsigned AlterationKind = "unsigned" // there is no signature at all
	Appended AlterationKind = "appended" // bytes follow the last signature
	Changed  AlterationKind = "changed"  // the content is not what was signed
	Added    AlterationKind = "added"    // a file that is not signed
	Missing  AlterationKind = "missing"  // a signed file is not there
	Updated  AlterationKind = "updated"  // more than a further signature was added between two signatures
	Hidden   AlterationKind = "hidden"   // bytes of the container that belong to no file
)

var alterationTexts = map[AlterationKind]string{
	Unsigned: "文件没有签名", Appended: "最后一个签名之后追加了内容", Changed: "内容与签名时不一致", Added: "增加了未签名的文件",
	Missing: "缺少已签名的文件", Updated: "签名之后修改过内容", Hidden: "含有不属于任何文件的数据",
}

// Text is the alteration in Chinese.
func (a Alteration) Text() string {
	if a.Part == "" {
		return alterationTexts[a.What]
	}
	return alterationTexts[a.What] + "：" + a.Part
}

// The kinds of signatures.
const (
	KindSeal = "seal" // electronic seal, GB/T 38540
	KindCMS  = "cms"  // RFC 5652, as every PDF reader knows it
)

// Signature is what was found of one signature.
type Signature struct {
	Kind   string
	Intact bool // the signature fits the content and the key of the signer's certificate
	// Name, SealCode and Department are the signer's, as the certificate says; SealName is the seal's own.
	Name, SealCode, Department, SealName string

	Signed  time.Time // by the signer's clock; zero: not said
	Stamped time.Time // by a time-stamp authority that the roots vouch for; zero: the time is not proven
	Trusted bool      // certificates, seal and time-stamp are good: no fault
	Faults  []Fault
}

// When is the proven time, or else the said one.
func (s Signature) When() time.Time {
	if s.Stamped.IsZero() {
		return s.Signed
	}
	return s.Stamped
}

// Fault is something that is wrong with a signature.
type Fault string

// The faults. The first three mean that the signature is not intact.
const (
	FaultFormat   Fault = "format"    // cannot be read
	FaultContent  Fault = "content"   // the content is not what was signed
	FaultValue    Fault = "value"     // not made by the key of the certificate
	FaultChain    Fault = "chain"     // the signer's certificate does not lead to a root, or did not hold then
	FaultMaker    Fault = "maker"     // the seal was not made by a maker that the roots name
	FaultUser     Fault = "user"      // the signer is not among those who may use the seal
	FaultSealTime Fault = "seal-time" // the seal did not hold then
	FaultStamp    Fault = "stamp"     // the time-stamp is missing, wrong or of an unknown authority
)

var faultTexts = map[Fault]string{
	FaultFormat: "签名无法读取", FaultContent: "内容与签名时不一致", FaultValue: "签名值与证书不符", FaultChain: "签名人证书不受信任或当时无效",
	FaultMaker: "印章不是由受信任的制章机构制作", FaultUser: "签名人无权使用该印章", FaultSealTime: "签章时印章不在有效期内", FaultStamp: "时间戳缺失或不可信",
}

// Text is the fault in Chinese.
func (f Fault) Text() string { return faultTexts[f] }

func (s Signature) fault(f Fault) Signature {
	if !slices.Contains(s.Faults, f) {
		s.Faults = append(s.Faults, f)
	}
	return s
}

// broken is fault, of a signature that is not intact.
func (s Signature) broken(f Fault) Signature {
	s.Intact, s.Trusted = false, false
	return s.fault(f)
}

// distrust is fault, of a signature that may be intact.
func (s Signature) distrust(f Fault) Signature {
	s.Trusted = false
	return s.fault(f)
}

// Attributes of a signer's name beside its common name, which is the seal's.
var (
	oidSealCode   = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1} // UID
	oidDepartment = asn1.ObjectIdentifier{2, 5, 4, 97}                     // organizationIdentifier
)

// by puts down whose certificate it is.
func (s *Signature) by(c *gm.Certificate) {
	subject := c.Subject()
	s.Name = subject.CommonName
	s.SealCode, s.Department = attribute(subject, oidSealCode), attribute(subject, oidDepartment)
}

func attribute(name pkix.Name, oid asn1.ObjectIdentifier) string {
	for _, a := range name.Names {
		if text, ok := a.Value.(string); ok && a.Type.Equal(oid) {
			return text
		}
	}
	return ""
}

// stamped puts down what the time-stamp token over the signature value says.
func (s Signature) stamped(token []byte, a Algorithms, value []byte, roots Roots) Signature {
	info, authority, err := checkStamp(token, a, a.digest(value))
	if err != nil || authority.ChainTo(roots.CAs, nil, info.Time) != nil {
		return s.distrust(FaultStamp)
	}
	s.Stamped = info.Time.UTC()
	return s
}

// trust judges the signer's certificate at the time of the signature, after stamped.
func (s Signature) trust(signer *gm.Certificate, roots Roots) Signature {
	if !signer.Signs() || signer.ChainTo(roots.CAs, nil, s.When()) != nil {
		return s.distrust(FaultChain)
	}
	s.Trusted = s.Intact && len(s.Faults) == 0
	return s
}

// Roots are the certificates that a verifier trusts.
type Roots struct {
	CAs    []*gm.Certificate // roots, or intermediate authorities, of signers, makers and time-stamp authorities
	Makers []*gm.Certificate // who makes seals (制章者): a certificate of a CA alone makes nobody a maker
}

// makes reports whether c is a maker that held at the time.
func (r Roots) makes(c *gm.Certificate, at time.Time) bool {
	return slices.ContainsFunc(r.Makers, c.Equal) && c.ChainTo(r.CAs, nil, at) == nil
}

// PEM returns the certificates as text that ParseRoots reads.
func (r Roots) PEM() []byte {
	var b bytes.Buffer
	for _, c := range slices.Concat(r.CAs, r.Makers) {
		_ = pem.Encode(&b, &pem.Block{Type: pemCertificate, Bytes: c.DER()}) // a bytes.Buffer does not fail
	}
	return b.Bytes()
}

const pemCertificate = "CERTIFICATE"

// ParseRoots reads certificates in PEM: those of authorities become CAs, the others Makers.
func ParseRoots(text []byte) (Roots, error) {
	var r Roots
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != pemCertificate {
			return Roots{}, fmt.Errorf("seal: a %s among the roots", block.Type)
		}
		c, err := gm.ParseCertificate(block.Bytes)
		if err != nil {
			return Roots{}, fmt.Errorf("seal: reading roots: %w", err)
		}
		if c.CA() {
			r.CAs = append(r.CAs, c)
		} else {
			r.Makers = append(r.Makers, c)
		}
	}
	if len(r.CAs) == 0 {
		return Roots{}, errors.New("seal: no certificate of an authority among the roots")
	}
	return r, nil
}
