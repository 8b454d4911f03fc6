package caddymodule

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddypki"
	"go.uber.org/zap"

	"licgate/audit"
	"licgate/protocol"
	"licgate/registry"
	"licgate/render"
	"licgate/session"
)

// App holds what the steps share: stores, keys, the journal and the current registry and policy. Stores stay open
// across reloads of the configuration.
type App struct {
	// Data is the folder for keys, the audit journal, the embedded database and root.crt. Default ./data.
	Data string `json:"data,omitempty"`
	// Store is where registry, policy and licences live: "sqlite:PATH" or "postgres://…". Default: licgate.db under Data.
	Store string `json:"store,omitempty"`
	// Sessions is "store" (default) or "redis://…".
	Sessions string `json:"sessions,omitempty"`
	// Limits is "memory" (default) or "redis://…".
	Limits string `json:"limits,omitempty"`
	// Node names this gateway in audit records. Default: the host name.
	Node string `json:"node,omitempty"`
	// SessionLifetime ends a session however busy (table 1: one day). Default 24 h.
	SessionLifetime caddy.Duration `json:"session_lifetime,omitempty"`
	// SessionIdle ends a session that is not used (GB/T 22239). Default 30 min.
	SessionIdle caddy.Duration `json:"session_idle,omitempty"`
	// AuthFailureStatus is the HTTP status for a missing or invalid token: 401 (default), or 200 for old clients.
	AuthFailureStatus int `json:"auth_failure_status,omitempty"`
	// Organisation says what happens when the organisation part of a 15- or 24-character item code is not the caller's
	// department's: "off", "warn" (default; logged) or "enforce" (refused).
	Organisation string `json:"item_code_organisation,omitempty"`
	// BodyLimit and BatchBodyLimit bound request bodies, bytes. Default 10 MiB and 64 MiB.
	BodyLimit      int64 `json:"body_limit,omitempty"`
	BatchBodyLimit int64 `json:"batch_body_limit,omitempty"`
	// FrameAncestors are origins that may embed the licence pages (CSP frame-ancestors). Default: none.
	FrameAncestors []string `json:"frame_ancestors,omitempty"`
	// VerifyURL is where everybody finds the page that checks QR codes, when it is not /verify on the host that a request names: a gateway
	// behind another name, or one that answers to any. https, without query.
	VerifyURL string `json:"verify_url,omitempty"`
	// Shadow is the part of decisions, 0 to 1, in which Casbin is asked too; an answer that differs is refused, counted
	// and logged as an alarm. Default 0: none.
	Shadow float64 `json:"policy_shadow,omitempty"`
	// Approval lists the classes of changes that a second security administrator has to approve, once the powers are separated: rights,
	// credentials, administrators, registry. Default: none.
	Approval []string `json:"policy_approval,omitempty"`
	// ApprovalExpiry is how long a change waits for approval. Default 72 h.
	ApprovalExpiry caddy.Duration `json:"policy_approval_expiry,omitempty"`
	// Hold is how long decisions go on at the version in force while the store can't be asked whether it still is. Then all are
	// refused. Default 60 s.
	Hold caddy.Duration `json:"policy_hold,omitempty"`
	// Decisions is a file of named test decisions that every version has to pass. Default: policy/decisions.txt under Data, if there
	// is one.
	Decisions string `json:"policy_decisions,omitempty"`
	// Fonts is a folder of the operator's own TrueType fonts; they come before the embedded ones. Default: none.
	Fonts string `json:"fonts,omitempty"`
	// Audit says how records are kept, signed, and brought to others.
	Audit AuditOptions `json:"audit,omitzero"`
	// Credential says whose real-name credentials psn_holder accepts.
	Credential Credential `json:"credential,omitzero"`
	// Keys says how keys are guarded.
	Keys KeyOptions `json:"keys,omitzero"`
	// Seal says how files are sealed.
	Seal SealOptions `json:"seal,omitzero"`

	gateway    *gateway
	fonts      *render.Fonts
	sessions   *session.Manager // of systems
	admins     *session.Manager // of administrators; one, so that its limit of guesses at a time holds for all of them
	outward    *outward
	verifier   *session.CredentialVerifier
	developer  *session.DevelopmentSigner
	developed  *session.CredentialVerifier // what the developer signs
	metrics    *metrics
	reading    chan struct{} // held while the journal is read through
	keyWork    *keyWorker
	keyWorking chan struct{} // closed when keyWork has ended
	logger     *zap.Logger
	ctx        caddy.Context
	prev       *App // was running when this one started
	stopped    bool
	stop       context.CancelFunc
	background chan struct{}
	socket     *adminSocket
}

