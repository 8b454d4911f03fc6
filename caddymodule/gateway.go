package caddymodule

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"licgate/audit"
	"licgate/gm"
	"licgate/licence"
	"licgate/policy"
	"licgate/registry"
	"licgate/session"
	"licgate/session/redisstore"
	"licgate/store"
)

// pools keep stores, keys and the journal open across reloads: the new configuration takes them before the old one
// gives them back.
var pools = caddy.NewUsagePool()

// pooled is anything that closes, as Caddy's pool wants it.
type pooled struct {
	value any
	close func() error
}

func (p pooled) Destruct() error {
	if p.close == nil {
		return nil
	}
	return p.close()
}

// take opens key through the pool, or shares what is open.
func take[T any](g *gateway, key string, open func() (T, func() error, error)) (T, error) {
	v, _, err := pools.LoadOrNew(key, func() (caddy.Destructor, error) {
		value, closer, err := open()
		if err != nil {
			return nil, err
		}
		return pooled{value, closer}, nil
	})
	if err != nil {
		var none T
		return none, err
	}
	g.taken = append(g.taken, key)
	return v.(pooled).value.(T), nil
}

// gateway is the app's open resources.
type gateway struct {
	keys     *gm.Keyring
	store    *store.Store
	journal  *audit.Journal
	refusals *audit.Tally
	sessions session.Store
	limits   *limits
	licences *licence.Service
	seals    *seals
	// shared outlives a reload: the current state and the lock of its writers.
	*shared

	taken []string
}

// shared is what all configurations on one store see.
type shared struct {
	state atomic.Pointer[state]
	// change is held while this node writes a new version, so that its administrators queue instead of overtaking one another.
	change changeLock
	// confirmed is when the store last said which version is in force.
	confirmed atomic.Pointer[time.Time]

	faces *faces

	// shadow is the part of decisions that the reference engine is asked too; mismatches counts where it disagreed.
	shadow     float64
	mismatches atomic.Int64
	logger     *zap.Logger
}

// mismatch sounds the alarm: the compiled index and the reference engine disagree. The request has been refused.
func (h *shared) mismatch(r policy.Request, got, want policy.Decision) {
	h.mismatches.Add(1)
	h.logger.Error("the compiled policy and the reference engine disagree; refused",
		zap.String("app", r.App), zap.String("account", r.Account), zap.String("department", r.Department), zap.String("item", r.Item),
		zap.String("interface", r.Interface), zap.String("service_item", r.ServiceItem), zap.Int64("policy_version", got.Version),
		zap.Bool("index_allows", got.Allow), zap.Bool("reference_allows", want.Allow))
}

func openGateway(ctx context.Context, a *App) (_ *gateway, err error) {
	g := new(gateway)
	defer func() {
		if err != nil {
			err = errors.Join(err, g.release())
		}
	}()
	fresh := false
	if g.store, err = take(g, "store:"+a.Store, func() (*store.Store, func() error, error) {
		fresh = true
		s, err := store.Open(ctx, a.Store)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}); err != nil {
		return nil, fmt.Errorf("licgate: store: %w", storeFault(err))
	}
	if g.keys, err = take(g, a.keysName(), func() (*gm.Keyring, func() error, error) {
		k, err := openKeys(ctx, a, g.store)
		if err != nil {
			return nil, nil, err
		}
		return k, k.Close, nil
	}); err != nil {
		return nil, fmt.Errorf("licgate: keys: %w", err)
	}
	g.licences = &licence.Service{
		Store: g.store.Licences(), Keys: g.keys, Now: time.Now, Random: rand.Reader,
		Fit: fitPicture, Unprintable: a.fonts.Unprintable, Overflows: g.overflows,
	}
	if err := g.guardRows(ctx, a, fresh); err != nil {
		return nil, fmt.Errorf("licgate: integrity: %w", err)
	}
	if err := g.openSeals(ctx, a); err != nil {
		return nil, fmt.Errorf("licgate: seals: %w", err)
	}
	if g.sessions, err = g.openSessions(ctx, a.Sessions); err != nil {
		return nil, fmt.Errorf("licgate: sessions: %w", err)
	}
	if g.limits, err = take(g, "limits:"+a.Limits, func() (*limits, func() error, error) {
		l, err := openLimits(a.Limits)
		if err != nil {
			return nil, nil, err
		}
		return l, l.close, nil
	}); err != nil {
		return nil, fmt.Errorf("licgate: limits: %w", err)
	}
	dir := filepath.Join(a.Data, "audit")
	if g.journal, err = take(g, "journal:"+dir, func() (*audit.Journal, func() error, error) {
		options, err := a.journalOptions()
		if err != nil {
			return nil, nil, err
		}
		j, repair, err := audit.OpenJournal(dir, options)
		if errors.Is(err, audit.ErrLocked) {
			err = fmt.Errorf("数据目录 %s 已有另一个网关进程在使用（%w）；一个数据目录只能有一个网关，要换用新的配置请执行 licgate reload", a.Data, err)
		}
		if err != nil {
			return nil, nil, err
		}
		reportRepair(a.logger, repair)
		return j, j.Close, nil
	}); err != nil {
		return nil, fmt.Errorf("licgate: audit journal: %w", err)
	}
	if g.refusals, err = take(g, "refusals:"+dir, func() (*audit.Tally, func() error, error) {
		tally, end := tallyRefusals(g.journal)
		return tally, end, nil
	}); err != nil {
		return nil, fmt.Errorf("licgate: tally of refusals: %w", err)
	}
	if g.shared, err = take(g, fmt.Sprintf("state:%s %g", a.Store, a.Shadow), func() (*shared, func() error, error) {
		s := &shared{shadow: a.Shadow, logger: a.logger, change: newChangeLock(), faces: newFaces()}
		s.confirm(time.Now())
		first, err := s.loadState(ctx, g.store)
		if err == nil {
			err = a.notRolledBack(ctx, g.journal, first.version)
		}
		s.state.Store(first)
		return s, nil, err
	}); err != nil {
		return nil, fmt.Errorf("licgate: loading registry and policy: %w", err)
	}
	return g, nil
}

