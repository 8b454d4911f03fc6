package ledger

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"licgate/gm"
)

// Kinds of keys, as the first bytes of their encoding (C2SP signed-note, tlog-cosignature). SM2 has no number there: its
// kinds are the byte 0xff and a longer name, as the specification asks for. An SM2 signature is ASN.1 DER, made under the
// user id 1234567812345678.
const (
	kindEd25519     = "\x01"
	kindCosignature = "\x04"
	kindSM2         = "\xfflicgate.sm2-sm3.v1\n"
	kindSM2Cosign   = "\xfflicgate.sm2-sm3.cosignature.v1\n"
)

// ErrKey says that a text is no verifier key that is known here.
var ErrKey = errors.New("ledger: not a verifier key")

// SM2Signer is a private SM2 key: gm.SM2SignKey, or a device.
type SM2Signer interface {
	Public() []byte // uncompressed point, 65 bytes
	Sign(message []byte) ([]byte, error)
}

// A Signer signs notes under a name, and says by which key others verify it.
type Signer struct {
	note.Signer
	// Key is the verifier key: NAME+ID+BASE64.
	Key string
}

type signer struct {
	name string
	id   uint32
	sign func(message []byte) ([]byte, error)
}

func (s *signer) Name() string                            { return s.name }
func (s *signer) KeyHash() uint32                         { return s.id }
func (s *signer) Sign(message []byte) (b []byte, _ error) { return s.sign(message) }

func newSigner(name, kind string, public []byte, sign func([]byte) ([]byte, error)) (Signer, error) {
	if !validName(name) {
		return Signer{}, fmt.Errorf("%w: the name %q is empty or has blanks or plus signs", ErrKey, name)
	}
	encoded := append([]byte(kind), public...)
	id := keyID(name, encoded)
	key := fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(encoded))
	return Signer{Signer: &signer{name: name, id: id, sign: sign}, Key: key}, nil
}

func validName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsSpace) && !strings.Contains(name, "+")
}

// keyID is SHA-256(name ‖ 0x0A ‖ encoded key), its first four bytes.
func keyID(name string, encoded []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), encoded...))
	return binary.BigEndian.Uint32(sum[:])
}

// Ed25519Signer signs a log's checkpoints so that any tool for signed notes can check them.
func Ed25519Signer(name string, key crypto.Signer) (Signer, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return Signer{}, fmt.Errorf("%w: not an Ed25519 key", ErrKey)
	}
	return newSigner(name, kindEd25519, public, func(message []byte) ([]byte, error) {
		return key.Sign(rand.Reader, message, crypto.Hash(0))
	})
}

// SM2NoteSigner signs a log's checkpoints with SM2.
func SM2NoteSigner(name string, key SM2Signer) (Signer, error) {
	return newSigner(name, kindSM2, key.Public(), key.Sign)
}

// Ed25519Cosigner signs other logs' checkpoints (C2SP tlog-cosignature, v1). now gives the time in them.
func Ed25519Cosigner(name string, key crypto.Signer, now func() time.Time) (Signer, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return Signer{}, fmt.Errorf("%w: not an Ed25519 key", ErrKey)
	}
	return newSigner(name, kindCosignature, public, timestamped(now, func(message []byte) ([]byte, error) {
		return key.Sign(rand.Reader, message, crypto.Hash(0))
	}))
}

// SM2Cosigner signs other logs' checkpoints with SM2, over the same message as Ed25519Cosigner.
func SM2Cosigner(name string, key SM2Signer, now func() time.Time) (Signer, error) {
	return newSigner(name, kindSM2Cosign, key.Public(), timestamped(now, key.Sign))
}

// timestamped puts seconds since 1970 before the signature, and under it.
func timestamped(now func() time.Time, sign func([]byte) ([]byte, error)) func([]byte) ([]byte, error) {
	return func(message []byte) ([]byte, error) {
		at := uint64(now().Unix())
		signature, err := sign(cosigned(at, message))
		return append(binary.BigEndian.AppendUint64(nil, at), signature...), err
	}
}

func cosigned(at uint64, message []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(at, 10)+"\n"), message...)
}

// CosignedAt returns the time in a cosignature that was verified.
func CosignedAt(s note.Signature) (time.Time, error) {
	b, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(b) < 4+8 {
		return time.Time{}, fmt.Errorf("%w: no time in the cosignature of %s", ErrKey, s.Name)
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[4:])), 0), nil
}

// A Verifier verifies what the Signer of the same key signs.
type Verifier struct {
	note.Verifier
	// Key is the verifier key as text.
	Key string
	// Cosigner is set when it cosigns checkpoints of other logs.
	Cosigner bool
}

type verifier struct {
	name   string
	id     uint32
	verify func(message, signature []byte) bool
}

func (v *verifier) Name() string                          { return v.name }
func (v *verifier) KeyHash() uint32                       { return v.id }
func (v *verifier) Verify(message, signature []byte) bool { return v.verify(message, signature) }

// ParseKey reads a verifier key, NAME+ID+BASE64, of one of the kinds that Signers have.
func ParseKey(text string) (Verifier, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 || !validName(parts[0]) {
		return Verifier{}, fmt.Errorf("%w: want NAME+ID+BASE64", ErrKey)
	}
	encoded, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return Verifier{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	id := keyID(parts[0], encoded)
	if fmt.Sprintf("%08x", id) != parts[1] {
		return Verifier{}, fmt.Errorf("%w: the id of %s is not that of its key", ErrKey, parts[0])
	}
	verify, cosigner, err := verifierOf(string(encoded))
	if err != nil {
		return Verifier{}, err
	}
	return Verifier{Verifier: &verifier{name: parts[0], id: id, verify: verify}, Key: text, Cosigner: cosigner}, nil
}

func verifierOf(encoded string) (verify func(message, signature []byte) bool, cosigner bool, _ error) {
	for _, kind := range []string{kindEd25519, kindCosignature, kindSM2, kindSM2Cosign} {
		public, ok := strings.CutPrefix(encoded, kind)
		if !ok {
			continue
		}
		cosigner = kind == kindCosignature || kind == kindSM2Cosign
		if kind == kindEd25519 || kind == kindCosignature {
			if len(public) != ed25519.PublicKeySize {
				return nil, false, fmt.Errorf("%w: an Ed25519 key of %d bytes", ErrKey, len(public))
			}
			verify = func(message, signature []byte) bool {
				return ed25519.Verify(ed25519.PublicKey(public), message, signature)
			}
		} else {
			key, err := gm.ParseSM2VerifyKey([]byte(public))
			if err != nil {
				return nil, false, fmt.Errorf("%w: %w", ErrKey, err)
			}
			verify = key.Verify
		}
		if cosigner {
			verify = verifyTimestamped(verify)
		}
		return verify, cosigner, nil
	}
	return nil, false, fmt.Errorf("%w: of an unknown kind", ErrKey)
}

func verifyTimestamped(verify func(message, signature []byte) bool) func(message, signature []byte) bool {
	return func(message, signature []byte) bool {
		return len(signature) > 8 && verify(cosigned(binary.BigEndian.Uint64(signature), message), signature[8:])
	}
}

// ParseKeys reads verifier keys, one a line; lines that are empty or begin with # are not read.
func ParseKeys(text string) ([]Verifier, error) {
	var list []Verifier
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := ParseKey(line)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// randomOr returns random, or crypto/rand for nil.
func randomOr(random io.Reader) io.Reader {
	if random == nil {
		return rand.Reader
	}
	return random
}
