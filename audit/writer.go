package audit

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"licgate/beijing"
)

// writer puts groups of records on disk, one at a time. What each failure and crash leaves:
//
//   - The write or sync of a group fails: the whole group is refused. The segment is closed and never written again:
//     what the page cache says of it is no longer known to be on disk. The next call cuts it back to the last
//     confirmed frame, syncs, reads it again from the disk, and makes a new segment. As long as any of that fails,
//     every group is refused, and the next call tries again from where it stopped.
//   - A crash before the cut leaves some frames of the refused group. Opening keeps the whole ones and cuts a torn one:
//     a refused record may be in the journal, a confirmed one is. Its sequence is not given to another.
//   - A crash between sealing and the new segment leaves the sealed one as the last; opening goes on from it.
//   - A crash within the making of a file leaves the file as it was (see place).
//   - A crash at any time leaves zeros behind the last frame (see zeros.go): they are no record, and are cut off when the
//     segment is sealed.
//
// The sequences of a refused group are given again only after the cut was synced.
type writer struct {
	system fileSystem
	dir    string
	node   string
	limit  int64
	now    func() time.Time

	segment writable // nil: a new one must be made
	name    string
	day     string // of the segment's first record
	first   uint64 // sequence of its first record
	size    int64  // confirmed
	zeroed  int64  // up to here the file is written, with zeros behind size
	dirty   bool   // the file may hold more than size
	place   place
	spare   chan writable // the next segment in the making; nil: there is none
	lenient int           // as the file says that notes it
	sealed  chan struct{} // gets a token when a segment was sealed
}

// commit makes a group durable. On error none of its records is confirmed.
func (w *writer) commit(g *group) error {
	if err := w.ready(); err != nil {
		return err
	}
	if len(g.leaves) == 0 {
		return nil
	}
	for _, b := range g.batches {
		if err := w.noteLenient(b.lenient); err != nil {
			return err
		}
	}
	if w.place.sequence < w.first {
		w.day = dayOf(w.now())
	}
	if err := w.put(g.frames); err != nil {
		w.dirty = true
		err = errors.Join(err, w.segment.Close())
		w.segment = nil
		return err
	}
	w.size += int64(len(g.frames))
	w.zeroed = max(w.zeroed, w.size)
	w.place = g.last
	return nil
}

func (w *writer) put(b []byte) error {
	w.zeroAhead(int64(len(b)))
	if _, err := w.segment.WriteAt(b, w.size); err != nil {
		return fmt.Errorf("writing %s: %w", w.name, err)
	}
	if err := w.segment.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", w.name, err)
	}
	return nil
}

// dayOf names the day of a segment.
func dayOf(t time.Time) string { return beijing.Date(t) }

// full reports whether the segment has to end: by its size, or because another day has come.
func (w *writer) full() bool {
	return w.size >= w.limit || w.place.sequence >= w.first && dayOf(w.now()) != w.day
}

// ready sees to it that there is a segment to write to.
func (w *writer) ready() error {
	if w.segment != nil && !w.full() {
		return nil
	}
	if err := w.seal(); err != nil {
		return err
	}
	h := header{node: w.node, first: w.place.sequence + 1, previous: w.place.chain}
	content := h.append(nil)
	segment, zeroed, err := w.begin(segmentName(h.first), content)
	if err != nil {
		return err
	}
	w.segment, w.name, w.first = segment, segmentName(h.first), h.first
	w.size, w.zeroed = int64(len(content)), zeroed
	select {
	case w.sealed <- struct{}{}:
	default:
	}
	return nil
}

// seal ends the current segment, if there is one, and notes the head.
func (w *writer) seal() error {
	if w.segment != nil {
		err := w.trim()
		if err = errors.Join(err, w.segment.Close()); err != nil {
			err = fmt.Errorf("sealing %s: %w", w.name, err)
		}
		w.segment, w.dirty = nil, err != nil
		if err != nil {
			return err
		}
	}
	if w.dirty {
		if err := w.repair(); err != nil {
			return err
		}
		w.dirty = false
	}
	return writeHead(w.system, w.dir, w.place)
}

// repair cuts the segment back to what was confirmed and reads it again.
func (w *writer) repair() error {
	if err := cut(w.system, filepath.Join(w.dir, w.name), w.size); err != nil {
		return err
	}
	s, err := openSegment(w.system, w.dir, w.name)
	if err != nil {
		return err
	}
	return errors.Join(w.reread(s), s.close())
}

// reread demands that the disk holds all that was confirmed.
func (w *writer) reread(s *scanner) error {
	at := place{sequence: s.header.first - 1, chain: s.header.previous}
	lost := func(cause string) error {
		return fmt.Errorf("the disk lost confirmed records: %s at %d: %s", s.name, s.offset, cause)
	}
	if s.broken != "" {
		return lost(s.broken)
	}
	for {
		f, damage, err := s.next(at.sequence + 1)
		switch {
		case err == io.EOF && at == w.place && s.offset == w.size:
			return nil
		case err == io.EOF:
			return lost(causeMissing(at.sequence+1, w.place.sequence))
		case err != nil:
			return err
		case damage != nil:
			return lost(damage.cause)
		}
		if cause := s.check(&f, at); cause != "" {
			return lost(cause)
		}
		at = f.after(at)
	}
}

// cut makes the file at path durably end at size.
func cut(system fileSystem, path string, size int64) error {
	f, err := system.openWrite(path)
	if err != nil {
		return fmt.Errorf("opening %s to cut it: %w", filepath.Base(path), err)
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cutting %s: %w", filepath.Base(path), err)
	}
	return nil
}
