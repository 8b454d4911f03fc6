package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"licgate/audit"
	"licgate/audit/ledger"
)

// AuditOptions say how records are kept, signed, and brought to others. Records of a running journal go on under the segment size,
// retention and checkpoint times that it was opened with: they change with the next start.
type AuditOptions struct {
	// LogName is the log's name in checkpoints (C2SP tlog-checkpoint: origin). It must be one of its own among all logs of a witness, and
	// never changes: the first start writes it into the key file. Default: the node's name with "/audit".
	LogName string `json:"log_name,omitempty"`
	// SegmentSize is after how many bytes a new segment starts. Default 64 MiB.
	SegmentSize int64 `json:"segment_size,omitempty"`
	// Retention is after how long sealed segments are deleted, at least 180 days. Their hashes stay. Default: never.
	Retention caddy.Duration `json:"retention,omitempty"`
	// CheckpointEvery is how often a checkpoint is signed under load, CheckpointWithin how long any record waits for one at most.
	// Default 1 s and 1 min, which are also the longest.
	CheckpointEvery  caddy.Duration `json:"checkpoint_every,omitempty"`
	CheckpointWithin caddy.Duration `json:"checkpoint_within,omitempty"`
	// AnchorEvery is how often each anchor is asked at most. Default 1 min.
	AnchorEvery caddy.Duration `json:"anchor_every,omitempty"`
	// Anchors are where checkpoints are brought to.
	Anchors []AuditGuest `json:"anchors,omitempty"`
	// Sinks are where records are brought to.
	Sinks []AuditGuest `json:"sinks,omitempty"`
	// TailCheck is how often it is looked up whether who follows the records still may. Default 30 s, at most 5 min.
	TailCheck caddy.Duration `json:"tail_check,omitempty"`
	// Witness makes this gateway cosign the checkpoints of others, at the directive licgate_witness.
	Witness *WitnessOptions `json:"witness,omitempty"`
}

// AuditGuest is an anchor or a sink: a module of the namespace licgate.anchors or licgate.sinks, which is an anchor.Anchor or a
// sink.Sink, under a name of its own.
type AuditGuest struct {
	// Name is that of its files: what an anchor answered, how far a sink came. Letters, digits, hyphens and underscores.
	Name string `json:"name"`
	// Module is its configuration; the member "kind" names the module.
	Module json.RawMessage `json:"module"`
}

// WitnessOptions say whose checkpoints are cosigned.
type WitnessOptions struct {
	// Name is the witness's in its cosignatures; it never changes. Default: the node's name with "/witness".
	Name string `json:"name,omitempty"`
	// Logs are witnessed.
	Logs []WitnessedLog `json:"logs,omitempty"`
}

// WitnessedLog is a log of somebody else.
type WitnessedLog struct {
	Origin string   `json:"origin"`
	Keys   []string `json:"keys"` // verifier keys, NAME+ID+BASE64; all of them have to sign
}

// The namespaces and the member that names a guest's module.
const (
	anchorSpace = "licgate.anchors"
	sinkSpace   = "licgate.sinks"
	guestKind   = "kind"
)

// parseAuditOptions parses the block audit of the global option.
//
// Syntax:
//
//	audit {
//		log_name     <name>
//		segment_size <size>
//		retention    <duration, 180d at least>
//		checkpoint   <duration under load> <duration at most>
//		anchor_every <duration>
//		anchor       <name> <module of licgate.anchors> …
//		sink         <name> <module of licgate.sinks> …
//		tail_check   <duration, 5m at most>
//		witness [<name>] {
//			log <origin> <verifier key…>
//		}
//	}
func parseAuditOptions(d *caddyfile.Dispenser, o *AuditOptions) error {
	return section(d, func(word string) error {
		switch word {
		case "log_name":
			return optional(d, &o.LogName)
		case "segment_size":
			return size(d, &o.SegmentSize)
		case "retention":
			return duration(d, &o.Retention)
		case "anchor_every":
			return duration(d, &o.AnchorEvery)
		case "tail_check":
			return duration(d, &o.TailCheck)
		case "checkpoint":
			return parseCheckpoint(d, o)
		case "anchor":
			return parseGuest(d, anchorSpace, &o.Anchors)
		case "sink":
			return parseGuest(d, sinkSpace, &o.Sinks)
		case "witness":
			o.Witness = new(WitnessOptions)
			return o.Witness.unmarshal(d)
		}
		return unknownWord(d, word)
	})
}

