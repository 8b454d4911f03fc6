package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"licgate/beijing"
	"licgate/gm"
	"licgate/registry"
	"licgate/session"
)

// A power is what a call of the admin API needs (GB/T 22239 8.1.5: three separated powers).
type power string

const (
	powerNone     power = ""                    // whoever reaches the endpoint: health, log in
	powerAny      power = "any"                 // any administrator
	powerSystem   power = registry.RoleSystem   // 系统管理员
	powerSecurity power = registry.RoleSecurity // 安全管理员
	powerAudit    power = registry.RoleAudit    // 审计管理员
)

var powerNames = map[power]string{powerAny: "任一管理员", powerSystem: "系统管理员", powerSecurity: "安全管理员", powerAudit: "审计管理员"}

// administrator is who calls.
type administrator struct {
	name string // "" while nobody is declared, and for callers that did not log in
	role power
	// whole says that the powers are not separated yet: whoever reaches the endpoint holds all of them.
	whole bool
	// claimed is whom the caller's system says it is, for the record.
	claimed string
}

// String names who calls in records and versions. Who did not log in is nobody's name but what the operating system is said to call him:
// no administrator's name has a colon.
func (w administrator) String() string {
	switch {
	case w.name != "":
		return w.name
	case w.claimed != "":
		return "os:" + shown(w.claimed)
	}
	return "os:unknown"
}

// may says whether who calls holds a power.
func (w administrator) may(p power) error {
	switch {
	case p == powerNone || w.whole || w.role == p || p == powerAny && w.role != "":
		return nil
	case w.role == "":
		return errLoginFirst
	}
	return adminError(http.StatusForbidden, "此操作须由%s执行，%s 是%s", powerNames[p], w.name, powerNames[w.role])
}

// still refuses a change of somebody who may not make it any more: hashing passwords takes minutes, in which the powers may have been
// separated, or he disabled.
func (w administrator) still(current *registry.Platform, c change) error {
	if w.whole && current.Enabled(registry.RoleSecurity) > 0 {
		return errLoginFirst
	}
	if w.name == "" {
		return nil
	}
	one := find(current.Administrators, func(a *registry.Administrator) bool { return a.Administrator == w.name })
	if one == nil || one.Disabled || c.own && one.PasswordHash != c.proved || !c.own && power(one.Role) != w.role {
		return errLoginOver
	}
	return nil
}

var errLoginFirst = adminError(http.StatusUnauthorized, "三员分立已启用，请先登录：licgate admin login 管理员名")

var errLoginOver = adminError(http.StatusUnauthorized, "管理员登录已失效，请重新登录：licgate admin login 管理员名")

// separated reports whether the powers are: from when on there is a security administrator who can act.
func (s *state) separated() bool { return s.registry.Platform().Enabled(registry.RoleSecurity) > 0 }

// adminApplication stands for the admin endpoint among sessions. No registered app_key can be it.
const adminApplication = "admin:console"

// adminAccount is the account name of an administrator among sessions and login failures: apart from every account's.
func adminAccount(name string) string { return "admin:" + name }

// identify finds out who calls: by client certificate (Caddy's remote admin endpoint), by the token of a login, or nobody.
func (a *App) identify(r *http.Request) (administrator, error) {
	st := a.gateway.state.Load()
	who := administrator{claimed: r.Header.Get("Licgate-Operator"), whole: !st.separated()}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		sum := sha256.Sum256(r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo)
		found, ok := st.registry.AdministratorByCertificate(hex.EncodeToString(sum[:]))
		if ok && !found.Disabled {
			who.name, who.role = found.Administrator, power(found.Role)
			return who, nil
		}
		if !who.whole {
			return who, adminError(http.StatusForbidden, "这张客户端证书没有登记给任何管理员")
		}
		return who, nil
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return who, nil
	}
	found, err := a.admins.Resolve(r.Context(), token, netip.Addr{})
	if errors.Is(err, session.ErrNoSession) {
		if who.whole {
			return who, nil // a token from before the powers were taken back
		}
		return who, errLoginOver
	}
	if err != nil {
		return administrator{claimed: who.claimed}, err
	}
	one, ok := st.registry.Administrator(strings.TrimPrefix(found.Account, adminAccount("")))
	if ok {
		who.name, who.role = one.Administrator, power(one.Role)
	}
	return who, nil
}

