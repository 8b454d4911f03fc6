package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"licgate/audit/evidence"
	"licgate/audit/ledger"
)

// ProofOptions say what an export with proofs holds.
type ProofOptions struct {
	Query
	// Complete exports all records, for a third party that checks the whole log. The query must be empty.
	Complete bool
	// Since are sizes of checkpoints that the receiver keeps: consistency proofs from them are added.
	Since []uint64
	// Now is the wall clock; nil: time.Now.
	Now func() time.Time
}

// Proven says what ExportProofs wrote.
type Proven struct {
	Records int
	// Waiting is how many selected records are not yet under a checkpoint, and so not in the export.
	Waiting int
}

// Errors of ExportProofs.
var (
	// ErrNoCheckpoint says that no checkpoint was made yet.
	ErrNoCheckpoint = errors.New("audit: there is no checkpoint yet")
	// ErrIncomplete says that a complete export cannot be made, because records were deleted past retention or are damaged,
	// or because a query limits it.
	ErrIncomplete = errors.New("audit: not all records can be exported")
	// ErrAhead says that the receiver's checkpoint is larger than the newest one.
	ErrAhead = errors.New("audit: the checkpoint to start from is ahead of the log")
	// ErrNoRecord says that no record is of that request.
	ErrNoRecord = errors.New("audit: no such record")
	// ErrNotCovered says that a record is not yet under a checkpoint; it is within a minute.
	ErrNotCovered = errors.New("audit: the record is not yet under a checkpoint")
)

// Prove returns the export that proves what was recorded of one request: its record and those of its attempts.
func Prove(ctx context.Context, dir, responseID string) ([]byte, error) {
	var b bytes.Buffer
	o := ProofOptions{Query: Query{ResponseID: responseID, WithAttempts: true}, Now: time.Now}
	proven, err := exportProofs(ctx, disk{}, dir, o, search, &b)
	switch {
	case responseID == "" || err == nil && proven == Proven{}:
		err = ErrNoRecord
	case err == nil && proven.Waiting > 0:
		err = ErrNotCovered
	}
	if err != nil {
		return nil, fmt.Errorf("audit: proving %s: %w", responseID, err)
	}
	return b.Bytes(), nil
}

// ExportProofs writes the selected records with inclusion proofs in the format of package evidence. With a department in
// the query the export is of that department alone. It works on a running or stopped gateway. Like Export it reads past
// damage and returns ErrDamaged then.
func ExportProofs(ctx context.Context, dir string, o ProofOptions, w io.Writer) (Proven, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Complete && o.Query != (Query{}) {
		return Proven{}, fmt.Errorf("audit: exporting proofs: %w", ErrIncomplete)
	}
	proven, err := exportProofs(ctx, disk{}, dir, o, selectRecords, w)
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("audit: exporting proofs: %w", err)
	}
	return proven, err
}

// finder is how records are found: selectRecords or search.
type finder func(ctx context.Context, system fileSystem, dir string, q Query, visit func(r *Record, payload []byte) error) error

func exportProofs(ctx context.Context, system fileSystem, dir string, o ProofOptions, find finder, w io.Writer) (Proven, error) {
	head, header, err := proofHeader(system, dir)
	if err != nil {
		return Proven{}, err
	}
	p := prover{to: w, complete: o.Complete, tiles: ledger.OpenTiles(treeFiles{system: system, dir: filepath.Join(dir, treeDir)}, head.Size), size: head.Size}
	header.Complete, header.Department, header.Made = o.Complete, o.Department, o.Now().UTC().Truncate(time.Second)
	if err := p.addEarlier(&header, o.Since, system, dir); err != nil {
		return Proven{}, err
	}
	if err := p.line(header); err != nil {
		return Proven{}, err
	}
	selectErr := find(ctx, system, dir, o.Query, p.record)
	if selectErr != nil && !errors.Is(selectErr, ErrDamaged) {
		return p.proven, selectErr
	}
	if o.Complete && uint64(p.proven.Records) != head.Size {
		return p.proven, errors.Join(ErrIncomplete, selectErr)
	}
	return p.proven, errors.Join(p.line(evidence.End{Records: &p.proven.Records}), selectErr)
}

// proofHeader reads the newest checkpoint and the keys.
func proofHeader(system fileSystem, dir string) (ledger.Signed, evidence.Header, error) {
	tree := filepath.Join(dir, treeDir)
	text, err := readWhole(system, filepath.Join(tree, keysName))
	if err != nil {
		return ledger.Signed{}, evidence.Header{}, err
	}
	keys, err := ledger.ParseKeys(string(text))
	if err != nil {
		return ledger.Signed{}, evidence.Header{}, err
	}
	head, err := readCheckpoint(system, dir, keys)
	if err != nil {
		return ledger.Signed{}, evidence.Header{}, err
	}
	if head == nil {
		return ledger.Signed{}, evidence.Header{}, ErrNoCheckpoint
	}
	header := evidence.Header{Version: evidence.Version, Checkpoint: string(head.Note)}
	for _, k := range keys {
		header.Keys = append(header.Keys, k.Key)
	}
	return *head, header, nil
}

// prover writes entries.
type prover struct {
	to       io.Writer
	complete bool
	tiles    *ledger.Tiles
	size     uint64
	proven   Proven
}

func (p *prover) line(v any) error {
	line, err := evidence.Line(v)
	if err != nil {
		return err
	}
	if _, err := p.to.Write(line); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	return nil
}

// addEarlier adds the consistency proofs that were asked for, and the newest checkpoint that each witness signed.
func (p *prover) addEarlier(header *evidence.Header, since []uint64, system fileSystem, dir string) error {
	if len(since) > 0 && slices.Max(since) > p.size {
		return ErrAhead
	}
	notes := make(map[uint64]string)
	receipts, err := newestCosigned(system, dir)
	if err != nil {
		return err
	}
	for _, r := range receipts {
		if c, err := checkpointOf(r.Note); err == nil && c.Size <= p.size {
			notes[c.Size] = string(r.Note)
			since = append(since, c.Size)
		}
	}
	slices.Sort(since)
	for _, size := range slices.Compact(since) {
		if size == 0 {
			continue // nothing to prove
		}
		path, err := p.tiles.Consistency(size, p.size)
		if err != nil {
			return err
		}
		header.Earlier = append(header.Earlier, evidence.Earlier{Size: size, Proof: path, Note: notes[size]})
	}
	return nil
}

// checkpointOf reads a note whose signatures others will check.
func checkpointOf(text []byte) (ledger.Checkpoint, error) {
	body, _, _ := bytes.Cut(text, []byte("\n\n"))
	return ledger.ParseCheckpoint(string(body) + "\n")
}

func (p *prover) record(r *Record, payload []byte) error {
	if r.Sequence > p.size {
		p.proven.Waiting++
		return nil
	}
	e := evidence.Entry{Sequence: r.Sequence, Record: json.RawMessage(payload)}
	if !p.complete {
		path, err := p.tiles.Inclusion(r.Sequence-1, p.size)
		if err != nil {
			return err
		}
		e.Proof = path
	}
	p.proven.Records++
	return p.line(e)
}
