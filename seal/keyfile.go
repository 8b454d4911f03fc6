package seal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"licgate/gm"
)

// Wrapper guards the private numbers of key files by a master key. *gm.Keyring is one. Safe for concurrent use.
type Wrapper interface {
	// WrapKey encrypts a key of 32 bytes, so that it opens with the same binding alone, and names the master key that it used.
	WrapKey(ctx context.Context, key, binding []byte) (kek string, wrapped []byte, err error)
	// UnwrapKey returns the key, which the caller erases; gm.ErrWrapped: it was changed, or has another binding.
	UnwrapKey(ctx context.Context, kek string, wrapped, binding []byte) ([]byte, error)
}

// keyFile is the file of a key. Version 1, which is read but not written any more, has the private number in clear; version 2 has
// it wrapped.
type keyFile struct {
	Version     int    `json:"version"`
	Role        Role   `json:"role"`
	Algorithms  string `json:"algorithms"` // sm2 or p256
	SealCode    string `json:"seal_code,omitempty"`
	Name        string `json:"name,omitempty"`
	Department  string `json:"department,omitempty"`
	Private     []byte `json:"private,omitempty"` // the number, 32 bytes, base64; version 1
	KEK         string `json:"kek,omitempty"`     // the master key's name; version 2
	Wrapped     []byte `json:"wrapped,omitempty"` // base64; version 2
	Certificate []byte `json:"certificate"`       // DER, base64
}

// newKeyFile wraps the private number of a key.
func newKeyFile(ctx context.Context, w Wrapper, name KeyName, private, certificate []byte) ([]byte, error) {
	kek, wrapped, err := w.WrapKey(ctx, private, name.binding())
	if err != nil {
		return nil, fmt.Errorf("seal: wrapping a key: %w", err)
	}
	content, err := json.Marshal(keyFile{
		Version: 2, Role: name.Role, Algorithms: name.Algorithms.String(), SealCode: name.SealCode, Name: name.Name, Department: name.Department,
		KEK: kek, Wrapped: wrapped, Certificate: certificate,
	})
	return append(content, '\n'), err
}

// parseKeyFile reads the file of a key, but does not unwrap. Its errors never repeat the content.
func parseKeyFile(content []byte) (keyFile, error) {
	var f keyFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&f) != nil {
		return keyFile{}, fmt.Errorf("%w: not JSON of a key", ErrKey)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return keyFile{}, fmt.Errorf("%w: something follows", ErrKey)
	}
	inClear, wrapped := f.Private != nil, f.KEK != "" && len(f.Wrapped) > 0
	switch {
	case f.Version != 1 && f.Version != 2:
		return keyFile{}, fmt.Errorf("%w: version %d, want 1 or 2", ErrKey, f.Version)
	case f.Version == 1 && (!inClear || f.KEK != "" || f.Wrapped != nil):
		return keyFile{}, fmt.Errorf("%w: of version 1 without a key in clear, or with a wrapped one", ErrKey)
	case f.Version == 2 && (inClear || !wrapped):
		return keyFile{}, fmt.Errorf("%w: of version 2 without a wrapped key, or with one in clear", ErrKey)
	case f.Algorithms != SM2SM3.String() && f.Algorithms != P256SHA256.String():
		return keyFile{}, fmt.Errorf("%w: for unknown algorithms", ErrKey)
	}
	return f, nil
}

// name is whose key the file says it is.
func (f keyFile) name() KeyName {
	name := KeyName{f.Role, SM2SM3, f.SealCode, f.Name, f.Department}
	if f.Algorithms == P256SHA256.String() {
		name.Algorithms = P256SHA256
	}
	return name
}

// private returns the private number, which the caller erases.
func (f keyFile) private(ctx context.Context, w Wrapper) ([]byte, error) {
	if f.Version == 1 {
		return bytes.Clone(f.Private), nil
	}
	private, err := w.UnwrapKey(ctx, f.KEK, f.Wrapped, f.name().binding())
	switch {
	case errors.Is(err, gm.ErrWrapped):
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	case err != nil:
		return nil, fmt.Errorf("seal: unwrapping a key: %w", err)
	}
	return private, nil
}

// identity joins the private number and the certificate.
func (f keyFile) identity(private []byte) (Identity, error) {
	signer, err := parsePrivate(f.name().Algorithms, private)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	certificate, err := gm.ParseCertificate(f.Certificate)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	public, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok || !public.Equal(certificate.PublicKey()) {
		return Identity{}, fmt.Errorf("%w: the certificate is of another key", ErrKey)
	}
	return Identity{Signer: signer, Certificate: certificate}, nil
}

// newPrivate draws a private number for a pair of algorithms.
func newPrivate(random io.Reader, a Algorithms) ([]byte, crypto.Signer, error) {
	private := make([]byte, 32)
	for {
		if _, err := io.ReadFull(random, private); err != nil {
			return nil, nil, fmt.Errorf("seal: making a key: %w", err)
		}
		if signer, err := parsePrivate(a, private); err == nil {
			return private, signer, nil
		} // a number out of range, once in 2³², is drawn again
	}
}

// fileName is readable for the few keys of the platform. A seal's code may hold anything, so that its files have a digest for a name,
// and the code inside. A seal that gets another name is another file: its certificate says the name.
func (n KeyName) fileName() string {
	name := string(n.Role) + "-" + n.Algorithms.String() + ".key"
	if n.Role == RoleSeal {
		name = fingerprint([]byte(n.SealCode), []byte(n.Name), []byte(n.Department)) + "-" + name
	}
	return name
}

// binding is what the wrapped number is bound to, frozen: in another key's file it does not open.
func (n KeyName) binding() []byte {
	var b bytes.Buffer
	b.WriteString("seal/")
	frame(&b, []byte(n.Role), []byte(n.Algorithms.String()), []byte(n.SealCode), []byte(n.Name), []byte(n.Department))
	return b.Bytes()
}

// fingerprint names a file by what is in it: the first 16 bytes of SM3 over the framed parts.
func fingerprint(parts ...[]byte) string {
	h := gm.NewSM3()
	frame(h, parts...)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// frame writes parts to what does not fail, each after its length: other parts are other bytes.
func frame(w io.Writer, parts ...[]byte) {
	for _, p := range parts {
		fmt.Fprintf(w, "%d:", len(p))
		_, _ = w.Write(p)
	}
}
