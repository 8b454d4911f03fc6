package registry

import (
	"bytes"
	"encoding/base64"
)

// Reseal gives back one sealed value under the key of now; changed says that it was under another. context is that of Vault.SealIdentity.
type Reseal func(context string, sealed []byte) (fresh []byte, changed bool, err error)

// ResealPlatform returns p with its identity numbers sealed anew, and how many were. p stays as it is.
func ResealPlatform(p *Platform, reseal Reseal) (*Platform, int, error) {
	next := *p
	next.Accounts = append([]Account(nil), p.Accounts...)
	next.Administrators = append([]Administrator(nil), p.Administrators...)
	n, err := resealPeople(&next, reseal)
	return &next, n, err
}

// ResealDeclaration is the same of what SealDeclaration wrote.
func ResealDeclaration(sealed []byte, reseal Reseal) ([]byte, int, error) {
	declared, err := OpenDeclaration(sealed)
	if err != nil {
		return nil, 0, err
	}
	before := make(map[string][]byte)
	n, err := resealPeople(declared, func(context string, old []byte) ([]byte, bool, error) {
		fresh, changed, err := reseal(context, old)
		if changed {
			before[string(old)] = fresh
		}
		return fresh, changed, err
	})
	if err != nil || n == 0 {
		return sealed, 0, err
	}
	// Only the sealed values are exchanged in the text, so that nothing else of it is written a second time.
	for old, fresh := range before {
		sealed = bytes.ReplaceAll(sealed, inJSON([]byte(old)), inJSON(fresh))
	}
	return sealed, n, nil
}

// inJSON is a value as encoding/json writes bytes.
func inJSON(b []byte) []byte { return []byte(`"` + base64.StdEncoding.EncodeToString(b) + `"`) }

func resealPeople(p *Platform, reseal Reseal) (n int, err error) {
	one := func(context string, sealed *[]byte) {
		if err != nil || len(*sealed) == 0 {
			return
		}
		var changed bool
		var fresh []byte
		if fresh, changed, err = reseal(context, *sealed); err == nil && changed {
			*sealed = fresh
			n++
		}
	}
	for i := range p.Accounts {
		one(p.Accounts[i].Account, &p.Accounts[i].IdentitySealed)
	}
	for i := range p.Administrators {
		one(administratorContext(p.Administrators[i].Administrator), &p.Administrators[i].IdentitySealed)
	}
	return n, err
}
