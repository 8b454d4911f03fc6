package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Report is what Verify found.
type Report struct {
	Segments int    `json:"segments"`
	Records  uint64 `json:"records"`
	Last     string `json:"last"`           // hex chain value of the last record
	Torn     int64  `json:"torn,omitempty"` // bytes at the end that a writer may still complete, or opening will cut
	Fault    *Fault `json:"fault,omitempty"`
}

// Fault is the first place where the journal is not what was written.
type Fault struct {
	File     string `json:"file"`
	Offset   int64  `json:"offset"`
	Sequence uint64 `json:"sequence"` // that stands, or should stand, there
	Cause    string `json:"cause"`    // Chinese
}

// Verify reads everything under dir, works on a running or stopped gateway, and reports the first fault.
// A torn tail that a running writer may still complete is no fault.
//
// It finds every change that does not also rewrite all that follows, the head included. Records cut off at a frame's
// border behind the last head, and a journal rewritten whole, do not show without a signed checkpoint from elsewhere.
func Verify(ctx context.Context, dir string) (Report, error) { return verify(ctx, disk{}, dir) }

func verify(ctx context.Context, system fileSystem, dir string) (Report, error) {
	// The head first: the records that it speaks of are there by then.
	noted, fault, err := readHead(system, dir, headName)
	if err != nil {
		return Report{}, fmt.Errorf("audit: verifying: %w", err)
	}
	kept, keptFault, err := keptHeads(system, dir)
	if err != nil {
		return Report{}, fmt.Errorf("audit: verifying: %w", err)
	}
	names, err := segments(system, dir)
	if err != nil {
		return Report{}, fmt.Errorf("audit: verifying: %w", err)
	}
	v := verifier{system: system, dir: dir, noted: noted, heads: append(kept, noted)}
	for i, name := range names {
		if err := v.segment(ctx, name, i == len(names)-1); err != nil {
			return Report{}, fmt.Errorf("audit: verifying: %w", err)
		}
		if v.report.Fault != nil {
			return v.report, nil
		}
	}
	if v.report.Fault = firstFault(fault, keptFault); v.report.Fault == nil {
		v.report.Fault = v.headFault(len(names))
	}
	return v.report, nil
}

// verifier walks the journal from its first record.
type verifier struct {
	system fileSystem
	dir    string
	noted  *head
	heads  []*head // noted and those set aside
	at     place   // behind what was read
	file   string  // read last
	size   int64
	report Report
}

func (v *verifier) fault(file string, offset int64, cause string) {
	v.report.Fault = &Fault{File: file, Offset: offset, Sequence: v.at.sequence + 1, Cause: cause}
}

func (v *verifier) segment(ctx context.Context, name string, last bool) error {
	s, err := openSegment(v.system, v.dir, name)
	if err != nil {
		return err
	}
	return errors.Join(v.scan(ctx, s, last), s.close())
}

func (v *verifier) scan(ctx context.Context, s *scanner, last bool) error {
	if v.header(s); v.report.Fault != nil {
		return nil
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
		if cause := s.check(&f, v.at); cause != "" {
			v.fault(s.name, offset, cause)
			return nil
		}
		if slices.ContainsFunc(v.heads, func(h *head) bool { return h.contradicts(f.after(v.at)) }) {
			v.fault(s.name, offset, causeHeadChain)
			return nil
		}
		v.at = f.after(v.at)
		v.report.Last = f.chain.String()
		v.report.Records++
	}
}

// header checks that the segment follows what was read before it.
func (v *verifier) header(s *scanner) {
	first, expected := s.first(), v.at.sequence+1
	switch {
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
}

// headFault compares the end of the journal with the head.
func (v *verifier) headFault(segments int) *Fault {
	end := journalEnd{name: v.file, size: v.size, place: v.at}
	if segments == 0 && (v.noted == nil || v.noted.Sequence == 0) {
		return &Fault{File: segmentName(1), Sequence: 1, Cause: causeNoSegments}
	}
	return headFault(v.noted, end, segments)
}
