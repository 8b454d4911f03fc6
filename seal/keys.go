package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"licgate/gm"
)

// Role is what a key is for.
type Role string

// The roles.
const (
	RoleRoot   Role = "root"   // certifies all others of its algorithms
	RoleMaker  Role = "maker"  // makes seals (制章者)
	RoleStamps Role = "stamps" // signs time-stamps
	RoleSeal   Role = "seal"   // uses a seal (印章使用者)
)

// KeyName names a key. SealCode, Name and Department are those of a seal, for RoleSeal alone.
type KeyName struct {
	Role                       Role
	Algorithms                 Algorithms
	SealCode, Name, Department string
}

// Keys keeps private keys and their certificates. FileKeys does in files; what speaks to a device takes its place. All methods
// are safe for concurrent use, also by other processes.
type Keys interface {
	// Identity returns the key of a name and its certificate. When there is none it makes the key, and has it certified; of
	// several callers that do so at once, on one node or several, all get the same.
	Identity(name KeyName, certify func(key crypto.Signer) (*gm.Certificate, error)) (Identity, error)
}

// ErrKey says that a key file is damaged, or is not what its name says.
var ErrKey = errors.New("seal: not a usable key file")

// FileKeys keeps keys in Dir, one file each, mode 0600 (gm.KeyFile says what a crash leaves). A file that others may read is
// refused.
type FileKeys struct {
	Dir    string
	Random io.Reader // gives the keys; safe for concurrent use
}

// keyFile is the file of a key, version 1.
type keyFile struct {
	Version     int    `json:"version"`
	Role        Role   `json:"role"`
	Algorithms  string `json:"algorithms"` // sm2 or p256
	SealCode    string `json:"seal_code,omitempty"`
	Name        string `json:"name,omitempty"`
	Department  string `json:"department,omitempty"`
	Private     []byte `json:"private"`     // the number, 32 bytes, base64
	Certificate []byte `json:"certificate"` // DER, base64
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

// fingerprint names a file by what is in it: the first 16 bytes of SM3 over the parts, each after its length.
func fingerprint(parts ...[]byte) string {
	h := gm.NewSM3()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Identity implements Keys.
func (k FileKeys) Identity(name KeyName, certify func(crypto.Signer) (*gm.Certificate, error)) (Identity, error) {
	path := filepath.Join(k.Dir, name.fileName())
	content, err := gm.KeyFile(path, func() ([]byte, error) {
		private := make([]byte, 32)
		var signer crypto.Signer
		for signer == nil { // a number out of range, once in 2³², is drawn again
			if _, err := io.ReadFull(k.Random, private); err != nil {
				return nil, fmt.Errorf("seal: making a key: %w", err)
			}
			signer, _ = parsePrivate(name.Algorithms, private)
		}
		certificate, err := certify(signer)
		if err != nil {
			return nil, err
		}
		content, err := json.Marshal(keyFile{
			Version: 1, Role: name.Role, Algorithms: name.Algorithms.String(), SealCode: name.SealCode, Name: name.Name,
			Department: name.Department, Private: private, Certificate: certificate.DER(),
		})
		return append(content, '\n'), err
	})
	if err != nil {
		return Identity{}, err
	}
	defer clear(content)
	id, err := parseKeyFile(content, name)
	if err != nil {
		return Identity{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return id, nil
}

// parseKeyFile reads the file of a key. Its errors never repeat the content.
func parseKeyFile(content []byte, name KeyName) (Identity, error) {
	var f keyFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&f) != nil {
		return Identity{}, fmt.Errorf("%w: not JSON of a key", ErrKey)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Identity{}, fmt.Errorf("%w: something follows", ErrKey)
	}
	if f.Version != 1 {
		return Identity{}, fmt.Errorf("%w: version %d, want 1", ErrKey, f.Version)
	}
	if f.Algorithms != name.Algorithms.String() || (KeyName{f.Role, name.Algorithms, f.SealCode, f.Name, f.Department}) != name {
		return Identity{}, fmt.Errorf("%w: it is another's key", ErrKey)
	}
	signer, err := parsePrivate(name.Algorithms, f.Private)
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

// parsePrivate returns the key with the private number b.
func parsePrivate(a Algorithms, b []byte) (crypto.Signer, error) {
	if a == SM2SM3 {
		key, err := gm.ParseSM2SignKey(b, rand.Reader)
		if err != nil {
			return nil, err
		}
		return key.Signer(), nil
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	if err != nil {
		return nil, err
	}
	return p256Signer{func() *ecdsa.PrivateKey { return key }}, nil
}

// p256Signer signs as RFC 6979 says: the same digest gives the same signature. It does not print its key.
type p256Signer struct{ key func() *ecdsa.PrivateKey }

// Public implements crypto.Signer.
func (s p256Signer) Public() crypto.PublicKey { return &s.key().PublicKey }

// Sign implements crypto.Signer.
func (s p256Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key().Sign(nil, digest, opts)
}
