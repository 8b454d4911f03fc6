package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/audit/ledger"
)

func change(t testing.TB, path string, by func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, by(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// frames splits a segment into its header and frames.
func frames(t testing.TB, b []byte) (head []byte, list [][]byte) {
	t.Helper()
	_, size, err := decodeHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	head, b = b[:size], b[size:]
	for len(b) > 0 {
		f, err := decodeFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b[:f.size()])
		b = b[f.size():]
	}
	return head, list
}

// reframe returns a frame with another payload and the chain value that a forger would compute.
func reframe(previous ledger.Chain, payload []byte) ([]byte, ledger.Chain) {
	chain := previous.Next(payload)
	return frame{chain: chain, payload: payload}.append(nil), chain
}

// TestTampering changes a journal of 12 records in segments of 4 and demands the place of the first fault.
func TestTampering(t *testing.T) {
	t.Parallel()
	const second = "000000000005.seg" // records 5 to 8
	const last = "000000000009.seg"   // records 9 to 12
	offsets := func(t *testing.T, dir, name string) []int64 {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		head, list := frames(t, b)
		at := []int64{int64(len(head))}
		for _, f := range list {
			at = append(at, at[len(at)-1]+int64(len(f)))
		}
		return at
	}
	inFrames := func(name string, by func(t *testing.T, list [][]byte) [][]byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			change(t, filepath.Join(dir, name), func(b []byte) []byte {
				head, list := frames(t, b)
				return bytes.Join(append([][]byte{head}, by(t, list)...), nil)
			})
		}
	}
	inFile := func(name string, by func(b []byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { change(t, filepath.Join(dir, name), by) }
	}
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, test := range []struct {
		name     string
		tamper   func(*testing.T, string)
		file     string
		frame    int // of the file, where the fault is; -1: its start
		sequence uint64
		cause    string
	}{
		{"flip in a payload", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { l[1][100] ^= 1; return l }), second, 1, 6, causeFrame},
		{"flip in a chain value", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { l[1][20] ^= 1; return l }), second, 1, 6, causeFrame},
		{"flip in a checksum", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { l[1][5] ^= 1; return l }), second, 1, 6, causeFrame},
		{"flip in a length", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { l[1][3] ^= 1; return l }), second, 1, 6, causeFrame},
		{"large length", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { l[1][0] = 0xFF; return l }), second, 1, 6, causeUnreadable},
		{"zeroed frame", inFrames(last, func(_ *testing.T, l [][]byte) [][]byte { clear(l[1]); return l }), last, 1, 10, causeUnreadable},
		{"flip in the last frame", inFrames(last, func(_ *testing.T, l [][]byte) [][]byte { l[3][100] ^= 1; return l }), last, 3, 12, causeFrame},
		{"flip in the first frame", inFrames("000000000001.seg", func(_ *testing.T, l [][]byte) [][]byte { l[0][100] ^= 1; return l }), "000000000001.seg", 0, 1, causeFrame},
		{"dropped frame", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { return slices.Delete(l, 1, 2) }), second, 1, 6, causeOrder(6, 7)},
		{"dropped first frame of a segment", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { return l[1:] }), second, 0, 5, causeOrder(5, 6)},
		{"dropped last frame of a segment", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { return l[:3] }), second, 3, 8, causeMissing(8, 8)},
		{"swapped frames", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l }), second, 1, 6, causeOrder(6, 7)},
		{"repeated frame", inFrames(second, func(_ *testing.T, l [][]byte) [][]byte { return slices.Insert(l, 2, l[1]) }), second, 2, 7, causeOrder(7, 6)},
		{"forged frame", inFrames(second, func(t *testing.T, l [][]byte) [][]byte {
			f, _ := decodeFrame(l[1])
			l[1] = frame{chain: f.chain, payload: bytes.Replace(f.payload, []byte("SUCCESS"), []byte("FAILURE"), 1)}.append(nil)
			return l
		}), second, 1, 6, causeChain},
		{"forged frame with its chain value", inFrames(second, func(t *testing.T, l [][]byte) [][]byte {
			before, _ := decodeFrame(l[0])
			f, _ := decodeFrame(l[1])
			l[1], _ = reframe(before.chain, bytes.Replace(f.payload, []byte("SUCCESS"), []byte("FAILURE"), 1))
			return l
		}), second, 2, 7, causeChain},
		{"forged to the end of a segment", inFrames(second, func(t *testing.T, l [][]byte) [][]byte {
			f, _ := decodeFrame(l[0])
			chain := f.chain
			for i := 1; i < len(l); i++ {
				f, _ := decodeFrame(l[i])
				l[i], chain = reframe(chain, bytes.Replace(f.payload, []byte("SUCCESS"), []byte("FAILURE"), 1))
			}
			return l
		}), last, -1, 9, causePrevious},
		{"forged to the end of the journal", inFrames(last, func(t *testing.T, l [][]byte) [][]byte {
			f, _ := decodeFrame(l[0])
			chain := f.chain
			for i := 1; i < len(l); i++ {
				f, _ := decodeFrame(l[i])
				l[i], chain = reframe(chain, bytes.Replace(f.payload, []byte("SUCCESS"), []byte("FAILURE"), 1))
			}
			return l
		}), last, 3, 12, causeHeadChain},
		{"inserted at the end", inFrames(last, func(t *testing.T, l [][]byte) [][]byte {
			f, _ := decodeFrame(l[3])
			again, _ := reframe(f.chain, f.payload)
			return append(l, again)
		}), last, 4, 13, causeOrder(13, 12)},
		{"record of another node", inFrames(last, func(t *testing.T, l [][]byte) [][]byte {
			before, _ := decodeFrame(l[0])
			f, _ := decodeFrame(l[1])
			l[1], _ = reframe(before.chain, bytes.Replace(f.payload, []byte("gw-1"), []byte("gw-2"), 1))
			return l
		}), last, 1, 10, causeNode},
		{"truncated middle segment", inFile(second, func(b []byte) []byte { return b[:len(b)-100] }), second, 3, 8, causeCut},
		{"truncated last segment", inFile(last, func(b []byte) []byte { return b[:len(b)-100] }), last, 3, 12, causeMissing(12, 12)},
		{"dropped last record", inFrames(last, func(_ *testing.T, l [][]byte) [][]byte { return l[:3] }), last, 3, 12, causeMissing(12, 12)},
		{"garbage at the end", inFile(second, func(b []byte) []byte { return append(b, "garbage behind the last frame, long enough to be one"...) }), second, 4, 9, causeUnreadable},
		{"missing first segment", remove("000000000001.seg"), "000000000001.seg", -1, 1, causeMissing(1, 4)},
		{"missing segment", remove(second), "000000000001.seg", 4, 5, causeMissing(5, 8)},
		{"missing last segment", remove(last), second, 4, 9, causeMissing(9, 12)},
		{"missing segments", remove("000000000001.seg", second, last), "000000000001.seg", -1, 1, causeNoSegments},
		{"missing head", remove("head"), "head", -1, 12, causeNoHead},
		{"broken head", inFile("head", func([]byte) []byte { return []byte("{}") }), "head", -1, 0, causeHeadBroken},
		{"changed header", inFile(second, func(b []byte) []byte { b[15] ^= 1; return b }), second, -1, 5, causeHeader},
		{"unknown version", inFile(second, func(b []byte) []byte { b[9] = 2; return b }), second, -1, 5, causeVersion},
		{"header of another sequence", inFile(second, func(b []byte) []byte {
			h, size, _ := decodeHeader(b)
			h.first++
			return append(h.append(nil), b[size:]...)
		}), second, -1, 5, causeName},
		{"header of another chain", inFile(second, func(b []byte) []byte {
			h, size, _ := decodeHeader(b)
			h.previous[0] ^= 1
			return append(h.append(nil), b[size:]...)
		}), second, -1, 5, causePrevious},
		{"header of another node", inFile(second, func(b []byte) []byte {
			h, size, _ := decodeHeader(b)
			h.node = "gw-2"
			return append(h.append(nil), b[size:]...)
		}), second, 0, 5, causeNode},
		{"segment copied", func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, second))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, segmentName(7)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "000000000007.seg", -1, 9, causeOrder(9, 7)},
		{"empty file for a segment", inFile(last, func([]byte) []byte { return nil }), last, -1, 9, causeHeader},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fill(t, dir, 12, 4)
			if got := mustBeWhole(t, dir); len(got) != 12 {
				t.Fatalf("got %v", got)
			}
			want := Fault{File: test.file, Sequence: test.sequence}
			if test.frame >= 0 {
				want.Offset = offsets(t, dir, test.file)[test.frame]
			}
			test.tamper(t, dir)
			before := snapshot(t, dir)

			report := verifyTest(t, dir)
			if report.Fault == nil {
				t.Fatal("not found")
			}
			if got := *report.Fault; got.File != want.File || got.Offset != want.Offset || got.Sequence != want.Sequence || !strings.Contains(got.Cause, test.cause) {
				t.Errorf("got  %+v\nwant %+v %s", got, want, test.cause)
			}

			// The journal goes on all the same, touches no evidence, and the fault stays to be found.
			j, _ := openTest(t, dir, Options{KeepPlain: true})
			r := appendTest(t, j, "after")
			if r.Sequence <= 8 && test.name != "missing segments" {
				t.Errorf("sequence %d is given again", r.Sequence)
			}
			closeTest(t, j)
			after := snapshot(t, dir)
			for name, content := range before {
				if name == headName {
					continue
				}
				if !strings.HasPrefix(after[name], content) {
					t.Errorf("opening changed %s", name)
				}
			}
			if again := verifyTest(t, dir); again.Fault == nil {
				if test.name != "missing head" { // Repair told; what is gone cannot be kept
					t.Error("opening hid the fault")
				}
			} else if *again.Fault != *report.Fault && again.Fault.Sequence > report.Fault.Sequence {
				t.Errorf("then the fault is %+v, was %+v", *again.Fault, *report.Fault)
			}
			var out bytes.Buffer
			if _, err := Export(context.Background(), dir, Query{ResponseID: "after"}, &out); err != nil && !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
			if got := decodeLines(t, out.Bytes()); len(got) != 1 {
				t.Errorf("the new record cannot be exported: %v", got)
			}
		})
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	names, err := disk{}.list(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	return files
}

