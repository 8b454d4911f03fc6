package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licgate/audit/ledger"
)

// rewrite forges a journal from record n on as its administrator could who has no key: payload, chain, checksums, heads.
func rewrite(t *testing.T, dir string, n uint64, with func(payload []byte) []byte) {
	t.Helper()
	names, err := segments(disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	at := place{}
	for _, name := range names {
		change(t, filepath.Join(dir, name), func(b []byte) []byte {
			h, _, err := decodeHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			_, list := frames(t, b)
			h.previous = at.chain
			out := h.append(nil)
			for _, raw := range list {
				f, err := decodeFrame(raw)
				if err != nil {
					t.Fatal(err)
				}
				payload := f.payload
				if f.sequence() == n {
					payload = with(bytes.Clone(payload))
				}
				var framed []byte
				framed, at.chain = reframe(at.chain, payload)
				at.sequence++
				out = append(out, framed...)
			}
			return out
		})
	}
	if err := writeHead(disk{}, dir, at); err != nil {
		t.Fatal(err)
	}
}

// retree makes the tree of a forged journal again and signs it, as who has the keys could.
func retree(t *testing.T, dir string, o *LedgerOptions) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, treeDir)); err != nil {
		t.Fatal(err)
	}
	j, _ := openTest(t, dir, Options{Ledger: o, KeepPlain: true})
	closeTest(t, j)
}

func toFailure(payload []byte) []byte {
	return bytes.Replace(payload, []byte("SUCCESS"), []byte("FAILURE"), 1)
}

// TestVerifyTree forges what the chain alone does not find.
func TestVerifyTree(t *testing.T) {
	t.Parallel()
	o, keys := ledgerTest(t)
	stranger, strangerKeys := ledgerTest(t)
	made := t.TempDir()
	fill(t, made, 12, 4)
	var kept [][]byte // checkpoints at 12, 13, 14
	for i := range 3 {
		j, _ := openTest(t, made, Options{Ledger: o, KeepPlain: true})
		if i > 0 {
			appendTest(t, j, strings.Repeat("x", i))
		}
		closeTest(t, j)
		signed, err := readCheckpoint(disk{}, made, keys)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, signed.Note)
	}
	for name, test := range map[string]struct {
		tamper   func(t *testing.T, dir string)
		options  VerifyOptions
		file     string
		sequence uint64
		cause    string
	}{
		"nothing":                {func(*testing.T, string) {}, VerifyOptions{Keys: keys, Checkpoints: []KeptCheckpoint{{"paper", kept[0]}}}, "", 0, ""},
		"rewritten without keys": {func(t *testing.T, dir string) { rewrite(t, dir, 6, toFailure) }, VerifyOptions{}, segmentName(5), 6, causeLeaf},
		"rewritten with its hash": {func(t *testing.T, dir string) {
			var leaf ledger.Hash
			rewrite(t, dir, 6, func(b []byte) []byte { b = toFailure(b); leaf = ledger.Leaf(b); return b })
			if err := (treeFiles{disk{}, filepath.Join(dir, treeDir)}).Write("hashes-0", leaf[:], 5*ledger.HashSize); err != nil {
				t.Fatal(err)
			}
		}, VerifyOptions{}, segmentName(1), 1, "与检查点不符（tree/history:1，12 条）：序号 1 至 12"},
		"rewritten behind a checkpoint": {func(t *testing.T, dir string) {
			var leaf ledger.Hash
			rewrite(t, dir, 14, func(b []byte) []byte { b = toFailure(b); leaf = ledger.Leaf(b); return b })
			if err := (treeFiles{disk{}, filepath.Join(dir, treeDir)}).Write("hashes-0", leaf[:], 13*ledger.HashSize); err != nil {
				t.Fatal(err)
			}
		}, VerifyOptions{Checkpoints: []KeptCheckpoint{{"a", kept[0]}, {"b", kept[1]}}}, segmentName(9), 14, "序号 14 至 14"},
		"re-signed, found with a kept checkpoint": {func(t *testing.T, dir string) {
			rewrite(t, dir, 6, toFailure)
			retree(t, dir, o)
		}, VerifyOptions{Keys: keys, Checkpoints: []KeptCheckpoint{{"paper", kept[0]}}}, segmentName(1), 1, "与检查点不符（paper，12 条）"},
		"re-signed by a stranger": {func(t *testing.T, dir string) {
			rewrite(t, dir, 6, toFailure)
			retree(t, dir, stranger)
		}, VerifyOptions{Keys: keys}, "tree/checkpoint", 0, causeCheckpoint},
		"keys replaced": {func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, treeDir, keysName), []byte(strangerKeys[0].Key), 0o600); err != nil {
				t.Fatal(err)
			}
		}, VerifyOptions{}, "tree/checkpoint", 0, causeCheckpoint},
		"no keys": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, treeDir, keysName)); err != nil {
				t.Fatal(err)
			}
		}, VerifyOptions{}, "tree/checkpoint", 0, causeCheckpoint},
		"cut, head too": {func(t *testing.T, dir string) {
			change(t, filepath.Join(dir, segmentName(9)), func(b []byte) []byte {
				head, list := frames(t, b)
				f, err := decodeFrame(list[4])
				if err != nil {
					t.Fatal(err)
				}
				if err := writeHead(disk{}, dir, place{13, f.chain}); err != nil {
					t.Fatal(err)
				}
				return bytes.Join(append([][]byte{head}, list[:5]...), nil)
			})
		}, VerifyOptions{}, "tree/checkpoint", 14, causeMissing(14, 14)},
		"rolled back whole": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			fill(t, dir, 12, 4)
			retree(t, dir, o)
		}, VerifyOptions{Keys: keys, Checkpoints: []KeptCheckpoint{{"anchor", kept[2]}}}, "anchor", 13, causeMissing(13, 14)},
		"hash": {func(t *testing.T, dir string) {
			change(t, filepath.Join(dir, treeDir, "hashes-0"), flip(13*32))
		}, VerifyOptions{}, segmentName(9), 14, causeLeaf},
		"hashes cut": {func(t *testing.T, dir string) {
			change(t, filepath.Join(dir, treeDir, "hashes-0"), cutTo(100))
		}, VerifyOptions{}, "tree/hashes-0", 4, causeTree},
		"hashes gone": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, treeDir, "hashes-0")); err != nil {
				t.Fatal(err)
			}
		}, VerifyOptions{}, "tree/hashes-0", 1, causeTree},
		"history": {func(t *testing.T, dir string) {
			change(t, filepath.Join(dir, treeDir, historyName), flip(25))
		}, VerifyOptions{}, "tree/history:1", 0, causeCheckpoint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			test.tamper(t, dir)
			report, err := VerifyWith(t.Context(), dir, test.options)
			if err != nil {
				t.Fatal(err)
			}
			if test.cause == "" {
				if report.Fault != nil || report.Checkpoints != 3 || report.Covered != 14 || !report.Pinned {
					t.Errorf("%+v, %+v", report, report.Fault)
				}
				return
			}
			if f := report.Fault; f == nil || f.File != test.file || f.Sequence != test.sequence || !strings.Contains(f.Cause, test.cause) {
				t.Errorf("got %+v, want %s %d %s", f, test.file, test.sequence, test.cause)
			}
		})
	}
}

