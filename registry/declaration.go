package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Versions of the bytes of SealDeclaration. They are frozen: a change is a new version beside these. One with faces is of version 2.
const (
	declarationVersion = 1
	declarationOfFaces = 2
)

// sealedDeclaration is what SealDeclaration writes: an absent section is left out, an empty one is []. Members stand in this order.
type sealedDeclaration struct {
	V              int                   `json:"v"`
	Departments    []Department          `json:"departments,omitzero"`
	Items          []Item                `json:"items,omitzero"`
	ServiceItems   []ServiceItem         `json:"service_items,omitzero"`
	Applications   []sealedApplication   `json:"applications,omitzero"`
	Accounts       []sealedAccount       `json:"accounts,omitzero"`
	Administrators []sealedAdministrator `json:"administrators,omitzero"`
	Masking        []MaskRule            `json:"masking,omitzero"`
	Policy         *string               `json:"policy,omitempty"`
}

// What JSON of a stored object lacks, a declaration has.
type sealedApplication struct {
	Application
	DisabledGiven bool `json:"disabled_given,omitempty"`
	Renew         bool `json:"renew,omitempty"`
}

type sealedAccount struct {
	Account
	DisabledGiven bool `json:"disabled_given,omitempty"`
	Renew         bool `json:"renew,omitempty"`
}

type sealedAdministrator struct {
	Administrator
	DisabledGiven bool `json:"disabled_given,omitempty"`
	Renew         bool `json:"renew,omitempty"`
}

// SealDeclaration writes a declaration so that it can wait for approval: with hashes in place of secrets and passwords, and sealed
// identity numbers. Whatever is the value that current has keeps the hash or sealed value of current, so that it is no change.
// Plan makes the same of OpenDeclaration of it as of declared; what is missing is generated then. Names of persons stay in clear.
//
// declared must have the form that Parse asks for. A nil current is an empty platform. The error is the vault's.
func SealDeclaration(declared, current *Platform, v Vault) ([]byte, error) {
	if current == nil {
		current = &Platform{}
	}
	sealed := sealedDeclaration{
		V: versionOf(declared.Items), Departments: declared.Departments, Items: declared.Items, ServiceItems: declared.ServiceItems,
		Masking: declared.Masking, Policy: declared.Policy,
	}
	var err error
	if sealed.Applications, err = each(declared.Applications, current.Applications, applicationKey, v, sealApplication); err != nil {
		return nil, err
	}
	if sealed.Accounts, err = each(declared.Accounts, current.Accounts, accountKey, v, sealAccount); err != nil {
		return nil, err
	}
	if sealed.Administrators, err = each(declared.Administrators, current.Administrators, administratorKey, v, sealAdministrator); err != nil {
		return nil, err
	}
	return sealed.encode()
}

