package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

const defaultSegmentSize = 64 << 20

// Repair is what opening found.
//
// Bytes that a crash left of an unfinished write are cut off. Anything else that is not what was written is evidence:
// it stays as it is, Damage names the place, and the journal goes on in a new segment chained to the last readable
// record (or to the head, when the journal ends before it). Verify reports such a place for ever.
type Repair struct {
	Segment string
	Bytes   int64 // cut off; no record that Append had confirmed is among them
	// MayLack is what a crash may have lost: at most so many records whose callers did not wait. 0: nothing; every answered
	// record is there. -1: not known, there was best effort.
	MayLack int
	Damage  *Fault // what opening found and did not touch
}

// OpenJournal opens or makes the journal under dir, takes its lock, verifies the last segment and repairs a torn tail.
// It says what it repaired. A second writer is ErrLocked.
func OpenJournal(dir string, o Options) (*Journal, Repair, error) { return openJournal(disk{}, dir, o) }

func openJournal(system fileSystem, dir string, o Options) (*Journal, Repair, error) {
	if o.SegmentSize <= 0 {
		o.SegmentSize = defaultSegmentSize
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if began := time.Now(); o.Monotonic == nil {
		o.Monotonic = func() time.Duration { return time.Since(began) }
	}
	if len(o.Node) > maxNode || !utf8.ValidString(o.Node) {
		return nil, Repair{}, fmt.Errorf("audit: opening the journal: the node's name is longer than %d bytes or not UTF-8", maxNode)
	}
	if o.Retention != 0 && (o.Retention < MinRetention || o.Ledger == nil) {
		return nil, Repair{}, fmt.Errorf("audit: opening the journal: %w", ErrRetention)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, Repair{}, fmt.Errorf("audit: making the journal's directory: %w", err)
	}
	locked, err := lock(dir)
	if err != nil {
		return nil, Repair{}, fmt.Errorf("audit: locking the journal: %w", err)
	}
	w := &writer{system: system, dir: dir, node: o.Node, limit: o.SegmentSize, now: o.Now, sealed: make(chan struct{}, 1)}
	notary, repair, err := w.openAll(o)
	if err != nil {
		return nil, Repair{}, errors.Join(fmt.Errorf("audit: opening the journal: %w", err), unlock(locked))
	}
	return start(w, notary, o, locked), repair, nil
}

// openAll opens the ledger, if there is to be one, and the journal.
func (w *writer) openAll(o Options) (*notary, Repair, error) {
	if o.Ledger == nil {
		repair, err := w.open(0)
		return nil, repair, err
	}
	notary, err := newNotary(w.system, w.dir, *o.Ledger)
	if err != nil {
		return nil, Repair{}, err
	}
	if err := os.MkdirAll(notary.files.dir, 0o700); err != nil {
		return nil, Repair{}, err
	}
	damage, err := notary.open()
	if err != nil {
		return nil, Repair{}, err
	}
	repair, err := w.open(notary.tree.Size())
	repair.Damage = firstFault(repair.Damage, damage)
	return notary, repair, err
}

// open finds the end of the journal and makes it writable. A checkpoint covers that many records: none of their
// sequences is given again, or the log would fork.
func (w *writer) open(covered uint64) (Repair, error) {
	if err := w.removeUnplaced(); err != nil {
		return Repair{}, err
	}
	noted, damage, err := readHead(w.system, w.dir, headName)
	if err != nil {
		return Repair{}, err
	}
	gone, goneDamage, err := readRetired(w.system, w.dir)
	if err != nil {
		return Repair{}, err
	}
	if gone != nil {
		if err := removeRetired(w.system, w.dir, gone.Last); err != nil {
			return Repair{}, err
		}
	}
	names, err := segments(w.system, w.dir)
	if err != nil {
		return Repair{}, err
	}
	end, err := w.findEnd(names)
	if err != nil {
		return Repair{}, err
	}
	if damage != nil || noted.contradicts(end.place) {
		if err := setAside(w.system, w.dir, headName); err != nil {
			return Repair{}, err
		}
	}
	if damage == nil {
		damage = headFault(noted, end, len(names))
	}
	damage = firstFault(damage, goneDamage)
	if damage == nil && covered > end.sequence {
		damage = &Fault{File: end.name, Offset: end.size, Sequence: end.sequence + 1, Cause: causeMissing(end.sequence+1, covered)}
	}
	repair := Repair{Damage: firstFault(end.damage, damage)}
	if repair.MayLack, err = readLenient(w.system, w.dir); err != nil {
		return Repair{}, err
	}
	w.lenient = repair.MayLack
	w.place = end.place
	if noted != nil && noted.Sequence > end.sequence {
		w.place = place{sequence: noted.Sequence, chain: noted.Chain}
	}
	w.place.sequence = max(w.place.sequence, covered)
	if end.torn > 0 && repair.Damage == nil {
		if err := cut(w.system, filepath.Join(w.dir, end.name), end.size); err != nil {
			return Repair{}, err
		}
		repair.Segment, repair.Bytes, end.file = end.name, end.torn, end.size
	}
	if repair.Damage == nil && end.writable && end.node == w.node {
		if w.segment, err = w.system.openWrite(filepath.Join(w.dir, end.name)); err != nil {
			return Repair{}, fmt.Errorf("opening %s: %w", end.name, err)
		}
		w.name, w.first, w.day, w.size, w.zeroed = end.name, segmentFirst(end.name), end.day, end.size, end.file
	}
	if repair.Damage != nil {
		w.avoid(names)
	}
	return repair, w.ready()
}

// removeUnplaced removes files that a crash left half made.
func (w *writer) removeUnplaced() error {
	names, err := w.system.list(w.dir)
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, unplaced) {
			if err := w.system.remove(filepath.Join(w.dir, name)); err != nil {
				return fmt.Errorf("removing %s: %w", name, err)
			}
		}
	}
	return nil
}

