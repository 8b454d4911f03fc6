package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"licgate/audit"
	"licgate/gm"
	"licgate/licence"
	"licgate/policy"
	"licgate/registry"
	"licgate/session"
	"licgate/store"
)

// state is one version of registry and policy, compiled. Immutable: it is swapped whole.
type state struct {
	version  int64
	registry *registry.Snapshot
	decider  policy.Decider
	items    []*licence.Item // in the order of the registry
	byCode   map[string]*licence.Item
}

// loadState builds the state of the newest version that the store holds.
func (h *shared) loadState(ctx context.Context, s *store.Store) (*state, error) {
	platform, version, err := s.LoadPlatform(ctx)
	if err != nil {
		return nil, err
	}
	lines := policy.Lines(policy.Facts{}) // before the first apply: built-in roles, nobody has them
	if version > 0 {
		head, err := s.Policies().Get(ctx, version)
		if err != nil {
			return nil, err
		}
		lines = head.Lines
	}
	return h.newState(version, platform, lines)
}

func (h *shared) newState(version int64, p *registry.Platform, lines []string) (*state, error) {
	decider, err := policy.Compile(version, lines)
	if err != nil {
		return nil, err
	}
	if h.shadow > 0 {
		reference, err := policy.Reference(version, lines)
		if err != nil {
			return nil, err
		}
		decider = policy.Shadow(decider, reference, h.shadow, mathrand.Float64, h.mismatch)
	}
	st := &state{version: version, registry: registry.NewSnapshot(p), decider: decider, byCode: make(map[string]*licence.Item)}
	for i := range p.Items {
		item := itemOf(st.registry, &p.Items[i])
		st.items = append(st.items, item)
		st.byCode[item.Code] = item
	}
	return st, nil
}

// item finds a catalogue item by any of its code forms.
func (s *state) item(code string) (*licence.Item, bool) {
	it, ok := s.registry.Item(code)
	if !ok {
		return nil, false
	}
	item, ok := s.byCode[it.LicenseItemCode]
	return item, ok
}

// itemOf says a registry item in the licence service's words.
func itemOf(s *registry.Snapshot, it *registry.Item) *licence.Item {
	item := &licence.Item{
		Code: it.LicenseItemCode, Name: it.Name, Department: it.Department, Status: it.Status, Open: it.IsOpen,
		HolderType: it.HolderType, Validity: it.Validity, Groups: it.LicenseGroups, SealCode: it.SealCode,
	}
	if d, ok := s.Department(it.Department); ok {
		item.DepartmentName, item.Division, item.DivisionCode = d.Name, d.Division, d.DivisionCode
	}
	for _, f := range it.Fields {
		item.Fields = append(item.Fields, licence.Field{
			Key: f.Key, Label: f.Label, Type: f.Type, Length: f.Length, Required: f.Required, Sensitive: f.Sensitive, Role: f.Role,
		})
	}
	return item
}

// factsOf says a platform in the policy's words.
func factsOf(p *registry.Platform) policy.Facts {
	var f policy.Facts
	for _, d := range p.Departments {
		f.Departments = append(f.Departments, policy.DepartmentFact{Code: d.Code, Parent: d.Parent})
	}
	for _, a := range p.Applications {
		app := policy.ApplicationFact{AppKey: a.AppKey, Department: a.Department}
		for _, g := range a.Grants {
			app.Grants = append(app.Grants, grantFacts(p, a.Department, g)...)
		}
		f.Applications = append(f.Applications, app)
	}
	for _, a := range p.Accounts {
		f.Accounts = append(f.Accounts, policy.AccountFact{Account: a.Account, Department: a.Department, Roles: a.Roles})
	}
	for _, s := range p.ServiceItems {
		f.ServiceItems = append(f.ServiceItems, policy.ServiceItemFact{Code: s.Code, Department: s.Department, Items: s.Items})
	}
	for _, it := range p.Items {
		fact := policy.ItemFact{Code: it.LicenseItemCode}
		for _, field := range it.Fields {
			if field.Sensitive != "" {
				fact.Fields = append(fact.Fields, field.Key)
			}
		}
		f.Items = append(f.Items, fact)
	}
	return f
}