// Lives of an administrator's login.
const (
	adminLifetime = 8 * time.Hour
	adminIdle     = 15 * time.Minute // GB/T 22239 8.1.4: 10 to 30 minutes
	// adminPasswordLife is from when on a password must be changed (GB/T 22239 8.1.4).
	adminPasswordLife = 90 * 24 * time.Hour
)

// adminSessions are the same rules as for systems, lockout included, over the administrators.
func (a *App) adminSessions() *session.Manager {
	m := a.gateway.sessionManager(a)
	m.Directory, m.Verifier = administratorDirectory{a.gateway}, administratorVerifier{vault{a.gateway.keys}}
	m.Absolute, m.Idle, m.NoteSecret = adminLifetime, adminIdle, nil
	// Apart from those of systems: nobody at the public port may count failures for an administrator.
	m.Digest = func(b []byte) []byte {
		return a.gateway.keys.Digest(gm.PurposeToken, append([]byte("admin\x00"), b...))
	}
	return m
}

// administratorDirectory answers session's questions from the administrators. It knows one application, the endpoint itself.
type administratorDirectory struct{ g *gateway }

func (d administratorDirectory) Application(appKey string) (session.Application, bool) {
	return session.Application{AppKey: appKey, Secrets: []session.Secret{{Hash: adminApplication}}}, appKey == adminApplication
}

func (d administratorDirectory) Account(name string) (session.Account, bool) {
	name, ok := strings.CutPrefix(name, adminAccount(""))
	if !ok {
		return session.Account{}, false
	}
	one, ok := d.g.state.Load().registry.Administrator(name)
	if !ok {
		return session.Account{}, false
	}
	return session.Account{Account: adminAccount(name), PasswordHash: one.PasswordHash, Disabled: one.Disabled}, true
}

func (administratorDirectory) DepartmentExists(code string) bool { return code == "" }

func (administratorDirectory) Administers(string, string) bool { return false }

// administratorVerifier asks for no application secret: who logs in has reached the endpoint already.
type administratorVerifier struct{ vault }

func (administratorVerifier) VerifySecret(_, hash, _ string) bool { return hash == adminApplication }

// openSession opens a session of an administrator. Failures count for the name, and at the remote endpoint for the address too: those
// who come by the socket have none.
func (c *adminCall) openSession(name, password string) (token string, s session.Session, err error) {
	who := session.Credentials{AppKey: adminApplication, Account: adminAccount(name), Password: password}
	if from, err := netip.ParseAddrPort(c.r.RemoteAddr); err == nil {
		who.Address = from.Addr()
	}
	return c.app.admins.Login(c.r.Context(), who)
}

type adminLogin struct {
	Administrator string `json:"administrator"`
	Password      string `json:"password"`
}

func (q adminLogin) about(*adminCall) string { return "administrator=" + shown(q.Administrator) }

// adminSession is what a login gives.
type adminSession struct {
	Token         string    `json:"token"`
	Administrator string    `json:"administrator"`
	Role          string    `json:"role"`
	Expires       time.Time `json:"expires"`
}

func (c *adminCall) login(q adminLogin) (adminSession, error) {
	token, s, err := c.openSession(q.Administrator, q.Password)
	if err != nil {
		return adminSession{}, adminLoginFailure(err)
	}
	one, ok := c.app.gateway.state.Load().registry.Administrator(q.Administrator)
	if !ok {
		return adminSession{}, adminLoginFailure(session.ErrCredentials)
	}
	if why := mustChange(one); why != "" {
		if err := c.app.admins.Logout(context.WithoutCancel(c.r.Context()), token); err != nil {
			return adminSession{}, err
		}
		return adminSession{}, adminError(http.StatusForbidden, "%s，请先更换：licgate admin password %s", why, one.Administrator)
	}
	return adminSession{token, one.Administrator, one.Role, s.Expires}, nil
}

