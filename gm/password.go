package gm

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/emmansun/gmsm/sm3"
)

// DefaultIterations of PBKDF2: one hash takes about 60 ms of one 2020s server core (0.44 µs an iteration, measured;
// BenchmarkHash measures it again). Hashes carry their own number, so changing this leaves kept ones valid. A build with the
// race detector, in which an iteration takes eight times as long, and which nobody serves from, does a fourteenth.
const DefaultIterations = 140_000 / raceShare

// maxIterations bounds what an encoded hash can make Verify do.
const maxIterations = 10_000_000

const (
	passwordPrefix = "$pbkdf2-sm3$i="
	passwordSalt   = 16 // bytes
)

// ErrIterations says that a PasswordHasher was given a number of iterations outside 1 to 10,000,000.
var ErrIterations = errors.New("gm: password iterations out of range")

// PasswordHasher makes and checks slow salted password hashes (PBKDF2-HMAC-SM3, RFC 8018 with GB/T 32905).
//
// The encoded form is frozen: $pbkdf2-sm3$i=ITERATIONS$SALT$HASH, iterations in decimal, salt (16 bytes) and hash
// (32 bytes) in base64 without padding.
type PasswordHasher struct {
	// Iterations of PBKDF2; 0 means DefaultIterations.
	Iterations int
	// Random gives the salt; nil means crypto/rand.
	Random io.Reader
}

// Hash returns an encoded hash that carries its own parameters and salt.
func (h PasswordHasher) Hash(password string) (string, error) {
	iterations, err := h.iterations()
	if err != nil {
		return "", err
	}
	random := h.Random
	if random == nil {
		random = rand.Reader
	}
	salt := make([]byte, passwordSalt)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("gm: making a salt: %w", err)
	}
	hash, err := stretch(password, salt, iterations)
	if err != nil {
		return "", err
	}
	return encodePassword(iterations, salt, hash), nil
}

// Verify reports whether password made encoded, in constant time once the hash is computed. The work is that of the
// iterations in encoded; an encoding that Hash did not make is false at once.
func (h PasswordHasher) Verify(encoded, password string) bool {
	iterations, salt, want, ok := decodePassword(encoded)
	if !ok {
		return false
	}
	got, err := stretch(password, salt, iterations)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1
}

// Dummy returns a well-formed encoded hash that no password is known to make. Verifying against it costs what
// verifying one of Hash does, so that an unknown account takes as long to refuse as a wrong password.
func (h PasswordHasher) Dummy() string {
	iterations, err := h.iterations()
	if err != nil {
		iterations = DefaultIterations
	}
	return encodePassword(iterations, make([]byte, passwordSalt), make([]byte, sm3.Size))
}

func (h PasswordHasher) iterations() (int, error) {
	switch {
	case h.Iterations == 0:
		return DefaultIterations, nil
	case h.Iterations < 0 || h.Iterations > maxIterations:
		return 0, fmt.Errorf("%w: %d", ErrIterations, h.Iterations)
	}
	return h.Iterations, nil
}

func stretch(password string, salt []byte, iterations int) ([]byte, error) {
	hash, err := pbkdf2.Key(sm3.New, password, salt, iterations, sm3.Size)
	if err != nil {
		return nil, fmt.Errorf("gm: hashing a password: %w", err)
	}
	return hash, nil
}

func encodePassword(iterations int, salt, hash []byte) string {
	b64 := base64.RawStdEncoding
	return passwordPrefix + strconv.Itoa(iterations) + "$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(hash)
}

// decodePassword reads what encodePassword wrote and nothing else: one hash has one encoding.
func decodePassword(encoded string) (iterations int, salt, hash []byte, ok bool) {
	rest, ok := strings.CutPrefix(encoded, passwordPrefix)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return 0, nil, nil, false
	}
	iterations, err := strconv.Atoi(parts[0])
	if err != nil || iterations < 1 || iterations > maxIterations {
		return 0, nil, nil, false
	}
	b64 := base64.RawStdEncoding
	salt, saltErr := b64.DecodeString(parts[1])
	hash, hashErr := b64.DecodeString(parts[2])
	if saltErr != nil || hashErr != nil || len(salt) != passwordSalt || len(hash) != sm3.Size {
		return 0, nil, nil, false
	}
	return iterations, salt, hash, encodePassword(iterations, salt, hash) == encoded
}
