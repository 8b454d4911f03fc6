package seal

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"reflect"

	"licgate/gm"
)

// Algorithms is a pair of signature and hash.
type Algorithms int

// The pairs: that of the national standards, and one that every PDF reader knows.
const (
	SM2SM3     Algorithms = iota // GB/T 32918, GB/T 32905
	P256SHA256                   // ECDSA on P-256 with SHA-256
)

func (a Algorithms) String() string {
	if a == SM2SM3 {
		return "sm2"
	}
	return "p256"
}

var (
	oidSM3           = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}
	oidSM2SM3        = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidECDSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	digestAlgorithms = [...]asn1.ObjectIdentifier{SM2SM3: oidSM3, P256SHA256: oidSHA256}
	signAlgorithms   = [...]asn1.ObjectIdentifier{SM2SM3: oidSM2SM3, P256SHA256: oidECDSASHA256}
)

// byDigest returns the pair that a hash belongs to.
func byDigest(hash asn1.ObjectIdentifier) (Algorithms, error) {
	for a, oid := range digestAlgorithms {
		if oid.Equal(hash) {
			return Algorithms(a), nil
		}
	}
	return 0, fmt.Errorf("hash %s is not known", hash)
}

// of returns the pair that a certificate's key is for.
func of(c *gm.Certificate) Algorithms {
	if c.SM2() {
		return SM2SM3
	}
	return P256SHA256
}

// digest hashes what parts are together.
func (a Algorithms) digest(parts ...[]byte) []byte {
	h := sha256.New()
	if a == SM2SM3 {
		h = gm.NewSM3()
	}
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func (a Algorithms) digestID() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: digestAlgorithms[a]}
}

func (a Algorithms) signID() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: signAlgorithms[a]}
}

// Identity is a private key, here or in a device, and the certificate that says whose it is.
type Identity struct {
	Signer      crypto.Signer // of digests, as gm.SignMessage uses it
	Certificate *gm.Certificate
}

func (i Identity) sign(random io.Reader, message []byte) ([]byte, error) {
	return gm.SignMessage(random, i.Signer, message)
}

// unmarshal reads one whole DER value.
func unmarshal(der []byte, into any, what string) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%s: %d bytes follow", what, len(rest))
	}
	return nil
}

// unmarshalExact is unmarshal of what Marshal would write to the same bytes: encoding/asn1 overlooks bytes within explicit tags.
// Zeros may follow, which fill the room for a signature in a PDF.
func unmarshalExact(der []byte, into any, what string) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(bytes.Trim(rest, "\x00")) > 0 {
		return fmt.Errorf("%s: more than zeros follow", what)
	}
	again, err := asn1.Marshal(reflect.ValueOf(into).Elem().Interface())
	if err != nil || !bytes.Equal(again, der[:len(der)-len(rest)]) {
		return fmt.Errorf("%s: not DER", what)
	}
	return nil
}

func bits(b []byte) asn1.BitString { return asn1.BitString{Bytes: b, BitLength: 8 * len(b)} }
