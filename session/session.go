package session

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Session is a logged-in application and account.
type Session struct {
	ID         string    `json:"id"` // names the session in records; not the token and not derivable to it
	AppKey     string    `json:"app_key"`
	Account    string    `json:"account"`
	Department string    `json:"department"` // acting department: the account's, or org_code's
	ByOrgCode  bool      `json:"by_org_code"`
	Address    string    `json:"address"` // where it logged in from
	Created    time.Time `json:"created"`
	LastSeen   time.Time `json:"last_seen"`
	Expires    time.Time `json:"expires"` // absolute
	// Credential is a keyed digest of the stored secret and password that opened the session, and of all above but LastSeen: it ends with
	// either of them, and a row that was altered or copied is no session.
	Credential string `json:"-"`
}

// Application and Account are what login needs to know of the registry.
type Application struct {
	AppKey   string
	Secrets  []Secret       // each of them logs in; several while one replaces another
	IPAllow  []netip.Prefix // empty: anywhere
	Disabled bool
}

// Secret is an app_secret at rest.
type Secret struct {
	Hash  string
	Until time.Time // when it ends; zero: never
}

func (s Secret) good(now time.Time) bool { return s.Until.IsZero() || now.Before(s.Until) }

// accepts reports whether the secret of hash logs in at now.
func (a Application) accepts(hash string, now time.Time) bool {
	return slices.ContainsFunc(a.Secrets, func(s Secret) bool { return s.Hash == hash && s.good(now) })
}

// allows reports whether the application may call from address, which is in the form of canonical.
func (a Application) allows(address netip.Addr) bool {
	return len(a.IPAllow) == 0 ||
		slices.ContainsFunc(a.IPAllow, func(p netip.Prefix) bool { return p.Contains(address) })
}

// canonical returns address in the one form that is compared and kept: IPv4 as such, no zone.
func canonical(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

// Account is a person's account as login needs it.
type Account struct {
	Account, Department, PasswordHash string
	Disabled                          bool
}

// Directory looks up the current registry and policy. Implemented by the wiring.
type Directory interface {
	Application(appKey string) (Application, bool)
	Account(name string) (Account, bool)
	DepartmentExists(code string) bool
	// Administers reports whether account may act for department as its administrator.
	Administers(account, department string) bool
}

// Verifier checks secrets; it and the digests come from gm.
type Verifier interface {
	// VerifySecret checks an app_secret; hash is empty for an unknown application: the same work, and false.
	VerifySecret(appKey, hash, secret string) bool
	VerifyPassword(hash, password string) bool
	// DummyHash returns a password hash that no password makes and that costs VerifyPassword what a real one does.
	DummyHash() string
}

// Errors of this package. ErrNoSession covers missing, unknown, expired and revoked alike; ErrCredentials covers all
// four credentials, a disabled application or account and a foreign org_code alike; ErrAddress says that all else was
// right; a LockedError carries a time. Any other error means that the store failed: it is never "no session".
var (
	ErrNoSession   = errors.New("session: no such session")
	ErrCredentials = errors.New("session: credentials refused")
	ErrAddress     = errors.New("session: address not allowed for the application")
)

// LockedError says until when a login for this account name or from this address is refused.
type LockedError struct{ Until time.Time }

func (e *LockedError) Error() string { return "session: locked" }

// Credentials are the members of a login (table 1) and where it came from.
type Credentials struct {
	AppKey, AppSecret, Account, Password, OrgCode string
	Address                                       netip.Addr
}

// Format hides the secrets: no verb prints a password.
func (c Credentials) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "session.Credentials(hidden)")
}