// TestOpenReportsDamage: what is no torn tail is told, with the place, and a new segment goes on behind it.
func TestOpenReportsDamage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tamper func(b []byte, list [][]byte)
		next   uint64
	}{
		"middle": {func(b []byte, list [][]byte) { list[1][100] ^= 1 }, 5},
		"last":   {func(b []byte, list [][]byte) { list[3][100] ^= 1 }, 5},
		"header": {func(b []byte, list [][]byte) { b[12] ^= 1 }, 5},
		"all": {func(b []byte, list [][]byte) {
			b[12] ^= 1
			list[0][50] ^= 1
			list[1][50] ^= 1
			list[2][50] ^= 1
			list[3][50] ^= 1
		}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fill(t, dir, 4, 100)
			change(t, filepath.Join(dir, segmentName(1)), func(b []byte) []byte {
				_, list := frames(t, b)
				test.tamper(b, list)
				return b
			})
			report := verifyTest(t, dir)
			j, repair := openTest(t, dir, Options{})
			if repair.Damage == nil || repair.Bytes != 0 || repair.Damage.File != report.Fault.File || repair.Damage.Offset != report.Fault.Offset {
				t.Errorf("repair %+v, fault %+v", repair, *report.Fault)
			}
			if r := appendTest(t, j, "after"); r.Sequence != test.next {
				t.Errorf("sequence %d, want %d", r.Sequence, test.next)
			}
			closeTest(t, j)
			j, repair = openTest(t, dir, Options{}) // told once: the last segment is whole
			if repair.Damage != nil {
				t.Errorf("told again: %+v", *repair.Damage)
			}
			closeTest(t, j)
		})
	}
}

