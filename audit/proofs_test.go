package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/audit/evidence"
	"licgate/audit/ledger"
)

func proofsTest(t *testing.T, dir string, o ProofOptions) ([]byte, Proven, error) {
	t.Helper()
	var b bytes.Buffer
	o.Now = func() time.Time { return testTime }
	proven, err := ExportProofs(t.Context(), dir, o, &b)
	return b.Bytes(), proven, err
}

func mustHold(t *testing.T, export []byte, o evidence.Options) evidence.Result {
	t.Helper()
	result, err := evidence.Verify(bytes.NewReader(export), o)
	if err != nil || result.Fault != nil {
		t.Fatalf("%+v, %v", result.Fault, err)
	}
	return result
}

// TestExportProofs: a department gets its own records, each with its proof, and nothing of others.
func TestExportProofs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, keys := ledgerTest(t)
	j, _ := openTest(t, dir, Options{Ledger: o, SegmentSize: 3000})
	if _, _, err := proofsTest(t, dir, ProofOptions{}); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("before the first checkpoint: %v", err)
	}
	var first *ledger.Signed
	var receipt Receipt
	for i := range 40 {
		r := record(fmt.Sprint("r", i))
		r.Department = fmt.Sprint("D", i%4)
		if i == 30 {
			r.Event, r.AttemptOf = EventAttempt, "r31"
		}
		got, err := j.Keep(t.Context(), r, Strict)
		if err != nil {
			t.Fatal(err)
		}
		if i == 31 {
			receipt = got
		}
		if i == 17 {
			if err := j.notary.step(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			first = j.Checkpoint()
		}
	}
	export, proven, err := proofsTest(t, dir, ProofOptions{Query: Query{Department: "D1"}})
	if err != nil || proven != (Proven{Records: 5, Waiting: 5}) {
		t.Errorf("%+v, %v", proven, err)
	}
	mustHold(t, export, evidence.Options{Keys: keys})
	if _, err := Prove(t.Context(), dir, "r31"); !errors.Is(err, ErrNotCovered) {
		t.Errorf("%v", err)
	}
	closeTest(t, j)

	export, proven, err = proofsTest(t, dir, ProofOptions{Query: Query{Department: "D1"}, Since: []uint64{18, 0, 18}})
	if err != nil || proven != (Proven{Records: 10}) {
		t.Errorf("%+v, %v", proven, err)
	}
	result := mustHold(t, export, evidence.Options{Keys: keys, Checkpoints: []evidence.Kept{{Source: "own", Note: first.Note}}})
	if result.Department != "D1" || result.Agreed != 1 || result.Records != 10 || bytes.Contains(export, []byte(`"department":"D2"`)) {
		t.Errorf("%+v", result)
	}
	if export, _, err := proofsTest(t, dir, ProofOptions{Since: []uint64{18, 41}}); !errors.Is(err, ErrAhead) || len(export) > 0 {
		t.Errorf("from behind the log: %s, %v", export, err)
	}
	// The proof of one request: it and its attempt.
	export, err = Prove(t.Context(), dir, "r31")
	if err != nil {
		t.Fatal(err)
	}
	if result := mustHold(t, export, evidence.Options{Keys: keys, Receipts: []ledger.Receipt{receipt}}); result.Records != 2 {
		t.Errorf("%+v", result)
	}
	for _, id := range []string{"", "r99"} {
		if _, err := Prove(t.Context(), dir, id); !errors.Is(err, ErrNoRecord) {
			t.Errorf("%q: %v", id, err)
		}
	}

	export, proven, err = proofsTest(t, dir, ProofOptions{Complete: true})
	if err != nil || proven.Records != 40 {
		t.Errorf("%+v, %v", proven, err)
	}
	if result := mustHold(t, export, evidence.Options{Keys: keys, Checkpoints: []evidence.Kept{{Source: "own", Note: first.Note}}}); !result.Complete || result.Agreed != 1 {
		t.Errorf("%+v", result)
	}
	if _, _, err := proofsTest(t, dir, ProofOptions{Complete: true, Query: Query{Limit: 1}}); !errors.Is(err, ErrIncomplete) {
		t.Errorf("limited: %v", err)
	}
	if _, err := ExportProofs(t.Context(), dir, ProofOptions{}, brokenWriter{os.ErrClosed}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// TestExportProofsOfDamage: what was altered has no proof, what is gone is not there, and both are told.
func TestExportProofsOfDamage(t *testing.T) {
	t.Parallel()
	o, keys := ledgerTest(t)
	dir := t.TempDir()
	fill(t, dir, 12, 4)
	retree(t, dir, o)
	rewrite(t, dir, 6, toFailure)
	export, _, err := proofsTest(t, dir, ProofOptions{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := evidence.Verify(bytes.NewReader(export), evidence.Options{Keys: keys})
	if err != nil || result.Fault == nil || result.Fault.Sequence != 6 || result.Fault.Line != 7 {
		t.Errorf("%+v, %v", result.Fault, err)
	}
	change(t, filepath.Join(dir, segmentName(5)), func(b []byte) []byte {
		_, list := frames(t, b)
		list[1][100] ^= 1
		return b
	})
	export, proven, err := proofsTest(t, dir, ProofOptions{})
	if !errors.Is(err, ErrDamaged) || proven.Records != 11 {
		t.Errorf("%+v, %v", proven, err)
	}
	mustHold(t, export, evidence.Options{Keys: keys})
	if _, _, err := proofsTest(t, dir, ProofOptions{Complete: true}); !errors.Is(err, ErrIncomplete) || !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	change(t, filepath.Join(dir, treeDir, checkpointName), flip(25))
	if _, _, err := proofsTest(t, dir, ProofOptions{}); !errors.Is(err, ledger.ErrCheckpoint) {
		t.Errorf("%v", err)
	}
}

func TestExportProofsAfterRetirement(t *testing.T) {
	t.Parallel()
	dir, _, o, keys := oldJournal(t)
	j, _ := openTest(t, dir, o)
	j.keeper.close()
	j.keeper.ctx = t.Context()
	j.keeper.nextDue = time.Time{}
	if err := j.keeper.retireHourly(t.Context(), MinRetention); err != nil {
		t.Fatal(err)
	}
	closeTest(t, j)
	export, proven, err := proofsTest(t, dir, ProofOptions{})
	if err != nil || proven.Records < 8 {
		t.Fatalf("%+v, %v", proven, err)
	}
	mustHold(t, export, evidence.Options{Keys: keys})
	if _, _, err := proofsTest(t, dir, ProofOptions{Complete: true}); !errors.Is(err, ErrIncomplete) {
		t.Errorf("%v", err)
	}
}

// TestExportIsFrozen: the format's golden file still holds.
func TestExportIsFrozen(t *testing.T) {
	t.Parallel()
	export, err := os.ReadFile("testdata/export-1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/export-1.keys")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ledger.ParseKeys(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if result := mustHold(t, export, evidence.Options{Keys: keys}); result.Records != 2 || result.Size != 3 || len(result.Cosigners) != 0 {
		t.Errorf("%+v", result)
	}
	ids := slices.Collect(strings.Lines(string(export)))
	if len(ids) != 4 || !strings.HasPrefix(ids[0], `{"licgate_export":1,"checkpoint":"gateway.example/audit\n3\n`) || !strings.HasPrefix(ids[1], `{"sequence":1,"proof":["`) {
		t.Errorf("%s", export)
	}
}