// storeFault says to an operator what to do about a store that can't be opened.
func storeFault(err error) error {
	var open *store.OpenFileError
	if errors.As(err, &open) {
		return fmt.Errorf("数据库文件 %s 的权限为 %04o，其他用户可访问；请执行 chmod 600 %s，并查明其间有没有人读过或改过（%w）", open.Path, open.Mode, open.Path, err)
	}
	return err
}

func (g *gateway) openSessions(ctx context.Context, where string) (session.Store, error) {
	if where == "store" {
		return g.store.Sessions(), nil
	}
	if !strings.HasPrefix(where, "redis://") && !strings.HasPrefix(where, "rediss://") && !strings.HasPrefix(where, "unix://") {
		return nil, errors.New(`allowed are "store" and a redis:// address`)
	}
	return take(g, "sessions:"+where, func() (session.Store, func() error, error) {
		s, err := redisstore.Open(ctx, where, "licgate:")
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	})
}

// release gives everything back to the pool; what nobody else uses is closed.
func (g *gateway) release() error {
	var errs []error
	for i := len(g.taken) - 1; i >= 0; i-- {
		if _, err := pools.Delete(g.taken[i]); err != nil {
			errs = append(errs, err)
		}
	}
	g.taken = nil
	return errors.Join(errs...)
}

// catchUp swaps in the version, or the locks, that the store holds, where this node has others. It waits for no change of rights.
func (g *gateway) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	asked := time.Now()
	version, locks, err := g.store.Revisions(ctx)
	if err != nil {
		return err
	}
	now := g.state.Load()
	if version < now.version {
		// This node's own change may have come between the question and the look at the state: then the store knows of it now.
		if version, locks, err = g.store.Revisions(ctx); err != nil {
			return err
		}
		if version < now.version {
			return fmt.Errorf("%w: %d, not %d", errRolledBack, version, now.version)
		}
	}
	switch {
	case version != now.version:
		next, err := g.loadState(ctx, g.store)
		if err != nil {
			return err
		}
		if !g.state.CompareAndSwap(now, next) {
			return nil // this node's own change came between: what was read may be older, and is asked for again in a second
		}
	case locks != now.locksRevision:
		if err := g.refreshLocks(ctx); err != nil {
			return err
		}
	}
	g.confirm(asked)
	return nil
}

// accept puts a version in force that this node wrote, with the locks that hold now. Another node's later one stays.
func (h *shared) accept(next *state) {
	for {
		now := h.state.Load()
		if now.version > next.version {
			return
		}
		next.locks, next.locksRevision = now.locks, now.locksRevision
		if h.state.CompareAndSwap(now, next) {
			return
		}
	}
}

const (
	// defaultHold is how long decisions go on while the store is down.
	defaultHold = time.Minute
	// catchUpTimeout bounds one question to a store that does not answer.
	catchUpTimeout = 10 * time.Second
)

