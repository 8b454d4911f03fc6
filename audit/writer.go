package audit

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"licgate/audit/ledger"
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
//
// The sequences of a refused group are given again only after the cut was synced.
type writer struct {
	system fileSystem
	dir    string
	node   string
	limit  int64

	segment  writable // nil: a new one must be made
	name     string
	size     int64 // confirmed
	dirty    bool  // the file may hold more than size
	sequence uint64
	chain    ledger.Chain
	buffer   []byte
}

// commit makes records durable as one group. On error none of them is confirmed.
func (w *writer) commit(records []encoded) error {
	if err := w.ready(); err != nil {
		return err
	}
	if len(records) == 0 {
		return nil
	}
	sequence, chain := w.sequence, w.chain
	w.buffer = w.buffer[:0]
	var payload []byte
	for i, r := range records {
		sequence++
		payload = r.append(payload[:0], sequence)
		chain = chain.Next(payload)
		w.buffer = frame{index: uint32(i), chain: chain, payload: payload}.append(w.buffer)
	}
	if err := w.write(w.buffer); err != nil {
		w.dirty = true
		err = errors.Join(err, w.segment.Close())
		w.segment = nil
		return err
	}
	w.size += int64(len(w.buffer))
	w.sequence, w.chain = sequence, chain
	return nil
}

func (w *writer) write(b []byte) error {
	if _, err := w.segment.WriteAt(b, w.size); err != nil {
		return fmt.Errorf("writing %s: %w", w.name, err)
	}
	if err := w.segment.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", w.name, err)
	}
	return nil
}

// ready sees to it that there is a segment to write to.
func (w *writer) ready() error {
	if w.segment != nil && w.size < w.limit {
		return nil
	}
	if err := w.seal(); err != nil {
		return err
	}
	h := header{node: w.node, first: w.sequence + 1, previous: w.chain}
	content := h.append(nil)
	segment, err := place(w.system, w.dir, segmentName(h.first), content)
	if err != nil {
		return err
	}
	w.segment, w.name, w.size = segment, segmentName(h.first), int64(len(content))
	return nil
}

// seal ends the current segment, if there is one, and notes the head.
func (w *writer) seal() error {
	if w.segment != nil {
		segment := w.segment
		w.segment = nil
		if err := segment.Close(); err != nil {
			return fmt.Errorf("closing %s: %w", w.name, err)
		}
	}
	if w.dirty {
		if err := w.repair(); err != nil {
			return err
		}
		w.dirty = false
	}
	return writeHead(w.system, w.dir, w.sequence, w.chain)
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
	chain, expected := s.header.previous, s.header.first
	lost := func(cause string) error {
		return fmt.Errorf("the disk lost confirmed records: %s at %d: %s", s.name, s.offset, cause)
	}
	if s.broken != "" {
		return lost(s.broken)
	}
	for {
		f, damage, err := s.next(expected)
		switch {
		case err == io.EOF && expected == w.sequence+1 && chain == w.chain && s.offset == w.size:
			return nil
		case err == io.EOF:
			return lost(causeMissing(expected, w.sequence))
		case err != nil:
			return err
		case damage != nil:
			return lost(damage.cause)
		}
		if cause := s.check(f, expected, chain); cause != "" {
			return lost(cause)
		}
		chain, expected = f.chain, expected+1
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
