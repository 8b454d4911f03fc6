// Package evidence is the form in which records leave with their proofs, and its verification by third parties who have
// nothing but the export and the log's keys. It knows no journal and depends on little.
package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"licgate/audit/ledger"
)

// An export is JSON lines: a Header, an Entry for each record, and an End. It is frozen as version 1; members are added,
// never renamed.

// Version of the format.
const Version = 1

// Header is the first line.
type Header struct {
	Version int `json:"licgate_export"`
	// Checkpoint is the signed note that all proofs lead to.
	Checkpoint string `json:"checkpoint"`
	// Keys are verifier keys as the exporter knows them. They prove nothing: whoever verifies has the log's keys from
	// elsewhere, and may compare.
	Keys []string `json:"keys,omitempty"`
	// Complete says that the entries are all records from 1 to the checkpoint's size. They need no proofs.
	Complete bool `json:"complete,omitempty"`
	// Department, when set, is that of all entries.
	Department string    `json:"department,omitempty"`
	Made       time.Time `json:"made"`
	// Earlier are checkpoints that this one goes on from, each with the proof of it.
	Earlier []Earlier `json:"earlier,omitempty"`
}

// Earlier is an earlier state of the log.
type Earlier struct {
	Size uint64 `json:"size"`
	// Proof is the consistency proof from Size to the checkpoint (RFC 6962, section 2.1.2).
	Proof []ledger.Hash `json:"proof"`
	// Note is the signed checkpoint of that size, perhaps with cosignatures; empty: whoever verifies has one.
	Note string `json:"note,omitempty"`
}

// Entry is a record with its proof.
type Entry struct {
	Sequence uint64 `json:"sequence"`
	// Proof is the inclusion proof of leaf Sequence-1 (RFC 6962, section 2.1.1).
	Proof []ledger.Hash `json:"proof,omitempty"`
	// Record is to the byte what was hashed.
	Record json.RawMessage `json:"record"`
}

// Line encodes a line of an export, its end included: members in the order of the type, no HTML escapes, no blanks. A
// line has this one spelling.
func Line(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("evidence: writing a line: %w", err)
	}
	return b.Bytes(), nil
}

// End is the last line: without it the export was cut off.
type End struct {
	Records *int `json:"records"`
}
