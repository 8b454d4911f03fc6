package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"licgate/policy"
	"licgate/protocol"
	"licgate/registry"
	"licgate/session"
	"licgate/store"
)

// reasonLocked is the reason of what a lock refuses: it is none of the policy's.
const reasonLocked policy.Reason = "locked"

// locked reports whether a lock holds on an object now.
func (s *state) locked(kind, key string) bool {
	_, held := s.locks.Find(kind, key, time.Now())
	return held
}

// lockedApplication, lockedAccount: also by their department.
func (s *state) lockedApplication(appKey, department string) bool {
	return s.locked(registry.LockApplication, appKey) || s.locked(registry.LockDepartment, department)
}

func (s *state) lockedAccount(name, department string) bool {
	return s.locked(registry.LockAccount, name) || s.locked(registry.LockDepartment, department)
}

// checkAddress refuses a caller whose address is locked.
func (t *trip) checkAddress(r *http.Request) error {
	address, _ := netip.ParseAddr(clientIP(r)) // what can't be read is under every lock of addresses
	if _, held := t.state.locks.FindAddress(address, time.Now()); !held {
		return nil
	}
	t.record.Reason = string(reasonLocked)
	return &protocol.Failure{Code: protocol.CodeAddressLocked, Inner: string(reasonLocked)}
}

type lockRequest struct {
	Kind   string `json:"kind"`   // application, account, department, item, address
	Key    string `json:"key"`    // app_key, account, code; address or CIDR
	Reason string `json:"reason"` // for administrators
	// For is how long, such as 24h; empty: until it is taken away.
	For string `json:"for,omitempty"`
}

func (q lockRequest) about(*adminCall) string {
	return "kind=" + shown(q.Kind) + " key=" + shown(q.Key) + " for=" + shown(q.For) + " reason=" + shownUpTo(q.Reason, longestRemark)
}

// lockAnswer is a lock that was put, and how many sessions it ended.
type lockAnswer struct {
	Lock     registry.Lock `json:"lock"`
	Ended    int           `json:"ended"`
	Warnings []string      `json:"warnings,omitempty"`
}

// putLock locks, then ends the live sessions. From the first write on no session of the locked can act on this node; others follow
// within a second; a crash before the sessions are ended leaves them without effect.
func (c *adminCall) putLock(q lockRequest) (*lockAnswer, error) {
	g := c.app.gateway
	if q.Reason == "" {
		return nil, adminError(http.StatusBadRequest, "请写明锁定的原因（reason）")
	}
	if err := checkRemark("reason", q.Reason); err != nil {
		return nil, err
	}
	key, err := registry.CheckLock(q.Kind, q.Key, g.state.Load().registry)
	if err != nil {
		return nil, adminError(http.StatusUnprocessableEntity, "%v", err)
	}
	l := registry.Lock{Kind: q.Kind, Key: key, Reason: q.Reason, By: c.who.String(), Created: time.Now()}
	if q.For != "" {
		span, err := parseSpan(q.For)
		if err != nil {
			return nil, adminError(http.StatusBadRequest, "时长 %q 无法识别，例如 30m、24h、7d", q.For)
		}
		l.Expires = l.Created.Add(span)
	}
	if err := g.store.Locks().PutLock(c.r.Context(), l); err != nil {
		return nil, err
	}
	answer := &lockAnswer{Lock: l}
	if err := g.refreshLocks(context.WithoutCancel(c.r.Context())); err != nil {
		answer.Warnings = append(answer.Warnings, "锁定已保存，但本节点未能立即装入，将在一秒内重试")
	}
	for _, m := range lockedSessions(l) {
		n, err := c.app.sessions.End(context.WithoutCancel(c.r.Context()), m)
		answer.Ended += n
		if err != nil {
			answer.Warnings = append(answer.Warnings, "锁定已生效，但会话未能删除；它们在锁定期间不能使用")
		}
	}
	return answer, nil
}

func lockedSessions(l registry.Lock) []session.Match {
	switch l.Kind {
	case registry.LockApplication:
		return []session.Match{{AppKey: l.Key}}
	case registry.LockAccount:
		return []session.Match{{Account: l.Key}}
	case registry.LockDepartment:
		return []session.Match{{Department: l.Key}}
	}
	return nil
}

type unlockRequest struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

func (q unlockRequest) about(*adminCall) string {
	return "kind=" + shown(q.Kind) + " key=" + shown(q.Key)
}

// unlockAnswer says what there was to take away.
type unlockAnswer struct {
	Lock      bool `json:"lock"`       // an administrator's lock was there
	Failures  bool `json:"failures"`   // failed logins were there, and are forgotten (account, address, administrator)
	LockedOut bool `json:"locked_out"` // they had locked
	// Warnings say what else there may be to take away.
	Warnings []string `json:"warnings,omitempty"`
}

// lockAdministrator is no kind of a lock: who may not administer is disabled. But failed logins lock an administrator too.
const lockAdministrator = "administrator"

