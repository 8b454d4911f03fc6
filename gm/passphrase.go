package gm

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// Errors of passphrases.
var (
	// ErrPassphrase says that a passphrase is not the one that the key-encryption key was made of.
	ErrPassphrase = errors.New("gm: wrong passphrase")
	// ErrPassphraseShort says that a passphrase has less than 12 characters.
	ErrPassphraseShort = errors.New("gm: passphrase of less than 12 characters")
)

const (
	// DefaultPassphraseIterations of PBKDF2: half a second at start, of one 2020s server core.
	DefaultPassphraseIterations = 1_000_000
	// minPassphrase is the least length, in characters.
	minPassphrase = 12
	// maxPassphrase is the greatest length, in bytes.
	maxPassphrase = 4096
	passphraseKDF = "pbkdf2-hmac-sm3"
)

// storedPassphrase is the file of a key-encryption key that a passphrase makes, version 1: how, not the key. The id tells a wrong
// passphrase from damaged keys; it helps a guesser no more than any wrapped key does.
type storedPassphrase struct {
	Version    int    `json:"version"`
	KDF        string `json:"kdf"`
	Iterations int    `json:"iterations"`
	Salt       []byte `json:"salt"` // base64, 16 bytes
	ID         string `json:"id"`   // of the key, as that of a root key
}

// PassphraseWrapper wraps keys under one that passphrase makes by PBKDF2-HMAC-SM3 (RFC 8018). How is kept in the file at path, mode
// 0600, which is made when missing: then the passphrase given is the one from then on. passphrase is called once; what it returns is
// erased. PassphraseFile and PassphraseFD give one; it never comes from the command line or an environment variable, which other
// processes can read. iterations for a new file, 0: DefaultPassphraseIterations. random is crypto/rand when nil.
func PassphraseWrapper(path string, passphrase func() ([]byte, error), iterations int, random io.Reader) (KeyWrapper, error) {
	if random == nil {
		random = rand.Reader
	}
	if iterations == 0 {
		iterations = DefaultPassphraseIterations
	}
	if iterations < 1 || iterations > maxIterations {
		return nil, fmt.Errorf("%w: %d", ErrIterations, iterations)
	}
	phrase, err := passphrase()
	defer clear(phrase)
	if err != nil {
		return nil, fmt.Errorf("gm: getting the passphrase: %w", err)
	}
	if utf8.RuneCount(phrase) < minPassphrase {
		return nil, ErrPassphraseShort
	}
	content, err := KeyFile(path, func() ([]byte, error) { return newPassphraseFile(phrase, iterations, random) })
	if err != nil {
		return nil, err
	}
	stored, err := parsePassphrase(content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	root, err := stretch(string(phrase), stored.Salt, stored.Iterations)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	id, err := rootID(root)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(id), []byte(stored.ID)) != 1 {
		return nil, ErrPassphrase
	}
	return newFileKEK("passphrase", root, random)
}

func newPassphraseFile(phrase []byte, iterations int, random io.Reader) ([]byte, error) {
	salt := make([]byte, passwordSalt)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("gm: making a salt: %w", err)
	}
	root, err := stretch(string(phrase), salt, iterations)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	id, err := rootID(root)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(storedPassphrase{Version: 1, KDF: passphraseKDF, Iterations: iterations, Salt: salt, ID: id})
	if err != nil {
		return nil, fmt.Errorf("gm: writing how a passphrase makes a key: %w", err)
	}
	return append(content, '\n'), nil
}

// parsePassphrase reads what newPassphraseFile wrote and nothing else.
func parsePassphrase(content []byte) (storedPassphrase, error) {
	var stored storedPassphrase
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&stored) != nil {
		return stored, fmt.Errorf("%w: not the JSON of a passphrase's key", ErrKeyring)
	}
	if again, err := json.Marshal(stored); err != nil || !bytes.Equal(append(again, '\n'), content) {
		return stored, fmt.Errorf("%w: in another form than it was written", ErrKeyring)
	}
	if stored.Version != 1 || stored.KDF != passphraseKDF {
		return stored, fmt.Errorf("%w: version %d, want 1 by %s", ErrKeyring, stored.Version, passphraseKDF)
	}
	if stored.Iterations < 1 || stored.Iterations > maxIterations || len(stored.Salt) != passwordSalt || len(stored.ID) != 2*rootIDSize {
		return stored, fmt.Errorf("%w: parameters out of range", ErrKeyring)
	}
	return stored, nil
}

// PassphraseFile reads a passphrase from a file of mode 0600, without the line break at its end.
func PassphraseFile(path string) func() ([]byte, error) {
	return func() ([]byte, error) {
		content, err := ReadKeyFile(path)
		if err != nil {
			return nil, err
		}
		return phraseOf(content)
	}
}

// PassphraseFD reads a passphrase from an open file descriptor, as systemd or a shell passes one, to its end, and closes it.
func PassphraseFD(fd uintptr) func() ([]byte, error) {
	return func() ([]byte, error) {
		f := os.NewFile(fd, filepath.Join("fd", fmt.Sprint(fd)))
		if f == nil {
			return nil, fmt.Errorf("gm: file descriptor %d is not open", fd)
		}
		content, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
		if err = errors.Join(err, f.Close()); err != nil {
			clear(content)
			return nil, fmt.Errorf("gm: reading file descriptor %d: %w", fd, err)
		}
		return phraseOf(content)
	}
}

func phraseOf(content []byte) ([]byte, error) {
	if len(content) > maxPassphrase {
		clear(content)
		return nil, fmt.Errorf("gm: passphrase of more than %d bytes", maxPassphrase)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r")), nil
}

// ErrDirectSecret says that an environment variable that must name a file holds something else.
var ErrDirectSecret = errors.New("the variable must hold the absolute path of a file of mode 0600; a key or passphrase itself " +
	"does not belong in the environment, where other processes and dumps show it")

// EnvFile returns the path that the environment variable of this name holds: of a key file for FileWrapper, or of a
// PassphraseFile. Anything but an absolute path of a file that is there is ErrDirectSecret, and never repeated.
func EnvFile(name string) (string, error) {
	path, ok := os.LookupEnv(name)
	if !ok || path == "" {
		return "", fmt.Errorf("gm: environment variable %s is not set", name)
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("gm: environment variable %s: %w", name, ErrDirectSecret)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("gm: environment variable %s: %w", name, ErrDirectSecret)
	}
	return path, nil
}
