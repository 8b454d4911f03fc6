package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func noRest() error { return nil }

// packTest packs a segment of a closed journal.
func packTest(t testing.TB, dir, name string) {
	t.Helper()
	if err := pack(disk{}, dir, name, noRest); err != nil {
		t.Fatal(err)
	}
}

func TestPackedReadsAsPlain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 2500, 2000) // more than one block
	plain, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	if len(plain) < packedBlock {
		t.Fatalf("%d bytes fill no block", len(plain))
	}
	before := mustBeWhole(t, dir)
	packTest(t, dir, segmentName(1))
	if _, err := os.Stat(filepath.Join(dir, segmentName(1))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the plain segment is still there: %v", err)
	}
	if after := mustBeWhole(t, dir); !slices.Equal(after, before) {
		t.Error("packing changed what is read")
	}
	p, err := openPacked(disk{}.openRead, filepath.Join(dir, segmentName(1)+packedSuffix))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, span := range [][2]int{{0, 1}, {packedBlock - 1, 2}, {7, len(plain) - 7}, {len(plain) - 1, 1}} {
		got := make([]byte, span[1])
		if n, err := p.ReadAt(got, int64(span[0])); n != span[1] || err != nil || !bytes.Equal(got, plain[span[0]:span[0]+span[1]]) {
			t.Errorf("reading %d at %d: %d, %v", span[1], span[0], n, err)
		}
	}
	if n, err := p.ReadAt(make([]byte, 10), int64(len(plain)-3)); n != 3 || err != io.EOF {
		t.Errorf("past the end: %d, %v", n, err)
	}
}

// TestPackedIsPublic: any zstd reads it.
func TestPackedIsPublic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 4, 100)
	plain, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	packTest(t, dir, segmentName(1))
	packed, err := os.ReadFile(filepath.Join(dir, segmentName(1)+packedSuffix))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unpacker.DecodeAll(packed, nil); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%v", err)
	}
	if tool, err := exec.LookPath("zstd"); err == nil {
		if got, err := exec.Command(tool, "-dc", filepath.Join(dir, segmentName(1)+packedSuffix)).Output(); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("zstd: %v", err)
		}
	}
}

// TestPackedGolden: what was packed once is read for ever.
func TestPackedGolden(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/packed")); err != nil {
		t.Fatal(err)
	}
	if report := verifyTest(t, dir); report.Fault != nil || report.Records != 12 || report.Segments != 3 {
		t.Errorf("%+v, %+v", report, report.Fault)
	}
}

// TestPackFailures lets each call of packing fail. The journal stays whole, and packing again completes it.
func TestPackFailures(t *testing.T) {
	t.Parallel()
	made := t.TempDir()
	fill(t, made, 6, 3)
	for call := 1; ; call++ {
		for _, how := range []string{"failed", "persisted", "partly"} {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			system := newFaulty()
			system.failAt[call] = how
			err := pack(system, dir, segmentName(1), noRest)
			if len(system.calls) < call {
				if call < 8 {
					t.Fatalf("packing takes %d calls only: %v", call-1, system.calls)
				}
				return
			}
			if kind := system.calls[call-1]; how == "partly" && kind != "write" {
				continue
			}
			if err == nil {
				t.Errorf("call %d, %s: no error", call, how)
			}
			if ids := mustBeWhole(t, dir); len(ids) != 6 {
				t.Errorf("call %d, %s: %v", call, how, ids)
			}
			j, repair := openTest(t, dir, Options{KeepPlain: true})
			if repair != (Repair{}) {
				t.Errorf("call %d, %s: repair %+v", call, how, repair)
			}
			if err := j.keeper.packAll(); err != nil {
				t.Errorf("call %d, %s: again: %v", call, how, err)
			}
			closeTest(t, j)
			names, err := disk{}.list(dir)
			if want := []string{"000000000001.seg.zst", "000000000004.seg", "head", "lock"}; err != nil || !slices.Equal(names, want) {
				t.Errorf("call %d, %s: %v, %v", call, how, names, err)
			}
			mustBeWhole(t, dir)
		}
	}
}