// grantFacts says a grant in the policy's words. "*" means every item of the catalogue; but to make or abolish licences it means
// those of the application's own department: another's item must be named.
func grantFacts(p *registry.Platform, department string, g registry.Grant) []policy.GrantFact {
	if !slices.Contains(g.Items, "*") {
		return []policy.GrantFact{{Items: g.Items, Needs: g.Needs, ServiceItems: g.ServiceItems}}
	}
	var making, using []string
	for _, need := range g.Needs {
		if need == "issue" || need == "abolish" {
			making = append(making, need)
		} else {
			using = append(using, need)
		}
	}
	var out []policy.GrantFact
	if len(using) > 0 {
		out = append(out, policy.GrantFact{Items: g.Items, Needs: using, ServiceItems: g.ServiceItems})
	}
	own := slices.DeleteFunc(slices.Clone(g.Items), func(item string) bool { return item == "*" })
	for _, it := range p.Items {
		if it.Department == department {
			own = append(own, it.LicenseItemCode)
		}
	}
	if len(making) > 0 && len(own) > 0 {
		out = append(out, policy.GrantFact{Items: own, Needs: making, ServiceItems: g.ServiceItems})
	}
	return out
}

// policyLines is the whole policy of a platform: what the registry says, then the further lines.
func policyLines(p *registry.Platform) ([]string, error) {
	lines := policy.Lines(factsOf(p))
	if p.Policy == nil {
		return lines, nil
	}
	further, err := policy.Parse(*p.Policy)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(lines))
	for _, l := range lines {
		there[l] = true
	}
	for _, l := range further {
		if !there[l] {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// errItemInUse says that a catalogue item with licences would be removed.
type errItemInUse struct{ code string }

func (e errItemInUse) Error() string { return "item in use: " + e.code }

// applied is what an apply did, or would do.
type applied struct {
	*registry.Planned
	Version int64 `json:"version"` // in force afterwards
	DryRun  bool  `json:"dry_run,omitempty"`
	// Warnings say what could not be done once the version was in force.
	Warnings []string `json:"warnings,omitempty"`
}

// change says who changes the platform and why.
type change struct {
	by, why string
	dryRun  bool  // only say what would happen
	ifMatch int64 // refuse when another version is in force; 0: whatever is
}

// staleError says that the version a change was made for is not in force any more, and what was changed since.
type staleError struct {
	base, head int64
	since      []policy.Version
}

func (e *staleError) Error() string {
	return fmt.Sprintf("version %d is not in force, %d is", e.base, e.head)
}

func (a *App) staleSince(ctx context.Context, base, head int64) error {
	stale := &staleError{base: base, head: head}
	versions, err := a.gateway.store.Policies().List(ctx, int(min(max(head-base, 0), 20)))
	if err != nil {
		return err
	}
	stale.since = versions
	return stale
}

// declare makes a declaration from what is in force, under the lock of writers.
type declare func(current *registry.Platform) (*registry.Platform, error)

// apply lays a declaration over the registry, writes registry and policy version in one transaction, and swaps them
// in.
func (a *App) apply(ctx context.Context, from declare, c change) (*applied, error) {
	g := a.gateway
	g.change.Lock()
	defer g.change.Unlock()

	current, _, err := g.store.LoadPlatform(ctx)
	if err != nil {
		return nil, err
	}
	head, err := g.store.Policies().Head(ctx)
	if err != nil {
		return nil, err
	}
	if c.ifMatch > 0 && c.ifMatch != head.Number {
		return nil, a.staleSince(ctx, c.ifMatch, head.Number)
	}
	declared, err := from(current)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	planned, err := registry.Plan(current, declared, vault{g.keys}, c.by, now)
	if err != nil {
		return nil, err
	}
	for _, code := range registry.RemovedItems(planned.Changes) {
		used, err := g.store.Licences().HasLicences(ctx, code)
		if err != nil {
			return nil, err
		}
		if used {
			return nil, errItemInUse{code}
		}
	}
	lines, err := policyLines(planned.Next)
	if err != nil {
		return nil, err
	}
	result := &applied{Planned: planned, Version: head.Number, DryRun: c.dryRun}
	next, err := g.newState(head.Number+1, planned.Next, lines)
	if err != nil {
		return nil, err
	}
	if c.dryRun {
		// Secrets that would be generated are not shown: a later run makes others.
		planned.Generated = nil
		return result, nil
	}
	if len(planned.Changes) == 0 {
		return result, nil
	}
	changes, err := json.Marshal(planned.Changes)
	if err != nil {
		return nil, fmt.Errorf("encoding the difference: %w", err)
	}
	// Every call is on record before it acts.
	if err := g.journal.Append(ctx, &audit.Record{
		Event: "admin", Time: now, Account: c.by, Interface: "apply", Outcome: "ATTEMPT", Allow: true,
		PolicyVersion: head.Number + 1, Detail: fmt.Sprintf("变更 %d 项；%s", len(planned.Changes), c.why),
	}); err != nil {
		return nil, err
	}
	document, err := registry.Render(planned.Next)
	if err != nil {
		return nil, fmt.Errorf("writing the declaration of a version: %w", err)
	}
	// From here on the change happens whole, whether or not the administrator waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	version := policy.Seal(head, policy.Version{
		At: now, By: c.by, Why: c.why, Lines: lines, Changes: changes, Platform: document,
	}, gm.SM3)
	if err := g.store.SavePlatform(ctx, planned.Next, version); err != nil {
		return nil, err
	}
	g.state.Store(next)
	result.Version = version.Number
	a.logger.Info("registry and policy changed", zap.Int64("policy_version", version.Number),
		zap.String("by", c.by), zap.Int("changes", len(planned.Changes)), zap.String("hash", version.Hash))
	// What was opened under other credentials, or by somebody disabled since, ends with them.
	for _, m := range outdated(current, planned.Next) {
		if _, err := g.sessionManager(a).End(ctx, m); err != nil {
			a.warn(result, "变更已生效，但有会话未能结束，请用 sessions/end 接口重试", err)
		}
	}
	if err := a.event("policy", fmt.Sprintf("策略版本 %d 生效，摘要 %s", version.Number, version.Hash)); err != nil {
		a.warn(result, "变更已生效，但生效记录未能写入审计", err)
	}
	return result, nil
}

