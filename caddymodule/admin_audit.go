package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"licgate/audit"
	"licgate/audit/ledger"
	"licgate/licence"
)

// auditQuery selects records of this node's journal.
type auditQuery struct {
	Since         string `json:"since,omitempty"` // RFC 3339, inclusive
	Until         string `json:"until,omitempty"` // RFC 3339, exclusive
	Department    string `json:"department,omitempty"`
	App           string `json:"app,omitempty"`
	Account       string `json:"account,omitempty"`
	Interface     string `json:"interface,omitempty"`
	Item          string `json:"item,omitempty"`
	ResponseID    string `json:"response_id,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
	Outcome       string `json:"outcome,omitempty"`
	Event         string `json:"event,omitempty"` // request, attempt, admin …
	Kind          string `json:"kind,omitempty"`  // catalogue, lifecycle, use
	After         int64  `json:"after,omitempty"` // only what stands behind this sequence: the next page
	Limit         int    `json:"limit,omitempty"` // the first so many; 0: all
}

func (q auditQuery) query() (audit.Query, error) {
	if fault := q.mistyped(); fault != "" {
		return audit.Query{}, adminError(http.StatusBadRequest, "%s", fault)
	}
	out := audit.Query{
		Department: q.Department, App: q.App, Account: q.Account, Interface: q.Interface, Item: q.Item,
		ResponseID: q.ResponseID, CorrelationID: q.CorrelationID, Outcome: q.Outcome, Event: q.Event, Kind: q.Kind, After: uint64(max(q.After, 0)), Limit: q.Limit,
	}
	var errs [2]error
	out.Since, errs[0] = instant(q.Since)
	out.Until, errs[1] = instant(q.Until)
	return out, errors.Join(errs[:]...)
}

// about says which records were asked for.
func (q auditQuery) about(*adminCall) string {
	filters, err := queryValues(q)
	if err != nil {
		return ""
	}
	return shownUpTo(filters, longestRemark)
}

// instant reads a time; "" is none.
func instant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, adminError(http.StatusBadRequest, "since、until 应为 RFC 3339 时间，例如 2026-01-02T15:04:05+08:00")
	}
	return t, nil
}

// records streams records as JSON lines, without a look at any index.
func (c *adminCall) records(q auditQuery) (any, error) {
	query, err := q.query()
	if err != nil {
		return nil, err
	}
	return stream(func(w http.ResponseWriter) error {
		_, err := audit.Export(c.r.Context(), c.app.auditFolder(), query, w)
		return err
	}), nil
}

// auditSearch selects records also by what stands in them as keyed hashes. It comes in a body: neither stands in any URL or log.
type auditSearch struct {
	auditQuery
	Licence string `json:"licence,omitempty"` // 电子证照编码
	// Identity is a holder's identity number: found is who asked by it, and who touched one of his licences, whatever
	// became of it; deleted ones are found by their code alone.
	Identity string `json:"identity,omitempty"`
}

// about says about whom, too, as records name him.
func (q auditSearch) about(c *adminCall) string {
	about := q.auditQuery.about(c)
	if q.Licence != "" {
		about += " licence=" + c.app.gateway.auditHash("licence", q.Licence)
	}
	if q.Identity != "" {
		about += " identity=" + c.app.gateway.auditHash("identity", licence.NormaliseIdentity(q.Identity))
	}
	return about
}

// searchAudit streams the selected records.
func (c *adminCall) searchAudit(q auditSearch) (any, error) {
	query, err := q.query()
	if err != nil {
		return nil, err
	}
	if q.Licence != "" {
		query.Licence = c.app.gateway.auditHash("licence", q.Licence)
	}
	if q.Identity != "" {
		if query.About, err = c.aboutHolder(licence.NormaliseIdentity(q.Identity)); err != nil {
			return nil, err
		}
	}
	return stream(func(w http.ResponseWriter) error {
		return audit.Search(c.r.Context(), c.app.auditFolder(), query, func(_ *audit.Record, payload []byte) error {
			_, err := w.Write(append(slices.Clip(payload), '\n'))
			return err
		})
	}), nil
}

// maxHeld bounds how many licences a search looks for at once.
const maxHeld = 10_000

// aboutHolder names a holder as records do: by the number, and by each of his licences.
func (c *adminCall) aboutHolder(number string) (*audit.About, error) {
	g := c.app.gateway
	about := &audit.About{Identity: g.auditHash("identity", number)}
	const page = 500
	for after := ""; ; {
		codes, err := g.licences.EverHeld(c.r.Context(), number, after, page)
		if err != nil {
			return nil, fmt.Errorf("finding the holder's licences: %w", err)
		}
		for _, code := range codes {
			about.Licences = append(about.Licences, g.auditHash("licence", code))
		}
		if len(about.Licences) > maxHeld {
			return nil, adminError(http.StatusUnprocessableEntity, "此人的证照超过 %d 份，不能一次检索，请以证照编码（licence）分别检索", maxHeld)
		}
		if len(codes) < page {
			return about, nil
		}
		after = codes[len(codes)-1]
	}
}

// auditExport selects records that leave with proofs, for a third party.
type auditExport struct {
	auditQuery
	Complete bool     `json:"complete,omitempty"` // all records, for who checks the whole log; no query then
	From     []uint64 `json:"from,omitempty"`     // sizes of checkpoints that the receiver keeps
}

// exportAudit streams records with their proofs (package audit/evidence).
func (c *adminCall) exportAudit(q auditExport) (any, error) {
	query, err := q.query()
	if err != nil {
		return nil, err
	}
	if c.app.gateway.journal.Checkpoint() == nil {
		return nil, audit.ErrNoCheckpoint
	}
	if q.Complete && query != (audit.Query{}) {
		return nil, audit.ErrIncomplete
	}
	return stream(func(w http.ResponseWriter) error {
		o := audit.ProofOptions{Query: query, Complete: q.Complete, Since: q.From}
		proven, err := audit.ExportProofs(c.r.Context(), c.app.auditFolder(), o, w)
		if proven.Waiting > 0 {
			w.Header().Set(auditWaiting, strconv.Itoa(proven.Waiting))
		}
		return err
	}), nil
}

// proveRecord streams the proof of what was recorded of one request.
func (c *adminCall) proveRecord(nothing) (any, error) {
	proof, err := audit.Prove(c.r.Context(), c.app.auditFolder(), c.path["response_id"])
	if err != nil {
		return nil, err
	}
	return stream(func(w http.ResponseWriter) error {
		_, err := w.Write(proof)
		return err
	}), nil
}

// auditKeys are what others check this node's notes by. They exist before the first checkpoint does: who sets up a witness asks then.
type auditKeys struct {
	Keys []string `json:"keys"` // verifier keys, to be kept elsewhere
	// WitnessKeys are those of this gateway as a witness, for the anchors of others.
	WitnessKeys []string `json:"witness_keys,omitempty"`
}

func (c *adminCall) auditKeys(nothing) (auditKeys, error) {
	options, err := c.app.journalOptions()
	if err != nil {
		return auditKeys{}, err
	}
	out := auditKeys{Keys: verifierKeys(options.Ledger.Signers)}
	if c.app.Audit.Witness == nil {
		return out, nil
	}
	cosigners, err := c.app.cosigners()
	out.WitnessKeys = verifierKeys(cosigners)
	return out, err
}

// auditCheckpoint is the newest signed state of this node's log.
type auditCheckpoint struct {
	Note   string      `json:"note"` // signed (C2SP tlog-checkpoint)
	Origin string      `json:"origin"`
	Size   uint64      `json:"size"`
	Root   ledger.Hash `json:"root"`
	Time   time.Time   `json:"time"`
	auditKeys
	Guests []guestState `json:"guests"` // how anchors and sinks are doing
}

func (c *adminCall) checkpoint(nothing) (auditCheckpoint, error) {
	signed := c.app.gateway.journal.Checkpoint()
	if signed == nil {
		return auditCheckpoint{}, audit.ErrNoCheckpoint
	}
	keys, err := c.auditKeys(nothing{})
	return auditCheckpoint{
		Note: string(signed.Note), Origin: signed.Origin, Size: signed.Size, Root: signed.Root, Time: signed.Time,
		auditKeys: keys, Guests: c.app.outward.states(),
	}, err
}

// auditRetirement deletes what is past retention, or only looks.
type auditRetirement struct {
	Keep   string `json:"keep,omitempty"` // a duration such as 365d; default: the configured one
	DryRun bool   `json:"dry_run,omitempty"`
}

func (c *adminCall) retireAudit(q auditRetirement) (audit.Retired, error) {
	keep := time.Duration(c.app.Audit.Retention)
	if q.Keep != "" {
		var err error
		if keep, err = parseSpan(q.Keep); err != nil {
			return audit.Retired{}, adminError(http.StatusBadRequest, "保存期不正确，例如 365d")
		}
	}
	if keep == 0 {
		return audit.Retired{}, adminError(http.StatusConflict, "没有配置 retention，也没有给出保存期")
	}
	return c.app.gateway.journal.Retire(c.r.Context(), keep, q.DryRun)
}

// cursorFolder is where sinks note how far they came.
func (a *App) cursorFolder() string { return filepath.Join(a.auditFolder(), "sinks") }