// TestTornTail cuts and zeroes the last write at every byte, as a crash may: it is repaired, told, and no fault.
func TestTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	system := newFaulty()
	release := system.holdSync()
	j, _, err := openJournal(system, dir, Options{Node: "gw-1", Now: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	release()
	appendTest(t, j, "confirmed")
	closeTest(t, j)
	path := filepath.Join(dir, segmentName(1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The last write is of two records that nobody was told of.
	_, chain := j.Last()
	var tail []byte
	for i := range 2 {
		e, err := encodeRecord(record("torn"), "gw-1")
		if err != nil {
			t.Fatal(err)
		}
		payload := e.append(nil, uint64(2+i))
		chain = chain.Next(payload)
		tail = frame{index: uint32(i), chain: chain, payload: payload}.append(tail)
	}
	one := len(tail) / 2
	try := func(what string, torn []byte, kept int) {
		t.Helper()
		if err := os.WriteFile(path, append(slices.Clip(whole), torn...), 0o600); err != nil {
			t.Fatal(err)
		}
		report := verifyTest(t, dir)
		lost := int64(max(0, len(bytes.TrimRight(torn, "\x00"))-kept*one)) // zeros behind are only room
		if report.Fault != nil || report.Torn != lost || report.Records != uint64(1+kept) {
			t.Fatalf("%s: %+v, %+v", what, report, report.Fault)
		}
		j, repair := openTest(t, dir, Options{})
		if repair.Bytes != lost || repair.Damage != nil || (repair.Segment != "") != (lost > 0) {
			t.Fatalf("%s: %+v, %+v", what, repair, repair.Damage)
		}
		if r := appendTest(t, j, "after"); r.Sequence != uint64(2+kept) {
			t.Fatalf("%s: sequence %d", what, r.Sequence)
		}
		closeTest(t, j)
		mustBeWhole(t, dir)
		if err := os.Remove(filepath.Join(dir, headName)); err != nil {
			t.Fatal(err)
		}
		if err := writeHead(disk{}, dir, place{1, headerlessChain(t, whole)}); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n < len(tail); n += 7 {
		try("cut", tail[:n], n/one)
	}
	for n := 0; n < len(tail)-1; n += 7 { // the end was never written
		torn := slices.Clone(tail)
		clear(torn[n:])
		try("zeros to the end", torn, n/one)
	}
	for n := 0; n+frameFixed < one; n += 16 { // the second frame is on disk, of the first not all
		torn := slices.Clone(tail)
		clear(torn[n : n+frameFixed])
		try("zeros in the first", torn, 0)
	}
}

func headerlessChain(t *testing.T, segment []byte) ledger.Chain {
	t.Helper()
	_, list := frames(t, segment)
	f, err := decodeFrame(list[len(list)-1])
	if err != nil {
		t.Fatal(err)
	}
	return f.chain
}

// TestRollback puts an older copy of the whole directory but the head in place.
func TestRollback(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 3, 100)
	old, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	j, _ := openTest(t, dir, Options{})
	appendTest(t, j, "four")
	closeTest(t, j)
	if err := os.WriteFile(filepath.Join(dir, segmentName(1)), old, 0o600); err != nil {
		t.Fatal(err)
	}
	report := verifyTest(t, dir)
	if report.Fault == nil || report.Fault.Cause != causeMissing(4, 4) {
		t.Fatalf("got %+v", report.Fault)
	}
	// The number of the lost record is not given again.
	j, repair := openTest(t, dir, Options{})
	if r := appendTest(t, j, "five"); r.Sequence != 5 || repair.Damage == nil {
		t.Errorf("sequence %d, %+v", r.Sequence, repair)
	}
	if report := verifyTest(t, dir); report.Fault == nil || report.Fault.Sequence != 4 {
		t.Errorf("the loss does not show any more: %+v", report.Fault)
	}
}

func TestVerifyErrors(t *testing.T) {
	t.Parallel()
	if _, err := Verify(context.Background(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if report := verifyTest(t, t.TempDir()); report.Fault == nil || report.Fault.Cause != causeNoSegments {
		t.Errorf("empty directory: %+v", report.Fault)
	}
	dir := t.TempDir()
	fill(t, dir, 2, 10)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	text, err := json.Marshal(Report{Segments: 1, Records: 2, Last: "00", Fault: &Fault{File: "f", Offset: 3, Sequence: 4, Cause: "c"}})
	if want := `{"segments":1,"records":2,"last":"00","fault":{"file":"f","offset":3,"sequence":4,"cause":"c"}}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}
