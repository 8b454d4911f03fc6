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

	"licgate/audit/ledger"
)

// Report is what Verify found.
type Report struct {
	Segments int    `json:"segments"`
	Records  uint64 `json:"records"`
	Last     string `json:"last"`              // hex chain value of the last record
	Torn     int64  `json:"torn,omitempty"`    // bytes at the end that a writer may still complete, or opening will cut
	Retired  uint64 `json:"retired,omitempty"` // records deleted past retention; their hashes were verified
	Skipped  uint64 `json:"skipped,omitempty"` // records from before Since, of which the hashes were verified, not the records

	// Checkpoints is how many signed checkpoints were compared. Covered is the size of the largest that agrees, Root its
	// root, and Cosigners the witnesses whose signatures on one of that size or less were verified.
	Checkpoints int          `json:"checkpoints,omitempty"`
	Covered     uint64       `json:"covered,omitempty"`
	Root        *ledger.Hash `json:"root,omitempty"`
	Cosigners   []string     `json:"cosigners,omitempty"`
	// Pinned says that the log's keys came from outside of the journal's folder.
	Pinned bool `json:"pinned,omitempty"`

	Fault *Fault `json:"fault,omitempty"`
}

// Fault is the first place where the journal is not what was written.
type Fault struct {
	File     string `json:"file"`
	Offset   int64  `json:"offset"`
	Sequence uint64 `json:"sequence"` // that stands, or should stand, there
	Cause    string `json:"cause"`    // Chinese
}

// VerifyOptions say what is known from elsewhere.
type VerifyOptions struct {
	// Keys are the verifier keys of the log and of its witnesses. Without one of the log, those beside the tree are
	// believed: that finds accidents, and whoever has no key, but not who put keys of his own there.
	Keys []ledger.Verifier
	// Checkpoints are signed checkpoints that others kept: receipts of anchors, exports, printed ones. They find a journal
	// that was rewritten whole, and signed again.
	Checkpoints []KeptCheckpoint
	// Indexes makes the indexes again and compares them: an index that hides records from Search is a fault.
	Indexes bool
	// Since leaves out segments all of whose records are from before: their hashes are taken from the tree's files, and compared with
	// the checkpoints, but nobody looks whether the records are still those. Zero: none.
	Since time.Time
	// Progress is told now and then up to which record it came, and to which it will; nil: nobody is. Records that come meanwhile are read
	// too.
	Progress func(seen, total uint64)
}

// KeptCheckpoint is a signed checkpoint and where it was kept, for the fault.
type KeptCheckpoint struct {
	Source string
	Note   []byte
}

// Verify reads everything under dir, works on a running or stopped gateway, and reports the first fault: frames, chain,
// head, tree, checkpoints and receipts of anchors. A torn tail that a running writer may still complete is no fault.
//
// It is VerifyWith nothing from elsewhere: who can write the folder and has the log's keys can rewrite all of it.
func Verify(ctx context.Context, dir string) (Report, error) {
	return VerifyWith(ctx, dir, VerifyOptions{})
}

// VerifyWith is Verify with what is known from elsewhere.
func VerifyWith(ctx context.Context, dir string, o VerifyOptions) (Report, error) {
	report, err := verify(ctx, disk{}, dir, o)
	if err != nil {
		return Report{}, fmt.Errorf("audit: verifying: %w", err)
	}
	return report, nil
}

func verify(ctx context.Context, system fileSystem, dir string, o VerifyOptions) (Report, error) {
	v := verifier{system: system, dir: dir, indexes: o.Indexes, progress: o.Progress}
	// Head and checkpoints first: the records that they speak of are there by then.
	fault, err := v.readEvidence(o)
	if err != nil {
		return Report{}, err
	}
	names, err := segments(system, dir)
	if err != nil {
		return Report{}, err
	}
	from := 0
	if !o.Since.IsZero() {
		if from, err = v.begin(names, o.Since); err != nil {
			return Report{}, err
		}
		v.skipped = from > 0
	}
	v.expect(names)
	for i, name := range names[from:] {
		if err := v.segment(ctx, name, from+i == len(names)-1); err != nil {
			return Report{}, err
		}
		if v.report.Fault != nil {
			return v.report, nil
		}
	}
	v.report.Fault = fault
	for _, check := range []func() (*Fault, error){
		func() (*Fault, error) { return v.headFault(len(names)), nil }, v.retiredFault, v.tree.finish,
	} {
		if v.report.Fault != nil {
			break
		}
		if v.report.Fault, err = check(); err != nil {
			return Report{}, err
		}
	}
	v.tree.describe(&v.report)
	return v.report, v.tree.close()
}