// Credential configures real-name credentials (table 13): JWT checked against a JSON Web Key Set.
type Credential struct {
	// JWKSFile and JWKSURL name key sets; either or both.
	JWKSFile string `json:"jwks_file,omitempty"`
	JWKSURL  string `json:"jwks_url,omitempty"`
	// Issuer and Audience are compared with iss and aud; both are needed with a key set.
	Issuer   string `json:"issuer,omitempty"`
	Audience string `json:"audience,omitempty"`
	// Development is "off" (default) or "loopback": credentials signed by the local development key (licgate credential)
	// are accepted from callers on this machine.
	Development string `json:"development,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "licgate", New: func() caddy.Module { return new(App) }}
}

// Provision opens what the steps need; it fails rather than start half a gateway.
func (a *App) Provision(ctx caddy.Context) (err error) {
	a.ctx, a.logger = ctx, ctx.Logger()
	defer func() { tellCause(a.logger, err) }()
	repl := caddy.NewReplacer()
	for _, s := range []*string{&a.Data, &a.Store, &a.Sessions, &a.Limits, &a.Decisions, &a.Fonts, &a.Credential.JWKSFile, &a.Credential.JWKSURL} {
		*s = repl.ReplaceAll(*s, "")
	}
	if err := a.defaults(); err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	if a.fonts, err = render.OpenFonts(a.Fonts); err != nil {
		return fmt.Errorf("licgate: fonts: %w", err)
	}
	if a.gateway, err = openGateway(ctx, a); err != nil {
		return err
	}
	a.reading = make(chan struct{}, 1)
	a.sessions, a.admins = a.gateway.sessionManager(a), a.adminSessions()
	if a.outward, err = openOutward(ctx, a, a.gateway); err != nil {
		return err
	}
	if a.Credential.JWKSFile != "" || a.Credential.JWKSURL != "" {
		a.verifier, err = session.NewCredentialVerifier(session.CredentialConfig{
			JWKSFile: a.Credential.JWKSFile, JWKSURL: a.Credential.JWKSURL,
			Issuer: a.Credential.Issuer, Audience: a.Credential.Audience, Now: time.Now,
		})
		if err != nil {
			return fmt.Errorf("licgate: credential keys: %w", err)
		}
	}
	if a.Credential.Development == "loopback" {
		if a.developer, err = session.OpenDevelopmentSigner(filepath.Join(a.Data, "keys", "credential.jwk")); err != nil {
			return fmt.Errorf("licgate: development credential key: %w", err)
		}
		if a.developed, err = session.NewCredentialVerifier(session.CredentialConfig{
			JWKSFile: a.developer.PublicFile(), Issuer: developmentIssuer, Audience: developmentIssuer, Now: time.Now,
		}); err != nil {
			return fmt.Errorf("licgate: development credential key: %w", err)
		}
	}
	a.keyWork = newKeyWorker(a)
	if a.metrics, err = newMetrics(ctx.GetMetricsRegistry(), a.gateway); err != nil {
		return err
	}
	return ctx.GetMetricsRegistry().Register(&auditMetrics{journal: a.gateway.journal, outward: a.outward})
}

// tellCause logs, by itself, why a configuration does not start: Caddy's own report puts the whole way through the configuration, hundreds
// of characters, before it.
func tellCause(logger *zap.Logger, err error) {
	if err != nil {
		logger.Error("the gateway does not start with this configuration; the cause", zap.Error(err))
	}
}

func (a *App) defaults() error {
	if a.Data == "" {
		a.Data = "./data"
	}
	data, err := filepath.Abs(a.Data)
	if err != nil {
		return fmt.Errorf("licgate: data folder %s: %w", a.Data, err)
	}
	a.Data = data
	if err := os.MkdirAll(a.Data, 0o700); err != nil {
		return fmt.Errorf("licgate: data folder: %w", err)
	}
	if err := a.warnOfOpenFolder(); err != nil {
		return fmt.Errorf("licgate: data folder: %w", err)
	}
	if a.Store == "" {
		a.Store = "sqlite:" + filepath.Join(a.Data, "licgate.db")
	}
	if a.Sessions == "" {
		a.Sessions = "store"
	}
	if a.Limits == "" {
		a.Limits = "memory"
	}
	if a.Organisation == "" {
		a.Organisation = "warn"
	}
	if a.Credential.Development == "" {
		a.Credential.Development = "off"
	}
	if a.Node == "" {
		if a.Node, err = os.Hostname(); err != nil {
			return fmt.Errorf("licgate: this node's name: %w", err)
		}
	}
	if a.ApprovalExpiry == 0 {
		a.ApprovalExpiry = caddy.Duration(defaultApprovalExpiry)
	}
	if a.Hold == 0 {
		a.Hold = caddy.Duration(defaultHold)
	}
	if a.Decisions == "" {
		a.Decisions = filepath.Join(a.Data, "policy", "decisions.txt")
	}
	if a.BodyLimit == 0 {
		a.BodyLimit = protocol.DefaultLimits.Body
	}
	if a.BatchBodyLimit == 0 {
		a.BatchBodyLimit = protocol.DefaultLimits.Batch
	}
	return nil
}

// warnOfOpenFolder says, once for each start, that group or others may enter the data folder. It stays as it is: it may be the home of
// other programs too, or open to a group for the admin socket. What has to be secret in it is private by itself, or keeps the gateway from
// starting.
func (a *App) warnOfOpenFolder() error {
	if before := running.Load(); before != nil && before.Data == a.Data {
		return nil
	}
	info, err := os.Stat(a.Data)
	if err == nil && info.Mode().Perm()&openToOthers != 0 {
		a.logger.Warn("the data folder is open to group or others; run chmod 700 on it, or give the gateway one of its own (LICGATE_DATA)",
			zap.String("folder", a.Data), zap.String("mode", fmt.Sprintf("%04o", info.Mode().Perm())))
	}
	return err
}

// openToOthers are the permissions that nobody but the owner may have on what the gateway keeps.
const openToOthers = 0o077

// check refuses settings that do not exist. It runs when a Caddyfile is adapted and before anything is opened; "" is a default.
func (a *App) check() error {
	for _, class := range a.Approval {
		if _, known := registry.ClassNames[class]; !known {
			return fmt.Errorf("licgate: policy approval is %q, allowed are %s", class, strings.Join(slices.Sorted(maps.Keys(registry.ClassNames)), ", "))
		}
	}
	if err := a.Keys.check(); err != nil {
		return err
	}
	switch {
	case a.AuthFailureStatus != 0 && a.AuthFailureStatus != 200 && a.AuthFailureStatus != 401:
		return fmt.Errorf("licgate: auth_failure_status is %d, allowed are 200 and 401", a.AuthFailureStatus)
	case a.Organisation != "" && a.Organisation != "off" && a.Organisation != "warn" && a.Organisation != "enforce":
		return fmt.Errorf("licgate: item_code_organisation is %q, allowed are off, warn and enforce", a.Organisation)
	case a.Credential.Development != "" && a.Credential.Development != "off" && a.Credential.Development != "loopback":
		return fmt.Errorf("licgate: credential development is %q, allowed are off and loopback", a.Credential.Development)
	case (a.Credential.JWKSFile != "" || a.Credential.JWKSURL != "") && (a.Credential.Issuer == "" || a.Credential.Audience == ""):
		return errors.New("licgate: credential needs issuer and audience: without them a token made for anybody else would be accepted")
	case a.VerifyURL != "" && !isVerifyURL(a.VerifyURL):
		return fmt.Errorf("licgate: verify_url is %q, it must be https://HOST/PATH without query", a.VerifyURL)
	case a.Shadow < 0 || a.Shadow > 1:
		return errors.New("licgate: policy shadow must be between 0% and 100%")
	case a.Hold < 0 || a.ApprovalExpiry < 0:
		return errors.New("licgate: policy hold and approval_expiry must be positive")
	case a.SessionIdle < 0 || a.SessionLifetime < 0 || time.Duration(a.SessionLifetime) > 24*time.Hour:
		return errors.New("licgate: session lifetimes must be positive, and session_lifetime at most 24h (table 1)")
	case a.BodyLimit < 0 || a.BatchBodyLimit < 0:
		return errors.New("licgate: body limits must be positive")
	}
	return a.Audit.check()
}

// running is the app that serves. Caddy puts a new admin endpoint in place before it knows whether the new configuration is any
// good: when it is not, administrators still need the app that goes on serving. Starts and stops follow one another.
var running atomic.Pointer[App]

// Start writes root.crt, records the start, and begins housekeeping.
func (a *App) Start() error {
	if err := refuseSharedAdmin(); err != nil {
		tellCause(a.logger, err)
		return err
	}
	if err := errors.Join(a.exportRoot(), a.exportSealRoots()); err != nil {
		return err
	}
	version := a.gateway.state.Load().version
	if err := a.recordStart(version); err != nil {
		return fmt.Errorf("licgate: recording the start: %w", err)
	}
	if err := a.takeOver(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(a.ctx)
	a.outward.start(ctx, a.logger)
	a.stop, a.background = stop, make(chan struct{})
	a.socket = keepAdminSocket(a.logger)
	go a.housekeeping(ctx)
	a.keyWorking = make(chan struct{})
	go func() {
		defer close(a.keyWorking)
		a.keyWork.run(ctx)
	}()
	a.prev = running.Swap(a)
	a.logger.Info("licgate is serving", zap.Int64("policy_version", version),
		zap.String("store", a.gateway.store.Dialect()), zap.String("node", a.Node))
	return nil
}

// takeOver sets, in what stays open across reloads, what this configuration says of it: whom the store alarms, and whose checkpoints are
// cosigned. A configuration that never starts does not.
func (a *App) takeOver() error {
	if err := a.outward.takeOver(); err != nil {
		return err
	}
	a.gateway.guard(a.logger)
	return nil
}

// Stop ends housekeeping and records the stop.
func (a *App) Stop() error {
	a.stopped = true
	before := a.prev
	if before != nil && before.stopped {
		before = nil
	}
	if running.CompareAndSwap(a, before) && before != nil { // what was to replace it did not start whole
		if err := before.takeOver(); err != nil {
			before.logger.Error("the configuration that goes on could not be put in force again", zap.Error(err))
		}
	}
	a.prev = nil
	if a.stop != nil {
		a.stop()
		<-a.background
		<-a.keyWorking
		a.outward.wait()
		if running.Load() == nil { // else another app goes on, with the same socket
			a.socket.drop()
		}
		if err := a.recordStop(); err != nil {
			a.logger.Error("the stop could not be recorded", zap.Error(err))
		}
	}
	return nil
}

// Cleanup gives back what Provision took.
func (a *App) Cleanup() error {
	if a.gateway == nil {
		return nil
	}
	return a.gateway.release()
}

// event records something that is not a request.
func (a *App) event(kind, detail string) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	return a.gateway.journal.Append(ctx, &audit.Record{
		Event: kind, Time: time.Now(), Outcome: "SUCCESS", Detail: detail,
		PolicyVersion: a.gateway.state.Load().version,
	})
}

// exportRoot writes the internal root certificate where curl --cacert finds it. Nothing to do when the site uses certificates
// from elsewhere.
func (a *App) exportRoot() error {
	app, err := a.ctx.AppIfConfigured("pki")
	if err != nil {
		return nil // no internal authority in this configuration
	}
	ca, err := app.(*caddypki.PKI).GetCA(a.ctx, caddypki.DefaultCAID)
	if err != nil {
		return fmt.Errorf("licgate: internal authority: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.RootCertificate().Raw})
	return writePublic(filepath.Join(a.Data, "root.crt"), text)
}

const (
	purgeEvery = 10 * time.Minute
	// purgeTimeout bounds each purge; what it leaves is dropped the next time.
	purgeTimeout = 2 * time.Minute
	pollEvery    = time.Second
)

// housekeeping picks up policy versions that other nodes accepted, puts the admin socket back in its place, and drops what has expired. A
// purge that takes minutes must not let this node fall behind: nobody waits for it.
func (a *App) housekeeping(ctx context.Context) {
	defer close(a.background)
	purging := make(chan struct{})
	go func() {
		defer close(purging)
		a.purging(ctx)
	}()
	defer func() { <-purging }()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			a.socket.heal(a.logger)
			err := a.gateway.catchUp(ctx)
			if ctx.Err() != nil || (err != nil) == away {
				continue // said once
			}
			if away = err != nil; errors.Is(err, errRolledBack) {
				a.logger.Error("the store was rolled back; decisions go on for a while by the version in force, and are refused then",
					zap.Duration("hold", time.Duration(a.Hold)), zap.Error(err))
			} else if away {
				a.logger.Error("the store can't say which policy version is in force; decisions go on for a while",
					zap.Duration("hold", time.Duration(a.Hold)), zap.Error(err))
			} else {
				a.logger.Info("the store says again which policy version is in force")
			}
		}
	}
}

// purging drops what has expired, now and then.
func (a *App) purging(ctx context.Context) {
	every := time.NewTicker(purgeEvery)
	defer every.Stop()
	g := a.gateway
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			for _, one := range []struct {
				what  string
				purge func(context.Context) error
			}{
				{"sessions", func(ctx context.Context) error { _, err := a.sessions.Purge(ctx); return err }},
				{"pending changes", func(ctx context.Context) error { return g.expirePending(ctx, now) }},
				{"locks", func(ctx context.Context) error { return g.store.Locks().PurgeLocks(ctx, now) }},
				{"codes", func(ctx context.Context) error {
					_, err := g.store.Licences().PurgeCodes(ctx, now.Add(-time.Hour))
					return err
				}},
			} {
				limited, cancel := context.WithTimeout(ctx, purgeTimeout)
				err := one.purge(limited)
				cancel()
				if err != nil && ctx.Err() == nil {
					a.logger.Warn("could not purge what has expired", zap.String("what", one.what), zap.Error(err))
				}
			}
		}
	}
}

// appOf finds the configured app; a site without the global option gets it with defaults.
func appOf(ctx caddy.Context) (*App, error) {
	app, err := ctx.App("licgate")
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