// TestPackedDamage changes a packed segment: the place is named, and what can be read is.
func TestPackedDamage(t *testing.T) {
	t.Parallel()
	made := t.TempDir()
	fill(t, made, 3000, 2500)
	packTest(t, made, segmentName(1))
	name := segmentName(1) + packedSuffix
	whole, err := os.ReadFile(filepath.Join(made, name))
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(b []byte) []byte{
		"first block": func(b []byte) []byte { b[100] ^= 1; return b },
		"last block":  func(b []byte) []byte { b[len(b)-60] ^= 1; return b },
		"table":       func(b []byte) []byte { b[len(b)-tableFooter-8] ^= 1; return b },
		"footer":      func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"count":       func(b []byte) []byte { binary.LittleEndian.PutUint32(b[len(b)-tableFooter:], 1<<31); return b },
		"cut":         func(b []byte) []byte { return b[:len(b)/2] },
		"prefix":      func(b []byte) []byte { return append([]byte("x"), b...) },
		"empty":       func([]byte) []byte { return nil },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), change(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			report := verifyTest(t, dir)
			if report.Fault == nil || report.Fault.File != name {
				t.Fatalf("got %+v", report.Fault)
			}
			j, _ := openTest(t, dir, Options{KeepPlain: true})
			appendTest(t, j, "after")
			closeTest(t, j)
			var out bytes.Buffer
			n, err := Export(t.Context(), dir, Query{}, &out)
			if !errors.Is(err, ErrDamaged) || n < 501 || n >= 3001 || what == "first block" && n < 501+800 {
				t.Errorf("%d records are still read: %v", n, err)
			}
		})
	}
}

// TestSegmentsArePacked: as records come, in the background, without anybody noticing.
func TestSegmentsArePacked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{SegmentSize: 2000})
	for i := range 60 {
		appendTest(t, j, fmt.Sprint(i))
		mustBeWholeBesideWriter(t, dir)
	}
	for packed := 0; packed < 5; {
		names, err := filepath.Glob(filepath.Join(dir, "*"+packedSuffix))
		if err != nil {
			t.Fatal(err)
		}
		packed = len(names)
	}
	closeTest(t, j)
	if ids := mustBeWhole(t, dir); len(ids) != 60 {
		t.Errorf("%d records", len(ids))
	}
	j, repair := openTest(t, dir, Options{})
	if repair != (Repair{}) {
		t.Errorf("%+v", repair)
	}
	if r := appendTest(t, j, "after"); r.Sequence != 61 {
		t.Errorf("sequence %d", r.Sequence)
	}
}

// TestPackedLastSegment: a journal whose last segment is packed goes on in a new one.
func TestPackedLastSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 3, 100)
	packTest(t, dir, segmentName(1))
	j, repair := openTest(t, dir, Options{})
	if repair != (Repair{}) {
		t.Errorf("%+v", repair)
	}
	appendTest(t, j, "after")
	closeTest(t, j)
	if ids := mustBeWhole(t, dir); strings.Join(ids, " ") != "r1 r2 r3 after" {
		t.Errorf("%v", ids)
	}
}

// FuzzPacked reads what claims to be a packed segment.
func FuzzPacked(f *testing.F) {
	dir := f.TempDir()
	fill(f, dir, 3, 100)
	packTest(f, dir, segmentName(1))
	whole, err := os.ReadFile(filepath.Join(dir, segmentName(1)+packedSuffix))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := openPacked(disk{}.openRead, path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		size, err := p.Size()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := p.ReadAt(make([]byte, min(size, 1<<20)), 0); err != nil && err != io.EOF || int64(n) != min(size, 1<<20) {
			t.Errorf("%d of %d: %v", n, size, err)
		}
	})
}