// each seals a section; a nil one stays nil.
func each[T, S any](declared, current []T, key func(*T) string, v Vault, seal func(v Vault, one, old T) (S, error)) ([]S, error) {
	if declared == nil {
		return nil, nil
	}
	before := keyed(current, key)
	all := make([]S, len(declared))
	for i := range declared {
		var old T
		if known := before[key(&declared[i])]; known != nil {
			old = *known
		}
		var err error
		if all[i], err = seal(v, declared[i], old); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// A hash or sealed value that a declaration copied from current says nothing, and is left out: a reset until the approval must not be
// undone. So are times and names of who changed what, which Plan lays down.

func sealApplication(v Vault, a, old Application) (sealedApplication, error) {
	hash := secretToKeep(v, &a, old.SecretHash)
	var until time.Time
	switch {
	case rotates(&a, &old):
		until = a.PreviousUntil.UTC()
	case a.Secret == "" && hash == old.SecretHash:
		hash = ""
	}
	a.Secret, a.SecretHash, a.SecretTime, a.PreviousHash, a.PreviousUntil = "", hash, "", "", until
	return sealedApplication{a, a.DisabledGiven, a.Renew}, nil
}

func sealAccount(v Vault, a, old Account) (sealedAccount, error) {
	p, err := sealPerson(v, a.Account, person{a.Password, a.PasswordHash, a.IdentityNum, a.IdentitySealed}, old.PasswordHash, old.IdentitySealed)
	a.Password, a.PasswordHash, a.IdentityNum, a.IdentitySealed = "", p.hash, "", p.sealed
	a.Creator, a.CreationTime, a.LastModificator, a.LastModificationTime = "", "", "", ""
	return sealedAccount{a, a.DisabledGiven, a.Renew}, err
}

func sealAdministrator(v Vault, a, old Administrator) (sealedAdministrator, error) {
	context := administratorContext(a.Administrator)
	p, err := sealPerson(v, context, person{a.Password, a.PasswordHash, a.IdentityNum, a.IdentitySealed}, old.PasswordHash, old.IdentitySealed)
	a.Password, a.PasswordHash, a.IdentityNum, a.IdentitySealed = "", p.hash, "", p.sealed
	a.PasswordTime, a.PasswordGiven = "", false
	return sealedAdministrator{a, a.DisabledGiven, a.Renew}, err
}

// A person is what accounts and administrators have in common, in clear and as it is kept.
type person struct {
	password, hash string
	num            string
	sealed         []byte
}

func sealPerson(v Vault, context string, p person, hash string, sealed []byte) (person, error) {
	var kept person
	var err error
	if kept.hash, err = passwordToKeep(v, context, p.password, p.hash, hash); err != nil {
		return person{}, err
	}
	if p.password == "" && kept.hash == hash {
		kept.hash = ""
	}
	if kept.sealed, err = identityToKeep(v, context, p.num, p.sealed, sealed); err != nil {
		return person{}, err
	}
	if p.num == "" && bytes.Equal(kept.sealed, sealed) {
		kept.sealed = nil
	}
	return kept, nil
}

// versionOf is the version of the bytes of a declaration with items.
func versionOf(items []Item) int {
	if slices.ContainsFunc(items, func(i Item) bool { return len(i.Faces) > 0 }) {
		return declarationOfFaces
	}
	return declarationVersion
}

func (s *sealedDeclaration) encode() ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("registry: write declaration: %w", err)
	}
	return text, nil
}

// ErrDeclaration says that bytes are not what SealDeclaration writes, or of another version.
var ErrDeclaration = errors.New("registry: not a sealed declaration of a known version")

// OpenDeclaration reads what SealDeclaration wrote, as it was written: no other member, order or blank. The declaration holds hashes and
// sealed numbers in place of what was in clear; it comes of no file, so that faults of it have no line. The error is ErrDeclaration.
func OpenDeclaration(sealed []byte) (*Platform, error) {
	var s sealedDeclaration
	// What the library says of a fault may repeat a value.
	if err := json.Unmarshal(sealed, &s); err != nil || s.V != versionOf(s.Items) {
		return nil, ErrDeclaration
	}
	if again, err := s.encode(); err != nil || !bytes.Equal(again, sealed) {
		return nil, ErrDeclaration
	}
	return &Platform{
		Departments: s.Departments, Items: s.Items, ServiceItems: s.ServiceItems, Masking: s.Masking, Policy: s.Policy,
		Applications: opened(s.Applications, func(a sealedApplication) Application {
			a.Application.DisabledGiven, a.Application.Renew = a.DisabledGiven, a.Renew
			return a.Application
		}),
		Accounts: opened(s.Accounts, func(a sealedAccount) Account {
			a.Account.DisabledGiven, a.Account.Renew = a.DisabledGiven, a.Renew
			return a.Account
		}),
		Administrators: opened(s.Administrators, func(a sealedAdministrator) Administrator {
			a.Administrator.DisabledGiven, a.Administrator.Renew = a.DisabledGiven, a.Renew
			return a.Administrator
		}),
	}, nil
}

// opened opens a section; a nil one stays nil.
func opened[S, T any](sealed []S, open func(S) T) []T {
	if sealed == nil {
		return nil
	}
	all := make([]T, len(sealed))
	for i, one := range sealed {
		all[i] = open(one)
	}
	return all
}