// changeTimeout bounds the writing of a change.
const changeTimeout = time.Minute

// warn notes what failed after the point of no return: an error would say that nothing was done, and lose what is shown once.
func (a *App) warn(result *applied, text string, err error) {
	result.Warnings = append(result.Warnings, text)
	a.logger.Error("after a change", zap.Int64("policy_version", result.Version), zap.Error(err))
}

// outdated selects the sessions of applications and accounts that are gone, were disabled, moved, or have another secret or
// password.
func outdated(before, after *registry.Platform) []session.Match {
	s := registry.NewSnapshot(after)
	var out []session.Match
	for _, a := range before.Applications {
		now, ok := s.Application(a.AppKey)
		if !ok || now.Disabled && !a.Disabled || now.SecretHash != a.SecretHash || now.Department != a.Department {
			out = append(out, session.Match{AppKey: a.AppKey})
		}
	}
	for _, a := range before.Accounts {
		now, ok := s.Account(a.Account)
		if !ok || now.Disabled && !a.Disabled || now.PasswordHash != a.PasswordHash || now.Department != a.Department {
			out = append(out, session.Match{Account: a.Account})
		}
	}
	return out
}

// vault hashes and seals for the registry and for login.
type vault struct{ keys *gm.Keyring }

func (v vault) HashSecret(appKey, secret string) string {
	return "hmac-sm3$" + hex.EncodeToString(v.keys.Digest(gm.PurposeSecret, []byte(appKey+"\x00"+secret)))
}

func (v vault) VerifySecret(appKey, hash, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(hash), []byte(v.HashSecret(appKey, secret))) == 1
}

// DummyHash costs what a real password hash does, so that an unknown account is not told by time.
func (v vault) DummyHash() string { return gm.PasswordHasher{}.Dummy() }

func (v vault) HashPassword(password string) (string, error) {
	return gm.PasswordHasher{}.Hash(password)
}

func (v vault) VerifyPassword(hash, password string) bool {
	return gm.PasswordHasher{}.Verify(hash, password)
}

func identityContext(account string) []byte { return []byte("account/identity_num/" + account) }

func (v vault) SealIdentity(account, identityNum string) ([]byte, error) {
	return v.keys.Seal([]byte(identityNum), identityContext(account))
}

func (v vault) OpenIdentity(account string, sealed []byte) (string, error) {
	text, err := v.keys.Open(sealed, identityContext(account))
	return string(text), err
}

// Generate returns 144 random bits with a lower-case, an upper-case letter and a digit among them.
func (v vault) Generate() (string, error) {
	b := make([]byte, 18)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b) + "Aa1", nil
}

func reportRepair(logger *zap.Logger, r audit.Repair) {
	if r.Bytes > 0 {
		logger.Warn("a torn tail of the audit journal was cut off; no confirmed record is lost",
			zap.String("segment", r.Segment), zap.Int64("bytes", r.Bytes))
	}
}

var _ caddy.Destructor = pooled{}
