package seal

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"licgate/gm"
)

// How long what the development authority makes holds. A seal holds as long as its user's certificate.
const (
	rootYears = 30
	roleYears = 20
	sealYears = 10
)

// Limits of a seal.
const (
	maxName    = 64       // characters of a code, name or department: ub-common-name of X.520
	maxPicture = 40 << 10 // bytes: the seal stands in a PDF string, of which PDF/A-1 allows 65,535 bytes
	sealSize   = 42       // millimetres, of a round seal of a department, unless said otherwise
)

// Errors of Authority.
var (
	// ErrSpec says that no seal can be made of what was given.
	ErrSpec = errors.New("seal: not a usable seal")
	// ErrExpired says that a certificate does not hold now. Its key file has to be taken away, or be replaced.
	ErrExpired = errors.New("seal: certificate does not hold now")
)

// Options of an Authority.
type Options struct {
	// Random gives keys, numbers and nonces, and must be safe for concurrent use; nil: crypto/rand.
	Random io.Reader
	// Now gives the time of signatures, certificates and built-in time-stamps; nil: time.Now.
	Now func() time.Time
	// Stampers give time-stamps, by Algorithms; one that is nil: the built-in authority.
	Stampers [2]Stamper
}

// Authority is the development authority with its keys, and what seals files. Safe for concurrent use.
type Authority struct {
	dir      string
	random   io.Reader
	now      func() time.Time
	keys     Keys
	stampers [2]Stamper
	roots    [2]Identity // by Algorithms
	maker    Identity
	builtIn  *builtIn

	mu    sync.RWMutex
	seals map[sealKey]*Seal
}