// avoid moves the next sequence past segments that hold nothing readable, so that no evidence is written over.
func (w *writer) avoid(names []string) {
	for _, name := range names {
		w.place.sequence = max(w.place.sequence, segmentFirst(name))
	}
}

// journalEnd is how far the journal can be read.
type journalEnd struct {
	name string
	node string
	day  string // of the first record; empty: there is none
	size int64  // of the last segment, without what was torn and the zeros behind
	torn int64
	file int64 // size of the file
	place
	damage   *Fault
	writable bool // the last segment is whole, and plain
}

// findEnd reads the last segment; where that says nothing readable, those before it.
func (w *writer) findEnd(names []string) (journalEnd, error) {
	var end journalEnd
	for i := len(names) - 1; i >= 0; i-- {
		found, err := w.endOf(names[i])
		if err != nil {
			return journalEnd{}, err
		}
		found.damage = firstFault(end.damage, found.damage)
		end = found
		if end.writable || end.sequence > 0 {
			break
		}
	}
	return end, nil
}

// endOf reads one segment to its end, past damage.
func (w *writer) endOf(name string) (journalEnd, error) {
	s, err := openSegment(w.system, w.dir, name)
	if err != nil {
		return journalEnd{}, err
	}
	end, err := readEnd(s)
	return end, errors.Join(err, s.close())
}

func readEnd(s *scanner) (journalEnd, error) {
	end := journalEnd{name: s.name, node: s.header.node, file: s.size}
	fault := func(offset int64, cause string) {
		end.damage = firstFault(end.damage, &Fault{File: s.name, Offset: offset, Sequence: end.sequence + 1, Cause: cause})
	}
	if s.broken == "" {
		end.place = place{sequence: s.header.first - 1, chain: s.header.previous}
	} else {
		fault(0, s.broken)
	}
	for {
		offset := s.offset
		f, damage, err := s.next(end.sequence + 1)
		switch {
		case err == io.EOF:
			end.size, end.writable = s.offset, end.damage == nil && !strings.HasSuffix(s.name, packedSuffix)
			return end, nil
		case err != nil:
			return journalEnd{}, err
		case damage != nil && damage.torn && end.damage == nil:
			end.size, end.torn, end.writable = s.offset, damage.size, true
			return end, nil
		case damage != nil:
			fault(offset, damage.cause)
			if !s.resume(damage) {
				end.sequence++ // of the unreadable record
				return end, nil
			}
			continue
		}
		if cause := s.check(&f, end.place); cause != "" {
			fault(offset, cause)
		}
		if end.day == "" {
			end.day = dayOf(f.time())
		}
		if n := f.sequence(); n > end.sequence {
			end.place = place{sequence: n, chain: f.chain}
		}
	}
}

// headFault says whether the journal ends before its head, or elsewhere.
func headFault(noted *head, end journalEnd, segments int) *Fault {
	switch {
	case noted == nil && segments > 0:
		return &Fault{File: headName, Sequence: end.sequence, Cause: causeNoHead}
	case noted == nil:
		return nil
	case noted.Sequence > end.sequence && segments == 0:
		return &Fault{File: segmentName(1), Sequence: 1, Cause: causeNoSegments}
	case noted.Sequence > end.sequence:
		return &Fault{File: end.name, Offset: end.size, Sequence: end.sequence + 1, Cause: causeMissing(end.sequence+1, noted.Sequence)}
	case noted.contradicts(end.place):
		return &Fault{File: headName, Sequence: noted.Sequence, Cause: causeHeadChain}
	}
	return nil
}

func firstFault(faults ...*Fault) *Fault {
	for _, f := range faults {
		if f != nil {
			return f
		}
	}
	return nil
}
