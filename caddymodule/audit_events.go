package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"licgate/audit"
	"licgate/protocol"
	"licgate/registry"
)

// recordStart records that the gateway starts, or that a running one takes a configuration: with a keyed hash of it, as it may hold
// passwords.
func (a *App) recordStart(version int64) error {
	config, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encoding the configuration: %w", err)
	}
	event := audit.EventStart
	if running.Load() != nil {
		event = audit.EventConfig
	}
	return a.event(event, fmt.Sprintf("策略版本 %d，配置 %s，程序 %s", version, a.gateway.auditHash("config", string(config)), productVersion()))
}

// recordStop records that the gateway stops, behind what it refused. An app that gives way to another one does not: that one's start says
// it, and refusals are counted on.
func (a *App) recordStop() error {
	if running.Load() != nil {
		return nil
	}
	return errors.Join(a.gateway.refusals.Flush(), a.event(audit.EventStop, ""))
}

// kindOf flags what the ledger of a licence platform is about (standard 5.4.3).
func (t *trip) kindOf() string {
	endpoint := t.endpoint
	if t.call != nil {
		endpoint = t.call.Endpoint // of a route of the guard, that whose act it is
	}
	switch {
	case endpoint == nil:
		return ""
	case endpoint.Changes():
		return audit.KindLifeCycle
	}
	switch endpoint.Interface {
	case protocol.Login, protocol.Logout, protocol.GetCurrentUser, protocol.List:
		return ""
	}
	return audit.KindUse
}

// kindOfChanges flags a change of the catalogue.
func kindOfChanges(changes []registry.Change) string {
	if slices.ContainsFunc(changes, func(c registry.Change) bool { return c.Kind == "item" }) {
		return audit.KindCatalogue
	}
	return ""
}

// durations are the parts of the request's time until now, as far as it came.
func (t *trip) durations() *audit.Durations {
	part := func(from, to stage) float64 {
		if t.reached[from] == 0 {
			return 0
		}
		end := t.reached[to]
		if end == 0 {
			end = time.Since(t.arrived)
		}
		return millis(end - t.reached[from])
	}
	d := audit.Durations{Session: part(stageSession, stageLimit), Decide: part(stageAuthorize, stageMask)}
	if at := t.reached[stageMask]; at != 0 {
		d.Serve = millis(time.Since(t.arrived) - at)
	}
	if d == (audit.Durations{}) {
		return nil
	}
	return &d
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// durable is what the answer waits for. What makes or changes a licence, or anything behind a guard, is strict on any route.
func (w *recorder) durable() audit.Durability {
	if w.trip.record.Kind == audit.KindLifeCycle || w.trip.writes(w.request) {
		return audit.Strict
	}
	return w.durability
}