// Open loads the authority's keys, or has keys make them at first start: a root, a time-stamp authority for SM2 and one of each for
// P-256, and a maker of seals. dir keeps the seals; nodes that share it and the keys have the same. Nobody outside vouches for these
// roots: a platform in operation gets its certificates from an authority of the state, by other Keys than FileKeys.
func Open(ctx context.Context, dir string, keys Keys, o Options) (*Authority, error) {
	a := &Authority{dir: dir, random: o.Random, now: o.Now, keys: keys, stampers: o.Stampers, seals: map[sealKey]*Seal{}}
	if a.random == nil {
		a.random = rand.Reader
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.builtIn = &builtIn{random: a.random, now: a.now}
	for _, algorithms := range []Algorithms{SM2SM3, P256SHA256} {
		var err error
		name := KeyName{Role: RoleRoot, Algorithms: algorithms}
		if a.roots[algorithms], err = a.identity(ctx, name, "licgate 开发根证书", gm.UseCA, rootYears); err != nil {
			return nil, err
		}
		name.Role = RoleStamps
		if a.builtIn.keys[algorithms], err = a.identity(ctx, name, "licgate 开发时间戳", gm.UseStamps, roleYears); err != nil {
			return nil, err
		}
		if a.stampers[algorithms] == nil {
			a.stampers[algorithms] = a.builtIn
		}
	}
	var err error
	a.maker, err = a.identity(ctx, KeyName{Role: RoleMaker}, "licgate 开发制章者", gm.UseSign, roleYears)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// identity finds or makes a key that holds now, certified by the root of its algorithms.
func (a *Authority) identity(ctx context.Context, name KeyName, common string, use gm.CertificateUse, years int) (Identity, error) {
	subject := pkix.Name{Country: []string{"CN"}, CommonName: common}
	for _, extra := range []struct {
		oid  asn1.ObjectIdentifier
		text string
	}{{oidDepartment, name.Department}, {oidSealCode, name.SealCode}} {
		if extra.text != "" {
			subject.ExtraNames = append(subject.ExtraNames, pkix.AttributeTypeAndValue{Type: extra.oid, Value: extra.text})
		}
	}
	now := a.now().UTC().Truncate(time.Second)
	id, err := a.keys.Identity(ctx, name, func(key crypto.Signer) (*gm.Certificate, error) {
		spec := gm.CertificateSpec{Subject: subject, Use: use, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(years, 0, 0)}
		if name.Role == RoleRoot {
			return gm.Certify(a.random, spec, key.Public(), nil, key)
		}
		root := a.roots[name.Algorithms]
		if _, end := root.Certificate.Validity(); spec.NotAfter.After(end) {
			spec.NotAfter = end
		}
		return gm.Certify(a.random, spec, key.Public(), root.Certificate, root.Signer)
	})
	if err != nil {
		return Identity{}, fmt.Errorf("seal: key of %s: %w", name.Role, err)
	}
	if from, to := id.Certificate.Validity(); now.Before(from) || now.After(to) {
		return Identity{}, fmt.Errorf("%w: %s of %s, from %s to %s", ErrExpired, name.Role, name.Algorithms, from, to)
	}
	return id, nil
}

// Roots are what a verifier has to trust to trust this authority.
func (a *Authority) Roots() Roots {
	return Roots{
		CAs:    []*gm.Certificate{a.roots[SM2SM3].Certificate, a.roots[P256SHA256].Certificate},
		Makers: []*gm.Certificate{a.maker.Certificate},
	}
}

// Stamp answers a query of RFC 3161 (application/timestamp-query) by the built-in authority: with SM2 when the digest is by
// SM3, with ECDSA when it is by SHA-256. A query that it does not take gets a refusal as answer, which is no error.
func (a *Authority) Stamp(_ context.Context, query []byte) ([]byte, error) {
	response, err := a.builtIn.respond(query)
	if err != nil {
		return nil, fmt.Errorf("seal: time-stamp: %w", err)
	}
	return response, nil
}

// Spec is what a seal is to be.
type Spec struct {
	Code       string // seal_code
	Name       string // of the seal, and of who signs: 北京市朝阳区民政局
	Department string // its code; may be empty
	Picture    []byte // PNG or JPEG
	// Width and Height of the picture on paper in millimetres; zero: 42.
	Width, Height int
}

// sealKey is Spec with a picture that compares.
type sealKey struct {
	code, name, department, picture string
	width, height                   int
}

// Seal is an electronic seal and the keys of who uses it.
type Seal struct {
	name      string
	der       []byte // SESeal
	sm2, p256 Identity
}

// DER returns the seal as GB/T 38540 encodes it: the file Seal.esl.
func (s *Seal) DER() []byte { return bytes.Clone(s.der) }

// Seal finds the seal of a Spec, or has the maker make it. One that differs in any member is another seal; what was sealed with the
// former one stays good. Keys are shared by seals that differ in the picture alone.
func (a *Authority) Seal(ctx context.Context, spec Spec) (*Seal, error) {
	spec.Width, spec.Height = cmp.Or(spec.Width, sealSize), cmp.Or(spec.Height, sealSize)
	key := sealKey{spec.Code, spec.Name, spec.Department, string(spec.Picture), spec.Width, spec.Height}
	a.mu.RLock()
	s := a.seals[key]
	a.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	s, err := a.open(ctx, spec)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seals[key] = s
	return s, nil
}

// open finds the seal in the folder or makes it.
func (a *Authority) open(ctx context.Context, spec Spec) (*Seal, error) {
	kind, err := spec.check()
	if err != nil {
		return nil, err
	}
	s := &Seal{name: spec.Name}
	for _, key := range []struct {
		algorithms Algorithms
		into       *Identity
	}{{SM2SM3, &s.sm2}, {P256SHA256, &s.p256}} {
		name := KeyName{RoleSeal, key.algorithms, spec.Code, spec.Name, spec.Department}
		if *key.into, err = a.identity(ctx, name, spec.Name, gm.UseSign, sealYears); err != nil {
			return nil, err
		}
	}
	id := fingerprint(s.sm2.Certificate.DER(), spec.Picture, fmt.Append(nil, spec.Width, spec.Height))
	path := filepath.Join(a.dir, id+".esl")
	s.der, err = gm.KeyFile(path, func() ([]byte, error) {
		created := a.now().UTC().Truncate(time.Second)
		_, to := s.sm2.Certificate.Validity()
		return makeSeal(a.random, a.maker, sealInfo{
			ID:       id,
			Property: sealProperty{Type: 1, Name: spec.Name, Created: created, From: created.Add(-time.Hour), To: to.UTC()},
			Picture:  sealPicture{Type: kind, Data: spec.Picture, Width: spec.Width, Height: spec.Height},
		}, s.sm2.Certificate)
	})
	if err != nil {
		return nil, fmt.Errorf("seal: making a seal: %w", err)
	}
	made, err := parseSeal(s.der)
	if err == nil {
		_, err = made.verify()
	}
	switch {
	case err != nil:
	case !made.allows(s.sm2.Certificate):
		err = errors.New("it is for another key")
	case made.Info.ID != id:
		err = errors.New("it is another seal")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrKey, path, err)
	}
	return s, nil
}

// check holds a Spec to the limits, and returns the picture's kind as the seal names it.
func (s Spec) check() (kind string, err error) {
	for what, text := range map[string]string{"code": s.Code, "name": s.Name, "department": s.Department} {
		unreadable := !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl)
		if unreadable || text == "" && what != "department" || utf8.RuneCountInString(text) > maxName {
			return "", fmt.Errorf("%w: its %s is empty, longer than %d characters or no text", ErrSpec, what, maxName)
		}
	}
	switch {
	case s.Width < 1 || s.Width > 200 || s.Height < 1 || s.Height > 200:
		return "", fmt.Errorf("%w: a picture of %d × %d mm", ErrSpec, s.Width, s.Height)
	case len(s.Picture) > maxPicture:
		return "", fmt.Errorf("%w: a picture of %d bytes, at most %d", ErrSpec, len(s.Picture), maxPicture)
	case bytes.HasPrefix(s.Picture, []byte("\x89PNG\r\n\x1a\n")):
		return "PNG", nil
	case bytes.HasPrefix(s.Picture, []byte{0xFF, 0xD8, 0xFF}):
		return "JPG", nil
	}
	return "", fmt.Errorf("%w: its picture is neither PNG nor JPEG", ErrSpec)
}
