package audit

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"licgate/audit/evidence"
	"licgate/audit/ledger"
)

// treeVerifier builds the tree anew beside the walk over the records, and compares it with the tree's files, which name a
// record that is not the one that was written, and with every checkpoint that is known.
type treeVerifier struct {
	system fileSystem
	dir    string // the tree's
	tree   *ledger.Tree
	stored *storedTree
	known  []known // by size
	next   int     // of known
	passed uint64  // the last checkpoint that agreed
	root   *ledger.Hash
	mark   Fault // where the first record behind it stands
	witnesses,
	cosigners []string
	pinned bool
}

// known is a checkpoint whose signatures are good.
type known struct {
	ledger.Signed
	source string
}

func causeFork(source string, from, to uint64) string {
	return fmt.Sprintf("与检查点不符（%s，%d 条）：序号 %d 至 %d 的记录在签发之后被改动、删除、插入或调换", source, to, from, to)
}

func causeBehind(source string, size, from, to uint64) string {
	return fmt.Sprintf("检查点（%s）已覆盖 %d 条：%s", source, size, causeMissing(from, to))
}

// newTreeVerifier reads all checkpoints. Of faults in them the first is returned.
func newTreeVerifier(system fileSystem, dir string, o VerifyOptions) (*treeVerifier, *Fault, error) {
	t := &treeVerifier{system: system, dir: filepath.Join(dir, treeDir), tree: ledger.NewTree(nil), mark: Fault{File: retiredName, Sequence: 1}}
	kept, local, err := collectCheckpoints(system, dir)
	if err != nil {
		return nil, nil, err
	}
	kept = append(kept, o.Checkpoints...)
	if len(kept) == 0 {
		return t, nil, nil
	}
	keys, err := t.keys(o.Keys)
	if err != nil {
		return nil, nil, err
	}
	var fault *Fault
	for i, k := range kept {
		signed, err := ledger.OpenCheckpoint(k.Note, keys)
		if err != nil {
			fault = firstFault(fault, &Fault{File: k.Source, Cause: causeCheckpoint})
			continue
		}
		t.known = append(t.known, known{Signed: signed, source: k.Source})
		if local == i {
			t.stored = &storedTree{system: system, dir: t.dir, size: signed.Size}
			t.tree = ledger.NewTree(t.stored)
		}
	}
	slices.SortStableFunc(t.known, func(a, b known) int { return cmp.Compare(a.Size, b.Size) })
	for _, v := range keys {
		if v.Cosigner {
			t.witnesses = append(t.witnesses, v.Name())
		}
	}
	return t, firstFault(fault, t.compare()), nil
}

// keys returns what is known from elsewhere, or what lies beside the tree.
func (t *treeVerifier) keys(known []ledger.Verifier) ([]ledger.Verifier, error) {
	if slices.ContainsFunc(known, func(v ledger.Verifier) bool { return !v.Cosigner }) {
		t.pinned = true
		return known, nil
	}
	text, err := readWhole(t.system, filepath.Join(t.dir, keysName))
	if err != nil {
		return nil, err
	}
	local, err := ledger.ParseKeys(string(text))
	if err != nil {
		local = nil // no checkpoint will be good
	}
	return append(local, known...), nil
}

// collectCheckpoints returns the checkpoints under the journal's folder, and which of them is the newest one of the tree's
// files; -1: there is none.
func collectCheckpoints(system fileSystem, dir string) (kept []KeptCheckpoint, local int, _ error) {
	tree := filepath.Join(dir, treeDir)
	newest, err := readWhole(system, filepath.Join(tree, checkpointName))
	if err != nil {
		return nil, 0, err
	}
	local = -1
	if newest != nil {
		kept, local = append(kept, KeptCheckpoint{treeDir + "/" + checkpointName, newest}), 0
	}
	for n := 1; ; n++ {
		aside := asideName(checkpointName, n)
		text, err := readWhole(system, filepath.Join(tree, aside))
		if err != nil {
			return nil, 0, err
		}
		if text == nil {
			break
		}
		kept = append(kept, KeptCheckpoint{treeDir + "/" + aside, text})
	}
	notes, _, err := readHistory(system, tree)
	if err != nil {
		return nil, 0, err
	}
	for i, text := range notes {
		kept = append(kept, KeptCheckpoint{fmt.Sprintf("%s/%s:%d", treeDir, historyName, i+1), text})
	}
	receipts, err := readReceipts(system, dir, evidence.HourlySuffix, evidence.NewestSuffix)
	return append(kept, receipts...), local, err
}

// compare passes over the checkpoints of the tree's size, and says when one does not agree.
func (t *treeVerifier) compare() *Fault {
	for ; t.next < len(t.known) && t.known[t.next].Size == t.tree.Size(); t.next++ {
		k := t.known[t.next]
		root := t.tree.Root()
		if root != k.Root {
			fault := t.mark // the first that may be another
			fault.Cause = causeFork(k.source, t.passed+1, k.Size)
			return &fault
		}
		t.passed, t.root = k.Size, &root
		for _, s := range k.By {
			if slices.Contains(t.witnesses, s.Name) && !slices.Contains(t.cosigners, s.Name) {
				t.cosigners = append(t.cosigners, s.Name)
			}
		}
	}
	return nil
}

