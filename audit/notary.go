package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"licgate/audit/ledger"
)

// LedgerOptions make the journal keep a Merkle tree over its records and sign checkpoints.
type LedgerOptions struct {
	// Signers sign checkpoints, all under the log's name, which is the origin in them. A log's name must never change.
	Signers []ledger.Signer
	// Busy is how often a checkpoint is made under load, Within how long any record waits for one at most; 0: a second, a
	// minute.
	Busy, Within time.Duration
}

// busyRecords since the last checkpoint are load.
const busyRecords = ledger.TileWidth

// maxQueued bounds the leaves that wait for the tree, 32 bytes each; beyond it they are read from the journal again.
const maxQueued = 1 << 20

// lostRecord stands in the tree for a record that cannot be read when its leaf is needed: the journal was damaged before
// there was a tree, or was cut off. Verify reports the place for ever; the tree says that something stood there.
var lostRecord = ledger.Leaf([]byte("licgate: lost record"))

// notary follows the journal with the tree. What each crash leaves:
//
//   - Before the checkpoint is placed: the checkpoint before. What the tree's files hold beyond it is written again, from
//     the journal, which had every record on disk before the tree had its leaf.
//   - After: the new checkpoint, whose hashes were synced before.
//   - While the history is written: a last line that is not whole, which the next one replaces.
type notary struct {
	j       *Journal
	system  fileSystem
	dir     string // of the journal
	files   treeFiles
	options LedgerOptions
	keys    []ledger.Verifier
	tree    *ledger.Tree
	walker  *walker
	history int64
	hourly  time.Time // of the last checkpoint in the history

	mu     sync.Mutex
	first  uint64 // sequence of the first queued leaf
	queue  []ledger.Hash
	signed *ledger.Signed
	news   chan struct{} // closed when signed changes; nil: nobody waits
	fault  error

	waiting bool          // there are records that no checkpoint covers
	begun   time.Duration // when the oldest of them was seen
}

var errOrigin = errors.New("audit: a ledger needs signers, all of one name")

func newNotary(system fileSystem, dir string, o LedgerOptions) (*notary, error) {
	if o.Busy <= 0 {
		o.Busy = time.Second
	}
	if o.Within <= 0 {
		o.Within = time.Minute
	}
	n := &notary{system: system, dir: dir, files: treeFiles{system: system, dir: dir + "/" + treeDir}, options: o}
	if len(o.Signers) == 0 {
		return nil, errOrigin
	}
	for _, s := range o.Signers {
		if s.Name() != o.Signers[0].Name() {
			return nil, errOrigin
		}
		v, err := ledger.ParseKey(s.Key)
		if err != nil {
			return nil, err
		}
		n.keys = append(n.keys, v)
	}
	return n, nil
}

// open reads what is there. A checkpoint that is not this log's, or whose hashes are not there, is set aside and told: the
// tree is made again from the journal.
func (n *notary) open() (*Fault, error) {
	notes, size, err := readHistory(n.system, n.files.dir)
	if err != nil {
		return nil, err
	}
	n.history = size
	if len(notes) > 0 {
		if last, err := ledger.OpenCheckpoint(notes[len(notes)-1], n.keys); err == nil {
			n.hourly = last.Time
		}
	}
	if n.tree, err = n.retiredTree(); err != nil {
		return nil, err
	}
	signed, err := readCheckpoint(n.system, n.dir, n.keys)
	switch {
	case errors.Is(err, ledger.ErrCheckpoint):
		return n.setAside(causeCheckpoint)
	case err != nil:
		return nil, err
	case signed == nil:
		return nil, n.writeKeys()
	}
	tree, err := ledger.OpenTree(n.files, signed.Size)
	if err != nil && !errors.Is(err, ledger.ErrTree) {
		return nil, err
	}
	if err != nil || tree.Root() != signed.Root {
		return n.setAside(causeTree)
	}
	n.tree, n.signed = tree, signed
	return nil, nil
}

// retiredTree is the tree over the records that were deleted: what a tree that is made again begins with.
func (n *notary) retiredTree() (*ledger.Tree, error) {
	gone, _, err := readRetired(n.system, n.dir)
	if err != nil || gone == nil {
		return ledger.NewTree(n.files), err
	}
	tree, err := ledger.OpenTree(n.files, gone.Last)
	if errors.Is(err, ledger.ErrTree) {
		return ledger.NewTree(n.files), nil // lost records all
	}
	return tree, err
}

func (n *notary) setAside(cause string) (*Fault, error) {
	err := setAside(n.system, n.files.dir, checkpointName)
	return &Fault{File: treeDir + "/" + checkpointName, Cause: cause}, err
}

// writeKeys puts the verifier keys beside the tree, for whoever copies it. They are no proof of themselves.
func (n *notary) writeKeys() error {
	var b bytes.Buffer
	for _, s := range n.options.Signers {
		fmt.Fprintln(&b, s.Key)
	}
	return placeWhole(n.system, n.files.dir, keysName, b.Bytes())
}

// offer hands over the leaves of confirmed records from first on. It does not wait.
func (n *notary) offer(first uint64, leaves []ledger.Hash) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		n.first = first
	}
	if first != n.first+uint64(len(n.queue)) || len(n.queue) >= maxQueued {
		return // read from the journal later
	}
	n.queue = append(n.queue, leaves...)
}