// mustChange says why an administrator must change the password before anything else, "" when it is good.
func mustChange(a *registry.Administrator) string {
	if a.PasswordGiven {
		return "口令是他人设置的初始口令"
	}
	if set, err := registry.ParseTime(a.PasswordTime); err != nil || time.Since(set) > adminPasswordLife {
		return "口令已使用超过 90 天"
	}
	return ""
}

func adminLoginFailure(err error) error {
	var locked *session.LockedError
	switch {
	case errors.As(err, &locked):
		return adminError(http.StatusTooManyRequests, "登录失败次数过多，请在 %s之后再试", beijing.Labelled(locked.Until))
	case errors.Is(err, session.ErrCredentials):
		return adminError(http.StatusUnauthorized, "管理员名或口令不正确，或已停用")
	}
	return err
}

func (c *adminCall) logout(nothing) (map[string]bool, error) {
	token, _ := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	err := c.app.admins.Logout(c.r.Context(), token)
	if errors.Is(err, session.ErrNoSession) {
		err = nil
	}
	return map[string]bool{"ended": err == nil}, err
}

// adminSelf says who the caller is taken for.
type adminSelf struct {
	Administrator string `json:"administrator"`
	Role          string `json:"role"` // system, security, audit; "" for one who is nobody
	Separated     bool   `json:"separated"`
}

func (c *adminCall) self(nothing) (adminSelf, error) {
	return adminSelf{c.who.name, string(c.who.role), c.app.gateway.state.Load().separated()}, nil
}

type adminPassword struct {
	Administrator string `json:"administrator"`
	Password      string `json:"password"`
	NewPassword   string `json:"new_password"`
}

func (q adminPassword) about(*adminCall) string { return "administrator=" + shown(q.Administrator) }

// changePassword lets an administrator change the own password; the old one proves who it is, so that an expired one can be
// changed too. It needs no second person.
func (c *adminCall) changePassword(q adminPassword) (*applied, error) {
	if q.NewPassword == "" {
		return nil, adminError(http.StatusUnprocessableEntity, "缺少新口令")
	}
	if q.NewPassword == q.Password {
		return nil, adminError(http.StatusUnprocessableEntity, "新口令不得与旧口令相同")
	}
	var proved string // read first: a password that is replaced meanwhile proves nothing
	if one, ok := c.app.gateway.state.Load().registry.Administrator(q.Administrator); ok {
		proved = one.PasswordHash
	}
	token, _, err := c.openSession(q.Administrator, q.Password)
	if err != nil {
		return nil, adminLoginFailure(err)
	}
	if err := c.app.admins.Logout(context.WithoutCancel(c.r.Context()), token); err != nil {
		return nil, err // it proved who asks, and is good for nothing else
	}
	return c.app.changeAdministrator(c.r.Context(), q.Administrator, "set-password",
		change{by: administrator{name: q.Administrator}, why: "更换本人口令", own: true, proved: proved, password: q.NewPassword})
}

// outdatedAdministrators selects the sessions of administrators who are gone, disabled, or have another password or role.
func outdatedAdministrators(before, after *registry.Platform) []session.Match {
	s := registry.NewSnapshot(after)
	var out []session.Match
	for _, a := range before.Administrators {
		now, ok := s.Administrator(a.Administrator)
		if !ok || now.Disabled && !a.Disabled || now.PasswordHash != a.PasswordHash || now.Role != a.Role {
			out = append(out, session.Match{AppKey: adminApplication, Account: adminAccount(a.Administrator)})
		}
	}
	return out
}
