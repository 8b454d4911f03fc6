package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licgate/audit/ledger"
)

const testOrigin = "gateway.example/audit"

// ledgerTest returns options with new keys, and the keys to verify with.
func ledgerTest(t testing.TB) (*LedgerOptions, []ledger.Verifier) {
	t.Helper()
	pair, err := ledger.OpenKeys(filepath.Join(t.TempDir(), "log.key"), testOrigin, nil)
	if err != nil {
		t.Fatal(err)
	}
	signers, err := pair.LogSigners()
	if err != nil {
		t.Fatal(err)
	}
	var keys []ledger.Verifier
	for _, s := range signers {
		v, err := ledger.ParseKey(s.Key)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, v)
	}
	return &LedgerOptions{Signers: signers}, keys
}

// payloads returns the records as they are stored.
func payloads(t testing.TB, dir string) [][]byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := Export(context.Background(), dir, Query{}, &out); err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
}

// rootOf is the root over records, through a tree of its own.
func rootOf(records [][]byte) ledger.Hash {
	tree := ledger.NewTree(nil)
	for _, r := range records {
		tree.Append(ledger.Leaf(r))
	}
	return tree.Root()
}

// checkpointTest opens the newest checkpoint in dir.
func checkpointTest(t testing.TB, dir string, keys []ledger.Verifier) ledger.Checkpoint {
	t.Helper()
	signed, err := readCheckpoint(disk{}, dir, keys)
	if err != nil || signed == nil {
		t.Fatalf("%v, %v", signed, err)
	}
	return signed.Checkpoint
}