// removeLock takes a lock away, and for an account or address also what failed logins locked.
func (c *adminCall) removeLock(q unlockRequest) (unlockAnswer, error) {
	g := c.app.gateway
	var answer unlockAnswer
	forgive := func(m *session.Manager, account string, address netip.Addr) error {
		was, err := m.Forgive(c.r.Context(), account, address)
		answer.Failures, answer.LockedOut = was.Failures, was.Locked
		return err
	}
	if q.Kind == lockAdministrator {
		if _, known := g.state.Load().registry.Administrator(q.Key); !known {
			return answer, adminError(http.StatusNotFound, "没有管理员 %q，请核对", q.Key)
		}
		return answer, forgive(c.app.admins, adminAccount(q.Key), netip.Addr{})
	}
	key, unknown := registry.CheckLock(q.Kind, q.Key, g.state.Load().registry)
	if unknown != nil {
		key = q.Key // what no longer exists may still be locked: the key is taken as it stands then
	}
	var err error
	if answer.Lock, err = g.store.Locks().RemoveLock(c.r.Context(), q.Kind, key); err != nil {
		return answer, err
	}
	if unknown != nil && !answer.Lock {
		return answer, adminError(http.StatusNotFound, "%v", unknown)
	}
	switch q.Kind {
	case registry.LockAccount:
		err = forgive(c.app.sessions, key, netip.Addr{})
	case registry.LockAddress:
		prefix, bad := netip.ParsePrefix(key)
		if bad != nil || !session.CountsAsOne(prefix) {
			answer.Warnings = append(answer.Warnings, "登录失败按单个地址（IPv6 按 /64）计数，网段内的失败计数未清除；请逐个地址解除")
			break
		}
		err = forgive(c.app.sessions, "", prefix.Addr())
	}
	return answer, errors.Join(err, g.refreshLocks(context.WithoutCancel(c.r.Context())))
}

func (c *adminCall) listLocks(nothing) ([]registry.Lock, error) {
	all, err := c.app.gateway.store.Locks().Locks(c.r.Context())
	held := []registry.Lock{}
	for _, l := range all {
		if l.Expires.IsZero() || time.Now().Before(l.Expires) {
			held = append(held, l)
		}
	}
	return held, err
}

// refreshLocks takes up the locks that the store holds. It waits for no change of rights.
func (g *gateway) refreshLocks(ctx context.Context) error {
	for {
		now := g.state.Load()
		next := *now
		if err := next.takeLocks(ctx, g.store); err != nil {
			return err
		}
		if g.state.CompareAndSwap(now, &next) {
			return nil
		}
	}
}

// takeLocks reads the locks that the store holds into a state that nobody sees yet. The revision comes first: a lock that comes between
// the two reads is read again.
func (s *state) takeLocks(ctx context.Context, from *store.Store) error {
	_, revision, err := from.Revisions(ctx)
	if err != nil {
		return err
	}
	all, err := from.Locks().Locks(ctx)
	if err != nil {
		return err
	}
	s.locks, s.locksRevision = registry.NewLocks(all), revision
	return nil
}

// Sessions, as administrators see them.

type sessionQuery struct {
	App        string `json:"app,omitempty"`
	Account    string `json:"account,omitempty"`
	Department string `json:"department,omitempty"`
	Limit      int    `json:"limit,omitempty"` // default 100
}

func (c *adminCall) listSessions(q sessionQuery) ([]session.Session, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	if err := c.knownHolders(sessionEnd{q.App, q.Account, q.Department}); err != nil {
		return nil, err
	}
	return listed(c.app.sessions.List(c.r.Context(), session.Match{AppKey: q.App, Account: q.Account, Department: q.Department}, q.Limit))
}

// knownHolders refuses names that nobody has: a typing error must not look like somebody without sessions. Who is removed has none.
func (c *adminCall) knownHolders(q sessionEnd) error {
	for _, one := range [][2]string{{registry.LockApplication, q.App}, {registry.LockAccount, q.Account}, {registry.LockDepartment, q.Department}} {
		if one[1] == "" {
			continue
		}
		if _, err := registry.CheckLock(one[0], one[1], c.app.gateway.state.Load().registry); err != nil {
			return adminError(http.StatusNotFound, "%v", err)
		}
	}
	return nil
}

type sessionEnd struct {
	App        string `json:"app,omitempty"`
	Account    string `json:"account,omitempty"`
	Department string `json:"department,omitempty"`
}

func (c *adminCall) endSessions(q sessionEnd) (map[string]int, error) {
	if q == (sessionEnd{}) {
		return nil, adminError(http.StatusBadRequest, "请指明要结束哪个应用、账户或部门的会话")
	}
	if err := c.knownHolders(q); err != nil {
		return nil, err
	}
	n, err := c.app.sessions.End(c.r.Context(), session.Match{AppKey: q.App, Account: q.Account, Department: q.Department})
	return map[string]int{"ended": n}, err
}
