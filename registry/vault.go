package registry

import (
	"bytes"
	"fmt"
)

// Vault hashes and seals what the registry may not keep in clear. The caller supplies it, so that this package
// needs no cryptography of its own.
type Vault interface {
	HashSecret(appKey, secret string) string
	VerifySecret(appKey, hash, secret string) bool
	HashPassword(password string) (string, error)
	VerifyPassword(hash, password string) bool
	// SealIdentity seals an identity number for one account, or for "administrator/" and the name of an administrator.
	SealIdentity(account, identityNum string) ([]byte, error)
	OpenIdentity(account string, sealed []byte) (string, error)
	// Generate returns a fresh random secret of at least 128 bits, printable, fit as a password (GB/T 22239: three classes).
	Generate() (string, error)
}

// administratorContext keeps an administrator's sealed identity number apart from that of an account of the same name: no account has a
// slash in its name.
func administratorContext(name string) string { return "administrator/" + name }

// Each function here turns what a declaration says of one object into what is kept: a value in clear into a hash or a sealed value,
// unless it is the stored one; else the hash or sealed value that the declaration holds already (OpenDeclaration); else nothing.

func secretToKeep(v Vault, declared *Application, stored string) string {
	switch {
	case declared.Secret == "":
		return declared.SecretHash
	case stored != "" && v.VerifySecret(declared.AppKey, stored, declared.Secret):
		return stored
	}
	return v.HashSecret(declared.AppKey, declared.Secret)
}

// passwordToKeep is of the person that context names in errors.
func passwordToKeep(v Vault, context, password, hash, stored string) (string, error) {
	switch {
	case password == "":
		return hash, nil
	case stored != "" && v.VerifyPassword(stored, password):
		return stored, nil
	}
	hash, err := v.HashPassword(password)
	if err != nil {
		return "", fmt.Errorf("registry: hash the password of %s: %w", context, err)
	}
	return hash, nil
}

// identityToKeep compares numbers, not sealed values: each sealing of a number is another.
func identityToKeep(v Vault, context, num string, sealed, stored []byte) ([]byte, error) {
	inClear := num != ""
	if !inClear {
		if len(sealed) == 0 || bytes.Equal(sealed, stored) {
			return sealed, nil
		}
		opened, err := openIdentity(v, context, sealed)
		if err != nil {
			return nil, err
		}
		num = opened
	}
	if len(stored) > 0 {
		before, err := openIdentity(v, context, stored)
		if err != nil {
			return nil, err
		}
		if before == num {
			return stored, nil
		}
	}
	if !inClear {
		return sealed, nil
	}
	sealed, err := v.SealIdentity(context, num)
	if err != nil {
		return nil, fmt.Errorf("registry: seal the identity number of %s: %w", context, err)
	}
	return sealed, nil
}

func openIdentity(v Vault, context string, sealed []byte) (string, error) {
	num, err := v.OpenIdentity(context, sealed)
	if err != nil {
		return "", fmt.Errorf("registry: open the sealed identity number of %s: %w", context, err)
	}
	return num, nil
}
