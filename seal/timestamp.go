package seal

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"licgate/gm"
)

// Stamper is a time-stamp authority: the built-in one, or HTTPStamper.
type Stamper interface {
	// Stamp returns a time-stamp token (RFC 3161) of a digest by the hash of a, signed by that pair too.
	Stamp(ctx context.Context, a Algorithms, digest []byte) ([]byte, error)
}

// policyAny is the policy of the built-in authority: it has none.
var policyAny = asn1.ObjectIdentifier{2, 5, 29, 32, 0}

type stampRequest struct {
	Version    int
	Imprint    imprint
	Policy     asn1.ObjectIdentifier `asn1:"optional"`
	Nonce      *big.Int              `asn1:"optional"`
	WantCert   bool                  `asn1:"optional"`
	Extensions asn1.RawValue         `asn1:"optional,tag:0"`
}

type imprint struct {
	Hash   pkix.AlgorithmIdentifier
	Digest []byte
}

type stampResponse struct {
	Status stampStatus
	Token  asn1.RawValue `asn1:"optional"`
}

type stampStatus struct {
	Status int
	Text   asn1.RawValue  `asn1:"optional,tag:16,universal"`
	Fail   asn1.BitString `asn1:"optional"`
}

// stampInfo is TSTInfo.
type stampInfo struct {
	Version    int
	Policy     asn1.ObjectIdentifier
	Imprint    imprint
	Serial     *big.Int
	Time       time.Time     `asn1:"generalized"`
	Accuracy   stampAccuracy `asn1:"optional"`
	Ordering   bool          `asn1:"optional"`
	Nonce      *big.Int      `asn1:"optional"`
	Authority  asn1.RawValue `asn1:"optional,tag:0"`
	Extensions asn1.RawValue `asn1:"optional,tag:1"`
}

type stampAccuracy struct {
	Seconds int `asn1:"optional"`
	Millis  int `asn1:"optional,tag:0"`
	Micros  int `asn1:"optional,tag:1"`
}

// Reasons of a refusal (RFC 3161 2.4.2), as numbers of bits.
const (
	failAlgorithm  = 0
	failRequest    = 2
	failFormat     = 5
	failPolicy     = 15
	failExtensions = 16
)

// builtIn is the time-stamp authority of an Authority.
type builtIn struct {
	random io.Reader
	now    func() time.Time
	keys   [2]Identity // by Algorithms
}

// Stamp implements Stamper.
func (b *builtIn) Stamp(_ context.Context, a Algorithms, digest []byte) ([]byte, error) {
	return b.token(a, imprint{a.digestID(), digest}, nil)
}

func (b *builtIn) token(a Algorithms, i imprint, nonce *big.Int) ([]byte, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(b.random, serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x7F | 0x40 // positive, and always of the same length
	info, err := asn1.Marshal(stampInfo{
		Version: 1, Policy: policyAny, Imprint: i, Serial: new(big.Int).SetBytes(serial), Time: b.now().UTC().Truncate(time.Second),
		Accuracy: stampAccuracy{Seconds: 1}, Nonce: nonce,
	})
	if err != nil {
		return nil, err
	}
	return signCMS(b.random, b.keys[a], oidTimeStampedInfo, info, nil, nil)
}

// respond answers a query of RFC 3161. The certificate comes along whether it was asked for or not.
func (b *builtIn) respond(query []byte) ([]byte, error) {
	var q stampRequest
	if unmarshal(query, &q, "query") != nil {
		return refusal(failFormat)
	}
	a, err := byDigest(q.Imprint.Hash.Algorithm)
	switch {
	case q.Version != 1:
		return refusal(failRequest)
	case err != nil:
		return refusal(failAlgorithm)
	case len(q.Imprint.Digest) != 32:
		return refusal(failFormat)
	case q.Policy != nil && !q.Policy.Equal(policyAny):
		return refusal(failPolicy)
	case len(q.Extensions.FullBytes) > 0:
		return refusal(failExtensions)
	}
	token, err := b.token(a, q.Imprint, q.Nonce)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(stampResponse{Token: asn1.RawValue{FullBytes: token}})
}

func refusal(reason int) ([]byte, error) {
	fail := asn1.BitString{Bytes: make([]byte, reason/8+1), BitLength: reason + 1}
	fail.Bytes[reason/8] |= 0x80 >> (reason % 8)
	return asn1.Marshal(stampResponse{Status: stampStatus{Status: 2, Fail: fail}})
}

// parseStamp reads a token and verifies its signature, but trusts nobody.
func parseStamp(token []byte) (*stampInfo, *gm.Certificate, error) {
	m, err := parseCMS(token)
	if err != nil {
		return nil, nil, err
	}
	if !m.typ.Equal(oidTimeStampedInfo) || m.content == nil {
		return nil, nil, errors.New("not a time-stamp")
	}
	info := new(stampInfo)
	if err := unmarshal(m.content, info, "time-stamp"); err != nil {
		return nil, nil, err
	}
	content, value := m.verifies(m.algorithms.digest(m.content))
	switch {
	case !content || !value:
		return nil, nil, errors.New("time-stamp whose signature does not fit")
	case !m.signer.Stamps():
		return nil, nil, errors.New("time-stamp by a certificate that is not for time-stamps")
	case info.Version != 1 || len(info.Extensions.FullBytes) > 0:
		return nil, nil, errors.New("time-stamp of another version, or with extensions")
	}
	return info, m.signer, nil
}

// checkStamp is parseStamp, of a token that has to be of a digest by the hash of a.
func checkStamp(token []byte, a Algorithms, digest []byte) (*stampInfo, *gm.Certificate, error) {
	info, signer, err := parseStamp(token)
	if err != nil {
		return nil, nil, err
	}
	if !info.Imprint.Hash.Algorithm.Equal(digestAlgorithms[a]) || !bytes.Equal(info.Imprint.Digest, digest) {
		return nil, nil, errors.New("time-stamp of something else")
	}
	return info, signer, nil
}

// newQuery makes a query with a nonce.
func newQuery(random io.Reader, a Algorithms, digest []byte) (query []byte, nonce *big.Int, err error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return nil, nil, err
	}
	nonce = new(big.Int).SetBytes(raw)
	query, err = asn1.Marshal(stampRequest{Version: 1, Imprint: imprint{a.digestID(), digest}, Nonce: nonce, WantCert: true})
	return query, nonce, err
}

// readResponse returns the token of a response to newQuery, from an authority that one of roots vouches for.
func readResponse(response []byte, a Algorithms, digest []byte, nonce *big.Int, roots []*gm.Certificate) ([]byte, error) {
	var r stampResponse
	if err := unmarshal(response, &r, "response"); err != nil {
		return nil, err
	}
	if r.Status.Status > 1 || r.Status.Status < 0 {
		return nil, fmt.Errorf("refused with status %d, reason %x", r.Status.Status, r.Status.Fail.Bytes)
	}
	info, signer, err := checkStamp(r.Token.FullBytes, a, digest)
	if err != nil {
		return nil, err
	}
	if info.Nonce == nil || info.Nonce.Cmp(nonce) != 0 {
		return nil, errors.New("time-stamp of another query")
	}
	if err := signer.ChainTo(roots, nil, info.Time); err != nil {
		return nil, err
	}
	return r.Token.FullBytes, nil
}
