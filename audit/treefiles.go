package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"licgate/audit/ledger"
)

// The ledger's folder, under the journal's.
const (
	treeDir        = "tree"
	checkpointName = "checkpoint" // the newest signed checkpoint
	historyName    = "history"    // one of each hour: a JSON string a line
	keysName       = "keys"       // the log's verifier keys, one a line
)

// treeFiles keeps the tree's hashes under dir.
type treeFiles struct {
	system fileSystem
	dir    string
}

func (t treeFiles) Write(name string, b []byte, offset int64) error {
	return writeDurably(t.system, t.dir, name, b, offset)
}

// writeDurably writes into a file under dir and syncs it: its folder too, when it is new.
func writeDurably(system fileSystem, dir, name string, b []byte, offset int64) error {
	f, err := system.openWrite(filepath.Join(dir, name))
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		f, err = system.create(filepath.Join(dir, name))
	}
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, offset); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if made {
		return system.syncDir(dir)
	}
	return nil
}

func (t treeFiles) Read(name string, b []byte, offset int64) error {
	f, err := t.system.openCached(filepath.Join(t.dir, name))
	if err != nil {
		return err
	}
	_, err = f.ReadAt(b, offset)
	return errors.Join(err, f.Close())
}

// readHistory returns the notes in the history, oldest first, and the bytes that are whole. A last line that a crash left
// half written is not read.
func readHistory(system fileSystem, dir string) (notes [][]byte, size int64, _ error) {
	content, err := readAll(system, filepath.Join(dir, historyName))
	if err != nil {
		return nil, 0, err
	}
	for line := range strings.Lines(string(content)) {
		var text string
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &text) != nil {
			break
		}
		notes = append(notes, []byte(text))
		size += int64(len(line))
	}
	return notes, size, nil
}

// readCheckpoint returns the newest checkpoint under the journal's folder, signed by keys; nil: there is none.
func readCheckpoint(system fileSystem, dir string, keys []ledger.Verifier) (*ledger.Signed, error) {
	content, err := readWhole(system, filepath.Join(dir, treeDir, checkpointName))
	if err != nil || content == nil {
		return nil, err
	}
	signed, err := ledger.OpenCheckpoint(content, keys)
	if err != nil {
		return nil, err
	}
	return &signed, nil
}
