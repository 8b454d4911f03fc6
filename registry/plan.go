package registry

import (
	"fmt"
	"slices"
	"time"
)

// Vault hashes and seals what the registry may not keep in clear. The caller supplies it, so that this package
// needs no cryptography of its own.
type Vault interface {
	HashSecret(appKey, secret string) string
	VerifySecret(appKey, hash, secret string) bool
	HashPassword(password string) (string, error)
	VerifyPassword(hash, password string) bool
	SealIdentity(account, identityNum string) ([]byte, error)
	OpenIdentity(account string, sealed []byte) (string, error)
	// Generate returns a fresh random secret of at least 128 bits, printable, fit as a password (GB/T 22239: three classes).
	Generate() (string, error)
}

// A Generated credential is shown once to who applied the file.
type Generated struct {
	Kind  string `json:"kind"` // app_secret, password
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Planned is what applying a declaration would do.
type Planned struct {
	// Next is the platform to keep: no secret, password or identity number in clear.
	Next      *Platform   `json:"-"`
	Changes   []Change    `json:"changes"` // in a stable order; empty: nothing to do
	Generated []Generated `json:"generated,omitempty"`
}

// beijing is the time zone of all times shown. China keeps no summer time.
var beijing = time.FixedZone("CST", 8*60*60)

// timeLayout is the written form of times (domain.md §1).
const timeLayout = "2006-01-02 15:04:05.000"

// Plan lays declared over current: sections absent from declared stay, present ones are the whole truth. Secrets
// and passwords that verify against the stored hash are no change; omitted ones keep the stored hash, or are
// generated for a new object. by and now become creator and times of accounts that change.
// The result has passed Check.
//
// An omitted identity number keeps the stored one. A nil current is an empty platform. The error is a Problems where
// the declaration is at fault, else it is the vault's.
func Plan(current, declared *Platform, vault Vault, by string, now time.Time) (*Planned, error) {
	if current == nil {
		current = &Platform{}
	}
	next := overlay(current, declared)
	if err := Check(next); err != nil {
		return nil, err
	}
	next.file = nil
	p := planner{vault: vault, by: by, now: now.In(beijing).Format(timeLayout)}
	if declared.Applications != nil {
		if err := p.applications(current.Applications, next.Applications); err != nil {
			return nil, err
		}
	}
	if declared.Accounts != nil {
		if err := p.accounts(current.Accounts, next.Accounts); err != nil {
			return nil, err
		}
	}
	return &Planned{Next: next, Changes: difference(current, next), Generated: p.generated}, nil
}

// A planner turns what a file holds in clear into what is kept.
type planner struct {
	vault     Vault
	by, now   string
	generated []Generated
}

// applications hashes the secrets of next, keeps the hash where the secret is the stored one, and generates what is missing.
func (p *planner) applications(current, next []Application) error {
	before := keyed(current, applicationKey)
	for i := range next {
		a := &next[i]
		secret := a.Secret
		a.Secret, a.SecretHash = "", ""
		if old := before[a.AppKey]; old != nil {
			a.SecretHash = old.SecretHash
			keepState(&a.Disabled, a.DisabledGiven, old.Disabled)
		}
		a.DisabledGiven = false
		switch {
		case secret == "" && a.SecretHash != "":
			continue
		case secret == "":
			made, err := p.generate("app_secret", a.AppKey)
			if err != nil {
				return err
			}
			secret = made
		case a.SecretHash != "" && p.vault.VerifySecret(a.AppKey, a.SecretHash, secret):
			continue
		}
		a.SecretHash = p.vault.HashSecret(a.AppKey, secret)
	}
	return nil
}

// accounts does the same for passwords, seals identity numbers, and notes who changed what when.
func (p *planner) accounts(current, next []Account) error {
	before := keyed(current, accountKey)
	for i := range next {
		a, old := &next[i], before[next[i].Account]
		if old != nil {
			keepState(&a.Disabled, a.DisabledGiven, old.Disabled)
		}
		a.DisabledGiven = false
		if err := p.password(a, old); err != nil {
			return err
		}
		if err := p.identity(a, old); err != nil {
			return err
		}
		if old == nil {
			a.Creator, a.CreationTime = p.by, p.now
			a.LastModificator, a.LastModificationTime = p.by, p.now
			continue
		}
		a.Creator, a.CreationTime = old.Creator, old.CreationTime
		a.LastModificator, a.LastModificationTime = old.LastModificator, old.LastModificationTime
		var d differ
		if d.account(old, a); len(d.changes) > 0 {
			a.LastModificator, a.LastModificationTime = p.by, p.now
		}
	}
	return nil
}

// keepState leaves an object disabled or enabled when the declaration does not say: whoever disabled it at run time must
// not be undone by a file that knows nothing of it.
func keepState(disabled *bool, given, was bool) {
	if !given {
		*disabled = was
	}
}

func (p *planner) password(a, old *Account) (err error) {
	password := a.Password
	a.Password, a.PasswordHash = "", ""
	if old != nil {
		a.PasswordHash = old.PasswordHash
	}
	switch {
	case password == "" && a.PasswordHash != "":
		return nil
	case password == "":
		if password, err = p.generate("password", a.Account); err != nil {
			return err
		}
	case a.PasswordHash != "" && p.vault.VerifyPassword(a.PasswordHash, password):
		return nil
	}
	if a.PasswordHash, err = p.vault.HashPassword(password); err != nil {
		return fmt.Errorf("registry: hash the password of account %s: %w", a.Account, err)
	}
	return nil
}

func (p *planner) identity(a, old *Account) (err error) {
	num := a.IdentityNum
	a.IdentityNum, a.IdentitySealed = "", nil
	if old != nil {
		a.IdentitySealed = old.IdentitySealed
	}
	if num == "" {
		return nil
	}
	if len(a.IdentitySealed) > 0 {
		stored, err := p.vault.OpenIdentity(a.Account, a.IdentitySealed)
		if err != nil {
			return fmt.Errorf("registry: open the sealed identity number of account %s: %w", a.Account, err)
		}
		if stored == num {
			return nil
		}
	}
	if a.IdentitySealed, err = p.vault.SealIdentity(a.Account, num); err != nil {
		return fmt.Errorf("registry: seal the identity number of account %s: %w", a.Account, err)
	}
	return nil
}

func (p *planner) generate(kind, key string) (string, error) {
	value, err := p.vault.Generate()
	if err != nil {
		return "", fmt.Errorf("registry: generate %s of %s: %w", kind, key, err)
	}
	p.generated = append(p.generated, Generated{Kind: kind, Key: key, Value: value})
	return value, nil
}

// overlay returns current with the sections of declared in place of its own. It shares no section with either.
func overlay(current, declared *Platform) *Platform {
	return &Platform{
		Departments:  slices.Clone(present(declared.Departments, current.Departments)),
		Items:        slices.Clone(present(declared.Items, current.Items)),
		ServiceItems: slices.Clone(present(declared.ServiceItems, current.ServiceItems)),
		Applications: slices.Clone(present(declared.Applications, current.Applications)),
		Accounts:     slices.Clone(present(declared.Accounts, current.Accounts)),
		Policy:       presentText(declared.Policy, current.Policy),
		file:         declared.file,
	}
}

func present[T any](declared, current []T) []T {
	if declared != nil {
		return declared
	}
	return current
}

func presentText(declared, current *string) *string {
	if declared != nil {
		return declared
	}
	return current
}