// verifier walks the journal from its first record.
type verifier struct {
	system  fileSystem
	dir     string
	noted   *head
	heads   []*head // noted, those set aside, and where records were deleted
	retired *retired
	deleted []deletion
	tree    *treeVerifier
	at      place  // behind what was read
	file    string // read last
	size    int64
	indexes bool
	skipped bool // segments before the first that is read
	report  Report

	progress func(seen, total uint64)
	total    uint64 // up to where there are records, as far as was known when it began
}

// progressEvery is how many records are read between two words of it.
const progressEvery = 4096

// expect finds out how far there is to go.
func (v *verifier) expect(names []string) {
	if len(names) > 0 {
		v.total = segmentFirst(names[len(names)-1])
	}
	if v.noted != nil {
		v.total = max(v.total, v.noted.Sequence)
	}
	if v.tree.stored != nil {
		v.total = max(v.total, v.tree.stored.size)
	}
	v.tell()
}

func (v *verifier) tell() {
	if v.progress != nil {
		v.progress(v.at.sequence, max(v.total, v.at.sequence))
	}
}

// begin finds the segment from which on records are read: the last one whose first record is from before since, and of which the
// tree's files have all hashes before it.
func (v *verifier) begin(names []string, since time.Time) (int, error) {
	if v.tree.stored == nil {
		return 0, nil
	}
	for i := len(names) - 1; i > 0; i-- {
		if segmentFirst(names[i])-1 > v.tree.stored.size {
			continue
		}
		s, err := openSegment(v.system, v.dir, names[i])
		if err != nil {
			return 0, err
		}
		f, damage, err := s.next(s.first())
		found := err == nil && damage == nil && s.broken == "" && f.time().Before(since)
		if err == io.EOF {
			err = nil
		}
		if err = errors.Join(err, s.close()); err != nil || found {
			return i, err
		}
	}
	return 0, nil
}

// deletion is an EventRetire record.
type deletion struct {
	retirement
	record Record
}

// readEvidence reads all but the records. A fault in it is told only when the records have none, which has a place.
func (v *verifier) readEvidence(o VerifyOptions) (*Fault, error) {
	noted, fault, err := readHead(v.system, v.dir, headName)
	if err != nil {
		return nil, err
	}
	kept, keptFault, err := keptHeads(v.system, v.dir)
	if err != nil {
		return nil, err
	}
	gone, goneFault, err := readRetired(v.system, v.dir)
	if err != nil {
		return nil, err
	}
	v.noted, v.heads, v.retired = noted, append(kept, noted), gone
	if gone != nil {
		v.heads = append(v.heads, &head{Sequence: gone.Last, Chain: gone.Chain})
	}
	tree, treeFault, err := newTreeVerifier(v.system, v.dir, o)
	if err != nil {
		return nil, err
	}
	v.tree = tree
	return firstFault(fault, keptFault, goneFault, treeFault), nil
}

func (v *verifier) fault(file string, offset int64, cause string) {
	v.report.Fault = &Fault{File: file, Offset: offset, Sequence: v.at.sequence + 1, Cause: cause}
}

func (v *verifier) segment(ctx context.Context, name string, last bool) error {
	s, err := openSegment(v.system, v.dir, name)
	if err != nil {
		return err
	}
	if err := errors.Join(v.scan(ctx, s, last), s.close()); err != nil || !v.indexes || last || v.report.Fault != nil {
		return err
	}
	return v.index(name)
}

// index makes the index of a segment again.
func (v *verifier) index(name string) error {
	stored, err := readAll(v.system, filepath.Join(v.dir, name+indexSuffix))
	if err != nil || stored == nil {
		return err
	}
	s, err := openSegment(v.system, v.dir, name)
	if err != nil {
		return err
	}
	made, err := s.index(func() error { return nil })
	if err = errors.Join(err, s.close()); err == nil && !bytes.Equal(made, stored) {
		v.report.Fault = &Fault{File: name + indexSuffix, Sequence: segmentFirst(name), Cause: causeIndex}
	}
	return err
}

