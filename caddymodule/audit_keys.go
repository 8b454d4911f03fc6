package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"licgate/audit"
	"licgate/audit/ledger"
	"licgate/audit/witness"
	"licgate/gm"
)

// Files of signing keys. Each node has a log and keys of its own, whereas all nodes of a platform have the same keys folder: two logs under
// one key would look like a fork.
const (
	signingFolder  = "signing"
	logKeyFile     = "audit-log.key"
	witnessKeyFile = "witness.key"
)

// signingKeys opens the key file of a log or a witness. Without a name it goes on under that in the file: a log that changed its
// name would look like another one, and a host's name may change.
func (a *App) signingKeys(file, name, suffix string) (*ledger.KeyPair, error) {
	folder := filepath.Join(a.Data, signingFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, file)
	if info, err := os.Lstat(path); err == nil && info.Mode().Perm()&openToOthers != 0 {
		return nil, keyFault(fmt.Errorf("%w: %s has %#o", gm.ErrKeyFileOpen, path, info.Mode().Perm()))
	}
	if name == "" {
		var err error
		if name, err = ledger.KeysName(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return ledger.OpenKeys(path, cmp.Or(name, nodeName(a.Node)+suffix), nil)
}

// nodeName is a node's name as it may stand in a key's.
func nodeName(node string) string {
	return strings.Join(strings.FieldsFunc(node, func(r rune) bool { return r == '+' || r == ' ' || r == '\t' }), "-")
}

// journalOptions are those of the journal, with the keys that sign checkpoints.
func (a *App) journalOptions() (audit.Options, error) {
	o := a.Audit
	pair, err := a.signingKeys(logKeyFile, o.LogName, "/audit")
	if err != nil {
		return audit.Options{}, fmt.Errorf("keys of the audit log: %w", err)
	}
	signers, err := pair.LogSigners()
	if err != nil {
		return audit.Options{}, fmt.Errorf("keys of the audit log: %w", err)
	}
	return audit.Options{
		Node: a.Node, SegmentSize: o.SegmentSize, Retention: time.Duration(o.Retention),
		Ledger: &audit.LedgerOptions{
			Signers: signers, Busy: time.Duration(o.CheckpointEvery), Within: time.Duration(o.CheckpointWithin),
		},
	}, nil
}

// openWitness opens what cosigns others' checkpoints. Its folder is one process's: it stays open across reloads.
func (a *App) openWitness(g *gateway) (*witness.Witness, error) {
	cosigners, err := a.cosigners()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(a.Data, "witness")
	return take(g, "witness:"+dir, func() (*witness.Witness, func() error, error) {
		w, err := witness.New(dir, nil, cosigners, nil)
		return w, nil, err
	})
}

// cosigners sign for this gateway as a witness.
func (a *App) cosigners() ([]ledger.Signer, error) {
	pair, err := a.signingKeys(witnessKeyFile, a.Audit.Witness.Name, "/witness")
	if err != nil {
		return nil, err
	}
	return pair.Cosigners(time.Now)
}

// verifierKeys are what others need to know of signers.
func verifierKeys(signers []ledger.Signer) (keys []string) {
	for _, s := range signers {
		keys = append(keys, s.Key)
	}
	return keys
}

// witnessed are the logs that are to be witnessed.
func (w *WitnessOptions) witnessed() ([]witness.Log, error) {
	var logs []witness.Log
	for _, l := range w.Logs {
		keys, err := parseVerifiers(l.Keys)
		if err != nil {
			return nil, fmt.Errorf("witnessed log %s: %w", l.Origin, err)
		}
		logs = append(logs, witness.Log{Origin: l.Origin, Keys: keys})
	}
	return logs, nil
}

// behindAfter is how long records may wait for a checkpoint until somebody is told: it is made within a minute.
const behindAfter = 2 * time.Minute

// behind returns nil, or why records are not under a checkpoint in time.
func (a *App) behind() error {
	stats := a.gateway.journal.Stats()
	if stats.TreeFault == nil && stats.TreeLag > behindAfter {
		return fmt.Errorf("%d records are not under a checkpoint", stats.Sequence-stats.TreeSize)
	}
	return stats.TreeFault
}