func parseCheckpoint(d *caddyfile.Dispenser, o *AuditOptions) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.ArgErr()
	}
	for i, into := range []*caddy.Duration{&o.CheckpointEvery, &o.CheckpointWithin} {
		span, err := caddy.ParseDuration(args[i])
		if err != nil || span <= 0 {
			return d.Errf("%q is not a time span (such as 1s)", args[i])
		}
		*into = caddy.Duration(span)
	}
	return nil
}

func parseGuest(d *caddyfile.Dispenser, space string, into *[]AuditGuest) error {
	var guest AuditGuest
	if !d.Args(&guest.Name) || !d.NextArg() {
		return d.ArgErr()
	}
	kind := d.Val()
	module, err := caddyfile.UnmarshalModule(d, space+"."+kind)
	if err != nil {
		return err
	}
	guest.Module = caddyconfig.JSONModuleObject(module, guestKind, kind, nil)
	*into = append(*into, guest)
	return nil
}

func (w *WitnessOptions) unmarshal(d *caddyfile.Dispenser) error {
	if err := optional(d, &w.Name); err != nil {
		return err
	}
	return words(d, func(word string) error {
		if word != "log" {
			return unknownWord(d, word)
		}
		args := d.RemainingArgs()
		if len(args) < 2 {
			return d.ArgErr()
		}
		w.Logs = append(w.Logs, WitnessedLog{Origin: args[0], Keys: args[1:]})
		return nil
	})
}

// guestName is fit for files.
var guestName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// check refuses settings that do not exist.
func (o *AuditOptions) check() error {
	switch {
	case o.Retention != 0 && time.Duration(o.Retention) < audit.MinRetention:
		return errors.New("licgate: audit retention must be 180d or more (Cybersecurity Law, article 21)")
	case o.SegmentSize < 0:
		return errors.New("licgate: audit segment_size must be positive")
	case o.CheckpointEvery < 0 || time.Duration(o.CheckpointEvery) > time.Second:
		return errors.New("licgate: audit checkpoints are made every second under load, or more often")
	case o.CheckpointWithin < 0 || time.Duration(o.CheckpointWithin) > time.Minute:
		return errors.New("licgate: audit checkpoints are made within a minute, or sooner")
	case o.AnchorEvery < 0:
		return errors.New("licgate: audit anchor_every must be positive")
	case o.TailCheck < 0 || time.Duration(o.TailCheck) > 5*time.Minute:
		return errors.New("licgate: audit tail_check must be positive, and at most 5m")
	}
	for kind, guests := range map[string][]AuditGuest{"anchor": o.Anchors, "sink": o.Sinks} {
		known := map[string]bool{}
		for _, g := range guests {
			if !guestName.MatchString(g.Name) {
				return fmt.Errorf("licgate: audit %s %q: a name has letters, digits, hyphens and underscores only", kind, g.Name)
			}
			if known[g.Name] {
				return fmt.Errorf("licgate: audit %s %q stands twice", kind, g.Name)
			}
			known[g.Name] = true
		}
	}
	return nil
}

// loadGuest makes the guest's module, with what is expected of it.
func loadGuest[T any](ctx caddy.Context, g AuditGuest, space string) (T, error) {
	var none T
	var members map[string]json.RawMessage
	var kind string
	if json.Unmarshal(g.Module, &members) != nil || json.Unmarshal(members[guestKind], &kind) != nil || kind == "" {
		return none, fmt.Errorf("licgate: %s %s: the module has no kind", space, g.Name)
	}
	delete(members, guestKind)
	config, err := json.Marshal(members)
	if err != nil {
		return none, fmt.Errorf("licgate: %s %s: %w", space, g.Name, err)
	}
	module, err := ctx.LoadModuleByID(space+"."+kind, config)
	if err != nil {
		return none, fmt.Errorf("licgate: %s %s: %w", space, g.Name, err)
	}
	guest, ok := module.(T)
	if !ok {
		return none, fmt.Errorf("licgate: %s %s: %T is not what belongs there", space, g.Name, module)
	}
	return guest, nil
}

// parseVerifiers reads verifier keys.
func parseVerifiers(texts []string) ([]ledger.Verifier, error) {
	keys := make([]ledger.Verifier, 0, len(texts))
	for _, text := range texts {
		k, err := ledger.ParseKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