func (v *verifier) scan(ctx context.Context, s *scanner, last bool) error {
	if err := v.header(s); err != nil || v.report.Fault != nil {
		return err
	}
	v.report.Segments++
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		offset := s.offset
		f, damage, err := s.next(v.at.sequence + 1)
		switch {
		case err == io.EOF:
			v.file, v.size = s.name, s.offset
			v.tell()
			return nil
		case err != nil:
			return err
		case damage != nil && damage.torn && last:
			v.file, v.size, v.report.Torn = s.name, s.offset, damage.size
			return nil
		case damage != nil && damage.torn:
			v.fault(s.name, offset, causeCut)
			return nil
		case damage != nil:
			v.fault(s.name, offset, damage.cause)
			return nil
		}
		if err := v.record(s, &f, offset); err != nil || v.report.Fault != nil {
			return err
		}
	}
}

// record compares a readable frame with the chain, the heads and the tree.
func (v *verifier) record(s *scanner, f *frame, offset int64) error {
	cause := s.check(f, v.at)
	if cause == "" && v.contradicted(f.after(v.at)) {
		cause = causeHeadChain
	}
	if cause != "" {
		v.fault(s.name, offset, cause)
		return nil
	}
	if v.tree.passed == v.at.sequence {
		v.tree.mark = Fault{File: s.name, Offset: offset, Sequence: v.at.sequence + 1}
	}
	cause, forked, err := v.tree.leaf(f.leaf)
	switch {
	case err != nil:
		return err
	case cause != "":
		v.fault(s.name, offset, cause)
		return nil
	case forked != nil:
		v.report.Fault = forked
		return nil
	}
	v.at = f.after(v.at)
	v.report.Last = f.chain.String()
	if v.report.Records++; v.report.Records%progressEvery == 0 {
		v.tell()
	}
	return v.noteDeletion(f)
}

func (v *verifier) contradicted(at place) bool {
	return slices.ContainsFunc(v.heads, func(h *head) bool { return h.contradicts(at) })
}

// header checks that the segment follows what was read before it, or what was deleted.
func (v *verifier) header(s *scanner) error {
	first := s.first()
	gone := v.retired != nil && first <= v.retired.Last+1
	if v.file == "" && (gone || v.skipped) && first > 1 && s.broken == "" {
		v.at = place{sequence: first - 1, chain: s.header.previous}
		if v.skipped {
			v.report.Skipped = first - 1
		} else {
			v.report.Retired = first - 1
		}
		if v.contradicted(v.at) {
			v.fault(s.name, 0, causePrevious)
			return nil
		}
		var err error
		v.report.Fault, err = v.tree.retired(first - 1)
		return err
	}
	switch expected := v.at.sequence + 1; {
	case first > expected && v.file == "":
		v.fault(segmentName(expected), 0, causeMissing(expected, first-1))
	case first > expected:
		v.fault(v.file, v.size, causeMissing(expected, first-1))
	case first < expected:
		v.fault(s.name, 0, causeOrder(expected, first))
	case s.broken != "":
		v.fault(s.name, 0, s.broken)
	case s.header.previous != v.at.chain:
		v.fault(s.name, 0, causePrevious)
	}
	return nil
}

// headFault compares the end of the journal with the head.
func (v *verifier) headFault(segments int) *Fault {
	end := journalEnd{name: v.file, size: v.size, place: v.at}
	if segments == 0 && (v.noted == nil || v.noted.Sequence == 0) {
		return &Fault{File: segmentName(1), Sequence: 1, Cause: causeNoSegments}
	}
	return headFault(v.noted, end, segments)
}

var retireEvent = []byte(`,"event":"` + EventRetire + `"`)

func (v *verifier) noteDeletion(f *frame) error {
	if !f.holds(retireEvent) {
		return nil
	}
	var d deletion
	if err := json.Unmarshal(f.payload, &d.record); err != nil {
		return err
	}
	if json.Unmarshal([]byte(d.record.Detail), &d.retirement) == nil {
		v.deleted = append(v.deleted, d)
	}
	return nil
}

// retiredFault demands that a record announced what was deleted, that it was past retention then, and that no checkpoint
// says that it was younger than the record claims.
func (v *verifier) retiredFault() (*Fault, error) {
	if v.report.Retired == 0 {
		return nil, nil
	}
	missing := &Fault{File: retiredName, Sequence: 1, Cause: causeRetired}
	for _, d := range v.deleted {
		if d.Last != v.retired.Last || d.Chain != v.retired.Chain {
			continue
		}
		if before := d.record.Time.Add(-MinRetention); d.Until.After(before) || v.tree.youngerThan(before, d.Last) {
			return &Fault{File: retiredName, Sequence: d.record.Sequence, Cause: causeTooEarly}, nil
		}
		missing = nil
	}
	return missing, nil
}
