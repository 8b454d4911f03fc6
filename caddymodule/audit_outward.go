package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"licgate/audit"
	"licgate/audit/anchor"
	"licgate/audit/sink"
	"licgate/audit/witness"
)

// outward is what brings checkpoints and records to others, and what is done for others: as one configuration has it.
type outward struct {
	anchors []*anchor.Anchorage
	sinks   []*sink.Forwarder
	witness *witness.Witness // nil: this gateway is none
	logs    []witness.Log    // that it witnesses
	turns   map[string]turn  // by file name
	running sync.WaitGroup
}

// turn is held by who writes a guest's files: after a reload the new configuration waits until the old one let go.
type turn chan struct{}

// openOutward makes what the configuration names. Nothing runs yet.
func openOutward(ctx caddy.Context, a *App, g *gateway) (*outward, error) {
	out := &outward{turns: map[string]turn{}}
	folder := a.auditFolder()
	for _, guest := range a.Audit.Anchors {
		to, err := loadGuest[anchor.Anchor](ctx, guest, anchorSpace)
		if err != nil {
			return nil, err
		}
		out.anchors = append(out.anchors, &anchor.Anchorage{
			Name: guest.Name, Log: g.journal, Anchor: to, Dir: audit.AnchorsDir(folder), Every: time.Duration(a.Audit.AnchorEvery),
		})
		if err := out.queue(g, anchorSpace, folder, guest.Name); err != nil {
			return nil, err
		}
	}
	for _, guest := range a.Audit.Sinks {
		to, err := loadGuest[sink.Sink](ctx, guest, sinkSpace)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(a.cursorFolder(), 0o700); err != nil {
			return nil, fmt.Errorf("licgate: folder of sinks: %w", err)
		}
		out.sinks = append(out.sinks, &sink.Forwarder{
			Name: guest.Name, Source: g.journal.Follow, Sink: to, Cursor: filepath.Join(a.cursorFolder(), guest.Name+".cursor"),
		})
		if err := out.queue(g, sinkSpace, folder, guest.Name); err != nil {
			return nil, err
		}
	}
	if a.Audit.Witness == nil {
		return out, nil
	}
	var err error
	if out.logs, err = a.Audit.Witness.witnessed(); err == nil {
		out.witness, err = a.openWitness(g)
	}
	if err != nil {
		return nil, fmt.Errorf("licgate: witness: %w", err)
	}
	return out, nil
}

func (o *outward) queue(g *gateway, space, folder, name string) error {
	t, err := take(g, "turn:"+space+":"+folder+":"+name, func() (turn, func() error, error) { return make(turn, 1), nil, nil })
	o.turns[space+name] = t
	return err
}

// takeOver makes the witness, which stays open across reloads, cosign for these logs.
func (o *outward) takeOver() error {
	if o.witness == nil {
		return nil
	}
	if err := o.witness.SetLogs(o.logs); err != nil {
		return fmt.Errorf("licgate: witness: %w", err)
	}
	return nil
}

// start runs all of it until ctx ends.
func (o *outward) start(ctx context.Context, logger *zap.Logger) {
	for _, a := range o.anchors {
		o.run(ctx, logger, anchorSpace, a.Name, a.Run)
	}
	for _, s := range o.sinks {
		o.run(ctx, logger, sinkSpace, s.Name, func(ctx context.Context) error { return errors.Join(s.Run(ctx), s.Sink.Close()) })
	}
	o.running.Go(func() { o.watch(ctx, logger) })
}

// wait lets what runs end, for a while: a file system that hangs must not keep the gateway from stopping.
func (o *outward) wait() {
	ended := make(chan struct{})
	go func() {
		o.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(endWithin):
	}
}

const endWithin = 5 * time.Second

func (o *outward) run(ctx context.Context, logger *zap.Logger, space, name string, run func(context.Context) error) {
	t := o.turns[space+name]
	o.running.Go(func() {
		select {
		case t <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-t }()
		if err := run(ctx); ctx.Err() == nil {
			logger.Error("an anchor or sink of audit records ended", zap.String("space", space), zap.String("name", name), zap.Error(err))
		}
	})
}

