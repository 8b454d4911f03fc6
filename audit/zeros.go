package audit

import (
	"errors"
	"fmt"
	"path/filepath"
)

// A sync of a file that grows costs half as much again as one of a file whose blocks were written before: the file
// system has to note the new ones. So the writer keeps zeros ahead of itself: some in the segment at hand, and from its
// middle on a whole next segment, which a goroutine makes beside. Zeros are no frame, since no frame has length 0; they
// are cut off when the segment is sealed, and readers take them for the end.

var zeros [256 << 10]byte

// Sizes of the zeros ahead, in bytes.
const (
	minAhead = 64 << 10
	maxAhead = 8 << 20
	// minSpare is the smallest segment that is worth making before it is needed.
	minSpare = 64 << 10
	// spareStep is what is synced at a time while a spare is made, so that the writer's own syncs wait little.
	spareStep = 1 << 20
)

// spareName is the next segment in the making. Opening removes it as unplaced.
const spareName = "spare" + unplaced

// zeroAhead sees to zeros behind the n bytes that are about to be written. That it fails is no failure of the write:
// that one says so itself.
func (w *writer) zeroAhead(n int64) {
	if w.spare == nil && w.limit >= minSpare && w.size > w.limit/2 {
		w.spare = make(chan writable, 1)
		go makeSpare(w.system, filepath.Join(w.dir, spareName), w.limit, w.spare)
	}
	end := w.size + n
	if end <= w.zeroed {
		return
	}
	to := min(end+min(max(w.size/2, minAhead), maxAhead), w.limit)
	if writeZeros(w.segment, end, to) == nil {
		w.zeroed = max(end, to)
	}
}

func writeZeros(f writable, from, to int64) error {
	for from < to {
		n := min(to-from, int64(len(zeros)))
		if _, err := f.WriteAt(zeros[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// makeSpare makes the next segment and hands it over, or nil when it could not.
func makeSpare(system fileSystem, path string, size int64, to chan<- writable) {
	f, err := system.create(path)
	if err != nil {
		to <- nil
		return
	}
	for at := int64(0); at < size && err == nil; at += spareStep {
		if err = writeZeros(f, at, min(at+spareStep, size)); err == nil {
			err = f.Sync()
		}
	}
	if err != nil {
		_ = errors.Join(f.Close(), system.remove(path)) // opening removes it otherwise
		f = nil
	}
	to <- f
}

// takeSpare returns the spare when it is made, or nil.
func (w *writer) takeSpare() writable {
	select {
	case f := <-w.spare: // never, when there is none in the making
		w.spare = nil
		return f
	default:
		return nil
	}
}

// dropSpare waits for the spare and removes it.
func (w *writer) dropSpare() error {
	if w.spare == nil {
		return nil
	}
	f := <-w.spare
	w.spare = nil
	if f == nil {
		return nil
	}
	return errors.Join(f.Close(), w.system.remove(filepath.Join(w.dir, spareName)))
}

// begin makes the segment of name with content at its head, and says up to where it is written.
func (w *writer) begin(name string, content []byte) (writable, int64, error) {
	if f := w.takeSpare(); f != nil {
		if err := placeOpen(w.system, f, filepath.Join(w.dir, spareName), w.dir, name, content); err != nil {
			return nil, 0, errors.Join(err, f.Close())
		}
		return f, w.limit, nil
	}
	f, err := placeFile(w.system, w.dir, name, content)
	return f, int64(len(content)), err
}

// trim cuts the zeros off the segment.
func (w *writer) trim() error {
	if w.zeroed <= w.size {
		return nil
	}
	if err := w.segment.Truncate(w.size); err != nil {
		return fmt.Errorf("cutting the zeros off: %w", err)
	}
	return w.segment.Sync()
}
