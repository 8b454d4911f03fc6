package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"licgate/audit/evidence"
	"licgate/audit/ledger"
)

// anchorsDir is the folder of anchors' receipts, under the journal's.
const anchorsDir = "anchors"

// AnchorsDir is where the anchors of the journal under dir keep their receipts, so that Verify finds them.
func AnchorsDir(dir string) string { return filepath.Join(dir, anchorsDir) }

// readReceipts returns the checkpoints that anchors have of the journal under dir, those of files with a suffix.
func readReceipts(system fileSystem, dir string, suffixes ...string) ([]KeptCheckpoint, error) {
	names, err := system.list(AnchorsDir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var kept []KeptCheckpoint
	for _, name := range names {
		for _, suffix := range suffixes {
			if !strings.HasSuffix(name, suffix) {
				continue
			}
			content, err := readAll(system, filepath.Join(AnchorsDir(dir), name))
			if err != nil {
				return nil, err
			}
			list, _, damaged := evidence.ParseAnchored(content)
			for i, r := range list {
				kept = append(kept, KeptCheckpoint{Source: fmt.Sprintf("%s/%s:%d", anchorsDir, name, i+1), Note: []byte(r.Note)})
			}
			if damaged { // nothing is a checkpoint: Verify says where
				kept = append(kept, KeptCheckpoint{Source: fmt.Sprintf("%s/%s:%d", anchorsDir, name, len(list)+1)})
			}
		}
	}
	return kept, nil
}

// newestCosigned returns the newest checkpoints that have signatures of others than the log.
func newestCosigned(system fileSystem, dir string) ([]KeptCheckpoint, error) {
	kept, err := readReceipts(system, dir, evidence.NewestSuffix)
	if err != nil {
		return nil, err
	}
	var cosigned []KeptCheckpoint
	for _, k := range kept {
		text, signatures, _ := strings.Cut(string(k.Note), "\n\n")
		origin, _, _ := strings.Cut(text, "\n")
		if strings.Count(signatures, "— ") > strings.Count(signatures, "— "+origin+" ") {
			cosigned = append(cosigned, k)
		}
	}
	return cosigned, nil
}

// Consistency proves that the first to records go on from the first from, both covered by a checkpoint.
func (j *Journal) Consistency(from, to uint64) ([]ledger.Hash, error) {
	c := j.Checkpoint()
	if c == nil {
		return nil, ErrNoCheckpoint
	}
	return ledger.OpenTiles(j.notary.files, c.Size).Consistency(from, to)
}