// TestVerifyUpperLevels: a wrong hash above the leaves is found.
func TestVerifyUpperLevels(t *testing.T) {
	t.Parallel()
	o, _ := ledgerTest(t)
	dir := t.TempDir()
	fill(t, dir, 600, 600)
	retree(t, dir, o)
	if report := verifyTest(t, dir); report.Fault != nil || report.Covered != 600 {
		t.Fatalf("%+v, %+v", report, report.Fault)
	}
	change(t, filepath.Join(dir, treeDir, "hashes-1"), flip(40))
	if f := verifyTest(t, dir).Fault; f == nil || *f != (Fault{File: "tree/hashes-1", Offset: 32, Sequence: 257, Cause: causeTree}) {
		t.Errorf("%+v", f)
	}
}

// TestVerifySince leaves earlier segments out, compares their hashes with the checkpoints, and finds what is wrong from there on.
func TestVerifySince(t *testing.T) {
	t.Parallel()
	dir, _, _, _ := oldJournal(t)
	since := func(days int) time.Time { return newClock().now().Add(time.Duration(days) * day) }
	for _, test := range []struct {
		days    int
		skipped uint64
	}{{-1, 0}, {0, 0}, {3, 4}, {5, 8}, {400, 20}} {
		report, err := VerifyWith(t.Context(), dir, VerifyOptions{Since: since(test.days)})
		if err != nil || report.Fault != nil || report.Skipped != test.skipped || report.Skipped+report.Records < 20 {
			t.Errorf("day %d: %+v, %+v, %v", test.days, report, report.Fault, err)
		}
	}
	find := func(n uint64, days int) *Fault {
		t.Helper()
		own := filepath.Join(t.TempDir(), "audit")
		if err := os.CopyFS(own, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		rewrite(t, own, n, toFailure)
		report, err := VerifyWith(t.Context(), own, VerifyOptions{Since: since(days)})
		if err != nil {
			t.Fatal(err)
		}
		return report.Fault
	}
	if f := find(12, 5); f == nil || f.Sequence != 12 {
		t.Errorf("a forged record after: %+v", f)
	}
	if f := find(2, 5); f != nil {
		t.Errorf("a record that nobody looked at: %+v", f)
	}
	// Hashes of what is left out are compared all the same.
	change(t, filepath.Join(dir, treeDir, ledger.LevelFile(0)), func(b []byte) []byte { b[40] ^= 1; return b })
	if report, err := VerifyWith(t.Context(), dir, VerifyOptions{Since: since(5)}); err != nil || report.Fault == nil {
		t.Errorf("another tree: %+v, %v", report, err)
	}
}

// TestVerifyTellsProgress: up to the last record, never back.
func TestVerifyTellsProgress(t *testing.T) {
	t.Parallel()
	ledgerOptions, _ := ledgerTest(t)
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{SegmentSize: 4000, Ledger: ledgerOptions})
	for i := range 50 {
		appendTest(t, j, fmt.Sprint("r", i))
	}
	closeTest(t, j)
	var told [][2]uint64
	report, err := VerifyWith(t.Context(), dir, VerifyOptions{Progress: func(seen, total uint64) { told = append(told, [2]uint64{seen, total}) }})
	if err != nil || report.Fault != nil {
		t.Fatal(report.Fault, err)
	}
	last := uint64(0)
	for _, one := range told {
		if one[0] < last || one[1] != 50 {
			t.Errorf("%v", told)
		}
		last = one[0]
	}
	if len(told) != 1+report.Segments || last != 50 {
		t.Errorf("%d segments: %v", report.Segments, told)
	}
}
