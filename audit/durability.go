package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Durability says what a record's caller waits for. The zero value is Strict.
type Durability struct {
	mode    mode
	records int
	within  time.Duration
}

type mode int

const (
	strict mode = iota
	bounded
	bestEffort
)

// Strict: no answer before the record is on disk. A crash loses no answered record.
var Strict = Durability{}

// BestEffort: the answer does not wait, and leaves even when the journal cannot write. A crash loses what was not yet
// written; when the journal cannot keep up, records are dropped, counted, and the count is recorded (EventLost).
var BestEffort = Durability{mode: bestEffort}

// Bounded: the answer does not wait as long as at most records of them were answered and are not yet on disk, the oldest
// of them not longer than within; otherwise it waits as with Strict. A crash loses no more than that.
func Bounded(records int, within time.Duration) Durability {
	return Durability{mode: bounded, records: records, within: within}
}

func (d Durability) lenient() bool { return d.mode != strict }

// String returns what ParseDurability reads.
func (d Durability) String() string {
	switch d.mode {
	case bounded:
		return fmt.Sprintf("bounded %d %s", d.records, d.within)
	case bestEffort:
		return "best_effort"
	}
	return "strict"
}

// mayLack is how many records of d a crash may lose: 0 none, -1 not known.
func (d Durability) mayLack() int {
	if d.mode == bestEffort {
		return -1
	}
	return d.records
}

// moreLenient is the larger of two bounds, of which -1 is the largest.
func moreLenient(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return max(a, b)
}

// ErrDurability says that a text names no durability.
var ErrDurability = errors.New("audit: not a durability: want strict, bounded N T or best_effort")

// ParseDurability reads "strict", "bounded N T" (N records from 1 to 10000, T a duration of at most a minute) or
// "best_effort".
func ParseDurability(text string) (Durability, error) {
	switch fields := strings.Fields(text); {
	case text == "strict":
		return Strict, nil
	case text == "best_effort":
		return BestEffort, nil
	case len(fields) == 3 && fields[0] == "bounded":
		n, err := strconv.Atoi(fields[1])
		t, timeErr := time.ParseDuration(fields[2])
		if err == nil && timeErr == nil && n >= 1 && n <= 10_000 && t > 0 && t <= time.Minute {
			return Bounded(n, t), nil
		}
	}
	return Durability{}, fmt.Errorf("%w: %q", ErrDurability, text)
}

// maxOwed is how many records may wait whose callers did not: what is kept in memory while the disk does not write.
const maxOwed = 1 << 14

type debt int

const (
	waits debt = iota
	owed
	dropped
)

// owe decides whether the caller of a record may go without waiting, and notes it. The caller holds j.mu.
func (j *Journal) owe(b *batch, d Durability) debt {
	now := j.mono()
	switch {
	case moreLenient(j.lenient, d.mayLack()) != j.lenient:
		b.lenient = moreLenient(b.lenient, d.mayLack()) // it waits, until that is noted
		return waits
	case d.mode == bestEffort && j.owed >= maxOwed:
		j.lost++
		j.stats.Lost++
		return dropped
	case d.mode == bounded && (j.owed >= min(d.records, maxOwed) || len(j.owing) > 0 && now-j.owing[0].since >= d.within):
		return waits
	}
	if b.owed == 0 {
		b.since = now
		j.owing = append(j.owing, b)
	}
	b.owed++
	j.owed++
	return owed
}

// pay notes that batches are on disk. The caller holds j.mu.
func (j *Journal) pay(batches []*batch) {
	for _, b := range batches {
		j.lenient = moreLenient(j.lenient, b.lenient)
		j.waiting.Add(-int64(len(b.records)))
		if b.owed > 0 {
			j.owed -= b.owed
			j.owing = slices.DeleteFunc(j.owing, func(other *batch) bool { return other == b })
		}
	}
}

// carry moves the records of refused batches whose callers did not wait to a group that is tried again. The caller
// holds j.mu.
func (j *Journal) carry(batches []*batch, to *group) {
	for _, b := range batches {
		j.waiting.Add(-int64(len(b.records) - b.owed))
		if b.owed == 0 {
			continue
		}
		retry := newBatch()
		retry.owed, retry.since = b.owed, b.since
		for _, e := range b.records {
			if e.lenient {
				retry.records = append(retry.records, e)
			}
		}
		j.owing[slices.Index(j.owing, b)] = retry
		to.batches = append(to.batches, retry)
	}
}

// lenientName is the file that notes, before the first answer leaves without waiting, that a crash may lose records, and
// how many. Closing removes it: when opening finds it, there was a crash.
const lenientName = "lenient"

// noted is the content of that file.
type noted struct {
	Version int `json:"version"`
	MayLack int `json:"may_lack"`
}

// noteLenient notes a durability, if none as lenient was.
func (w *writer) noteLenient(mayLack int) error {
	more := moreLenient(w.lenient, mayLack)
	if more == w.lenient {
		return nil
	}
	content, err := json.Marshal(noted{Version: 1, MayLack: more})
	if err != nil {
		return err
	}
	if err := placeWhole(w.system, w.dir, lenientName, append(content, '\n')); err != nil {
		return err
	}
	w.lenient = more
	return nil
}

// forgetLenient is called when all records are on disk, and the journal is closed.
func (w *writer) forgetLenient() error {
	if w.lenient == 0 {
		return nil
	}
	if err := w.system.remove(filepath.Join(w.dir, lenientName)); err != nil {
		return fmt.Errorf("removing %s: %w", lenientName, err)
	}
	w.lenient = 0
	return w.system.syncDir(w.dir)
}

func readLenient(system fileSystem, dir string) (mayLack int, _ error) {
	content, err := readWhole(system, filepath.Join(dir, lenientName))
	if err != nil || content == nil {
		return 0, err
	}
	var n noted
	if json.Unmarshal(content, &n) != nil || n.Version != 1 {
		return -1, nil
	}
	return n.MayLack, nil
}