// Words of what is known of an anchor, a sink, or all of them.
const (
	wellWord   = "ok"
	downWord   = "down"
	forkedWord = "forked" // somebody else has a checkpoint that this log does not go on from
)

func word(failing error) string {
	switch {
	case failing == nil:
		return wellWord
	case errors.Is(failing, anchor.ErrForked):
		return forkedWord
	}
	return downWord
}

// guestState is how one is doing.
type guestState struct {
	Kind  string    `json:"kind"` // anchor or sink
	Name  string    `json:"name"`
	State string    `json:"state"`
	Size  uint64    `json:"size"`            // records that it has, or that its checkpoint covers
	Time  time.Time `json:"time,omitzero"`   // of what it has
	Since time.Time `json:"since,omitzero"`  // it fails
	Cause string    `json:"cause,omitempty"` // why
}

// states are how all are doing.
func (o *outward) states() []guestState {
	list := []guestState{}
	add := func(s guestState, failing error) {
		if s.State = word(failing); failing != nil {
			s.Cause = failing.Error()
		}
		list = append(list, s)
	}
	for _, a := range o.anchors {
		s := a.Status()
		add(guestState{Kind: "anchor", Name: a.Name, Size: s.Size, Time: s.Time, Since: s.FailedAt}, s.Failing)
	}
	for _, f := range o.sinks {
		s := f.Status()
		add(guestState{Kind: "sink", Name: f.Name, Size: s.Sent, Since: s.FailedAt}, s.Failing)
	}
	return list
}

// worst is the worst of a kind; "" when there are none.
func (o *outward) worst(kind string) string {
	worst := ""
	for _, s := range o.states() {
		if s.Kind == kind && (worst == "" || worst == wellWord || s.State == forkedWord) {
			worst = s.State
		}
	}
	return worst
}

// witnessed is what is on file of all witnessed logs together.
func (o *outward) witnessed() (all witness.Status) {
	if o.witness != nil {
		for _, s := range o.witness.Status() {
			all.Evidence, all.Unproven, all.Refused = all.Evidence+s.Evidence, all.Unproven+s.Unproven, all.Refused+s.Refused
		}
	}
	return all
}

// watchEvery is how soon a failure is told of.
const watchEvery = 2 * time.Second

// refusalsEvery bounds how often it is told that strangers ask the witness.
const refusalsEvery = time.Hour

// watch tells the operator, once, when an anchor or a sink fails, is well again, or somebody else's log forked.
func (o *outward) watch(ctx context.Context, logger *zap.Logger) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	told, before := map[string]string{}, o.witnessed()
	refusals := time.NewTicker(refusalsEvery)
	defer refusals.Stop()
	refused := before.Refused
	for {
		select {
		case <-ctx.Done():
			return
		case <-refusals.C:
			if n := o.witnessed().Refused; n > refused {
				logger.Warn("audit: checkpoints came in the name of a witnessed log, and are not signed by it; refused", zap.Uint64("count", n-refused))
				refused = n
			}
			continue
		case <-ticker.C:
		}
		for _, s := range o.states() {
			if cmp.Or(told[s.Kind+s.Name], wellWord) == s.State {
				continue
			}
			told[s.Kind+s.Name] = s.State
			facts := []zap.Field{zap.String("kind", s.Kind), zap.String("name", s.Name), zap.Uint64("size", s.Size), zap.String("cause", s.Cause)}
			switch s.State {
			case wellWord:
				logger.Info("audit: an anchor or sink is well again", facts...)
			case forkedWord:
				logger.Error("audit: an anchor has a checkpoint that this log does not go on from: the log was rewritten, rolled back, or another one has its keys", facts...)
			default:
				logger.Error("audit: an anchor or sink fails; records are kept, nothing waits for it", facts...)
			}
		}
		now := o.witnessed()
		if now.Evidence > before.Evidence {
			logger.Error("audit: a witnessed log forked or was rolled back; the evidence is kept under witness/evidence", zap.Int("evidence", now.Evidence))
		}
		if now.Unproven > before.Unproven {
			logger.Warn("audit: a witnessed log signed a checkpoint that came without a proof that holds: it forked, or somebody sent a bogus proof; "+
				"ask who runs the log; both checkpoints are kept under witness/evidence", zap.Int("unproven", now.Unproven))
		}
		before = now
	}
}