// confirm notes that the state was known to be the one in force at a time.
func (h *shared) confirm(at time.Time) { h.confirmed.Store(&at) }

// unconfirmed is for how long nobody could say whether the state is still the one in force: by the clock on the wall or the one that
// only runs forward, whichever says more. A clock that is set back does not stretch it, and a machine that slept does not forget it.
func (h *shared) unconfirmed() time.Duration {
	at := *h.confirmed.Load()
	return max(time.Since(at), time.Now().Round(0).Sub(at.Round(0)))
}

// sessionManager is the session rules over the current registry.
func (g *gateway) sessionManager(a *App) *session.Manager {
	return &session.Manager{
		Store: g.sessions, Directory: directory{g}, Verifier: vault{g.keys},
		Digest: func(b []byte) []byte { return g.keys.Digest(gm.PurposeToken, b) },
		Now:    time.Now, Random: rand.Reader,
		Absolute: time.Duration(a.SessionLifetime), Idle: time.Duration(a.SessionIdle), NoteSecret: a.noteSecret,
	}
}

// directory answers session's questions from the current state.
type directory struct{ g *gateway }

func (d directory) Application(appKey string) (session.Application, bool) {
	st := d.g.state.Load()
	a, ok := st.callers[appKey]
	if found, known := st.registry.Application(appKey); known && st.lockedApplication(appKey, found.Department) {
		a.Disabled = true
	}
	return a, ok
}

// callerOf says an application in the session's words.
func callerOf(a *registry.Application) session.Application {
	allow := make([]netip.Prefix, 0, len(a.IPAllow))
	for _, text := range a.IPAllow {
		p, err := parsePrefix(text)
		if err != nil {
			p = netip.Prefix{} // checked when the registry was accepted; what no longer parses admits nobody
		}
		allow = append(allow, p)
	}
	secrets := []session.Secret{{Hash: a.SecretHash}}
	if a.PreviousHash != "" {
		secrets = append(secrets, session.Secret{Hash: a.PreviousHash, Until: a.PreviousUntil})
	}
	return session.Application{AppKey: a.AppKey, Secrets: secrets, IPAllow: allow, Disabled: a.Disabled}
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Prefix(addr.BitLen())
}

func (d directory) Account(name string) (session.Account, bool) {
	st := d.g.state.Load()
	a, ok := st.registry.Account(name)
	if !ok {
		return session.Account{}, false
	}
	return session.Account{
		Account: a.Account, Department: a.Department, PasswordHash: a.PasswordHash,
		Disabled: a.Disabled || st.lockedAccount(a.Account, a.Department),
	}, true
}

// DepartmentExists is false for a locked one: nobody acts for it.
func (d directory) DepartmentExists(code string) bool {
	st := d.g.state.Load()
	_, ok := st.registry.Department(code)
	return ok && !st.locked(registry.LockDepartment, code)
}

func (d directory) Administers(account, department string) bool {
	return d.g.state.Load().decider.Administers(account, department)
}

// noteSecret keeps when a secret was last used, so that a rotated one is seen to be out of use. What fails is logged: it keeps nobody
// from logging in.
func (a *App) noteSecret(ctx context.Context, appKey, hash string, at time.Time) {
	use := registry.SecretUse{AppKey: appKey, Secret: registry.SecretID(hash), LastUsed: at}
	if err := a.gateway.store.SecretUses().NoteSecretUse(ctx, use); err != nil {
		a.logger.Warn("could not note the use of a secret", zap.String("app", appKey), zap.Error(err))
	}
}

// reportRepair tells the operator what opening the journal found.
func reportRepair(logger *zap.Logger, r audit.Repair) {
	if d := r.Damage; d != nil {
		logger.Error("the audit journal is damaged; it goes on in a new segment and the evidence is kept: run licgate audit verify",
			zap.String("file", d.File), zap.Int64("offset", d.Offset), zap.Uint64("sequence", d.Sequence), zap.String("cause", d.Cause))
	}
	if r.Bytes > 0 {
		logger.Warn("a torn tail of the audit journal was cut off; no confirmed record is lost",
			zap.String("segment", r.Segment), zap.Int64("bytes", r.Bytes))
	}
	if r.MayLack != 0 {
		logger.Warn("the gateway was not stopped, and routes of bounded or best_effort durability answer before the record is on disk: records may be missing",
			zap.Int("at_most", r.MayLack))
	}
}

var _ caddy.Destructor = pooled{}
