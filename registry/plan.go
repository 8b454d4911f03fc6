package registry

import (
	"fmt"
	"slices"
	"time"

	"licgate/beijing"
)

// A Generated credential is shown once to who applied the file.
type Generated struct {
	Kind  string `json:"kind"` // app_secret, password (of an account), administrator_password
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

// Plan lays declared over current: sections absent from declared stay, present ones are the whole truth. Secrets
// and passwords that verify against the stored hash are no change; omitted ones keep the stored hash, or are
// generated for a new object. by and now become creator and times of what changes.
// The result has passed Check.
//
// An omitted identity number keeps the stored one; an administrator must have one, and no two the same. Where a declaration holds a
// hash or a sealed number and nothing in clear, that is kept (OpenDeclaration; Parse never makes one).
//
// Application.Rotate asks for a new secret beside which the stored one stays good for a time. A secret that changes without that ends
// the one before at once. A nil current is an empty platform. The error is a Problems where the declaration is at fault, else it is
// the vault's.
func Plan(current, declared *Platform, vault Vault, by string, now time.Time) (*Planned, error) {
	if current == nil {
		current = &Platform{}
	}
	next := overlay(current, declared)
	if err := Check(next); err != nil {
		return nil, err
	}
	p := planner{faults: &faults{file: next.file}, vault: vault, by: by, at: now, now: beijing.Millis(now)}
	next.file = nil
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
	if declared.Administrators != nil {
		if err := p.administrators(current.Administrators, next.Administrators); err != nil {
			return nil, err
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	// A secret that ended by itself is no change that anybody makes.
	before := *current
	before.Applications = unended(current.Applications, now)
	next.Applications = unended(next.Applications, now)
	return &Planned{Next: next, Changes: difference(&before, next), Generated: p.generated}, nil
}

// A planner turns what a file holds in clear into what is kept.
type planner struct {
	*faults
	vault     Vault
	by, now   string // as they are kept
	at        time.Time
	generated []Generated
}

// applications hashes the secrets of next, keeps the hash where the secret is the stored one, and generates what is missing.
func (p *planner) applications(current, next []Application) error {
	before := keyed(current, applicationKey)
	for i := range next {
		a, old := &next[i], before[next[i].AppKey]
		if old == nil {
			old = &Application{}
		} else {
			keepState(&a.Disabled, a.DisabledGiven, old.Disabled)
		}
		a.DisabledGiven = false
		if err := p.secret(a, old, p.object("applications", i, a.AppKey)); err != nil {
			return err
		}
	}
	return nil
}

// accounts does the same for passwords, seals identity numbers, and notes who changed what when.
func (p *planner) accounts(current, next []Account) error {
	before := keyed(current, accountKey)
	for i := range next {
		a, old := &next[i], before[next[i].Account]
		known := old != nil
		if known {
			keepState(&a.Disabled, a.DisabledGiven, old.Disabled)
		} else {
			old = &Account{Creator: p.by, CreationTime: p.now}
		}
		a.DisabledGiven = false
		var err error
		if a.PasswordHash, err = p.password("password", a.Account, a.Account, declaredPassword{a.Password, a.PasswordHash, a.Renew}, old.PasswordHash); err != nil {
			return err
		}
		if a.IdentitySealed, err = p.identity(a.Account, a.IdentityNum, a.IdentitySealed, old.IdentitySealed); err != nil {
			return err
		}
		a.Password, a.IdentityNum, a.Renew = "", "", false
		a.Creator, a.CreationTime = old.Creator, old.CreationTime
		a.LastModificator, a.LastModificationTime = old.LastModificator, old.LastModificationTime
		var d differ
		if d.account(old, a); !known || len(d.changes) > 0 {
			a.LastModificator, a.LastModificationTime = p.by, p.now
		}
	}
	return nil
}

// administrators does the same for those who administer, and sees to it that each is another person.
func (p *planner) administrators(current, next []Administrator) error {
	before := keyed(current, administratorKey)
	holders := map[string]string{}
	for i := range next {
		a, old := &next[i], before[next[i].Administrator]
		if old == nil {
			old = &Administrator{}
		} else {
			keepState(&a.Disabled, a.DisabledGiven, old.Disabled)
		}
		a.DisabledGiven = false
		context := administratorContext(a.Administrator)
		var err error
		if a.PasswordHash, err = p.password("administrator_password", a.Administrator, context, declaredPassword{a.Password, a.PasswordHash, a.Renew}, old.PasswordHash); err != nil {
			return err
		}
		if a.IdentitySealed, err = p.identity(context, a.IdentityNum, a.IdentitySealed, old.IdentitySealed); err != nil {
			return err
		}
		a.PasswordTime, a.PasswordGiven = old.PasswordTime, old.PasswordGiven
		if a.PasswordHash != old.PasswordHash {
			// Not by whom it is in force: an administrator may approve what somebody else chose for him.
			a.PasswordTime, a.PasswordGiven = p.now, !a.Own
		}
		a.Password, a.IdentityNum, a.Renew, a.Own = "", "", false, false
		if err := p.person(a, p.object("administrators", i, a.Administrator), holders); err != nil {
			return err
		}
	}
	return nil
}

// person notes a fault when nobody knows who an administrator is, or when it is one of holders (GB/T 22239 8.1.5: nobody holds two of
// the powers), which are names by identity number.
func (p *planner) person(a *Administrator, at string, holders map[string]string) error {
	if len(a.IdentitySealed) == 0 {
		p.want(at, "identity_num", "缺少公民身份号码，新增管理员必须填写，用以确认一人只担任一名管理员")
		return nil
	}
	num, err := openIdentity(p.vault, administratorContext(a.Administrator), a.IdentitySealed)
	if err != nil {
		return err
	}
	if other, met := holders[num]; met {
		p.want(at, "identity_num", "管理员 "+other+" 与 "+a.Administrator+" 的证件号码相同，一人只能担任一名管理员，请改正或删去一个")
		return nil
	}
	holders[num] = a.Administrator
	return nil
}

// keepState leaves an object disabled or enabled when the declaration does not say: whoever disabled it at run time must
// not be undone by a file that knows nothing of it.
func keepState(disabled *bool, given, was bool) {
	if !given {
		*disabled = was
	}
}

// declaredPassword is what a declaration says of a password: in clear, as a hash, to be renewed, or nothing.
type declaredPassword struct {
	password, hash string
	renew          bool
}

// password returns the hash to keep of the password of kind and key, or the hash of one that is generated.
func (p *planner) password(kind, key, context string, d declaredPassword, stored string) (string, error) {
	if !d.renew {
		hash, err := passwordToKeep(p.vault, context, d.password, d.hash, stored)
		if hash == "" {
			hash = stored
		}
		if err != nil || hash != "" {
			return hash, err
		}
	}
	password, err := p.generate(kind, key)
	if err != nil {
		return "", err
	}
	return passwordToKeep(p.vault, context, password, "", "")
}

// identity returns the sealed identity number to keep; nil when there is none.
func (p *planner) identity(context, num string, sealed, stored []byte) ([]byte, error) {
	sealed, err := identityToKeep(p.vault, context, num, sealed, stored)
	if len(sealed) == 0 {
		sealed = stored
	}
	return sealed, err
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

		Administrators: slices.Clone(present(declared.Administrators, current.Administrators)),

		Masking: slices.Clone(present(declared.Masking, current.Masking)),

		Policy: presentText(declared.Policy, current.Policy),
		file:   declared.file,
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
