package audit

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"licgate/audit/ledger"
)

// The head file notes how far the journal surely reached. It is written when a segment is sealed and on Close, after
// the records themselves, so it never runs ahead of them: a journal that ends before its head was cut off. Between two
// heads a cut at a frame's border does not show; and who can write the journal can write the head. Signed checkpoints
// close both.
const headName = "head"

const headVersion = 1

type head struct {
	Version  int          `json:"version"`
	Sequence uint64       `json:"sequence"`
	Chain    ledger.Chain `json:"chain"`
}

// writeHead replaces the head.
func writeHead(system fileSystem, dir string, at place) error {
	content, err := json.Marshal(head{Version: headVersion, Sequence: at.sequence, Chain: at.chain})
	if err != nil {
		return fmt.Errorf("encoding the head: %w", err)
	}
	return placeWhole(system, dir, headName, append(content, '\n'))
}

// readHead returns nil when there is none, and a fault when it is not what writeHead wrote.
func readHead(system fileSystem, dir, name string) (*head, *Fault, error) {
	content, err := readWhole(system, filepath.Join(dir, name))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if content == nil {
		return nil, nil, nil
	}
	var h head
	if err := json.Unmarshal(content, &h); err != nil || h.Version != headVersion {
		return nil, &Fault{File: name, Cause: causeHeadBroken}, nil
	}
	return &h, nil, nil
}

// contradicts reports whether the journal does not hold what a head says, where it can be compared.
func (h *head) contradicts(at place) bool {
	return h != nil && h.Sequence == at.sequence && h.Chain != at.chain
}

// asideName names a file that was set aside.
func asideName(name string, n int) string { return fmt.Sprintf("%s.%d", name, n) }

// setAside keeps a head or checkpoint that the journal contradicts, as evidence, before another is written. Verify goes
// on to compare it.
func setAside(system fileSystem, dir, name string) error {
	names, err := system.list(dir)
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	n := 1
	for slices.Contains(names, asideName(name, n)) {
		n++
	}
	if err := system.rename(filepath.Join(dir, name), filepath.Join(dir, asideName(name, n))); err != nil {
		return fmt.Errorf("keeping %s: %w", name, err)
	}
	if err := system.syncDir(dir); err != nil {
		return fmt.Errorf("keeping %s: %w", name, err)
	}
	return nil
}

// keptHeads reads the heads that were set aside.
func keptHeads(system fileSystem, dir string) ([]*head, *Fault, error) {
	var kept []*head
	for n := 1; ; n++ {
		h, fault, err := readHead(system, dir, asideName(headName, n))
		if err != nil || fault != nil || h == nil {
			return kept, fault, err
		}
		kept = append(kept, h)
	}
}
