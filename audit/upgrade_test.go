package audit

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestUpgrade opens a journal that was written before the tree, packed segments and zeros ahead: testdata/v1. It is read,
// verified, goes on, and nothing of it changes.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/v1")); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	report := verifyTest(t, dir)
	if report.Fault != nil || report.Records != 12 || report.Segments != 3 {
		t.Fatalf("%+v, %+v", report, report.Fault)
	}
	old := mustBeWhole(t, dir)
	j, repair := openTest(t, dir, Options{KeepPlain: true})
	if repair != (Repair{}) {
		t.Errorf("%+v", repair)
	}
	if _, chain := j.Last(); chain.String() != report.Last {
		t.Errorf("it goes on from %s, not %s", chain, report.Last)
	}
	if r := appendTest(t, j, "after"); r.Sequence != 13 {
		t.Errorf("sequence %d", r.Sequence)
	}
	closeTest(t, j)
	if ids := mustBeWhole(t, dir); !slices.Equal(ids, append(old, "after")) {
		t.Errorf("%v", ids)
	}
	after := snapshot(t, dir)
	for name, content := range before {
		if name != headName && after[name][:len(content)] != content {
			t.Errorf("%s changed", name)
		}
	}
}

// TestUpgradeTornTail: a torn tail of that time is cut off as it was then.
func TestUpgradeTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/v1")); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(dir, segmentName(9)), func(b []byte) []byte { return b[:len(b)-100] })
	if err := writeHead(disk{}, dir, place{}); err != nil { // it crashed: the head is an older one
		t.Fatal(err)
	}
	j, repair := openTest(t, dir, Options{KeepPlain: true})
	if repair.Segment != segmentName(9) || repair.Bytes == 0 || repair.Damage != nil {
		t.Errorf("%+v", repair)
	}
	if r := appendTest(t, j, "after"); r.Sequence != 12 {
		t.Errorf("sequence %d", r.Sequence)
	}
	closeTest(t, j)
	mustBeWhole(t, dir)
}