// leaf adds the next record's leaf, and says what is wrong with it.
func (t *treeVerifier) leaf(leaf ledger.Hash) (cause string, forked *Fault, _ error) {
	if len(t.known) == 0 {
		return "", nil, nil
	}
	if t.stored != nil {
		was, err := t.stored.leaf(t.tree.Size())
		if err != nil {
			return "", nil, err
		}
		if was != nil && *was != leaf {
			return causeLeaf, nil, nil
		}
	}
	forked, err := t.add(leaf)
	return "", forked, err
}

func (t *treeVerifier) add(leaf ledger.Hash) (forked *Fault, _ error) {
	t.tree.Append(leaf)
	if t.tree.Size()%(64*ledger.TileWidth) == 0 { // what was compared need not be kept
		if err := t.save(); err != nil {
			return nil, err
		}
	}
	return t.compare(), nil
}

// save compares the tree's upper levels with the files.
func (t *treeVerifier) save() error {
	if t.stored == nil {
		return nil
	}
	return t.tree.Save()
}

// retired adds the leaves of records that were deleted, from the tree's files.
func (t *treeVerifier) retired(size uint64) (forked *Fault, _ error) {
	for t.tree.Size() < size && forked == nil {
		var leaf ledger.Hash // that no checkpoint agrees with
		if t.stored != nil {
			switch stored, err := t.stored.leaf(t.tree.Size()); {
			case err != nil:
				return nil, err
			case stored != nil:
				leaf = *stored
			}
		}
		var err error
		if forked, err = t.add(leaf); err != nil {
			return nil, err
		}
	}
	return forked, nil
}

// finish is called behind the last record: checkpoints of more records know of some that are gone.
func (t *treeVerifier) finish() (*Fault, error) {
	if t.next < len(t.known) {
		k, from := t.known[t.next], t.tree.Size()+1
		return &Fault{File: k.source, Sequence: from, Cause: causeBehind(k.source, k.Size, from, k.Size)}, nil
	}
	if err := t.save(); err != nil {
		return nil, err
	}
	if t.stored != nil && t.stored.fault != nil {
		return t.stored.fault, nil
	}
	return nil, nil
}

func (t *treeVerifier) describe(r *Report) {
	r.Checkpoints, r.Covered, r.Root, r.Cosigners = t.next, t.passed, t.root, t.cosigners
	r.Pinned = t.pinned && t.next > 0
}

// youngerThan reports whether a checkpoint from after says that record last was not yet written.
func (t *treeVerifier) youngerThan(after time.Time, last uint64) bool {
	return slices.ContainsFunc(t.known, func(k known) bool { return k.Time.After(after) && k.Size < last })
}

func (t *treeVerifier) close() error {
	if t.stored == nil {
		return nil
	}
	return t.stored.close()
}

// storedTree is ledger.Files that compares what is written with what is there.
type storedTree struct {
	system fileSystem
	dir    string
	size   uint64 // of the newest checkpoint: what the files hold beyond it may be anything
	file   readable
	in     *bufio.Reader
	fault  *Fault
}

// leaf returns the stored leaf of index; calls go on from one to the next. Nil: none is stored.
func (s *storedTree) leaf(index uint64) (*ledger.Hash, error) {
	if index >= s.size {
		return nil, nil
	}
	if s.file == nil {
		f, err := s.system.openRead(filepath.Join(s.dir, ledger.LevelFile(0)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, s.differs(0, 0)
		}
		if err != nil {
			return nil, err
		}
		s.file, s.in = f, bufio.NewReaderSize(io.NewSectionReader(f, int64(index)*ledger.HashSize, 1<<62), 64<<10)
	}
	var h ledger.Hash
	switch _, err := io.ReadFull(s.in, h[:]); {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, s.differs(0, index)
	case err != nil:
		return nil, err
	}
	return &h, nil
}

// Write compares. Level 0 was compared leaf by leaf.
func (s *storedTree) Write(name string, b []byte, offset int64) error {
	if name == ledger.LevelFile(0) {
		return nil
	}
	level := 0
	if _, err := fmt.Sscanf(name, "hashes-%d", &level); err != nil {
		return err
	}
	count := int64(s.size>>(8*level)) * ledger.HashSize
	b = b[:max(0, min(int64(len(b)), count-offset))]
	was := make([]byte, len(b))
	if len(b) == 0 {
		return nil
	}
	err := treeFiles{system: s.system, dir: s.dir}.Read(name, was, offset)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	for i := range b {
		if b[i] != was[i] {
			return s.differs(level, uint64(offset+int64(i))/ledger.HashSize)
		}
	}
	return nil
}

// Read is not used.
func (s *storedTree) Read(string, []byte, int64) error { return fs.ErrNotExist }

// differs notes the first hash of the files that is wrong, or not there, while records and checkpoints agree.
func (s *storedTree) differs(level int, index uint64) error {
	s.fault = firstFault(s.fault, &Fault{
		File: treeDir + "/" + ledger.LevelFile(level), Offset: int64(index) * ledger.HashSize,
		Sequence: index<<(8*level) + 1, Cause: causeTree,
	})
	return nil
}

func (s *storedTree) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