func (n *notary) take() (first uint64, leaves []ledger.Hash) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first, leaves, n.queue = n.first, n.queue, nil
	return first, leaves
}

// run follows the journal until ctx ends, and then once more.
func (n *notary) run(ctx context.Context) {
	ticker := time.NewTicker(n.options.Busy)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			n.note(n.step(ctx, false))
		}
	}
}

// finish brings everything that was confirmed under a last checkpoint.
func (n *notary) finish() error {
	err := n.step(context.Background(), true)
	n.note(err)
	if n.walker != nil {
		err = errors.Join(err, n.walker.close())
	}
	return err
}

func (n *notary) note(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = err
}

// step brings the tree to what is confirmed, and makes a checkpoint when it is time.
func (n *notary) step(ctx context.Context, now bool) error {
	confirmed, _ := n.j.Last()
	if err := n.follow(ctx, confirmed); err != nil {
		return fmt.Errorf("audit: following the journal with the tree: %w", err)
	}
	var covered uint64
	if n.signed != nil {
		covered = n.signed.Size
	}
	fresh := n.tree.Size() - covered
	if fresh == 0 {
		return nil
	}
	if waited := n.wait(); !now && fresh < busyRecords && waited < n.options.Within-n.options.Busy {
		return nil
	}
	if err := n.checkpoint(); err != nil {
		return fmt.Errorf("audit: making a checkpoint: %w", err)
	}
	return nil
}

// wait notes that there are records that no checkpoint covers, and says since how long.
func (n *notary) wait() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.waiting {
		n.waiting, n.begun = true, n.j.mono()
	}
	return n.j.mono() - n.begun
}

// follow adds the leaves up to confirmed, from the queue where it has them.
func (n *notary) follow(ctx context.Context, confirmed uint64) error {
	for n.tree.Size() < confirmed {
		first, leaves := n.take()
		if len(leaves) == 0 {
			first = confirmed + 1
		}
		if err := n.catchUp(ctx, min(first-1, confirmed)); err != nil {
			return err
		}
		if done := n.tree.Size() + 1 - first; first <= n.tree.Size()+1 && done < uint64(len(leaves)) {
			n.tree.Append(leaves[done:]...)
		}
	}
	return nil
}

// catchUp adds the leaves up to to from the journal.
func (n *notary) catchUp(ctx context.Context, to uint64) error {
	for n.tree.Size() < to {
		if n.walker == nil || n.walker.next > n.tree.Size()+1 {
			n.walker = &walker{system: n.system, dir: n.dir}
		}
		n.walker.next = n.tree.Size() + 1
		f, err := n.walker.read(ctx, to)
		missing := to + 1
		switch {
		case err == nil:
			missing = f.sequence()
		case err != io.EOF:
			return err
		}
		for n.tree.Size()+1 < missing {
			n.tree.Append(lostRecord)
		}
		if err == nil {
			n.tree.Append(ledger.Leaf(f.payload))
		}
	}
	return nil
}

// checkpoint saves the tree, signs it and places the checkpoint.
func (n *notary) checkpoint() error {
	if err := n.tree.Save(); err != nil {
		return err
	}
	c := ledger.Checkpoint{Origin: n.options.Signers[0].Name(), Size: n.tree.Size(), Root: n.tree.Root(), Time: n.j.now().Truncate(time.Second)}
	text, err := c.Sign(n.options.Signers...)
	if err != nil {
		return err
	}
	signed, err := ledger.OpenCheckpoint(text, n.keys) // a signer that is a device may be wrong
	if err != nil {
		return err
	}
	if c.Time.Sub(n.hourly).Abs() >= time.Hour {
		if err := n.remember(text); err != nil {
			return err
		}
		n.hourly = c.Time
	}
	if err := placeWhole(n.system, n.files.dir, checkpointName, text); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.signed, n.waiting = &signed, false
	if n.news != nil {
		close(n.news)
		n.news = nil
	}
	return nil
}

// remember appends a checkpoint to the history.
func (n *notary) remember(text []byte) error {
	line, err := json.Marshal(string(text))
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := n.files.Write(historyName, line, n.history); err != nil {
		return err
	}
	n.history += int64(len(line))
	return nil
}

// Checkpoint returns the newest signed checkpoint, or nil before the first, or without a ledger.
func (j *Journal) Checkpoint() *ledger.Signed {
	if j.notary == nil {
		return nil
	}
	j.notary.mu.Lock()
	defer j.notary.mu.Unlock()
	return j.notary.signed
}

// ErrNoLedger says that the journal keeps no tree.
var ErrNoLedger = errors.New("audit: the journal keeps no ledger")

// WaitCheckpoint returns the newest checkpoint as soon as it covers more than size records.
func (j *Journal) WaitCheckpoint(ctx context.Context, size uint64) (*ledger.Signed, error) {
	if j.notary == nil {
		return nil, ErrNoLedger
	}
	for {
		n := j.notary
		n.mu.Lock()
		if n.signed != nil && n.signed.Size > size {
			defer n.mu.Unlock()
			return n.signed, nil
		}
		if n.news == nil {
			n.news = make(chan struct{})
		}
		news := n.news
		n.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, fmt.Errorf("audit: waiting for a checkpoint: %w", ctx.Err())
		}
	}
}
