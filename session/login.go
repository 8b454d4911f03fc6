package session

import (
	"cmp"
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A token is frozen: the prefix, which carries the version, and 32 random bytes in unpadded base64url.
const (
	tokenPrefix = "lgs1_"
	tokenBytes  = 32
	idBytes     = 10
)

var (
	tokenEncoding = base64.RawURLEncoding.Strict()
	idEncoding    = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

// wellFormed reports whether token can be one of ours, so that rubbish never reaches the store.
func wellFormed(token string) bool {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(rest) != tokenEncoding.EncodedLen(tokenBytes) || strings.ContainsAny(rest, "\r\n") {
		return false
	}
	_, err := tokenEncoding.DecodeString(rest)
	return err == nil
}

// Login verifies all four credentials (taking the same work whichever is wrong) and opens a session.
// The token is 256 random bits, URL-safe, with a versioned prefix; it is not kept.
func (m *Manager) Login(ctx context.Context, c Credentials) (token string, s Session, err error) {
	c.Address = canonical(c.Address)
	locks := m.locks(c)
	if _, err := m.attempted(ctx, locks); err != nil {
		return "", Session{}, err
	}
	leave, err := m.enter(ctx)
	if err != nil {
		return "", Session{}, err
	}
	// Held until the outcome is counted, so that a burst gets no more guesses than the lock allows and one a core.
	defer leave()
	// Again, for what the others in the queue did meanwhile.
	attempted, err := m.attempted(ctx, locks)
	if err != nil {
		return "", Session{}, err
	}
	v, ok := m.verify(c)
	if !ok {
		if err := m.countFailure(ctx, locks); err != nil {
			return "", Session{}, err
		}
		return "", Session{}, ErrCredentials
	}
	if !v.app.allows(c.Address) {
		return "", Session{}, ErrAddress
	}
	if err := m.forget(ctx, locks, attempted); err != nil {
		return "", Session{}, err
	}
	token, s, err = m.open(ctx, c, v)
	if err != nil {
		return "", Session{}, err
	}
	// Credentials may have been changed, and the sessions under the old ones ended, while this login was judged by them.
	if !m.stillHolds(c, v) {
		if err := m.Store.Delete(ctx, m.Digest([]byte(token))); err != nil && !errors.Is(err, ErrNoSession) {
			return "", Session{}, fmt.Errorf("session: ending a session: %w", err)
		}
		return "", Session{}, ErrCredentials
	}
	if m.NoteSecret != nil {
		m.NoteSecret(ctx, c.AppKey, v.secret, s.Created)
	}
	return token, s, nil
}

// verified is what a login was judged by.
type verified struct {
	app        Application
	account    Account
	secret     string // hash of the one that matched
	department string // to act for
}

// verify checks everything, whatever is found wrong first: neither the answer nor its time says what it was.
func (m *Manager) verify(c Credentials) (v verified, ok bool) {
	app, appKnown := m.Directory.Application(c.AppKey)
	account, accountKnown := m.Directory.Account(c.Account)
	if !appKnown {
		app = Application{}
	}
	passwordHash := account.PasswordHash
	// Also for an account without a password: nothing makes the dummy.
	if dummy := m.Verifier.DummyHash(); !accountKnown || passwordHash == "" {
		passwordHash = dummy
	}
	secret := m.matching(app.Secrets, c)
	passwordRight := m.Verifier.VerifyPassword(passwordHash, c.Password)

	department := cmp.Or(c.OrgCode, account.Department)
	departmentKnown := m.Directory.DepartmentExists(department)
	administers := m.Directory.Administers(c.Account, department)

	ok = appKnown && accountKnown && secret != "" && passwordRight && departmentKnown &&
		(c.OrgCode == "" || administers) && !app.Disabled && !account.Disabled
	return verified{app, account, secret, department}, ok
}

// leastSecrets is how many secrets each login is checked against at least, so that an unknown application takes as long as one
// whose secret is being replaced.
const leastSecrets = 2

// matching returns the hash of the secret that c has and that has not ended, "" when it has none. All are checked, and those
// that ended too: time does not say which it was.
func (m *Manager) matching(secrets []Secret, c Credentials) string {
	now, found := m.now(), ""
	for _, s := range secrets {
		if right := m.Verifier.VerifySecret(c.AppKey, s.Hash, c.AppSecret); right && s.good(now) && found == "" {
			found = s.Hash
		}
	}
	for range leastSecrets - len(secrets) {
		m.Verifier.VerifySecret(c.AppKey, "", c.AppSecret)
	}
	return found
}

// stillHolds reports whether the registry has not taken back what a login was judged by.
func (m *Manager) stillHolds(c Credentials, v verified) bool {
	app, _ := m.Directory.Application(c.AppKey)
	account, _ := m.Directory.Account(c.Account)
	return app.accepts(v.secret, m.now()) && account.PasswordHash == v.account.PasswordHash && !app.Disabled && !account.Disabled
}

// open keeps a new session and returns its token.
func (m *Manager) open(ctx context.Context, c Credentials, v verified) (string, Session, error) {
	random, err := m.random(tokenBytes + idBytes)
	if err != nil {
		return "", Session{}, err
	}
	token := tokenPrefix + tokenEncoding.EncodeToString(random[:tokenBytes])
	now := m.now()
	s := Session{
		ID:     idEncoding.EncodeToString(random[tokenBytes:]),
		AppKey: c.AppKey, Account: c.Account, Department: v.department, ByOrgCode: c.OrgCode != "",
		Created: now, LastSeen: now, Expires: now.Add(cmp.Or(m.Absolute, defaultAbsolute)),
	}
	if c.Address.IsValid() {
		s.Address = c.Address.String()
	}
	digest := m.Digest([]byte(token))
	s.Credential = m.credential(digest, s, v.secret, v.account.PasswordHash)
	if err := m.Store.Insert(ctx, digest, s); err != nil {
		return "", Session{}, fmt.Errorf("session: opening a session: %w", err)
	}
	return token, s, nil
}

// A lock is a key that failures are counted under, and the first delay.
type lock struct {
	key  []byte
	base time.Duration
}

// locks returns the locks of a login: its account name, known or not, and its address. The prefixes keep the two, and
// tokens, apart under one digest. Callers without an address (at a socket) share none: one of them could lock out all others.
func (m *Manager) locks(c Credentials) []lock {
	locks := []lock{{m.accountKey(c.Account), cmp.Or(m.AccountLock, defaultAccountLock)}}
	if c.Address.IsValid() {
		locks = append(locks, lock{m.addressKey(c.Address), cmp.Or(m.AddressLock, defaultAddressLock)})
	}
	return locks
}

// credential binds a session to the stored secret and password that opened it, and to its own row: what somebody copies from another's
// row, or changes in the store, opens nothing. The last use alone may change. No name has a NUL in it.
func (m *Manager) credential(digest []byte, s Session, secretHash, passwordHash string) string {
	return hex.EncodeToString(m.Digest([]byte(strings.Join([]string{
		"credential", hex.EncodeToString(digest), s.ID, s.AppKey, s.Account, s.Department, strconv.FormatBool(s.ByOrgCode), s.Address,
		strconv.FormatInt(s.Created.UnixMilli(), 10), strconv.FormatInt(s.Expires.UnixMilli(), 10), secretHash, passwordHash,
	}, "\x00"))))
}

func (m *Manager) accountKey(name string) []byte { return m.Digest([]byte("account\x00" + name)) }

// addressKey wants the form of canonical.
func (m *Manager) addressKey(address netip.Addr) []byte {
	return m.Digest([]byte("address\x00" + lockedAddress(address)))
}

// lockedAddress is what failures from an address count for: IPv6 by /64, since a single host commonly has that many.
func lockedAddress(address netip.Addr) string {
	if address.Is6() {
		return netip.PrefixFrom(address, 64).Masked().String()
	}
	return address.String()
}

// CountsAsOne reports whether failures from every address of a prefix are counted together.
func CountsAsOne(prefix netip.Prefix) bool {
	if prefix.Addr().Is6() {
		return prefix.Bits() >= 64
	}
	return prefix.IsSingleIP()
}

// attempted returns the failures counted under locks, and is a LockedError while one of them holds.
func (m *Manager) attempted(ctx context.Context, locks []lock) ([]Attempt, error) {
	now := m.now()
	var counted []Attempt
	var until time.Time
	for _, l := range locks {
		a, err := m.Store.Attempt(ctx, l.key)
		if err != nil {
			return nil, fmt.Errorf("session: reading login failures: %w", err)
		}
		counted = append(counted, a)
		if a.Until.After(until) {
			until = a.Until
		}
	}
	if now.Before(until) {
		return nil, &LockedError{Until: until}
	}
	return counted, nil
}

func (m *Manager) countFailure(ctx context.Context, locks []lock) error {
	now := m.now()
	var errs []error
	for _, l := range locks {
		_, err := m.Store.Fail(ctx, l.key, now, cmp.Or(m.Failures, defaultFailures), l.base, cmp.Or(m.MaxLock, defaultMaxLock))
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("session: counting a login failure: %w", err)
	}
	return nil
}

// forget drops what a login had failed before it succeeded. The address is forgiven only what this account failed there: a
// guesser who owns an account could otherwise wipe the trace of his guesses at others by logging in.
func (m *Manager) forget(ctx context.Context, locks []lock, counted []Attempt) error {
	for i, l := range locks {
		if counted[i] == (Attempt{}) {
			continue
		}
		if err := m.Store.Clear(ctx, l.key); err != nil {
			return fmt.Errorf("session: clearing login failures: %w", err)
		}
	}
	if len(locks) < 2 {
		return nil
	}
	account, address := counted[0], counted[1]
	for range address.Failures - account.Failures {
		if err := m.countFailure(ctx, locks[1:]); err != nil {
			return err
		}
	}
	return nil
}

// Forgive forgets the failed logins of an account name, and of an address (IPv6: of its /64), and unlocks them: an administrator
// knows what happened. An empty name and an invalid address are passed over. Nobody's failures are no error. What comes back is what there
// was to forgive.
func (m *Manager) Forgive(ctx context.Context, account string, address netip.Addr) (Forgiven, error) {
	var keys [][]byte
	if account != "" {
		keys = append(keys, m.accountKey(account))
	}
	if address.IsValid() {
		keys = append(keys, m.addressKey(canonical(address)))
	}
	var was Forgiven
	var errs []error
	for _, key := range keys {
		a, err := m.Store.Attempt(ctx, key)
		was.Failures = was.Failures || a != (Attempt{})
		was.Locked = was.Locked || m.now().Before(a.Until)
		errs = append(errs, err, m.Store.Clear(ctx, key))
	}
	if err := errors.Join(errs...); err != nil {
		return was, fmt.Errorf("session: clearing login failures: %w", err)
	}
	return was, nil
}

// Forgiven says what stood against who is forgiven.
type Forgiven struct {
	Failures bool // failed logins were counted
	Locked   bool // they locked
}