// mustBeCovered demands that the newest checkpoint covers all records.
func mustBeCovered(t testing.TB, dir string, keys []ledger.Verifier) {
	t.Helper()
	records := payloads(t, dir)
	c := checkpointTest(t, dir, keys)
	if c.Origin != testOrigin || c.Size != uint64(len(records)) || c.Root != rootOf(records) {
		t.Fatalf("%d records, checkpoint %+v", len(records), c)
	}
	tiles := ledger.OpenTiles(treeFiles{system: disk{}, dir: filepath.Join(dir, treeDir)}, c.Size)
	for _, i := range []uint64{0, c.Size / 2, c.Size - 1} {
		path, err := tiles.Inclusion(i, c.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.VerifyInclusion(ledger.Leaf(records[i]), i, c.Size, path, c.Root); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, keys := ledgerTest(t)
	j, _ := openTest(t, dir, Options{Ledger: o, SegmentSize: 20_000})
	if j.Checkpoint() != nil {
		t.Error("a checkpoint of nothing")
	}
	var receipts []Receipt
	for i := range 300 {
		r, err := j.Keep(t.Context(), record(fmt.Sprint(i)), Strict)
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	signed, err := j.WaitCheckpoint(t.Context(), 0) // a tile is load: within a second
	if err != nil || signed.Size < 256 {
		t.Fatalf("%+v, %v", signed, err)
	}
	closeTest(t, j)
	mustBeCovered(t, dir, keys)
	for i, r := range payloads(t, dir) {
		if receipts[i].Sequence != uint64(i+1) || receipts[i].Leaf != ledger.Leaf(r) {
			t.Fatalf("receipt %d: %+v", i, receipts[i])
		}
	}
	before := checkpointTest(t, dir, keys)

	j, repair := openTest(t, dir, Options{Ledger: o})
	if repair != (Repair{}) || j.Checkpoint().Checkpoint != before {
		t.Errorf("%+v, %+v", repair, j.Checkpoint())
	}
	for i := range 10 {
		appendTest(t, j, fmt.Sprint("again", i))
	}
	closeTest(t, j)
	mustBeCovered(t, dir, keys)
	tiles := ledger.OpenTiles(treeFiles{system: disk{}, dir: filepath.Join(dir, treeDir)}, 310)
	after := checkpointTest(t, dir, keys)
	path, err := tiles.Consistency(before.Size, after.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.VerifyConsistency(before.Size, after.Size, path, before.Root, after.Root); err != nil {
		t.Error(err)
	}
	published, err := os.ReadFile(filepath.Join(dir, treeDir, keysName))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := ledger.ParseKeys(string(published)); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestCheckpointTimes: load is a checkpoint a tick, a single record waits for the minute.
func TestCheckpointTimes(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	o, keys := ledgerTest(t)
	options := c.options()
	options.Ledger = o
	j, _ := openTest(t, dir, options)
	j.keeper.close() // it steps when told
	step := func(want uint64) {
		t.Helper()
		if err := j.notary.step(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if signed := j.Checkpoint(); signed == nil && want > 0 || signed != nil && signed.Size != want {
			t.Fatalf("got %+v, want size %d", signed, want)
		}
	}
	step(0)
	appendTest(t, j, "one")
	step(0)
	c.pass(30 * time.Second)
	appendTest(t, j, "two")
	step(0)
	c.pass(29 * time.Second)
	step(2)
	c.pass(time.Hour)
	step(2) // nothing new
	for i := range busyRecords {
		appendTest(t, j, fmt.Sprint(i))
	}
	step(2 + busyRecords)
	c.pass(10 * time.Hour)
	appendTest(t, j, "late")
	step(2 + busyRecords)
	c.pass(time.Minute)
	step(3 + busyRecords)
	closeTest(t, j)
	notes, _, err := readHistory(disk{}, filepath.Join(dir, treeDir))
	if err != nil || len(notes) != 3 { // the first, after an hour, after ten
		t.Errorf("%d in the history, %v", len(notes), err)
	}
	for _, n := range notes {
		if _, err := ledger.OpenCheckpoint(n, keys); err != nil {
			t.Error(err)
		}
	}
}

// TestLedgerOverAnOldJournal: a journal that had no tree gets one, of all its records.
func TestLedgerOverAnOldJournal(t *testing.T) {
	t.Parallel()
	for _, old := range []string{"testdata/v1", "testdata/packed"} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(old)); err != nil {
			t.Fatal(err)
		}
		o, keys := ledgerTest(t)
		j, _ := openTest(t, dir, Options{Ledger: o})
		appendTest(t, j, "new")
		closeTest(t, j)
		mustBeCovered(t, dir, keys)
	}
}

// TestQueueOverflow: leaves that found no room in memory are read from the journal.
func TestQueueOverflow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, keys := ledgerTest(t)
	j, _ := openTest(t, dir, Options{Ledger: o})
	j.keeper.close()
	for i := range 20 {
		appendTest(t, j, fmt.Sprint(i))
		if i == 5 || i == 12 {
			j.notary.take()
		}
		if i == 15 {
			if err := j.notary.step(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
	}
	closeTest(t, j)
	mustBeCovered(t, dir, keys)
}

// TestLedgerFailures lets each call of the tree and of the checkpoint fail, and the process live on or die there. Records
// are kept all the same; the tree comes right by itself, and no checkpoint ever contradicts another.
func TestLedgerFailures(t *testing.T) {
	t.Parallel()
	o, keys := ledgerTest(t)
	for _, dead := range []bool{false, true} {
		for _, how := range []string{"failed", "persisted", "partly"} {
			t.Run(fmt.Sprintf("%s,dead=%v", how, dead), func(t *testing.T) {
				t.Parallel()
				for call := 1; ; call++ {
					if !failLedger(t, o, keys, call, how, dead) {
						if call < 20 {
							t.Errorf("only %d calls", call-1)
						}
						return
					}
				}
			})
		}
	}
}

func failLedger(t *testing.T, o *LedgerOptions, keys []ledger.Verifier, call int, how string, dead bool) (more bool) {
	t.Helper()
	dir, system := t.TempDir(), newFaulty()
	j, _, err := openJournal(system, dir, Options{Node: "gw-1", Ledger: o, KeepPlain: true, Now: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	j.keeper.close()
	var seen []ledger.Checkpoint
	system.mu.Lock()
	base := len(system.calls)
	system.failAt[base+call], system.dead = how, dead
	system.mu.Unlock()
	for i := range 3 { // records are written with the failure away: it is the ledger's
		system.mu.Lock()
		failing, dying := system.failAt, system.isDead
		system.failAt, system.isDead = nil, false
		calls := len(system.calls)
		system.mu.Unlock()
		for n := range 90 {
			r := record(fmt.Sprint(i, n))
			if err := j.Append(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		system.mu.Lock()
		system.failAt, system.isDead = failing, dying
		system.calls = system.calls[:calls]
		system.mu.Unlock()
		err := j.notary.step(t.Context(), true)
		if signed := j.Checkpoint(); err == nil {
			seen = append(seen, signed.Checkpoint)
		} else if !errors.Is(err, errInjected) {
			t.Fatal(err)
		}
	}
	system.mu.Lock()
	more = len(system.calls) >= base+call
	system.failAt = nil
	system.mu.Unlock()
	_ = j.Close() // dead, it fails

	j, repair, err := openJournal(newFaulty(), dir, Options{Node: "gw-1", Ledger: o, KeepPlain: true})
	if err != nil {
		t.Fatalf("call %d: %v", call, err)
	}
	if repair.Damage != nil {
		t.Fatalf("call %d: %+v", call, repair.Damage)
	}
	if signed := j.Checkpoint(); signed != nil {
		seen = append(seen, signed.Checkpoint)
	}
	appendTest(t, j, "last")
	closeTest(t, j)
	mustBeCovered(t, dir, keys)
	tiles := ledger.OpenTiles(treeFiles{system: disk{}, dir: filepath.Join(dir, treeDir)}, 271)
	for _, c := range seen {
		if root, err := tiles.Root(c.Size); err != nil || root != c.Root {
			t.Fatalf("call %d: checkpoint of %d contradicts the last: %v", call, c.Size, err)
		}
	}
	return more
}

// TestCutBehindACheckpoint: a journal put back to an older copy does not give sequences again that a checkpoint covers.
func TestCutBehindACheckpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, keys := ledgerTest(t)
	j, _ := openTest(t, dir, Options{Ledger: o})
	for i := range 3 {
		appendTest(t, j, fmt.Sprint(i))
	}
	closeTest(t, j)
	old := snapshot(t, dir)
	j, _ = openTest(t, dir, Options{Ledger: o})
	appendTest(t, j, "lost")
	appendTest(t, j, "lost too")
	closeTest(t, j)
	before := checkpointTest(t, dir, keys)
	for name, content := range old { // also the head
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j, repair := openTest(t, dir, Options{Ledger: o})
	if repair.Damage == nil || repair.Damage.Sequence != 4 || repair.Damage.Cause != causeMissing(4, 5) {
		t.Errorf("%+v", repair.Damage)
	}
	if r := appendTest(t, j, "after"); r.Sequence != 6 {
		t.Errorf("sequence %d", r.Sequence)
	}
	closeTest(t, j)
	after := checkpointTest(t, dir, keys)
	tiles := ledger.OpenTiles(treeFiles{system: disk{}, dir: filepath.Join(dir, treeDir)}, after.Size)
	path, err := tiles.Consistency(before.Size, after.Size)
	if err != nil || ledger.VerifyConsistency(before.Size, after.Size, path, before.Root, after.Root) != nil {
		t.Errorf("the log forked: %v", err)
	}
	if report := verifyTest(t, dir); report.Fault == nil || report.Fault.Sequence != 4 {
		t.Errorf("%+v", report.Fault)
	}
}

// TestDamagedTree: a tree that is not what the checkpoint says is told, kept, and made again from the journal.
func TestDamagedTree(t *testing.T) {
	t.Parallel()
	o, keys := ledgerTest(t)
	stranger, _ := ledgerTest(t)
	for what, damage := range map[string]func(t *testing.T, tree string){
		"hash":       func(t *testing.T, tree string) { change(t, filepath.Join(tree, "hashes-0"), flip(5)) },
		"short":      func(t *testing.T, tree string) { change(t, filepath.Join(tree, "hashes-0"), cutTo(100)) },
		"checkpoint": func(t *testing.T, tree string) { change(t, filepath.Join(tree, checkpointName), flip(25)) },
		"stranger's": func(t *testing.T, tree string) {
			text, err := ledger.Checkpoint{Origin: testOrigin, Size: 9}.Sign(stranger.Signers...)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(tree, checkpointName), text, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(strings.ReplaceAll(what, "'", ""), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j, _ := openTest(t, dir, Options{Ledger: o})
			for i := range 20 {
				appendTest(t, j, fmt.Sprint(i))
			}
			closeTest(t, j)
			damage(t, filepath.Join(dir, treeDir))
			j, repair := openTest(t, dir, Options{Ledger: o})
			if repair.Damage == nil || repair.Damage.File != "tree/checkpoint" {
				t.Errorf("%+v", repair.Damage)
			}
			appendTest(t, j, "after")
			closeTest(t, j)
			mustBeCovered(t, dir, keys)
			if _, err := os.Stat(filepath.Join(dir, treeDir, checkpointName+".1")); err != nil {
				t.Errorf("the evidence is gone: %v", err)
			}
		})
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 1; return b }
}

func cutTo(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

func TestLedgerOptions(t *testing.T) {
	t.Parallel()
	one, _ := ledgerTest(t)
	pair, err := ledger.OpenKeys(filepath.Join(t.TempDir(), "k"), "other.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pair.LogSigners()
	if err != nil {
		t.Fatal(err)
	}
	for _, signers := range [][]ledger.Signer{nil, {one.Signers[0], other[1]}} {
		if _, _, err := OpenJournal(t.TempDir(), Options{Ledger: &LedgerOptions{Signers: signers}}); !errors.Is(err, errOrigin) {
			t.Errorf("%d signers: %v", len(signers), err)
		}
	}
	j, _ := openTest(t, t.TempDir(), Options{})
	if _, err := j.WaitCheckpoint(t.Context(), 0); !errors.Is(err, ErrNoLedger) {
		t.Errorf("%v", err)
	}
	j, _ = openTest(t, t.TempDir(), Options{Ledger: one})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.WaitCheckpoint(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
